"""New nics, disks and mounts of a guest as a payload has them, and the notes that say which are ours."""

import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from providers.tools import vmadm_disks, vmadm_marks, vmadm_mounts, vmadm_nics
from providers.tools.vmadm_changes import item_changes, names_afterwards, observed_item, own_names, stated_items
from providers.tools.vmadm_native import Json
from reconciler.model.change import Change
from reconciler.model.key import ObjectName
from reconciler.model.value import Fields, Value
from reconciler.provider.derived import derived_mac

_INTERFACES: Mapping[str, re.Pattern[str]] = MappingProxyType({"lx": re.compile(r"eth[0-9]{1,3}")})
_INTERFACE = re.compile(r"net[0-9]{1,3}")


def resolved_image(change: Change, value: Value) -> str:
    """The uuid of the image that a manifest names."""
    return change.identities.get(ObjectName("Image", str(value)), str(value))


def mac_of(change: Change, name: str) -> str:
    """The MAC that a new nic gets: the stated one, else the one derived for it."""
    assert change.mark is not None
    stated = stated_items(change, "nics").get(name, {})
    return str(stated.get("mac") or derived_mac(change.mark.owner, change.key, name))


def new_nics(change: Change, names: Collection[str], brand: str, taken: Collection[str] = ()) -> list[Json]:
    """Nics to add. Where all are named as the guest will name them, each gets the name that it bears here."""
    stated = stated_items(change, "nics")
    pattern = _INTERFACES.get(brand, _INTERFACE)
    named = all(pattern.fullmatch(name) and name not in taken for name in names)
    found: list[Json] = []
    for name in sorted(names):
        nic = vmadm_nics.new_nic(stated.get(name, {}), mac_of(change, name), brand)
        found.append({**nic, "interface": name} if named else nic)
    return found


def readded_nic(change: Change, name: str, changed: Fields, brand: str) -> dict[str, Json]:
    """A nic that is on the host as it is to be, under another MAC: vmadm can only remove it and add it."""
    fields = {**observed_item(change, "nics", name), **changed}
    return vmadm_nics.new_nic(
        {inner: value for inner, value in fields.items() if value is not False}, str(changed["mac"]), brand
    )


def new_disks(change: Change, names: Iterable[str], brand: str, guest: str, pool: str) -> list[Json]:
    """Disks to add, what is booted from first: vmadm numbers them in their order, and the first is tried first."""
    stated = stated_items(change, "disks")
    return [new_disk(change, name, stated.get(name, {}), brand, guest, pool) for name in in_disk_order(names, stated)]


def in_disk_order(names: Iterable[str], stated: Mapping[str, Fields]) -> list[str]:
    def rank(name: str) -> tuple[bool, bool, bool, str]:
        fields = stated.get(name, {})
        return fields.get("boot") is not True, "image" not in fields, "iso" in fields, name

    return sorted(names, key=rank)


def new_disk(change: Change, name: str, fields: Fields, brand: str, guest: str, pool: str) -> dict[str, Json]:
    if "image" in fields:
        fields = {**fields, "image": resolved_image(change, fields["image"])}
    return vmadm_disks.new_disk(fields, brand, vmadm_disks.disk_uuid(guest, name), pool)


def new_mounts(change: Change, names: Iterable[str]) -> list[Json]:
    stated = stated_items(change, "mounts")
    return [vmadm_mounts.new_mount(name, stated.get(name, {})) for name in sorted(names)]


def item_notes(change: Change, brand: str, guest: str, pool: str) -> dict[str, Json]:
    """The notes to write with the change: of each list of which other items are ours then, or ours by another sign.

    vmadm writes metadata before it changes nics and filesystems, and may be stopped in between: those that go are in the note
    until they are gone. `closing_item_notes` takes them out.
    """
    found: dict[str, Json] = {}
    for head, key in _NOTES.items():
        before = {name: _sign(head, observed_item(change, head, name), brand) for name in own_names(change, head)}
        after = {**_signs_going(change, head, brand), **_signs_afterwards(change, head, brand, guest, pool)}
        if after != before:
            found[key] = _note(head, after)
    return found


def opening_disk_note(change: Change, brand: str, guest: str, pool: str) -> dict[str, str]:
    """The note to write before disks are added: vmadm makes disks before it writes metadata, and may be stopped in between.

    Empty where none is added, and where a new one may get the path of one that goes: then only the change itself can tell.
    """
    if not item_changes(change, "disks").added:
        return {}
    before = {name: _sign("disks", observed_item(change, "disks", name), brand) for name in own_names(change, "disks")}
    both = {**before, **_signs_afterwards(change, "disks", brand, guest, pool)}
    return {vmadm_marks.DISKS: _note("disks", both)} if len(set(both.values())) == len(both) else {}


def closing_item_notes(change: Change, brand: str, guest: str, pool: str, *, all_lists: bool = False) -> dict[str, str | None]:
    """The notes to write when the change is made, None where none is needed: of lists that something went from, or of all."""
    heads = [head for head in _NOTES if all_lists or _signs_going(change, head, brand)]
    signs = {head: _signs_afterwards(change, head, brand, guest, pool) for head in heads}
    return {_NOTES[head]: _note(head, found) if found else None for head, found in signs.items()}


_NOTES: Mapping[str, str] = MappingProxyType(
    {"nics": vmadm_marks.NICS, "disks": vmadm_marks.DISKS, "mounts": vmadm_marks.MOUNTS}
)


def _note(head: str, signs: Mapping[str, str]) -> str:
    return vmadm_marks.targets_note(signs) if head == "mounts" else vmadm_marks.items_note(signs)


def _signs_going(change: Change, head: str, brand: str) -> dict[str, str]:
    """What tells the items of ours that go; a nic that gets another MAC goes as well. Disks go before metadata is written."""
    if head == "disks":
        return {}
    items = item_changes(change, head)
    found = {name: _sign(head, observed_item(change, head, name), brand) for name in items.removed}
    for name, fields in items.changed.items():
        if head == "nics" and "mac" in fields:
            found[f"{name}-old"] = _sign(head, observed_item(change, head, name), brand)
    return found


def _signs_afterwards(change: Change, head: str, brand: str, guest: str, pool: str) -> dict[str, str]:
    found = {}
    added = []
    items = item_changes(change, head)
    for name in sorted(names_afterwards(change, head)):
        if (there := observed_item(change, head, name)) and name not in items.added:
            inner = items.changed.get(name, {})
            # Another iso is another path, which is all that tells a disk of kvm.
            there = {**there, "path": inner["iso"]} if "iso" in inner else there
            found[name] = str(inner.get("mac") or _sign(head, there, brand))
        elif head == "nics":
            found[name] = mac_of(change, name)
        elif head == "disks":
            added.append(name)
        else:
            found[name] = name
    return found | _new_disk_signs(change, added, brand, guest, pool)


def _sign(head: str, there: Fields, brand: str) -> str:
    """What tells on the host which item it is."""
    match head:
        case "nics":
            return str(there.get("mac") or "")
        case "disks":
            return str((there.get("uuid") if brand == "bhyve" else None) or there.get("path") or "")
        case _:
            return ""


def _new_disk_signs(change: Change, names: Iterable[str], brand: str, guest: str, pool: str) -> dict[str, str]:
    """For new disks: their uuid, where vmadm keeps one, else the path that they get."""
    stated = stated_items(change, "disks")
    ordered = in_disk_order(names, stated)
    if brand == "bhyve":
        return {name: vmadm_disks.disk_uuid(guest, name) for name in ordered}
    found, made = {}, []
    for name in ordered:
        fields = stated.get(name, {})
        if (volume := fields.get("volume")) is not None:
            found[name] = f"{vmadm_disks.DEVICES}{volume}"
        elif (iso := fields.get("iso")) is not None:
            found[name] = str(iso)
        else:
            made.append(name)
    pools = [str(stated.get(name, {}).get("pool") or pool) for name in made]
    return found | dict(zip(made, vmadm_disks.added_paths(brand, guest, pools, _paths(change)), strict=True))


def _paths(change: Change) -> list[str]:
    """The paths of the guest's disks once those that go are gone."""
    there = change.observed.fields if change.observed is not None else {}
    names = there.get("disks")
    gone = {entry.name for entry in change.fields if entry.after is None}
    return [
        str(there.get(f"disks.{name}.path"))
        for name in (names if isinstance(names, tuple) else ())
        if f"disks.{name}" not in gone
    ]
