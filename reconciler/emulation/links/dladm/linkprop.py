"""`dladm show-linkprop`, `set-linkprop`, `reset-linkprop` (illumos-cli.md 3.4)."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.emulation.links.dladm.looking import given, in_sight, valid_link, zone_of
from reconciler.emulation.links.dladm.show import SPEED
from reconciler.emulation.links.errors import Died, Misused, Refused
from reconciler.emulation.links.ofmt import Output, Row, table
from reconciler.emulation.links.properties import (
    BAD_VALUE,
    ETHERNET_MTU,
    ETHERSTUB_MTU,
    NOT_PERSISTENT,
    PROPERTIES,
    UNKNOWN,
    Property,
    mtu_range,
    parsed,
    property_named,
    set_active,
    shown,
    store,
)
from reconciler.emulation.links.table import AGGR, ETHERSTUB, Link, link_with_id, links
from reconciler.emulation.session import Session

_SHAPE = table("LINK:13 PROPERTY:16 PERM:5 VALUE:15 DEFAULT:15 POSSIBLE:20")
_NONE = "--"


class _Shower:
    """Values of all links, read at once."""

    def __init__(self, session: Session) -> None:
        self._links = {link.id: link for link in links(session.state)}
        self._active: dict[tuple[int, str], str] = {
            (link, name): value for link, name, value in session.state.rows("SELECT link, name, value FROM link_property")
        }
        self._stored: dict[tuple[int, str], str] = {
            (link, name): value for link, name, value in session.state.rows("SELECT link, name, value FROM stored_property")
        }

    def row(self, link: Link, known: Property, *, stored: bool, explicit: bool) -> Row | None:
        """One line; None when there is none to print. An `explicit` property prints even where the link has none."""
        row = {"LINK": link.name, "PROPERTY": known.name, "PERM": "", "VALUE": "", "DEFAULT": _NONE, "POSSIBLE": _NONE}
        if link.kind not in known.kinds:
            return row if explicit and not stored else None
        row |= {"PERM": known.permission, "DEFAULT": self._default(link, known), "POSSIBLE": self._possible(link, known)}
        if not stored:
            return row | {"VALUE": self._value(link, known)}
        kept = self._stored.get((link.id, known.name))
        return None if kept is None else row | {"VALUE": kept}

    def _value(self, link: Link, known: Property) -> str:
        match known.name:
            case "zone":
                return link.zone
            case "state":
                return link.state
            case "mtu":
                return str(link.mtu)
            case "speed":
                ports = [one for one in self._links.values() if one.port_of == link.id] if link.kind == AGGR else [link]
                return str(SPEED * sum(one.state == "up" for one in ports))
            case "duplex":
                return "full" if link.state == "up" else "unknown"
        kept = self._active.get((link.id, known.name.removesuffix("-effective")))
        return known.default if kept is None else shown(known.name, kept)

    def _default(self, link: Link, known: Property) -> str:
        if known.name != "mtu":
            return known.default or _NONE
        lower = self._links.get(link.over or 0)
        return str(lower.mtu if lower else ETHERSTUB_MTU if link.kind == ETHERSTUB else ETHERNET_MTU)

    def _possible(self, link: Link, known: Property) -> str:
        if known.name != "mtu":
            return known.possible or _NONE
        lower = self._links.get(link.over or 0)
        return mtu_range(lower.mtu if lower else None)


def show_linkprop(session: Session, arguments: Sequence[str]) -> int:
    """Prints properties of one link or of all; `-p` names properties, so `-c` asks for parsable output."""
    wanted = given(
        session, arguments, "cPp:o:z:", "show-linkprop [-P] [-c] [-o <field>,...] [-p <prop>,...] [<link>]", shows=True
    )
    if len(wanted.operands) > 1:
        raise Misused
    output = Output(session, "dladm", _SHAPE, columns=wanted.last("o"), parsable=wanted.has("c"))
    stored = wanted.has("P")
    zone = zone_of(session, wanted)
    if wanted.operands:
        found = [valid_link(session.state, wanted.operands[0], zone)]
    else:
        found = [link for link in in_sight(links(session.state), zone) if (link.persistent if stored else link.active)]
    asked = [name for text in wanted.all_of("p") for name in text.split(",")]
    chosen = _chosen(session, asked)
    shower = _Shower(session)
    explicit = bool(asked) and wanted.has("c")
    rows = [shower.row(link, known, stored=stored, explicit=explicit) for link in found for known in chosen]
    output.show(row for row in rows if row)
    return 0


def _chosen(session: Session, names: Sequence[str]) -> list[Property]:
    system = session.system.name
    if not names:
        return [known for known in PROPERTIES.values() if known.only_vendor in {"", system}]
    found = []
    for name in names:
        try:
            found.append(property_named(session.state, name))
        except Refused:
            raise Died(f"invalid link property '{name}'") from None
    return found


def set_linkprop(session: Session, arguments: Sequence[str]) -> int:
    """Sets properties one after the other; what fails only warns, and the last one's outcome is the exit code."""
    return _change(session, arguments, resets=False)


def reset_linkprop(session: Session, arguments: Sequence[str]) -> int:
    """Resets properties, all that are set without `-p`."""
    return _change(session, arguments, resets=True)


def _change(session: Session, arguments: Sequence[str], *, resets: bool) -> int:
    verb = "reset" if resets else "set"
    form = "[-t] [-p <prop>,...] <name>" if resets else "[-t] -p <prop>=<value>[,...] <name>"
    wanted = given(session, arguments, "tR:p:z:", f"{verb}-linkprop {form}")
    if len(wanted.operands) != 1:
        raise Misused
    text = ",".join(wanted.all_of("p"))
    if not text and not resets:
        raise Died("link property must be specified")
    asked = parsed(text) if text else []
    link = valid_link(session.state, wanted.operands[0], zone_of(session, wanted))
    if not asked:
        asked = [(name, []) for name in _all_set(session, link)]
    failed = False
    for name, values in asked:
        session.begin_part()
        failed = False
        try:
            _change_one(session, link_with_id(session.state, link.id), name, values, resets=resets, temporary=wanted.has("t"))
        except Refused as refused:
            session.complain(f"dladm: warning: {_complaint(session, link, name, str(refused), verb)}")
            failed = True
        except _NoValue:
            session.complain(f"dladm: warning: no value specified for '{name}'")
            failed = True
    return int(failed)


class _NoValue(Exception):
    """A property to set came without a value."""


def _change_one(session: Session, link: Link, name: str, values: Sequence[str], *, resets: bool, temporary: bool) -> None:
    known = property_named(session.state, name)
    if not resets and not values:
        raise _NoValue
    new = None if resets else values
    if known.name == "zone" and not temporary:
        raise Refused(NOT_PERSISTENT)
    if link.active:
        set_active(session.state, link, known.name, new)
    if link.persistent and not temporary:
        store(session.state, link, known.name, new)


def _all_set(session: Session, link: Link) -> list[str]:
    found = {
        name
        for (name,) in session.state.rows(
            "SELECT name FROM link_property WHERE link = ? UNION SELECT name FROM stored_property WHERE link = ?",
            link.id, link.id,
        )
    }  # fmt: skip
    return [name for name in PROPERTIES if name in found]


def _complaint(session: Session, link: Link, name: str, status: str, verb: str) -> str:
    if status == UNKNOWN:
        return f"invalid link property '{name}'"
    if status == BAD_VALUE:
        row = _Shower(session).row(link, PROPERTIES[name], stored=False, explicit=True)
        possible = row["POSSIBLE"] if row else _NONE
        if possible != _NONE:
            return f"link property '{name}' must be one of: {possible}"
    return f"cannot {verb} link property '{name}' on '{link.name}': {status}"
