"""Dataset names that a guest or the system keeps for itself (kinds.md, Dataset)."""

import re

from providers.zfs.capabilities import Capabilities

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_GUEST = re.compile(rf"[^/]+/({_UUID})(?:[/-].*)?")
_CRASH_DUMPS = re.compile(r"[^/]+/cores(?:/.*)?")
_SMARTOS = frozenset({"archive", "config", "dump", "opt", "swap", "usbkey", "var"})
_BOOT = re.compile(r".*/ROOT(?:/.*)?")
_RESERVED = re.compile(r"[^@]*/\.reconciler-(trash|detached)[^/]*(?:/.*)?")
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
