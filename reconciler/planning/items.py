"""Items of lists that are known by name: which one on the host is which of the manifest, what comes, goes, or is not ours."""

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum

from reconciler.model.change import Change, FieldChange
from reconciler.model.key import Key
from reconciler.model.observed import Observed
from reconciler.model.value import Fields, Value
from reconciler.provider.field import Items
from reconciler.provider.kind import Kind


def item_names(value: Value) -> tuple[str, ...]:
    """The names in a list of items as a field."""
    return value if isinstance(value, tuple) else ()


def recognised(kind: Kind, owner: str, key: Key, wanted: Fields, observed: Observed) -> Observed:
    """The object with items under the names that the manifest gives them, where the host tells only what they are.

    Nothing but what an item is known by (a nic's MAC) counts, and only items that no note of ours names.
    """
    renamed: dict[str, str] = {}
    for head, items in kind.items.items():
        there = item_names(observed.fields.get(head))
        unnamed = [name for name in there if f"{head}.{name}" not in observed.own_items]
        missing = [name for name in item_names(wanted.get(head)) if name not in there]
        if not (items.known_by and unnamed and missing):
            continue
        by_told = {observed.fields.get(f"{head}.{name}.{items.told_by}"): name for name in reversed(unnamed)}
        for name in missing:
            stated = _fields_of(wanted, f"{head}.{name}.")
            if (found := by_told.pop(items.known_by(owner, key, name, stated), None)) is not None:
                renamed[f"{head}.{found}"] = f"{head}.{name}"
    return _renamed(observed, renamed) if renamed else observed


def _fields_of(wanted: Fields, prefix: str) -> Fields:
    return {name.removeprefix(prefix): value for name, value in wanted.items() if name.startswith(prefix)}


def _renamed(observed: Observed, renamed: dict[str, str]) -> Observed:
    fields: dict[str, Value] = {}
    for name, value in observed.fields.items():
        old = next((old for old in renamed if name.startswith(f"{old}.")), None)
        fields[name if old is None else f"{renamed[old]}{name[len(old) :]}"] = value
    for old, new in renamed.items():
        head, _, item = old.partition(".")
        names = [name for name in item_names(fields[head]) if name != item]
        fields[head] = tuple(sorted((*names, new.partition(".")[2])))
    return replace(observed, fields=fields)


def item_changes(kind: Kind, head: str, names: tuple[str, ...], observed: Observed) -> Iterator[FieldChange]:
    """Items that come, that are taken over because they are listed, and those of ours that go."""
    there = item_names(observed.fields[head])
    rule = kind.items[head].rule
    for name in names:
        path = f"{head}.{name}"
        if name not in there:
            yield FieldChange(path, None, name, rule.effect)
        elif path not in observed.own_items:
            yield FieldChange(path, f"{name}, not ours", name, rule.effect)
    for name in there:
        if name not in names and f"{head}.{name}" in observed.own_items:
            yield FieldChange(f"{head}.{name}", name, None, rule.effect)


def is_of_new_item(kind: Kind, name: str, observed: Observed) -> bool:
    """Whether a field is one of an item that the object has not got yet: then every value of it is a first one."""
    place = kind.in_item(name)
    if place is None or place.list not in observed.fields:
        return False
    return place.item not in item_names(observed.fields[place.list])


def unexpected_items(head: str, names: tuple[str, ...], observed: Observed) -> Iterator[str]:
    """Items on the host that no manifest lists and that we did not make."""
    for name in item_names(observed.fields[head]):
        if name not in names and f"{head}.{name}" not in observed.own_items:
            yield f"{head}.{name}"


def is_takeover(change: FieldChange) -> bool:
    """Whether the change only makes an item ours that is there already."""
    return isinstance(change.before, str) and change.before == f"{change.after}, not ours"


def removed_data(kind: Kind, fields: tuple[FieldChange, ...]) -> tuple[FieldChange, ...]:
    """Items that go and take data along."""
    return tuple(field for field in fields if field.after is None and _item_of_data(kind, field.name) is not None)


def _item_of_data(kind: Kind, name: str) -> Items | None:
    place = kind.in_item(name) if kind.items else None
    if place is None or place.field or not kind.items[place.list].holds_data:
        return None
    return kind.items[place.list]


class Keeping(StrEnum):
    """What becomes of the data of an item that is left out."""

    ASIDE = "detach"
    TRASH = "trash"
    NOT_AT_ALL = "delete"


def becomes_of(change: Change, item: str) -> Keeping:
    """What was last said of an item while it was listed; its data is kept aside where nothing was said."""
    said = change.remembered.get(f"{item}.onRemoval")
    return Keeping(said) if said in set(Keeping) else Keeping.ASIDE


def size_of_item(observed: Observed, item: str) -> int:
    """Bytes; 0 where the host does not tell."""
    size = observed.fields.get(f"{item}.size")
    return size if isinstance(size, int) else 0
