"""What a change does to the items of a list: which come, which go, and which get other values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.change import Change
from reconciler.model.value import Fields, Value
from reconciler.provider.guest import items_of

_FIELDS_OF_MOUNTS = ("source", "readOnly")


@dataclass(frozen=True, slots=True)
class ItemChanges:
    """Of one list: names of the items added and removed, and for those that stay the fields that change."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def item_changes(change: Change, head: str) -> ItemChanges:
    """The changes of the items of `nics`, `disks` or `mounts`."""
    added, removed, changed = [], [], dict[str, dict[str, Value]]()
    for entry in change.fields:
        if not entry.name.startswith(f"{head}."):
            continue
        name, inner = split(head, entry.name)
        if inner:
            changed.setdefault(name, {})[inner] = entry.after
        elif entry.after is None:
            removed.append(name)
        elif entry.before is None:
            # With anything before it is there already, and only becomes ours.
            added.append(name)
    staying = {name: fields for name, fields in changed.items() if name not in added and name not in removed}
    return ItemChanges(tuple(added), tuple(removed), staying)


def split(head: str, field_name: str) -> tuple[str, str]:
    """Item and field of a dotted name; the field is empty for the item itself. A mount's name is a path and may hold dots."""
    rest = field_name[len(head) + 1 :]
    if head != "mounts":
        name, _, inner = rest.partition(".")
        return name, inner
    name, _, inner = rest.rpartition(".")
    return (name, inner) if inner in _FIELDS_OF_MOUNTS else (rest, "")


def stated_items(change: Change, head: str) -> Mapping[str, Fields]:
    """The items that the manifest states, by name, with what matters at creation only."""
    resource = change.resource
    return items_of({**resource.fields, **(resource.created_with or {})}, head) if resource is not None else {}


def observed_item(change: Change, head: str, name: str) -> dict[str, Value]:
    """The fields of an item as it is on the host; empty where it is not."""
    prefix = f"{head}.{name}."
    there = change.observed.fields if change.observed is not None else {}
    return {field_name[len(prefix) :]: value for field_name, value in there.items() if field_name.startswith(prefix)}


def own_names(change: Change, head: str) -> frozenset[str]:
    """Names of the items on the host that are ours."""
    prefix = f"{head}."
    own = change.observed.own_items if change.observed is not None else ()
    return frozenset(path[len(prefix) :] for path in own if path.startswith(prefix))


def names_afterwards(change: Change, head: str) -> frozenset[str]:
    """Names of the items that are ours once the change is made: what was, without what goes, and all that is stated."""
    items = item_changes(change, head)
    there = change.observed.fields.get(head) if change.observed is not None else ()
    present = set(there if isinstance(there, tuple) else ()) | set(items.added)
    return (own_names(change, head) | (stated_items(change, head).keys() & present)) - set(items.removed)
