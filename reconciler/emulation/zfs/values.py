"""The values that datasets have: what was set or received, and what follows for their descendants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.emulation.state import State
from reconciler.emulation.zfs import datasets
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.properties import FILESYSTEM

VALUE_SCHEMA = """
CREATE TABLE property (
    dataset INTEGER NOT NULL REFERENCES dataset (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    local TEXT,
    received TEXT,
    masked INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (dataset, name)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """What one dataset itself knows of one property."""

    local: str | None
    received: str | None
    masked: int
    """`zfs inherit` without -S: the received value is kept but does not count."""

    @property
    def value(self) -> str | None:
        """The value that counts on this dataset, None when it inherits."""
        if self.local is not None:
            return self.local
        return None if self.masked else self.received

    @property
    def source(self) -> str:
        return "local" if self.local is not None else "received"


def stored(state: State, dataset: Dataset, name: str) -> Stored:
    """What a dataset itself knows of a property."""
    row = state.row("SELECT local, received, masked FROM property WHERE dataset = ? AND name = ?", dataset.id, name)
    return Stored(*row) if row else Stored(None, None, 0)


def own_value(state: State, dataset: Dataset, name: str) -> str | None:
    """The value that a dataset has by itself, None when it inherits."""
    return stored(state, dataset, name).value


def own_size(state: State, dataset: Dataset, name: str) -> int:
    """The bytes of a quota or reservation; 0 is none."""
    return int(own_value(state, dataset, name) or 0)


def set_local(state: State, dataset: Dataset, name: str, value: str) -> None:
    """Sets a value; a received one stays behind it."""
    # CAST lets bytes that are no UTF-8 pass through a text column as they are.
    state.write(
        "INSERT INTO property (dataset, name, local) VALUES (?, ?, CAST(? AS TEXT)) "
        "ON CONFLICT (dataset, name) DO UPDATE SET local = excluded.local",
        dataset.id, name, value.encode("utf-8", "surrogateescape"),
    )  # fmt: skip


def set_received(state: State, dataset: Dataset, name: str, value: str) -> None:
    """Stores a value as if it had come in a stream."""
    state.write(
        "INSERT INTO property (dataset, name, received) VALUES (?, ?, ?) "
        "ON CONFLICT (dataset, name) DO UPDATE SET received = excluded.received, masked = 0",
        dataset.id, name, value,
    )  # fmt: skip


def clear_local(state: State, dataset: Dataset, name: str, *, to_received: bool) -> None:
    """Takes a set value away; a received one counts again, or not, as `to_received` says."""
    found = stored(state, dataset, name)
    if found.received is None:
        state.write("DELETE FROM property WHERE dataset = ? AND name = ?", dataset.id, name)
    else:
        state.write(
            "UPDATE property SET local = NULL, masked = ? WHERE dataset = ? AND name = ?",
            not to_received, dataset.id, name,
        )  # fmt: skip


def all_stored(state: State, wanted: Sequence[Dataset]) -> dict[int, dict[str, Stored]]:
    """What each of these datasets itself knows, by row and property."""
    if len(wanted) <= 8:
        rows: Iterable[tuple[int, str, str | None, str | None, int]] = [
            (one.id, *row)
            for one in wanted
            for row in state.rows("SELECT name, local, received, masked FROM property WHERE dataset = ? ORDER BY name", one.id)
        ]
    else:
        rows = [
            (number, name, local, received, masked)
            for number, name, local, received, masked in state.rows(
                "SELECT dataset, name, local, received, masked FROM property ORDER BY dataset, name"
            )
        ]
    found: dict[int, dict[str, Stored]] = {}
    for number, name, local, received, masked in rows:
        found.setdefault(number, {})[name] = Stored(local, received, masked)
    return found


@dataclass(frozen=True, slots=True)
class Inherited:
    """A value that counts for all below the dataset that has it."""

    value: str
    giver: str
    """The name of the dataset that has it."""


def inherited_values(above: Mapping[str, Inherited], dataset: Dataset, own: Mapping[str, Stored]) -> Mapping[str, Inherited]:
    """What the children of a dataset inherit, given what it inherits itself and what it knows."""
    if dataset.is_snapshot:
        return above
    given = {name: Inherited(one.value, dataset.name) for name, one in own.items() if one.value is not None}
    return {**above, **given} if given else above


def effective(state: State, dataset: Dataset, name: str) -> Inherited | None:
    """The value that counts on a dataset, its own or from above, and who gives it; None where nobody set any."""
    for one in (dataset, *datasets.ancestors(state, dataset)):
        value = own_value(state, one, name)
        if value is not None:
            return Inherited(value, one.name)
    return None


def inheritors(state: State, dataset: Dataset, name: str) -> list[Dataset]:
    """A filesystem and all filesystems below it that have the property from it."""
    found = [dataset]
    for child in datasets.children(state, dataset):
        if child.kind == FILESYSTEM and own_value(state, child, name) is None:
            found += inheritors(state, child, name)
    return found
