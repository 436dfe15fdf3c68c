"""Our mark in ZFS user properties. They are inherited, so only one that is set on the object itself counts."""

from collections.abc import Mapping
from types import MappingProxyType

from providers.tools.zfs_properties import MARK_PREFIX
from providers.tools.zfs_rows import SET_HERE, Rows
from reconciler.model.errors import InvalidValue
from reconciler.model.key import ObjectName, parse_object_name
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.observed import Mark
from reconciler.model.value import Value

OWNER = f"{MARK_PREFIX}owner"
KEY = f"{MARK_PREFIX}key"
HOST = f"{MARK_PREFIX}host"
PROTECT = f"{MARK_PREFIX}protect"
ON_REMOVAL = f"{MARK_PREFIX}on-removal"

_PROTECT: Mapping[str, Protect] = MappingProxyType({known.value: known for known in Protect})
_ON_REMOVAL: Mapping[str, OnRemoval] = MappingProxyType({known.value: known for known in OnRemoval})

MARKS = (OWNER, KEY, HOST, PROTECT, ON_REMOVAL)

UNNAMED = "Unknown"
"""The kind of a mark whose key can't be read: somebody's, and certainly not the object's own."""


def properties_of(mark: Mark) -> Mapping[str, Value]:
    """The user properties that say what the mark says."""
    found: dict[str, Value] = {OWNER: mark.owner, KEY: str(mark.name)}
    if mark.host_id:
        found[HOST] = mark.host_id
    if mark.protect is not Protect.NONE:
        found[PROTECT] = mark.protect.value
    if mark.on_removal is not None:
        found[ON_REMOVAL] = mark.on_removal.value
    return found


def mark_in(rows: Rows, host_id: str) -> Mark | None:
    """The mark set on the object itself; None where nobody's owner is. `host_id` is the host's own.

    What it says stays on the safe side: an unknown protection protects, an unknown way to go says nothing. A mark that came
    with a stream tells a copy from another machine; one from this machine tells nothing, for what was restored from a backup
    is not ours to remove.
    """
    source = rows.sources[OWNER]
    if source not in SET_HERE:
        return None
    said = {name: rows.values[name] for name in MARKS if rows.sources[name] == source}
    if source == "received" and said.get(HOST, host_id) == host_id:
        return None
    protect = _PROTECT.get(said.get(PROTECT, Protect.NONE), Protect.ALL)
    on_removal = _ON_REMOVAL.get(said.get(ON_REMOVAL, ""))
    return Mark(said[OWNER], _name(said.get(KEY, "")), said.get(HOST, ""), protect, on_removal)


def key_in(rows: Rows) -> ObjectName:
    """What the mark is about that is on the object or on one that it lies in."""
    return _name(rows.values[KEY])


def _name(text: str) -> ObjectName:
    try:
        return parse_object_name(text)
    except InvalidValue:
        return ObjectName(UNNAMED, text)
