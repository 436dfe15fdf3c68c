"""Holds as they are kept on the host itself, so that every controller and every state directory sees them."""

import json
from datetime import UTC, datetime
from typing import Any

from reconciler.hosts.transport import Transport
from reconciler.model.errors import ReconcilerError
from reconciler.model.hold import Hold, active
from reconciler.model.key import ObjectName

FORMAT = "reconciler.holds/v1"


async def read_holds(transport: Transport, name: str, now: datetime) -> tuple[Hold, ...]:
    """The holds that have not expired. ReconcilerError when they can't be read: then nobody knows what may be touched."""
    return active(_holds(await transport.note(name), name), now)


async def place_hold(transport: Transport, name: str, hold: Hold) -> None:
    """Adds a hold, in place of an earlier one on the same; what has expired goes."""

    def placed(holds: tuple[Hold, ...]) -> tuple[Hold, ...]:
        return (*(other for other in active(holds, hold.since) if other.name != hold.name), hold)

    await transport.change_note(name, lambda text: _text(placed(_holds(text, name))))


async def release_hold(transport: Transport, name: str, held: ObjectName | None, now: datetime) -> Hold | None:
    """Takes the hold on an object (None: on the host) away; gives it back, or None when there was none."""
    released: list[Hold] = []

    def left(text: str) -> str:
        holds = active(_holds(text, name), now)
        released.extend(hold for hold in holds if hold.name == held)
        return _text(tuple(hold for hold in holds if hold.name != held))

    await transport.change_note(name, left)
    return released[0] if released else None


def _holds(text: str, name: str) -> tuple[Hold, ...]:
    if not text:
        return ()
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        return tuple(_hold(entry) for entry in document["holds"])
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as damage:
        raise ReconcilerError(
            f"the holds on the host can't be read: {name}: {type(damage).__name__}: {damage}",
            remedy="mend the file, or delete it and place the holds anew with `reconciler hold`",
        ) from damage


def _hold(entry: dict[str, Any]) -> Hold:
    name = ObjectName(str(entry["kind"]), str(entry["name"])) if "kind" in entry else None
    return Hold(name, _words(entry["who"]), _words(entry["why"]), _time(entry["since"]), _time(entry["until"]))


def _words(value: object) -> str:
    """A text that can be part of a document; ValueError for halves of characters."""
    text = str(value)
    text.encode("utf-8", "surrogateescape")
    return text


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the time {text} names no zone")
    return moment.astimezone(UTC)


def _text(holds: tuple[Hold, ...]) -> str:
    entries = [
        {
            **({"kind": hold.name.kind, "name": hold.name.name} if hold.name is not None else {}),
            "who": hold.who,
            "why": hold.why,
            "since": hold.since.isoformat(),
            "until": hold.until.isoformat(),
        }
        for hold in holds
    ]
    return json.dumps({"format": FORMAT, "holds": entries}, indent=1) if entries else ""
