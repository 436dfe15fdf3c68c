"""`zfs clone`: a filesystem or volume that begins as a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reconciler.emulation.session import Session
from reconciler.emulation.zfs import datasets, mounts, setting, values
from reconciler.emulation.zfs.commands.create import (
    check_space,
    checked_settings,
    create_parents,
    first_mount,
    give_first_values,
    parent_for,
    property_options,
    refuse_name,
)
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.dialect import DIALECTS
from reconciler.emulation.zfs.errors import Misused, Refused
from reconciler.emulation.zfs.names import pool_of
from reconciler.emulation.zfs.opening import opened
from reconciler.emulation.zfs.options import options
from reconciler.emulation.zfs.properties import FILESYSTEM, SNAPSHOT, belongs_to_data


def clone(session: Session, arguments: Sequence[str]) -> int:
    """`zfs clone [-p] [-o p=v]… SNAPSHOT NAME`."""
    dialect = DIALECTS[session.system.zfs_dialect]
    given = options(arguments, "po:", anywhere=dialect.options_anywhere)
    wanted = property_options(given)
    if not given.operands:
        raise Misused("missing source dataset argument")
    if len(given.operands) == 1:
        raise Misused("missing target dataset argument")
    if len(given.operands) > 2:
        raise Misused("too many arguments")
    source, name = given.operands
    origin = opened(session, source, {SNAPSHOT})
    if given.has("p"):
        refuse_name(session, name, FILESYSTEM, modifying=False)
        if datasets.dataset_named(session.state, name) is not None:
            return 0
        create_parents(session, name)
    refusal = f"cannot create '{name}': "
    parent = parent_for(session, name, FILESYSTEM)
    if pool_of(source) != pool_of(name):
        raise Refused(refusal + "source and target pools differ")
    former = datasets.dataset_named(session.state, origin.filesystem_name)
    assert former is not None
    target = replace(setting.target_of(session, former), zoned=mounts.is_zoned(session.state, parent))
    settings = checked_settings(session, target, refusal, wanted)
    if datasets.dataset_named(session.state, name) is not None:
        raise Refused(refusal + "dataset already exists")
    check_space(session, refusal, parent, settings, used=0, referenced=origin.shared)
    session.begin_part()
    made = datasets.insert_dataset(
        session.state, name=name, parent=parent.id, kind=former.kind, createtxg=datasets.next_txg(session.state),
        creation=int(session.now), origin=origin.id, shared=origin.shared,
    )  # fmt: skip
    _carry_over(session, former, made)
    give_first_values(session, made, settings)
    first_mount(session, made)
    return 0


def _carry_over(session: Session, former: Dataset, made: Dataset) -> None:
    """Gives a clone what belongs to the data and not to the dataset: what was fixed at creation, a volume's size."""
    dialect = DIALECTS[session.system.zfs_dialect]
    for name, stored in values.all_stored(session.state, [former]).get(former.id, {}).items():
        if stored.value is not None and belongs_to_data(dialect, name):
            values.set_local(session.state, made, name, stored.value)
