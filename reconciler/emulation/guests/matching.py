"""Which guests `lookup` and `list` mean: keys, exact values and patterns (smartos-vmadm.md 3)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.emulation.guests.brands import BRANDS
from reconciler.emulation.guests.failures import Failed
from reconciler.emulation.guests.rows import Json

LISTABLE = frozenset(
    {
        "alias", "autoboot", "billing_id", "boot_timestamp", "brand", "cpu_cap", "cpu_shares", "cpu_type",
        "create_timestamp", "dns_domain", "do_not_inventory", "docker", "exit_status", "exit_timestamp",
        "firewall_enabled", "flexible_disk_size", "free_space", "hostname", "hvm", "image_uuid",
        "indestructible_delegated", "indestructible_zoneroot", "ram", "max_locked_memory", "max_lwps",
        "max_physical_memory", "max_swap", "owner_uuid", "package_name", "package_version", "pid",
        "qemu_extra_opts", "quota", "zone_state", "state", "tmpfs", "type", "uuid", "vcpus", "zfs_io_priority",
        "zpool", "zonename", "zonepath", "zoneid",
    }
)  # fmt: skip
_NIC_KEYS = frozenset(["dhcp_server", "gateway", "interface", "ip", "mac", "model", "netmask", "nic_tag", "vlan_id"])
_DISK_KEYS = frozenset(["boot", "image_name", "image_size", "image_uuid", "size", "media", "model", "zpool"])
_ITEMS = {"nics": _NIC_KEYS, "disks": _DISK_KEYS}
_MAPS = frozenset({"tags", "customer_metadata", "internal_metadata"})


@dataclass(frozen=True, slots=True)
class Filter:
    """One `KEY=VALUE` or `KEY=~PATTERN`."""

    path: tuple[str, ...]
    value: str
    pattern: re.Pattern[str] | None

    def matches(self, guest: Json) -> bool:
        """Whether one of the values under the key is meant."""
        return any(self._is_meant(value) for value in _values(guest, self.path))

    def _is_meant(self, value: object) -> bool:
        text = text_of(value)
        return self.pattern.search(text) is not None if self.pattern is not None else text == self.value


def filters(words: Iterable[str]) -> list[Filter]:
    """The filters of a command line; raises Failed for a key that nobody can look for."""
    return [_filter(word) for word in words]


def _filter(word: str) -> Filter:
    key, separator, value = word.partition("=")
    if not separator:
        raise Failed(f"Invalid lookup argument: {word}")
    path = tuple(key.split("."))
    if not _is_key(path):
        raise Failed(f'Invalid lookup key: "{key}"')
    if not value.startswith("~"):
        return Filter(path, value, None)
    try:
        return Filter(path, value, re.compile(value[1:], re.IGNORECASE))
    except re.error as error:
        raise Failed(f"Invalid regular expression: /{value[1:]}/: {error}") from error


def _is_key(path: Sequence[str]) -> bool:
    if len(path) == 1:
        return path[0] in LISTABLE
    if len(path) == 2 and path[0] in _MAPS:
        return True
    return len(path) == 3 and path[2] in _ITEMS.get(path[0], ()) and (path[1] == "*" or path[1].isdigit())


def _values(found: object, path: Sequence[str]) -> Iterable[object]:
    if not path:
        yield found
    elif path[0] == "*" and isinstance(found, list):
        for item in found:
            yield from _values(item, path[1:])
    elif isinstance(found, list) and path[0].isdigit():
        if int(path[0]) < len(found):
            yield from _values(found[int(path[0])], path[1:])
    elif isinstance(found, Mapping) and path[0] in found:
        yield from _values(found[path[0]], path[1:])


def text_of(value: object) -> str:
    """A value as a filter compares it."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def with_lookup_fields(guest: Json) -> Json:
    """A full object with what only lookups add: its type, and the memory of a zone as `ram`."""
    brand = BRANDS[guest["brand"]]
    found = {**guest, "type": brand.type}
    if not brand.hvm:
        found["ram"] = guest["max_physical_memory"]
    return found
