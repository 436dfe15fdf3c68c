"""Reading what `dladm` and `ipadm` print with `-p` or `-c` (illumos-cli.md 0, 3.2, 3.4, 5)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from providers.tools.dladm import ADDRESS_COLUMNS, LINK_COLUMNS, PROPERTY_COLUMNS, STORED_COLUMNS, ZONE
from reconciler.model.errors import InvalidValue, ReadError
from reconciler.provider.network import parse_mac, parse_network
from reconciler.provider.readers import number, one_of, whole_lines

CLASSES = frozenset(
    {"phys", "aggr", "vlan", "vnic", "etherstub", "overlay", "iptun", "simnet", "bridge", "part", "misc"}
)  # fmt: skip
STATES = frozenset({"up", "down", "unknown"})
_ADDRESS_TYPES = frozenset({"static", "dhcp", "addrconf", "from-gz", "inherited"})
_ADDRESS_STATES = frozenset({"ok", "down", "disabled", "duplicate", "tentative", "inaccessible"})
_FIELDS = re.compile(r"((?:[^:\\]|\\.)*):")
_UNESCAPED = re.compile(r"\\(.)")
_LINK = re.compile(r"[A-Za-z_.][A-Za-z0-9_./-]*")
_NOTHING = ("", "--")
_UNTOLD = "?"
"""What stands for a value that could not be fetched, as of links in a zone's own namespace."""


@dataclass(frozen=True, slots=True)
class Link:
    """One line of `show-link`. `mtu` is None and `state` unknown where it could not be told."""

    name: str
    kind: str
    mtu: int | None
    state: str
    over: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vnic:
    """One line of `show-vnic`; `zone` is empty for the global zone."""

    name: str
    over: str
    mac: str
    vlan: int | None
    zone: str


@dataclass(frozen=True, slots=True)
class Setting:
    """The value of a link property and its default; empty where there is none."""

    value: str
    default: str


Settings = Mapping[str, Setting]


def cells(line: str, columns: Sequence[str], at: int) -> list[str]:
    """The fields of one line: separated by `:`, with `\\:` and `\\\\` inside values. ReadError for another number of them."""
    found = line.split(":")
    if "\\" in line:
        found = [_UNESCAPED.sub(r"\1", field) for field in _FIELDS.findall(f"{line}:")]
    if len(found) != len(columns):
        raise ReadError(at, f"{len(columns)} columns ({', '.join(columns)})", line)
    return found


def _rows(text: str, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    for at, line in enumerate(whole_lines(text), start=1):
        yield at, cells(line, columns, at)


def _name(text: str, at: int) -> str:
    if not _LINK.fullmatch(text):
        raise ReadError(at, "the name of a link", text)
    return text


def read_links(text: str) -> tuple[Link, ...]:
    """Links of all zones: on SmartOS several of guests may have one name."""
    found = []
    for at, (name, kind, mtu, state, over) in _rows(text, LINK_COLUMNS):
        found.append(
            Link(
                _name(name, at),
                one_of(kind, CLASSES, at, "class"),
                None if mtu in (*_NOTHING, _UNTOLD) else number(mtu, at, "mtu"),
                "unknown" if state in (*_NOTHING, _UNTOLD) else one_of(state, STATES, at, "state"),
                tuple(_name(lower, at) for lower in over.split(",")) if over not in (*_NOTHING, _UNTOLD) else (),
            )
        )
    return tuple(found)


def read_stored(text: str) -> Mapping[str, str]:
    """Class by name of the links that are stored."""
    return {
        _name(name, at): one_of(kind, CLASSES, at, "class") for at, (name, kind, _) in _rows(text, STORED_COLUMNS)
    }  # fmt: skip


def read_vnics(text: str, columns: Sequence[str]) -> tuple[Vnic, ...]:
    """VNICs of all zones. Without the column ZONE nobody can tell where they are: they count as the global zone's."""
    found = []
    for at, (name, over, mac, vid, *zone) in _rows(text, columns):
        try:
            address = parse_mac(mac)
        except InvalidValue:
            raise ReadError(at, "a MAC address", mac) from None
        there = zone[0] if zone and zone[0] not in _NOTHING else ""
        lower = _UNTOLD if over == _UNTOLD else _name(over, at)
        found.append(Vnic(_name(name, at), lower, address, number(vid, at, "vid") or None, there))
    return tuple(found)


def read_properties(text: str, names: Sequence[str]) -> Mapping[tuple[str, str], Settings]:
    """The properties asked for by name and zone of the link (empty: global).

    A link has one line for each property. Links of several zones may have one name; their lines are told apart by their
    order, which is the same for each property.
    """
    by_name: dict[str, dict[str, list[Setting]]] = {}
    for at, (name, prop, value, default) in _rows(text, PROPERTY_COLUMNS):
        if prop != ZONE and prop not in names:
            raise ReadError(at, f"one of the properties {', '.join((ZONE, *names))}", prop)
        setting = Setting(_text(value), _text(default))
        by_name.setdefault(_name(name, at), {}).setdefault(prop, []).append(setting)
    found: dict[tuple[str, str], Settings] = {}
    for name, settings in by_name.items():
        zones = settings.get(ZONE, [])
        for prop in names:
            if len(settings.get(prop, ())) != len(zones):
                raise ReadError(0, f"property {prop} of {name} as often as property {ZONE}")
        for position, zone in enumerate(zones):
            of_one = {prop: settings[prop][position] for prop in names}
            found[name, "" if zone.value == "global" else zone.value] = of_one
    return found


def _text(value: str) -> str:
    stripped = value.strip()
    return "" if stripped in (*_NOTHING, _UNTOLD) else stripped


def read_bandwidth(text: str) -> int | None:
    """Bits a second of `  100` or `1.500` (Mbit a second); None for no limit. ReadError otherwise."""
    if not text:
        return None
    try:
        bits = Decimal(text) * 10**6
    except InvalidOperation:
        raise ReadError(0, "maxbw in Mb/s", text) from None
    if not bits.is_finite() or bits < 0 or bits != int(bits):
        raise ReadError(0, "maxbw in Mb/s", text)
    return int(bits) or None


def read_list(text: str) -> tuple[str, ...]:
    """The items of a property that holds several."""
    return tuple(text.split(",")) if text else ()


def read_allowed(text: str) -> tuple[str, ...]:
    """The addresses and networks in `allowed-ips`, in canonical form."""
    try:
        return tuple(sorted({parse_network(item) for item in read_list(text)}))
    except InvalidValue:
        raise ReadError(0, "addresses in allowed-ips", text) from None


def read_addresses(text: str) -> Mapping[str, tuple[str, ...]]:
    """The addresses on each interface of the global zone, shown as `address (object)`."""
    found: dict[str, tuple[str, ...]] = {}
    for at, (name, kind, state, address) in _rows(text, ADDRESS_COLUMNS):
        interface, slash, _ = name.partition("/")
        one_of(kind, _ADDRESS_TYPES, at, "type")
        one_of(state, _ADDRESS_STATES, at, "state")
        if not slash:
            raise ReadError(at, "an address object, interface/name", name)
        there = f"{address} ({name})" if address not in (*_NOTHING, _UNTOLD) else name
        found[interface] = (*found.get(interface, ()), there)
    return found
