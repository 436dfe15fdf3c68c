"""The VNICs of guests: they appear in dladm when a guest starts and vanish when it halts."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.emulation.links.errors import Refused
from reconciler.emulation.links.macs import is_unicast, mac_of
from reconciler.emulation.links.properties import set_active
from reconciler.emulation.links.table import VNIC, add_link, is_taken, link_named
from reconciler.emulation.links.tags import tag_link
from reconciler.emulation.state import State


def attach(state: State, zone: str, name: str, tag: str, mac: str, vid: int, mtu: int | None) -> None:
    """Makes the VNIC of a guest in its zone's namespace, over the link of its nic tag; active only.

    `vid` is 0 without a VLAN; `mtu` None is that of the link below. Raises Refused with dladm's status text: `object not
    found` (the tag has no link), `object already exists` (the name), `invalid MAC address`, `MAC address is already in use`
    (in the same VLAN over the same link).
    """
    lower_name = tag_link(state, tag)
    lower = link_named(state, lower_name) if lower_name is not None else None
    if lower is None:
        raise Refused("object not found")
    if link_named(state, name, zone) is not None:
        raise Refused("object already exists")
    kept = mac_of(mac)
    if kept is None or not is_unicast(kept):
        raise Refused("invalid MAC address")
    if is_taken(state, lower, kept, vid):
        raise Refused("MAC address is already in use")
    add_link(
        state, name, VNIC, persistent=False, namespace=zone, over=lower, mac=kept, mac_type="fixed", vid=vid,
        mtu=mtu if mtu is not None else lower.mtu, zone=zone,
    )  # fmt: skip


def detach(state: State, zone: str) -> None:
    """Takes away all VNICs of a guest that halts; links that the zone had from the global zone go back to it."""
    state.write("DELETE FROM link WHERE namespace = ?", zone)
    state.write("UPDATE link SET zone = '' WHERE zone = ?", zone)


def set_properties(state: State, zone: str, name: str, properties: Mapping[str, str]) -> None:
    """Sets properties of a running guest's VNIC, as `dladm set-linkprop -t -z ZONE` does; an empty value resets one.

    Values are written as for dladm, list items joined by commas. Raises Refused with dladm's status text (`object not
    found`, `invalid value`); what was set before that stays.
    """
    link = link_named(state, name, zone)
    if link is None:
        raise Refused("object not found")
    for property_name, value in properties.items():
        set_active(state, link, property_name, value.split(",") if value else None)
