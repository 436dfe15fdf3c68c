"""The payload that changes a guest (smartos-vmadm.md 6).

Everything of one payload is done or left undone together, our mark and notes included: a cut leaves nothing half-told.
"""

from collections.abc import Iterable, Mapping

from providers.tools import vmadm_disks, vmadm_marks, vmadm_mounts, vmadm_native, vmadm_nics
from providers.tools.vmadm_changes import item_changes, observed_item
from providers.tools.vmadm_create import carried
from providers.tools.vmadm_items import (
    closing_item_notes,
    item_notes,
    new_disk,
    new_disks,
    new_mounts,
    new_nics,
    opening_disk_note,
    readded_nic,
)
from providers.tools.vmadm_memory import told_memory
from providers.tools.vmadm_native import Json
from providers.tools.vmadm_reading import CLOUD_INIT
from providers.tools.vmadm_settings import HVM, MAPS, MIB, SETTINGS
from providers.tools.vmadm_stated import BOOTED
from reconciler.model.change import MARK, NAME, ON_REMOVAL, PROTECT, Change, Effect
from reconciler.model.observed import Observed
from reconciler.model.value import Value
from reconciler.provider.guest import route_parts

_OF_MARK = frozenset({NAME, MARK, PROTECT, ON_REMOVAL})
_INTERNAL, _CUSTOMER = MAPS["internalMetadata"], MAPS["metadata"]

Edits = dict[str, dict[str, Json]]
"""New entries of maps by the map's property; None for one that goes."""


def there(change: Change) -> Observed:
    """The guest as it was observed."""
    assert change.observed is not None
    return change.observed


def observed_brand(change: Change) -> str:
    field = "engine" if change.key.kind == "VirtualMachine" else "brand"
    return str(there(change).fields[field])


def update_payload(
    change: Change, *, with_mark: bool = False, notes: Mapping[str, str | None] | None = None
) -> dict[str, Json]:
    """All that one update can do of the change; nothing where that is nothing.

    `with_mark` writes all of our mark. `notes` are further entries of internal_metadata, None for one to take off.
    """
    payload: dict[str, Json] = {}
    edits: Edits = {prop: {} for prop in (*MAPS.values(), "routes")}
    brand = observed_brand(change)
    if change.field(NAME) is not None:
        payload["alias"] = change.key.name
    _tell_settings(change, payload)
    _tell_entries(change, edits)
    _tell_routes(change, edits)
    _tell_nics(change, payload, brand)
    if brand in HVM:
        _tell_disks(change, payload, brand)
    _tell_mounts(change, payload)
    edits[_INTERNAL].update(_mark_entries(change, with_mark=with_mark))
    if change.resource is not None:
        edits[_INTERNAL].update(item_notes(change, brand, there(change).identity, _pool(change)))
    edits[_INTERNAL].update(notes or {})
    for prop, entries in edits.items():
        if set_here := {key: value for key, value in entries.items() if value is not None}:
            payload[f"set_{prop}"] = dict(set_here)
        if removed := sorted(key for key, value in entries.items() if value is None):
            payload[f"remove_{prop}"] = list(removed)
    return payload


def note_payload(notes: Mapping[str, str | None]) -> dict[str, Json]:
    """The payload that writes notes of ours alone, None for one to take off."""
    payload: dict[str, Json] = {}
    if written := {key: value for key, value in notes.items() if value is not None}:
        payload[f"set_{_INTERNAL}"] = dict(written)
    if gone := sorted(key for key, value in notes.items() if value is None):
        payload[f"remove_{_INTERNAL}"] = list(gone)
    return payload


def staged_notes(change: Change) -> dict[str, str | None]:
    """The note about changes that wait for the next boot, with those that wait already; an old one is taken off.

    Changes that a restart of ours is to follow are noted too: the restart may never come.
    """
    observed = there(change)
    waiting = {entry.name for entry in change.fields if entry.effect in (Effect.STAGED, Effect.RESTART)}
    waiting = {name for name in waiting if name not in _OF_MARK and not name.startswith(("state", "pendingRestart"))}
    booted = observed.fields.get(BOOTED)
    if not waiting or booted is None:
        return {}
    return {vmadm_marks.STAGED: vmadm_marks.staged_note(str(booted), waiting | set(observed.pending_restart))}


def _mark_entries(change: Change, *, with_mark: bool) -> dict[str, Json]:
    if change.mark is None or not (with_mark or any(change.field(name) is not None for name in _OF_MARK)):
        return {}
    entries = vmadm_marks.entries_of(change.mark)
    before = there(change).mark
    gone = vmadm_marks.entries_of(before).keys() - entries.keys() if before is not None else ()
    return {**entries, **dict.fromkeys(gone)}


def opening_notes(change: Change) -> dict[str, str]:
    """The note on disks to write first of all; see `opening_disk_note`."""
    if change.resource is None or observed_brand(change) not in HVM:
        return {}
    return opening_disk_note(change, observed_brand(change), there(change).identity, _pool(change))


def closing_notes(change: Change, *, all_lists: bool) -> dict[str, str | None]:
    """The notes on items to write when all is done; see `closing_item_notes`."""
    if change.resource is None:
        return {}
    return closing_item_notes(change, observed_brand(change), there(change).identity, _pool(change), all_lists=all_lists)


def _pool(change: Change) -> str:
    return str(there(change).fields.get("pool") or "zones")


def _tell_settings(change: Change, payload: dict[str, Json]) -> None:
    settings, observed = SETTINGS[change.key.kind], there(change)
    for entry in change.fields:
        setting = settings.get(entry.name)
        if setting is not None and not setting.is_for_create:
            payload[setting.prop] = setting.told(entry.after)
        elif entry.name.startswith(vmadm_native.PREFIX):
            name = entry.name.removeprefix(vmadm_native.PREFIX)
            payload.update(vmadm_native.updated_with(name, entry.before, entry.after))
    stated = change.resource.fields if change.resource is not None else {}
    payload.update(told_memory(payload, observed.fields, stated, hvm=observed_brand(change) in HVM))


def _tell_entries(change: Change, edits: Edits) -> None:
    for entry in change.fields:
        head, _, key = entry.name.partition(".")
        if head in MAPS and key:
            edits[MAPS[head]][key] = _leaf(entry.after)
        elif entry.name in CLOUD_INIT:
            edits[_CUSTOMER][CLOUD_INIT[entry.name]] = None if entry.after is None else carried(entry.after)


def _leaf(value: Value) -> Json:
    return list(value) if isinstance(value, tuple) else value


def _tell_routes(change: Change, edits: Edits) -> None:
    """Destinations by name. One address may stand on the host with its prefix or without: both go, one comes."""
    routes = change.field("routes")
    if routes is None:
        return
    before, after = _destinations(routes.before), _destinations(routes.after)
    for to in before.keys() - after.keys() | {to for to in after if before.get(to) not in (None, after[to])}:
        edits["routes"][to] = None
        address, _, prefix = to.partition("/")
        if prefix == ("128" if ":" in address else "32"):
            edits["routes"][address] = None
    edits["routes"].update({to: via for to, via in after.items() if before.get(to) != via})


def _destinations(routes: Value) -> dict[str, str]:
    return dict(map(route_parts, routes)) if isinstance(routes, tuple) else {}


def _tell_nics(change: Change, payload: dict[str, Json], brand: str) -> None:
    items = item_changes(change, "nics")
    added, updated, removed = list[Json](), list[Json](), list[Json]()
    removed += [str(observed_item(change, "nics", name)["mac"]) for name in items.removed]
    taken = there(change).fields.get("nics")
    added += new_nics(change, items.added, brand, taken if isinstance(taken, tuple) else ())
    gives_primary = any(fields.get("primary") is True for fields in items.changed.values())
    for name, fields in sorted(items.changed.items()):
        before = observed_item(change, "nics", name)
        if "mac" in fields:
            removed.append(str(before["mac"]))
            added.append(readded_nic(change, name, fields, brand))
            continue
        told = vmadm_nics.told_nic(fields)
        if fields.get("primary") is False and not gives_primary:
            # vmadm refuses it and says so: the first nic is primary when none is.
            told["primary"] = False
        if told:
            updated.append({"mac": str(before["mac"]), **told})
    _put(payload, "nics", added, updated, removed)


def _tell_disks(change: Change, payload: dict[str, Json], brand: str) -> None:
    items, guest = item_changes(change, "disks"), there(change).identity
    removed: list[Json] = [str(observed_item(change, "disks", name)["path"]) for name in items.removed]
    added = new_disks(change, items.added, brand, guest, _pool(change))
    updated: list[Json] = []
    for name, fields in sorted(items.changed.items()):
        before = observed_item(change, "disks", name)
        if "iso" in fields:
            # Another file is another disk to vmadm; there is no data of the guest in one.
            removed.append(str(before["path"]))
            added.append(new_disk(change, name, {**_kept(before), **fields}, brand, guest, _pool(change)))
        elif told := vmadm_disks.told_disk(_by_vmadm(fields, brand)):
            updated.append({"path": str(before["path"]), **told})
    _put(payload, "disks", added, updated, removed)
    _tell_room_for_disks(change, payload, (fields.get("size") for fields in items.changed.values()))


def _by_vmadm(fields: Mapping[str, Value], brand: str) -> Mapping[str, Value]:
    """What of a disk vmadm can change. Disks of kvm it can't grow (see `grown_volumes`)."""
    return fields if brand == "bhyve" else {name: value for name, value in fields.items() if name != "size"}


def grown_volumes(change: Change) -> Mapping[str, int]:
    """Volumes that zfs has to grow, with their new size in bytes: vmadm reads the size of a disk from there."""
    if observed_brand(change) != "kvm":
        return {}
    found = {}
    for name, fields in sorted(item_changes(change, "disks").changed.items()):
        volume = vmadm_disks.volume_at(str(observed_item(change, "disks", name)["path"]))
        if volume is not None and isinstance(size := fields.get("size"), int):
            found[volume] = size
    return found


def _kept(before: Mapping[str, Value]) -> dict[str, Value]:
    return {name: before[name] for name in ("model", "boot") if name in before}


def _tell_room_for_disks(change: Change, payload: dict[str, Json], sizes: Iterable[Value]) -> None:
    """Where all disks together have a bound, it is raised with them, unless it is stated."""
    observed = there(change).fields
    name = f"{vmadm_native.PREFIX}flexible_disk_size"
    bound, stated = observed.get(name), change.resource.fields if change.resource is not None else {}
    if not isinstance(bound, int) or name in stated or not any(isinstance(size, int) for size in sizes):
        return
    items, names = item_changes(change, "disks"), observed.get("disks")
    total = 0
    for disk in names if isinstance(names, tuple) else ():
        size = items.changed.get(disk, {}).get("size", observed.get(f"disks.{disk}.size"))
        total += size // MIB if isinstance(size, int) and disk not in items.removed else 0
    payload["flexible_disk_size"] = max(bound, total)


def _tell_mounts(change: Change, payload: dict[str, Json]) -> None:
    items = item_changes(change, "mounts")
    updated: list[Json] = [
        vmadm_mounts.new_mount(name, {**observed_item(change, "mounts", name), **fields})
        for name, fields in sorted(items.changed.items())
    ]
    _put(payload, "filesystems", new_mounts(change, items.added), updated, list(items.removed))


def _put(payload: dict[str, Json], head: str, added: list[Json], updated: list[Json], removed: list[Json]) -> None:
    for verb, items in (("add", added), ("update", updated), ("remove", removed)):
        if items:
            payload[f"{verb}_{head}"] = items
