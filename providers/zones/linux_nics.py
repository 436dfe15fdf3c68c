"""Nics of a zone on Linux: ours are ports of the host whose ends are handed over, and stand in its config as such.

What LXC has keys for (addresses, gateways, the name inside) stands there; all of it is in our note as well, with the port.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from providers.tools.linux_marks import LinkMark
from providers.tools.linux_ports import Membership, Port, Style, guest_end, port_name, port_of_nic
from providers.tools.lxc_config import Config
from providers.zones.linux_notes import NICS, object_of, text_of
from reconciler.model.observed import Mark
from reconciler.model.value import Fields, Value

LONGEST_INSIDE = 15
"""Bytes of a link's name."""

FOLLOWS_PORT = ("over", "vlan", "maxBandwidth", "allow.macSpoofing", "allow.ipSpoofing", "allow.dhcpSpoofing",
                "allow.restrictedTraffic", "allow.ips")  # fmt: skip
"""Fields that are the port's alone, and can change while the zone runs."""

_LISTS = ("ips", "gateways", "allow.ips")
_WORDS = ("dhcp", "addrconf")
_ADDRESSES, _GATEWAYS = ("ipv4.address", "ipv6.address"), ("ipv4.gateway", "ipv6.gateway")


@dataclass(frozen=True, slots=True)
class ZoneNic:
    """One nic: its number in the config, the port of the host (empty where it takes over a VNIC), and its fields.

    `is_kept`: it is ours because its manifest lists it, and its lines are those of whoever made it.
    """

    place: int
    port: str
    fields: Fields
    is_ours: bool = True
    is_kept: bool = False

    @property
    def link(self) -> str:
        """What is handed over."""
        return guest_end(self.port or str(self.fields.get("vnic")))


def read_nics(config: Config) -> dict[str, ZoneNic]:
    """The nics in a config by name. One that is not ours goes by its name inside, with a suffix where that is taken."""
    nets, noted = config.nets(), dict(_noted(config))
    found = {
        name: replace(nic, fields=_foreign_fields(nets[nic.place]))
        if nic.is_kept
        else _as_configured(nic, name, nets[nic.place])
        for name, nic in noted.items()
        if nic.place in nets
    }
    taken = {nic.place for nic in found.values()}
    for place, net in sorted(nets.items()):
        if place in taken or net.get("type") in (None, "empty", "none"):
            continue
        name = _free_name(net.get("name") or f"eth{place}", found)
        found[name] = ZoneNic(place, "", _foreign_fields(net), is_ours=False)
    return found


def _foreign_fields(net: Mapping[str, str]) -> dict[str, Value]:
    return {
        "over": net.get("link"),
        "mac": (net.get("hwaddr") or "").lower() or None,
        "mtu": _number(net.get("mtu")),
        "ips": _addresses(net),
        "gateways": _gateways(net),
    }


def _noted(config: Config) -> Iterator[tuple[str, ZoneNic]]:
    for name, note in object_of(config.get(NICS)).items():
        if isinstance(note, dict) and isinstance(note.get("place"), int):
            fields = {
                field: tuple(map(str, value)) if isinstance(value, list) else value
                for field, value in note.items()
                if field not in ("place", "port", "kept") and (value is None or isinstance(value, (bool, int, str, list)))
            }
            yield name, ZoneNic(note["place"], str(note.get("port") or ""), fields, is_kept=note.get("kept") is True)


def _as_configured(nic: ZoneNic, name: str, net: Mapping[str, str]) -> ZoneNic:
    """What stands in the config counts where it is not what we wrote."""
    if dict(net) == _joined(net_entries(name, nic, set())) or dict(net) == _joined(net_entries(name, nic, {4, 6})):
        return nic
    words = tuple(word for word in _texts(nic.fields.get("ips")) if word in _WORDS)
    addresses = (*words, *_addresses(net))
    fields = {**nic.fields, "ips": tuple(sorted(addresses)) if net.get("link") == nic.link else None}
    # A gateway that another nic has first is not in the config.
    if (there := _gateways(net)) and there != nic.fields.get("gateways"):
        fields["gateways"] = there
    return replace(nic, fields=fields)


def _joined(entries: Iterator[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in entries:
        found[key] = f"{found[key]} {value}" if key in found else value
    return found


def _free_name(text: str, taken: Mapping[str, object]) -> str:
    name, number = text, 1
    while name in taken:
        number += 1
        name = f"{text}-{number}"
    return name


def _addresses(net: Mapping[str, str]) -> tuple[str, ...]:
    words = [word for key in _ADDRESSES for word in net.get(key, "").split()]
    pairs = zip(("", *words), words, strict=False)
    return tuple(sorted(_canonical(word) for before, word in pairs if not _is_broadcast(word, before)))


def _is_broadcast(word: str, before: str) -> bool:
    """Whether a word is what LXC takes after an address: the broadcast of its network."""
    try:
        network = ipaddress.ip_interface(before).network
        return "/" in before and "/" not in word and ipaddress.ip_address(word) in network
    except ValueError:
        return False


def _canonical(text: str) -> str:
    try:
        return str(ipaddress.ip_interface(text))
    except ValueError:
        return text


def _gateways(net: Mapping[str, str]) -> tuple[str, ...] | None:
    return tuple(net[key] for key in _GATEWAYS if net.get(key)) or None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


def _texts(value: Value) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def net_entries(name: str, nic: ZoneNic, routed: set[int]) -> Iterator[tuple[str, str]]:
    """The entries of a nic of ours. `routed` are the families that have a default route already."""
    yield "type", "phys"
    yield "link", nic.link
    yield "name", name[:LONGEST_INSIDE]
    yield "flags", "up"
    for address in _texts(nic.fields.get("ips")):
        if address not in _WORDS:
            yield _address_entry(ipaddress.ip_interface(address))
    for gateway in _texts(nic.fields.get("gateways")):
        version = ipaddress.ip_address(gateway).version
        if version not in routed:
            yield f"ipv{version}.gateway", gateway


def _address_entry(address: ipaddress.IPv4Interface | ipaddress.IPv6Interface) -> tuple[str, str]:
    network = address.network
    if address.version == 4 and network.prefixlen < _NO_BROADCAST:
        # Left to itself LXC 5 takes the host's part alone: 0.0.0.255.
        return "ipv4.address", f"{address} {network.broadcast_address}"
    return f"ipv{address.version}.address", str(address)


_NO_BROADCAST = 31
"""A network of so many bits, or of more, has no broadcast address."""


def with_nics(config: Config, nics: Mapping[str, ZoneNic]) -> Config:
    """The config with these nics of ours, and without others of ours; those of somebody else stay."""
    before = {nic.place for nic in read_nics(config).values() if nic.is_ours}
    ours = {name: nic for name, nic in nics.items() if nic.is_ours}
    for place in before - {nic.place for nic in ours.values()}:
        config = config.with_net(place, ())
    routed: set[int] = set()
    for name, nic in sorted(ours.items(), key=lambda one: (one[1].fields.get("primary") is not True, one[1].place)):
        wanted = tuple(net_entries(name, nic, routed))
        if nic.is_kept:
            continue
        if config.nets().get(nic.place) != _joined(iter(wanted)):
            config = config.with_net(nic.place, wanted)
        routed |= {ipaddress.ip_address(gateway).version for gateway in _texts(nic.fields.get("gateways"))}
    note = {name: _note(nic) for name, nic in ours.items()}
    return config.with_entry(NICS, text_of(note) if note else None)


def _note(nic: ZoneNic) -> dict[str, object]:
    if nic.is_kept:
        return {"place": nic.place, "kept": True}
    return {"place": nic.place, "port": nic.port, **nic.fields}


def new_nic(guest: str, fields: Fields, taken: Mapping[str, ZoneNic]) -> ZoneNic:
    """A nic that the zone is to get, at the first free place."""
    places = {nic.place for nic in taken.values()}
    place = next(place for place in range(len(places) + 1) if place not in places)
    port = "" if "vnic" in fields else str(fields.get("link") or port_name(guest, place))
    return ZoneNic(place, port, fields)


def port_of(name: str, nic: ZoneNic, mark: Mark, membership: Membership) -> Port | None:
    """The port of a nic of ours; None for one that takes over a VNIC, or whose note says too little."""
    if not nic.port or not nic.is_ours or nic.fields.get("over") is None or nic.fields.get("mac") is None:
        return None
    # How a zone goes and what protects it stands in its config alone.
    return port_of_nic(nic.port, LinkMark(Mark(mark.owner, mark.name), name), Style.VETH, nic.fields, membership)
