"""`zfs snapshot`, `zfs rollback` and `zfs promote`."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.emulation.session import Session
from reconciler.emulation.zfs import datasets, space, values
from reconciler.emulation.zfs.checking import Rejected, Target, checked
from reconciler.emulation.zfs.commands.create import OUT_OF_SPACE, property_options
from reconciler.emulation.zfs.commands.destroy import destroy_tree
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.dependents import dependents
from reconciler.emulation.zfs.dialect import DIALECTS, Dialect
from reconciler.emulation.zfs.errors import Misused, Refused
from reconciler.emulation.zfs.names import name_fault
from reconciler.emulation.zfs.opening import opened
from reconciler.emulation.zfs.options import options
from reconciler.emulation.zfs.properties import FILESYSTEM, SNAPSHOT, VOLUME, native_named


def snapshot(session: Session, arguments: Sequence[str]) -> int:
    """`zfs snapshot [-r] [-o p=v]… NAME@SNAP…`; all of them at one instant or none."""
    dialect = DIALECTS[session.system.zfs_dialect]
    given = options(arguments, "ro:", anywhere=dialect.options_anywhere)
    wanted = property_options(given)
    if not given.operands:
        raise Misused("missing snapshot argument")
    if len(given.operands) > 1 and not dialect.snapshot_many:
        raise Misused("too many arguments")
    targets: dict[str, Dataset] = {}
    try:
        for operand in given.operands:
            targets |= _targets(session, operand, wanted, recursive=given.has("r"))
        _check_absent(session, list(targets))
        _check_room(session, targets)
    except Refused as refused:
        if given.has("r") or len(given.operands) > 1:
            raise Refused(*refused.lines, "no snapshots were created") from refused
        raise
    txg = datasets.next_txg(session.state)
    for name, dataset in targets.items():
        session.begin_part()
        _take(session, dataset, name, txg, wanted)
    return 0


def _targets(session: Session, operand: str, wanted: dict[str, str], *, recursive: bool) -> dict[str, Dataset]:
    """The snapshots to take and what of; raises Refused for a bad name or property, or when there is nothing."""
    dialect = DIALECTS[session.system.zfs_dialect]
    if dialect.modern_snapshot_errors:
        top = _opened_or_misused(session, operand)
        _check_request(dialect, operand, wanted, f"cannot create snapshot '{operand}': ")
    else:
        _check_request(dialect, operand, wanted, f"cannot snapshot '{operand}': ")
        top = opened(session, operand.partition("@")[0], {FILESYSTEM, VOLUME})
    snapshot_name = operand.partition("@")[2]
    whole = datasets.subtree(session.state, top) if recursive else [top]
    return {f"{one.name}@{snapshot_name}": one for one in whole if not one.is_snapshot}


def _opened_or_misused(session: Session, operand: str) -> Dataset:
    """What a snapshot is to be taken of; the younger command line prints its usage when there is no such thing."""
    if "@" not in operand:
        raise Misused
    try:
        return opened(session, operand.partition("@")[0], {FILESYSTEM, VOLUME})
    except Refused as refused:
        raise Misused("\n".join(refused.lines)) from refused


def _check_request(dialect: Dialect, operand: str, wanted: dict[str, str], refusal: str) -> None:
    fault = name_fault(dialect, operand, SNAPSHOT, modifying=True)
    if fault is not None:
        raise Refused(refusal + fault)
    for name, text in wanted.items():
        try:
            checked(dialect, Target(SNAPSHOT), name, text)
        except Rejected as rejected:
            raise Refused(refusal + str(rejected)) from rejected


def _check_absent(session: Session, names: Sequence[str]) -> None:
    for name in names:
        if datasets.dataset_named(session.state, name) is not None:
            raise Refused(f"cannot create snapshot '{name}': dataset already exists")


def _check_room(session: Session, targets: dict[str, Dataset]) -> None:
    """A snapshot of what has a refreservation needs that much again, so that it can be overwritten as a whole."""
    for name, dataset in targets.items():
        reserved = values.own_size(session.state, dataset, "refreservation")
        more = min(reserved, dataset.head)
        if more and more > space.available(session.state, dataset) - space.used_by_refreservation(dataset, reserved):
            raise Refused(f"cannot create snapshot '{name}': {OUT_OF_SPACE}")


def _take(session: Session, dataset: Dataset, name: str, txg: int, wanted: dict[str, str]) -> None:
    made = datasets.insert_dataset(
        session.state, name=name, parent=dataset.id, kind=SNAPSHOT, createtxg=txg, creation=int(session.now)
    )
    space.snapshot_taken(session.state, dataset, made)
    for property_name, value in wanted.items():
        values.set_local(session.state, made, property_name, value)
    dialect = DIALECTS[session.system.zfs_dialect]
    for property_name, stored in values.all_stored(session.state, [dataset]).get(dataset.id, {}).items():
        native = native_named(dialect, property_name)
        if native is not None and native.sourceless and stored.value is not None:
            values.set_local(session.state, made, property_name, stored.value)


def rollback(session: Session, arguments: Sequence[str]) -> int:
    """`zfs rollback [-rRf] SNAPSHOT`: only to the latest snapshot, unless later ones may go."""
    dialect = DIALECTS[session.system.zfs_dialect]
    given = options(arguments, "rRf", anywhere=dialect.options_anywhere)
    if not given.operands:
        raise Misused("missing dataset argument")
    if len(given.operands) > 1:
        raise Misused("too many arguments")
    target = opened(session, given.operands[0], {SNAPSHOT})
    dataset = datasets.dataset_named(session.state, target.filesystem_name)
    assert dataset is not None
    later = [one for one in datasets.snapshots(session.state, dataset) if one.createtxg > target.createtxg]
    _check_later(session, target, later, destroy=given.has("r") or given.has("R"), with_clones=given.has("R"))
    complaints: list[str] = []
    for one in later:
        session.begin_part()
        # One that is held keeps neither the others nor the complaint about it back.
        try:
            destroy_tree(session, one, force=given.has("f"))
        except Refused as refused:
            complaints += refused.lines
    if complaints:
        raise Refused(*complaints)
    session.begin_part()
    space.rolled_back(session.state, datasets.dataset_with_id(session.state, dataset.id), target)
    return 0


def _check_later(session: Session, target: Dataset, later: Sequence[Dataset], *, destroy: bool, with_clones: bool) -> None:
    refusal = f"cannot rollback to '{target.name}': "
    also = " and bookmarks" if DIALECTS[session.system.zfs_dialect].bookmarks_named else ""
    either = " or bookmarks" if also else ""
    if later and not destroy:
        raise Refused(
            f"{refusal}more recent snapshots{either} exist",
            f"use '-r' to force deletion of the following snapshots{also}:",
            *(one.name for one in later),
        )
    inside = {one.id for one in later}
    cloned = list(dict.fromkeys(one.name for top in later for one in dependents(session, top) if one.id not in inside))
    if cloned and not with_clones:
        raise Refused(
            f"{refusal}clones of previous snapshots exist",
            "use '-R' to force deletion of the following clones and dependents:",
            *cloned,
        )


def promote(session: Session, arguments: Sequence[str]) -> int:
    """`zfs promote CLONE`: the clone takes over the snapshots up to its origin, and its origin becomes a clone."""
    if arguments and arguments[0].startswith("-"):
        raise Misused(f"invalid option '{arguments[0][1:2]}'")
    if not arguments:
        raise Misused("missing clone filesystem argument")
    if len(arguments) > 1:
        raise Misused("too many arguments")
    clone = opened(session, arguments[0], {FILESYSTEM, VOLUME})
    if clone.origin is None:
        raise Refused(f"cannot promote '{clone.name}': not a cloned filesystem")
    origin = datasets.dataset_with_id(session.state, clone.origin)
    former = datasets.dataset_named(session.state, origin.filesystem_name)
    assert former is not None
    moving = [one for one in datasets.snapshots(session.state, former) if one.createtxg <= origin.createtxg]
    _check_clash(session, clone, origin, moving)
    amount = space.moved_by_promotion(session.state, former, origin)
    if amount > space.room_for_transfer(session.state, former, clone, amount):
        raise Refused(f"cannot promote '{clone.name}': {OUT_OF_SPACE}")
    space.detach(session.state, clone)
    space.detach(session.state, former)
    for one in moving:
        datasets.rename_subtree(session.state, one, f"{clone.name}@{one.name.partition('@')[2]}", clone.id)
    datasets.update_dataset(session.state, clone, origin=former.origin)
    datasets.update_dataset(session.state, former, origin=origin.id)
    for one in (clone, former):
        space.attach(session.state, one)
    space.promoted(session.state, clone, origin, former)
    return 0


def _check_clash(session: Session, clone: Dataset, origin: Dataset, moving: Sequence[Dataset]) -> None:
    for one in moving:
        snapshot_name = one.name.partition("@")[2]
        if datasets.dataset_named(session.state, f"{clone.name}@{snapshot_name}") is not None:
            raise Refused(f"cannot promote '{clone.name}': conflicting snapshot '{snapshot_name}' from parent '{origin.name}'")
