"""The difference between what is wanted and what is there, field by field."""

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.model.change import FieldChange
from reconciler.model.observed import Observed
from reconciler.model.resource import Resource
from reconciler.model.value import Fields, Value
from reconciler.provider.field import Null
from reconciler.provider.kind import Kind


@dataclass(frozen=True, slots=True)
class Difference:
    """Fields to change, and stated fields that nobody read."""

    fields: tuple[FieldChange, ...]
    unread: tuple[str, ...]


def difference(kind: Kind, wanted: Fields, observed: Observed, ignore: tuple[str, ...] = ()) -> Difference:
    """What must change for the stated fields to hold, by name; ignored fields (and what lies below them) are left alone."""
    changes: list[FieldChange] = []
    unread: list[str] = []
    there = observed.fields
    # Nearly all fields of nearly all objects are as stated: those are passed over before anything is sorted or looked up.
    for name, value in sorted((name, value) for name, value in wanted.items() if value is None or there.get(name) != value):
        if is_ignored(name, ignore):
            continue
        if name not in there:
            unread.append(name)
        elif not is_met(kind, name, value, observed):
            changes.append(FieldChange(name, there[name], value, kind.rule(name).effect))
    return Difference(tuple(changes), tuple(unread))


def holds_already(kind: Kind, resource: Resource, observed: Observed) -> bool:
    """Whether every stated field was read and is met, but for ignored ones."""
    found = difference(kind, resource.fields, observed, resource.lifecycle.ignore)
    return not (found.fields or found.unread)


def is_met(kind: Kind, name: str, value: Value, observed: Observed) -> bool:
    """A value is met when the host's is equal, whatever its source; null as the field's rule says."""
    if value is None and kind.rule(name).null is Null.UNSET:
        return name not in observed.stated_here
    return observed.fields[name] == value


def is_ignored(name: str, ignore: tuple[str, ...]) -> bool:
    return any(name == entry or name.startswith(f"{entry}.") for entry in ignore)


def released(applied: Fields, wanted: Fields, observed: Observed) -> Iterator[tuple[str, Value]]:
    """Fields that were applied last and are no longer stated, with the value that stays on the host."""
    for name, value in applied.items():
        if name not in wanted and value is not None:
            yield name, observed.fields.get(name, value)
