"""Disks of a virtual machine: our fields and vmadm's, both ways (smartos-vmadm.md 5b, 7)."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from providers.tools.vmadm_native import Json
from providers.tools.vmadm_nics import free_name
from providers.tools.vmadm_objects import JsonObject
from providers.tools.vmadm_settings import MIB
from reconciler.model.errors import ReadError
from reconciler.model.value import Fields, Value

DEVICES = "/dev/zvol/rdsk/"
_ALSO_DEVICES = "/dev/zvol/dsk/"
DETACHED = ".reconciler-detached"
"""The dataset of a pool below which detached disks are kept (kinds.md, VirtualMachine)."""

_MODEL: Mapping[tuple[str, str], str] = MappingProxyType({("bhyve", "cdrom"): "ahci", ("kvm", "cdrom"): "ide"})
"""The model of a disk that states none, by brand and media, where it is not virtio."""


def read_disks(disks: tuple[JsonObject, ...], noted: Mapping[str, str], guest: str) -> Iterator[tuple[str, Fields, bool]]:
    """Name, fields and whether it is ours, of each disk. `noted` gives uuid or path of ours by name, `guest` is the uuid.

    One that is not ours goes by the last part of its path, with a suffix where one of ours is called so.
    """
    names = {told: name for name, told in noted.items()}
    own = [names.get(disk.text("uuid") or "") or names.get(_path(disk)) for disk in disks]
    taken = {name for name in own if name is not None}
    for disk, ours in zip(disks, own, strict=True):
        name = ours if ours is not None else free_name(_short_name(disk, guest), taken)
        taken.add(name)
        yield name, _fields(disk, guest), ours is not None


def _path(disk: JsonObject) -> str:
    path = disk.text("path")
    if path is None:
        raise ReadError(0, f"path of {disk.where}", repr(disk.raw))
    return path


def _short_name(disk: JsonObject, guest: str) -> str:
    return _path(disk).rpartition("/")[2].removeprefix(f"{guest}-") or "disk"


def _fields(disk: JsonObject, guest: str) -> dict[str, Value]:
    path = _path(disk)
    media, size, reserved = disk.text("media") or "disk", disk.scaled("size", MIB), disk.number("refreservation")
    volume = volume_at(path)
    is_cdrom = media == "cdrom" and volume is None
    compression = disk.text("compression")
    return {
        "path": path,
        "uuid": disk.text("uuid"),
        "missing": disk.flag("missing"),
        "volume": None if volume is None or _is_of_guest(volume, guest) else volume,
        "iso": path if is_cdrom else None,
        "image": disk.text("image_uuid"),
        "size": None if is_cdrom else size,
        "pool": disk.text("zpool") or (volume.partition("/")[0] if volume is not None else None),
        "model": disk.text("model"),
        "media": media,
        "boot": disk.flag("boot"),
        "blockSize": disk.number("block_size"),
        "sparse": None if reserved is None or size is None else reserved * MIB < size,
        **({"properties.compression": compression if compression != "off" else None} if compression is not None else {}),
        **({"properties.refreservation": reserved * MIB or None} if reserved is not None else {}),
    }


def volume_at(path: str) -> str | None:
    """The volume that a device belongs to; None for any other path."""
    for prefix in (DEVICES, _ALSO_DEVICES):
        if path.startswith(prefix):
            return path.removeprefix(prefix)
    return None


def _is_of_guest(volume: str, guest: str) -> bool:
    """Whether vmadm made the volume for this guest: `POOL/UUID/disk0` (bhyve), `POOL/UUID-disk0` (kvm)."""
    return volume.partition("/")[2].startswith((f"{guest}/", f"{guest}-disk"))


def disk_uuid(guest: str, name: str) -> str:
    """The id that a disk of a bhyve guest is made with, so that it is known as ours whatever its path turns out to be."""
    return str(uuid.uuid5(uuid.UUID(guest), name))


def new_disk(fields: Fields, brand: str, identity: str, pool: str) -> dict[str, Json]:
    """A disk as it is added. `image` is a uuid by now; `identity` is what `disk_uuid` gives, `pool` where it is made."""
    volume, iso, media = fields.get("volume"), fields.get("iso"), fields.get("media") or "disk"
    found: dict[str, Json] = {}
    if brand == "bhyve":
        found["uuid"] = identity
    if isinstance(volume, str):
        found |= {"path": f"{DEVICES}{volume}", "nocreate": True}
    elif isinstance(iso, str):
        found["path"], media = iso, "cdrom"
    else:
        found["zpool"] = str(fields.get("pool") or pool)
        if (size := fields.get("size")) is not None:
            found["size"] = _mib(size)
        if isinstance(image := fields.get("image"), str):
            found["image_uuid"] = image
        elif isinstance(block := fields.get("blockSize"), int):
            found["block_size"] = block
        if fields.get("sparse") is True:
            found["refreservation"] = 0
    found |= {"media": str(media), "model": str(fields.get("model") or _MODEL.get((brand, str(media)), "virtio"))}
    if isinstance(boot := fields.get("boot"), bool):
        found["boot"] = boot
    return found | told_disk({name: value for name, value in fields.items() if name.startswith("properties.")})


def told_disk(fields: Fields) -> dict[str, Json]:
    """Fields of a disk that can change, as they stand in a payload."""
    found: dict[str, Json] = {}
    for name, value in fields.items():
        match name:
            case "size":
                found["size"] = _mib(value)
            case "model" | "media":
                found[name] = str(value)
            case "boot":
                found["boot"] = value is True
            case "properties.compression":
                found["compression"] = "off" if value is None else str(value)
            case "properties.refreservation":
                found["refreservation"] = _mib(value) if value is not None else 0
    return found


def added_paths(brand: str, guest: str, pools: Iterable[str], taken: Iterable[str]) -> Iterator[str]:
    """The paths that vmadm gives to volumes that it makes, in the order in which they are added: the first free number."""
    used = set(taken)
    between = "/" if brand == "bhyve" else "-"
    for pool in pools:
        paths = (f"{DEVICES}{pool}/{guest}{between}disk{number}" for number in range(len(used) + 1))
        path = next(path for path in paths if path not in used)
        used.add(path)
        yield path


def _mib(value: Value) -> int:
    assert isinstance(value, int)
    return value // MIB
