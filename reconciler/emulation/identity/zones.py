"""`zoneadm list` and `zonename` in the global zone (illumos-cli.md 7.1)."""

from __future__ import annotations

import getopt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.emulation.guests.stored import guests
from reconciler.emulation.session import Session, Tool, always_reads
from reconciler.emulation.state import State
from reconciler.emulation.systems import System

_UP = frozenset({"running", "ready", "shutting_down", "down", "mounted"})
# What the global zone says of itself.
_GLOBAL_BRAND: Mapping[str, str] = {"smartos": "liveimg", "omnios": "ipkg"}


@dataclass(frozen=True, slots=True)
class _Zone:
    id: str
    """`-` when it is not running."""
    name: str
    state: str
    path: str
    uuid: str
    brand: str
    ip_type: str
    debug_id: str


def _zoneadm(session: Session, arguments: Sequence[str]) -> int:
    try:
        before, rest = getopt.getopt(list(arguments), "z:u:")
        given, operands = getopt.getopt(rest[1:], "ipvcn")
    except getopt.GetoptError as bad:
        session.complain(f"zoneadm: illegal option -- {bad.opt}")
        return _usage(session)
    if rest[:1] != ["list"] or operands:
        return _usage(session)
    letters = {letter for letter, _ in given}
    if {"-p", "-v"} <= letters:
        session.complain("zoneadm: list -p and -v are mutually exclusive.")
        return _usage(session)
    found = _zones(session.state, session.system)
    for letter, name in before:
        found = [zone for zone in found if name in ({zone.name} if letter == "-z" else {zone.uuid})]
        if not found:
            session.complain(f"zoneadm: {name}: No such zone configured")
            return 1
    if not before:
        found = [zone for zone in found if _is_listed(zone, letters)]
    if "-v" in letters:
        session.line(_columns("ID", "NAME", "STATUS", "PATH", "BRAND", "IP"))
    for zone in found:
        session.line(_shown(session.system, zone, letters))
    return 0


def _usage(session: Session) -> int:
    session.complain("usage:\tzoneadm [-z zonename] [-u uuid-match] list [-cipnv]")
    return 2


def _is_listed(zone: _Zone, letters: set[str]) -> bool:
    if zone.name == "global":
        return "-n" not in letters
    return zone.state in _UP or "-c" in letters or ("-i" in letters and zone.state == "installed")


def _shown(system: System, zone: _Zone, letters: set[str]) -> str:
    if "-v" in letters:
        return _columns(zone.id, zone.name, zone.state, zone.path, zone.brand, zone.ip_type)
    if "-p" not in letters:
        return zone.name
    fields = [zone.id, zone.name, zone.state, zone.path.replace(":", "\\:"), zone.uuid, zone.brand, zone.ip_type]
    return ":".join([*fields, zone.debug_id] if system.name == "smartos" else fields)


def _columns(number: str, name: str, state: str, path: str, brand: str, ip_type: str) -> str:
    return f"{number:>4} {name:<16} {state:<10} {path:<30} {brand:<8} {ip_type:<6}"


def _zones(state: State, system: System) -> list[_Zone]:
    """The global zone, those that run by their numbers, then the others in the order in which they are kept."""
    kept = [_zone(guest) for guest in guests(state)]
    running = sorted((zone for zone in kept if zone.state in _UP), key=lambda zone: int(zone.id) if zone.id != "-" else 0)
    own = _Zone("0", "global", "running", "/", "", _GLOBAL_BRAND[system.name], "shared", "0")
    return [own, *running, *(zone for zone in kept if zone.state not in _UP)]


def _zone(guest: Mapping[str, object]) -> _Zone:
    state = str(guest["zone_state"])
    uuid = str(guest["uuid"])
    return _Zone(
        id=str(guest.get("zoneid", "-")) if state in _UP else "-",
        name=str(guest.get("zonename", uuid)),
        state=state,
        path=str(guest["zonepath"]),
        uuid=uuid,
        brand=str(guest["brand"]),
        ip_type="excl",
        debug_id=str(guest.get("zonedid", "")),
    )


def _zonename(session: Session, arguments: Sequence[str]) -> int:
    if list(arguments) == ["-t"]:
        session.line("shared")
        return 0
    if arguments:
        session.complain("usage: zonename [-t]")
        return 1
    session.line("global")
    return 0


ZONEADM = Tool(run=_zoneadm, only_reads=always_reads)
ZONENAME = Tool(run=_zonename, only_reads=always_reads)
