"""What a change costs an object that runs (nothing, a wait for its next boot, a restart), and whether that is permitted."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from reconciler.model.change import MARK, NAME, ON_REMOVAL, PROTECT, RESTART, STATE, Effect, FieldChange
from reconciler.model.lifecycle import Disruption, Protect
from reconciler.model.observed import Observed
from reconciler.model.plan import Reason
from reconciler.model.resource import Resource
from reconciler.planning.draft import Draft
from reconciler.planning.items import is_takeover
from reconciler.provider.contract import Backend
from reconciler.provider.field import Acts
from reconciler.provider.kind import Kind

_OF_NAME_AND_MARK = frozenset({NAME, MARK, PROTECT, ON_REMOVAL, RESTART, STATE})
"""Fields that never disturb what runs, or are themselves what happens to it."""


class Refused(NamedTuple):
    """A change that may not be made to an object that runs."""

    field: str
    reason: Reason
    cause: str
    remedy: str


def with_effects(
    draft: Draft, kind: Kind, resource: Resource, observed: Observed, fields: tuple[FieldChange, ...]
) -> tuple[FieldChange, ...] | Refused:
    """The same changes, each with what it costs; or why one of them may not be made now."""
    if observed.running is None or not (fields or observed.pending_restart):
        return fields
    backend, protect = draft.view.backends[kind.name], _protect(draft, resource, observed)
    runs_on = observed.running and not any(field.name == STATE and field.after == "stopped" for field in fields)
    may_restart = resource.lifecycle.disruption is not Disruption.NONE and protect is not Protect.ALL
    found: list[FieldChange] = []
    new = _new_items(kind, fields, observed)
    for field in fields:
        acts = _acts(kind, backend, field, observed)
        if acts is Acts.LIVE and (item := new.get(_item_path(kind, field.name))) is not None:
            acts = _acts(kind, backend, item, observed)
        if acts is None or field.effect is Effect.REPLACE:
            found.append(field)
        elif acts is Acts.FIRST_BOOT:
            found.append(replace(field, first_boot_only=True))
        elif not runs_on or acts is Acts.LIVE:
            found.append(field)
        elif may_restart:
            found.append(replace(field, effect=Effect.RESTART))
        elif acts is Acts.STAGED:
            found.append(replace(field, effect=Effect.STAGED))
        else:
            return _refused(field, resource, protect)
    if runs_on and may_restart and observed.pending_restart and not any(field.effect is Effect.RESTART for field in found):
        found.append(FieldChange(RESTART, ", ".join(observed.pending_restart), None, Effect.RESTART))
    return tuple(found)


def _new_items(kind: Kind, fields: Iterable[FieldChange], observed: Observed) -> dict[str, FieldChange]:
    """Items that what runs does not have as they will be known, with the change that brings them: nothing of them is reached
    at once. They come, become others by what tells which one they are, or did so before and wait for the next boot."""
    found = {}
    waiting = (FieldChange(name, None, None) for name in observed.pending_restart)
    for field in (*waiting, *fields):
        place = kind.in_item(field.name) if kind.items else None
        if place is not None and place.field in ("", kind.items[place.list].told_by) and not is_takeover(field):
            found[place.path] = field
    return found


def _item_path(kind: Kind, name: str) -> str:
    place = kind.in_item(name) if kind.items else None
    return place.path if place is not None else ""


def _acts(kind: Kind, backend: Backend, field: FieldChange, observed: Observed) -> Acts | None:
    """When a change acts; None where it is no matter of running."""
    if field.name in _OF_NAME_AND_MARK or field.name in kind.completion or is_takeover(field):
        return None
    return backend.acts(kind.name, field, observed) or kind.rule(field.name).acts


def _protect(draft: Draft, resource: Resource, observed: Observed) -> Protect:
    """The strictest protection that anybody states: the host's mark, what was applied last, the manifest."""
    row = draft.row(observed)
    stated = {
        resource.lifecycle.protect,
        observed.mark.protect if observed.mark is not None else Protect.NONE,
        row.lifecycle.protect if row is not None else Protect.NONE,
    }
    return next(protect for protect in (Protect.ALL, Protect.REMOVAL, Protect.NONE) if protect in stated)


def _refused(field: FieldChange, resource: Resource, protect: Protect) -> Refused:
    cause = f"{field.name} can only change while it is stopped, and it runs"
    if resource.lifecycle.disruption is not Disruption.NONE:
        return Refused(
            field.name,
            Reason.PROTECTED,
            f"{cause}; it is protected from restarts (protect: {protect})",
            "take the change back, or set lifecycle.protect: none in one revision and make the change in a later one",
        )
    remedy = "permit one restart with lifecycle.disruption: restart, or stop it for the change with spec.state: stopped"
    return Refused(field.name, Reason.DISRUPTION, f"{cause} (disruption is {resource.lifecycle.disruption})", remedy)
