"""Disks of machines as datasets: made from an image or fresh, grown, and put aside, trashed or destroyed."""

from collections.abc import Iterable, Iterator

from providers.tools import libvirt_storage as storage
from providers.tools import zfs, zfs_containers, zfs_marks, zfs_trash
from providers.tools.libvirt_devices import volume_device
from providers.tools.libvirt_marks import Going
from providers.tools.zfs_properties import MARK_PREFIX
from providers.tools.zfs_volume_files import path_of
from reconciler.model.change import Change
from reconciler.model.command import Command, Step
from reconciler.model.errors import ReconcilerError
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import OnRemoval
from reconciler.model.observed import Mark
from reconciler.model.value import Fields, Value

MOUNT_LANE = "mount"
"""Commands that mount and unmount run one at a time, as those of Datasets."""

SNAPSHOT = "@image"
"""The snapshot of an Image that disks are cloned from."""

_MAKE = f"""\
{zfs_containers.MAKE_IN}
name=$1 owner=$2 key=$3 file=$4 size=$5
shift 5
tab=$(printf '\\t')
make_in "$@" || {{
    [ "$(zfs get -H -o value,source {zfs_marks.OWNER} "$name" 2>/dev/null)" = "$owner${{tab}}local" ] &&
        [ "$(zfs get -H -o value,source {zfs_marks.KEY} "$name")" = "$key${{tab}}local" ]
}} || exit 1
[ "$(zfs get -H -o value mounted "$name")" != no ] || zfs mount "$name" || exit 1
[ -n "$file" ] || exit 0
there=$(stat -c %s "$file" 2>/dev/null || echo 0)
[ -n "$size" ] || {{ [ "$there" -gt 0 ] || {{ echo "there is no $file: the image holds no disk" >&2; exit 1; }}; exit 0; }}
[ "$there" -le "$size" ] || {{ echo "$file has $there bytes, and $size are wanted: it would be cut off" >&2; exit 1; }}
umask 077
truncate -s "$size" "$file" && exec sync "$file\""""
"""Makes a dataset by the command that follows, in the container before it, or finds it made by us already (a definition that
was lost had it), which a mark says that it does not only inherit; mounts it; and gives the file in it its size, never a
smaller one. The file outlives a ZFS that dies at once (linux-host.md 1, "The daemon")."""

_GROW = """\
there=$(stat -c %s "$1") || exit 1
[ "$there" -le "$2" ] || { echo "$1 has $there bytes, and $2 are wanted: it would be cut off" >&2; exit 1; }
truncate -s "$2" "$1\""""

_MOVE_ASIDE = """\
zfs list -H -o name "$1" >/dev/null 2>&1 || { zfs list -H -o name "$2" >/dev/null && exit 0; exit 1; }
if zfs list -H -o name "$2" >/dev/null 2>&1; then
    number=2
    while zfs list -H -o name "$2-$number" >/dev/null 2>&1; do number=$((number + 1)); done
    zfs rename "$2" "$2-$number" || exit 1
fi
zfs set canmount=noauto "$1" || exit 1
[ "$(zfs get -H -o value mounted "$1")" != yes ] || zfs unmount "$1" || exit 1
exec zfs rename "$1" "$2\""""
"""Moves a dataset that is not in use to another name, unmounted. One that is there already is as wanted; one that was put
there before, from an earlier disk of that name, stays, with a number after its name."""


def new_home(change: Change, pool: str, machine: str, quota: Value) -> Step:
    """The dataset that holds all that is the machine's in that pool."""
    properties: dict[str, Value] = {"mountpoint": storage.folder(machine), **_marked(change)}
    if quota is not None:
        properties["quota"] = quota
    name = storage.home(pool, machine)
    return _made(change, name, zfs.create(name, properties), container=storage.container(pool))


def far_home(change: Change, pool: str, machine: str) -> Step:
    """The same in another pool than the machine's own, where only disks lie."""
    name = storage.home(pool, machine)
    command = zfs.create(name, {"mountpoint": "none", **_marked(change)})
    return _made(change, name, command, container=storage.container(pool))


def new_disk(change: Change, machine: str, disk: str, fields: Fields, pool: str) -> Step:
    """The dataset of a disk with its file: a clone of an image, or a fresh one of its size.

    ReconcilerError where the image lies in another pool, from which nothing can be cloned.
    """
    pool, size = str(fields.get("pool") or pool), fields.get("size")
    name = storage.dataset(pool, machine, disk)
    properties: dict[str, Value] = {"mountpoint": storage.folder(machine, disk), **_marked(change)}
    properties |= {
        key.removeprefix("properties."): value
        for key, value in fields.items()
        if key.startswith("properties.") and value is not None
    }
    if fields.get("blockSize") is not None:
        properties["recordsize"] = fields["blockSize"]
    if fields.get("sparse") is False and isinstance(size, int):
        properties.setdefault("refreservation", size)
    if (image := fields.get("image")) is None:
        command = zfs.create(name, properties)
    else:
        origin = change.identities.get(ObjectName("Image", str(image))) or str(image)
        origin = origin if "/" in origin else f"{pool}/images/{origin}"
        if origin.partition("/")[0] != pool:
            raise ReconcilerError(
                f"disk {disk} is to lie in pool {pool}, and image {image} lies in {origin}: it can't be cloned",
                remedy=f"state disks pool: {origin.partition('/')[0]}, or make an Image in {pool}",
            )
        command = zfs.clone(f"{origin}{SNAPSHOT}", name, properties)
    return _made(change, name, command, storage.file(machine, disk), str(size) if isinstance(size, int) else "")


def _made(change: Change, name: str, command: tuple[str, ...], file: str = "", size: str = "", *, container: str = "") -> Step:
    assert change.mark is not None
    mark = change.mark
    argv = ("sh", "-c", _MAKE, "make-dataset", name, mark.owner, str(mark.name), file, size, container, *command)
    return Step(Command(argv), MOUNT_LANE)


def drop_containers(pools: Iterable[str]) -> Iterator[Step]:
    """Takes away what held the machines' datasets, in pools where this was the last one."""
    for pool in sorted(pools):
        yield Step(Command(zfs_containers.drop(storage.container(pool))), MOUNT_LANE, destructive=True)


def _marked(change: Change) -> dict[str, Value]:
    """Whose the dataset is. How it goes says the machine's own mark."""
    assert change.mark is not None
    return dict(zfs_marks.properties_of(Mark(change.mark.owner, change.mark.name, change.mark.host_id)))


def grow(path: str, size: int) -> Step:
    return Step(Command(("sh", "-c", _GROW, "grow-file", path, str(size))))


def volume_path(name: str, *, as_files: bool) -> str:
    """Where the data of a Volume is: a device, or where ZFS has no volumes a file."""
    return path_of(name) if as_files else volume_device(name)


def put_out(change: Change, going: Going) -> Iterator[Step]:
    """The dataset of a disk that the machine has let go of, to where it goes. Done already, it does nothing."""
    if not going.place:
        permits = change.resource is not None and change.resource.lifecycle.delete_snapshots
        argv = ("sh", "-c", _DESTROY, "destroy-disk", going.dataset, "with-snapshots" if permits else "-")
        yield Step(Command(argv), MOUNT_LANE, destructive=True)
        return
    pool = going.place.partition("/")[0]
    container = going.place.rpartition("/")[0]
    yield Step(Command(zfs.create_container(container)), MOUNT_LANE)
    if going.trashed is not None:
        # From the trash it comes back as a dataset of its own, and is no machine's.
        yield Step(Command(zfs.create_container(f"{pool}/{storage.DETACHED}")), MOUNT_LANE)
    yield Step(Command(("sh", "-c", _MOVE_ASIDE, "move-disk", going.dataset, going.place)), MOUNT_LANE)
    texts = _own_mark(change, going)
    for name, text in texts.items():
        yield Step(Command(zfs.set_text(going.place, {name: text})))
    for prop in (zfs_marks.HOST, zfs_marks.OWNER, zfs_marks.KEY):
        if prop not in texts:
            yield Step(Command(zfs.inherit(going.place, prop)))


_DESTROY = """\
zfs list -H -o name "$1" >/dev/null 2>&1 || { zfs list -H -o name "${1%/*}" >/dev/null && exit 0; exit 1; }
snapshots=$(zfs list -H -d 1 -t snapshot -o name "$1") || exit 1
[ -z "$snapshots" ] || [ "$2" = with-snapshots ] || { echo "$1 has snapshots, which would go with it:" $snapshots >&2; exit 1; }
for snapshot in $snapshots; do zfs destroy "$snapshot" || exit 1; done
exec zfs destroy "$1\""""
"""Destroys one dataset, and its snapshots first where that is permitted; never what was cloned from it or lies in it."""


def _own_mark(change: Change, going: Going) -> dict[str, str]:
    """What the dataset bears in the trash; put aside it bears nothing, and is nobody's."""
    if going.trashed is None or change.mark is None:
        return {}
    name = f"{going.place.partition('/')[0]}/{storage.DETACHED}/{going.place.rpartition('/')[2]}"
    mark = Mark(change.mark.owner, ObjectName("Dataset", name), change.mark.host_id, on_removal=OnRemoval.TRASH)
    texts = {prop: str(value) for prop, value in zfs_marks.properties_of(mark).items()}
    return {f"{MARK_PREFIX}trash": zfs_trash.note(going.trashed), **texts}
