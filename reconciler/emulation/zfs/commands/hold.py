"""`zfs hold`, `zfs release` and `zfs holds`."""

from __future__ import annotations

import time
from collections.abc import Sequence

from reconciler.emulation.session import Session
from reconciler.emulation.zfs import datasets
from reconciler.emulation.zfs.commands.destroy import destroy_if_deferred
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.dialect import DIALECTS
from reconciler.emulation.zfs.errors import Misused, Refused
from reconciler.emulation.zfs.names import name_fault
from reconciler.emulation.zfs.opening import opened
from reconciler.emulation.zfs.options import options
from reconciler.emulation.zfs.properties import FILESYSTEM, SNAPSHOT, VOLUME
from reconciler.emulation.zfs.table import aligned

_LONGEST_TAG = 255


def hold(session: Session, arguments: Sequence[str]) -> int:
    """`zfs hold [-r] TAG SNAPSHOT…`."""
    tag, names, recursive = _tag_and_names(session, arguments)
    if tag.startswith("."):
        raise Misused("tag may not start with '.'")
    word = "snapshot " if DIALECTS[session.system.zfs_dialect].modern_snapshot_errors else ""
    failed = False
    for name in names:
        refusal = f"cannot hold {word}'{name}': "
        try:
            found = _snapshots(session, name, refusal, recursive=recursive)
            if len(tag.encode("utf-8", "surrogateescape")) > _LONGEST_TAG:
                raise Refused(f"{tag}: tag too long")
            held = [one for one in found if tag in _tags(session, one)]
            if held:
                raise Refused(f"cannot hold {word}'{held[-1].name}': tag already exists on this dataset")
            for one in found:
                session.begin_part()
                session.state.write("INSERT INTO hold VALUES (?, ?, ?)", one.id, tag, int(session.now))
        except Refused as refused:
            session.complain("\n".join(refused.lines))
            failed = True
    return int(failed)


def release(session: Session, arguments: Sequence[str]) -> int:
    """`zfs release [-r] TAG SNAPSHOT…`; a snapshot whose destruction was put off goes with its last hold."""
    tag, names, recursive = _tag_and_names(session, arguments)
    dialect = DIALECTS[session.system.zfs_dialect]
    failed = False
    for name in names:
        what = "hold from snapshot" if dialect.modern_snapshot_errors else f"'{tag}' from"
        refusal = f"cannot release {what} '{name}': "
        try:
            found = _snapshots(session, name, refusal, recursive=recursive)
            held = [one for one in found if tag in _tags(session, one)]
            if not held or (dialect.release_all_or_none and len(held) < len(found)):
                raise Refused(refusal + "no such tag on this dataset")
            for one in held:
                session.begin_part()
                session.state.write("DELETE FROM hold WHERE dataset = ? AND tag = ?", one.id, tag)
                destroy_if_deferred(session, one)
        except Refused as refused:
            session.complain("\n".join(refused.lines))
            failed = True
    return int(failed)


def holds(session: Session, arguments: Sequence[str]) -> int:
    """`zfs holds [-rH] SNAPSHOT…`: name, tag and time of each hold."""
    dialect = DIALECTS[session.system.zfs_dialect]
    if not dialect.holds_works:
        session.line("internal error: /usr/lib/zfs/pyzfs.py not found")
        return 255
    given = options(arguments, "rH", anywhere=dialect.options_anywhere)
    if not given.operands:
        raise Misused("missing snapshot argument")
    rows: list[tuple[str, str, str]] = []
    failed = False
    for name in given.operands:
        try:
            for one in _snapshots(session, name, f"cannot open '{name}': ", recursive=given.has("r")):
                rows += [(one.name, tag, _moment(creation)) for tag, creation in datasets.hold_tags(session.state, one)]
        except Refused as refused:
            session.complain("\n".join(refused.lines))
            failed = True
    if given.has("H"):
        session.out.extend("\t".join(row) + "\n" for row in rows)
    elif rows:
        session.out.extend(aligned([("NAME", "TAG", "TIMESTAMP"), *rows]))
    return int(failed)


def _moment(creation: int) -> str:
    return time.strftime("%a %b %e %H:%M %Y", time.gmtime(creation))


def _tag_and_names(session: Session, arguments: Sequence[str]) -> tuple[str, Sequence[str], bool]:
    given = options(arguments, "r", anywhere=DIALECTS[session.system.zfs_dialect].options_anywhere)
    if len(given.operands) < 2:
        raise Misused
    return given.operands[0], given.operands[1:], given.has("r")


def _tags(session: Session, snapshot: Dataset) -> set[str]:
    return {tag for tag, _ in datasets.hold_tags(session.state, snapshot)}


def _snapshots(session: Session, name: str, refusal: str, *, recursive: bool) -> list[Dataset]:
    """The snapshot of that name and, where asked for, its namesakes below."""
    filesystem, at, snapshot_name = name.partition("@")
    if not at:
        raise Refused(f"'{name}' is not a snapshot")
    top = opened(session, filesystem, {FILESYSTEM, VOLUME})
    if name_fault(DIALECTS[session.system.zfs_dialect], name, SNAPSHOT, modifying=True) is not None:
        raise Refused(refusal + "operation not applicable to datasets of this type")
    whole = datasets.subtree(session.state, top) if recursive else [top]
    found = [datasets.dataset_named(session.state, f"{one.name}@{snapshot_name}") for one in whole if not one.is_snapshot]
    there = [one for one in found if one is not None and one.kind == SNAPSHOT]
    if not there:
        raise Refused(refusal + "dataset does not exist")
    return there
