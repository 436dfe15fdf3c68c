"""The exact commands of one change."""

from collections.abc import Iterator, Mapping
from typing import assert_never

from providers.tools import zfs, zfs_marks, zfs_volume_files
from providers.tools.zfs_properties import PROPERTIES, Clearing
from providers.zfs.capabilities import FILE, Capabilities
from providers.zfs.kinds import MOUNTED
from providers.zfs.reading import ACTUALLY_MOUNTED, PREFIX
from providers.zfs.trash import MOUNT_LANE, from_trash, lane_of, to_trash
from reconciler.model.change import MARK, NAME, ON_REMOVAL, PROTECT, Change, FieldChange, Verb
from reconciler.model.command import Command, Step
from reconciler.model.lifecycle import Protect
from reconciler.model.observed import Observed
from reconciler.model.resource import Resource
from reconciler.model.value import Value

_MOUNTING = frozenset({"canmount", "mountpoint", "zoned"})
"""Properties whose change mounts or unmounts."""


def steps(change: Change, host: Capabilities) -> tuple[Step, ...]:
    """The commands of a change in order."""
    return tuple(_steps(change, host))


def _steps(change: Change, host: Capabilities) -> Iterator[Step]:
    match change.verb:
        case Verb.CREATE:
            yield from _create(change, host)
        case Verb.DELETE:
            yield from _delete(change)
        case Verb.TRASH:
            yield from to_trash(change, host)
        case Verb.RESTORE:
            yield from _rename(change, host)
            yield from from_trash(change, host)
            yield from _mend_mark(change)
            yield from _alter(change, host)
        case Verb.REPLACE:
            yield from _delete(change) if change.trashing is None else to_trash(change, host)
            yield from _create(change, host)
        case Verb.UPDATE:
            yield from _rename(change, host)
            yield from _mend_mark(change)
            yield from _alter(change, host)
        case Verb.ADOPT:
            yield from _mark(change, host)
            if change.observed is not None and change.observed.trashed is not None:
                yield from from_trash(change, host)
            yield from _alter(change, host)
        case Verb.FORGET:
            yield from _forget(change, host)
        case _:
            assert_never(change.verb)


def _create(change: Change, host: Capabilities) -> Iterator[Step]:
    resource, mark, name = change.resource, change.mark, change.key.name
    assert resource is not None
    assert mark is not None
    properties = {**_stated_properties(resource), **zfs_marks.properties_of(mark)}
    parents = bool((resource.created_with or {}).get("createParents"))
    origin = resource.fields.get("origin")
    is_volume = change.key.kind == "Volume"
    if is_volume and (resource.fields.get("backing") or host.backing) == FILE:
        yield from _create_file(name, resource, properties)
        return
    lane = MOUNT_LANE if parents or not (is_volume or _stays_unmounted(properties)) else None
    if isinstance(origin, str):
        yield _step(*zfs.clone(origin, name, properties, parents=parents), lane=lane)
        if (size := resource.fields.get("size")) is not None:
            yield _step(*zfs.set_properties(name, {"volsize": size}))
    elif is_volume:
        size, block = resource.fields["size"], resource.fields.get("blockSize")
        assert isinstance(size, int)
        assert block is None or isinstance(block, int)
        sparse = resource.fields.get("sparse") is True
        yield _step(*zfs.create_volume(name, size, properties, block_size=block, sparse=sparse))
    else:
        yield _step(*zfs.create(name, properties, parents=parents), lane=lane)


def _create_file(name: str, resource: Resource, properties: dict[str, Value]) -> Iterator[Step]:
    """A volume that is a file in a dataset. Cut short in between it is one whose file has no bytes, and grows."""
    origin, size, block = (resource.fields.get(field) for field in ("origin", "size", "blockSize"))
    size = size if isinstance(size, int) else 0
    properties |= {zfs_volume_files.SIZE: size, "mountpoint": zfs_volume_files.mountpoint_of(name)}
    if block is not None:
        properties["recordsize"] = block
    if isinstance(origin, str):
        yield _step(*zfs.clone(origin, name, properties), lane=MOUNT_LANE)
    else:
        if resource.fields.get("sparse") is not True:
            properties.setdefault("refreservation", size)
        yield _step(*zfs.create(name, properties), lane=MOUNT_LANE)
    yield _step(*zfs_volume_files.ensure(name, size), lane=MOUNT_LANE)


def _stated_properties(resource: Resource) -> dict[str, Value]:
    """The properties to create with. A null says what a new object is anyway, but for the space set aside for a volume."""
    found: dict[str, Value] = {}
    for name, value in resource.fields.items():
        prop = name.removeprefix(PREFIX)
        if name.startswith(PREFIX) and (value is not None or (resource.key.kind, prop) == ("Volume", "refreservation")):
            found[prop] = value
    return found


def _stays_unmounted(properties: Mapping[str, Value]) -> bool:
    return properties.get("mountpoint") in ("none", "legacy") or properties.get("canmount") in ("off", "noauto")


def _delete(change: Change) -> Iterator[Step]:
    """Every snapshot by name and in a command of its own, then the object alone: what is not in the plan stays."""
    observed = change.observed
    assert observed is not None
    for snapshot in observed.removal.snapshots if observed.removal is not None else ():
        yield _step(*zfs.destroy(snapshot), destructive=True)
    yield _step(*zfs.destroy(change.key.name), lane=lane_of(change), destructive=True)
    if change.empties_trash:
        yield _step(*zfs.destroy(change.key.name.rpartition("/")[0]), lane=MOUNT_LANE, destructive=True)


def _rename(change: Change, host: Capabilities) -> Iterator[Step]:
    renamed, observed, name = change.field(NAME), change.observed, change.key.name
    if renamed is None:
        return
    assert observed is not None
    assert change.mark is not None
    remount = not host.renames_mounted and _can_be_remounted(observed)
    if not change.by_parent:
        if remount:
            yield _step(*zfs.unmount(str(renamed.before)), lane=MOUNT_LANE)
        yield _step(*zfs.rename(str(renamed.before), name), lane=lane_of(change))
    if observed.fields.get("backing") == FILE:
        # Its name decides where it is mounted.
        yield _step(*zfs.set_properties(name, {"mountpoint": zfs_volume_files.mountpoint_of(name)}), lane=MOUNT_LANE)
        if observed.trashed is None:
            yield _step(*zfs_volume_files.ensure(name, 0), lane=MOUNT_LANE)
        remount = False
    yield _step(*zfs.set_properties(name, {zfs_marks.KEY: str(change.mark.name)}))
    if remount:
        yield _step(*zfs.mount(name), lane=MOUNT_LANE)


def _can_be_remounted(observed: Observed) -> bool:
    return observed.fields.get(ACTUALLY_MOUNTED) == "yes" and observed.fields.get(f"{PREFIX}mountpoint") != "legacy"


def _mend_mark(change: Change) -> Iterator[Step]:
    """What of our mark has to be written anew; a rename writes the key itself."""
    mark, name = change.mark, change.key.name
    assert mark is not None
    written: dict[str, Value] = {}
    if change.field(MARK) is not None:
        written[zfs_marks.KEY] = str(mark.name)
    if change.field(PROTECT) is not None and mark.protect is not Protect.NONE:
        written[zfs_marks.PROTECT] = mark.protect.value
    if change.field(ON_REMOVAL) is not None and mark.on_removal is not None:
        written[zfs_marks.ON_REMOVAL] = mark.on_removal.value
    for prop, value in written.items():
        yield _step(*zfs.set_properties(name, {prop: value}))
    if change.field(PROTECT) is not None and mark.protect is Protect.NONE:
        yield _step(*zfs.inherit(name, zfs_marks.PROTECT))
    if change.field(ON_REMOVAL) is not None and mark.on_removal is None:
        yield _step(*zfs.inherit(name, zfs_marks.ON_REMOVAL))


def _mark(change: Change, host: Capabilities) -> Iterator[Step]:
    """All of our mark; the owner last, so that an object is ours only when the rest is there."""
    assert change.mark is not None
    properties = dict(zfs_marks.properties_of(change.mark))
    if host.sets_many:
        yield _step(*zfs.set_properties(change.key.name, properties))
        return
    for prop in sorted(properties, key=lambda prop: (prop == zfs_marks.OWNER, prop)):
        yield _step(*zfs.set_properties(change.key.name, {prop: properties[prop]}))


def _forget(change: Change, host: Capabilities) -> Iterator[Step]:
    """Our mark off again. Up to the owner's going it is a mark that says how to go on, after it it is none."""
    assert change.observed is not None
    mark = change.observed.mark
    if mark is None:
        return
    there = zfs_marks.properties_of(mark)
    if change.observed.trashed is not None:
        yield from from_trash(change, host)
    for prop in (zfs_marks.PROTECT, zfs_marks.HOST, zfs_marks.OWNER, zfs_marks.ON_REMOVAL, zfs_marks.KEY):
        if prop in there:
            yield _step(*zfs.inherit(change.key.name, prop))


def _alter(change: Change, host: Capabilities) -> Iterator[Step]:
    """Properties and size, in an order in which each command can succeed."""
    name = change.key.name
    in_file = change.observed is not None and change.observed.fields.get("backing") == FILE
    altered = sorted(
        (field for field in change.fields if field.name.startswith(PREFIX) or (field.name == "size" and not in_file)),
        key=lambda field: field.name,
    )
    for field in altered:
        if _is_inherited(field):
            prop = _property(field)
            yield _step(*zfs.inherit(name, prop), lane=MOUNT_LANE if prop in _MOUNTING else None)
    groups: dict[tuple[int, str], dict[str, Value]] = {}
    for field in altered:
        if not _is_inherited(field):
            prop = _property(field)
            alone = "" if host.sets_many else prop
            groups.setdefault((_rank(field), alone), {})[prop] = field.after
    for _, properties in sorted(groups.items(), key=lambda item: item[0]):
        lane = MOUNT_LANE if _MOUNTING & properties.keys() else None
        yield _step(*zfs.set_properties(name, properties), lane=lane)
    if in_file and (size := change.field("size")) is not None:
        yield from _grow_file(change, size.after)
    if change.field(MOUNTED) is not None or _may_be_mounted_now(change):
        yield _step(*zfs.mount(name), lane=MOUNT_LANE)


def _grow_file(change: Change, size: Value) -> Iterator[Step]:
    """Space that is set aside grows first: a volume with less of it than its size is sparse."""
    assert change.observed is not None
    assert isinstance(size, int)
    name = change.key.name
    if change.observed.fields.get("sparse") is False and change.field(f"{PREFIX}refreservation") is None:
        yield _step(*zfs.set_properties(name, {"refreservation": size}))
    yield _step(*zfs.set_properties(name, {zfs_volume_files.SIZE: size}))
    yield _step(*zfs_volume_files.ensure(name, size), lane=MOUNT_LANE)


def _may_be_mounted_now(change: Change) -> bool:
    """Whether canmount becomes on for a file system that has a mountpoint and is not mounted: zfs set leaves it at that."""
    canmount, observed = change.field(f"{PREFIX}canmount"), change.observed
    if canmount is None or canmount.after != "on" or observed is None or observed.fields.get(ACTUALLY_MOUNTED) != "no":
        return False
    after = dict(observed.fields) | {field.name: field.after for field in change.fields}
    return str(after.get(f"{PREFIX}mountpoint")).startswith("/") and after.get(f"{PREFIX}zoned") != "on"


def _property(field: FieldChange) -> str:
    return "volsize" if field.name == "size" else field.name.removeprefix(PREFIX)


def _is_inherited(field: FieldChange) -> bool:
    """Whether a null is reached by `zfs inherit`; a user property too is gone when it is inherited."""
    known = PROPERTIES.get(_property(field))
    return field.after is None and (known is None or known.clearing is Clearing.INHERIT)


def _rank(field: FieldChange) -> int:
    """The place in the order of `zfs set` commands.

    Space set aside must fit below the quota at any time, so it is given up first and taken last. What ends a mount comes
    before a new mountpoint, what begins one after it; a zoned dataset's mountpoint can't be set at all.
    """
    prop, before, after = _property(field), field.before, field.after
    match prop:
        case "reservation" | "refreservation":
            lowered = after is None or (isinstance(before, int) and isinstance(after, int) and after < before)
            return 0 if lowered else 2
        case "quota" | "refquota":
            return 1
        case "canmount":
            return 5 if after == "on" else 3
        case "zoned":
            return 6 if after == "on" else 3
        case "mountpoint":
            return 4
        case _:
            return 1


def _step(*argv: str, lane: str | None = None, destructive: bool = False) -> Step:
    return Step(Command(argv), lane, destructive)
