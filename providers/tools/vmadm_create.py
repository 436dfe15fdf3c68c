"""The payload that makes a guest, with mark, notes and all (smartos-vmadm.md 4 and 5)."""

from collections.abc import Iterator
from dataclasses import replace

from providers.tools import vmadm_marks, vmadm_native
from providers.tools.vmadm_changes import stated_items
from providers.tools.vmadm_items import item_notes, new_disks, new_mounts, new_nics, resolved_image
from providers.tools.vmadm_native import Json
from providers.tools.vmadm_reading import CLOUD_INIT, STOPPED
from providers.tools.vmadm_settings import MAPS, MIB, SETTINGS, Form
from reconciler.model.change import STATE, Change, FieldChange
from reconciler.model.errors import ReconcilerError
from reconciler.model.value import Fields, Value
from reconciler.provider.guest import route_parts

_FLEXIBLE = "flexible_disk_size"


def create_payload(change: Change, pools: frozenset[str] | None) -> dict[str, Json]:
    """The whole guest. `pools` are those of the host, None where nobody could tell.

    It is started unless it is to be stopped: vmadm has one property for that and for autoboot.
    ReconcilerError where nothing says in which pool it is to lie.
    """
    assert change.mark is not None
    stated, brand = stated_fields(change), stated_brand(change)
    pool = _pool(change, stated, pools)
    payload: dict[str, Json] = {
        **_settings(change, stated),
        "alias": change.key.name,
        "autoboot": stated.get(STATE) != STOPPED,
        "brand": brand,
        "uuid": change.identity,
        "zpool": pool,
    }
    if stated.get("delegatedDataset") is True:
        payload["delegate_dataset"] = True
    if isinstance(routes := stated.get("routes"), tuple):
        payload["routes"] = dict(map(route_parts, routes))
    _add_items(change, payload, brand, pool)
    maps: dict[str, dict[str, Json]] = {head: dict(_entries(stated, head)) for head in MAPS}
    maps["metadata"].update({CLOUD_INIT[name]: carried(value) for name, value in stated.items() if name in CLOUD_INIT})
    maps["internalMetadata"].update(vmadm_marks.entries_of(change.mark))
    maps["internalMetadata"].update(item_notes(_from_nothing(change), brand, change.identity, pool))
    payload.update({prop: maps[head] for head, prop in MAPS.items() if maps[head]})
    return payload


def stated_fields(change: Change) -> dict[str, Value]:
    """All that the manifest states, with what matters at creation only."""
    resource = change.resource
    return {**resource.fields, **(resource.created_with or {})} if resource is not None else {}


def stated_brand(change: Change) -> str:
    """The brand to make a guest with; vmadm has no default."""
    stated = stated_fields(change)
    if change.key.kind == "VirtualMachine":
        return str(stated.get("engine") or "bhyve")
    return str(stated.get("brand") or ("lx" if "kernelVersion" in stated else "joyent-minimal"))


def carried(value: Value) -> Json:
    """A field of cloudInit as one text of metadata."""
    return "\n".join(value) if isinstance(value, tuple) else str(value)


def _settings(change: Change, stated: Fields) -> dict[str, Json]:
    """What is one property each. An explicit none is what a new guest has anyway, but for the quota."""
    found: dict[str, Json] = {}
    for name, setting in SETTINGS[change.key.kind].items():
        value = stated.get(name)
        if name in stated and (value is not None or setting.form is Form.GIB_OR_NONE):
            found[setting.prop] = resolved_image(change, value) if name == "image" else setting.told(value)
    for name, value in stated.items():
        if name.startswith(vmadm_native.PREFIX):
            found.update(vmadm_native.created_with(name.removeprefix(vmadm_native.PREFIX), value))
    return found


def _pool(change: Change, stated: Fields, pools: frozenset[str] | None) -> str:
    if found := stated.get("pool") or change.default_pool:
        return str(found)
    if pools is not None and len(pools) == 1:
        return next(iter(pools))
    if change.observed is not None and change.observed.fields.get("pool"):
        # A guest that is replaced comes to lie where the old one lay.
        return str(change.observed.fields["pool"])
    raise ReconcilerError(
        f"nothing says in which pool it is to lie; pools there: {', '.join(sorted(pools or ())) or 'unknown'}",
        remedy="state spec.pool, or spec.defaultPool of the Host",
    )


def _entries(stated: Fields, head: str) -> Iterator[tuple[str, Json]]:
    prefix = f"{head}."
    for name, value in stated.items():
        if name.startswith(prefix) and isinstance(value, str | int):
            yield name[len(prefix) :], value


def _add_items(change: Change, payload: dict[str, Json], brand: str, pool: str) -> None:
    if nics := stated_items(change, "nics"):
        payload["nics"] = new_nics(change, nics, brand)
    if mounts := stated_items(change, "mounts"):
        payload["filesystems"] = new_mounts(change, mounts)
    disks = stated_items(change, "disks")
    if not disks:
        return
    payload["disks"] = new_disks(change, disks, brand, change.identity, pool)
    if _FLEXIBLE not in payload and any({"image", "size"} <= fields.keys() for fields in disks.values()):
        # A disk made of an image takes a size of its own only where vmadm is told how much disks may take together.
        sizes = (fields.get("size") for fields in disks.values())
        payload[_FLEXIBLE] = sum(size // MIB for size in sizes if isinstance(size, int))


def _from_nothing(change: Change) -> Change:
    """The change as one that adds every item that is stated."""
    heads = ("nics", "disks", "mounts")
    added = tuple(FieldChange(f"{head}.{name}", None, name) for head in heads for name in stated_items(change, head))
    return replace(change, observed=None, fields=added)
