"""Nics of a guest: our fields and vmadm's, both ways (smartos-vmadm.md 5a, 7)."""

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from providers.tools.vmadm_native import Json
from providers.tools.vmadm_objects import JsonObject
from providers.tools.vmadm_settings import HVM
from reconciler.model.errors import InvalidValue, ReadError
from reconciler.model.value import Fields, Value
from reconciler.provider.network import parse_ip, parse_network, parse_nic_address

_MODEL = "virtio"
"""What every nic of a virtual machine must name, and each brand has."""

_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST = 27
"""Of the 31 characters of an item's name, so that a suffix fits."""

_OLD_FORM = ("ip", "netmask", "gateway")
"""Shown beside `ips` and `gateways`, and made from them."""

_FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "allow.macSpoofing": "allow_mac_spoofing",
        "allow.ipSpoofing": "allow_ip_spoofing",
        "allow.dhcpSpoofing": "allow_dhcp_spoofing",
        "allow.restrictedTraffic": "allow_restricted_traffic",
    }
)
_TEXTS: Mapping[str, str] = MappingProxyType({"over": "nic_tag", "model": "model"})
_LISTS: Mapping[str, str] = MappingProxyType({"ips": "ips", "gateways": "gateways", "allow.ips": "allowed_ips"})
_NUMBERS: Mapping[str, str] = MappingProxyType({"vlan": "vlan_id", "mtu": "mtu"})


def read_nics(nics: tuple[JsonObject, ...], noted: Mapping[str, str]) -> Iterator[tuple[str, Fields, bool]]:
    """Name, fields and whether it is ours, of each nic. `noted` gives the macs of ours by name.

    One that is not ours goes by the name of its interface, with a suffix where one of ours is called so.
    """
    names = {mac: name for name, mac in noted.items()}
    macs = [_mac(nic) for nic in nics]
    taken = {names[mac] for mac in macs if mac in names}
    for place, (nic, mac) in enumerate(zip(nics, macs, strict=True)):
        ours = names.get(mac)
        name = ours if ours is not None else free_name(nic.text("interface") or f"nic{place}", taken)
        taken.add(name)
        yield name, _fields(nic, mac), ours is not None


def free_name(text: str, taken: set[str]) -> str:
    """A name that a manifest can give the item, made of what the host calls it: with `-2`, `-3` ... while that is taken."""
    name = _NO_NAME.sub("-", text)[:_LONGEST]
    name = name if name[:1].isalpha() else f"i{name}"
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def _mac(nic: JsonObject) -> str:
    mac = nic.text("mac")
    if mac is None:
        raise ReadError(0, f"mac of {nic.where}", repr(nic.raw))
    return ":".join(part.zfill(2) for part in mac.lower().split(":"))


def _fields(nic: JsonObject, mac: str) -> dict[str, Value]:
    dhcp_server = nic.flag("dhcp_server")
    found: dict[str, Value] = {name: nic.text(prop) for name, prop in _TEXTS.items()}
    found |= {name: nic.flag(prop) for name, prop in _FLAGS.items()}
    return found | {
        "mac": mac,
        "vlan": nic.number("vlan_id") or None,
        "mtu": nic.number("mtu"),
        "ips": tuple(sorted({_canonical(parse_nic_address, text) for text in _ips(nic)})),
        "gateways": tuple(_canonical(parse_ip, text) for text in nic.texts("gateways") or nic.texts("gateway")) or None,
        "allow.ips": tuple(sorted({_canonical(parse_network, text) for text in nic.texts("allowed_ips")})),
        "allow.dhcpSpoofing": found["allow.dhcpSpoofing"] is True or dhcp_server,
        "primary": nic.flag("primary"),
        "maxBandwidth": None,
    }


def _ips(nic: JsonObject) -> tuple[str, ...]:
    """The addresses; from the old form where the new one is not there."""
    ips, ip, netmask = nic.texts("ips"), nic.text("ip"), nic.text("netmask")
    if ips or ip is None:
        return ips
    if netmask is None:
        return (ip,)
    try:
        return (f"{ip}/{ipaddress.IPv4Network(f'0.0.0.0/{netmask}').prefixlen}",)
    except ValueError:
        raise ReadError(0, f"netmask of {nic.where}", netmask) from None


def _canonical(parse: Callable[[object], str], text: str) -> str:
    try:
        return parse(text)
    except InvalidValue:
        return text


def new_nic(fields: Fields, mac: str, brand: str) -> dict[str, Json]:
    """A nic as it is added. What is none is left out: to vmadm a vlan that is 0 is not the same as none (5a, conflicts)."""
    found: dict[str, Json] = {"mac": mac}
    if brand in HVM:
        found["model"] = _MODEL
    for name, value in sorted(fields.items()):
        if value is not None and value != ():
            found |= told_nic({name: value})
    return found


def told_nic(fields: Fields) -> dict[str, Json]:
    """Fields of a nic as they stand in a payload. `primary` can only be given, and is taken by giving it to another."""
    found: dict[str, Json] = {}
    for name, value in fields.items():
        if name in _FLAGS:
            found[_FLAGS[name]] = value is True
        elif name in _TEXTS:
            found[_TEXTS[name]] = str(value)
        elif name in _LISTS:
            found[_LISTS[name]] = list(value) if isinstance(value, tuple) else []
        elif name in _NUMBERS and (isinstance(value, int) or value is None):
            found[_NUMBERS[name]] = value if value is not None or name != "vlan" else 0
        elif name == "primary" and value is True:
            found["primary"] = True
    return found


def saved_nics(nics: tuple[JsonObject, ...]) -> str:
    """The nics as one text from which they can be added again just as they are."""
    kept = [{name: value for name, value in nic.raw.items() if name not in _OLD_FORM or "ips" not in nic.raw} for nic in nics]
    return json.dumps(kept, sort_keys=True, separators=(",", ":"))


def nics_saved_in(text: str) -> tuple[dict[str, Json], ...]:
    """What `saved_nics` wrote; nothing for any other text."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(found, list):
        return ()
    return tuple(nic for nic in found if isinstance(nic, dict) and isinstance(nic.get("mac"), str))
