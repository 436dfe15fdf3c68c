"""Volumes out of the way before vmadm lets go of a disk: it destroys what it finds (smartos-vmadm.md 5b, `remove_disks`).

A volume made for the guest is renamed into the pool's place for detached disks, or into the trash. One that is a Volume of its
own is renamed only for as long as vmadm might destroy it; where it is meanwhile stands in a note on the guest, written before
and taken off after. Cut in between, the next look finds it away (`vmadm_stated.AWAY`), and it is brought back first of all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from providers.tools import vmadm_disks, vmadm_marks, zfs, zfs_marks, zfs_trash
from providers.tools.vmadm_changes import item_changes, observed_item
from providers.tools.vmadm_stated import AWAY, TAKEN_PLACES
from reconciler.model.change import Change, Verb
from reconciler.model.command import Command, Step
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import OnRemoval
from reconciler.model.observed import Mark, Observed
from reconciler.model.trash import Trashed


@dataclass(frozen=True, slots=True)
class Aside:
    """What has to be moved before disks go, and what has to come back after.

    `kept` and `trashed` are volumes made for the guest and where they go; `away` Volumes of their own, and where they are
    meanwhile; `away_already` those that an earlier change left there. `paths` are the disks that go, `destroys` whether data
    goes with one.
    """

    kept: Mapping[str, str] = field(default_factory=dict)
    trashed: Mapping[str, str] = field(default_factory=dict)
    away: Mapping[str, str] = field(default_factory=dict)
    away_already: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    destroys: bool = False

    @property
    def notes(self) -> Mapping[str, str]:
        """The note to write before anything moves; empty where nothing has to come back."""
        places = {place: home for home, place in self.away.items()} | dict(self.away_already)
        return {vmadm_marks.AWAY: vmadm_marks.items_note(places)} if places else {}


def volumes_aside(change: Change) -> Aside:
    """Of the disks that a change removes, or of all that a guest has when it is deleted."""
    observed = change.observed
    assert observed is not None
    kept, trashed, away, paths, destroys = dict[str, str](), dict[str, str](), dict[str, str](), list[str](), False
    for name in _going(change, observed):
        disk = observed_item(change, "disks", name)
        path, volume = str(disk["path"]), disk.get("volume")
        place = _free_place(observed, name, path)
        made = vmadm_disks.volume_at(path)
        on_removal = change.remembered.get(f"disks.{name}.onRemoval")
        paths.append(path)
        if made is None or disk.get("missing") is True:
            continue
        if isinstance(volume, str):
            away[volume] = place
        elif on_removal == OnRemoval.DELETE:
            destroys = True
        elif on_removal == OnRemoval.TRASH:
            trashed[made] = place
        else:
            kept[made] = place
    return Aside(kept, trashed, away, _away_already(observed), tuple(paths), destroys)


def _going(change: Change, observed: Observed) -> tuple[str, ...]:
    """The disks that vmadm is to let go of. With a guest that goes go those made for it, so here only the other ones count."""
    if change.verb not in (Verb.DELETE, Verb.REPLACE):
        return item_changes(change, "disks").removed
    names = observed.fields.get("disks")
    return tuple(name for name in (names if isinstance(names, tuple) else ()) if observed.fields.get(f"disks.{name}.volume"))


def _free_place(observed: Observed, name: str, path: str) -> str:
    """Where the disk's volume goes: `<pool>/.reconciler-detached/<uuid>-<disk>`, with `-2` ... while that is taken."""
    pool = (vmadm_disks.volume_at(path) or "").partition("/")[0]
    wanted = f"{pool}/{vmadm_disks.DETACHED}/{observed.identity}-{name}"
    taken = observed.fields.get(TAKEN_PLACES)
    number, found = 1, wanted
    while isinstance(taken, tuple) and found in taken:
        number += 1
        found = f"{wanted}-{number}"
    return found


def _away_already(observed: Observed) -> dict[str, str]:
    away = observed.fields.get(AWAY)
    return dict(_pair(text) for text in away) if isinstance(away, tuple) else {}


def _pair(text: str) -> tuple[str, str]:
    place, _, home = text.partition("\t")
    return place, home


def put_aside(change: Change, aside: Aside) -> Iterator[Step]:
    """Renames what must not be destroyed, while the guest is stopped."""
    moves = {**aside.kept, **aside.trashed, **aside.away}
    for pool in sorted({volume.partition("/")[0] for volume in moves}):
        yield Step(Command(zfs.create_container(f"{pool}/{vmadm_disks.DETACHED}")), "mount")
    for pool in sorted({volume.partition("/")[0] for volume in aside.trashed}):
        yield Step(Command(zfs.create_container(f"{pool}/{zfs_trash.CONTAINER}")), "mount")
    for volume, place in sorted({**aside.kept, **aside.away}.items()):
        yield Step(Command(zfs.rename(volume, place)))
    for volume, place in sorted(aside.trashed.items()):
        yield from _trash(change, volume, place)


def _trash(change: Change, volume: str, place: str) -> Iterator[Step]:
    """Into the trash as a Volume: from there it comes back as a detached disk, and is no guest's."""
    pool, _, name = place.partition(f"/{vmadm_disks.DETACHED}/")
    trashing, mark = change.trashing, change.mark
    trashed = Trashed("", "", None) if trashing is None else Trashed(trashing.at, trashing.group, trashing.ttl_s)
    assert mark is not None
    own = Mark(mark.owner, ObjectName("Volume", place), mark.host_id, on_removal=OnRemoval.TRASH)
    texts = {name: str(value) for name, value in zfs_marks.properties_of(own).items()}
    yield Step(Command(zfs.set_text(volume, {**texts, zfs_trash.TRASH: zfs_trash.note(trashed)})))
    entry = name if trashing is None else f"{trashing.entry}-{name}"
    yield Step(Command(zfs.rename(volume, f"{pool}/{zfs_trash.CONTAINER}/{entry}")))


def put_back(aside: Aside) -> Iterator[Step]:
    """Gives Volumes of their own their names again, once vmadm knows nothing of them."""
    places = {place: home for home, place in aside.away.items()} | dict(aside.away_already)
    for place, home in sorted(places.items()):
        yield Step(Command(zfs.rename(place, home)))
