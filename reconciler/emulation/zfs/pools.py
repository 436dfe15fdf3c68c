"""Pools: how they are stored, and what a host of each system has in them from the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.emulation.errors import EmulationError
from reconciler.emulation.state import State
from reconciler.emulation.systems import GIB, System
from reconciler.emulation.zfs import datasets, making, mounts, space, values
from reconciler.emulation.zfs.datasets import DATASET_SCHEMA, Dataset
from reconciler.emulation.zfs.dialect import DIALECTS
from reconciler.emulation.zfs.properties import FILESYSTEM, VOLUME
from reconciler.emulation.zfs.sizes import volume_reservation
from reconciler.emulation.zfs.space import SPACE_SCHEMA
from reconciler.emulation.zfs.values import VALUE_SCHEMA

POOL_SCHEMA = (
    DATASET_SCHEMA
    + VALUE_SCHEMA
    + SPACE_SCHEMA
    + """
CREATE TABLE pool (
    name TEXT PRIMARY KEY, size INTEGER NOT NULL, guid TEXT NOT NULL, health TEXT NOT NULL,
    root INTEGER NOT NULL REFERENCES dataset (id)
) WITHOUT ROWID;
"""
)

SMALLEST_POOL = 64 << 20


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool as a row of the state."""

    name: str
    size: int
    guid: str
    health: str
    root: int


def pools(state: State) -> list[Pool]:
    """All pools by name."""
    return [Pool(*row) for row in state.rows("SELECT name, size, guid, health, root FROM pool ORDER BY name")]


def pool_named(state: State, name: str) -> Pool | None:
    """The pool of that name."""
    row = state.row("SELECT name, size, guid, health, root FROM pool WHERE name = ?", name)
    return Pool(*row) if row else None


def set_health(state: State, name: str, health: str) -> None:
    """Says how a pool is: ONLINE, DEGRADED, SUSPENDED and so on."""
    if pool_named(state, name) is None:
        raise EmulationError(f"the emulated host has no pool {name!r}; remedy: name one of its pools")
    state.write("UPDATE pool SET health = ? WHERE name = ?", health, name)


# The datasets that a system itself puts into its pool: name below the pool, bytes, properties (a volume has volsize).
_SMARTOS: tuple[tuple[str, int, Mapping[str, str]], ...] = (
    ("archive", 0, {"mountpoint": "/zones/archive"}),
    ("config", 0, {"mountpoint": "legacy"}),
    ("cores", 0, {"mountpoint": "none", "compression": "gzip"}),
    ("cores/global", 0, {"mountpoint": "/cores", "quota": str(10 * GIB)}),
    ("dump", GIB, {"volsize": str(GIB), "checksum": "noparity"}),
    ("opt", 0, {"mountpoint": "legacy"}),
    ("swap", GIB, {"volsize": str(GIB)}),
    ("usbkey", 0, {"mountpoint": "legacy"}),
    ("var", 6 << 20, {"mountpoint": "legacy"}),
)
_OMNIOS: tuple[tuple[str, int, Mapping[str, str]], ...] = (
    ("ROOT", 0, {"mountpoint": "legacy"}),
    ("ROOT/omnios", GIB, {"mountpoint": "/", "canmount": "noauto", "org.opensolaris.libbe:policy": "static"}),
    ("ROOT/omnios/var", 50 << 20, {"mountpoint": "/var", "canmount": "noauto"}),
    ("dump", GIB, {"volsize": str(GIB), "checksum": "noparity"}),
    ("export", 0, {"mountpoint": "/export"}),
    ("export/home", 0, {}),
    ("swap", GIB, {"volsize": str(GIB)}),
)
_FURNITURE: Mapping[tuple[str, str], tuple[tuple[str, int, Mapping[str, str]], ...]] = {
    ("smartos", "zones"): _SMARTOS,
    ("omnios", "rpool"): _OMNIOS,
}
# Legacy and noauto file systems that the system has mounted by other means.
MOUNTED_AT_BOOT = frozenset(
    {"zones/config", "zones/opt", "zones/usbkey", "zones/var", "rpool/ROOT/omnios", "rpool/ROOT/omnios/var"}
)


def create_pools(state: State, system: System, sizes: Mapping[str, int], now: float) -> None:
    """Makes the pools of a new host and puts the system's own datasets into them."""
    for name, size in sizes.items():
        create_pool(state, system, name, size, now)
        for below, bytes_, properties in _FURNITURE.get((system.name, name), ()):
            _furnish(state, system, f"{name}/{below}", bytes_, properties, now)


def create_pool(state: State, system: System, name: str, size: int, now: float) -> None:
    """Makes an empty pool; raises EmulationError for a name or size that no pool can have."""
    if not name[:1].isalpha() or not set(name) <= set("-_.: ") | set(filter(str.isalnum, name)):
        raise EmulationError(f"{name!r} is no name for a pool; remedy: begin with a letter, then letters and digits")
    if size < SMALLEST_POOL:
        raise EmulationError(f"pool {name}: {size} bytes are too few; remedy: give it {SMALLEST_POOL} or more")
    dialect = DIALECTS[system.zfs_dialect]
    root = making.insert(state, dialect, name, FILESYSTEM, None, datasets.next_txg(state), int(now))
    guid = datasets.numbered_id(state.fact("seed"), state.next_number("serial"))
    state.write("INSERT INTO pool VALUES (?, ?, ?, 'ONLINE', ?)", name, size, str(guid), root.id)
    datasets.update_dataset(state, root, mounted=1, mounted_at=f"/{name}")


def _furnish(state: State, system: System, name: str, bytes_: int, properties: Mapping[str, str], now: float) -> Dataset:
    dialect = DIALECTS[system.zfs_dialect]
    parent = datasets.dataset_named(state, name.rpartition("/")[0])
    assert parent is not None, f"{name} has no parent"
    kind = VOLUME if "volsize" in properties else FILESYSTEM
    made = making.insert(state, dialect, name, kind, parent, datasets.next_txg(state), int(now))
    for property_name, value in properties.items():
        values.set_local(state, made, property_name, value)
    if kind == VOLUME:
        values.set_local(state, made, "refreservation", str(volume_reservation(int(properties["volsize"]), 8192)))
    space.grow(state, made, bytes_)
    mounts_itself = properties.get("canmount", "on") == "on" and properties.get("mountpoint") not in {"legacy", "none"}
    if kind == FILESYSTEM and (mounts_itself or name in MOUNTED_AT_BOOT):
        place = mounts.mountpoint(state, made)
        datasets.update_dataset(state, made, mounted=1, mounted_at=place.value if place.is_path else None)
    return made
