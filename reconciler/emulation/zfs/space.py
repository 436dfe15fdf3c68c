"""Who uses how many bytes, and how many are left.

Data is modelled as extents: bytes that came between two snapshots. An extent is referred to by the snapshots from
`first` to `last` (their createtxg) and, while `last` is NULL, by the dataset as well. What came after the latest
snapshot stands in the dataset's own row as `head`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from reconciler.emulation.state import State
from reconciler.emulation.zfs import datasets, values
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.values import Stored

SPACE_SCHEMA = """
CREATE TABLE extent (dataset INTEGER NOT NULL REFERENCES dataset (id) ON DELETE CASCADE, first INTEGER NOT NULL,
    last INTEGER, bytes INTEGER NOT NULL);
CREATE INDEX extent_by_dataset ON extent (dataset);
"""

UNLIMITED = 1 << 62


def pool_room(size: int) -> int:
    """How many bytes of a pool datasets may use: zfs keeps a 32nd back, at least 32 MiB."""
    return max(size - max(size >> 5, 32 << 20), 0)


def settle(state: State, dataset: Dataset) -> None:
    """Works out anew what a dataset uses after its own data changed, and what all above are charged with."""
    current = datasets.dataset_with_id(state, dataset.id)
    if current.is_snapshot:
        return
    kept, held = state.rows(
        "SELECT coalesce(sum(CASE WHEN last IS NULL THEN bytes END), 0), "
        "coalesce(sum(CASE WHEN last IS NOT NULL THEN bytes END), 0) FROM extent WHERE dataset = ?",
        current.id,
    )[0]
    datasets.update_dataset(state, current, kept=kept, held=held)
    _charge(state, current.id)


def settle_snapshots(state: State, dataset: Dataset) -> None:
    """Works out anew what each snapshot of a dataset holds alone."""
    alone: dict[int, int] = dict(
        state.rows("SELECT first, sum(bytes) FROM extent WHERE dataset = ? AND first = last GROUP BY first", dataset.id)
    )
    for snapshot in datasets.snapshots(state, dataset):
        used = alone.get(snapshot.createtxg, 0)
        if used != snapshot.used:
            datasets.update_dataset(state, snapshot, used=used)


def _charge(state: State, number: int) -> None:
    """Brings `used` of a dataset up to date and hands the difference on to all above."""
    current = datasets.dataset_with_id(state, number)
    used = own_use(current, values.own_size(state, current, "refreservation")) + current.below
    if used == current.used:
        return
    reservation = values.own_size(state, current, "reservation")
    difference = max(used, reservation) - max(current.used, reservation)
    datasets.update_dataset(state, current, used=used)
    if current.parent is not None and difference:
        state.write("UPDATE dataset SET below = below + ? WHERE id = ?", difference, current.parent)
        _charge(state, current.parent)


def own_use(dataset: Dataset, refreservation: int) -> int:
    """What a dataset uses without its children."""
    return dataset.head + dataset.kept + dataset.held + used_by_refreservation(dataset, refreservation)


def used_by_refreservation(dataset: Dataset, refreservation: int) -> int:
    """What is set aside for a dataset beyond the bytes that it has for itself."""
    return max(0, refreservation - dataset.head)


def reservation_changed(state: State, dataset: Dataset, before: int, after: int) -> None:
    """Charges the parent with a changed reservation."""
    current = datasets.dataset_with_id(state, dataset.id)
    difference = max(current.used, after) - max(current.used, before)
    if current.parent is not None and difference:
        state.write("UPDATE dataset SET below = below + ? WHERE id = ?", difference, current.parent)
        _charge(state, current.parent)


def attach(state: State, dataset: Dataset) -> None:
    """Charges the parent with a dataset that has just come to lie in it."""
    _move_charge(state, dataset, 1)


def detach(state: State, dataset: Dataset) -> None:
    """Takes a dataset that goes away off its parent's account."""
    _move_charge(state, dataset, -1)


def charge(state: State, dataset: Dataset) -> int:
    """What a dataset costs its parent."""
    return max(dataset.used, values.own_size(state, dataset, "reservation"))


def _move_charge(state: State, dataset: Dataset, sign: int) -> None:
    current = datasets.dataset_with_id(state, dataset.id)
    amount = sign * charge(state, current)
    if current.parent is not None and amount:
        state.write("UPDATE dataset SET below = below + ? WHERE id = ?", amount, current.parent)
        _charge(state, current.parent)


def available(state: State, dataset: Dataset) -> int:
    """How many bytes may still be written to a dataset."""
    own = values.all_stored(state, [dataset]).get(dataset.id, {})
    return own_room(dataset, own, room_within(state, dataset))


def room_within(state: State, dataset: Dataset) -> int:
    """How many bytes a dataset and its children may still take."""
    return _room(state, [*reversed(datasets.ancestors(state, dataset)), dataset])


def room_above(state: State, dataset: Dataset) -> int:
    """How many bytes the parent of a dataset and its children may still take; for a pool's root what the pool has."""
    above = datasets.ancestors(state, dataset)
    return _room(state, [*reversed(above)]) if above else pool_limit(state, dataset)


def room_for_transfer(state: State, giver: Dataset, taker: Dataset, amount: int) -> int:
    """How many bytes `taker` and its children may take over from `giver`.

    What both lie in is charged with them already; zfs leaves them out at the nearest such dataset only.
    """
    chain = [*reversed(datasets.ancestors(state, taker)), taker]
    givers = {giver.id, *(one.id for one in datasets.ancestors(state, giver))}
    shared = [one for one in chain if one.id in givers][-1]
    relieved = [replace(one, used=one.used - amount) if one.id == shared.id else one for one in chain]
    return _room(state, relieved)


def moved_by_promotion(state: State, former: Dataset, origin: Dataset) -> int:
    """The bytes that change hands when a clone of `origin` is promoted."""
    row = state.row("SELECT coalesce(sum(bytes), 0) FROM extent WHERE dataset = ? AND first <= ?", former.id, origin.createtxg)
    return int(row[0]) if row else 0


def _room(state: State, chain: Sequence[Dataset]) -> int:
    known = values.all_stored(state, chain)
    room = pool_limit(state, chain[0])
    for one in chain:
        room = room_below(one, known.get(one.id, {}), room)
    return room


def pool_limit(state: State, root: Dataset) -> int:
    """The room of the pool before anything is used, as the room above its root dataset."""
    row = state.row("SELECT size FROM pool WHERE root = ?", root.id)
    assert row is not None, f"{root.name} is no pool's root"
    return pool_room(row[0]) - root.used


def allocated(state: State, pool: str) -> int:
    """The bytes of a pool that hold data, what is only reserved not counted."""
    row = state.row(
        "SELECT sum(head + kept + held) FROM dataset WHERE name = ? OR (name > ? AND name < ?)",
        pool, f"{pool}/", f"{pool}0",
    )  # fmt: skip
    return int(row[0] or 0) if row else 0


def room_below(dataset: Dataset, own: Mapping[str, Stored], above: int) -> int:
    """How much a dataset and its children may still take, given what the parent may; never below zero."""
    room = above + max(0, _size(own, "reservation") - dataset.used)
    quota = _size(own, "quota")
    if quota:
        room = min(room, quota - dataset.used)
    return max(0, room)


def own_room(dataset: Dataset, own: Mapping[str, Stored], room: int) -> int:
    """How much may still be written to the dataset itself, given what it and its children may take."""
    room += used_by_refreservation(dataset, _size(own, "refreservation"))
    refquota = _size(own, "refquota")
    if refquota:
        room = min(room, refquota - dataset.referenced)
    return max(0, room)


def _size(own: Mapping[str, Stored], name: str) -> int:
    found = own.get(name)
    return int(found.value or 0) if found else 0


def grow(state: State, dataset: Dataset, size: int) -> None:
    """Writes bytes that were not there before."""
    state.write("UPDATE dataset SET head = head + ? WHERE id = ?", size, dataset.id)
    _charge(state, dataset.id)


def shrink(state: State, dataset: Dataset, size: int) -> None:
    """Takes bytes away: first those that no snapshot has, then those that its snapshots go on holding."""
    current = datasets.dataset_with_id(state, dataset.id)
    from_head = min(current.head, size)
    state.write("UPDATE dataset SET head = head - ? WHERE id = ?", from_head, current.id)
    rest = size - from_head
    taken = datasets.snapshots(state, current)
    latest = taken[-1].createtxg if taken else 0
    for row, first, bytes_ in state.rows(
        "SELECT rowid, first, bytes FROM extent WHERE dataset = ? AND last IS NULL ORDER BY first DESC", current.id
    ):
        part = min(bytes_, rest)
        if not part:
            break
        _kill_part(state, current, row, first, bytes_, part, latest)
        rest -= part
    if rest and current.shared:
        datasets.update_dataset(state, current, shared=max(0, current.shared - rest))
    settle(state, current)
    settle_snapshots(state, current)


def _kill_part(state: State, dataset: Dataset, row: int, first: int, bytes_: int, part: int, latest: int) -> None:
    if part == bytes_:
        state.write("DELETE FROM extent WHERE rowid = ?", row)
    else:
        state.write("UPDATE extent SET bytes = bytes - ? WHERE rowid = ?", part, row)
    state.write("INSERT INTO extent VALUES (?, ?, ?, ?)", dataset.id, first, latest, part)


def snapshot_taken(state: State, dataset: Dataset, snapshot: Dataset) -> None:
    """Lets a new snapshot refer to all that its dataset has now."""
    current = datasets.dataset_with_id(state, dataset.id)
    datasets.update_dataset(state, snapshot, shared=current.referenced)
    if current.head:
        state.write("INSERT INTO extent VALUES (?, ?, NULL, ?)", current.id, snapshot.createtxg, current.head)
        datasets.update_dataset(state, current, head=0, kept=current.kept + current.head)
        if values.own_size(state, current, "refreservation"):
            _charge(state, current.id)


def snapshot_gone(state: State, dataset: Dataset, snapshot: Dataset) -> None:
    """Frees what only this snapshot held; call it while the snapshot's row is still there."""
    txg = snapshot.createtxg
    others = [one.createtxg for one in datasets.snapshots(state, dataset) if one.id != snapshot.id]
    later = min((one for one in others if one > txg), default=None)
    earlier = max((one for one in others if one < txg), default=None)
    state.write("DELETE FROM extent WHERE dataset = ? AND first = ? AND last = ?", dataset.id, txg, txg)
    if later is None:
        moved = state.rows(
            "SELECT coalesce(sum(bytes), 0) FROM extent WHERE dataset = ? AND first = ? AND last IS NULL",
            dataset.id, txg,
        )[0][0]  # fmt: skip
        state.write("DELETE FROM extent WHERE dataset = ? AND first = ? AND last IS NULL", dataset.id, txg)
        state.write("UPDATE dataset SET head = head + ? WHERE id = ?", moved, dataset.id)
    else:
        state.write("UPDATE extent SET first = ? WHERE dataset = ? AND first = ?", later, dataset.id, txg)
    state.write("UPDATE extent SET last = ? WHERE dataset = ? AND last = ?", earlier, dataset.id, txg)
    settle(state, dataset)
    settle_snapshots(state, dataset)


def rolled_back(state: State, dataset: Dataset, snapshot: Dataset) -> None:
    """Gives a dataset the data of its latest snapshot again."""
    state.write("UPDATE extent SET last = NULL WHERE dataset = ? AND last = ?", dataset.id, snapshot.createtxg)
    kept = state.rows("SELECT coalesce(sum(bytes), 0) FROM extent WHERE dataset = ? AND last IS NULL", dataset.id)[0][0]
    datasets.update_dataset(state, dataset, head=0, shared=snapshot.shared - kept)
    settle(state, dataset)
    settle_snapshots(state, dataset)


def promoted(state: State, clone: Dataset, origin: Dataset, former: Dataset) -> None:
    """Hands the data up to `origin` from `former` to `clone`, which has taken over the snapshots up to there."""
    referenced = datasets.dataset_with_id(state, clone.id).shared
    passed_on = 0
    for row, last, bytes_ in state.rows(
        "SELECT rowid, last, bytes FROM extent WHERE dataset = ? AND first <= ?", former.id, origin.createtxg
    ):
        in_origin = last is None or last >= origin.createtxg
        state.write("UPDATE extent SET dataset = ?, last = ? WHERE rowid = ?", clone.id, None if in_origin else last, row)
        if last is None:
            state.write("UPDATE dataset SET shared = shared + ? WHERE id = ?", bytes_, former.id)
        passed_on += bytes_ if in_origin else 0
    datasets.update_dataset(state, clone, shared=max(0, referenced - passed_on))
    settle(state, clone)
    settle(state, former)
    if passed_on > referenced:
        shrink(state, clone, passed_on - referenced)
    for one in (former, clone):
        settle_snapshots(state, one)
