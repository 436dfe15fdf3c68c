"""What hangs on a dataset and would have to go before it: children, snapshots, clones."""

from __future__ import annotations

from reconciler.emulation.session import Session
from reconciler.emulation.zfs import datasets
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.dialect import DIALECTS
from reconciler.emulation.zfs.errors import Refused


def check_dependents(session: Session, dataset: Dataset, *, recursive: bool, with_clones: bool) -> None:
    """Raises Refused with the list of what hangs on a dataset and was not asked to go."""
    if with_clones:
        return
    hanging = dependents(session, dataset, cycles=True)
    own = (f"{dataset.name}/", f"{dataset.name}@")
    below = [one for one in hanging if one.name.startswith(own)]
    if below and not recursive:
        raise Refused(
            f"cannot destroy '{dataset.name}': {dataset.kind} has children",
            "use '-r' to destroy the following datasets:",
            *(one.name for one in below),
        )
    outside = [one.name for one in hanging if not one.name.startswith(own)]
    if outside:
        raise Refused(
            f"cannot destroy '{dataset.name}': {dataset.kind} has dependent clones",
            "use '-R' to destroy the following datasets:",
            *outside,
        )


def dependents(session: Session, dataset: Dataset, *, cycles: bool = False) -> list[Dataset]:
    """All that would have to go with a dataset, in the order of going: what lies below it, clones of its snapshots.

    After a promotion a dataset may hang on itself; without `cycles` Refused is raised then.
    """
    dialect = DIALECTS[session.system.zfs_dialect]
    found: list[Dataset] = []
    begun: set[int] = set()
    done: set[int] = set()

    def visit(one: Dataset) -> None:
        begun.add(one.id)
        below = datasets.clones(session.state, one) if one.is_snapshot else datasets.children(session.state, one)
        for other in sorted(below, key=_age if dialect.dependency_graph else _children_first):
            if other.id in done or (other.parent is None and dialect.dependency_graph):
                continue
            if other.id not in begun:
                visit(other)
                found.append(other)
            elif not cycles:
                raise Refused(f"cannot determine dependent datasets: recursive dependency at '{other.name}'")
        done.add(one.id)

    visit(dataset)
    return found


def _age(dataset: Dataset) -> int:
    return dataset.createtxg


def _children_first(dataset: Dataset) -> bool:
    return dataset.is_snapshot
