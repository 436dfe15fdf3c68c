"""The ports of a machine's nics: which each is to have, and what there is of it on the host."""

from collections.abc import Iterator, Mapping

from providers.tools.linux_marks import LinkMark
from providers.tools.linux_ports import (
    MAX_BANDWIDTH,
    MTU,
    OVER,
    VLAN,
    Membership,
    Port,
    SeenPort,
    Style,
    differs,
    port_name,
    port_of_nic,
)
from reconciler.model.observed import Mark
from reconciler.model.value import Fields, Value

NOT_WHOLE = "notWhole"

Seen = Mapping[str, SeenPort]
"""What there is of the links of the host, by name."""


def wanted_port(mark: Mark, nic: str, name: str, fields: Fields, machine: Fields) -> Port | None:
    """The port for a nic with these fields, of a machine with those; None for one that is plugged into nothing of ours."""
    if not fields.get("over") or not fields.get("mac"):
        return None
    tags = tuple((key.removeprefix("tags."), str(value)) for key, value in sorted(machine.items()) if key.startswith("tags."))
    of = Membership(mark.name.name, tags, machine.get("firewallEnabled") is True)
    return port_of_nic(name, LinkMark(Mark(mark.owner, mark.name), nic), Style.TAP, fields, of)


def told_by_port(port: Port, seen: SeenPort | None) -> Iterator[tuple[str, Value]]:
    """What of a nic is otherwise than its definition says, because its port is; `over` is None for a port that is not there.

    NOT_WHOLE stands for what no field of a nic tells: its filter, its mark, that it is up.
    """
    if seen is None:
        yield "over", None
        return
    for name in differs(port, seen):
        match name:
            case _ if name == OVER:
                yield "over", seen.over or None
            case _ if name == MTU:
                yield "mtu", seen.mtu
            case _ if name == VLAN:
                yield "vlan", seen.vlan
            case _ if name == MAX_BANDWIDTH and seen.max_bandwidth != port.max_bandwidth:
                yield "maxBandwidth", seen.max_bandwidth
            case _:
                yield NOT_WHOLE, True


def new_port_name(machine: str, taken: frozenset[str]) -> str:
    """The name of a port that states none, other than those."""
    return next(name for number in range(len(taken) + 1) if (name := port_name(machine, number)) not in taken)
