"""Objects out of what zfs and zpool print."""

from collections.abc import Callable, Mapping

import pytest

from providers.tools.zfs_pools import list_pools, read_features, read_pools
from providers.zfs.backend import DATASETS, FEATURES, POOLS, SET_HERE, SNAPSHOTS, ZfsBackend
from providers.zfs.capabilities import FACT_PROBES
from reconciler.model.change import Change, Verb
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.errors import ReadError
from reconciler.model.facts import HostFacts
from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.observed import EVERY_FIELD, REMOVAL, Mark, Observed

Output = Callable[[str], str]
Fields = Mapping[str, frozenset[str]]

NARROW: Fields = {"Dataset": frozenset({"properties.compression", "properties.quota", "properties.org.example:note"})}
WITH_REMOVAL: Fields = {"Dataset": frozenset({REMOVAL, "mounted"})}


def exited(text: str, code: int = 0, err: str = "") -> Completed:
    return Completed(Command(("zfs",)), Ending.EXITED, code, text, err)


@pytest.fixture
def zfs_fuse_backend(zfs_fuse_output: Output) -> ZfsBackend:
    said = dict(zip(FACT_PROBES, ("version.txt", "list-parsable.txt", "get-usage.txt"), strict=True))
    probed = {probe.name: exited("", 2, zfs_fuse_output(name)) for probe, name in said.items()}
    return ZfsBackend(HostFacts("Linux", "6.1", "", "boot", {}, probed))


@pytest.fixture
def illumos_backend() -> ZfsBackend:
    answers = (exited("", 2, "unrecognized command 'version'\n"), exited("tank\n"), exited("", 2, "usage:\n"))
    probed = {probe.name: answer for probe, answer in zip(FACT_PROBES, answers, strict=True)}
    return ZfsBackend(HostFacts("SunOS", "5.11", "omnios-r151054", "boot", {}, probed))


def by_name(found: tuple[Observed, ...]) -> dict[str, Observed]:
    return {observed.name.name: observed for observed in found}


def argv(backend: ZfsBackend, fields: Fields) -> list[str]:
    return [str(probe.command) for probe in backend.probes(fields)]


def test_a_pass_asks_for_type_mark_and_what_is_stated(zfs_fuse_backend: ZfsBackend, illumos_backend: ZfsBackend) -> None:
    asked = (
        "compression,dev.reconciler:host,dev.reconciler:key,dev.reconciler:on-removal,dev.reconciler:owner,"
        "dev.reconciler:protect,dev.reconciler:trash,org.example:note,quota,type"
    )

    assert argv(zfs_fuse_backend, NARROW) == [f"zfs get -Hp -r -o name,property,value,source {asked}"]
    assert argv(illumos_backend, NARROW) == [f"zfs get -Hp -r -t filesystem,volume -o name,property,value,source {asked}"]


def test_one_command_reads_both_kinds(illumos_backend: ZfsBackend) -> None:
    fields = {"Dataset": frozenset({"properties.quota"}), "Volume": frozenset({"size"})}

    (command,) = argv(illumos_backend, fields)

    assert ",quota,volsize,type" in command


def test_what_a_zfs_lacks_is_not_asked_for(zfs_fuse_backend: ZfsBackend) -> None:
    fields = {"Dataset": frozenset({"properties.sync", "properties.Not:Allowed", "properties.atime"})}

    (command,) = argv(zfs_fuse_backend, fields)

    assert command.endswith(" atime,dev.reconciler:host,dev.reconciler:key,dev.reconciler:on-removal,"
                            "dev.reconciler:owner,dev.reconciler:protect,dev.reconciler:trash,type")  # fmt: skip


def test_a_pass_without_pools_or_datasets_asks_nothing(illumos_backend: ZfsBackend) -> None:
    assert illumos_backend.probes({}) == ()
    assert illumos_backend.read({}, {}) == ()


def test_risk_figures_take_one_more_command(illumos_backend: ZfsBackend) -> None:
    assert [probe.name for probe in illumos_backend.probes(WITH_REMOVAL)] == [DATASETS, SNAPSHOTS]


def test_everything_takes_one_more_command_for_user_properties(illumos_backend: ZfsBackend) -> None:
    assert [probe.name for probe in illumos_backend.probes({"Dataset": frozenset({EVERY_FIELD})})] == [DATASETS, SET_HERE]


def test_real_datasets_are_read(zfs_fuse_backend: ZfsBackend, zfs_fuse_output: Output) -> None:
    found = by_name(zfs_fuse_backend.read({DATASETS: exited(zfs_fuse_output("get-narrow.txt"))}, NARROW))

    assert list(found) == ["tank", "tank/copy", "tank/data", "tank/data/web", "tank/with space"]
    assert found["tank/data"] == Observed(
        ObjectName("Dataset", "tank/data"),
        {"properties.compression": "off", "properties.quota": 1 << 30, "properties.org.example:note": None},
        frozenset({"properties.quota"}),
        Mark("acme", ObjectName("Dataset", "tank/data"), "4f1c", Protect.REMOVAL, OnRemoval.DELETE),
    )
    assert found["tank/data/web"].fields["properties.compression"] == "gzip"
    assert found["tank/with space"].fields["properties.org.example:note"] == "two words"


def test_an_inherited_mark_is_no_mark(zfs_fuse_backend: ZfsBackend, zfs_fuse_output: Output) -> None:
    found = by_name(zfs_fuse_backend.read({DATASETS: exited(zfs_fuse_output("get-narrow.txt"))}, NARROW))

    assert found["tank/data/web"].mark is None


def test_what_a_removal_would_cost_is_read(zfs_fuse_backend: ZfsBackend, zfs_fuse_output: Output) -> None:
    outputs = {DATASETS: exited(zfs_fuse_output("get-removal.txt")), SNAPSHOTS: exited(zfs_fuse_output("list-snapshots.txt"))}

    found = by_name(zfs_fuse_backend.read(outputs, WITH_REMOVAL))

    data, copy, web = found["tank/data"], found["tank/copy"], found["tank/data/web"]
    assert data.removal is not None
    assert data.removal.snapshots == ("tank/data@before",)
    assert data.removal.obstacles == ("snapshot tank/data@before is held (see `zfs holds tank/data@before`)",)
    assert data.removal.holds_data
    assert data.identity == "6522370054087889915"
    assert copy.references == (ObjectName("Dataset", "tank/data"),)
    assert web.removal is not None
    assert not web.removal.holds_data
    assert found["tank"].removal is not None
    assert found["tank"].removal.obstacles == ("tank is the root of a pool",)


def test_mounted_means_mounted_or_no_need_to_be(zfs_fuse_backend: ZfsBackend, zfs_fuse_output: Output) -> None:
    text = zfs_fuse_output("get-removal.txt")
    unmounted = text.replace("tank/data\tmounted\tyes", "tank/data\tmounted\tno")

    before = by_name(zfs_fuse_backend.read({DATASETS: exited(text), SNAPSHOTS: exited("")}, WITH_REMOVAL))
    after = by_name(zfs_fuse_backend.read({DATASETS: exited(unmounted), SNAPSHOTS: exited("")}, WITH_REMOVAL))

    assert before["tank/data"].fields["mounted"] is True
    assert after["tank/data"].fields["mounted"] is False
    assert before["tank/copy"].fields == {"mounted": True, "properties.mounted": "no"}, "its mountpoint is none"
    assert before["tank/with space"].fields["mounted"] is True, "canmount is noauto"


def answer(properties: Mapping[str, str], name: str = "tank/x", source: str = "local") -> str:
    marks = {f"dev.reconciler:{mark}": "-" for mark in ("host", "key", "on-removal", "owner", "protect", "trash")}
    cells = {**marks, **{name: value for name, value in properties.items() if name != "type"}}
    rows = [f"{name}\t{prop}\t{value}\t{'-' if value == '-' else source}\n" for prop, value in sorted(cells.items())]
    return "".join(rows) + f"{name}\ttype\t{properties['type']}\t-\n"


def risk(kind: str = "filesystem", **changed: str) -> dict[str, str]:
    """All that a removal asks of a quiet dataset or volume."""
    asked = (
        "canmount",
        "guid",
        "mounted",
        "mountpoint",
        "origin",
        "refreservation",
        "sharenfs",
        "sharesmb",
        "volsize",
        "zoned",
    )
    quiet = {"canmount": "on", "mounted": "yes", "refreservation": "0", "sharenfs": "off", "sharesmb": "off", "zoned": "off"}
    own = quiet if kind == "filesystem" else {"volsize": "1073741824", "refreservation": "0"}
    return {
        "type": kind,
        **dict.fromkeys(asked, "-"),
        "guid": "1",
        "usedbydataset": "0",
        "usedbysnapshots": "0",
        **own,
        **changed,
    }


def read_one(backend: ZfsBackend, text: str, fields: Fields, snapshots: str = "") -> Observed:
    (found,) = backend.read({DATASETS: exited(text), SNAPSHOTS: exited(snapshots)}, fields)
    return found


def test_a_volume_is_read(illumos_backend: ZfsBackend) -> None:
    text = answer({"type": "volume", "volsize": "1073741824", "volblocksize": "8192", "refreservation": "1107296256"})

    found = read_one(illumos_backend, text, {"Volume": frozenset({"size", "blockSize", "sparse", "backing"})})

    assert found.name == ObjectName("Volume", "tank/x")
    assert found.fields == {"size": 1 << 30, "blockSize": 8192, "sparse": False, "backing": "zvol"}
    assert found.stated_here == {"size", "blockSize"}


def test_less_set_aside_than_its_size_is_sparse(illumos_backend: ZfsBackend) -> None:
    text = answer({"type": "volume", "volsize": "1073741824", "refreservation": "0"})

    assert read_one(illumos_backend, text, {"Volume": frozenset({"sparse"})}).fields == {"sparse": True}


def test_space_that_zfs_set_aside_by_itself_is_nobodys_choice(illumos_backend: ZfsBackend) -> None:
    fields = {"Volume": frozenset({"size", "properties.refreservation"})}
    automatic = answer({"type": "volume", "volsize": "1073741824", "refreservation": "1107296256"})
    chosen = answer({"type": "volume", "volsize": "1073741824", "refreservation": "1048576"})

    assert read_one(illumos_backend, automatic, fields).stated_here == {"size"}
    assert read_one(illumos_backend, chosen, fields).stated_here == {"size", "properties.refreservation"}


def test_a_volume_always_holds_data(illumos_backend: ZfsBackend) -> None:
    found = read_one(illumos_backend, answer(risk("volume")), {"Volume": frozenset({REMOVAL})})

    assert found.removal is not None
    assert found.removal.holds_data


@pytest.mark.parametrize(
    ("used", "snapshots", "holds", "reason"),
    [
        ("1048576", "", False, "one MiB is nothing"),
        ("1048577", "", True, "more than one MiB"),
        ("0", "tank/x@s\t0\n", True, "a snapshot holds data"),
        ("0", "tank/xy@s\t0\n", False, "a snapshot of another one"),
    ],
)
def test_a_dataset_holds_data_unless_it_is_next_to_empty(
    illumos_backend: ZfsBackend, used: str, snapshots: str, holds: bool, reason: str
) -> None:
    found = read_one(illumos_backend, answer(risk(usedbydataset=used)), {"Dataset": frozenset({REMOVAL})}, snapshots)

    assert found.removal is not None
    assert found.removal.holds_data is holds, reason


@pytest.mark.parametrize(
    ("mounted", "obstacle"),
    [("yes", "a zone has tank/x mounted"), ("no", "tank/x is delegated to a zone (zoned is on)")],
)
def test_a_dataset_that_a_zone_has_is_not_removed(illumos_backend: ZfsBackend, mounted: str, obstacle: str) -> None:
    found = read_one(illumos_backend, answer(risk(mounted=mounted, zoned="on")), {"Dataset": frozenset({REMOVAL})})

    assert found.removal is not None
    assert found.removal.obstacles == (obstacle,)


def marked(**said: str) -> str:
    return answer({"type": "filesystem", **{f"dev.reconciler:{name.replace('_', '-')}": value for name, value in said.items()}})


@pytest.mark.parametrize(
    ("text", "mark", "reason"),
    [
        (marked(), None, "no mark"),
        (marked(key="Dataset/tank/x"), None, "a key without an owner is left over"),
        (marked(owner="a", key="Dataset/tank/x"), Mark("a", ObjectName("Dataset", "tank/x")), "the least that a mark says"),
        (marked(owner="a"), Mark("a", ObjectName("Unknown", "")), "an owner alone still keeps others away"),
        (marked(owner="a", key="junk"), Mark("a", ObjectName("Unknown", "junk")), "a key that says nothing"),
        (
            marked(owner="a", key="Dataset/t", protect="yes", on_removal="soon"),
            Mark("a", ObjectName("Dataset", "t"), "", Protect.ALL, None),
            "unknown words stay on the safe side",
        ),
    ],
)
def test_a_mark_says_no_more_than_what_is_there(illumos_backend: ZfsBackend, text: str, mark: Mark | None, reason: str) -> None:
    assert read_one(illumos_backend, text, {"Dataset": frozenset()}).mark == mark, reason


def test_a_received_mark_is_no_mark_and_a_received_value_is_stated_here(illumos_backend: ZfsBackend) -> None:
    text = answer({"type": "filesystem", "dev.reconciler:owner": "a", "atime": "off"}, source="received")

    found = read_one(illumos_backend, text, {"Dataset": frozenset({"properties.atime"})})

    assert found.mark is None
    assert found.stated_here == {"properties.atime"}


def test_an_unset_user_property_differs_from_one_that_holds_a_dash(illumos_backend: ZfsBackend) -> None:
    fields = {"Dataset": frozenset({"properties.a:b"})}
    unset = answer({"type": "filesystem", "a:b": "-"})

    assert read_one(illumos_backend, unset, fields).fields == {"properties.a:b": None}
    assert read_one(illumos_backend, unset.replace("a:b\t-\t-", "a:b\t-\tlocal"), fields).fields == {"properties.a:b": "-"}


def test_no_dataset_at_all_is_unbelievable_where_there_are_pools(illumos_backend: ZfsBackend) -> None:
    with pytest.raises(ReadError, match="root of pool tank"):
        illumos_backend.read({DATASETS: exited("")}, NARROW)


def test_a_type_nobody_has_heard_of_is_an_error(illumos_backend: ZfsBackend) -> None:
    with pytest.raises(ReadError, match="filesystem or volume"):
        read_one(illumos_backend, answer({"type": "bookmark"}), {"Dataset": frozenset()})


def test_user_properties_are_found_without_knowing_their_names(zfs_fuse_backend: ZfsBackend, zfs_fuse_output: Output) -> None:
    fields = {"Dataset": frozenset({EVERY_FIELD})}
    (asked, *_) = zfs_fuse_backend.probes(fields)
    names = asked.command.argv[-1].split(",")
    text = "".join(f"tank/with space\t{name}\t{'filesystem' if name == 'type' else '-'}\t-\n" for name in names)

    (found,) = zfs_fuse_backend.read({DATASETS: exited(text), SET_HERE: exited(zfs_fuse_output("get-set-here.txt"))}, fields)

    assert found.fields["properties.org.example:note"] == "two words"
    assert "properties.org.example:note" in found.stated_here


DELETE = Change(Key("hv01", "Dataset", "tank/data"), Verb.DELETE)


def test_one_look_at_one_object_tells_all_that_a_removal_needs(zfs_fuse_backend: ZfsBackend) -> None:
    assert str(zfs_fuse_backend.confirm(DELETE).command) == (
        "zfs get -Hp -d 1 -o name,property,value,source canmount,dev.reconciler:host,dev.reconciler:key,"
        "dev.reconciler:on-removal,dev.reconciler:owner,dev.reconciler:protect,dev.reconciler:trash,guid,mounted,"
        "mountpoint,origin,refreservation,sharenfs,sharesmb,usedbydataset,usedbysnapshots,userrefs,volsize,zoned,type tank/data"
    )


def test_an_object_that_is_gone_is_none_and_any_other_failure_an_error(illumos_backend: ZfsBackend) -> None:
    gone = exited("", 1, "cannot open 'tank/data': dataset does not exist\n")

    assert illumos_backend.confirmed(DELETE, gone) is None
    for answer in (exited("", 1, "cannot open 'tank/data': I/O error\n"), exited("", 0), exited("rubbish\n")):
        with pytest.raises(ReadError):
            illumos_backend.confirmed(DELETE, answer)


def test_another_type_under_the_name_is_an_error(illumos_backend: ZfsBackend) -> None:
    with pytest.raises(ReadError, match="Dataset/tank/data"):
        illumos_backend.confirmed(DELETE, exited(answer(risk("volume", userrefs="-"), "tank/data")))


def test_real_pools_are_read(zfs_fuse_backend: ZfsBackend, zfs_fuse_output: Output) -> None:
    (found,) = zfs_fuse_backend.read({POOLS: exited(zfs_fuse_output("zpool-list.txt"))}, {"Pool": frozenset({EVERY_FIELD})})

    assert found.name == ObjectName("Pool", "tank")
    assert found.fields == {"size": 2126008811, "free": 2126008811, "health": "ONLINE", "capacity": 0, "fragmentation": None}


def test_pools_are_read_to_the_byte_where_the_tool_can(illumos_backend: ZfsBackend) -> None:
    outputs = {
        POOLS: exited("tank\t1099511627776\t9007199254740993\t8\tDEGRADED\t-\n"),
        FEATURES: exited("tank\tsize\t1099511627776\ntank\tfeature@lz4_compress\tactive\ntank\tfeature@edonr\tdisabled\n"),
    }

    (found,) = illumos_backend.read(outputs, {"Pool": frozenset({EVERY_FIELD})})

    assert list_pools(exact=True)[:3] == ("zpool", "list", "-Hp")
    assert found.fields["free"] == 9007199254740993
    assert found.fields["features"] == ("lz4_compress",)
    assert found.fields["health"] == "DEGRADED"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tank\t1T\t1T\t8%\tONLINE", "cut off"),
        ("tank\t1T\t1T\tONLINE\n", "a column is missing"),
        ("tank\tbig\t1T\t8%\tONLINE\n", "no size"),
        ("tank\t1T\t1T\teight\tONLINE\n", "no share"),
        ("tank\t1T\t1T\t8%\tfine\n", "no health"),
        ("no pools available\n", "words"),
    ],
)
def test_pools_in_another_shape_are_an_error(text: str, reason: str) -> None:
    with pytest.raises(ReadError):
        pytest.fail(f"{reason}: {list(read_pools(text, exact=False))}")


def test_features_in_another_shape_are_an_error() -> None:
    with pytest.raises(ReadError):
        read_features("tank\tfeature@x\n")
