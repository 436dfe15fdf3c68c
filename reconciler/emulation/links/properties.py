"""Link properties: which there are, what may be set, how they are kept and printed (illumos-cli.md 3.4)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from reconciler.emulation.guests.rows import all_guests
from reconciler.emulation.links.errors import Refused
from reconciler.emulation.links.macs import is_unicast, mac_of, printed
from reconciler.emulation.links.table import (
    AGGR,
    ETHERSTUB,
    PHYS,
    VLAN,
    VNIC,
    Link,
    link_with_id,
    update_link,
)
from reconciler.emulation.state import State

UNKNOWN, BAD_VALUE, BAD_COUNT = "object not found", "invalid value", "invalid number of values"
BUSY, READ_ONLY, NOT_PERSISTENT = "link busy", "read-only property", "change cannot be persistent"
UNSUPPORTED = "operation not supported"
BAD_BANDWIDTH = "minimum value for maxbw is 1200K"

CPUS = 8
ETHERNET_MTU, ETHERSTUB_MTU, LARGEST_MTU, SMALLEST_MTU = 1500, 9000, 9000, 576
_LEAST_BANDWIDTH = 1_200_000
_MOST_ADDRESSES = 32
_EVERY = frozenset({PHYS, AGGR, VLAN, VNIC, ETHERSTUB})
_CARRYING = _EVERY - {ETHERSTUB}
_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "": 10**6}

Check = Callable[[Sequence[str]], str]
"""Gives the kept form of values that were typed, list items joined by commas; raises Refused."""


def _one_of(*words: str) -> Check:
    def check(values: Sequence[str]) -> str:
        word = _single(values).lower()
        if word not in words:
            raise Refused(BAD_VALUE)
        return word

    return check


def _some_of(*words: str) -> Check:
    def check(values: Sequence[str]) -> str:
        given = {value.lower() for value in values}
        if not given <= set(words):
            raise Refused(BAD_VALUE)
        return ",".join(word for word in words if word in given)

    return check


def _single(values: Sequence[str]) -> str:
    if len(values) != 1:
        raise Refused(BAD_COUNT)
    return values[0]


def _bandwidth(values: Sequence[str]) -> str:
    match = re.fullmatch(r"([0-9]{1,18})([kKmMgG]?)", _single(values))
    if match is None:
        raise Refused(BAD_VALUE)
    bits = int(match[1]) * _UNITS[match[2].upper()]
    if 0 < bits < _LEAST_BANDWIDTH:
        raise Refused(BAD_BANDWIDTH)
    return str(bits)


def _addresses(values: Sequence[str]) -> str:
    if len(values) > _MOST_ADDRESSES:
        raise Refused(BAD_COUNT)
    return ",".join(_address(value) for value in values)


def _address(text: str) -> str:
    address, slash, length = text.partition("/")
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise Refused(BAD_VALUE) from None
    if "%" in address or (slash and not (re.fullmatch(r"[0-9]{1,3}", length) and 0 < int(length) <= parsed.max_prefixlen)):
        raise Refused(BAD_VALUE)
    return f"{parsed}/{int(length) if slash else parsed.max_prefixlen}"


def _client_ids(values: Sequence[str]) -> str:
    if not all(values):
        raise Refused(BAD_VALUE)
    return ",".join(values)


def _processors(values: Sequence[str]) -> str:
    numbers = set()
    for value in values:
        if not re.fullmatch(r"[0-9]{1,6}", value):
            raise Refused(BAD_VALUE)
        if int(value) >= CPUS:
            raise Refused("non-existent processor ID")
        numbers.add(int(value))
    return ",".join(str(number) for number in sorted(numbers))


def _macs(values: Sequence[str]) -> str:
    kept = [mac_of(value) for value in values]
    if any(mac is None or not is_unicast(mac) for mac in kept):
        raise Refused(BAD_VALUE)
    return ",".join(mac for mac in kept if mac)


def _mtu(values: Sequence[str]) -> str:
    text = _single(values)
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Refused(BAD_VALUE)
    return str(int(text))


def _read_only(values: Sequence[str]) -> str:
    del values
    raise Refused(READ_ONLY)


@dataclass(frozen=True, slots=True)
class Property:
    """One link property."""

    name: str
    check: Check
    default: str = ""
    possible: str = ""
    kinds: frozenset[str] = _EVERY
    only_vendor: str = ""
    """The emulated system that alone has it; empty for all."""

    @property
    def permission(self) -> str:
        """`rw` or `r-`."""
        return "r-" if self.check is _read_only else "rw"


_ALL = (
    Property("zone", _single),
    Property("state", _read_only, default="up", possible="up,down"),
    Property("mtu", _mtu),
    Property("speed", _read_only, kinds=frozenset({PHYS, AGGR})),
    Property("duplex", _read_only, possible="half,full", kinds=frozenset({PHYS, AGGR})),
    Property("flowctrl", _one_of("no", "tx", "rx", "bi"), default="bi", possible="no,tx,rx,bi", kinds=frozenset({PHYS})),
    Property("secondary-macs", _macs, kinds=frozenset({VNIC})),
    Property("maxbw", _bandwidth),
    Property("cpus", _processors),
    Property("cpus-effective", _read_only),
    Property("pool", _single),
    Property("pool-effective", _read_only),
    Property("priority", _one_of("low", "medium", "high"), default="high", possible="low,medium,high"),
    Property("tagmode", _one_of("normal", "vlanonly"), default="vlanonly", possible="normal,vlanonly"),
    Property(
        "protection",
        _some_of("mac-nospoof", "restricted", "ip-nospoof", "dhcp-nospoof"),
        possible="mac-nospoof,restricted,ip-nospoof,dhcp-nospoof",
        kinds=_CARRYING,
    ),
    Property("promisc-filtered", _one_of("off", "on"), default="on", possible="off,on", kinds=frozenset({VNIC, VLAN})),
    Property("allowed-ips", _addresses, kinds=_CARRYING),
    Property("allowed-dhcp-cids", _client_ids, kinds=_CARRYING),
    Property(
        "dynamic-methods",
        _some_of("dhcpv4", "dhcpv6", "slaac", "addrconf"),
        possible="dhcpv4,dhcpv6,slaac,addrconf",
        kinds=_CARRYING,
        only_vendor="smartos",
    ),
)
PROPERTIES: Mapping[str, Property] = MappingProxyType({one.name: one for one in _ALL})
"""By name, in the order in which they are shown."""

_EXCLUDES = {"cpus": "pool", "pool": "cpus"}


def property_named(state: State, name: str) -> Property:
    """The property of that name; raises Refused(UNKNOWN) when the system has none."""
    found = PROPERTIES.get(name)
    if found is None or (found.only_vendor and found.only_vendor != state.fact("system")):
        raise Refused(UNKNOWN)
    return found


def has_address(state: State, link: Link) -> bool:
    """Whether IP is plumbed on a link; a link that a running zone has counts as plumbed by it."""
    if link.zone:
        return True
    return not link.namespace and state.row("SELECT 1 FROM address WHERE interface = ?", link.name) is not None


def default_mtu(state: State, link: Link) -> int:
    """The mtu of a link for which none was set."""
    if link.over is not None:
        return link_with_id(state, link.over).mtu
    return ETHERSTUB_MTU if link.kind == ETHERSTUB else ETHERNET_MTU


def mtu_range(lower_mtu: int | None) -> str:
    """The POSSIBLE of mtu, over a link of that mtu or over none."""
    return f"{SMALLEST_MTU}-{LARGEST_MTU if lower_mtu is None else lower_mtu}"


def running_zones(state: State) -> set[str]:
    """The guests that run, and the zones that have links."""
    lent = {str(name) for (name,) in state.rows("SELECT DISTINCT zone FROM link WHERE zone != ''")}
    return lent | {guest.uuid for guest in all_guests(state) if guest.state == "running"}


def checked(state: State, name: str, values: Sequence[str]) -> str:
    """The kept form of a property's values, as far as they can be judged without a link; raises Refused."""
    return property_named(state, name).check(values)


def set_active(state: State, link: Link, name: str, values: Sequence[str] | None) -> None:
    """Sets or, with None, resets a property of an active link; raises Refused with dladm's status text."""
    known = property_named(state, name)
    if known.check is _read_only:
        raise Refused(READ_ONLY)
    if link.kind not in known.kinds:
        raise Refused(UNSUPPORTED)
    if values is not None and not all(value.isascii() for value in values):
        raise Refused(BAD_VALUE)
    kept = None if values is None else known.check(values)
    if name == "mtu":
        _set_mtu(state, link, kept)
    elif name == "zone":
        _set_zone(state, link, kept)
    elif kept is None:
        state.write("DELETE FROM link_property WHERE link = ? AND name = ?", link.id, name)
    else:
        if name in _EXCLUDES and state.row("SELECT 1 FROM link_property WHERE link = ? AND name = ?", link.id, _EXCLUDES[name]):
            raise Refused("pool and cpus property are mutually exclusive")
        state.write(
            "INSERT INTO link_property VALUES (?, ?, ?) ON CONFLICT (link, name) DO UPDATE SET value = excluded.value",
            link.id, name, kept,
        )  # fmt: skip


def _set_mtu(state: State, link: Link, kept: str | None) -> None:
    most = LARGEST_MTU if link.over is None else link_with_id(state, link.over).mtu
    wanted = default_mtu(state, link) if kept is None else int(kept)
    if not SMALLEST_MTU <= wanted <= most:
        raise Refused(BAD_VALUE)
    if wanted == link.mtu:
        return
    if has_address(state, link):
        raise Refused(BUSY)
    update_link(state, link, mtu=wanted)


def _set_zone(state: State, link: Link, kept: str | None) -> None:
    if kept is not None and kept != "global" and kept not in running_zones(state):
        raise Refused(BAD_VALUE)
    if kept is not None and not link.zone and has_address(state, link):
        raise Refused(BUSY)
    update_link(state, link, zone="" if kept in {None, "global"} else kept)


def store(state: State, link: Link, name: str, values: Sequence[str] | None) -> None:
    """Keeps a property for the next boot as it was typed, or forgets it with None."""
    if values is None:
        state.write("DELETE FROM stored_property WHERE link = ? AND name = ?", link.id, name)
        return
    state.write(
        "INSERT INTO stored_property VALUES (?, ?, ?) ON CONFLICT (link, name) DO UPDATE SET value = excluded.value",
        link.id, name, ",".join(values),
    )  # fmt: skip


def parsed(text: str) -> list[tuple[str, list[str]]]:
    """The properties of a `-p` argument: `name=` begins one, what has no `=` is one more value of the one before."""
    found: list[tuple[str, list[str]]] = []
    for item in text.split(","):
        name, sign, value = item.partition("=")
        if sign:
            found.append((name, [value] if value else []))
        elif found and found[-1][1]:
            found[-1][1].append(item)
        else:
            found.append((item, []))
    return found


def shown(name: str, kept: str) -> str:
    """A kept value as dladm prints it."""
    if name == "maxbw" and kept:
        return _bandwidth_text(int(kept))
    if name == "secondary-macs":
        return ",".join(printed(mac) for mac in kept.split(",") if mac)
    return kept


def _bandwidth_text(bits: int) -> str:
    whole, thousandths = divmod(bits // 1000, 1000)
    if not thousandths:
        return f"{whole:5d}"
    return f"{whole:5d}.{thousandths:03d}" if whole else f"0.{thousandths:03d}"
