"""Dataset names that a guest or the system keeps for itself (kinds.md, Dataset)."""

import re

from providers.tools import zfs_marks
from providers.tools.zfs_rows import SET_HERE, Rows
from providers.zfs.capabilities import Capabilities

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_GUEST = re.compile(rf"[^/]+/({_UUID})(?:[/-].*)?")
_CRASH_DUMPS = re.compile(r"[^/]+/cores(?:/.*)?")
_SMARTOS = frozenset({"archive", "config", "dump", "opt", "swap", "usbkey", "var"})
_BOOT = re.compile(r".*/ROOT(?:/.*)?")
_RESERVED = re.compile(r"[^@]*/\.reconciler-(trash|detached)[^/]*(?:/.*)?")
_GUESTS = re.compile(r"[^/]+/(images|vms|zones)")
_GUEST_KINDS = ("Image", "VirtualMachine", "Zone")
_ROOT_POOL = frozenset({"rpool/dump", "rpool/swap"})


def system_owner(name: str, host: Capabilities) -> str:
    """Whose the name is, as words after "belongs to"; empty when it is anybody's."""
    if found := _RESERVED.fullmatch(name):
        return "the trash" if found[1] == "trash" else "a guest whose disk was detached"
    if _BOOT.fullmatch(name):
        return "a boot environment"
    if name in _ROOT_POOL:
        return "the system"
    if not host.is_smartos:
        return ""
    if found := _GUEST.fullmatch(name):
        return f"the guest or image {found[1]}"
    if _CRASH_DUMPS.fullmatch(name):
        return "the system's crash dumps"
    return "the system" if name.partition("/")[2] in _SMARTOS else ""


def guest_owner(rows: Rows, host: Capabilities) -> str:
    """Which guest or image made the dataset, or one that it lies in; empty where none did.

    On Linux these are datasets that bear the mark of their guest. What lies below inherits it, unless it has its own.
    """
    if rows.sources[zfs_marks.OWNER] != "-" and (marked := zfs_marks.key_in(rows)).kind in _GUEST_KINDS:
        return str(marked)
    if host.is_linux and rows.sources[zfs_marks.OWNER] not in SET_HERE and (found := _GUESTS.fullmatch(rows.name)):
        return f"the host's {found[1]}"
    return ""
