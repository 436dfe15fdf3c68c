"""What the links of a host are when it is made, and what is left of them after a boot."""

from __future__ import annotations

import contextlib

from reconciler.emulation.links.errors import Refused
from reconciler.emulation.links.macs import factory_mac, mac_of
from reconciler.emulation.links.properties import ETHERNET_MTU, ETHERSTUB_MTU, LARGEST_MTU, default_mtu, set_active
from reconciler.emulation.links.table import (
    AGGR,
    ETHERSTUB,
    LINK_SCHEMA,
    PHYS,
    VLAN,
    VNIC,
    add_link,
    link_named,
    link_with_id,
    links,
    remove_link,
    update_link,
)
from reconciler.emulation.links.tags import etherstub_tags, tags
from reconciler.emulation.links.usbkey import config, set_key
from reconciler.emulation.parts import Part
from reconciler.emulation.state import State
from reconciler.emulation.systems import System

HOST_ADDRESS = "10.0.0.2"
_PREFIX_LENGTH = 24
_GATEWAY = "10.0.0.1"
_TAGS = ("admin", "external")


def _fill(state: State, system: System, now: float) -> None:
    del now
    if system.kernel != "SunOS":
        return
    seed = state.fact("seed")
    names = state.fact("links").split()
    for name in names:
        add_link(state, name, PHYS, persistent=True, mac=factory_mac(seed, name), mac_type="factory", mtu=ETHERNET_MTU)
    for family, address in (("v4", "127.0.0.1/8"), ("v6", "::1/128")):
        _add_address(state, f"lo0/{family}", "lo0", address)
    if system.name == "smartos":
        _write_config(state, dict(zip(_TAGS, names, strict=False)), seed)
    if names:
        _set_up_network(state, system, names[0])


def _write_config(state: State, tagged: dict[str, str], seed: str) -> None:
    keys: dict[str, str] = {}
    for tag, link in tagged.items():
        keys[f"{tag}_nic"] = factory_mac(seed, link)
        if tag == "admin":
            keys |= {"admin_ip": HOST_ADDRESS, "admin_netmask": "255.255.255.0", "admin_network": "10.0.0.0"}
            keys["admin_gateway"] = _GATEWAY
    keys |= {
        "headnode_default_gateway": _GATEWAY,
        "dns_resolvers": _GATEWAY,
        "dns_domain": "local",
        "ntp_hosts": "0.smartos.pool.ntp.org",
        "hostname": state.fact("hostname"),
        "root_authorized_keys_file": "root.authorized_keys",
    }
    for key, value in keys.items():
        set_key(state, key, value)


def _set_up_network(state: State, system: System, link: str) -> None:
    # SmartOS plumbs the address without ipadm's knowing a name for it.
    name = f"{link}/_a" if system.name == "smartos" else f"{link}/v4"
    _add_address(state, name, link, f"{HOST_ADDRESS}/{_PREFIX_LENGTH}")
    state.write("INSERT INTO route VALUES ('default', ?, ?)", _GATEWAY, link)
    state.write("INSERT INTO route VALUES ('10.0.0.0', ?, ?)", HOST_ADDRESS, link)


def _add_address(state: State, name: str, interface: str, address: str) -> None:
    state.write("INSERT INTO address VALUES (?, ?, 'static', 'ok', ?, 1)", name, interface, address)


def _boot(state: State, system: System, now: float) -> None:
    del now
    if system.kernel != "SunOS":
        return
    # The root of SmartOS is a ramdisk: what was stored is gone as well.
    forgets = system.name == "smartos"
    state.write("DELETE FROM link_property")
    if forgets:
        state.write("DELETE FROM stored_property")
    for link in links(state):
        if link.kind != PHYS and (forgets or not link.persistent):
            remove_link(state, link)
    for link in links(state):
        _bring_up(state, link.id)
    if forgets:
        _make_configured(state)
    there = "(SELECT 'lo0' UNION SELECT name FROM link WHERE active AND namespace = '')"
    state.write(f"DELETE FROM address WHERE NOT persistent OR interface NOT IN {there}")
    state.write(f"DELETE FROM route WHERE interface NOT IN {there}")


def _bring_up(state: State, number: int) -> None:
    """Makes a stored link active with its stored properties, unless the one below it is gone."""
    link = link_with_id(state, number)
    below = link_with_id(state, link.over) if link.over is not None else None
    stands = link.kind not in {VNIC, VLAN} or (below is not None and below.active)
    update_link(state, link, active=int(stands), zone="", mtu=default_mtu(state, link))
    for name, value in state.rows("SELECT name, value FROM stored_property WHERE link = ? ORDER BY name", number):
        # IP is plumbed later than this. A value that no longer fits the link below is left out.
        if name == "mtu":
            update_link(state, link, mtu=min(int(value), below.mtu if below else LARGEST_MTU))
            continue
        with contextlib.suppress(Refused):
            set_active(state, link_with_id(state, number), name, value.split(","))


def _make_configured(state: State) -> None:
    """Makes the aggregations and etherstubs that `/usbkey/config` names."""
    keys = config(state)
    by_mac = {link.mac: link for link in links(state) if link.kind == PHYS}
    for key, value in keys.items():
        name = key.removesuffix("_aggr")
        if name == key or link_named(state, name) is not None:
            continue
        macs = [mac_of(text.strip()) for text in value.split(",")]
        members = [by_mac[mac] for mac in macs if mac in by_mac]
        if not members:
            continue
        aggregation = add_link(
            state, name, AGGR, persistent=False, mac=members[0].mac, mtu=ETHERNET_MTU,
            policy="L4", lacp=keys.get(f"{name}_lacp_mode", "off"), timer="short",
        )  # fmt: skip
        for member in members:
            update_link(state, member, port_of=aggregation.id)
    for tag in tags(state):
        mtu = keys.get(f"{tag.name}_mtu", "")
        if tag.link is not None and mtu.isdigit():
            state.write("UPDATE link SET mtu = ? WHERE namespace = '' AND name = ?", int(mtu), tag.link)
    for name in etherstub_tags(state):
        add_link(state, name, ETHERSTUB, persistent=False, mtu=ETHERSTUB_MTU, link_state="unknown")


LINKS = Part(LINK_SCHEMA, _fill, _boot)
