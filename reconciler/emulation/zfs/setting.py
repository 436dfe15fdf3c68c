"""Giving values to properties: the checks against the dataset and its neighbours, and what follows from the value."""

from __future__ import annotations

from reconciler.emulation.session import Session
from reconciler.emulation.state import State
from reconciler.emulation.zfs import datasets, mounts, space, values
from reconciler.emulation.zfs.checking import Rejected, Setting, Target
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.dialect import DIALECTS
from reconciler.emulation.zfs.errors import Refused
from reconciler.emulation.zfs.properties import FILESYSTEM, VOLUME
from reconciler.emulation.zfs.sizes import volume_reservation

BLOCK_SIZE_DEFAULT = 8192
TOO_SMALL = "size is less than current used or reserved space"
TOO_LARGE = "size is greater than available space"

# What decides where and whether a filesystem is mounted.
MOUNT_PROPERTIES = frozenset({"mountpoint", "canmount", "zoned"})


def target_of(session: Session, dataset: Dataset) -> Target:
    """What `checked` must know of an existing dataset."""
    state = session.state
    if dataset.kind == VOLUME:
        return Target(
            VOLUME,
            volume_size=values.own_size(state, dataset, "volsize"),
            block_size=block_size(state, dataset),
        )
    if dataset.kind != FILESYSTEM:
        return Target(dataset.kind)
    version = values.own_value(state, dataset, "version")
    return Target(
        FILESYSTEM,
        zoned=mounts.is_zoned(state, dataset),
        version=int(version or DIALECTS[session.system.zfs_dialect].filesystem_version),
    )


def block_size(state: State, volume: Dataset) -> int:
    """A volume's block size in bytes."""
    return values.own_size(state, volume, "volblocksize") or BLOCK_SIZE_DEFAULT


def apply(session: Session, dataset: Dataset, setting: Setting) -> None:
    """Gives an existing dataset a value; raises Rejected where it does not fit, Refused where it can't be mounted so.

    A filesystem whose mountpoint, canmount or zoned changes is unmounted before and mounted again after.
    """
    check_room(session.state, dataset, setting)
    if dataset.kind != FILESYSTEM or setting.name not in MOUNT_PROPERTIES:
        store(session.state, dataset, setting)
        return
    moved = Remounting.begin(session, dataset, setting.name, setting.value)
    store(session.state, dataset, setting)
    moved.finish(session)


def store(state: State, dataset: Dataset, setting: Setting) -> None:
    """Writes a value without asking and brings all accounts up to date."""
    before = values.own_size(state, dataset, setting.name) if setting.name in _CHARGED else 0
    if setting.name == "volsize":
        _follow_volume_size(state, dataset, int(setting.value))
    values.set_local(state, dataset, setting.name, setting.value)
    settle_value(state, dataset, setting.name, before)


_CHARGED = frozenset({"reservation", "refreservation"})


def settle_value(state: State, dataset: Dataset, name: str, before: int) -> None:
    """Brings all accounts up to date after a reservation that was `before` has changed."""
    if name == "reservation":
        space.reservation_changed(state, dataset, before, values.own_size(state, dataset, name))
    elif name == "refreservation":
        space.settle(state, dataset)


def _follow_volume_size(state: State, volume: Dataset, size: int) -> None:
    block = block_size(state, volume)
    former = volume_reservation(values.own_size(state, volume, "volsize"), block)
    if values.own_size(state, volume, "refreservation") == former:
        values.set_local(state, volume, "refreservation", str(volume_reservation(size, block)))
        space.settle(state, volume)


def check_room(state: State, dataset: Dataset, setting: Setting) -> None:
    """Refuses quotas below what is used and reservations beyond what is there; raises Rejected."""
    if setting.name not in {"quota", "refquota", "reservation", "refreservation", "volsize"}:
        return
    wanted = int(setting.value)
    quota = values.own_size(state, dataset, "quota")
    if setting.name == "quota" and wanted:
        if wanted < max(dataset.used, values.own_size(state, dataset, "reservation")):
            raise Rejected(TOO_SMALL)
    elif setting.name == "refquota" and wanted:
        if wanted < max(dataset.referenced, values.own_size(state, dataset, "refreservation")):
            raise Rejected(TOO_SMALL)
    elif setting.name == "reservation" and wanted:
        more = max(dataset.used, wanted) - max(dataset.used, values.own_size(state, dataset, "reservation"))
        if more > space.room_above(state, dataset) or (quota and wanted > quota):
            raise Rejected(TOO_LARGE)
    elif setting.name == "refreservation" and wanted:
        more = max(dataset.head, wanted) - max(dataset.head, values.own_size(state, dataset, "refreservation"))
        if more > space.room_within(state, dataset) or (quota and wanted > quota):
            raise Rejected(TOO_LARGE)
    elif setting.name == "volsize":
        _check_volume_growth(state, dataset, wanted)


def _check_volume_growth(state: State, volume: Dataset, size: int) -> None:
    block = block_size(state, volume)
    reserved = values.own_size(state, volume, "refreservation")
    if reserved != volume_reservation(values.own_size(state, volume, "volsize"), block):
        return
    if volume_reservation(size, block) - reserved > space.room_within(state, volume):
        raise Rejected(TOO_LARGE)


class Remounting:
    """Filesystems that are unmounted while a property changes, and mounted again after."""

    def __init__(self, affected: list[Dataset], mounted: list[Dataset], *, was_pathless: bool) -> None:
        self._affected = affected
        self._mounted = {one.id for one in mounted}
        self._was_pathless = was_pathless

    @classmethod
    def begin(cls, session: Session, dataset: Dataset, name: str, value: str | None) -> Remounting:
        """Unmounts what the change touches: the filesystem and those that have their mountpoint from it.

        `value` None means that the property is inherited from now on. Raises Refused when one of them is in use.
        """
        state = session.state
        affected = values.inheritors(state, dataset, "mountpoint")
        if name == "mountpoint" and any(mounts.is_zoned(state, one) for one in affected[1:]):
            raise Rejected("child dataset with inherited mountpoint is used in a non-global zone")
        was_pathless = name == "mountpoint" and not mounts.mountpoint(state, dataset).is_path
        stays = name == "canmount" and value == "noauto"
        mounted = [] if stays else mounts.unmount_all(session, affected)
        return cls(affected, mounted, was_pathless=was_pathless)

    def finish(self, session: Session) -> None:
        """Mounts again what was mounted, and what has a path now and had none before."""
        failed: list[str] = []
        for number in [one.id for one in self._affected]:
            one = datasets.dataset_with_id(session.state, number)
            wanted = number in self._mounted or (self._was_pathless and mounts.can_mount(session.state, one) == "on")
            if one.mounted or not wanted or not _is_mountable(session.state, one):
                continue
            try:
                mounts.mount(session, one)
            except Refused as refused:
                failed += refused.lines
        if failed:
            raise Refused(*failed, "property may be set but unable to remount filesystem")


def _is_mountable(state: State, dataset: Dataset) -> bool:
    return (
        mounts.can_mount(state, dataset) != "off"
        and mounts.mountpoint(state, dataset).is_path
        and not mounts.is_zoned(state, dataset)
    )
