"""The durable record of which commits were accepted: what a later tip has to descend from."""

import json
import os
from pathlib import Path

from reconciler.source.errors import STATE_REMEDY, SourceError, disk_errors

_FORMAT = "reconciler.accepted/v1"

_LEAST_DIGITS = 7


def accepted(record: Path) -> dict[str, str]:
    """The accepted commit of each ref; empty where nothing was accepted yet. A record that can't be read raises SourceError."""
    with disk_errors(record, STATE_REMEDY):
        try:
            text = record.read_bytes()
        except FileNotFoundError:
            return {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise _unusable(record, str(error)) from error
    refs = found.get("refs") if isinstance(found, dict) and found.get("format") == _FORMAT else None
    if not isinstance(refs, dict) or not all(isinstance(commit, str) for commit in refs.values()):
        raise _unusable(record, f"not {_FORMAT}")
    return refs


def accept(record: Path, ref: str, commit: str) -> None:
    """Records the commit so that it outlives a crash at any instant. The caller holds the mirror's lock; raises OSError."""
    refs = accepted(record) | {ref: commit}
    aside = record.with_suffix(".new")
    with aside.open("w", encoding="utf-8") as file:
        json.dump({"format": _FORMAT, "refs": refs}, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(record)
    synced(record.parent)


def is_consent(given: str | None, *, old: str, new: str) -> bool:
    """Whether somebody named `new`, whole or by its first digits, and could not have meant `old`."""
    named = (given or "").lower()
    return len(named) >= _LEAST_DIGITS and new.startswith(named) and not old.startswith(named)


def synced(directory: Path) -> None:
    """Makes the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unusable(record: Path, why: str) -> SourceError:
    return SourceError(
        f"{record}: the record of accepted commits can't be read: {why}",
        remedy="repair it, or delete it: the next commit that is fetched is then accepted as the first",
    )
