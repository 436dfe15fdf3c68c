"""Our mark and our notes on a container: comments in its config file, which the container itself can't write."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from providers.tools.lxc_config import OURS, Config
from reconciler.model.errors import InvalidValue
from reconciler.model.key import ObjectName, parse_object_name
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.observed import Mark
from reconciler.model.trash import Trashed

OWNER, KEY, HOST, PROTECT, ON_REMOVAL = (f"{OURS}{name}" for name in ("owner", "key", "host", "protect", "on-removal"))
MARKS = (OWNER, KEY, HOST, PROTECT, ON_REMOVAL)

UUID, ROOT = f"{OURS}uuid", f"{OURS}root"
"""What it is known by on hosts that have uuids; the dataset that we made for its root."""

NICS, MOUNTS, DATASETS = (f"{OURS}{name}" for name in ("nics", "mounts", "datasets"))
"""{name: {place, port, field: value}}, [target], [dataset]: what of its lists is ours, with what LXC has no keys for."""

DOING = f"{OURS}doing"
"""What change of ours is not done yet; taken off last."""

RESUME = f"{OURS}resume"
"""The state that such a change is to bring it to."""

TRASH = f"{OURS}trash"
"""When and how it went into the trash, and what it was."""

BOOT = f"{OURS}boot"
"""Only in the copy that it was started with: the host's boot in which that was."""

MAKING, CHANGING = "making", "changing"

UNNAMED = "Unknown"
"""The kind of a mark whose key can't be read: somebody's, and certainly not the container's own."""

_PROTECT: Mapping[str, Protect] = MappingProxyType({known.value: known for known in Protect})
_ON_REMOVAL: Mapping[str, OnRemoval] = MappingProxyType({known.value: known for known in OnRemoval})


def with_mark(config: Config, mark: Mark) -> Config:
    """The config with all that the mark says."""
    entries = {
        OWNER: mark.owner,
        KEY: str(mark.name),
        HOST: mark.host_id or None,
        PROTECT: mark.protect.value if mark.protect is not Protect.NONE else None,
        ON_REMOVAL: mark.on_removal.value if mark.on_removal is not None else None,
    }
    for key, value in entries.items():
        config = config.with_entry(key, value)
    return config


def mark_of(config: Config) -> Mark | None:
    """The mark in a config; None where there is none. An unknown protection protects, an unknown way to go says nothing."""
    owner = config.get(OWNER)
    if owner is None:
        return None
    return Mark(
        owner,
        _name(config.get(KEY) or ""),
        config.get(HOST) or "",
        _PROTECT.get(config.get(PROTECT) or Protect.NONE, Protect.ALL),
        _ON_REMOVAL.get(config.get(ON_REMOVAL) or ""),
    )


@dataclass(frozen=True, slots=True)
class Trashing:
    """The note of the trash: `is_there` once all is done that has to be done on the way in."""

    trashed: Trashed
    is_there: bool


def trash_note(trashed: Trashed, *, is_there: bool) -> str:
    document: dict[str, object] = {"at": trashed.at, "group": trashed.group, "ttl": trashed.ttl_s, "saved": dict(trashed.saved)}
    return text_of({**document, "there": is_there})


def trashing_in(config: Config) -> Trashing | None:
    """What the note says. A garbled one still says that the container is in the trash, and that it may stay there."""
    text = config.get(TRASH)
    if text is None:
        return None
    found = object_of(text)
    at, group, ttl, saved = (found.get(name) for name in ("at", "group", "ttl", "saved"))
    kept = {str(name): str(value) for name, value in saved.items()} if isinstance(saved, dict) else {}
    if not isinstance(at, str) or not isinstance(group, str):
        return Trashing(Trashed("", "", None, saved=kept), True)
    return Trashing(Trashed(at, group, ttl if isinstance(ttl, int) else None, saved=kept), found.get("there") is True)


def text_of(document: object) -> str:
    """One line that `object_of` and `list_of` read."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def object_of(text: str | None) -> dict[str, object]:
    """The mapping in a note; empty for one that somebody garbled."""
    found = _parsed(text)
    return found if isinstance(found, dict) else {}


def list_of(text: str | None) -> tuple[str, ...]:
    found = _parsed(text)
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _parsed(text: str | None) -> object:
    try:
        found: object = json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
    return found


def _name(text: str) -> ObjectName:
    try:
        return parse_object_name(text)
    except InvalidValue:
        return ObjectName(UNNAMED, text)
