"""What each family of tools keeps in a host's state beside the pools: its tables, what they begin with, what a boot does.

A state file says which parts it has, and those that it lacks are made when it is opened: so a host made by an older
version gets what a new family needs. A part's code is loaded when it is needed, which keeps executables quick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reconciler.emulation.state import State
from reconciler.emulation.systems import System

_FACT = "parts"


@dataclass(frozen=True, slots=True)
class Part:
    """One family's share of the state. The functions get the host's clock, in seconds since the epoch."""

    schema: str
    """Statements that make its tables, each ended by a semicolon."""
    fill: Callable[[State, System, float], None]
    """Writes what a host of that system begins with; the tables and facts of earlier parts are there."""
    boot: Callable[[State, System, float], None]
    """Makes of its tables what is left of them after a reboot."""


def _links() -> Part:
    from reconciler.emulation.links.part import LINKS

    return LINKS


def _faults() -> Part:
    from reconciler.emulation.fault_parts import FAULTS

    return FAULTS


def _guests() -> Part:
    from reconciler.emulation.guests.part import GUESTS

    return GUESTS


def _images() -> Part:
    from reconciler.emulation.images.tables import IMAGES

    return IMAGES


def _firewall() -> Part:
    from reconciler.emulation.firewall.rules import FIREWALL

    return FIREWALL


PARTS: Mapping[str, Callable[[], Part]] = MappingProxyType(
    {"faults": _faults, "links": _links, "guests": _guests, "images": _images, "firewall": _firewall}
)
"""By name, in the order in which they are made and started."""


def lacking(state: State) -> tuple[str, ...]:
    """The parts that the state has not got."""
    found = state.row("SELECT value FROM fact WHERE name = ?", _FACT)
    there = str(found[0]).split() if found else []
    return tuple(name for name in PARTS if name not in there)


def make_lacking(state: State, system: System, now: float) -> None:
    """Makes the parts that the state has not got, and says that it has all of them."""
    for name in lacking(state):
        part = PARTS[name]()
        state.create_tables(part.schema)
        part.fill(state, system, now)
    state.set_fact(_FACT, " ".join(PARTS))
    state.set_layout()


def boot(state: State, system: System, now: float) -> None:
    """Starts every part anew."""
    for part in PARTS.values():
        part().boot(state, system, now)
