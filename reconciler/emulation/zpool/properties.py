"""The properties of pools, per dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reconciler.emulation.state import State
from reconciler.emulation.zfs import space
from reconciler.emulation.zfs.dialect import Dialect
from reconciler.emulation.zfs.pools import Pool
from reconciler.emulation.zfs.sizes import human

_COMMON: Mapping[str, str] = MappingProxyType(
    {
        "altroot": "-",
        "bootfs": "-",
        "delegation": "on",
        "autoreplace": "off",
        "cachefile": "-",
        "failmode": "wait",
        "listsnapshots": "off",
        "autoexpand": "off",
        "dedupditto": "0",
    }
)
_LATER: Mapping[str, str] = MappingProxyType(
    {
        "readonly": "off",
        "comment": "-",
        "expandsize": "-",
        "freeing": "0",
        "fragmentation": "0",
        "leaked": "0",
        "bootsize": "-",
        "checkpoint": "-",
        "multihost": "off",
        "ashift": "0",
        "autotrim": "off",
    }
)
_FEATURES = (
    "async_destroy", "empty_bpobj", "lz4_compress", "multi_vdev_crash_dump", "spacemap_histogram", "enabled_txg",
    "hole_birth", "extensible_dataset", "bookmarks", "filesystem_limits", "embedded_data", "large_blocks", "sha512",
    "skein", "edonr", "device_removal", "obsolete_counts", "zpool_checkpoint", "spacemap_v2", "allocation_classes",
    "resilver_defer", "bookmark_v2", "userobj_accounting", "project_quota", "log_spacemap", "large_dnode", "encryption",
)  # fmt: skip
_ACTIVE = frozenset({"async_destroy", "lz4_compress", "spacemap_histogram", "enabled_txg", "hole_birth", "embedded_data"})
_WITHOUT_SOURCE = frozenset(
    {"size", "capacity", "health", "dedupratio", "free", "allocated", "expandsize", "fragmentation", "freeing", "leaked",
     "checkpoint", "bootsize", "readonly"}
)  # fmt: skip
_SIZES = frozenset({"size", "free", "allocated"})
_SHORT: Mapping[str, str] = MappingProxyType(
    {
        "alloc": "allocated",
        "cap": "capacity",
        "dedup": "dedupratio",
        "rdonly": "readonly",
        "frag": "fragmentation",
        "expandsz": "expandsize",
        "ckpoint": "checkpoint",
        "listsnaps": "listsnapshots",
    }
)


@dataclass(frozen=True, slots=True)
class PoolCell:
    """One property of one pool as `zpool get` prints it."""

    value: str
    source: str


def full_name(dialect: Dialect, name: str) -> str | None:
    """A pool property's full name; None when there is none of that name."""
    full = _SHORT.get(name, name)
    if dialect.zpool_get_options and full.startswith("feature@"):
        return full
    return full if full in names(dialect) or full == "name" else None


def names(dialect: Dialect) -> tuple[str, ...]:
    """All properties in the order of `zpool get all`, features not counted."""
    first = ("size", "capacity", "altroot", "health", "guid", "version", "bootfs", "delegation", "autoreplace")
    second = ("cachefile", "failmode", "listsnapshots", "autoexpand", "dedupditto", "dedupratio", "free", "allocated")
    return first + second + (tuple(_LATER) if dialect.zpool_get_options else ("ashift",))


def feature_names(dialect: Dialect) -> tuple[str, ...]:
    """The feature flags of a pool; none where pools have a version."""
    return tuple(f"feature@{name}" for name in _FEATURES) if dialect.zpool_get_options else ()


def cells(state: State, dialect: Dialect, pool: Pool, *, exact: bool) -> dict[str, PoolCell]:
    """All properties of a pool."""
    allocated = space.allocated(state, pool.name)
    percent = "" if exact else "%"
    values = {
        "name": pool.name,
        "size": str(pool.size),
        "capacity": f"{allocated * 100 // pool.size}{percent}",
        "health": pool.health,
        "guid": pool.guid,
        "version": dialect.pool_version,
        "dedupratio": "1.00x",
        "free": str(pool.size - allocated),
        "allocated": str(allocated),
        **_COMMON,
        **_LATER,
    }
    values["fragmentation"] += percent
    for name in _SIZES if not exact else ():
        values[name] = human(int(values[name]))
    found = {
        name: PoolCell(value, "-" if name in _WITHOUT_SOURCE or name == "name" else "default") for name, value in values.items()
    }
    for name in _FEATURES if dialect.zpool_get_options else ():
        found[f"feature@{name}"] = PoolCell("active" if name in _ACTIVE else "enabled", "local")
    return found
