"""Ports: where a guest, or the host itself by a VNIC, is plugged into a bridge of a Linux host.

A port is a link of the host that outlives the guest's stop. For a zone and for a VNIC it is a veth: `PORT` is in the bridge and
carries our mark, the limits and the filter; `PORTg` is the guest's end and carries the MAC (`guest_end`). For a VM it is a tap,
which QEMU opens. A limit has an ifb beside it, `PORTi`. Nothing of it survives a boot.

    guest = Membership("web1", (("role", "web"),), is_firewalled=True)            # name, tags, firewallEnabled
    port = port_of_nic(name, LinkMark(mark, "net0"), Style.VETH, nic_fields, guest)   # from its manifest or definition
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
from providers.tools.linux_link_errors import KEEPS_NOT_APART, explain
from providers.tools.linux_link_steps import alias, batch, make_link, remove_links, remove_own_links, set_if_there
from providers.tools.linux_links import SHOW_LINKS, Link, read_links
from providers.tools.linux_marks import LinkMark, read_alias
from providers.tools.linux_vlans import BRIDGE_VLAN, LAST_VLAN, SHOW_VLANS, read_vlans
from providers.tools.nft_firewall import (
    MEMBERS,
    RULESET,
    Membership,
    Memberships,
    is_member,
    joining,
    leaving,
    read_memberships,
)
from reconciler.model.command import Command, Outputs, Probe
from reconciler.model.observed import Mark
from reconciler.model.value import Fields
from reconciler.provider.network import parse_network

__all__ = [
    "LONGEST_NAME",
    "Membership",
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

STYLE, OVER, MAC, MTU, VLAN, MAX_BANDWIDTH, FILTER, FIREWALL, MARK, UP = (
    "style", "over", "mac", "mtu", "vlan", "maxBandwidth", "filter", "firewall", "mark", "up",
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
    MACVLAN = "macvlan"
    """For the host itself, over a link that is no bridge: the port is the link that it sends by, and carries the MAC."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port as it is wanted. `mtu` None leaves what the link gets by itself; `max_bandwidth` is bits a second, both ways.

    `allow` are words of `linux_filters.FORGERIES`; `ips` the addresses and networks that it may use, in canonical form, with
    BY_DHCP or BY_ROUTERS where somebody on the wire gives some. None at all: nobody knows them, and none is filtered.
    `membership` is what firewall rules know it by (`nft_firewall`); None for a port that is no guest's.
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
    membership: Membership | None = None

    @property
    def filter(self) -> Filter:
        hands_to = ifb(self.name) if self.max_bandwidth is not None else ""
        return Filter(self.mac, self.allow, self.ips, hands_to, of_guest=self.style is not Style.MACVLAN)

    @property
    def alias(self) -> LinkMark:
        """The mark as it is read back: of a nic without what its guest's own mark says."""
        mark = self.mark.mark
        if self.mark.nic:
            mark = Mark(mark.owner, mark.name)
        return LinkMark(mark, self.mark.nic, self.mac, self.over, self.mtu or 0, self.allow)


@dataclass(frozen=True, slots=True)
class SeenPort:
    """A link of the host that is a port, or that has the name of one.

    `of` is the mark in its alias, None where it is not ours. `mac` is that of the guest's end: from there where it is in the
    host's own namespace (`guest_end_here`), else from the mark; so is `mtu`, unless that of the host's end is even smaller.
    `style` is what the host calls the link's type. `filter` is None where it has none. `is_limited` says that what it sends
    goes through its ifb with the same limit. `memberships` are those of all ports; None where nobody looked.
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
    memberships: Memberships | None = None

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


def port_of_nic(name: str, mark: LinkMark, style: Style, nic: Fields, membership: Membership | None = None) -> Port:
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
        membership,
    )


def forgeries(fields: Fields) -> frozenset[str]:
    """What the fields of a nic or VNIC allow to forge."""
    return frozenset(word for field, word in FORGERY_FIELDS.items() if fields.get(field) is True)


def _own(addresses: object) -> Iterator[str]:
    for address in addresses if isinstance(addresses, tuple) else ():
        yield parse_network(address.partition("/")[0]) if "/" in address else address


def probes() -> tuple[Probe, ...]:
    """The looks at all links of a host that `read_ports` reads."""
    return (SHOW_LINKS, SHOW_FILTERS, SHOW_LIMITS, SHOW_VLANS, RULESET, MEMBERS)


def read_ports(outputs: Outputs) -> Mapping[str, SeenPort]:
    """Every link of the host by name, as a port; ReadError for any other shape of output.

    Without the answers to RULESET and MEMBERS, which only ports of guests need, nothing is told of the firewall.
    """
    links = read_links(outputs[SHOW_LINKS.name].stdout)
    filters = read_filters(outputs[SHOW_FILTERS.name].stdout)
    limits = read_limits(outputs[SHOW_LIMITS.name].stdout)
    vlans = read_vlans(outputs[SHOW_VLANS.name].stdout)
    memberships = read_memberships(outputs) if MEMBERS.name in outputs else None
    return {name: _seen(link, links, filters.get(name), limits, vlans, memberships) for name, link in links.items()}


def seen_link(link: Link, links: Mapping[str, Link]) -> SeenPort:
    """One link as a port, by one who has only seen the links: nothing of its filter, limit and VLAN."""
    return _seen(link, links, None, {}, {})


def _seen(
    link: Link,
    links: Mapping[str, Link],
    stands: SeenFilter | None,
    limits: Mapping[str, int],
    vlans: Mapping[str, int],
    memberships: Memberships | None = None,
) -> SeenPort:
    mark = read_alias(link.alias)
    end = links.get(guest_end(link.name)) if link.kind == "veth" else None
    end = end if end is not None and end.lower == link.name else None
    most = limits.get(link.name)
    hands_over = stands is not None and any(rule.hands_to == ifb(link.name) for rule in stands.rules)
    return SeenPort(
        link.name,
        str(link.settings.get("type", link.kind)) if link.kind == "tun" else link.kind,
        link.bridge or (link.lower if link.kind == Style.MACVLAN else ""),
        _mac(link, end, mark),
        min(link.mtu, end.mtu if end is not None else (mark.mtu if mark is not None else 0) or link.mtu),
        link.is_up,
        mark,
        most,
        hands_over and ifb(link.name) in links and limits.get(ifb(link.name)) == most,
        stands,
        end is not None,
        vlans.get(link.name),
        memberships,
    )


def _mac(link: Link, end: Link | None, mark: LinkMark | None) -> str:
    if link.kind == Style.MACVLAN:
        return link.mac
    return end.mac if end is not None else mark.mac if mark is not None else ""


def differs(port: Port, seen: SeenPort) -> tuple[str, ...]:
    """What is not as wanted, of STYLE, OVER, MAC, MTU, VLAN, MAX_BANDWIDTH, FILTER, FIREWALL, MARK and UP; nothing if whole.

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
    if seen.vlan != port.vlan:
        yield VLAN
    if seen.max_bandwidth != port.max_bandwidth or seen.is_limited is not (port.max_bandwidth is not None):
        yield MAX_BANDWIDTH
    if not stands(port.filter, seen):
        yield FILTER
    if seen.memberships is not None and not is_member(port.name, port.membership, seen.memberships):
        yield FIREWALL
    if seen.of != port.alias:
        yield MARK
    if not seen.is_up:
        yield UP


def stands(wanted: Filter, seen: SeenPort) -> bool:
    """Whether a port's filter is this one."""
    return (seen.filter.rules if seen.filter is not None else ()) == wanted.rules


def make(port: Port) -> tuple[Command, ...]:
    """The commands that make a port, or complete one that is there in part. It goes up last."""
    return (
        _add(port),
        *(_limit(port) if port.max_bandwidth is not None else ()),
        _stand(port),
        *_plug(port),
    )


def alter(port: Port, fields: Collection[str], *, guest_end_here: bool = False) -> tuple[Command, ...]:
    """The commands that bring these fields (as `differs` names them) in line, while the port is in use.

    `guest_end_here`: the guest's end may be in the host's namespace; if it is, its MAC and MTU are set, too.
    """
    return tuple(_alter(port, fields, guest_end_here))


def _alter(port: Port, fields: Collection[str], guest_end_here: bool) -> Iterator[Command]:
    filtered = not {FILTER, FIREWALL, MAC, MAX_BANDWIDTH}.isdisjoint(fields)
    if MAX_BANDWIDTH in fields and port.max_bandwidth is not None:
        yield from _limit(port)
    if filtered:
        yield _stand(port)
    if MAX_BANDWIDTH in fields and port.max_bandwidth is None:
        yield linux_limits.batch([linux_limits.unlimit(port.name, _WITHOUT_LIMIT[port.style])])
        yield remove_links(ifb(port.name))
    if guest_end_here and port.style is Style.VETH and not {MAC, MTU}.isdisjoint(fields):
        yield _set_end(port)
    if not {OVER, MAC, MTU, VLAN, FILTER, MARK, UP}.isdisjoint(fields):
        yield from _plug(port, takes_vlan_off=VLAN in fields)


_WITHOUT_LIMIT = {Style.VETH: "noqueue", Style.TAP: "pfifo_fast", Style.MACVLAN: "noqueue"}


def unmake(name: str, owner: str = "") -> tuple[Command, ...]:
    """The commands that take a port away with all that belongs to it, or what is left of it. The filter goes last.

    `owner`: only links that bear a mark of that owner go. What a nic is to be called by, somebody else's link may be called.
    """
    removal = remove_own_links(owner, name, ifb(name)) if owner else remove_links(name, ifb(name))
    return (removal, leaving(name, linux_filters.fall(name)), linux_filters.tidy())


_PLUG = """\
read -r mtu <"/sys/class/net/$2/mtu" || exit
[ "$3" -le "$mtu" ] || mtu=$3
exec ip -batch - <<END
link set dev $1 mtu $mtu
$4
END"""
"""A bridge takes the smallest MTU of its ports, and it may not be ours: the host's end never has a smaller one."""

_SET_VLAN = f"""\
[ "$(cat "/sys/class/net/$1/bridge/vlan_filtering" 2>/dev/null)" = 1 ] || {{ echo "bridge $1 {KEEPS_NOT_APART}" >&2; exit 1; }}
exec bridge -batch -"""
"""A bridge that does not keep VLANs apart would take the VLAN of a port and let everybody hear everybody."""


def _add(port: Port) -> Command:
    mtu, address, marked = _mtu(port), _host_mac(port), _marked(port)
    if port.style is Style.MACVLAN:
        making = f"link add link {port.over} name {port.name} address {port.mac}{mtu} type macvlan mode bridge"
        return make_link(port.name, port.alias, port.mac, making, marked)
    if port.style is Style.TAP:
        making = f"tuntap add dev {port.name} mode tap"
        return make_link(port.name, port.alias, address, making, f"{marked} address {address}")
    end = f"name {guest_end(port.name)} address {port.mac}{mtu}"
    making = f"link add name {port.name} address {address} type veth peer {end}"
    return make_link(port.name, port.alias, address, making, marked)


def _host_mac(port: Port) -> str:
    """The address of the host's end, which nobody speaks to. Made from the guest's, it tells a link that is not marked yet."""
    return f"fe{port.mac[2:]}"


def _marked(port: Port) -> str:
    return f"link set dev {port.name} {alias(port.alias)}"


def _mtu(port: Port) -> str:
    return f" mtu {port.mtu}" if port.mtu is not None else ""


def _set_end(port: Port) -> Command:
    return set_if_there(guest_end(port.name), *f"address {port.mac}{_mtu(port)}".split(" "))


def _plug(port: Port, *, takes_vlan_off: bool = False) -> Iterator[Command]:
    """Puts the port into its bridge, in its VLAN from the first frame, and brings it up."""
    if port.style is Style.MACVLAN:
        yield batch(f"{_marked(port)}{_mtu(port)} address {port.mac} up")
        return
    argv = ("sh", "-c", _PLUG, "plug-port", port.name, port.over, str(port.mtu or 0))
    if port.vlan is None and not takes_vlan_off:
        yield Command((*argv, f"{_marked(port)} master {port.over} up"))
        return
    yield Command((*argv, f"{_marked(port)} master {port.over}"))
    lines = (
        f"vlan del dev {port.name} vid 1-{LAST_VLAN}",
        f"vlan add dev {port.name} vid {port.vlan or BRIDGE_VLAN} pvid untagged",
    )
    yield Command(("sh", "-c", _SET_VLAN, "set-vlan", port.over), stdin="".join(f"{line}\n" for line in lines))
    yield batch(f"link set dev {port.name} up")


def _limit(port: Port) -> Iterator[Command]:
    assert port.max_bandwidth is not None
    link, address = ifb(port.name), f"fa{port.mac[2:]}"
    making = f"link add name {link} address {address} type ifb"
    yield make_link(link, port.alias, address, making, f"link set dev {link} {alias(port.alias)} up")
    yield linux_limits.batch(linux_limits.limit(name, port.max_bandwidth) for name in (port.name, link))


def _stand(port: Port) -> Command:
    lines = linux_filters.stand(port.name, port.filter, port.alias.head)
    if port.membership is None:
        return linux_filters.transaction(lines)
    return joining(port.name, port.membership, lines)
