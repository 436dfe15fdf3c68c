"""`sysinfo` of SmartOS (smartos-vmadm.md 12)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from reconciler.emulation.identity.kstat import MEMORY_MIB
from reconciler.emulation.links.macs import factory_mac
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
    links = state.fact("links").split()
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
        "Network Interfaces": {link: _interface(session, place, link) for place, link in enumerate(links)},
        "Virtual Network Interfaces": {},
        "Link Aggregations": {},
        "Admin NIC Tag": "admin",
        "Admin IP": "10.0.0.2",
    }


def _interface(session: Session, place: int, link: str) -> dict[str, object]:
    tags = ("admin", "external")
    return {
        "MAC Address": factory_mac(session.state.fact("seed"), link),
        "ip4addr": "10.0.0.2" if place == 0 else "",
        "Link Status": "up",
        "NIC Names": [tags[place]] if place < len(tags) else [],
    }


SYSINFO = Tool(run=_run, only_reads=always_reads)
