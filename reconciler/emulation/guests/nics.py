"""The nics of a guest: from what a payload says to what is stored (smartos-vmadm.md 5a, 7)."""

import ipaddress
import re
from collections.abc import Mapping, Sequence

from reconciler.emulation.guests.brands import BRANDS
from reconciler.emulation.guests.failures import Failed
from reconciler.emulation.guests.ids import random_mac
from reconciler.emulation.guests.rows import Json, is_mentioned
from reconciler.emulation.links.tags import etherstub_tags, tag_link
from reconciler.emulation.state import State

DYNAMIC = frozenset({"dhcp", "addrconf"})
_MOST_IPS = 20
_MOST_ADDRESSES = 32
_MOST_ALLOWED_IPS = 13
_MOST_CLIENT_IDS = 20
_LEAST_PHYSICAL_MTU = 1500
_MAC = re.compile(r"[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}")
_TAG = re.compile(r"[A-Za-z0-9_/]+")
_ORDER = (
    "interface", "mac", "vlan_id", "nic_tag", "gateway", "gateways", "netmask", "ip", "ips", "mtu", "model",
)  # fmt: skip


def padded_mac(text: str) -> str:
    """An address with two lower-case digits in each part; text that is none stays as it is."""
    lower = text.lower()
    return ":".join(part.zfill(2) for part in lower.split(":")) if _MAC.fullmatch(lower) else text


def added(state: State, brand: str, stored: Json, items: Sequence[Json]) -> list[Json]:
    """New nics, completed, in the order given; `stored` is the guest that gets them. Raises Failed."""
    nics: list[Json] = list(stored["nics"])
    found = []
    for item in items:
        nic = dict(item)
        if "vrrp_vrid" in nic:
            nic["mac"] = f"00:00:5e:00:01:{nic['vrrp_vrid']:02x}"
        nic["mac"] = padded_mac(nic["mac"]) if "mac" in nic else _generated_mac(state)
        if not _MAC.fullmatch(nic["mac"]):
            raise Failed(f"Command failed: -: invalid mac-addr '{nic['mac']}'")
        nic.setdefault("interface", _free_interface(brand, nics))
        if any(one["interface"] == nic["interface"] for one in nics):
            raise Failed(f"Cannot add multiple NICs with the same interface: {nic['interface']}")
        if BRANDS[brand].hvm:
            _give_model(brand, stored, nic)
        nic = completed(nic)
        check(state, nic)
        nics.append(nic)
        found.append(nic)
    return found


def updated(state: State, brand: str, nic: Json, item: Json) -> Json:
    """A nic after an update; raises Failed."""
    changed = {**nic, **item}
    if item.keys() & {"ip", "netmask"} and "ips" not in item:
        # The old form speaks of the first address; the others stay.
        changed["ips"] = None if item.get("ip", nic.get("ip")) is None else _from_old_form(changed)
        changed["ips"] = [*(changed["ips"] or []), *nic.get("ips", [])[1:]] or None
    if "gateway" in item and "gateways" not in item:
        changed["gateways"] = [item["gateway"]] if item["gateway"] else None
    for name in ("ip", "netmask", "gateway"):
        changed.pop(name, None)
    if "/" in str(item.get("nic_tag", "")):
        raise Failed(f'Invalid nic tag "{item["nic_tag"]}"')
    if "model" in item:
        _give_model(brand, {}, changed)
    changed["mac"] = nic["mac"]
    found = completed({name: value for name, value in changed.items() if value is not None})
    check(state, found)
    return found


def _give_model(brand: str, stored: Json, nic: Json) -> None:
    model = nic.setdefault("model", stored.get("nic_driver"))
    if model is None:
        raise Failed(f"missing .model option for NIC: {_shown({k: v for k, v in nic.items() if v is not None})}")
    if model not in BRANDS[brand].nic_models:
        raise Failed(f'"{model}" is not a valid NIC model')


def _shown(item: Json) -> str:
    pairs = (f"{name}: {value!r}" for name, value in item.items())
    return "{ " + ", ".join(pairs) + " }"


def _from_old_form(nic: Mapping[str, object]) -> list[str]:
    ip = str(nic["ip"])
    if ip in DYNAMIC:
        return [ip]
    netmask = nic.get("netmask")
    if not netmask:
        raise Failed("Missing .netmask option for NIC")
    try:
        return [f"{ip}/{ipaddress.IPv4Network(f'0.0.0.0/{netmask}').prefixlen}"]
    except ValueError as error:
        raise Failed(f"Invalid IP for NIC: {ip}/{netmask}") from error


def completed(nic: Json) -> Json:
    """A nic in both forms: `ips` and `gateways`, and the old ones made from the first of them."""
    found = dict(nic)
    if "ips" not in found and "ip" in found:
        found["ips"] = _from_old_form(found)
    for name in ("ips", "gateways", "allowed_ips"):
        if name in found:
            found[name] = [str(text) for text in found[name]]
    if "gateways" not in found and "gateway" in found:
        found["gateways"] = [found["gateway"]]
    for name in ("ip", "netmask", "gateway"):
        found.pop(name, None)
    if found.get("gateways"):
        found["gateway"] = found["gateways"][0]
    else:
        found.pop("gateways", None)
    if not found.get("ips"):
        found.pop("ips", None)
    for text in found.get("ips", ()):
        if text == "dhcp":
            found["ip"] = "dhcp"
            break
        if text not in DYNAMIC and ":" not in text:
            address = static_address(text)
            found |= {"ip": str(address.ip), "netmask": str(address.netmask)}
            break
    if "dhcp_server" in found:
        found["allow_dhcp_spoofing"] = found.pop("dhcp_server")
    if "blocked_outgoing_ports" in found:
        found["blocked_outgoing_ports"] = [
            int(port) if str(port).isdigit() else port for port in found["blocked_outgoing_ports"]
        ]
    ordered = {name: found[name] for name in _ORDER if name in found}
    return ordered | {name: value for name, value in found.items() if name not in _ORDER}


def static_address(text: object) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    """An address with its prefix; raises Failed."""
    if "/" in str(text):
        try:
            return ipaddress.ip_interface(str(text))
        except ValueError:
            pass
    raise Failed(f"Invalid IP for NIC: {text}")


def check(state: State, nic: Json) -> None:
    """Raises Failed for a nic that no guest of this host can have."""
    tag = str(nic.get("nic_tag", ""))
    require_tag(state, tag)
    ips = nic.get("ips", [])
    for text in ips:
        if text not in DYNAMIC:
            static_address(text)
    for text in nic.get("gateways", ()):
        if not _is_ipv4(text):
            raise Failed("Static gateways must be IPv4 addresses")
    allowed = nic.get("allowed_ips", [])
    for text in allowed:
        try:
            ipaddress.ip_interface(str(text))
        except ValueError as error:
            raise Failed(f"Invalid allowed IP for NIC: {text}") from error
    too_many = (
        len(ips) > _MOST_IPS
        or len(allowed) > _MOST_ALLOWED_IPS
        or len(ips) + len(allowed) + ("vrrp_primary_ip" in nic) > _MOST_ADDRESSES
        or len(nic.get("allowed_dhcp_cids", ())) > _MOST_CLIENT_IDS
    )
    if too_many:
        raise Failed("Too many addresses for NIC")
    if any(not str(text).startswith("0x") for text in nic.get("allowed_dhcp_cids", ())):
        raise Failed("Invalid DHCP client id for NIC: it must begin with 0x")
    if nic.get("mtu", _LEAST_PHYSICAL_MTU) < _LEAST_PHYSICAL_MTU and tag not in etherstub_tags(state):
        raise Failed(f"Invalid mtu {nic['mtu']} for NIC: must be at least {_LEAST_PHYSICAL_MTU}")


def _is_ipv4(text: object) -> bool:
    try:
        ipaddress.IPv4Address(str(text))
    except ValueError:
        return False
    return True


def require_tag(state: State, tag: str) -> None:
    """Raises Failed for a nic tag that the host has not got."""
    if not _TAG.fullmatch(tag) or tag_link(state, tag) is None:
        raise Failed(f'Invalid nic tag "{tag}"')


def _free_interface(brand: str, nics: Sequence[Json]) -> str:
    taken = {nic["interface"] for nic in nics}
    prefix = BRANDS[brand].interface
    return next(name for name in (f"{prefix}{number}" for number in range(len(nics) + 1)) if name not in taken)


def _generated_mac(state: State) -> str:
    while is_mentioned(state, mac := random_mac(state)):
        continue
    return mac


def with_primary(nics: Sequence[Json], wanted: Sequence[str]) -> list[Json]:
    """The nics with exactly one primary one: that which is wanted (by mac), else the former, else the first.

    Raises Failed when more than one is wanted.
    """
    if len(wanted) > 1:
        raise Failed("payload specifies more than 1 primary NIC")
    former = [nic["mac"] for nic in nics if nic.get("primary")]
    chosen = next(iter((*wanted, *former, *(nic["mac"] for nic in nics))), None)
    found = []
    for nic in nics:
        plain = {name: value for name, value in nic.items() if name != "primary"}
        found.append(plain | {"primary": True} if nic["mac"] == chosen else plain)
    return found


def in_order(brand: str, nics: Sequence[Json]) -> list[Json]:
    """The nics as they are shown: by the number in their name; those of lx stay as they come."""
    if BRANDS[brand].interface != "net":
        return list(nics)
    return sorted(nics, key=lambda nic: int(re.sub(r"\D", "", nic["interface"]) or 0))
