"""Addresses that two nics want: within one guest, and with the other guests of the host (smartos-vmadm.md 5a)."""

from collections.abc import Sequence

from reconciler.emulation.guests.failures import Failed
from reconciler.emulation.guests.nics import DYNAMIC, static_address
from reconciler.emulation.guests.rows import Json, stored_of_others
from reconciler.emulation.state import State

_NO_VNC_PORT = frozenset({0, -1})


def refuse_conflicts(state: State, uuid: str, nics: Sequence[Json], vnc_port: int | None) -> None:
    """Raises Failed when nics of the guest want one mac, address or VRID, or one that another guest has."""
    _refuse_own_conflicts(nics)
    wanted = {key for nic in nics for key in _claims(nic)}
    if vnc_port is not None and vnc_port not in _NO_VNC_PORT:
        wanted.add(("vnc_port", vnc_port))
    for other in stored_of_others(state, uuid):
        claimed = {key for nic in other["nics"] for key in _claims(nic)}
        claimed.add(("vnc_port", other.get("vnc_port")))
        if claimed & wanted:
            raise Failed("Conflict detected with another vm, please check the MAC, IP, and VRID")


def _refuse_own_conflicts(nics: Sequence[Json]) -> None:
    seen: set[tuple[object, ...]] = set()
    for nic in nics:
        for key in _claims(nic):
            if key in seen:
                raise Failed(f"Cannot add multiple NICs with the same {key[0]}: {key[1]}")
            seen.add(key)
    virtual = [nic for nic in nics if "vrrp_vrid" in nic]
    if virtual and len(virtual) == len(nics):
        raise Failed("VRRP NICs require a non-VRRP NIC in the same VM")


def _claims(nic: Json) -> list[tuple[object, ...]]:
    """What no other nic may have: an address counts together with tag and VLAN, and no VLAN is not VLAN 0."""
    claims: list[tuple[object, ...]] = [("MAC", nic["mac"])]
    claims += [
        ("IP", str(static_address(text).ip), nic.get("nic_tag"), nic.get("vlan_id"))
        for text in nic.get("ips", ())
        if text not in DYNAMIC
    ]
    if "vrrp_vrid" in nic:
        claims.append(("VRID", nic["vrrp_vrid"]))
    return claims
