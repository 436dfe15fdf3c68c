"""Whether the images that a payload names are installed and fit (smartos-vmadm.md 2)."""

from collections.abc import Mapping

from reconciler.emulation.guests.brands import BRANDS
from reconciler.emulation.guests.rows import Json
from reconciler.emulation.images.installed import installed_image
from reconciler.emulation.state import State

_VOLUME = frozenset({"zvol"})


def manifest_of(state: State, pool: object, uuid: object) -> Mapping[str, object] | None:
    """The manifest of an image that is installed in a pool."""
    return installed_image(state, str(pool or "zones"), str(uuid)) if isinstance(uuid, str) else None


def check_images(state: State, brand: str, payload: Json) -> list[str]:
    """The bad values among a payload's images; fills in `image_size` and `bootrom` where an image says them."""
    bad: list[str] = []
    kinds = BRANDS[brand].root_images
    if payload.get("image_uuid") and not _is_installed(state, payload.get("zpool"), payload["image_uuid"], kinds):
        bad.append("image_uuid")
    for key in ("disks", "add_disks"):
        disks = payload.get(key)
        if not BRANDS[brand].hvm or not isinstance(disks, list):
            continue
        for place, disk in enumerate(disks):
            if isinstance(disk, dict) and disk.get("image_uuid"):
                bad += _check_disk(state, brand, payload, f"{key}.{place}", disk)
    return list(dict.fromkeys(bad))


def _is_installed(state: State, pool: object, uuid: object, kinds: frozenset[str]) -> bool:
    manifest = manifest_of(state, pool, uuid)
    return manifest is not None and manifest.get("type") in kinds


def _check_disk(state: State, brand: str, payload: Json, place: str, disk: Json) -> list[str]:
    pool = disk.get("zpool") or payload.get("zpool")
    if not _is_installed(state, pool, disk["image_uuid"], _VOLUME):
        return [f"{place}.image_uuid"]
    manifest = manifest_of(state, pool, disk["image_uuid"]) or {}
    bad = []
    if str(disk.setdefault("image_size", manifest.get("image_size"))) != str(manifest.get("image_size")):
        bad.append(f"{place}.image_size")
    requirements = manifest.get("requirements")
    bootrom = requirements.get("bootrom") if isinstance(requirements, Mapping) else None
    boots = brand == "bhyve" and disk.get("boot") in (True, "true")
    if boots and bootrom and payload.setdefault("bootrom", bootrom) != bootrom:
        bad.append("bootrom")
    return bad
