"""The act of making a dataset, once all has been checked."""

from __future__ import annotations

from reconciler.emulation.state import State
from reconciler.emulation.zfs import datasets, space
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.dialect import Dialect
from reconciler.emulation.zfs.properties import VOLUME


def insert(state: State, dialect: Dialect, name: str, kind: str, parent: Dataset | None, txg: int, now: int) -> Dataset:
    """Makes an empty filesystem or volume and charges its parent with the bytes that even an empty one takes."""
    made = datasets.insert_dataset(
        state, name=name, parent=parent.id if parent else None, kind=kind, createtxg=txg, creation=now
    )
    space.grow(state, made, dialect.empty_volume_bytes if kind == VOLUME else dialect.empty_filesystem_bytes)
    return datasets.dataset_with_id(state, made.id)
