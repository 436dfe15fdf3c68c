"""`zfs destroy`: what stands in the way, and what goes."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.emulation.session import Session
from reconciler.emulation.zfs import datasets, mounts, space
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.dependents import check_dependents, dependents
from reconciler.emulation.zfs.dialect import DIALECTS
from reconciler.emulation.zfs.errors import Misused, Refused
from reconciler.emulation.zfs.names import name_fault
from reconciler.emulation.zfs.opening import opened
from reconciler.emulation.zfs.options import Options, options
from reconciler.emulation.zfs.properties import FILESYSTEM, SNAPSHOT, VOLUME
from reconciler.emulation.zfs.sizes import human

BUSY = "dataset is busy"


def destroy(session: Session, arguments: Sequence[str]) -> int:
    """`zfs destroy [-rRf] NAME`, `zfs destroy [-rRd] SNAPSHOT`; `-nvp` where the dialect has them."""
    dialect = DIALECTS[session.system.zfs_dialect]
    given = options(arguments, "frRd" + ("nvp" if dialect.destroy_dry_run else ""), anywhere=dialect.options_anywhere)
    if not given.operands:
        raise Misused("missing path argument" if not dialect.modern_snapshot_errors else "missing dataset argument")
    if len(given.operands) > 1:
        raise Misused("too many arguments")
    name = given.operands[0]
    if "@" in name and dialect.modern_snapshot_errors:
        return _destroy_named_snapshots(session, name, given)
    if "@" in name:
        return _destroy_snapshot_path(session, name, given)
    return _destroy_dataset(session, name, given)


def _destroy_dataset(session: Session, name: str, given: Options) -> int:
    dataset = opened(session, name, {FILESYSTEM, VOLUME})
    recursive = given.has("r") or given.has("R")
    if given.has("d"):
        # Deferring is for snapshots only; both command lines refuse it this way.
        raise Refused(f"cannot destroy '{name}': operation not applicable to datasets of this type")
    if dataset.parent is None and not recursive:
        raise Refused(
            f"cannot destroy '{name}': operation does not apply to pools",
            f"use 'zfs destroy -r {name}' to destroy all datasets in the pool",
            f"use 'zpool destroy {name}' to destroy the pool itself",
        )
    check_dependents(session, dataset, recursive=recursive, with_clones=given.has("R"))
    doomed = dependents(session, dataset)
    if dataset.parent is not None:
        doomed.append(dataset)
    if _reported(session, doomed, given):
        return 0
    _destroy_all(session, doomed, force=given.has("f"))
    return 0


def destroy_tree(session: Session, dataset: Dataset, *, force: bool) -> None:
    """Destroys a dataset with all that hangs on it."""
    _destroy_all(session, [*dependents(session, dataset), dataset], force=force)


def _destroy_all(session: Session, doomed: Sequence[Dataset], *, force: bool) -> None:
    """Destroys one after the other; raises Refused at the first that can't go, and what is gone stays gone."""
    for one in doomed:
        current = datasets.dataset_named(session.state, one.name)
        # A snapshot whose destruction was put off went with its last clone.
        if current is None:
            continue
        session.begin_part()
        if current.is_snapshot:
            destroy_snapshot(session, current)
            continue
        if current.mounted:
            mounts.unmount(session, current, force=force)
        destroy_one(session, datasets.dataset_with_id(session.state, current.id))


def destroy_one(session: Session, dataset: Dataset) -> None:
    """Destroys a filesystem or volume on which nothing hangs; raises Refused when it is busy."""
    if dataset.in_use or mounts.lingers(session, dataset):
        raise Refused(f"cannot destroy '{dataset.name}': {BUSY}")
    origin = None if dataset.origin is None else datasets.dataset_with_id(session.state, dataset.origin)
    space.detach(session.state, dataset)
    datasets.forget_dataset(session.state, dataset)
    if origin is not None:
        destroy_if_deferred(session, origin)


def destroy_snapshot(session: Session, snapshot: Dataset) -> None:
    """Destroys a snapshot; raises Refused when it is held or cloned."""
    modern = DIALECTS[session.system.zfs_dialect].modern_snapshot_errors
    refusal = f"cannot destroy snapshot {snapshot.name}: " if modern else f"cannot destroy '{snapshot.name}': "
    if datasets.hold_tags(session.state, snapshot):
        raise Refused(refusal + BUSY)
    if datasets.clones(session.state, snapshot):
        raise Refused(refusal + ("snapshot is cloned" if modern else "dataset already exists"))
    _remove_snapshot(session, snapshot)


def _remove_snapshot(session: Session, snapshot: Dataset) -> None:
    assert snapshot.parent is not None
    space.snapshot_gone(session.state, datasets.dataset_with_id(session.state, snapshot.parent), snapshot)
    datasets.forget_dataset(session.state, snapshot)


def destroy_if_deferred(session: Session, snapshot: Dataset) -> None:
    """Destroys a snapshot whose destruction was put off, once nothing needs it any more."""
    if snapshot.deferred and not datasets.hold_tags(session.state, snapshot) and not datasets.clones(session.state, snapshot):
        _remove_snapshot(session, snapshot)


def _destroy_snapshot_path(session: Session, name: str, given: Options) -> int:
    """zfs-fuse: one snapshot; with -r the snapshots of that name on all that lies below too."""
    if given.has("r") or given.has("R"):
        return _destroy_recursive_snapshot(session, name, given)
    snapshot = opened(session, name, {SNAPSHOT})
    if given.has("d"):
        _defer(session, snapshot)
        return 0
    check_dependents(session, snapshot, recursive=False, with_clones=False)
    destroy_snapshot(session, snapshot)
    return 0


def _destroy_recursive_snapshot(session: Session, name: str, given: Options) -> int:
    filesystem, _, snapshot_name = name.partition("@")
    top = opened(session, filesystem, {FILESYSTEM, VOLUME})
    for one in _same_named(session, top, snapshot_name) if given.has("R") else []:
        _destroy_all(session, dependents(session, one), force=given.has("f"))
    # A snapshot whose destruction was put off went with its last clone.
    found = _same_named(session, top, snapshot_name)
    if name not in {one.name for one in found}:
        raise Refused(f"cannot destroy '{name}': dataset does not exist", "no snapshots destroyed")
    for one in found if not given.has("d") else []:
        if datasets.hold_tags(session.state, one):
            raise Refused(f"cannot destroy '{one.name}': {BUSY}", "no snapshots destroyed")
        if datasets.clones(session.state, one):
            raise Refused(f"cannot destroy '{one.name}': snapshot is cloned", "no snapshots destroyed")
    for one in found:
        session.begin_part()
        if given.has("d"):
            _defer(session, one)
        else:
            destroy_snapshot(session, one)
    return 0


def _same_named(session: Session, top: Dataset, snapshot_name: str) -> list[Dataset]:
    return [
        one for one in datasets.subtree(session.state, top) if one.is_snapshot and one.name.partition("@")[2] == snapshot_name
    ]


def _defer(session: Session, snapshot: Dataset) -> None:
    if datasets.clones(session.state, snapshot) or datasets.hold_tags(session.state, snapshot):
        datasets.update_dataset(session.state, snapshot, deferred=1)
    else:
        _remove_snapshot(session, snapshot)


def _destroy_named_snapshots(session: Session, name: str, given: Options) -> int:
    """illumos: single snapshots, lists `@a,b` and ranges `@a%c`, all of one command together."""
    filesystem, _, spec = name.partition("@")
    top = opened(session, filesystem, {FILESYSTEM, VOLUME})
    tops = [one for one in datasets.subtree(session.state, top) if not one.is_snapshot] if given.has("r") else [top]
    if given.has("R"):
        tops = [one for one in datasets.subtree(session.state, top) if not one.is_snapshot]
    found: list[Dataset] = []
    for one in tops:
        found += [snapshot for snapshot in _matching(session, one, spec) if snapshot not in found]
    if not found:
        raise Refused("could not find any snapshots to destroy; check snapshot names.")
    if not given.has("R") and not given.has("d"):
        for one in found:
            check_dependents(session, one, recursive=False, with_clones=False)
    if _reported(session, found, given):
        return 0
    if given.has("R"):
        for one in found:
            destroy_tree(session, one, force=given.has("f"))
        return 0
    if given.has("d"):
        for one in found:
            session.begin_part()
            _defer(session, one)
        return 0
    held = [one for one in found if datasets.hold_tags(session.state, one)]
    if held:
        raise Refused(*(f"cannot destroy snapshot {one.name}: {BUSY}" for one in held))
    for one in found:
        session.begin_part()
        destroy_snapshot(session, one)
    return 0


def _matching(session: Session, dataset: Dataset, spec: str) -> list[Dataset]:
    """A dataset's snapshots that a list of names and ranges means."""
    own = datasets.snapshots(session.state, dataset)
    places = {one.name.partition("@")[2]: place for place, one in enumerate(own)}
    found: list[Dataset] = []
    for part in spec.split(","):
        first, percent, last = part.partition("%")
        for edge in (first, last):
            if edge and name_fault(DIALECTS[session.system.zfs_dialect], f"{dataset.name}@{edge}", SNAPSHOT, modifying=True):
                raise Refused(f"invalid snapshot name '{part}'")
        if not percent:
            found += [own[places[part]]] if part in places else []
            continue
        begin = places.get(first) if first else 0
        end = places.get(last) if last else len(own) - 1
        if begin is not None and end is not None:
            found += own[begin : end + 1]
    return found


def _reported(session: Session, doomed: Sequence[Dataset], given: Options) -> bool:
    """Prints what -v, -p and -n ask for; says whether that is all there is to do."""
    dry = given.has("n")
    if given.has("p") and given.has("v"):
        for one in doomed:
            session.line(f"destroy\t{one.name}")
        session.line(f"reclaim\t{_reclaimed(doomed)}")
    elif given.has("v"):
        for one in doomed:
            session.line(f"{'would destroy' if dry else 'will destroy'} {one.name}")
        session.line(f"{'would reclaim' if dry else 'will reclaim'} {human(_reclaimed(doomed))}")
    return dry


def _reclaimed(doomed: Sequence[Dataset]) -> int:
    inside = {one.id for one in doomed}
    return sum(one.used for one in doomed if one.parent not in inside)
