"""Ports: where a guest, or the host itself by a VNIC, is plugged into a bridge of a Linux host.

A port is a link of the host that outlives the guest's stop. For a zone and for a VNIC it is a veth: `PORT` is in the bridge and
carries our mark, the limits and the filter; `PORTg` is the guest's end and carries the MAC (`guest_end`). For a VM it is a tap,
which QEMU opens. A limit has an ifb beside it, `PORTi`. Nothing of it survives a boot.

    port = port_of_nic(name, LinkMark(mark, "net0"), Style.VETH, nic_fields)     # from what its manifest or definition says
    for command in make(port): yield Step(command)                               # before the guest starts; safe to repeat
    seen = read_ports(outputs).get(port.name)                                    # outputs of `probes()`
    if seen is None: ...                                                         # gone, as after a boot: make(port)
    differs(port, seen)                                                          # ("maxBandwidth", "filter"): what is not so
    alter(port, differs(port, seen))                                             # live; `make(port)` mends all of it, too
    unmake(port.name)                                                            # also when half of it is gone

`make` completes what exists in part, and touches no link that is not the port's: one that has its name without its mark is
refused on the host. A port goes up last, when its filter stands. `alter` does not need to know what was there before.

What to show of a port in a guest's fields: `SeenPort.mac`, `.mtu`, `.vlan`, `.max_bandwidth`, `.over`, `.allow`. Whose port it
is: `SeenPort.of` (`.mark.name` is the guest, `.nic` the nic's name).
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from providers.tools import linux_filters, linux_limits
from providers.tools.linux_filters import SHOW_FILTERS, Filter, SeenFilter, read_filters
from providers.tools.linux_limits import SHOW_LIMITS, read_limits
from providers.tools.linux_link_errors import NOT_OURS, explain
from providers.tools.linux_links import SHOW_LINKS, Link, read_links
from providers.tools.linux_marks import LinkMark, read_alias
from reconciler.model.command import Command, Outputs, Probe
from reconciler.model.value import Fields
from reconciler.provider.network import parse_network

__all__ = [
    "LONGEST_NAME",
    "Port",
    "SeenPort",
    "Style",
    "alter",
    "differs",
    "explain",
    "guest_end",
    "make",
    "port_name",
    "port_of_nic",
    "probes",
    "read_ports",
    "unmake",
]

LONGEST_NAME = 14
"""Bytes of a port's name: a link's has at most 15, and the names of its other parts are one longer."""

STYLE, OVER, MAC, MTU, VLAN, MAX_BANDWIDTH, FILTER, MARK, UP = (
    "style", "over", "mac", "mtu", "vlan", "maxBandwidth", "filter", "mark", "up",
)  # fmt: skip
"""What can differ between a port that is wanted and one that is there."""

FORGERY_FIELDS: Mapping[str, str] = {
    "allow.macSpoofing": linux_filters.MAC,
    "allow.ipSpoofing": linux_filters.IP,
    "allow.dhcpSpoofing": linux_filters.DHCP,
    "allow.restrictedTraffic": linux_filters.OTHER,
}
"""Fields of a nic or VNIC that allow what is forbidden otherwise."""


class Style(StrEnum):
    """What a port is made of."""

    VETH = "veth"
    TAP = "tap"


@dataclass(frozen=True, slots=True)
class Port:
    """A port as it is wanted. `mtu` None leaves what the link gets by itself; `max_bandwidth` is bits a second, both ways.

    `allow` are words of `linux_filters.FORGERIES`; `ips` the addresses and networks that it may use, in canonical form, with
    BY_DHCP or BY_ROUTERS where somebody on the wire gives some. None at all: nobody knows them, and none is filtered.
    """

    name: str
    style: Style
    over: str
    mac: str
    mark: LinkMark
    mtu: int | None = None
    vlan: int | None = None
    max_bandwidth: int | None = None
    allow: frozenset[str] = frozenset()
    ips: tuple[str, ...] = ()

    @property
    def filter(self) -> Filter:
        return Filter(self.mac, self.allow, self.ips, ifb(self.name) if self.max_bandwidth is not None else "")

    @property
    def alias(self) -> LinkMark:
        return LinkMark(self.mark.mark, self.mark.nic, self.mac, self.allow)


@dataclass(frozen=True, slots=True)
class SeenPort:
    """A link of the host that is a port, or that has the name of one.

    `of` is the mark in its alias, None where it is not ours. `mac` is that of the guest's end: from there where it is in the
    host's own namespace (`guest_end_here`), else from the mark. `style` is what the host calls the link's type. `filter` is
    None where it has no chain. `is_limited` says that what it sends goes through its ifb with the same limit.
    """

    name: str
    style: str
    over: str
    mac: str
    mtu: int
    is_up: bool
    of: LinkMark | None
    max_bandwidth: int | None
    is_limited: bool
    filter: SeenFilter | None
    guest_end_here: bool
    vlan: int | None = None

    @property
    def allow(self) -> frozenset[str]:
        """What it may forge, by our mark."""
        return self.of.allow if self.of is not None else frozenset()


def guest_end(port: str) -> str:
    """The end of a veth that the guest gets."""
    return f"{port}g"


def ifb(port: str) -> str:
    """Where what the guest sends is limited."""
    return f"{port}i"


def port_name(guest: str, number: int) -> str:
    """The name of a guest's port that states none: `web1_0`. A guest's name that is too long is cut, and told by its digest."""
    end = f"_{number}"
    if len(guest) + len(end) <= LONGEST_NAME:
        return guest + end
    digest = hashlib.sha256(guest.encode()).hexdigest()[:4]
    return guest[: LONGEST_NAME - len(digest) - len(end)] + digest + end


def port_of_nic(name: str, mark: LinkMark, style: Style, nic: Fields) -> Port:
    """The port of a guest's nic with these fields, by their names within the nic (`over`, `allow.ips`); `mac` must be there."""
    vlan, mtu, most, addresses, allowed = (nic.get(field) for field in ("vlan", "mtu", "maxBandwidth", "ips", "allow.ips"))
    return Port(
        name,
        style,
        str(nic["over"]),
        str(nic["mac"]),
        mark,
        mtu if isinstance(mtu, int) else None,
        vlan if isinstance(vlan, int) and vlan else None,
        most if isinstance(most, int) else None,
        forgeries(nic),
        (*_own(addresses), *(allowed if isinstance(allowed, tuple) else ())),
    )


def forgeries(fields: Fields) -> frozenset[str]:
    """What the fields of a nic or VNIC allow to forge."""
    return frozenset(word for field, word in FORGERY_FIELDS.items() if fields.get(field) is True)


def _own(addresses: object) -> Iterator[str]:
    for address in addresses if isinstance(addresses, tuple) else ():
        yield parse_network(address.partition("/")[0]) if "/" in address else address


def probes() -> tuple[Probe, ...]:
    """The looks at all links of a host that `read_ports` reads."""
    return (SHOW_LINKS, SHOW_FILTERS, SHOW_LIMITS)


def read_ports(outputs: Outputs) -> Mapping[str, SeenPort]:
    """Every link of the host by name, as a port; ReadError for any other shape of output."""
    links = read_links(outputs[SHOW_LINKS.name].stdout)
    filters = read_filters(outputs[SHOW_FILTERS.name].stdout)
    limits = read_limits(outputs[SHOW_LIMITS.name].stdout)
    return {name: _seen(link, links, filters.get(name), limits) for name, link in links.items()}


def _seen(link: Link, links: Mapping[str, Link], chain: SeenFilter | None, limits: Mapping[str, int]) -> SeenPort:
    mark = read_alias(link.alias)
    end = links.get(guest_end(link.name)) if link.kind == "veth" else None
    end = end if end is not None and end.lower == link.name else None
    most = limits.get(link.name)
    hands_over = chain is not None and any(rule.hands_to == ifb(link.name) for rule in chain.rules)
    return SeenPort(
        link.name,
        str(link.settings.get("type", link.kind)) if link.kind == "tun" else link.kind,
        link.bridge,
        end.mac if end is not None else mark.mac if mark is not None else "",
        link.mtu,
        link.is_up,
        mark,
        most,
        hands_over and ifb(link.name) in links and limits.get(ifb(link.name)) == most,
        chain,
        end is not None,
    )


def differs(port: Port, seen: SeenPort) -> tuple[str, ...]:
    """What is not as wanted, of STYLE, OVER, MAC, MTU, MAX_BANDWIDTH, FILTER, MARK and UP; nothing for a port that is whole.

    STYLE can't be altered: the port must be unmade. MAC can't be while the guest's end is in its namespace: the guest must
    be stopped first.
    """
    return tuple(_differs(port, seen))


def _differs(port: Port, seen: SeenPort) -> Iterator[str]:
    if seen.style != port.style:
        yield STYLE
    if seen.over != port.over:
        yield OVER
    if seen.mac != port.mac:
        yield MAC
    if port.mtu is not None and seen.mtu != port.mtu:
        yield MTU
    if seen.max_bandwidth != port.max_bandwidth or seen.is_limited is not (port.max_bandwidth is not None):
        yield MAX_BANDWIDTH
    if seen.filter is None or seen.filter.rules != port.filter.rules:
        yield FILTER
    if seen.of != port.alias:
        yield MARK
    if not seen.is_up:
        yield UP


def make(port: Port) -> tuple[Command, ...]:
    """The commands that make a port, or complete one that is there in part. It goes up last."""
    return (
        _add(port),
        *(_limit(port) if port.max_bandwidth is not None else ()),
        _stand(port),
        _batch(f"{_settings(port)} master {port.over} up"),
    )


def alter(port: Port, fields: Collection[str], *, guest_end_here: bool = False) -> tuple[Command, ...]:
    """The commands that bring these fields (as `differs` names them) in line, while the port is in use.

    `guest_end_here`: the guest's end is in the host's namespace, so that its MAC and MTU can be set, too.
    """
    return tuple(_alter(port, fields, guest_end_here))


def _alter(port: Port, fields: Collection[str], guest_end_here: bool) -> Iterator[Command]:
    filtered = not {FILTER, MAC, MAX_BANDWIDTH}.isdisjoint(fields)
    if MAX_BANDWIDTH in fields and port.max_bandwidth is not None:
        yield from _limit(port)
    if filtered:
        yield _stand(port)
    if MAX_BANDWIDTH in fields and port.max_bandwidth is None:
        yield linux_limits.batch([linux_limits.unlimit(port.name, _WITHOUT_LIMIT[port.style])])
        yield _unlink(ifb(port.name))
    if not {OVER, MAC, MTU, FILTER, MARK, UP}.isdisjoint(fields):
        end = [_end(port)] if guest_end_here and port.style is Style.VETH else []
        yield _batch(*end, f"{_settings(port)} master {port.over} up")


_WITHOUT_LIMIT = {Style.VETH: "noqueue", Style.TAP: "pfifo_fast"}


def unmake(name: str) -> tuple[Command, ...]:
    """The commands that take a port away with all that belongs to it, or what is left of it. The filter goes last."""
    return (_unlink(name, ifb(name)), linux_filters.transaction(linux_filters.fall(name)))


_ADD = f"""\
shown=$(ip -o link show dev "$1" 2>/dev/null) || exec ip -batch -
case "$shown " in
*" alias $2 "* | *"link/ether $3 "*) ;;
*) echo "link $1 {NOT_OURS}" >&2; exit 1 ;;
esac"""
"""Makes a link (`$1`) unless it is there with our mark (`$2`), or with the address that we make it with (`$3`): then its
making was cut short before it was marked."""

_UNLINK = """\
for link; do
    ! ip link show dev "$link" >/dev/null 2>&1 || ip link delete dev "$link" || exit
done"""


def _add(port: Port) -> Command:
    lines = [f"link set dev {port.name} {_alias(port)}"]
    if port.style is Style.TAP:
        lines = [f"tuntap add dev {port.name} mode tap", f"link set dev {port.name} address {_host_mac(port)} {_alias(port)}"]
    else:
        mtu = f" mtu {port.mtu}" if port.mtu is not None else ""
        end = f"name {guest_end(port.name)} address {port.mac}{mtu}"
        lines.insert(0, f"link add name {port.name} address {_host_mac(port)}{mtu} type veth peer {end}")
    argv = ("sh", "-c", _ADD, "make-link", port.name, port.alias.head, _host_mac(port))
    return Command(argv, stdin="".join(f"{line}\n" for line in lines))


def _host_mac(port: Port) -> str:
    """The address of the host's end, which nobody speaks to. Made from the guest's, it tells a link that is not marked yet."""
    return f"fe{port.mac[2:]}"


def _alias(port: Port) -> str:
    return f'alias "{port.alias}"'


def _settings(port: Port) -> str:
    mtu = f" mtu {port.mtu}" if port.mtu is not None else ""
    return f"link set dev {port.name} {_alias(port)}{mtu}"


def _end(port: Port) -> str:
    mtu = f" mtu {port.mtu}" if port.mtu is not None else ""
    return f"link set dev {guest_end(port.name)} address {port.mac}{mtu}"


def _limit(port: Port) -> Iterator[Command]:
    assert port.max_bandwidth is not None
    link = ifb(port.name)
    address = f"fa{port.mac[2:]}"
    lines = (f"link add name {link} address {address} type ifb", f"link set dev {link} {_alias(port)} up")
    yield Command(("sh", "-c", _ADD, "make-link", link, port.alias.head, address), stdin="".join(f"{line}\n" for line in lines))
    yield linux_limits.batch(linux_limits.limit(name, port.max_bandwidth) for name in (port.name, link))


def _stand(port: Port) -> Command:
    return linux_filters.transaction(linux_filters.stand(port.name, port.filter, port.alias.head))


def _unlink(*names: str) -> Command:
    return Command(("sh", "-c", _UNLINK, "remove-links", *names))


def _batch(*lines: str) -> Command:
    return Command(("ip", "-batch", "-"), stdin="".join(f"{line}\n" for line in lines))
