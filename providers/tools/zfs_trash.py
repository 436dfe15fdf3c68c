"""The note that an object in the trash carries: one user property, so that it is written whole or not at all."""

import json

from providers.tools.zfs_properties import MARK_PREFIX
from reconciler.model.trash import Trashed

TRASH = f"{MARK_PREFIX}trash"
CONTAINER = ".reconciler-trash"
"""The dataset that holds the trash of a pool or of an encryption root (kinds.md, "What trash means")."""


SAVED = frozenset({"canmount", "refreservation", "sharenfs", "sharesmb"})
"""What a note may give back. Whoever a dataset is delegated to can write a note, and could ask for more."""


def note(trashed: Trashed) -> str:
    """The property's value; `trashed_in` reads it."""
    document: dict[str, object] = {"at": trashed.at, "group": trashed.group, "ttl": trashed.ttl_s}
    if trashed.replaced:
        document["replaced"] = True
    if trashed.was_mounted:
        document["mounted"] = True
    if trashed.saved:
        document["saved"] = dict(trashed.saved)
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def trashed_in(text: str) -> Trashed:
    """What a note says. One that somebody garbled still says that the object is in the trash, and that it may stay there."""
    try:
        found = json.loads(text)
        given = {name: value for name, value in found.get("saved", {}).items() if name in SAVED}
        saved = {name: None if value is None else _text(value) for name, value in given.items()}
        ttl = None if found["ttl"] is None else int(found["ttl"])
        was_mounted = found.get("mounted") is True
        return Trashed(_text(found["at"]), _text(found["group"]), ttl, found.get("replaced") is True, was_mounted, saved)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        return Trashed("", "", None)


def _text(value: object) -> str:
    """A text that can be an argument of a command; ValueError for anything else."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(value)
    value.encode("utf-8", "surrogateescape")
    return value
