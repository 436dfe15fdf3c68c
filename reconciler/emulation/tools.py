"""The table of all emulated tools. A tool's code is loaded when it is first run, which keeps executables quick."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from reconciler.emulation.session import Tool


def _zfs() -> Tool:
    from reconciler.emulation.zfs.tool import ZFS

    return ZFS


def _zpool() -> Tool:
    from reconciler.emulation.zpool.tool import ZPOOL

    return ZPOOL


def _uname() -> Tool:
    from reconciler.emulation.identity.uname import UNAME

    return UNAME


def _hostname() -> Tool:
    from reconciler.emulation.identity.names import HOSTNAME

    return HOSTNAME


def _hostid() -> Tool:
    from reconciler.emulation.identity.names import HOSTID

    return HOSTID


def _cat() -> Tool:
    from reconciler.emulation.identity.files import CAT

    return CAT


def _kstat() -> Tool:
    from reconciler.emulation.identity.kstat import KSTAT

    return KSTAT


def _sysinfo() -> Tool:
    from reconciler.emulation.identity.sysinfo import SYSINFO

    return SYSINFO


def _dladm() -> Tool:
    from reconciler.emulation.links.dladm.tool import DLADM

    return DLADM


def _ipadm() -> Tool:
    from reconciler.emulation.links.ipadm import IPADM

    return IPADM


def _route() -> Tool:
    from reconciler.emulation.links.routes import ROUTE

    return ROUTE


def _netstat() -> Tool:
    from reconciler.emulation.links.routes import NETSTAT

    return NETSTAT


def _nictagadm() -> Tool:
    from reconciler.emulation.links.nictagadm import NICTAGADM

    return NICTAGADM


def _imgadm() -> Tool:
    from reconciler.emulation.images.tool import IMGADM

    return IMGADM


def _vmadm() -> Tool:
    from reconciler.emulation.guests.tool import VMADM

    return VMADM


def _fwadm() -> Tool:
    from reconciler.emulation.firewall.tool import FWADM

    return FWADM


def _svcs() -> Tool:
    from reconciler.emulation.identity.services import SVCS

    return SVCS


def _zoneadm() -> Tool:
    from reconciler.emulation.identity.zones import ZONEADM

    return ZONEADM


def _zonename() -> Tool:
    from reconciler.emulation.identity.zones import ZONENAME

    return ZONENAME


TOOLS: Mapping[str, Callable[[], Tool]] = MappingProxyType(
    {
        "cat": _cat,
        "dladm": _dladm,
        "hostid": _hostid,
        "hostname": _hostname,
        "ipadm": _ipadm,
        "fwadm": _fwadm,
        "imgadm": _imgadm,
        "kstat": _kstat,
        "netstat": _netstat,
        "nictagadm": _nictagadm,
        "route": _route,
        "svcs": _svcs,
        "sysinfo": _sysinfo,
        "uname": _uname,
        "vmadm": _vmadm,
        "zfs": _zfs,
        "zoneadm": _zoneadm,
        "zonename": _zonename,
        "zpool": _zpool,
    }
)
