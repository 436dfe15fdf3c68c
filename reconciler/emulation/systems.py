"""The kinds of host that can be emulated: what they call themselves, which tools they have, what they begin with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reconciler.emulation.errors import EmulationError

GIB = 1 << 30
TIB = 1 << 40


@dataclass(frozen=True, slots=True)
class System:
    """One kind of host."""

    name: str
    tools: frozenset[str]
    default_pools: Mapping[str, int]
    """Bytes of each pool."""
    kernel: str
    release: str
    version: str
    machine: str
    processor: str
    platform: str
    """What `uname -i` prints."""
    zfs_dialect: str
    files: Mapping[str, str]
    """Text of the files that facts are read from; `{machine_id}` stands for the host's own."""


_ILLUMOS_TOOLS = frozenset(
    {
        "zfs", "zpool", "uname", "hostname", "hostid", "cat", "kstat", "dladm", "ipadm", "route", "netstat", "svcs",
        "zoneadm", "zonename",
    }
)  # fmt: skip

SYSTEMS: Mapping[str, System] = MappingProxyType(
    {
        "smartos": System(
            name="smartos",
            tools=_ILLUMOS_TOOLS | {"fwadm", "imgadm", "nictagadm", "sysinfo", "vmadm"},
            default_pools=MappingProxyType({"zones": TIB}),
            kernel="SunOS",
            release="5.11",
            version="joyent_20250724T000555Z",
            machine="i86pc",
            processor="i386",
            platform="i86pc",
            zfs_dialect="illumos",
            files=MappingProxyType(
                {"/etc/release": "                       SmartOS 20250724T000555Z x86_64\n"},
            ),
        ),
        "omnios": System(
            name="omnios",
            tools=_ILLUMOS_TOOLS,
            default_pools=MappingProxyType({"rpool": 100 * GIB, "tank": TIB}),
            kernel="SunOS",
            release="5.11",
            version="omnios-r151054-d0b0b0c2b5a",
            machine="i86pc",
            processor="i386",
            platform="i86pc",
            zfs_dialect="illumos",
            files=MappingProxyType(
                {
                    "/etc/release": "  OmniOS v11 r151054\n"
                    "  Copyright (c) 2012-2017 OmniTI Computer Consulting, Inc. All rights reserved.\n"
                    "  Copyright (c) 2017-2025 OmniOS Community Edition (OmniOSce) Association.\n"
                    "  All rights reserved. Use is subject to licence terms.\n",
                    "/etc/os-release": 'NAME="OmniOS"\nPRETTY_NAME="OmniOS Community Edition v11 r151054"\n'
                    "ID=omnios\nVERSION=r151054\nVERSION_ID=r151054\n",
                },
            ),
        ),
        "linux-zfs-fuse": System(
            name="linux-zfs-fuse",
            tools=frozenset({"zfs", "zpool", "uname", "hostname", "hostid", "cat"}),
            default_pools=MappingProxyType({"tank": TIB}),
            kernel="Linux",
            release="6.1.0-37-amd64",
            version="#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1 (2025-05-22)",
            machine="x86_64",
            processor="unknown",
            platform="unknown",
            zfs_dialect="zfs-fuse",
            files=MappingProxyType(
                {
                    "/etc/machine-id": "{machine_id}\n",
                    "/etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\n'
                    'VERSION_ID="12"\nVERSION="12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n',
                    "/proc/sys/kernel/random/boot_id": "{boot_id}\n",
                },
            ),
        ),
    }
)


def system_named(name: str) -> System:
    """The system of that name; raises EmulationError for one that can't be emulated."""
    found = SYSTEMS.get(name)
    if found is None:
        raise EmulationError(f"there is no emulated system {name!r}; remedy: use one of {', '.join(sorted(SYSTEMS))}")
    return found
