"""Killed on the way into the trash: what is not wanted ends there, what is wanted comes back, nothing is made anew."""

from pathlib import Path

import pytest

from reconciler.model.lifecycle import Disruption, Lifecycle
from reconciler.model.plan import HostPlan
from reconciler.model.resource import Resource
from tests.passes.ground import Ground
from tests.planning.world import GIB, dataset, volume

SYSTEMS = pytest.mark.parametrize("system", ["omnios", "linux-zfs-fuse"])
KEEP_AND_REPLACE = Lifecycle(disruption=Disruption.REPLACE)


def tree(ground: Ground) -> list[Resource]:
    """A tree, parts of it shared, with a volume where there are volumes."""
    made = [
        dataset(ground.name("a"), quota=GIB, mountpoint="/srv/a"),
        dataset(ground.name("a/b"), sharenfs="ro"),
        dataset(ground.name("a/b/c"), canmount="noauto"),
    ]
    return [*made, volume(ground.name("a/v"), size=1 << 26)] if ground.has_volumes else made


def steps(plan: HostPlan) -> int:
    return sum(len(action.steps) for action in plan.actions)


def trash(ground: Ground) -> dict[str, str]:
    """Name in the trash by the name it had."""
    rows = ground.zfs("get", "-Hp", "-r", "-s", "local", "-o", "name,value", "dev.reconciler:key").splitlines()
    found = dict(reversed(row.split("\t")) for row in rows if "/.reconciler-trash/" in row)
    return {key.partition("/")[2]: name for key, name in found.items()}


@SYSTEMS
def test_cut_off_on_the_way_the_next_pass_puts_all_into_the_trash(tmp_path: Path, system: str) -> None:
    cut, total = 0, 1
    while cut < total:
        ground = Ground(tmp_path / f"{cut}", system)
        wanted = tree(ground)
        ground.converges(*wanted)
        names = {resource.key.name for resource in wanted}
        guids = {name: ground.host.storage.dataset(name).guid for name in names}
        plan = ground.planned()
        total = steps(plan) + 1

        ground.cut_off(plan, cut)
        ground.converges()

        entries = trash(ground)
        assert entries.keys() == names, f"cut after {cut}"
        assert {name: ground.host.storage.dataset(entry).guid for name, entry in entries.items()} == guids
        assert not any(ground.host.storage.exists(name) for name in names)
        assert ground.unfinished() == set()
        ground.host.close()
        cut += 1


@SYSTEMS
@pytest.mark.parametrize("forgetful", [False, True], ids=["", "and the ledger is lost"])
def test_cut_off_on_the_way_what_is_wanted_again_comes_back_as_it_was(tmp_path: Path, system: str, forgetful: bool) -> None:
    """Or waits in the trash, if it has arrived there."""
    cut, total = 0, 1
    while cut < total:
        ground = Ground(tmp_path / f"{cut}", system)
        wanted = tree(ground)
        ground.converges(*wanted)
        names = [resource.key.name for resource in wanted]
        before = ground.state_of(names)
        plan = ground.planned()
        total = steps(plan) + 1

        ground.cut_off(plan, cut)
        if forgetful:
            ground.lose_ledger()
        result = ground.applied(*wanted)

        arrived = trash(ground)
        assert [outcome.key.name for outcome in result.outcomes if outcome.failure] == []
        assert {item.key.name: item.reason.value for item in result.final.blocked} == dict.fromkeys(arrived, "inTrash")
        there = [name for name in names if name not in arrived]
        after = ground.state_of(there)
        assert after == {name: before[name] for name in there}, f"cut after {cut}"
        assert ground.planned(*wanted).runnable == ()
        ground.host.close()
        cut += 1


@SYSTEMS
def test_cut_off_on_the_way_back_the_next_pass_ends_it(tmp_path: Path, system: str) -> None:
    first_cut, first_total = 0, 1
    while first_cut < first_total:
        cut, total = 0, 1
        while cut < total:
            ground = Ground(tmp_path / f"{first_cut}-{cut}", system)
            wanted = [dataset(ground.name("a"), sharenfs="ro", quota=GIB)]
            ground.converges(*wanted)
            before = ground.state_of([ground.name("a")])
            going = ground.planned()
            # Once it is renamed it is in the trash, and no pass brings it back.
            first_total = steps(going)
            ground.cut_off(going, first_cut)
            coming = ground.planned(*wanted)
            total = steps(coming) + 1

            ground.cut_off(coming, cut)
            ground.converges(*wanted)

            assert ground.state_of([ground.name("a")]) == before, f"cut after {first_cut} and {cut}"
            ground.host.close()
            cut += 1
        first_cut += 1


@SYSTEMS
def test_cut_off_in_a_replacement_the_next_pass_ends_with_one_successor_and_the_old_one_kept(
    tmp_path: Path, system: str
) -> None:
    cut, total = 0, 1
    while cut < total:
        ground = Ground(tmp_path / f"{cut}", system)
        ground.converges(dataset(ground.name("a"), KEEP_AND_REPLACE, casesensitivity="mixed", sharenfs="ro"))
        old = ground.value("a", "guid")
        wanted = dataset(ground.name("a"), KEEP_AND_REPLACE, casesensitivity="sensitive")
        plan = ground.planned(wanted)
        assert [str(action.verb) for action in plan.actions] == ["replace"]
        total = steps(plan) + 1

        ground.cut_off(plan, cut)
        ground.converges(wanted)

        assert ground.value("a", "casesensitivity")[0] == "sensitive"
        assert ground.value("a", "guid") != old
        assert ground.is_mounted("a")
        (entry,) = trash(ground).values()
        assert ground.zfs("get", "-Hp", "-o", "value", "guid", entry).strip() == old[0]
        ground.host.close()
        cut += 1


@pytest.mark.parametrize("system", ["omnios", "smartos", "linux-zfs-fuse"])
def test_a_second_object_of_one_name_goes_into_the_trash_beside_the_first(tmp_path: Path, system: str) -> None:
    ground = Ground(tmp_path, system)
    first, second = (dataset(ground.name("a"), KEEP_AND_REPLACE, casesensitivity=value) for value in ("mixed", "sensitive"))
    ground.converges(first)
    ground.converges(second)
    ground.converges(first)
    ground.converges()

    assert len(ground.ours()) == 3
    assert [item.reason.value for item in ground.planned(first).blocked] == ["inTrash"]


def test_a_snapshot_that_came_since_the_plan_goes_along(tmp_path: Path) -> None:
    ground = Ground(tmp_path, "omnios")
    ground.converges(dataset(ground.name("a")))
    plan = ground.planned()
    ground.zfs("snapshot", f"{ground.name('a')}@late")

    assert ground.planned().actions[0].id == plan.actions[0].id, "nothing about the commands changed"
    ground.converges()

    (entry,) = trash(ground).values()
    assert ground.host.storage.exists(f"{entry}@late")


def test_a_held_snapshot_keeps_it_where_it_is(tmp_path: Path) -> None:
    ground = Ground(tmp_path, "omnios")
    ground.converges(dataset(ground.name("a")))
    ground.zfs("snapshot", f"{ground.name('a')}@kept")
    ground.zfs("hold", "backup", f"{ground.name('a')}@kept")
    before = ground.state_of([ground.name("a")])

    result = ground.applied()

    assert [item.reason.value for item in result.final.blocked] == ["dependents"]
    assert ground.state_of([ground.name("a")]) == before


@SYSTEMS
def test_what_has_no_mountpoint_any_more_comes_back_all_the_same(tmp_path: Path, system: str) -> None:
    """The mount is refused once; after that nothing tries it again, and nothing is left of the way through the trash."""
    ground = Ground(tmp_path, system)
    wanted = [dataset(ground.name("a")), dataset(ground.name("a/b"))]
    ground.converges(*wanted)
    plan = ground.planned(wanted[0])
    ground.cut_off(plan, steps(plan) - 1)
    ground.zfs("set", "mountpoint=none", ground.name("a"))

    result = ground.converges(*wanted)

    assert [outcome.key.name for outcome in result.outcomes] == [ground.name("a/b")]
    assert ground.value("a/b", "dev.reconciler:trash") == ("-", "-")
    assert ground.value("a/b", "canmount")[0] == "on"
    ground.host.close()
