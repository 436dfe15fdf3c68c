"""Each change and its exact commands, on a ZFS that sets many properties at once and on one that does not."""

from dataclasses import dataclass, replace

import pytest

from providers.tools.zfs_properties import Dialect
from providers.zfs.capabilities import Capabilities
from providers.zfs.steps import steps
from reconciler.model.change import Change, FieldChange, Verb
from reconciler.model.command import Step
from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.observed import Mark, Observed, Removal
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.model.value import Fields

GIB = 1 << 30
ILLUMOS = Capabilities(Dialect.ILLUMOS, frozenset(), frozenset({"tank"}), is_smartos=False)
ZFS_FUSE = replace(ILLUMOS, dialect=Dialect.ZFS_FUSE, pools=None)

MARKED = "-o dev.reconciler:key=Dataset/tank/web -o dev.reconciler:owner=acme"
VOLUME_MARKED = "-o dev.reconciler:key=Volume/tank/web -o dev.reconciler:owner=acme"


def resource(fields: Fields, kind: str = "Dataset", created_with: Fields | None = None) -> Resource:
    return Resource(Key("hv01", kind, "tank/web"), fields, Origin("web.yaml", 1, 1), created_with=created_with)


def mark(kind: str = "Dataset") -> Mark:
    return Mark("acme", ObjectName(kind, "tank/web"))


def created(fields: Fields, kind: str = "Dataset", created_with: Fields | None = None) -> Change:
    wanted = resource(fields, kind, created_with)
    return Change(wanted.key, Verb.CREATE, (), wanted, None, mark(kind))


def updated(*fields: FieldChange, kind: str = "Dataset") -> Change:
    wanted = resource({}, kind)
    return Change(wanted.key, Verb.UPDATE, fields, wanted, Observed(wanted.key.object, {}), mark(kind))


def lines(change: Change, host: Capabilities = ILLUMOS) -> list[str]:
    """The commands; a mark of `+` before those that mount, of `!` before those that destroy."""
    return [_line(step) for step in steps(change, host)]


def _line(step: Step) -> str:
    flags = ("+" if step.lane == "mount" else "") + ("!" if step.destructive else "")
    return f"{flags} {step.command}".strip()


@dataclass(frozen=True)
class Case:
    reason: str
    change: Change
    commands: list[str]


CREATIONS = [
    Case("the mark is in the same command", created({}), [f"+ zfs create {MARKED} tank/web"]),
    Case(
        "sizes are in bytes, properties sorted, nulls left to the default",
        created({"properties.quota": GIB, "properties.atime": "off", "properties.exec": None, "properties.refquota": None}),
        [f"+ zfs create -o atime=off {MARKED} -o quota=1073741824 tank/web"],
    ),
    Case(
        "what stays unmounted need not queue for mounting",
        created({"properties.mountpoint": "none"}),
        [f"zfs create {MARKED} -o mountpoint=none tank/web"],
    ),
    Case(
        "nor what may not be mounted",
        created({"properties.canmount": "noauto"}),
        [f"zfs create -o canmount=noauto {MARKED} tank/web"],
    ),
    Case("create-only properties", created({"properties.utf8only": "on"}), [f"+ zfs create {MARKED} -o utf8only=on tank/web"]),
    Case("parents are made too", created({}, created_with={"createParents": True}), [f"+ zfs create -p {MARKED} tank/web"]),
    Case(
        "parents may be mounted even where the object is not",
        created({"properties.mountpoint": "none"}, created_with={"createParents": True}),
        [f"+ zfs create -p {MARKED} -o mountpoint=none tank/web"],
    ),
    Case(
        "user properties",
        created({"properties.org.example:role": "two words"}),
        [f"+ zfs create {MARKED} -o 'org.example:role=two words' tank/web"],
    ),
    Case(
        "a clone",
        created({"origin": "tank/golden@v1", "properties.quota": GIB}),
        [f"+ zfs clone {MARKED} -o quota=1073741824 tank/golden@v1 tank/web"],
    ),
    Case("a volume", created({"size": 10 * GIB}, "Volume"), [f"zfs create {VOLUME_MARKED} -V 10737418240 tank/web"]),
    Case(
        "a volume with all that only creation chooses",
        created(
            {"size": GIB, "sparse": True, "blockSize": 16384, "backing": "zvol", "properties.compression": "lz4"}, "Volume"
        ),
        [f"zfs create -s -b 16384 -o compression=lz4 {VOLUME_MARKED} -V 1073741824 tank/web"],
    ),
    Case(
        "space is set aside for a volume unless it is told otherwise",
        created({"size": GIB, "properties.refreservation": None}, "Volume"),
        [f"zfs create {VOLUME_MARKED} -o refreservation=none -V 1073741824 tank/web"],
    ),
    Case(
        "a clone of a volume has the size of its origin first",
        created({"origin": "tank/golden@v1", "size": 20 * GIB}, "Volume"),
        [f"zfs clone {VOLUME_MARKED} tank/golden@v1 tank/web", "zfs set volsize=21474836480 tank/web"],
    ),
]


@pytest.mark.parametrize("case", CREATIONS, ids=lambda case: case.reason)
def test_a_creation_is_one_command_with_everything_in_it(case: Case) -> None:
    assert lines(case.change) == case.commands


def test_the_whole_mark_is_written() -> None:
    full = Mark("acme", ObjectName("Dataset", "tank/web"), "4f1c", Protect.REMOVAL, OnRemoval.DELETE)

    (command,) = lines(replace(created({"properties.canmount": "off"}), mark=full))

    assert command == (
        "zfs create -o canmount=off -o dev.reconciler:host=4f1c -o dev.reconciler:key=Dataset/tank/web "
        "-o dev.reconciler:on-removal=delete -o dev.reconciler:owner=acme -o dev.reconciler:protect=removal tank/web"
    )


QUOTA = FieldChange("properties.quota", None, GIB)
ATIME = FieldChange("properties.atime", "on", "off")

UPDATES = [
    Case("one property", updated(QUOTA), ["zfs set quota=1073741824 tank/web"]),
    Case("several in one command", updated(QUOTA, ATIME), ["zfs set atime=off quota=1073741824 tank/web"]),
    Case("a null that can be inherited", updated(FieldChange("properties.atime", "off", None)), ["zfs inherit atime tank/web"]),
    Case("a null that can't", updated(FieldChange("properties.quota", GIB, None)), ["zfs set quota=none tank/web"]),
    Case("a user property goes", updated(FieldChange("properties.a:b", "c", None)), ["zfs inherit a:b tank/web"]),
    Case(
        "each inherit is a command, in the order of names",
        updated(FieldChange("properties.exec", "off", None), FieldChange("properties.atime", "off", None)),
        ["zfs inherit atime tank/web", "zfs inherit exec tank/web"],
    ),
    Case(
        "a reservation is given up before the quota sinks below it",
        updated(FieldChange("properties.quota", 4 * GIB, GIB), FieldChange("properties.reservation", 2 * GIB, GIB)),
        ["zfs set reservation=1073741824 tank/web", "zfs set quota=1073741824 tank/web"],
    ),
    Case(
        "a quota is raised before more is set aside below it",
        updated(FieldChange("properties.quota", GIB, 4 * GIB), FieldChange("properties.reservation", None, 2 * GIB)),
        ["zfs set quota=4294967296 tank/web", "zfs set reservation=2147483648 tank/web"],
    ),
    Case(
        "the same of the dataset's own",
        updated(FieldChange("properties.refquota", GIB, None), FieldChange("properties.refreservation", GIB, None)),
        ["zfs set refreservation=none tank/web", "zfs set refquota=none tank/web"],
    ),
    Case(
        "what mounts is a command of its own, in the lane",
        updated(ATIME, FieldChange("properties.mountpoint", "/a", "/b")),
        ["zfs set atime=off tank/web", "+ zfs set mountpoint=/b tank/web"],
    ),
    Case(
        "a mount ends before the mountpoint changes",
        updated(FieldChange("properties.mountpoint", "/a", "/b"), FieldChange("properties.canmount", "on", "noauto")),
        ["+ zfs set canmount=noauto tank/web", "+ zfs set mountpoint=/b tank/web"],
    ),
    Case(
        "and begins after it",
        updated(FieldChange("properties.canmount", "noauto", "on"), FieldChange("properties.mountpoint", "/a", "/b")),
        ["+ zfs set mountpoint=/b tank/web", "+ zfs set canmount=on tank/web"],
    ),
    Case(
        "a zoned dataset's mountpoint can't be set",
        updated(FieldChange("properties.zoned", "off", "on"), FieldChange("properties.mountpoint", "/a", "/b")),
        ["+ zfs set mountpoint=/b tank/web", "+ zfs set zoned=on tank/web"],
    ),
    Case(
        "inheriting a mountpoint mounts",
        updated(FieldChange("properties.mountpoint", "/a", None)),
        ["+ zfs inherit mountpoint tank/web"],
    ),
    Case("what was made but not mounted", updated(FieldChange("mounted", False, True)), ["+ zfs mount tank/web"]),
    Case("a volume grows", updated(FieldChange("size", GIB, 2 * GIB), kind="Volume"), ["zfs set volsize=2147483648 tank/web"]),
    Case(
        "our mark names the object",
        updated(FieldChange("mark", "Dataset/tank/old", "Dataset/tank/web")),
        ["zfs set dev.reconciler:key=Dataset/tank/web tank/web"],
    ),
    Case(
        "a protection is lifted",
        updated(FieldChange("lifecycle.protect", "all", "none")),
        ["zfs inherit dev.reconciler:protect tank/web"],
    ),
]


@pytest.mark.parametrize("case", UPDATES, ids=lambda case: case.reason)
def test_an_update_is_the_fewest_commands_in_an_order_that_works(case: Case) -> None:
    assert lines(case.change) == case.commands


def test_where_set_takes_one_property_each_has_its_command() -> None:
    assert lines(updated(QUOTA, ATIME), ZFS_FUSE) == ["zfs set atime=off tank/web", "zfs set quota=1073741824 tank/web"]


def test_protection_and_way_to_go_are_written_to_the_host() -> None:
    change = replace(
        updated(FieldChange("lifecycle.protect", "none", "all"), FieldChange("lifecycle.onRemoval", None, "delete"), QUOTA),
        mark=replace(mark(), protect=Protect.ALL, on_removal=OnRemoval.DELETE),
    )

    assert lines(change) == [
        "zfs set dev.reconciler:protect=all tank/web",
        "zfs set dev.reconciler:on-removal=delete tank/web",
        "zfs set quota=1073741824 tank/web",
    ]


def renamed(fields: Fields, *, by_parent: bool = False, kind: str = "Dataset") -> Change:
    wanted = resource({}, kind)
    was = Observed(ObjectName(kind, "tank/old"), fields)
    return Change(
        wanted.key, Verb.UPDATE, (FieldChange("name", "tank/old", "tank/web"),), wanted, was, mark(kind), by_parent=by_parent
    )


MOUNTED: Fields = {"mounted": True, "properties.mounted": "yes"}
UNMOUNTED: Fields = {"mounted": True, "properties.mounted": "no"}
RENAME = ["+ zfs rename tank/old tank/web", "zfs set dev.reconciler:key=Dataset/tank/web tank/web"]


@pytest.mark.parametrize("fields", [MOUNTED, UNMOUNTED])
def test_a_rename_is_one_command_where_a_mounted_one_can_be_renamed(fields: Fields) -> None:
    assert lines(renamed(fields), ILLUMOS) == RENAME


def test_elsewhere_a_mounted_one_is_unmounted_renamed_and_mounted() -> None:
    assert lines(renamed(MOUNTED), ZFS_FUSE) == ["+ zfs unmount tank/old", *RENAME, "+ zfs mount tank/web"]


def test_what_is_not_mounted_is_only_renamed() -> None:
    assert lines(renamed(UNMOUNTED), ZFS_FUSE) == RENAME


def test_what_moved_with_its_parent_is_marked_and_mounted_again() -> None:
    assert lines(renamed(MOUNTED, by_parent=True), ZFS_FUSE) == [
        "zfs set dev.reconciler:key=Dataset/tank/web tank/web",
        "+ zfs mount tank/web",
    ]
    assert lines(renamed(MOUNTED, by_parent=True), ILLUMOS) == ["zfs set dev.reconciler:key=Dataset/tank/web tank/web"]


def test_a_volume_is_renamed_without_the_lane() -> None:
    assert lines(renamed({}, kind="Volume"))[0] == "zfs rename tank/old tank/web"


def removed(*snapshots: str, kind: str = "Dataset") -> Change:
    name = ObjectName(kind, "tank/web")
    return Change(Key("hv01", *name), Verb.DELETE, observed=Observed(name, {}, mark=mark(kind), removal=Removal(0, snapshots)))


def test_a_removal_names_each_snapshot_and_takes_nothing_along() -> None:
    assert lines(removed("tank/web@a", "tank/web@b")) == [
        "! zfs destroy tank/web@a",
        "! zfs destroy tank/web@b",
        "+! zfs destroy tank/web",
    ]


def test_a_volume_is_removed_without_the_lane() -> None:
    assert lines(removed(kind="Volume")) == ["! zfs destroy tank/web"]


def test_a_replacement_removes_and_makes() -> None:
    wanted = resource({"properties.utf8only": "on"})
    change = replace(removed("tank/web@a"), verb=Verb.REPLACE, resource=wanted, mark=mark())

    assert lines(change) == [
        "! zfs destroy tank/web@a",
        "+! zfs destroy tank/web",
        f"+ zfs create {MARKED} -o utf8only=on tank/web",
    ]


def test_an_adoption_marks_first_and_changes_afterwards() -> None:
    change = replace(updated(QUOTA), verb=Verb.ADOPT)

    assert lines(change, ILLUMOS) == [
        "zfs set dev.reconciler:key=Dataset/tank/web dev.reconciler:owner=acme tank/web",
        "zfs set quota=1073741824 tank/web",
    ]
    assert lines(change, ZFS_FUSE) == [
        "zfs set dev.reconciler:key=Dataset/tank/web tank/web",
        "zfs set dev.reconciler:owner=acme tank/web",
        "zfs set quota=1073741824 tank/web",
    ]


def test_forgetting_keeps_what_says_how_to_go_on_until_the_owner_is_off() -> None:
    full = Mark("acme", ObjectName("Dataset", "tank/web"), "4f1c", Protect.REMOVAL, OnRemoval.ORPHAN)
    change = Change(Key("hv01", "Dataset", "tank/web"), Verb.FORGET, observed=Observed(full.name, {}, mark=full))

    assert lines(change) == [
        f"zfs inherit dev.reconciler:{name} tank/web" for name in ("protect", "host", "owner", "on-removal", "key")
    ]


def test_nothing_is_ever_forced_or_recursive() -> None:
    changes = [case.change for case in (*CREATIONS, *UPDATES)] + [removed("tank/web@a"), renamed(MOUNTED)]
    commands = [step.command.argv for change in changes for step in steps(change, ZFS_FUSE)]
    flags = {part for argv in commands if argv[0] == "zfs" for part in argv if part[:1] == "-"}

    assert flags <= {"-o", "-p", "-s", "-b", "-V"}


CANMOUNT_ON = FieldChange("properties.canmount", "noauto", "on")


@pytest.mark.parametrize(
    ("fields", "mounts", "reason"),
    [
        (
            {"properties.mounted": "no", "properties.mountpoint": "/a", "properties.zoned": "off"},
            True,
            "zfs set mounts nothing",
        ),
        ({"properties.mounted": "yes", "properties.mountpoint": "/a", "properties.zoned": "off"}, False, "mounted already"),
        (
            {"properties.mounted": "no", "properties.mountpoint": "none", "properties.zoned": "off"},
            False,
            "nowhere to mount it",
        ),
        ({"properties.mounted": "no", "properties.mountpoint": "/a", "properties.zoned": "on"}, False, "the zone mounts it"),
        ({}, False, "nobody looked"),
    ],
)
def test_what_may_be_mounted_again_is_mounted(fields: Fields, mounts: bool, reason: str) -> None:
    change = updated(CANMOUNT_ON)
    assert change.observed is not None

    found = lines(replace(change, observed=replace(change.observed, fields=fields)))

    assert found == ["+ zfs set canmount=on tank/web", *["+ zfs mount tank/web"] * mounts], reason
