"""The disks of a virtual machine: from what a payload says to volumes and what is stored (smartos-vmadm.md 5b)."""

from collections.abc import Sequence

from reconciler.emulation.guests import datasets
from reconciler.emulation.guests.brands import BRANDS
from reconciler.emulation.guests.datasets import zfs
from reconciler.emulation.guests.failures import Failed
from reconciler.emulation.guests.ids import random_uuid
from reconciler.emulation.guests.rows import Json
from reconciler.emulation.session import Session
from reconciler.emulation.state import State

_DEVICES = "/dev/zvol/rdsk/"
_SLOTS = 8
COMPRESSIONS = frozenset({"on", "off", "gzip", *(f"gzip-{level}" for level in range(1, 10)), "lz4", "lzjb", "zle"})
# What may change while the machine runs.
ONLINE = frozenset({"path", "compression", "refreservation"})
# What is zfs's to keep, or is only said and not kept.
_NOT_STORED = frozenset({"compression", "refreservation", "block_size", "nocreate", "dangerous_allow_shrink"})


def planned(state: State, brand: str, uuid: str, stored: Json, items: Sequence[Json]) -> list[tuple[Json, Json]]:
    """New disks as they will be stored, each with what its payload said; nothing is made yet. Raises Failed."""
    disks: list[Json] = list(stored.get("disks", ()))
    found = []
    for item in items:
        disk = _completed(state, brand, uuid, stored, disks, item)
        disks.append(disk)
        found.append((disk, item))
    if sum(1 for disk in disks if disk["boot"]) > 1:
        raise Failed("payload specifies more than 1 boot disk")
    return found


def _completed(state: State, brand: str, uuid: str, stored: Json, disks: Sequence[Json], item: Json) -> Json:
    check_values(brand, item, stored)
    disk: Json = {name: value for name, value in item.items() if name not in _NOT_STORED}
    disk.setdefault("model", stored.get("disk_driver"))
    disk.setdefault("media", "disk")
    disk.setdefault("boot", False)
    if disk["media"] != "cdrom":
        if not item.get("nocreate"):
            disk["zpool"] = item.get("zpool", stored["zpool"])
            disk["path"] = _DEVICES + _free_volume(brand, uuid, disk["zpool"], disks)
        disk["zfs_filesystem"] = str(disk["path"]).removeprefix(_DEVICES)
        disk["zpool"] = disk["zfs_filesystem"].partition("/")[0]
        disk.setdefault("size", item.get("image_size", 0))
    if any(one["path"] == disk["path"] for one in disks):
        raise Failed(f"Cannot add multiple disks with the same path: {disk['path']}")
    if brand == "bhyve":
        disk.setdefault("pci_slot", _free_slot("0:3" if disk["media"] == "cdrom" else "0:4", disks))
        disk.setdefault("uuid", random_uuid(state))
    return disk


def check_values(brand: str, item: Json, stored: Json) -> None:
    """Raises Failed for a model, a compression or a block size that no disk has."""
    model = item.get("model", stored.get("disk_driver"))
    if model is None and "model" not in item:
        pairs = ", ".join(f"{name}: {value!r}" for name, value in item.items())
        raise Failed(f"missing .model option for disk: {{ {pairs} }}")
    if model not in BRANDS[brand].disk_models:
        raise Failed(f'"{model}" is not a valid disk model')
    if item.get("media") not in {None, "disk", "cdrom"}:
        raise Failed(f'"{item["media"]}" is not a valid disk media')
    if item.get("compression") is not None and item["compression"] not in COMPRESSIONS:
        raise Failed(f'invalid compression setting for disk: "{item["compression"]}"')
    block = item.get("block_size", 512)
    if block & (block - 1):
        raise Failed(f"invalid block_size: {block}, must be a power of 2 from 512 to 131072")


def _free_volume(brand: str, uuid: str, pool: str, disks: Sequence[Json]) -> str:
    taken = {disk.get("zfs_filesystem") for disk in disks}
    between = "/" if brand == "bhyve" else "-"
    names = (f"{pool}/{uuid}{between}disk{number}" for number in range(len(disks) + 1))
    return next(name for name in names if name not in taken)


def _free_slot(device: str, disks: Sequence[Json]) -> str:
    taken = {disk.get("pci_slot") for disk in disks}
    for function in range(_SLOTS):
        if f"{device}:{function}" not in taken:
            return f"{device}:{function}"
    raise Failed(f"no free PCI slot on {device}")


def make(session: Session, disk: Json, item: Json) -> None:
    """Makes the volume of a new disk."""
    name = disk.get("zfs_filesystem")
    if name is None or item.get("nocreate"):
        return
    options = ["-o", f"compression={item['compression']}"] if "compression" in item else []
    reserved = item.get("refreservation", "auto")
    if "image_uuid" in item:
        zfs(session, "clone", *options, f"{disk['zpool']}/{item['image_uuid']}@final", name)
        size = disk["size"]
        zfs(session, "set", f"volsize={size}M", name)
        zfs(session, "set", f"refreservation={'auto' if reserved == 'auto' else f'{reserved}M'}", name)
        return
    if reserved != "auto":
        options += ["-o", f"refreservation={reserved}M"]
    zfs(session, "create", *options, "-b", str(item.get("block_size", 8192)), "-V", f"{disk['size']}M", name)


def check_update(disk: Json, size: int, item: Json) -> None:
    """Raises Failed for a disk of `size` MiB that would shrink without leave."""
    wanted = item.get("size")
    if wanted is not None and wanted < size and not item.get("dangerous_allow_shrink"):
        raise Failed(f"cannot resize disk: new size must be greater than current size. ({size} > {wanted})")
    if item.get("compression") is not None and item["compression"] not in COMPRESSIONS:
        raise Failed(f'invalid compression setting for disk: "{item["compression"]}"')


def change(session: Session, disk: Json, item: Json) -> Json:
    """The disk after an update, its volume changed with it."""
    name = disk.get("zfs_filesystem")
    if name is not None and datasets.exists(session, name):
        if item.get("size") is not None:
            zfs(session, "set", f"volsize={item['size']}M", name)
        if item.get("compression") is not None:
            zfs(session, "set", f"compression={item['compression']}", name)
        if item.get("refreservation") is not None:
            reserved = item["refreservation"]
            zfs(session, "set", f"refreservation={reserved if reserved == 'auto' else f'{reserved}M'}", name)
    changed = {**disk, **{key: value for key, value in item.items() if key not in _NOT_STORED}}
    return {key: value for key, value in changed.items() if value is not None}


def remove(session: Session, disk: Json) -> None:
    """Destroys the volume of a disk with all its snapshots; one that is gone is passed over."""
    if "zfs_filesystem" in disk:
        datasets.destroy(session, disk["zfs_filesystem"])
