"""Values of a guest that need more than being stored: checks of create and update, and what zfs keeps."""

from collections.abc import Mapping

from reconciler.emulation.guests import datasets
from reconciler.emulation.guests.datasets import gib, zfs
from reconciler.emulation.guests.disks import COMPRESSIONS
from reconciler.emulation.guests.failures import Failed
from reconciler.emulation.guests.rows import Guest, Json
from reconciler.emulation.guests.stored import root_of
from reconciler.emulation.session import Session

MEMORY = ("ram", "max_physical_memory", "max_locked_memory", "max_swap", "tmpfs", "max_shm_memory")
MOST_CPU_SHARES = 65535
_LONGEST_PASSWORD = 8
_SMALLEST_RECORD, _LARGEST_RECORD = 512, 131072
_DATASETS = ("zfs_root", "zfs_data")
_LIMITS = ("zfs_filesystem_limit", "zfs_snapshot_limit")


def check(wanted: Mapping[str, object]) -> None:
    """Raises Failed for values that validate lets pass and create and update don't."""
    password = wanted.get("vnc_password")
    if isinstance(password, str) and len(password) > _LONGEST_PASSWORD:
        raise Failed("VNC password is too long, maximum length is 8 characters")
    for prefix in _DATASETS:
        compression, record = wanted.get(f"{prefix}_compression"), wanted.get(f"{prefix}_recsize")
        if compression is not None and compression not in COMPRESSIONS:
            raise Failed(f'invalid {prefix}_compression setting: "{compression}"')
        if isinstance(record, int) and (not _SMALLEST_RECORD <= record <= _LARGEST_RECORD or record & (record - 1)):
            raise Failed(f"invalid {prefix}_recsize: {record}, must be a power of 2 from 512 to 131072")


def check_flexible_size(stored: Json) -> None:
    """Raises Failed when the disks take more than the space that was set aside for them."""
    flexible = stored.get("flexible_disk_size")
    needed = sum(disk.get("size", 0) for disk in stored.get("disks", ()) if "zfs_filesystem" in disk)
    if flexible is not None and flexible < needed:
        raise Failed(f"flexible_disk_size ({flexible}) must be at least the total size of all disks ({needed})")


def settle_flexible_size(session: Session, guest: Guest) -> None:
    """Reserves for a guest the space that was set aside for its disks and their snapshots."""
    if guest.stored["brand"] == "bhyve" and datasets.exists(session, root_of(guest)):
        flexible = guest.stored.get("flexible_disk_size", 0)
        zfs(session, "set", f"reservation={f'{flexible}M' if flexible else 'none'}", root_of(guest))


def apply_to_datasets(session: Session, guest: Guest, wanted: Mapping[str, object]) -> None:
    """Gives a guest's datasets the values that zfs keeps; raises Failed with what zfs says."""
    root = root_of(guest)
    if "quota" in wanted:
        name = "refquota" if guest.stored["brand"] == "bhyve" else "quota"
        zfs(session, "set", f"{name}={gib(wanted['quota'])}", root)
    for name in _LIMITS:
        if name in wanted:
            value = wanted[name]
            zfs(session, "set", f"{name.removeprefix('zfs_')}={'none' if value is None else value}", root)
    for prefix, dataset in zip(_DATASETS, (root, next(iter(guest.stored.get("datasets", ())), None)), strict=True):
        if dataset is None:
            continue
        for name, property_name in ((f"{prefix}_compression", "compression"), (f"{prefix}_recsize", "recordsize")):
            if wanted.get(name) is not None:
                zfs(session, "set", f"{property_name}={wanted[name]}", dataset)


def indestructible_datasets(guest: Guest) -> Mapping[str, str]:
    """The flags that keep datasets from being destroyed, and the dataset that each is about."""
    found = {"indestructible_zoneroot": root_of(guest)}
    for name in guest.stored.get("datasets", ()):
        found["indestructible_delegated"] = name
    return found
