"""`vmadm create-snapshot`, `rollback-snapshot`, `delete-snapshot` (smartos-vmadm.md 1)."""

import re
from collections.abc import Sequence

from reconciler.emulation.guests import lifecycle
from reconciler.emulation.guests.datasets import MIB, exists, zfs
from reconciler.emulation.guests.events import record
from reconciler.emulation.guests.failures import Failed, Misused
from reconciler.emulation.guests.finding import guest_named, uuid_argument
from reconciler.emulation.guests.reading import SNAPSHOT_PREFIX, Datasets
from reconciler.emulation.guests.rows import Guest, disks_of
from reconciler.emulation.guests.stored import dataset_names, free_space, full_object, root_of
from reconciler.emulation.session import Session
from reconciler.emulation.zfs.datasets import dataset_named

_NAME = re.compile(r"[A-Za-z0-9_.:%-]{1,64}")


def create_snapshot(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm create-snapshot UUID NAME`."""
    guest, name = _named(session, arguments, "create-snapshot")
    if not _NAME.fullmatch(name):
        raise Failed(f'Invalid snapshot name: "{name}"')
    if guest.stored.get("datasets"):
        raise Failed("Cannot currently snapshot zones that have datasets")
    if exists(session, _full(guest, name)):
        raise Failed(f'snapshot with name "{name}" already exists.')
    before = full_object(session.state, guest)
    if disks_of(guest):
        _require_room(session, guest)
    zfs(session, "snapshot", *(f"{dataset}@{SNAPSHOT_PREFIX}{name}" for dataset in _datasets(session, guest)))
    record(session, before, full_object(session.state, guest))
    session.complain(f"Created snapshot {name} for VM {guest.uuid}")
    return 0


def _require_room(session: Session, guest: Guest) -> None:
    """A snapshot of disks needs as much room again as was written to them."""
    found = Datasets(session.state, dataset_names(guest))
    written = 0
    for name in _datasets(session, guest)[1:]:
        volume = dataset_named(session.state, name)
        written += volume.head if volume is not None else 0
    room = free_space(guest, found) if "flexible_disk_size" in guest.stored else 0
    if room * MIB < written:
        raise Failed(f"Command failed: cannot create snapshot of VM {guest.uuid}: out of space")


def rollback_snapshot(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm rollback-snapshot UUID NAME`: the guest is stopped and started again; newer snapshots are lost."""
    guest, name = _named(session, arguments, "rollback-snapshot")
    _require(session, guest, name)
    before = full_object(session.state, guest)
    runs = guest.running is not None
    try:
        session.begin_part()
        if runs:
            lifecycle.halt(session, guest)
        session.begin_part()
        for dataset in _datasets(session, guest):
            if exists(session, f"{dataset}@{SNAPSHOT_PREFIX}{name}"):
                zfs(session, "rollback", "-r", f"{dataset}@{SNAPSHOT_PREFIX}{name}")
        session.begin_part()
        if runs:
            lifecycle.boot(session, guest)
    finally:
        record(session, before, full_object(session.state, guest))
    session.complain(f"Rolled back snapshot {name} for VM {guest.uuid}")
    return 0


def delete_snapshot(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm delete-snapshot UUID NAME`."""
    guest, name = _named(session, arguments, "delete-snapshot")
    _require(session, guest, name)
    before = full_object(session.state, guest)
    try:
        for dataset in _datasets(session, guest):
            if exists(session, f"{dataset}@{SNAPSHOT_PREFIX}{name}"):
                session.begin_part()
                zfs(session, "destroy", f"{dataset}@{SNAPSHOT_PREFIX}{name}")
    finally:
        record(session, before, full_object(session.state, guest))
    session.complain(f"Deleted snapshot {name} for VM {guest.uuid}")
    return 0


def _named(session: Session, arguments: Sequence[str], subcommand: str) -> tuple[Guest, str]:
    uuid, rest = uuid_argument(arguments, subcommand)
    if len(rest) != 1:
        raise Misused(f"{subcommand} needs the name of a snapshot")
    guest = guest_named(session, uuid)
    if guest.stored["brand"] == "kvm":
        raise Failed("snapshots for kvm VMs currently unsupported")
    return guest, rest[0]


def _require(session: Session, guest: Guest, name: str) -> None:
    if not exists(session, _full(guest, name)):
        raise Failed(f'No snapshot named "{name}" for VM {guest.uuid}')


def _full(guest: Guest, name: str) -> str:
    return f"{root_of(guest)}@{SNAPSHOT_PREFIX}{name}"


def _datasets(session: Session, guest: Guest) -> list[str]:
    """The root and the disks that are there."""
    volumes = [disk["zfs_filesystem"] for disk in disks_of(guest) if "zfs_filesystem" in disk]
    return [root_of(guest), *(name for name in volumes if exists(session, name))]
