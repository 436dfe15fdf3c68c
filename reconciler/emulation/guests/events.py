"""What happened to guests, as `vmadm events` tells it (smartos-vmadm.md 8)."""

import json
from collections.abc import Mapping
from typing import TypeVar

from reconciler.emulation.guests.rows import Json
from reconciler.emulation.guests.times import stamp
from reconciler.emulation.session import Session
from reconciler.emulation.state import State

KEPT_EVENTS = 1000


def record(session: Session, before: Mapping[str, object] | None, after: Mapping[str, object] | None) -> None:
    """Notes what became of a guest, from its full object before and after; nothing when they are equal."""
    known = after if after is not None else before
    if known is None or before == after:
        return
    kind = "create" if before is None else "delete" if after is None else "modify"
    event: Json = {"type": kind, "date": stamp(session.now), "zonename": known["zonename"], "uuid": known["uuid"]}
    if before is not None and after is not None:
        event["changes"] = changes(before, after)
    event["vm"] = known
    number = session.state.write(
        "INSERT INTO guest_event (uuid, event) VALUES (?, ?)",
        known["uuid"], json.dumps(event, ensure_ascii=False, separators=(",", ":")),
    )  # fmt: skip
    session.state.write("DELETE FROM guest_event WHERE id <= ?", number - KEPT_EVENTS)


def changes(before: object, after: object, path: tuple[str | int, ...] = ()) -> list[Json]:
    """The differences between two values, member by member; items of lists by place."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = [*before, *(name for name in after if name not in before)]
        return [one for name in names for one in _member(before, after, name, path)]
    if isinstance(before, list) and isinstance(after, list):
        old, new = dict(enumerate(before)), dict(enumerate(after))
        return [one for place in old | new for one in _member(old, new, place, path)]
    return [] if before == after else [_change(path, "changed", oldValue=before, newValue=after)]


Place = TypeVar("Place", str, int)


def _member(
    before: Mapping[Place, object], after: Mapping[Place, object], place: Place, path: tuple[str | int, ...]
) -> list[Json]:
    here = (*path, place)
    if place not in before:
        return [_change(here, "added", newValue=after[place])]
    if place not in after:
        return [_change(here, "removed", oldValue=before[place])]
    return changes(before[place], after[place], here)


def _change(path: tuple[str | int, ...], action: str, **values: object) -> Json:
    pretty = ".".join("*" if isinstance(part, int) else part for part in path)
    return {"path": list(path), "prettyPath": pretty, "action": action, **values}


def events(state: State, uuid: str | None) -> list[Json]:
    """What happened, oldest first; only to one guest when its uuid is given."""
    rows = state.rows("SELECT uuid, event FROM guest_event ORDER BY id")
    return [json.loads(text) for one, text in rows if uuid in {None, one}]
