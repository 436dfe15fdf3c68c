"""Our mark and our notes in a guest's internal_metadata, which the guest itself can't write (smartos-vmadm.md 7).

A note is one value, so that it is written whole or not at all, and in the payload that does what it notes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from providers.tools.vmadm_objects import Guest
from reconciler.model.errors import InvalidValue
from reconciler.model.key import ObjectName, parse_object_name
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.observed import Mark
from reconciler.model.trash import Trashed
from reconciler.provider.guest import OWN_METADATA

OWNER, KEY, HOST, PROTECT, ON_REMOVAL = (f"{OWN_METADATA}{name}" for name in ("owner", "key", "host", "protect", "on-removal"))
NICS, DISKS, MOUNTS = (f"{OWN_METADATA}{name}" for name in ("nics", "disks", "mounts"))
"""Which items of a list are ours, by the names of the manifest: {name: mac}, {name: uuid or path}, [target]."""

STAGED = f"{OWN_METADATA}staged"
"""Changes that wait for the next boot: {"boot": boot_timestamp, "fields": [name]}; void once the guest has booted again."""

RESUME = f"{OWN_METADATA}resume"
"""The state that a change of ours took the guest out of, until it is back in it."""

AWAY = f"{OWN_METADATA}away"
"""Volumes that a change of ours moved out of the way of `remove_disks`, until they are back: {where they are: their name}."""

TRASH = f"{OWN_METADATA}trash"
"""When and how the guest went into the trash, and what it was; taken off last on the way back."""

ALL_KEYS = (OWNER, KEY, HOST, PROTECT, ON_REMOVAL, NICS, DISKS, MOUNTS, STAGED, RESUME, AWAY, TRASH)

UNNAMED = "Unknown"
"""The kind of a mark whose key can't be read: somebody's, and certainly not the guest's own."""

_PROTECT: Mapping[str, Protect] = MappingProxyType({known.value: known for known in Protect})
_ON_REMOVAL: Mapping[str, OnRemoval] = MappingProxyType({known.value: known for known in OnRemoval})


def entries_of(mark: Mark) -> dict[str, str]:
    """The entries that say what the mark says."""
    found = {OWNER: mark.owner, KEY: str(mark.name)}
    if mark.host_id:
        found[HOST] = mark.host_id
    if mark.protect is not Protect.NONE:
        found[PROTECT] = mark.protect.value
    if mark.on_removal is not None:
        found[ON_REMOVAL] = mark.on_removal.value
    return found


def mark_of(guest: Guest) -> Mark | None:
    """The mark on a guest; None where there is none. An unknown protection protects, an unknown way to go says nothing."""
    said = _ours(guest)
    if OWNER not in said:
        return None
    return Mark(
        said[OWNER],
        _name(said.get(KEY, "")),
        said.get(HOST, ""),
        _PROTECT.get(said.get(PROTECT, Protect.NONE), Protect.ALL),
        _ON_REMOVAL.get(said.get(ON_REMOVAL, "")),
    )


@dataclass(frozen=True, slots=True)
class Notes:
    """What our notes on a guest say. One that somebody garbled says nothing, but that of the trash (see `trashed`)."""

    nics: Mapping[str, str]
    disks: Mapping[str, str]
    mounts: frozenset[str]
    staged_at: str
    staged: tuple[str, ...]
    resume: str
    away: Mapping[str, str]
    trashed: Trashed | None


def notes_of(guest: Guest) -> Notes:
    said = _ours(guest)
    staged = _object(said.get(STAGED))
    fields = staged.get("fields")
    mounts = _parsed(said.get(MOUNTS))
    return Notes(
        _texts(said.get(NICS)),
        _texts(said.get(DISKS)),
        frozenset(str(target) for target in mounts) if isinstance(mounts, list) else frozenset(),
        str(staged.get("boot", "")),
        tuple(str(name) for name in fields) if isinstance(fields, list) else (),
        said.get(RESUME, ""),
        _texts(said.get(AWAY)),
        trashed_in(said[TRASH]) if TRASH in said else None,
    )


def items_note(items: Mapping[str, str]) -> str:
    return _text(dict(items))


def targets_note(targets: Iterable[str]) -> str:
    return _text(sorted(targets))


def staged_note(boot: str, fields: Iterable[str]) -> str:
    return _text({"boot": boot, "fields": sorted(fields)})


def trash_note(trashed: Trashed) -> str:
    document: dict[str, object] = {"at": trashed.at, "group": trashed.group, "ttl": trashed.ttl_s}
    if trashed.replaced:
        document["replaced"] = True
    if trashed.saved:
        document["saved"] = dict(trashed.saved)
    return _text(document)


def trashed_in(text: str) -> Trashed:
    """What the note says. A garbled one still says that the guest is in the trash, and that it may stay there."""
    found = _object(text)
    saved, ttl = found.get("saved", {}), found.get("ttl")
    if not isinstance(saved, dict) or not all(isinstance(value, str) or value is None for value in saved.values()):
        return Trashed("", "", None)
    at, group = found.get("at"), found.get("group")
    if not isinstance(at, str) or not isinstance(group, str):
        return Trashed("", "", None, saved=saved)
    return Trashed(at, group, ttl if isinstance(ttl, int) else None, found.get("replaced") is True, saved=saved)


def _ours(guest: Guest) -> dict[str, str]:
    entries = guest.entries("internal_metadata")
    return {name: value for name, value in entries.items() if name.startswith(OWN_METADATA) and isinstance(value, str)}


def _texts(text: str | None) -> dict[str, str]:
    return {name: value for name, value in _object(text).items() if isinstance(value, str)}


def _object(text: str | None) -> dict[str, object]:
    found = _parsed(text)
    return found if isinstance(found, dict) else {}


def _parsed(text: str | None) -> object:
    try:
        found: object = json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
    return found


def _text(document: object) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _name(text: str) -> ObjectName:
    try:
        return parse_object_name(text)
    except InvalidValue:
        return ObjectName(UNNAMED, text)
