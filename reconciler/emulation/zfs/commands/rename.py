"""`zfs rename`."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.emulation.session import Session
from reconciler.emulation.state import State
from reconciler.emulation.zfs import datasets, mounts, space, values
from reconciler.emulation.zfs.commands.create import create_parents, parent_for
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.dialect import DIALECTS
from reconciler.emulation.zfs.errors import Misused, Refused
from reconciler.emulation.zfs.names import name_fault, pool_of
from reconciler.emulation.zfs.opening import opened
from reconciler.emulation.zfs.options import options
from reconciler.emulation.zfs.properties import FILESYSTEM, SNAPSHOT
from reconciler.emulation.zfs.reading import KINDS


def rename(session: Session, arguments: Sequence[str]) -> int:
    """`zfs rename [-p] [-f] A B` for filesystems and volumes, `zfs rename [-r] S T` for snapshots."""
    dialect = DIALECTS[session.system.zfs_dialect]
    given = options(arguments, "pr" + ("f" if dialect.rename_force else ""), anywhere=dialect.options_anywhere)
    if not given.operands:
        raise Misused("missing source dataset argument")
    if len(given.operands) == 1:
        raise Misused("missing target dataset argument")
    if len(given.operands) > 2:
        raise Misused("too many arguments")
    source, name = given.operands
    if given.has("r") and given.has("p"):
        raise Misused("-p and -r options are mutually exclusive")
    if given.has("r") and "@" not in source:
        raise Misused("source dataset for recursive rename must be a snapshot")
    dataset = opened(session, source, KINDS if not given.has("p") else KINDS - {SNAPSHOT})
    if dataset.is_snapshot:
        _rename_snapshot(session, dataset, name, recursive=given.has("r"))
        return 0
    if given.has("p") and name_fault(dialect, name, FILESYSTEM, modifying=True) is None:
        create_parents(session, name)
    if name != dataset.name:
        _rename_dataset(session, dataset, name, force=given.has("f"))
    return 0


def _rename_dataset(session: Session, dataset: Dataset, name: str, *, force: bool) -> None:
    state = session.state
    refusal = f"cannot rename to '{name}': "
    fault = name_fault(DIALECTS[session.system.zfs_dialect], name, dataset.kind, modifying=True)
    if fault is not None:
        raise Refused(refusal + fault)
    parent = parent_for(session, name, dataset.kind)
    if dataset.parent is None or pool_of(name) != pool_of(dataset.name):
        raise Refused(refusal + "datasets must be within same pool")
    if parent.id == dataset.id or parent.name.startswith(f"{dataset.name}/"):
        raise Refused(refusal + "New dataset name cannot be a descendant of current dataset name")
    refusal = f"cannot rename '{dataset.name}': "
    if mounts.is_zoned(state, dataset):
        raise Refused(refusal + "dataset is used in a non-global zone")
    affected = values.inheritors(state, dataset, "mountpoint") if dataset.kind == FILESYSTEM else []
    mounted = mounts.unmount_all(session, affected, force=force)
    current = datasets.dataset_with_id(state, dataset.id)
    if mounts.lingers(session, current):
        raise Refused(refusal + "dataset is busy")
    if datasets.dataset_named(state, name) is not None:
        mounts.mount_again(session, mounted)
        raise Refused(refusal + "dataset already exists")
    if not _fits(state, current, parent):
        mounts.mount_again(session, mounted)
        raise Refused(refusal + "out of space")
    space.detach(state, current)
    datasets.rename_subtree(state, current, name, parent.id)
    space.attach(state, current)
    mounts.mount_again(session, mounted)


def _fits(state: State, dataset: Dataset, parent: Dataset) -> bool:
    if dataset.parent is None or dataset.parent == parent.id:
        return True
    former = datasets.dataset_with_id(state, dataset.parent)
    amount = space.charge(state, dataset)
    return amount <= space.room_for_transfer(state, former, parent, amount)


def _rename_snapshot(session: Session, snapshot: Dataset, name: str, *, recursive: bool) -> None:
    filesystem, at, new = name.partition("@")
    if not at or not filesystem:
        # The part after the sign is enough, since a snapshot stays with its dataset.
        filesystem, new = snapshot.filesystem_name, new or name
    full = f"{filesystem}@{new}"
    if full == snapshot.name:
        return
    refusal = f"cannot rename to '{full}': "
    if filesystem != snapshot.filesystem_name:
        raise Refused(refusal + "snapshots must be part of same dataset")
    fault = name_fault(DIALECTS[session.system.zfs_dialect], full, SNAPSHOT, modifying=True)
    if fault is not None:
        raise Refused(refusal + fault)
    old = snapshot.name.partition("@")[2]
    whole = [snapshot]
    if recursive:
        top = datasets.dataset_named(session.state, filesystem)
        assert top is not None
        whole = [one for one in datasets.subtree(session.state, top) if one.is_snapshot and one.name.partition("@")[2] == old]
    for one in whole:
        if datasets.dataset_named(session.state, f"{one.filesystem_name}@{new}") is not None:
            if recursive:
                raise Refused(f"cannot rename '{full}': a child dataset already has a snapshot with the new name")
            raise Refused(f"cannot rename '{snapshot.name}': dataset already exists")
    for one in whole:
        session.begin_part()
        datasets.rename_subtree(session.state, one, f"{one.filesystem_name}@{new}", one.parent)
