"""Guests as `vmadm get` prints them: what is stored, the state, and what zfs says of the datasets."""

from collections.abc import Iterable, Mapping, Sequence

from reconciler.emulation.guests.brands import BRANDS
from reconciler.emulation.guests.reading import Datasets
from reconciler.emulation.guests.rows import Guest, Json, all_without_running, disks_of
from reconciler.emulation.state import State
from reconciler.emulation.systems import system_named
from reconciler.emulation.zfs.setting import BLOCK_SIZE_DEFAULT

_MIB = 1 << 20
_GIB = 1 << 30
_NO_LIMIT = "18446744073709551615"
# What comes after everything else, in this order.
_LAST = ("customer_metadata", "internal_metadata", "routes", "tags")
_STATUS = ("zoneid", "zonedid", "boot_timestamp", "exit_status", "exit_timestamp", "init_restarts", "pid")


def guests(state: State) -> tuple[Mapping[str, object], ...]:
    """All guests of the host as full objects, by uuid."""
    return tuple(full_objects(state, all_without_running(state)))


def full_object(state: State, guest: Guest) -> Json:
    """One guest as `vmadm get` prints it."""
    return next(iter(full_objects(state, [guest])))


def full_objects(state: State, found: Sequence[Guest]) -> Iterable[Json]:
    """Guests as `vmadm get` prints them."""
    datasets = Datasets(state, {name for guest in found for name in dataset_names(guest)})
    server = state.fact("uuid")
    stamp = system_named(state.fact("system")).version.removeprefix("joyent_")
    for guest in found:
        yield _full_object(guest, datasets, server, stamp)


def root_of(guest: Guest) -> str:
    """The dataset of a guest's root."""
    return f"{guest.stored['zpool']}/{guest.uuid}"


def dataset_names(guest: Guest) -> list[str]:
    """The names of all datasets that belong to a guest by its configuration."""
    return [
        root_of(guest),
        *guest.stored.get("datasets", ()),
        *(disk["zfs_filesystem"] for disk in disks_of(guest) if "zfs_filesystem" in disk),
    ]


def _full_object(guest: Guest, datasets: Datasets, server: str, stamp: str) -> Json:
    stored, status, root = guest.stored, guest.status, root_of(guest)
    brand = BRANDS[stored["brand"]]
    shown = {name: value for name, value in stored.items() if name not in _LAST and name not in {"disks", "zpool"}}
    if brand.hvm:
        shown["disks"] = [_disk(disk, datasets) for disk in disks_of(guest)]
    shown |= {
        "uuid": guest.uuid,
        "zone_state": guest.zone_state,
        "zonepath": f"/{root}",
        "hvm": brand.hvm,
        "server_uuid": server,
        "platform_buildstamp": stamp,
        "state": guest.state,
    }
    shown |= {name: status[name] for name in _STATUS if name in status}
    shown |= {name: stored[name] for name in _LAST}
    missing = [name for name in dataset_names(guest) if not datasets.exists(name)]
    if missing:
        gone_disks = {disk.get("zfs_filesystem"): disk["path"] for disk in disks_of(guest)}
        shown["missing"] = {
            "datasets": [name for name in missing if name not in gone_disks],
            "disks": [gone_disks[name] for name in missing if name in gone_disks],
            "filesystems": [],
        }
    shown |= _of_datasets(guest, datasets)
    shown["zfs_filesystem"] = root
    shown["zpool"] = stored["zpool"]
    shown["snapshots"] = [
        {"name": one.name, "created_at": one.created_at, "size": one.size} for one in datasets.snapshots(root)
    ]
    return shown


def _of_datasets(guest: Guest, datasets: Datasets) -> Json:
    root = root_of(guest)
    if not datasets.exists(root):
        return {}
    quota = datasets.size(root, "refquota" if guest.stored["brand"] == "bhyve" else "quota") / _GIB
    shown: Json = {"quota": int(quota) if quota.is_integer() else quota}
    for prefix, name in (("zfs_root", root), ("zfs_data", next(iter(guest.stored.get("datasets", ())), None))):
        if name is None or not datasets.exists(name):
            continue
        compression = datasets.value(name, "compression")
        if compression not in {None, "off"}:
            shown[f"{prefix}_compression"] = compression
        shown[f"{prefix}_recsize"] = int(datasets.value(name, "recordsize") or 131072)
    for kind in ("filesystem", "snapshot"):
        limit = datasets.value(root, f"{kind}_limit")
        if limit not in {None, _NO_LIMIT}:
            shown[f"zfs_{kind}_limit"] = int(limit or 0)
    if "flexible_disk_size" in guest.stored:
        shown["free_space"] = free_space(guest, datasets)
    return shown


def free_space(guest: Guest, datasets: Datasets) -> int:
    """MiB of flexible_disk_size that neither disks nor their snapshots take."""
    names = [disk["zfs_filesystem"] for disk in disks_of(guest) if "zfs_filesystem" in disk]
    disks = sum(datasets.size(name, "volsize") for name in names)
    snapshots = sum(one.size for name in names for one in datasets.snapshots(name))
    return int(guest.stored.get("flexible_disk_size", 0)) - (disks + snapshots) // _MIB


def _disk(disk: Mapping[str, object], datasets: Datasets) -> Json:
    shown = dict(disk)
    name = disk.get("zfs_filesystem")
    if not isinstance(name, str):
        return shown
    if not datasets.exists(name):
        return {**shown, "missing": True}
    return shown | {
        "size": datasets.size(name, "volsize") // _MIB,
        "compression": datasets.value(name, "compression") or "off",
        "refreservation": datasets.size(name, "refreservation") // _MIB,
        "block_size": datasets.size(name, "volblocksize") or BLOCK_SIZE_DEFAULT,
    }
