"""`zfs mount` and `zfs unmount`."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.emulation.session import Session
from reconciler.emulation.zfs import datasets, mounts, values
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.dialect import DIALECTS
from reconciler.emulation.zfs.errors import Misused, Refused
from reconciler.emulation.zfs.opening import opened
from reconciler.emulation.zfs.options import options
from reconciler.emulation.zfs.properties import FILESYSTEM


def mount(session: Session, arguments: Sequence[str]) -> int:
    """`zfs mount`, `zfs mount [-o options] NAME`, `zfs mount -a`."""
    given = options(arguments, "avo:O", anywhere=DIALECTS[session.system.zfs_dialect].options_anywhere)
    if given.has("a"):
        if given.operands:
            raise Misused("too many arguments")
        return _mount_all(session)
    if not given.operands:
        for dataset, place in mounts.mounted_filesystems(session.state):
            session.line(f"{dataset.name:<30}  {place}")
        return 0
    if len(given.operands) > 1:
        raise Misused("too many arguments")
    dataset = opened(session, given.operands[0], {FILESYSTEM})
    _check_mountable(session, dataset)
    read_only = any("ro" in one.split(",") for one in given.all_of("o"))
    mounts.mount(session, dataset, read_only=read_only)
    return 0


def _check_mountable(session: Session, dataset: Dataset) -> None:
    refusal = f"cannot mount '{dataset.name}': "
    if mounts.is_zoned(session.state, dataset):
        raise Refused(refusal + "dataset is exported to a local zone")
    place = mounts.mountpoint(session.state, dataset).value
    if place == "legacy":
        raise Refused(refusal + "legacy mountpoint", "use mount(1M) to mount this filesystem")
    if place == "none":
        raise Refused(refusal + "no mountpoint set")
    if mounts.can_mount(session.state, dataset) == "off":
        raise Refused(refusal + "'canmount' property is set to 'off'")
    if dataset.mounted:
        raise Refused(refusal + "filesystem already mounted")


def _mount_all(session: Session) -> int:
    failed = False
    for dataset in datasets.everything(session.state):
        if dataset.mounted or not mounts.mounts_by_itself(session.state, dataset):
            continue
        session.begin_part()
        try:
            mounts.mount(session, dataset)
        except Refused as refused:
            session.complain("\n".join(refused.lines))
            failed = True
    return int(failed)


def unmount(session: Session, arguments: Sequence[str]) -> int:
    """`zfs unmount [-f] NAME|PATH`, `zfs unmount -a`; what is below and has its mountpoint from it goes too."""
    given = options(arguments, "af", anywhere=DIALECTS[session.system.zfs_dialect].options_anywhere)
    if given.has("a"):
        if given.operands:
            raise Misused("too many arguments")
        mounted = [dataset for dataset, _ in mounts.mounted_filesystems(session.state)]
        mounts.unmount_all(session, mounted, force=given.has("f"))
        return 0
    if not given.operands:
        raise Misused("missing filesystem argument")
    if len(given.operands) > 1:
        raise Misused("too many arguments")
    dataset = _mounted_one(session, given.operands[0])
    mounts.unmount_all(session, values.inheritors(session.state, dataset, "mountpoint"), force=given.has("f"))
    return 0


def _mounted_one(session: Session, name: str) -> Dataset:
    if name.startswith("/"):
        found = next((one for one, place in mounts.mounted_filesystems(session.state) if place == name), None)
        if found is None:
            places = {mounts.mountpoint(session.state, one).value for one in datasets.everything(session.state)}
            reason = "not a ZFS filesystem" if name in places else "No such file or directory"
            raise Refused(f"cannot unmount '{name}': {reason}")
        return found
    dataset = opened(session, name, {FILESYSTEM})
    refusal = f"cannot unmount '{name}': "
    if mounts.mountpoint(session.state, dataset).value == "legacy":
        raise Refused(refusal + "legacy mountpoint", "use umount(1M) to unmount this filesystem")
    if not dataset.mounted:
        raise Refused(refusal + "not currently mounted")
    return dataset
