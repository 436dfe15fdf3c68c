"""Into the trash and back: a dataset or volume keeps its data, snapshots and properties under another name.

What is changed on the way in stands in one note on the object, written first; what is read there is taken back on the way
out, and the note goes last. So an end at any point leaves an object that says what has to be done.
"""

from collections.abc import Iterator, Mapping

from providers.tools import zfs, zfs_volume_files
from providers.tools.zfs_trash import TRASH, note
from providers.zfs.capabilities import FILE, Capabilities
from reconciler.model.change import NAME, Change
from reconciler.model.command import Command, Step
from reconciler.model.observed import Observed, Removal
from reconciler.model.trash import Trashed

MOUNT_LANE = "mount"
"""zfs-fuse has broken under mounts at the same time (performance.md 8), and no ZFS gains by them."""

_IN_TRASH: Mapping[str, str] = {"canmount": "noauto", "sharenfs": "off", "sharesmb": "off", "refreservation": "none"}
"""What an object in the trash has instead of its own values: it is neither mounted nor shared and sets no space aside."""


_MOUNTED_BY_FIELDS = ("mounted", "properties.canmount")
"""Where a change has one of these, whoever turns fields into commands mounts it."""


def lane_of(change: Change) -> str | None:
    """The lane of commands that mount or unmount the object when they move or remove it."""
    in_file = change.observed is not None and change.observed.fields.get("backing") == FILE
    return MOUNT_LANE if change.key.kind == "Dataset" or in_file else None


def to_trash(change: Change, host: Capabilities) -> Iterator[Step]:
    """Puts the object that is there into the trash. One that was on its way already keeps what was saved then."""
    observed, trashing, name = change.observed, change.trashing, change.key.name
    assert observed is not None
    assert trashing is not None
    # Without a look at what a removal takes this is no more than a draft: the planner asks for that look, and the first step
    # is refused without it.
    removal, begun = observed.removal or Removal(0), observed.trashed
    saved = {**removal.saved, **(begun.saved if begun is not None else {})}
    was_mounted = removal.was_mounted or (begun is not None and begun.was_mounted)
    trashed = Trashed(trashing.at, trashing.group, trashing.ttl_s, trashing.replaced, was_mounted, saved)
    if removal.trash_place and not removal.has_trash_place:
        yield Step(Command(zfs.create_container(removal.trash_place)), MOUNT_LANE)
    yield Step(Command(zfs.set_text(name, {TRASH: note(trashed)})), look_first=True)
    yield from _set(name, {prop: _IN_TRASH[prop] for prop in removal.saved}, host, lane_of(change))
    if removal.was_mounted:
        yield Step(Command(zfs.unmount(name)), MOUNT_LANE)
    yield Step(Command(zfs.rename(name, f"{removal.trash_place}/{trashing.entry}")), lane_of(change))


def from_trash(change: Change, host: Capabilities) -> Iterator[Step]:
    """Gives the object its name and its values back.

    One that was caught half-way has its name already, or is renamed by its manifest before this.
    """
    observed, name, lane = change.observed, change.key.name, lane_of(change)
    assert observed is not None
    assert observed.trashed is not None
    trashed = observed.trashed
    if observed.name.name != name and change.field(NAME) is None:
        yield Step(Command(zfs.rename(observed.name.name, name)), lane)
    given_back = {prop: value for prop, value in trashed.saved.items() if value is not None}
    for prop in sorted(trashed.saved.keys() - given_back.keys()):
        yield Step(Command(zfs.revert(name, prop)), lane)
    yield from _set(name, given_back, host, lane)
    if trashed.was_mounted and observed.fields.get("backing") == FILE:
        yield Step(Command(zfs_volume_files.ensure(name, 0)), MOUNT_LANE)
    elif trashed.was_mounted and not _needs_no_mount(change, observed):
        yield Step(Command(zfs.mount(name)), MOUNT_LANE)
    yield Step(Command(zfs.inherit(name, TRASH)))


def _needs_no_mount(change: Change, observed: Observed) -> bool:
    """Whether it is mounted, others mount it, or, where it has its name already, it has no place to be mounted by now."""
    removal = observed.removal
    if any(change.field(field) for field in _MOUNTED_BY_FIELDS):
        return True
    return removal is not None and (
        removal.was_mounted or (observed.name.name == change.key.name and not removal.has_mountpoint)
    )


def _set(name: str, values: Mapping[str, str], host: Capabilities, lane: str | None) -> Iterator[Step]:
    groups = [dict(values)] if host.sets_many and values else [{prop: value} for prop, value in sorted(values.items())]
    for group in groups:
        yield Step(Command(zfs.set_text(name, group)), lane)
