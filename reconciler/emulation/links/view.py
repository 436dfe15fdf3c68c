"""Looking at an emulated host's links and changing what no emulated command changes, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.emulation.errors import EmulationError
from reconciler.emulation.links import table
from reconciler.emulation.links.table import Link
from reconciler.emulation.links.tags import Tag, tags
from reconciler.emulation.state import State


@dataclass(frozen=True, slots=True)
class LinkView:
    """One link as the host has it."""

    name: str
    kind: str
    """phys, aggr, vlan, vnic or etherstub."""
    over: tuple[str, ...]
    """The link below, or the ports of an aggregation."""
    mac: str
    """Six two-digit bytes; empty for an etherstub."""
    vid: int
    mtu: int
    zone: str
    """The running zone that has it; empty for the global zone."""
    active: bool
    persistent: bool
    """Whether it is stored to come back at the next boot."""
    properties: Mapping[str, str]
    """The active ones that were set, in the form in which they are kept: maxbw in bits per second."""


class Links:
    """The links, addresses and nic tags of one host."""

    def __init__(self, state: State) -> None:
        self._state = state

    def names(self, zone: str = "") -> tuple[str, ...]:
        """The links whose names belong to a zone, the global one when it is empty, active or stored."""
        with self._state.reading():
            return tuple(link.name for link in table.links(self._state) if link.namespace == zone)

    def exists(self, name: str, zone: str = "") -> bool:
        """Whether there is a link of that name, active or stored."""
        return name in self.names(zone)

    def link(self, name: str, zone: str = "") -> LinkView:
        """All about one link; raises EmulationError when there is none."""
        with self._state.reading():
            found = self._found(name, zone)
            if found.over is not None:
                over: tuple[str, ...] = (table.link_with_id(self._state, found.over).name,)
            else:
                over = tuple(port.name for port in table.ports(self._state, found))
            return LinkView(
                name=found.name,
                kind=found.kind,
                over=over,
                mac=found.mac,
                vid=found.vid,
                mtu=found.mtu,
                zone=found.zone,
                active=bool(found.active),
                persistent=bool(found.persistent),
                properties=dict(
                    self._state.rows("SELECT name, value FROM link_property WHERE link = ? ORDER BY name", found.id)
                ),
            )

    def tags(self) -> tuple[Tag, ...]:
        """All nic tags (SmartOS)."""
        with self._state.reading():
            return tags(self._state)

    def plumb(self, name: str, address: str, *, persistent: bool = False) -> None:
        """Puts an address, `10.0.0.5/24`, on a link of the global zone, which is busy from then on."""
        with self._state.changing():
            self._found(name, "")
            self._state.write(
                "INSERT INTO address VALUES (?, ?, 'static', 'ok', ?, ?)", f"{name}/v4", name, address, int(persistent)
            )

    def unplumb(self, name: str) -> None:
        """Takes all addresses off a link."""
        with self._state.changing():
            self._state.write("DELETE FROM address WHERE interface = ?", name)

    def set_default_route(self, name: str, gateway: str) -> None:
        """Sends the host's default route through a link."""
        with self._state.changing():
            self._found(name, "")
            self._state.write("DELETE FROM route WHERE destination = 'default'")
            self._state.write("INSERT INTO route VALUES ('default', ?, ?)", gateway, name)

    def lend(self, name: str, zone: str) -> None:
        """Gives a link of the global zone to a zone that runs, as booting the zone does; empty: takes it back."""
        with self._state.changing():
            table.update_link(self._state, self._found(name, ""), zone=zone)

    def set_up(self, name: str, *, is_up: bool) -> None:
        """Says whether the cable of a physical link is in."""
        with self._state.changing():
            table.update_link(self._state, self._found(name, ""), state="up" if is_up else "down")

    def _found(self, name: str, zone: str) -> Link:
        found = table.link_named(self._state, name, zone)
        if found is None:
            raise EmulationError(f"the emulated host has no link {name!r}; remedy: create it first")
        return found
