"""Which names datasets, snapshots and pools may have, and what zfs says of others (illumos-cli.md 1.3)."""

from __future__ import annotations

import string

from reconciler.emulation.zfs.dialect import Dialect
from reconciler.emulation.zfs.properties import FILESYSTEM, SNAPSHOT, VOLUME

_ALLOWED = frozenset(string.ascii_letters + string.digits + "-_.: %")


def name_fault(dialect: Dialect, name: str, kind: str, *, modifying: bool) -> str | None:
    """What is wrong with a name for a dataset of that kind; None when nothing is.

    `kind` is filesystem, volume, snapshot, or "" for any. `modifying` refuses the names that only zfs itself may make.
    """
    fault = _spelling_fault(dialect, name)
    if fault is not None:
        return fault
    if kind in {FILESYSTEM, VOLUME} and "@" in name:
        return "snapshot delimiter '@' in filesystem name"
    if kind == SNAPSHOT and "@" not in name:
        return "missing '@' delimiter in snapshot name"
    if modifying and "%" in name:
        return "invalid character % in name"
    return None


def _spelling_fault(dialect: Dialect, name: str) -> str | None:
    if len(name.encode("utf-8", "surrogateescape")) > dialect.name_bytes:
        return "name is too long"
    if name.startswith("/"):
        return "leading slash in name"
    start, in_snapshot = 0, False
    while True:
        end = min((place for place in (name.find("/", start), name.find("@", start)) if place >= 0), default=len(name))
        if end == len(name) and name.endswith("/"):
            return "trailing slash in name"
        if end == start:
            again = in_snapshot and name[end : end + 1] == "@"
            return "multiple '@' delimiters in name" if again else "empty component in name"
        fault = _character_fault(name[start:end])
        if fault is not None or end == len(name):
            return fault
        if in_snapshot:
            return "multiple '@' delimiters in name" if name[end] == "@" else "trailing slash in name"
        in_snapshot = name[end] == "@"
        start = end + 1


def _character_fault(component: str) -> str | None:
    for character in component:
        if character not in _ALLOWED:
            # zfs looks at bytes: of a longer character it names the first.
            first = character.encode("utf-8", "surrogateescape")[:1].decode("utf-8", "surrogateescape")
            return f"invalid character '{first}' in name"
    return None


def pool_of(name: str) -> str:
    """The pool that a dataset lies in."""
    return name.partition("@")[0].partition("/")[0]


def parent_of(name: str) -> str:
    """The name of what a dataset lies in; empty for a pool's root."""
    return name.partition("@")[0] if "@" in name else name.rpartition("/")[0]
