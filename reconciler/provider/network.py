"""Spec parts about networks that several kinds share: addresses, rates, and what a nic may do."""

import ipaddress
import re
from decimal import Decimal
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from reconciler.model.errors import InvalidValue
from reconciler.provider.field import FieldRule
from reconciler.provider.kind import Spec
from reconciler.provider.pydantic_errors import raising_custom

_MAC = re.compile(
    r"([0-9a-f]{1,2})[:-]([0-9a-f]{1,2})[:-]([0-9a-f]{1,2})[:-]([0-9a-f]{1,2})[:-]([0-9a-f]{1,2})[:-]([0-9a-f]{1,2})"
)
_MAC_DOTTED = re.compile(r"([0-9a-f]{4})\.([0-9a-f]{4})\.([0-9a-f]{4})|([0-9a-f]{12})")
_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMG])(?:bps|bit/s)", re.IGNORECASE)
_BITS = {"K": 10**3, "M": 10**6, "G": 10**9}


def parse_mac(value: object) -> str:
    """A MAC in any usual spelling as lower case with colons; InvalidValue otherwise, and for multicast and all-zero ones."""
    text = value.strip().lower() if isinstance(value, str) else ""
    if match := _MAC.fullmatch(text):
        parts = [part.zfill(2) for part in match.groups()]
    elif _MAC_DOTTED.fullmatch(text):
        digits = text.replace(".", "")
        parts = [digits[place : place + 2] for place in range(0, 12, 2)]
    else:
        raise InvalidValue(f"{value!r} is not a MAC address", remedy="write for example 02:08:20:0a:01:02, in quotes")
    if int(parts[0], 16) & 1 or set(parts) == {"00"}:
        raise InvalidValue(f"{text} is no address that one nic can have", remedy="write a unicast MAC address")
    return ":".join(parts)


def parse_rate(value: object) -> int:
    """Bits a second of `500Kbps`, `100Mbps`, `1Gbps` (decimal); InvalidValue otherwise."""
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise InvalidValue(f"{value!r} is not a rate", remedy="write for example 500Kbps, 100Mbps or 1Gbps")
    bits = Decimal(match[1]) * _BITS[match[2].upper()]
    if bits != int(bits) or bits == 0:
        raise InvalidValue(f"{value!r} is not a whole number of bits a second", remedy="write it in a smaller unit")
    return int(bits)


def format_rate(bits: int) -> str:
    """The shortest exact text: `1Gbps`, `1500Kbps`."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("K", 10**3)):
        if bits % size == 0:
            return f"{bits // size}{unit}bps"
    return f"{Decimal(bits) / 1000}Kbps"


def parse_address(value: object) -> str:
    """An address with its prefix (`10.0.0.11/24`, `2001:db8::5/64`) in its shortest spelling; InvalidValue otherwise."""
    text = value.strip() if isinstance(value, str) else ""
    if "/" not in text:
        raise InvalidValue(f"{value!r} has no prefix", remedy="write address/prefix, for example 10.0.0.11/24")
    try:
        return str(ipaddress.ip_interface(text))
    except ValueError:
        raise InvalidValue(f"{value!r} is not an address", remedy="write for example 10.0.0.11/24 or 2001:db8::5/64") from None


def parse_nic_address(value: object) -> str:
    """`dhcp`, `addrconf` or an address with its prefix; InvalidValue otherwise."""
    if value in ("dhcp", "addrconf"):
        return str(value)
    if isinstance(value, str) and value.isalpha():
        raise InvalidValue(f"{value!r} is not an address", remedy="write dhcp, addrconf, or address/prefix")
    return parse_address(value)


def parse_ip(value: object) -> str:
    """One address without a prefix, in its shortest spelling; InvalidValue otherwise."""
    try:
        return str(ipaddress.ip_address(value.strip() if isinstance(value, str) else ""))
    except ValueError:
        raise InvalidValue(f"{value!r} is not an address", remedy="write for example 10.0.0.1, without a prefix") from None


def parse_network(value: object) -> str:
    """An address, or a network with its prefix; one address alone gets the prefix of its length. InvalidValue otherwise."""
    try:
        return str(ipaddress.ip_network(value.strip() if isinstance(value, str) else "", strict=False))
    except ValueError:
        raise InvalidValue(
            f"{value!r} is not an address or network", remedy="write for example 10.0.0.5 or 10.0.0.0/24"
        ) from None


def unordered(values: list[str] | None) -> list[str] | None:
    """A list whose order means nothing, in the one order in which it is compared; nothing twice."""
    return sorted(set(values)) if values is not None else None


def none_if_empty(values: list[str] | None) -> list[str] | None:
    """An empty list as null: none."""
    return values or None


Mac: TypeAlias = Annotated[str, BeforeValidator(raising_custom(parse_mac))]
Rate: TypeAlias = Annotated[
    int,
    BeforeValidator(raising_custom(parse_rate)),
    Field(json_schema_extra={"type": "string", "examples": ["100Mbps", "1Gbps"]}),
]
"""Bits a second, written as `100Mbps`."""
Ip: TypeAlias = Annotated[str, BeforeValidator(raising_custom(parse_ip))]
NicAddress: TypeAlias = Annotated[str, BeforeValidator(raising_custom(parse_nic_address))]
Network: TypeAlias = Annotated[str, BeforeValidator(raising_custom(parse_network))]
Vlan: TypeAlias = Annotated[int, Field(ge=0, le=4094)]


class Allow(Spec):
    """What a nic may do beyond its own addresses; each is forbidden unless allowed."""

    macSpoofing: Annotated[bool | None, FieldRule(summary="send from other MAC addresses")] = None
    ipSpoofing: Annotated[bool | None, FieldRule(summary="send from other IP addresses")] = None
    dhcpSpoofing: Annotated[bool | None, FieldRule(summary="answer DHCP requests, use other client ids")] = None
    restrictedTraffic: Annotated[bool | None, FieldRule(summary="send other than IPv4, IPv6 and ARP")] = None
    ips: Annotated[
        list[Network] | None, AfterValidator(unordered), FieldRule(summary="addresses and networks it may use beside its own")
    ] = None
