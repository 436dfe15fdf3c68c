"""Datasets as rows of the state: found, listed, made, renamed, forgotten. No rules of zfs here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reconciler.emulation.state import State
from reconciler.emulation.zfs.properties import SNAPSHOT

DATASET_SCHEMA = """
CREATE TABLE dataset (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    parent INTEGER REFERENCES dataset (id),
    kind TEXT NOT NULL,
    guid TEXT NOT NULL,
    createtxg INTEGER NOT NULL,
    creation INTEGER NOT NULL,
    origin INTEGER REFERENCES dataset (id),
    mounted INTEGER NOT NULL DEFAULT 0,
    mounted_at TEXT,
    in_use INTEGER NOT NULL DEFAULT 0,
    lingering INTEGER NOT NULL DEFAULT 0,
    deferred INTEGER NOT NULL DEFAULT 0,
    head INTEGER NOT NULL DEFAULT 0,
    kept INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0,
    shared INTEGER NOT NULL DEFAULT 0,
    below INTEGER NOT NULL DEFAULT 0,
    used INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX dataset_by_parent ON dataset (parent);
CREATE INDEX dataset_by_mount ON dataset (mounted_at) WHERE mounted_at IS NOT NULL;
CREATE INDEX dataset_by_origin ON dataset (origin) WHERE origin IS NOT NULL;
CREATE TABLE hold (
    dataset INTEGER NOT NULL REFERENCES dataset (id) ON DELETE CASCADE, tag TEXT NOT NULL, creation INTEGER NOT NULL,
    PRIMARY KEY (dataset, tag)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Dataset:
    """One row, its columns in order: a filesystem, volume or snapshot.

    `parent` of a snapshot is what it is a snapshot of.
    """

    id: int
    name: str
    parent: int | None
    kind: str
    guid: str
    createtxg: int
    creation: int
    origin: int | None
    """The snapshot that a clone was made from."""
    mounted: int
    mounted_at: str | None
    """The path where it is mounted; a legacy mount has none."""
    in_use: int
    """Somebody works in it, so that it can't be unmounted."""
    lingering: int
    """How many more commands find it busy although it was unmounted."""
    deferred: int
    """A snapshot that goes when nothing needs it any more."""
    head: int
    """Bytes written since the latest snapshot."""
    kept: int
    """Bytes that it has and its snapshots too."""
    held: int
    """Bytes that only its snapshots still have."""
    shared: int
    """Bytes that it has and its origin too; for a snapshot all that it refers to."""
    below: int
    """Bytes that its children are charged with."""
    used: int

    @property
    def is_snapshot(self) -> bool:
        return self.kind == SNAPSHOT

    @property
    def referenced(self) -> int:
        return self.head + self.kept + self.shared

    @property
    def order(self) -> tuple[str, int]:
        """Where zfs lists it: by name, the snapshots of a dataset right after it in the order they were made."""
        return (self.name.partition("@")[0], self.createtxg if self.is_snapshot else -1)

    @property
    def filesystem_name(self) -> str:
        """Its name without the part that names a snapshot."""
        return self.name.partition("@")[0]


def dataset_named(state: State, name: str) -> Dataset | None:
    """The dataset of that full name."""
    row = state.row("SELECT * FROM dataset WHERE name = ?", name)
    return Dataset(*row) if row else None


def dataset_with_id(state: State, number: int) -> Dataset:
    """The dataset of that row."""
    row = state.row("SELECT * FROM dataset WHERE id = ?", number)
    assert row is not None, f"dataset {number} is not in the state"
    return Dataset(*row)


def children(state: State, dataset: Dataset) -> list[Dataset]:
    """What lies directly below: child datasets and own snapshots, in the order of listing."""
    found = [Dataset(*row) for row in state.rows("SELECT * FROM dataset WHERE parent = ?", dataset.id)]
    return sorted(found, key=lambda one: one.order)


def snapshots(state: State, dataset: Dataset) -> list[Dataset]:
    """A dataset's own snapshots, oldest first."""
    return [
        Dataset(*row)
        for row in state.rows("SELECT * FROM dataset WHERE parent = ? AND kind = ? ORDER BY createtxg", dataset.id, SNAPSHOT)
    ]


def subtree(state: State, dataset: Dataset) -> list[Dataset]:
    """A dataset and all below it with their snapshots, in the order of listing."""
    name = dataset.name
    if dataset.is_snapshot:
        return [dataset]
    rows = state.rows(
        "SELECT * FROM dataset WHERE name = ? OR (name > ? AND name < ?) OR (name > ? AND name < ?)",
        name, f"{name}/", f"{name}0", f"{name}@", f"{name}A",
    )  # fmt: skip
    return sorted((Dataset(*row) for row in rows), key=lambda one: one.order)


def everything(state: State) -> list[Dataset]:
    """All datasets of all pools, in the order of listing."""
    return sorted((Dataset(*row) for row in state.rows("SELECT * FROM dataset")), key=lambda one: one.order)


def ancestors(state: State, dataset: Dataset) -> list[Dataset]:
    """What lies above, the nearest first."""
    rows = state.rows(
        "WITH RECURSIVE above (up, depth) AS (SELECT ?, 0 UNION ALL SELECT dataset.parent, depth + 1 "
        "FROM above JOIN dataset ON dataset.id = above.up) "
        "SELECT dataset.* FROM above JOIN dataset ON dataset.id = above.up ORDER BY depth",
        dataset.parent,
    )
    return [Dataset(*row) for row in rows]


def clones(state: State, snapshot: Dataset) -> list[Dataset]:
    """The datasets made from a snapshot, oldest first."""
    return [Dataset(*row) for row in state.rows("SELECT * FROM dataset WHERE origin = ? ORDER BY createtxg", snapshot.id)]


def next_txg(state: State) -> int:
    """A fresh transaction group number; what is made in one command shares one."""
    return state.next_number("txg")


def numbered_id(seed: str, serial: int) -> int:
    """A 64-bit number that looks random and is the same for equal arguments (the splitmix64 generator)."""
    mask = (1 << 64) - 1
    mixed = (int(seed[:16], 16) + serial * 0x9E3779B97F4A7C15) & mask
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & mask
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & mask
    return mixed ^ (mixed >> 31)


def insert_dataset(
    state: State,
    *,
    name: str,
    parent: int | None,
    kind: str,
    createtxg: int,
    creation: int,
    origin: int | None = None,
    shared: int = 0,
) -> Dataset:
    """Adds a row; its guid follows from the host and how many were made before."""
    serial = state.next_number("serial")
    number = state.write(
        "INSERT INTO dataset (name, parent, kind, guid, createtxg, creation, origin, shared) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        name, parent, kind, str(numbered_id(state.fact("seed"), serial)), createtxg, creation, origin, shared,
    )  # fmt: skip
    return dataset_with_id(state, number)


def forget_dataset(state: State, dataset: Dataset) -> None:
    """Removes a row and all that hangs on it; nothing may lie below it any more."""
    state.write("DELETE FROM dataset WHERE id = ?", dataset.id)


def update_dataset(state: State, dataset: Dataset, **columns: int | str | None) -> None:
    """Writes some columns of a row."""
    assignments = ", ".join(f"{column} = ?" for column in columns)
    # The names of columns come from this package, never from a command line.
    state.write(f"UPDATE dataset SET {assignments} WHERE id = ?", *columns.values(), dataset.id)


def rename_subtree(state: State, dataset: Dataset, name: str, parent: int | None) -> None:
    """Gives a dataset another name and place; what lies below it follows."""
    old = dataset.name
    state.write("UPDATE dataset SET name = ?, parent = ? WHERE id = ?", name, parent, dataset.id)
    if not dataset.is_snapshot:
        state.write(
            "UPDATE dataset SET name = ? || substr(name, ?) "
            "WHERE (name > ? AND name < ?) OR (name > ? AND name < ?)",
            name, len(old) + 1, f"{old}/", f"{old}0", f"{old}@", f"{old}A",
        )  # fmt: skip


def hold_tags(state: State, snapshot: Dataset) -> list[tuple[str, int]]:
    """The holds on a snapshot: tag and when it was placed."""
    return [
        (tag, creation)
        for tag, creation in state.rows("SELECT tag, creation FROM hold WHERE dataset = ? ORDER BY tag", snapshot.id)
    ]


def hold_counts(state: State, datasets: Sequence[Dataset]) -> dict[int, int]:
    """How many holds each of the given snapshots has; those without any are left out."""
    if len(datasets) == 1:
        rows: Iterable[tuple[int, int]] = [(datasets[0].id, len(hold_tags(state, datasets[0])))]
    else:
        rows = [(one, count) for one, count in state.rows("SELECT dataset, count(*) FROM hold GROUP BY dataset")]
    return {one: count for one, count in rows if count}
