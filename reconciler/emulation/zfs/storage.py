"""Looking at an emulated host's datasets and changing what no command changes, for tests: no text in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reconciler.emulation.errors import EmulationError
from reconciler.emulation.state import State
from reconciler.emulation.systems import System
from reconciler.emulation.zfs import datasets, mounts, pools, space, values
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.dialect import DIALECTS
from reconciler.emulation.zfs.properties import FILESYSTEM, is_user_property, native_named
from reconciler.emulation.zfs.reading import Cell, Reader


@dataclass(frozen=True, slots=True)
class DatasetView:
    """One dataset as the host has it."""

    name: str
    kind: str
    guid: str
    origin: str | None
    mounted: bool
    used: int
    referenced: int
    available: int
    holds: tuple[str, ...]
    properties: Mapping[str, Cell]
    """All native and user properties, sizes in bytes."""


class Storage:
    """The datasets and pools of one host."""

    def __init__(self, state: State, system: System, clock: Callable[[], float]) -> None:
        self._state = state
        self._system = system
        self._clock = clock

    def names(self) -> tuple[str, ...]:
        """All datasets and snapshots in the order of listing."""
        with self._state.reading():
            return tuple(one.name for one in datasets.everything(self._state))

    def exists(self, name: str) -> bool:
        """Whether there is a dataset or snapshot of that name."""
        with self._state.reading():
            return datasets.dataset_named(self._state, name) is not None

    def dataset(self, name: str) -> DatasetView:
        """All about one dataset; raises EmulationError when there is none."""
        with self._state.reading():
            found = self._found(name)
            reader = Reader(self._state, DIALECTS[self._system.zfs_dialect], [found], exact=True)
            known = next(iter(reader.known()))
            cells = {
                native.name: cell
                for native in reader.shown_natives(found.kind)
                if (cell := reader.native_cell(known, native)) is not None
            }
            cells |= {one: reader.user_cell(known, one) for one in reader.user_properties(known)}
            return DatasetView(
                name=found.name,
                kind=found.kind,
                guid=found.guid,
                origin=None if found.origin is None else datasets.dataset_with_id(self._state, found.origin).name,
                mounted=bool(found.mounted),
                used=found.used,
                referenced=found.referenced,
                available=0 if found.is_snapshot else space.available(self._state, found),
                holds=tuple(tag for tag, _ in datasets.hold_tags(self._state, found)),
                properties=cells,
            )

    def write(self, name: str, size: int) -> None:
        """Puts that many new bytes into a filesystem or volume; raises EmulationError when they do not fit."""
        with self._state.changing():
            found = self._found(name)
            room = space.available(self._state, found)
            if size > room:
                raise EmulationError(
                    f"{name}: {size} bytes do not fit, {room} are available; remedy: write less or raise the quota"
                )
            space.grow(self._state, found, size)

    def erase(self, name: str, size: int) -> None:
        """Takes that many bytes out of a filesystem or volume; its snapshots go on holding what they have."""
        with self._state.changing():
            space.shrink(self._state, self._found(name), size)

    def set_in_use(self, name: str, *, in_use: bool) -> None:
        """Says whether somebody works in a filesystem (it can't be unmounted) or has a volume open."""
        with self._state.changing():
            datasets.update_dataset(self._state, self._found(name), in_use=int(in_use))

    def linger(self, times: int) -> None:
        """From now on an unmounted filesystem refuses that many renames and destroys as busy (zfs-fuse only)."""
        with self._state.changing():
            self._state.set_fact("linger", str(times))

    def receive(self, name: str, property_name: str, value: str) -> None:
        """Gives a dataset a property as if it had come in a stream: source `received`."""
        native = native_named(DIALECTS[self._system.zfs_dialect], property_name)
        if native is None and not is_user_property(property_name):
            raise EmulationError(f"{property_name!r} is no property; remedy: name a native or user property")
        with self._state.changing():
            found = self._found(name)
            full = native.name if native else property_name
            before = values.own_size(self._state, found, full) if full.endswith("reservation") else 0
            values.set_received(self._state, found, full, value)
            if full == "reservation":
                space.reservation_changed(self._state, found, before, values.own_size(self._state, found, full))
            space.settle(self._state, found)

    def set_pool_health(self, pool: str, health: str) -> None:
        """Says how a pool is: ONLINE, DEGRADED, SUSPENDED and so on."""
        with self._state.changing():
            pools.set_health(self._state, pool, health)

    def create_pool(self, pool: str, size: int) -> None:
        """Adds an empty pool."""
        with self._state.changing():
            pools.create_pool(self._state, self._system, pool, size, self._clock())

    def boot(self) -> None:
        """Nothing is in use any more, and mounted is what mounts by itself."""
        with self._state.changing():
            self._state.write("UPDATE dataset SET in_use = 0, lingering = 0")
            for one in datasets.everything(self._state):
                if one.kind != FILESYSTEM:
                    continue
                by_itself = mounts.mounts_by_itself(self._state, one)
                system_owned = bool(one.mounted) and not by_itself and one.name in pools.MOUNTED_AT_BOOT
                place = mounts.mountpoint(self._state, one)
                datasets.update_dataset(
                    self._state,
                    one,
                    mounted=int(by_itself or system_owned),
                    mounted_at=place.value if place.is_path and (by_itself or system_owned) else None,
                )

    def _found(self, name: str) -> Dataset:
        found = datasets.dataset_named(self._state, name)
        if found is None:
            raise EmulationError(f"the emulated host has no dataset {name!r}; remedy: create it first")
        return found
