"""One pass brings a host from anything to what is wanted, and the plan after it is empty."""

from dataclasses import replace

import pytest

from reconciler.model.change import Verb
from reconciler.model.lifecycle import Lifecycle, Mode, Protect
from reconciler.model.plan import Released
from tests.passes.ground import Ground
from tests.planning.world import DELETE, GIB, MIB, ORPHAN, REPLACE, dataset, volume

SURE = replace(DELETE, delete_snapshots=True)


def test_from_nothing_everything_is_made(ground: Ground) -> None:
    wanted = [
        dataset(ground.name("data"), compression=ground.compression),
        dataset(ground.name("data/web"), quota=GIB, mountpoint="/srv/web"),
        dataset(ground.name("data/web/logs"), atime="off", **{"properties.org.example:role": "logs"}),
        dataset(ground.name("deep/er/still"), parents=True),
    ]
    if ground.has_volumes:
        wanted.append(volume(ground.name("data/disk"), sparse=True, blockSize=8192))

    result = ground.converges(*wanted)

    assert len(result.outcomes) == len(wanted)
    assert ground.value("data/web", "quota") == (str(GIB), "local")
    assert ground.value("data/web/logs", "compression") == (ground.compression, f"inherited from {ground.name('data')}")
    assert ground.ours() == {resource.key.name for resource in wanted}, "parents made along the way are nobody's"
    assert ground.is_mounted("data/web")


def test_the_second_pass_changes_nothing(ground: Ground) -> None:
    wanted = [dataset(ground.name("a"), quota=GIB), dataset(ground.name("a/b"))]
    ground.converges(*wanted)
    ground.host.clear_transcript()

    ground.converges(*wanted)

    assert ground.changing_calls() == []


def test_a_changed_value_is_set_and_nothing_else(ground: Ground) -> None:
    ground.converges(dataset(ground.name("a"), quota=GIB, atime="off"))
    ground.host.clear_transcript()

    ground.converges(dataset(ground.name("a"), quota=2 * GIB, atime="off"))

    assert ground.changing_calls() == [f"zfs set quota={2 * GIB} {ground.name('a')}"]


@pytest.mark.parametrize(
    ("name", "value", "cleared"),
    [
        ("quota", GIB, ("0", "default")),
        ("refquota", GIB, ("0", "default")),
        ("reservation", MIB, ("0", "default")),
        ("refreservation", MIB, ("0", "default")),
        ("compression", "gzip", ("off", "default")),
        ("atime", "off", ("on", "default")),
        ("recordsize", 65536, ("131072", "default")),
        ("mountpoint", "/srv/x", ("/POOL/a", "default")),
        ("sharenfs", "ro", ("off", "default")),
        ("properties.org.example:role", "web", ("-", "-")),
    ],
)
def test_null_takes_a_value_away_and_is_met_afterwards(
    ground: Ground, name: str, value: object, cleared: tuple[str, str]
) -> None:
    ground.converges(dataset(ground.name("a"), **{name: value}))

    ground.converges(dataset(ground.name("a"), **{name: None}))

    found = ground.value("a", name.removeprefix("properties."))
    expected = (cleared[0].replace("POOL", ground.pool), cleared[1])
    assert found in (expected, (expected[0], "local")), "a limit is cleared by none, which is a value of its own"


def test_a_line_taken_out_is_released_and_stays_on_the_host(ground: Ground) -> None:
    ground.converges(dataset(ground.name("a"), quota=GIB, atime="off"))
    after = dataset(ground.name("a"), atime="off")

    assert ground.planned(after).released == (Released(after.key, "properties.quota", GIB),)
    ground.converges(after)

    assert ground.value("a", "quota") == (str(GIB), "local")
    assert ground.planned(after).released == (), "told once, then it is no longer ours"


def test_a_removed_manifest_removes_the_object_and_what_is_ours_in_it(ground: Ground) -> None:
    gone = [dataset(ground.name(name), DELETE) for name in ("a", "a/b", "a/b/c")]
    kept = dataset(ground.name("kept"))
    ground.converges(*gone, kept)

    ground.converges(kept)

    assert ground.ours() == {ground.name("kept")}
    assert ground.ledger() == {"kept"}


def test_snapshots_go_one_by_one_where_that_is_permitted(ground: Ground) -> None:
    ground.converges(dataset(ground.name("a"), SURE))
    for tag in ("one", "two"):
        ground.zfs("snapshot", f"{ground.name('a')}@{tag}")
    ground.host.clear_transcript()

    ground.converges()

    a = ground.name("a")
    assert ground.changing_calls() == [f"zfs destroy {a}@one", f"zfs destroy {a}@two", f"zfs destroy {a}"]


@pytest.mark.parametrize("lifecycle", [DELETE, Lifecycle(protect=Protect.REMOVAL), replace(SURE, protect=Protect.REMOVAL)])
def test_what_may_not_go_stays_with_its_snapshots(ground: Ground, lifecycle: Lifecycle) -> None:
    ground.converges(dataset(ground.name("a"), lifecycle))
    ground.zfs("snapshot", f"{ground.name('a')}@one")
    before = ground.state_of([ground.name("a"), f"{ground.name('a')}@one"])

    result = ground.applied()

    assert not result.is_converged
    assert [item.key.name for item in result.final.blocked] == [ground.name("a")]
    assert ground.state_of(before) == before


def test_an_orphan_is_forgotten_and_kept(ground: Ground) -> None:
    ground.converges(dataset(ground.name("a"), ORPHAN, quota=GIB))

    ground.converges()

    assert ground.ours() == set()
    assert ground.value("a", "quota") == (str(GIB), "local")
    assert ground.planned().is_empty


def test_a_rename_keeps_the_object_its_content_and_its_mount(ground: Ground) -> None:
    old = [dataset(ground.name("old"), DELETE), dataset(ground.name("old/c"), DELETE), dataset(ground.name("old/c/d"), DELETE)]
    ground.converges(*old)
    guids = [ground.value(name, "guid")[0] for name in ("old", "old/c", "old/c/d")]
    ground.zfs("snapshot", f"{ground.name('old/c')}@keep")

    new = [
        dataset(ground.name("new"), DELETE, moved_from=ground.name("old"), quota=GIB),
        dataset(ground.name("new/c"), DELETE),
        dataset(ground.name("new/c/d"), DELETE),
    ]
    result = ground.converges(*new)

    assert {outcome.key.name for outcome in result.outcomes} == {resource.key.name for resource in new}
    assert [ground.value(name, "guid")[0] for name in ("new", "new/c", "new/c/d")] == guids
    assert [ground.is_mounted(name) for name in ("new", "new/c", "new/c/d")] == [True, True, True]
    assert ground.host.storage.exists(f"{ground.name('new/c')}@keep")
    assert not ground.host.storage.exists(ground.name("old"))
    assert ground.ledger() == {"new", "new/c", "new/c/d"}


def test_an_unmounted_object_is_renamed_and_stays_unmounted(ground: Ground) -> None:
    ground.converges(dataset(ground.name("old")))
    ground.zfs("unmount", ground.name("old"))

    ground.converges(dataset(ground.name("new"), moved_from=ground.name("old")))

    assert not ground.is_mounted("new")


def test_a_child_may_leave_its_parent_while_that_is_renamed(ground: Ground) -> None:
    ground.converges(dataset(ground.name("old")), dataset(ground.name("old/c")))

    ground.converges(
        dataset(ground.name("new"), moved_from=ground.name("old")),
        dataset(ground.name("away"), moved_from=ground.name("old/c")),
    )

    assert ground.ours() == {ground.name("new"), ground.name("away")}


def test_a_replacement_makes_a_new_object(ground: Ground) -> None:
    ground.converges(dataset(ground.name("a"), REPLACE, casesensitivity="mixed"))
    before = ground.value("a", "guid")

    result = ground.converges(dataset(ground.name("a"), REPLACE, casesensitivity="sensitive", quota=GIB))

    assert len(result.outcomes) == 1
    assert ground.value("a", "guid") != before
    assert ground.value("a", "casesensitivity")[0] == "sensitive"
    assert ground.value("a", "quota") == (str(GIB), "local")


def test_a_clone_is_made_from_its_snapshot_and_goes_before_it(ground: Ground) -> None:
    golden = dataset(ground.name("golden"), SURE)
    ground.converges(golden)
    ground.zfs("snapshot", f"{ground.name('golden')}@v1")
    web = dataset(ground.name("web"), DELETE, origin=f"{ground.name('golden')}@v1")

    ground.converges(golden, web)
    assert ground.value("web", "origin")[0] == f"{ground.name('golden')}@v1"

    ground.converges()
    assert ground.ours() == set()


def test_a_volume_grows_and_keeps_its_data(ground: Ground) -> None:
    if not ground.has_volumes:
        plan = ground.planned(volume(ground.name("v")))
        assert [item.reason for item in plan.blocked] == ["unsupported"]
        return
    ground.converges(volume(ground.name("v"), size=GIB))
    before = ground.value("v", "guid")

    ground.converges(volume(ground.name("v"), size=2 * GIB))

    assert ground.value("v", "volsize") == (str(2 * GIB), "local")
    assert ground.value("v", "guid") == before


def test_a_protection_is_written_and_lifted(ground: Ground) -> None:
    protected = dataset(ground.name("a"), replace(DELETE, protect=Protect.REMOVAL))
    ground.converges(protected)
    assert ground.value("a", "dev.reconciler:protect") == ("removal", "local")

    ground.converges(replace(protected, lifecycle=DELETE))
    assert ground.value("a", "dev.reconciler:protect")[1] != "local"

    ground.converges()
    assert not ground.host.storage.exists(ground.name("a"))


def test_an_object_that_is_only_watched_is_shown_and_never_changed(ground: Ground) -> None:
    watched = dataset(ground.name("a"), Lifecycle(mode=Mode.REPORT), quota=GIB)

    result = ground.applied(watched)

    assert (result.outcomes, result.is_converged) == ((), True)
    assert [(action.verb, action.report_only) for action in result.final.actions] == [(Verb.CREATE, True)]
    assert not ground.host.storage.exists(ground.name("a"))


def test_a_narrowed_pass_makes_and_removes_nothing_else(ground: Ground) -> None:
    ground.converges(dataset(ground.name("a"), DELETE))

    result = ground.applied(dataset(ground.name("b")), whole=False)

    assert [outcome.key.name for outcome in result.outcomes] == [ground.name("b")]
    assert ground.ours() == {ground.name("a"), ground.name("b")}


def test_equal_hosts_and_wishes_give_one_digest(ground: Ground) -> None:
    wanted = [dataset(ground.name("a"), quota=GIB), dataset(ground.name("a/b"))]

    assert ground.digest(*wanted) == ground.digest(*reversed(wanted))
