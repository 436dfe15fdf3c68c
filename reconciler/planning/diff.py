"""The difference between what is wanted and what is there, field by field."""

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.model.change import FieldChange
from reconciler.model.observed import Observed
from reconciler.model.value import Fields, Value
from reconciler.planning.items import is_of_new_item, item_changes, item_names, unexpected_items
from reconciler.provider.field import Changing, Null
from reconciler.provider.kind import Kind


@dataclass(frozen=True, slots=True)
class Difference:
    """Fields to change, stated fields that nobody read, and items of lists that are not ours and in no manifest."""

    fields: tuple[FieldChange, ...]
    unread: tuple[str, ...]
    unexpected: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.fields or self.unread or self.unexpected)


def difference(kind: Kind, wanted: Fields, observed: Observed, ignore: tuple[str, ...] = ()) -> Difference:
    """What must change for the stated fields to hold, by name; ignored fields (and what lies below them) are left alone."""
    changes: list[FieldChange] = []
    unread: list[str] = []
    unexpected: list[str] = []
    there = observed.fields
    # Nearly all fields of nearly all objects are as stated: those are passed over before anything is sorted or looked up.
    lists = kind.items
    differing = [(name, value) for name, value in wanted.items() if value is None or there.get(name) != value or name in lists]
    for name, value in sorted(differing, key=lambda one: one[0]):
        if is_ignored(name, ignore) or kind.rule(name).changing is Changing.REMEMBERED:
            continue
        if name in kind.items and name in there:
            names = item_names(value)
            found = item_changes(kind, name, names, observed)
            changes += [change for change in found if not is_ignored(change.name, ignore)]
            unexpected += [item for item in unexpected_items(name, names, observed) if not is_ignored(item, ignore)]
        elif name not in there:
            if is_of_new_item(kind, name, observed):
                if value is not None:
                    changes.append(FieldChange(name, None, value))
            else:
                unread.append(name)
        elif not is_met(kind, name, value, observed):
            changes.append(FieldChange(name, there[name], value, kind.rule(name).effect))
    return Difference(tuple(changes), tuple(unread), tuple(unexpected))


def is_met(kind: Kind, name: str, value: Value, observed: Observed) -> bool:
    """A value is met when the host's is equal, whatever its source; null as the field's rule says."""
    if value is None and kind.rule(name).null is Null.UNSET:
        return name not in observed.stated_here
    return observed.fields[name] == value


def is_ignored(name: str, ignore: tuple[str, ...]) -> bool:
    return any(name == entry or name.startswith(f"{entry}.") for entry in ignore)


def released(kind: Kind, applied: Fields, wanted: Fields, observed: Observed) -> Iterator[tuple[str, Value]]:
    """Fields that were applied last and are no longer stated, with the value that stays on the host.

    Of a list of items that is stated no more only the list is told; an item that left a list that stays goes with its fields.
    """
    for name, value in applied.items():
        if name in wanted or value is None or (kind.items and not _is_released(kind, name, wanted)):
            continue
        yield name, observed.fields.get(name, value)


def _is_released(kind: Kind, name: str, wanted: Fields) -> bool:
    place = kind.in_item(name)
    if place is None:
        return True
    return place.list in wanted and place.item in item_names(wanted[place.list])
