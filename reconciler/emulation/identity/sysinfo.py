"""`sysinfo` of SmartOS (smartos-vmadm.md 12)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from reconciler.emulation.identity.kstat import MEMORY_MIB
from reconciler.emulation.links.table import AGGR, PHYS, VNIC, Link, links, ports
from reconciler.emulation.links.tags import tags
from reconciler.emulation.links.usbkey import config
from reconciler.emulation.session import Session, Tool, always_reads

_GIB = 1 << 30
_CORES = 8


def _run(session: Session, arguments: Sequence[str]) -> int:
    unknown = [word for word in arguments if word not in {"-f", "-u", "-p", "-fp"}]
    if unknown:
        session.complain("Usage: sysinfo [-f] [-u] [-p]")
        return 1
    if "-u" in arguments:
        return 0
    described = _described(session)
    if "-p" in arguments or "-fp" in arguments:
        for name, value in described.items():
            if isinstance(value, str | int | bool):
                session.line(f"{name.replace(' ', '_')}='{value}'")
        return 0
    session.line(json.dumps(described, indent=2))
    return 0


def _described(session: Session) -> dict[str, object]:
    state = session.state
    pools = state.rows("SELECT name, size FROM pool ORDER BY name")
    main_pool, main_size = pools[0] if pools else ("", 0)
    return {
        "Live Image": session.system.version.removeprefix("joyent_"),
        "System Type": "SunOS",
        "Boot Time": state.fact("boot_time"),
        "Datacenter Name": "",
        "SDC Version": "7.0",
        "Manufacturer": "Emulated",
        "Product": "Emulated Host",
        "Serial Number": state.fact("seed")[:12].upper(),
        "SKU Number": "",
        "HW Version": "",
        "HW Family": "",
        "Setup": "true" if pools else "false",
        "VM Capable": True,
        "Bhyve Capable": True,
        "Bhyve Max Vcpus": 32,
        "HVM API": True,
        "CPU Type": "Emulated CPU @ 2.00GHz",
        "CPU Virtualization": "vmx",
        "CPU Physical Cores": 1,
        "CPU Total Cores": _CORES,
        "UUID": state.fact("uuid"),
        "Hostname": state.fact("hostname"),
        "MiB of Memory": str(MEMORY_MIB),
        "Zpool": main_pool,
        "Zpool Encrypted": False,
        "Zpool Disks": "c1t0d0",
        "Zpool Profile": "striped",
        "Zpool Creation": int(state.fact("founded")),
        "Zpool Size in GiB": main_size // _GIB,
        "Disks": {"c1t0d0": {"Size in GB": main_size // 10**9}},
        "Boot Parameters": {"console": "ttya", "root_shadow": "", "smartos": "true"},
        "SDC Agents": [],
        **_network(session),
        "Admin NIC Tag": "admin",
        "Admin IP": config(state).get("admin_ip", ""),
    }


def _network(session: Session) -> dict[str, object]:
    """The members about links, which follow the tables of dladm and the nic tags."""
    state = session.state
    every = [link for link in links(state) if link.active and not link.namespace]
    names = {link.id: link.name for link in every}
    tagged: dict[str, list[str]] = {}
    for tag in tags(state):
        if tag.link is not None:
            tagged.setdefault(tag.link, []).append(tag.name)
    addresses: dict[str, str] = dict(state.rows("SELECT interface, address FROM address ORDER BY name DESC"))

    def described(link: Link) -> dict[str, object]:
        return {
            "MAC Address": link.mac,
            "ip4addr": addresses.get(link.name, "").partition("/")[0],
            "Link Status": link.state,
        }

    return {
        "Network Interfaces": {
            link.name: described(link) | {"NIC Names": tagged.get(link.name, [])} for link in every if link.kind in {PHYS, AGGR}
        },
        "Virtual Network Interfaces": {
            link.name: described(link) | {"VLAN": str(link.vid), "Host Interface": names[link.over or 0]}
            for link in every
            if link.kind == VNIC
        },
        "Link Aggregations": {
            link.name: {"LACP mode": link.lacp, "Interfaces": [port.name for port in ports(state, link)]}
            for link in every
            if link.kind == AGGR
        },
    }


SYSINFO = Tool(run=_run, only_reads=always_reads)
