"""Which datasets `zfs list` and `zfs get` are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.emulation.session import Session
from reconciler.emulation.zfs import datasets, mounts
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.errors import Misused, Refused
from reconciler.emulation.zfs.opening import opened
from reconciler.emulation.zfs.options import Options
from reconciler.emulation.zfs.properties import FILESYSTEM, SNAPSHOT, VOLUME

_TYPES = {
    "filesystem": frozenset({FILESYSTEM}),
    "volume": frozenset({VOLUME}),
    "snapshot": frozenset({SNAPSHOT}),
    "snap": frozenset({SNAPSHOT}),
    "bookmark": frozenset[str](),
    "all": frozenset({FILESYSTEM, VOLUME, SNAPSHOT}),
}


@dataclass(frozen=True, slots=True)
class Reach:
    """How far below the named datasets to look."""

    recursive: bool = False
    depth: int | None = 0
    """Levels below each named dataset; None without end."""


def reach_option(given: Options) -> Reach:
    """What -r and -d say; raises Misused for a depth that is no number."""
    text = given.last("d")
    if text is not None:
        return Reach(recursive=True, depth=integer(text))
    return Reach(recursive=True, depth=None) if given.has("r") else Reach()


def integer(text: str) -> int:
    """The number that an option's argument says; raises Misused for none."""
    try:
        return int(text)
    except ValueError as error:
        raise Misused(f"{text} is not an integer") from error


def kinds_option(text: str) -> frozenset[str]:
    """The kinds of dataset that -t names; raises Misused for others."""
    found: frozenset[str] = frozenset()
    for one in text.split(","):
        if one not in _TYPES:
            raise Misused(f"invalid type '{one}'")
        found |= _TYPES[one]
    return found


def selected(
    session: Session,
    names: Sequence[str],
    *,
    kinds: frozenset[str],
    named_kinds: frozenset[str],
    reach: Reach,
    paths: bool,
) -> tuple[list[Dataset], bool]:
    """The datasets of those kinds, in the order of listing, and whether any name could not be opened.

    A dataset that is named itself may be of `named_kinds`. No names are all datasets, or as deep as asked for below
    each pool. With `paths` a name may be a path that lies in a mounted filesystem. What can't be opened is complained
    of; the others are given all the same.
    """
    if not names:
        depth = reach.depth if reach.recursive else None
        whole = datasets.everything(session.state)
        return [one for one in whole if one.kind in kinds and (depth is None or _depth(one.name) <= depth)], False
    found: list[Dataset] = []
    failed = False
    # Whoever looks below a filesystem may name it, whatever is looked for.
    allowed = named_kinds
    if reach.recursive:
        # Where snapshots are looked for, a volume may be named as well (zfs_iter.c, "argtype").
        allowed = allowed | {FILESYSTEM} | ({VOLUME} if SNAPSHOT in named_kinds else frozenset())
    for name in names:
        try:
            top = _opened(session, name, allowed, paths=paths)
        except Refused as refused:
            session.complain("\n".join(refused.lines))
            failed = True
            continue
        within = _within(session, top, reach.depth)
        found += [one for one in within if one.kind in kinds or (one is top and one.kind in named_kinds)]
    return sorted(each_snapshot_once(found), key=lambda one: one.order), failed


def each_snapshot_once(found: Sequence[Dataset]) -> list[Dataset]:
    """What was found, without the snapshots that were found before; a filesystem named twice is listed twice."""
    seen: set[int] = set()
    kept = []
    for one in found:
        if not one.is_snapshot or one.id not in seen:
            kept.append(one)
        seen.add(one.id)
    return kept


def _opened(session: Session, name: str, kinds: frozenset[str], *, paths: bool) -> Dataset:
    if not paths or not name.startswith(("/", "./")):
        return opened(session, name, kinds)
    for dataset, place in sorted(mounts.mounted_filesystems(session.state), key=lambda pair: -len(pair[1])):
        if name == place or name.startswith(place.rstrip("/") + "/"):
            return dataset
    raise Refused(f"{name}: No such file or directory")


def _within(session: Session, top: Dataset, depth: int | None) -> list[Dataset]:
    if depth == 0:
        return [top]
    found = datasets.subtree(session.state, top)
    if depth is None:
        return found
    return [one for one in found if _depth(one.name) - _depth(top.name) <= depth]


def _depth(name: str) -> int:
    return name.count("/") + name.count("@")
