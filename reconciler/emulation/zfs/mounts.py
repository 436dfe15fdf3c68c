"""Where file systems are mounted, and what happens when they are mounted and unmounted."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reconciler.emulation.session import Session
from reconciler.emulation.state import State
from reconciler.emulation.zfs import datasets, values
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.dialect import DIALECTS
from reconciler.emulation.zfs.errors import Refused
from reconciler.emulation.zfs.properties import FILESYSTEM
from reconciler.emulation.zfs.values import Inherited

NO_PATH = frozenset({"none", "legacy"})


class Mounted(enum.IntEnum):
    """What the column `mounted` says."""

    NO = 0
    YES = 1
    READ_ONLY = 2


@dataclass(frozen=True, slots=True)
class Mountpoint:
    """The mountpoint that counts for a filesystem."""

    value: str
    source: str
    """`local`, `received`, `default` or `inherited from X`."""

    @property
    def is_path(self) -> bool:
        return self.value not in NO_PATH


def mountpoint_of(name: str, found: Inherited | None, own_source: str | None) -> Mountpoint:
    """The mountpoint of the filesystem `name`, given the setting that counts for it and the source if it is its own."""
    if found is None:
        return Mountpoint(f"/{name}", "default")
    if own_source is not None:
        return Mountpoint(found.value, own_source)
    source = f"inherited from {found.giver}"
    if found.value in NO_PATH:
        return Mountpoint(found.value, source)
    return Mountpoint(f"{found.value.rstrip('/')}{name[len(found.giver) :]}", source)


def mountpoint(state: State, dataset: Dataset) -> Mountpoint:
    """The mountpoint that counts for a filesystem now."""
    own = values.stored(state, dataset, "mountpoint")
    return mountpoint_of(
        dataset.name, values.effective(state, dataset, "mountpoint"), own.source if own.value is not None else None
    )


def is_zoned(state: State, dataset: Dataset) -> bool:
    """Whether the filesystem belongs to a zone."""
    found = values.effective(state, dataset, "zoned")
    return found is not None and found.value == "on"


def can_mount(state: State, dataset: Dataset) -> str:
    """`on`, `off` or `noauto`."""
    return values.own_value(state, dataset, "canmount") or "on"


def mounts_by_itself(state: State, dataset: Dataset) -> bool:
    """Whether the filesystem is one that is mounted when it is made and when the host boots."""
    return (
        dataset.kind == FILESYSTEM
        and can_mount(state, dataset) == "on"
        and mountpoint(state, dataset).is_path
        and not is_zoned(state, dataset)
    )


def mount(session: Session, dataset: Dataset, *, read_only: bool = False) -> None:
    """Mounts a filesystem at its mountpoint; raises Refused with zfs's reason."""
    path = mountpoint(session.state, dataset).value
    if not DIALECTS[session.system.zfs_dialect].mounts_stack and _mounted_there(session.state, path):
        raise Refused(f"cannot mount '{dataset.name}': mountpoint or dataset is busy")
    if _mounted_inside(session.state, path):
        raise Refused(f"cannot mount '{path}': directory is not empty")
    how = Mounted.READ_ONLY if read_only else Mounted.YES
    datasets.update_dataset(session.state, dataset, mounted=how, mounted_at=path, lingering=0)


def _mounted_there(state: State, path: str) -> bool:
    return state.row("SELECT 1 FROM dataset WHERE mounted_at = ?", path) is not None


def _mounted_inside(state: State, path: str) -> bool:
    """Whether the directory holds mountpoints. The root directory always does, and nobody minds."""
    inside = path.rstrip("/")
    return (
        bool(inside)
        and state.row("SELECT 1 FROM dataset WHERE mounted_at > ? AND mounted_at < ?", f"{inside}/", f"{inside}0") is not None
    )


def mounted_filesystems(state: State) -> list[tuple[Dataset, str]]:
    """All mounted filesystems that have a path, with the path."""
    found = []
    for (number,) in state.rows("SELECT id FROM dataset WHERE mounted_at IS NOT NULL ORDER BY name"):
        dataset = datasets.dataset_with_id(state, number)
        assert dataset.mounted_at is not None
        found.append((dataset, dataset.mounted_at))
    return found


def unmount(session: Session, dataset: Dataset, *, force: bool = False) -> None:
    """Unmounts a filesystem; raises Refused when somebody works in it."""
    dialect = DIALECTS[session.system.zfs_dialect]
    if dataset.in_use and not force:
        place = mountpoint(session.state, dataset).value
        raise Refused(*(line.format(place) for line in dialect.busy_unmount))
    linger = int(session.state.fact("linger")) if dialect.lingering_unmount else 0
    datasets.update_dataset(session.state, dataset, mounted=Mounted.NO, mounted_at=None, lingering=linger)


def unmount_all(session: Session, wanted: Sequence[Dataset], *, force: bool = False) -> list[Dataset]:
    """Unmounts those of the given that are mounted, the deepest first; gives them in the order for mounting again.

    Raises Refused when one of them is in use, and then mounts again what it had unmounted.
    """
    mounted = [one for one in wanted if one.kind == FILESYSTEM and one.mounted]
    gone: list[Dataset] = []
    for one in reversed(mounted):
        try:
            unmount(session, one, force=force)
        except Refused:
            mount_again(session, reversed(gone))
            raise
        gone.append(one)
    return mounted


def mount_again(session: Session, mounted: Iterable[Dataset]) -> None:
    """Mounts filesystems that were unmounted for a moment, where they have a path now."""
    for one in mounted:
        current = datasets.dataset_with_id(session.state, one.id)
        if mountpoint(session.state, current).is_path:
            mount(session, current, read_only=one.mounted == Mounted.READ_ONLY)


def lingers(session: Session, dataset: Dataset) -> bool:
    """Whether an unmounted filesystem is still busy, as zfs-fuse has it; counts the command that asks."""
    if not dataset.lingering:
        return False
    datasets.update_dataset(session.state, dataset, lingering=dataset.lingering - 1)
    return True
