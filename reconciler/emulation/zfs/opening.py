"""Finding the dataset that an operand names, as every subcommand does first."""

from __future__ import annotations

from collections.abc import Collection

from reconciler.emulation.session import Session
from reconciler.emulation.zfs import datasets
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.dialect import DIALECTS
from reconciler.emulation.zfs.errors import Refused
from reconciler.emulation.zfs.names import name_fault


def opened(session: Session, name: str, kinds: Collection[str]) -> Dataset:
    """The dataset of that name; raises Refused when there is none or it is of another kind."""
    if name_fault(DIALECTS[session.system.zfs_dialect], name, "", modifying=False) is not None:
        raise Refused(f"cannot open '{name}': invalid dataset name")
    found = datasets.dataset_named(session.state, name)
    if found is None:
        raise Refused(f"cannot open '{name}': dataset does not exist")
    if found.kind not in kinds:
        raise Refused(f"cannot open '{name}': operation not applicable to datasets of this type")
    return found
