"""Images on Linux: datasets that guests are cloned from.

An image is made in a dataset that bears its mark and a note from the first command on. The note goes last: an image that has it
is begun anew, or finished, depending on whether it has its snapshot. Nothing that is whole is ever filled again.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from providers.tools import image_datasets, image_sources, zfs, zfs_containers, zfs_errors, zfs_marks, zfs_pools
from providers.tools.failures import failure
from providers.tools.image_datasets import ARCH, HOLD, MAKING, OS, TYPE
from providers.tools.zfs_rows import SET_HERE, Rows, read_rows
from providers.zones.kinds import MISSING
from reconciler.model.change import MARK, NAME, ON_REMOVAL, PROTECT, Change, Verb
from reconciler.model.command import Command, Completed, Failure, Outputs, Probe, Step
from reconciler.model.errors import InvalidValue, ReadError, ReconcilerError
from reconciler.model.facts import HostFacts
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import Protect
from reconciler.model.observed import REMOVAL, Observed, Removal
from reconciler.model.value import Fields, Value
from reconciler.provider.guest import parse_path
from reconciler.provider.readers import rows

IMAGES, CLONES = "images.datasets", "images.clones"
"""Names of the probes."""

_GUESTS = ("Zone/", "VirtualMachine/")
_MOUNT_LANE = "mount"
"""As provider zfs has it: zfs-fuse can't stand mounts at the same time."""

CONTENT, SNAPSHOT, HELD, END = "content", "snapshot", "hold", "end"
"""What an image can lack: its content, its snapshot, the hold on it, or only that its note goes."""


def check(field_name: str, value: Value) -> None:
    """InvalidValue for a stated field of an Image that Linux does not have, or not at that value."""
    match field_name:
        case "uuid":
            remedy = "remove uuid, and state source (path, url with sha256, or dataset) and type"
            raise InvalidValue("uuids name images of imgadm, and Linux has none", remedy=remedy)
        case "source.dataset" if "@" not in str(value):
            remedy = f"name one: zfs snapshot {value}@v1, and source: {{dataset: {value}@v1}}"
            raise InvalidValue(f"an image is cloned from a snapshot, and {value} is none", remedy=remedy)
        case "source.path":
            parse_path(value)
        case _:
            pass


def probes(fields: Mapping[str, frozenset[str]]) -> tuple[Probe, ...]:
    """The commands that read all images, if they are asked for."""
    if "Image" not in fields:
        return ()
    datasets = Probe(IMAGES, Command(image_datasets.READ, changes=False))
    if REMOVAL not in fields["Image"]:
        return (datasets,)
    return datasets, Probe(CLONES, Command(image_datasets.LIST_CLONES, changes=False))


@dataclass(frozen=True)
class _Seen:
    """The dataset of an image, and its snapshots with the number of holds of each."""

    read: Rows
    snapshots: dict[str, int] = field(default_factory=dict)

    @property
    def image(self) -> str:
        return f"{self.read.name}@image"

    @property
    def missing(self) -> str:
        is_made = self.image in self.snapshots
        if self.read.sources[MAKING] in SET_HERE:
            return CONTENT if not is_made else HELD if not self.snapshots[self.image] else END
        return SNAPSHOT if not is_made else "" if self.snapshots[self.image] else HELD


def read(outputs: Outputs, fields: Mapping[str, frozenset[str]], host_id: str) -> tuple[Observed, ...]:
    """The images in the answers."""
    if IMAGES not in outputs:
        return ()
    seen = tuple(_seen(outputs[IMAGES].stdout))
    names = [one.read.name.rpartition("/")[2] for one in seen]
    clones = tuple(rows(outputs[CLONES].stdout, ("name", "origin", "key"))) if CLONES in outputs else None
    with_removal = REMOVAL in fields.get("Image", ())
    found = []
    for one, name in zip(seen, names, strict=True):
        users = None if clones is None or not with_removal else tuple(_users(one.read.name, clones))
        # Only where two pools have an image of one name does it take more than the name to tell them apart.
        found.append(_observed(one, host_id, users, one.read.name if names.count(name) > 1 else ""))
    return tuple(found)


def _seen(text: str) -> Iterator[_Seen]:
    found: dict[str, _Seen] = {}
    for one in read_rows(text, image_datasets.PROPERTIES):
        name, at, _ = one.name.partition("@")
        if at and name in found:
            found[name].snapshots[one.name] = _holds(one)
        elif one.values["type"] == "filesystem" and image_datasets.parse(name) is not None:
            found[name] = _Seen(one)
    yield from found.values()


def _holds(one: Rows) -> int:
    text = one.values["userrefs"]
    if not (text.isascii() and text.isdigit()):
        raise ReadError(0, f"a number of holds of {one.name}", text)
    return int(text)


def _users(name: str, clones: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Clones of an image that no guest is known by: guests refer to their images themselves."""
    for clone, origin, key in clones:
        if origin.partition("@")[0] == name and not key.startswith(_GUESTS):
            yield clone


def _observed(seen: _Seen, host_id: str, users: tuple[str, ...] | None, identity: str = "") -> Observed:
    found = image_datasets.parse(seen.read.name)
    assert found is not None
    pool, name = found
    said = {prop: seen.read.values[prop] if seen.read.sources[prop] in SET_HERE else None for prop in (TYPE, OS, ARCH)}
    fields: dict[str, Value] = {
        "type": said[TYPE],
        "os": said[OS],
        "arch": said[ARCH],
        "pool": pool,
        MISSING: seen.missing,
        "mounted": seen.read.values["mounted"] == "yes",
    }
    return Observed(
        ObjectName("Image", name),
        fields,
        frozenset(one for one, value in fields.items() if value is not None),
        zfs_marks.mark_in(seen.read, host_id),
        identity,
        removal=None
        if users is None
        else Removal(_bytes(seen.read), obstacles=tuple(_obstacles(seen, users)), holds_data=False),
    )


def _bytes(one: Rows) -> int:
    text = one.values["used"]
    if not (text.isascii() and text.isdigit()):
        raise ReadError(0, f"how much {one.name} uses", text)
    return int(text)


def _obstacles(seen: _Seen, users: tuple[str, ...]) -> Iterator[str]:
    if users:
        yield f"made of it: {', '.join(users)}"
    for name, holds in sorted(seen.snapshots.items()):
        if name != seen.image:
            yield f"it has a snapshot that is not ours: {name}"
        elif holds > 1:
            yield f"somebody else holds {name} (see `zfs holds {name}`)"


def steps(change: Change, pools: frozenset[str]) -> tuple[Step, ...]:
    """The commands of one change. `pools` are the host's, empty where it did not tell.

    ReconcilerError where the manifest does not say enough for this system.
    """
    return tuple(_steps(change, pools))


def _steps(change: Change, pools: frozenset[str]) -> Iterator[Step]:
    match change.verb:
        case Verb.CREATE:
            yield from _make(change, _pool(change, pools))
        case Verb.UPDATE:
            yield from _rename(change)
            yield from _mend_mark(change)
            if change.field(MISSING) is not None:
                yield from _complete(change)
        case Verb.ADOPT:
            yield from _mark(change)
        case Verb.DELETE:
            yield from _delete(change)
        case Verb.FORGET:
            yield from _forget(change)
        case _:
            pass


def _pool(change: Change, pools: frozenset[str]) -> str:
    """Where an image lies, or is to lie."""
    if change.observed is not None:
        return str(change.observed.fields["pool"])
    stated = _stated(change)
    if pool := stated.get("pool") or change.default_pool:
        return str(pool)
    if len(pools) == 1:
        return next(iter(pools))
    raise ReconcilerError(
        f"nothing says in which pool it is to lie; pools there: {', '.join(sorted(pools)) or 'unknown'}",
        remedy="state pool, or defaultPool of the Host",
    )


def _stated(change: Change) -> dict[str, Value]:
    resource = change.resource
    return {**resource.fields, **(resource.created_with or {})} if resource is not None else {}


def _type(stated: Fields) -> str:
    if stated.get("type") is None:
        raise ReconcilerError("nothing says what guests it is for", remedy="state type: zone, or type: vm")
    return str(stated["type"])


def _make(change: Change, pool: str) -> Iterator[Step]:
    """A new image. What it is made of is checked before anything is made."""
    stated, name = _stated(change), change.key.name
    yield from _source_steps(stated, pool)
    assert change.mark is not None
    said: dict[str, Value] = {TYPE: _type(stated), MAKING: CONTENT}
    said |= {prop: stated[one] for one, prop in (("os", OS), ("arch", ARCH)) if stated.get(one) is not None}
    properties = {
        **zfs_marks.properties_of(change.mark),
        **said,
        "canmount": "noauto",
        "mountpoint": image_datasets.mountpoint(pool, name),
    }
    dataset = image_datasets.dataset(pool, name)
    snapshot = stated.get("source.dataset")
    if snapshot is not None:
        yield Step(Command(zfs.clone(str(snapshot), dataset, properties)))
    else:
        yield Step(Command(zfs.create(dataset, properties)))
    yield from _fill(stated, pool, name)
    yield from _finish(stated, pool, name, is_mounted=False)


def _source_steps(stated: Fields, pool: str) -> Iterator[Step]:
    """Brings what the image is made of to the host, and looks whether it can be."""
    type_, sha256 = _type(stated), str(stated.get("sha256") or "")
    if (snapshot := stated.get("source.dataset")) is not None:
        if str(snapshot).partition("/")[0].partition("@")[0] != pool:
            raise ReconcilerError(
                f"{snapshot} does not lie in {pool}, and a clone can't lie in another pool",
                remedy="state the pool of the dataset as pool, or send a copy of it there by hand",
            )
        yield Step(Command(image_sources.check_snapshot(str(snapshot)), changes=False))
    ensure = zfs_containers.ensure(image_datasets.parent(pool), image_datasets.folder(pool))
    if (path := stated.get("source.path")) is not None:
        check_ = image_sources.check_path(str(path), type_, sha256)
        yield Step(Command(check_, changes=False, deadline_s=image_sources.DEADLINE_S))
    yield Step(Command(ensure), _MOUNT_LANE)
    if (url := stated.get("source.url")) is not None:
        file = image_datasets.download_file(pool, sha256)
        get = image_sources.download(str(url), sha256, file)
        look = Command(image_sources.downloaded(file), changes=False)
        yield Step(Command(get, deadline_s=image_sources.DEADLINE_S), progress=look)
        yield Step(Command(image_sources.check_path(file, type_, ""), changes=False, deadline_s=image_sources.DEADLINE_S))
    if snapshot is None and path is None and url is None:
        raise ReconcilerError("nothing says what it is made of", remedy="state source: path, url with sha256, or dataset")


def _fill(stated: Fields, pool: str, name: str) -> Iterator[Step]:
    """Fills the dataset, as often as it takes. A clone has its content already."""
    type_, place = _type(stated), image_datasets.mountpoint(pool, name)
    if stated.get("source.dataset") is not None:
        fill = image_sources.adapt_clone(type_, place)
    else:
        url, path = stated.get("source.url"), str(stated.get("source.path"))
        file = image_datasets.download_file(pool, str(stated.get("sha256"))) if url is not None else path
        fill = image_sources.fill(file, type_, place)
    dataset = image_datasets.dataset(pool, name)
    yield Step(Command(image_sources.mount(dataset, place)), _MOUNT_LANE)
    yield Step(Command(fill, deadline_s=image_sources.DEADLINE_S))
    yield Step(Command(zfs.unmount(dataset)), _MOUNT_LANE)


def _finish(stated: Fields, pool: str, name: str, *, is_mounted: bool, since: str = SNAPSHOT) -> Iterator[Step]:
    """Snapshot, hold, and the end of the note. Nobody writes to what is read-only and not mounted."""
    dataset, snapshot = image_datasets.dataset(pool, name), image_datasets.snapshot(pool, name)
    if since == SNAPSHOT:
        if is_mounted:
            yield Step(Command(zfs.unmount(dataset)), _MOUNT_LANE)
        yield Step(Command(zfs.snapshot(snapshot)))
    yield Step(Command(zfs.set_properties(dataset, {"readonly": "on"})))
    if since in (SNAPSHOT, HELD):
        yield Step(Command(zfs.hold(HOLD, snapshot)))
    if stated.get("source.url") is not None and stated.get("sha256") is not None:
        yield Step(Command(("rm", "-f", image_datasets.download_file(pool, str(stated["sha256"])))))
    yield Step(Command(zfs.inherit(dataset, MAKING)))


def _complete(change: Change) -> Iterator[Step]:
    """What an image lacks that an earlier pass did not bring to its end, or that somebody took away."""
    observed = change.observed
    assert observed is not None
    missing, stated, pool, name = observed.fields[MISSING], _stated(change), _pool(change, frozenset()), change.key.name
    if missing == CONTENT:
        yield from _source_steps(stated, pool)
        yield from _fill(stated, pool, name)
        yield from _finish(stated, pool, name, is_mounted=False)
    else:
        is_mounted = observed.fields["mounted"] is True
        yield from _finish(stated, pool, name, is_mounted=is_mounted, since=str(missing))


def _rename(change: Change) -> Iterator[Step]:
    renamed = change.field(NAME)
    if renamed is None:
        return
    assert change.mark is not None
    pool, name = _pool(change, frozenset()), change.key.name
    dataset = image_datasets.dataset(pool, name)
    if not change.by_parent:
        yield Step(Command(zfs.rename(image_datasets.dataset(pool, str(renamed.before)), dataset)))
    yield Step(Command(zfs.set_properties(dataset, {"mountpoint": image_datasets.mountpoint(pool, name)})))
    yield Step(Command(zfs.set_properties(dataset, {zfs_marks.KEY: str(change.mark.name)})))


def _mend_mark(change: Change) -> Iterator[Step]:
    """What of our mark has to be written anew."""
    mark = change.mark
    if mark is None:
        return
    dataset = image_datasets.dataset(_pool(change, frozenset()), change.key.name)
    wanted = {MARK: (zfs_marks.KEY, str(mark.name))}
    wanted[PROTECT] = (zfs_marks.PROTECT, mark.protect.value if mark.protect is not Protect.NONE else "")
    wanted[ON_REMOVAL] = (zfs_marks.ON_REMOVAL, mark.on_removal.value if mark.on_removal is not None else "")
    for changed, (prop, value) in wanted.items():
        if change.field(changed) is not None:
            argv = zfs.set_properties(dataset, {prop: value}) if value else zfs.inherit(dataset, prop)
            yield Step(Command(argv))


def _mark(change: Change) -> Iterator[Step]:
    """All of our mark; the owner last, so that an image is ours only when the rest is there."""
    assert change.mark is not None
    properties = zfs_marks.properties_of(change.mark)
    dataset = image_datasets.dataset(_pool(change, frozenset()), change.key.name)
    for prop in sorted(properties, key=lambda one: (one == zfs_marks.OWNER, one)):
        yield Step(Command(zfs.set_properties(dataset, {prop: properties[prop]})))


def _forget(change: Change) -> Iterator[Step]:
    observed = change.observed
    assert observed is not None
    if observed.mark is None:
        return
    there = zfs_marks.properties_of(observed.mark)
    dataset = image_datasets.dataset(_pool(change, frozenset()), observed.name.name)
    for prop in (zfs_marks.PROTECT, zfs_marks.HOST, zfs_marks.OWNER, zfs_marks.ON_REMOVAL, zfs_marks.KEY):
        if prop in there:
            yield Step(Command(zfs.inherit(dataset, prop)))


def _delete(change: Change) -> Iterator[Step]:
    """The hold, the snapshot by its name, the dataset; each alone, so that nothing else can go along."""
    observed = change.observed
    assert observed is not None
    pool, name = _pool(change, frozenset()), change.key.name
    missing = observed.fields[MISSING]
    if missing not in (CONTENT, SNAPSHOT):
        if missing != HELD:
            yield Step(Command(zfs.release(HOLD, image_datasets.snapshot(pool, name))), look_first=True)
        yield Step(Command(zfs.destroy(image_datasets.snapshot(pool, name))), destructive=True)
    yield Step(Command(zfs.destroy(image_datasets.dataset(pool, name))), _MOUNT_LANE, destructive=True)
    parent, folder, entry = image_datasets.parent(pool), image_datasets.folder(pool), image_datasets.mountpoint(pool, name)
    drop = zfs_containers.drop(parent, folder, entry)
    yield Step(Command(drop), _MOUNT_LANE, destructive=True)


def confirm(change: Change, pools: frozenset[str]) -> Probe:
    """A look at this one image."""
    name = image_datasets.dataset(_pool(change, pools), change.key.name)
    return Probe("images.confirm", Command(image_datasets.read_one(name), changes=False))


def confirmed(change: Change, answer: Completed, host_id: str) -> Observed | None:
    """The image in the answer to `confirm`; None when it is certain that there is none. ReadError otherwise."""
    if zfs_errors.says_gone(answer):
        return None
    if not answer.succeeded:
        raise ReadError(0, f"{change.key.object}, or that it does not exist", answer.stderr)
    for seen in _seen(answer.stdout):
        if seen.read.name.endswith(f"/{change.key.name}"):
            return _observed(seen, host_id, (), change.observed.identity if change.observed is not None else "")
    raise ReadError(0, str(change.key.object), answer.stdout)


def explain(failed: Completed) -> Failure:
    """Cause, remedy and retry class of one of these commands that did not exit 0."""
    return failure(failed, (*image_sources.TABLE, *zfs_errors.TABLE))


def pools_of(facts: HostFacts) -> frozenset[str]:
    """The pools of a Linux host; none where it could not tell."""
    answer = facts.probed.get(zfs_pools.NAMES.name)
    return frozenset(answer.stdout.split()) if answer is not None and answer.succeeded else frozenset()
