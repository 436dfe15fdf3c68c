"""`vmadm get`, `lookup`, `list`, `info` and `events`: what changes nothing (smartos-vmadm.md 1, 3, 8)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from reconciler.emulation.guests import lifecycle
from reconciler.emulation.guests.brands import BRANDS
from reconciler.emulation.guests.events import events as recorded
from reconciler.emulation.guests.failures import Failed, Misused
from reconciler.emulation.guests.finding import guest_named, uuid_argument
from reconciler.emulation.guests.matching import LISTABLE, filters, text_of, with_lookup_fields
from reconciler.emulation.guests.printing import printed
from reconciler.emulation.guests.rows import Guest, Json, disks_of, guest_with
from reconciler.emulation.guests.stored import full_object, guests
from reconciler.emulation.guests.times import stamp
from reconciler.emulation.session import Session

_WIDTHS = {"uuid": 36, "type": 4, "ram": 7, "state": 16, "alias": 16}
_INFO_TYPES = {
    "kvm": ("block", "blockstats", "chardev", "cpus", "kvm", "pci", "spice", "status", "version", "vnc"),
    "bhyve": ("vnc",),
}


@dataclass(slots=True)
class _Options:
    json: bool = False
    unique: bool = False
    parsable: bool = False
    headless: bool = False
    fields: list[str] | None = None
    order: list[str] | None = None
    words: list[str] = field(default_factory=list)


def _options(arguments: Sequence[str], letters: str) -> _Options:
    found = _Options()
    words = list(arguments)
    while words:
        word = words.pop(0)
        if not word.startswith("-") or len(word) < 2:
            found.words.append(word)
            continue
        letter, attached = word[1], word[2:]
        if letter not in letters:
            raise Misused(f"Invalid option: {word}")
        if letter in "os":
            if not attached and not words:
                raise Misused(f"Option needs a value: {word}")
            names = [name for name in (attached or words.pop(0)).split(",") if name]
            if letter == "o":
                found.fields = names
            else:
                found.order = names
            continue
        if attached:
            words.insert(0, f"-{attached}")
        found.json |= letter == "j"
        found.unique |= letter == "1"
        found.parsable |= letter == "p"
        found.headless |= letter == "H"
    return found


def get(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm get UUID`."""
    uuid, _ = uuid_argument(arguments, "get")
    found = guest_with(session.state, uuid)
    if found is None:
        raise Failed(f"zoneadm: {uuid}: No such zone configured")
    session.line(printed(full_object(session.state, found)))
    return 0


def lookup(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm lookup [-j] [-1] [-o FIELD,…] [KEY=VALUE…]`."""
    given = _options(arguments, "j1o")
    if given.fields is not None and not given.json:
        raise Failed("Cannot specify -o without -j")
    found = _found(session, given.words)
    if given.unique and len(found) != 1:
        raise Failed(f"Requested unique lookup but found {len(found)} results.")
    if not given.json:
        for guest in found:
            session.line(str(guest["uuid"]))
        return 0
    shown = found
    if given.fields is not None:
        limited = ({name: guest[name] for name in given.fields if name in guest} for guest in found)
        shown = [guest for guest in limited if guest]
    session.line(printed(shown[0] if given.unique and shown else shown))
    return 0


def _found(session: Session, words: Sequence[str]) -> list[Json]:
    wanted = filters(words)
    everything = (with_lookup_fields(dict(guest)) for guest in guests(session.state))
    return [guest for guest in everything if all(one.matches(guest) for one in wanted)]


def list_guests(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm list [-p] [-H] [-o FIELD,…] [-s FIELD,…] [KEY=VALUE…]`."""
    given = _options(arguments, "pHos")
    fields = given.fields or ["uuid", "type", "ram", "state", "alias"]
    order = given.order or ["ram", "uuid"]
    for name in (*fields, *(one.removeprefix("-") for one in order)):
        if name not in LISTABLE:
            raise Failed(f'Invalid field: "{name}"')
    found = _found(session, given.words)
    for name in reversed(order):
        found.sort(key=partial(_sort_key, name.removeprefix("-")), reverse=name.startswith("-"))
    if given.parsable:
        for guest in found:
            session.line(":".join("" if guest.get(name) is False else text_of(guest.get(name)) for name in fields))
        return 0
    if not given.headless:
        session.line(_row(fields, [name.upper() for name in fields]))
    for guest in found:
        session.line(_row(fields, [text_of(guest.get(name)) or "-" for name in fields]))
    return 0


def _sort_key(name: str, guest: Json) -> tuple[int, float, str]:
    value = guest.get(name)
    if isinstance(value, int | float):
        return (0, value, "")
    return (1, 0, text_of(value))


def _row(fields: Sequence[str], cells: Sequence[str]) -> str:
    return "  ".join(cell.ljust(_WIDTHS.get(name, len(name))) for name, cell in zip(fields, cells, strict=True)).rstrip()


def info(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm info UUID [TYPE,…]`."""
    uuid, rest = uuid_argument(arguments, "info")
    try:
        guest = guest_named(session, uuid)
        brand = guest.stored["brand"]
        if not BRANDS[brand].hvm:
            raise Failed("info is only supported for KVM and bhyve VMs.")
        if guest.state not in {lifecycle.RUNNING, lifecycle.STOPPING}:
            raise Failed(f'Cannot get info for vm from state "{guest.state}", must be "running".')
        known = _INFO_TYPES[brand]
        asked = [name for word in rest for name in word.split(",")] or ["all"]
        unknown = [name for name in asked if name not in {*known, "all"}]
        if unknown:
            raise Failed(f"unknown info type: {unknown[0]}")
    except Failed as failed:
        raise Failed(f"Unable to get VM info for VM {uuid}: {failed}") from failed
    wanted = known if "all" in asked else asked
    session.line(printed({name: _info(guest, name) for name in wanted}))
    return 0


def _info(guest: Guest, name: str) -> object:
    running = guest.running or {}
    port = running.get("vnc_port", 0)
    plain: Json = {
        "block": [{"device": disk["path"], "type": disk.get("media", "disk")} for disk in disks_of(guest)],
        "cpus": [{"CPU": number, "current": number == 0, "halted": False} for number in range(running.get("vcpus", 1))],
        "kvm": {"enabled": True, "present": True},
        "status": {"running": True, "singlestep": False, "status": "running"},
        "version": {"qemu": {"major": 0, "minor": 14, "micro": 1}, "package": ""},
        "vnc": {"host": "10.0.0.2", "port": port or 50_000 + guest.status.get("zoneid", 0), "display": 0},
    }
    return plain.get(name, [])


def events(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm events [-fjr] [UUID]`: what happened so far; a real one would go on for ever."""
    given = [word for word in arguments if word.startswith("-")]
    letters = set("".join(word[1:] for word in given))
    words = [word for word in arguments if not word.startswith("-")]
    if not letters <= set("fjr") or len(words) > 1:
        raise Misused("events takes -f, -j, -r and one UUID")
    uuid = uuid_argument(words, "events")[0] if words else None
    as_json = "j" in letters
    if "r" in letters:
        ready = {"type": "ready", "date": stamp(session.now)}
        session.line(json.dumps(ready, separators=(",", ":")) if as_json else f"[{ready['date']}] ready")
    for event in recorded(session.state, uuid):
        if as_json:
            session.line(json.dumps(event, ensure_ascii=False, separators=(",", ":")))
        else:
            for line in _told(event, full="f" in letters):
                session.line(line)
    return 0


def _told(event: Json, *, full: bool) -> list[str]:
    name = event["zonename"] if full else event["zonename"][:8]
    start = f"[{event['date']}] {name} {event['vm'].get('alias', '-')} {event['type']}"
    if event["type"] != "modify":
        return [start]
    return [
        f"{start}: {change['prettyPath']} {change['action']} :: "
        f"{json.dumps(change.get('oldValue'))} -> {json.dumps(change.get('newValue'))}"
        for change in event["changes"]
    ]
