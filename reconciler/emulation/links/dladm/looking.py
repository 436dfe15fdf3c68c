"""What several subcommands of dladm share: options for a zone, finding links by name, whether one is busy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from reconciler.emulation.links import options as taken_apart
from reconciler.emulation.links.errors import Died
from reconciler.emulation.links.properties import has_address, running_zones
from reconciler.emulation.links.table import Link, link_named, link_with_id, links_over
from reconciler.emulation.session import Session
from reconciler.emulation.state import State
from reconciler.emulation.zfs.options import Options

ABSENT, EXISTS, BUSY = "object not found", "object already exists", "link busy"

_LONG_NAMES = MappingProxyType(
    {"temporary": "t", "persistent": "P", "link": "l", "output": "o", "vlan-id": "v", "mac-address": "m", "prop": "p",
     "root-dir": "R", "policy": "P", "lacp-mode": "L", "lacp-timer": "T", "unicast": "u", "force": "f", "zone": "z"}
)  # fmt: skip
_SHOW_LONG_NAMES = MappingProxyType(
    {"parsable": "p", "parseable": "p", "persistent": "P", "link": "l", "output": "o", "zone": "z", "extended": "x"}
)


def given(session: Session, arguments: Sequence[str], letters: str, usage: str, *, shows: bool = False) -> Options:
    """The options of a subcommand; `z:` among the letters is known to SmartOS only."""
    known = letters if session.system.name == "smartos" else letters.replace("z:", "")
    names: Mapping[str, str] = _SHOW_LONG_NAMES if shows else _LONG_NAMES
    return taken_apart.options(arguments, known, f"dladm {usage}", long_names=names)


def zone_of(session: Session, wanted: Options) -> str | None:
    """The zone that `-z` names; None without it. Raises Died when no such zone runs."""
    zone = wanted.last("z")
    if zone is None or zone == "global":
        return zone
    if zone not in running_zones(session.state):
        raise Died(f"invalid zone name '{zone}'")
    return zone


def in_sight(found: Sequence[Link], zone: str | None) -> list[Link]:
    """Those of the links that a command for that zone sees; the global zone sees those of all zones."""
    if zone is None:
        return list(found)
    return [link for link in found if link.zone == ("" if zone == "global" else zone)]


def named(state: State, name: str, zone: str | None = None) -> Link | None:
    """The link that a name means in a zone (None: the global one)."""
    if zone is None or zone == "global":
        return link_named(state, name)
    own = link_named(state, name, zone)
    if own is not None:
        return own
    lent = link_named(state, name)
    return lent if lent is not None and lent.zone == zone else None


def valid_link(state: State, name: str, zone: str | None = None) -> Link:
    """The link that an argument names; raises Died as most subcommands do when there is none."""
    found = named(state, name, zone)
    if found is None:
        raise Died(f"link {name} is not valid: {ABSENT}")
    return found


def is_port(state: State, link: Link) -> bool:
    """Whether a physical link belongs to an active aggregation."""
    return link.port_of is not None and bool(link_with_id(state, link.port_of).active)


def is_busy(state: State, link: Link) -> bool:
    """Whether a link can't be taken away: IP is plumbed, a running zone has it, or a link stands on it."""
    return bool(link.active) and (
        has_address(state, link) or is_port(state, link) or any(upper.active for upper in links_over(state, link))
    )
