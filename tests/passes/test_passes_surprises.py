"""What happens behind our back, what nobody could see, and what we forgot: corrected, left alone or refused, never guessed."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.emulation.faults import Fault, FaultKind
from reconciler.emulation.host import EmulatedHost
from reconciler.model.guardrails import Guardrails
from reconciler.model.lifecycle import Protect
from reconciler.model.outcome import OutcomeState
from tests.passes.ground import Ground
from tests.planning.world import DELETE, GIB, dataset

SURE = replace(DELETE, delete_snapshots=True)


def unmanaged(ground: Ground) -> list[str]:
    """Objects that nobody asked us about, of every sort; their names."""
    theirs = [ground.name(name) for name in ("theirs", "theirs/c", "marked", "copied")]
    ground.zfs("create", "-o", "quota=1g", "-o", "org.example:note=mine", theirs[0])
    ground.zfs("create", "-o", "mountpoint=/srv/theirs", theirs[1])
    ground.zfs("create", "-o", "dev.reconciler:owner=others", "-o", f"dev.reconciler:key=Dataset/{theirs[2]}", theirs[2])
    mark = ["dev.reconciler:owner=default", f"dev.reconciler:key=Dataset/{theirs[3]}", "dev.reconciler:host=another"]
    ground.zfs("create", *(part for pair in mark for part in ("-o", pair)), "-o", "dev.reconciler:on-removal=delete", theirs[3])
    ground.zfs("snapshot", f"{theirs[0]}@one")
    ground.zfs("snapshot", f"{theirs[3]}@one")
    ground.zfs("hold", "keep", f"{theirs[0]}@one")
    theirs += [f"{theirs[0]}@one", f"{theirs[3]}@one"]
    if ground.has_volumes:
        ground.zfs("create", "-V", "1g", ground.name("disk"))
        theirs.append(ground.name("disk"))
    return theirs


def test_unmanaged_objects_are_never_touched(ground: Ground) -> None:
    before = ground.state_of(unmanaged(ground))
    one = [dataset(ground.name("a"), DELETE, quota=GIB), dataset(ground.name("a/b"), DELETE)]
    other = [
        dataset(ground.name("new"), DELETE, moved_from=ground.name("a")),
        dataset(ground.name("new/b"), DELETE, atime="off"),
    ]

    for wanted in (one, other, []):
        result = ground.applied(*wanted)
        assert {outcome.state for outcome in result.outcomes} == {OutcomeState.SUCCEEDED}
        assert [item.reason for item in result.final.blocked] == ["foreignCopy"]
        assert ground.state_of(before) == before

    assert ground.ours() == {ground.name("marked"), ground.name("copied")}


def test_manifests_for_what_is_not_ours_are_refused_and_change_nothing(ground: Ground) -> None:
    before = ground.state_of(unmanaged(ground))
    names = [ground.name(name) for name in ("theirs", "marked", "copied")]

    result = ground.applied(*(dataset(name, SURE, quota=5 * GIB) for name in names))

    assert {item.key.name: item.reason.value for item in result.final.blocked} == dict(
        zip(names, ["notOurs", "otherOwner", "foreignCopy"], strict=True)
    )
    assert ground.state_of(before) == before


def test_drift_is_corrected(ground: Ground) -> None:
    wanted = [dataset(ground.name("a"), quota=GIB, compression=None), dataset(ground.name("b"))]
    ground.converges(*wanted)
    ground.zfs("set", "quota=5g", ground.name("a"))
    ground.zfs("set", "compression=off", ground.name("a"))
    ground.zfs("destroy", ground.name("b"))

    ground.converges(*wanted)

    assert ground.value("a", "quota")[0] == str(GIB)
    assert ground.value("a", "compression")[1] == "default"
    assert ground.host.storage.exists(ground.name("b"))


def test_what_nobody_stated_may_drift(ground: Ground) -> None:
    wanted = dataset(ground.name("a"), quota=GIB)
    ground.converges(wanted)
    ground.zfs("set", "atime=off", ground.name("a"))
    ground.zfs("unmount", ground.name("a"))
    ground.host.clear_transcript()

    ground.converges(wanted)

    assert ground.changing_calls() == []


def test_a_lifted_protection_mark_is_written_again(ground: Ground) -> None:
    wanted = dataset(ground.name("a"), replace(DELETE, protect=Protect.ALL))
    ground.converges(wanted)
    ground.zfs("inherit", "dev.reconciler:protect", ground.name("a"))

    assert [item.reason for item in ground.planned().blocked] == ["protected"], "the ledger still knows"
    ground.converges(wanted)

    assert ground.value("a", "dev.reconciler:protect") == ("all", "local")


def test_an_object_renamed_behind_our_back_stays_under_its_new_name(ground: Ground) -> None:
    wanted = dataset(ground.name("a"), DELETE)
    ground.converges(wanted)
    ground.zfs("unmount", ground.name("a"))
    ground.zfs("rename", ground.name("a"), ground.name("moved"))

    result = ground.applied(wanted)
    assert [item.reason for item in result.final.blocked] == ["ambiguous"]
    ground.applied()

    assert ground.host.storage.exists(ground.name("moved"))
    assert not ground.host.storage.exists(ground.name("a"))


def test_a_pool_made_by_hand_can_be_used_in_the_next_pass(ground: Ground) -> None:
    ground.converges(dataset(ground.name("a")))
    ground.host.storage.create_pool("pond", 1 << 34)

    ground.converges(dataset(ground.name("a")), dataset("pond/b"))


def test_a_lost_ledger_costs_nothing(ground: Ground) -> None:
    before = ground.state_of(unmanaged(ground))
    wanted = [dataset(ground.name("a"), DELETE, quota=GIB), dataset(ground.name("a/b"), SURE)]
    ground.applied(*wanted)
    ours = ground.state_of([resource.key.name for resource in wanted])
    ground.lose_ledger()
    ground.host.clear_transcript()

    result = ground.applied(*wanted)

    assert result.outcomes == ()
    assert ground.changing_calls() == []
    assert ground.state_of(ours) == ours
    assert ground.state_of(before) == before
    assert ground.ledger() == {"a", "a/b"}, "known again"


def test_with_a_lost_ledger_marks_say_what_may_go(ground: Ground) -> None:
    ground.converges(dataset(ground.name("a"), DELETE), dataset(ground.name("trashed")))
    ground.lose_ledger()

    result = ground.applied()

    assert not ground.host.storage.exists(ground.name("a"))
    assert result.final.blocked == ()
    assert not ground.host.storage.exists(ground.name("trashed"))
    assert len(ground.ours()) == 1, "in the trash"


BLINDING = [
    Fault(FaultKind.FAIL, argv="^zfs get -Hp", times=None, stderr="I/O is currently suspended\n"),
    Fault(FaultKind.TRUNCATE, argv="^zfs get -Hp", times=None),
    Fault(FaultKind.GARBAGE, argv="^zfs get -Hp", times=None),
    Fault(FaultKind.LOST_REPLY, argv="^zfs get -Hp", times=None, exit_code=-9),
    Fault(FaultKind.FAIL, argv="^uname", times=None),
]


@pytest.mark.parametrize("fault", BLINDING)
def test_on_an_unreadable_host_nothing_is_made_changed_or_destroyed(ground: Ground, fault: Fault) -> None:
    ground.converges(dataset(ground.name("a"), DELETE), dataset(ground.name("b"), DELETE, quota=GIB))
    before = ground.state_of([ground.name("a"), ground.name("b")])
    ground.host.inject(fault)
    ground.host.clear_transcript()

    result = ground.applied(dataset(ground.name("b"), DELETE, quota=2 * GIB), dataset(ground.name("c")))

    assert result.outcomes == ()
    assert {(item.key.name, item.reason.value) for item in result.final.blocked} == {
        (ground.name("b"), "unreadable"),
        (ground.name("c"), "unreadable"),
    }
    assert ground.changing_calls() == []
    assert ground.state_of(before) == before

    ground.host.clear_faults()
    assert ground.ledger() == {"a", "b"}, "nothing was forgotten either"
    ground.converges(dataset(ground.name("b"), DELETE, quota=2 * GIB), dataset(ground.name("c")))


@pytest.mark.parametrize("system", ["omnios", "smartos"])
def test_an_answer_without_a_single_dataset_is_no_empty_host(tmp_path: Path, system: str) -> None:
    """Told from the pools that the host has; zfs-fuse can't say which these are."""
    ground = Ground(tmp_path, system)
    ground.converges(dataset(ground.name("a"), DELETE))
    ground.host.inject(Fault(FaultKind.LOST_REPLY, argv="^zfs get -Hp", times=None, exit_code=0))

    result = ground.applied(dataset(ground.name("b"), DELETE))

    assert [item.reason.value for item in result.final.blocked] == ["unreadable"]
    assert ground.ledger() == {"a"}
    ground.host.close()


def test_the_wrong_machine_is_left_alone(tmp_path: Path) -> None:
    ground = Ground(tmp_path, "omnios", identity={"hostname": "another"})

    result = ground.applied(dataset("tank/a"))

    assert not result.is_converged
    assert [item.reason for item in result.final.blocked] == ["wrongHost"]
    assert {call.argv[0] for call in ground.host.transcript()} == {"uname"}
    assert not ground.applied().is_converged, "not even where nothing is wanted"
    ground.host.close()


def test_guardrails_hold_over_the_passes_of_a_revision(tmp_path: Path) -> None:
    ground = Ground(tmp_path, "omnios", guardrails=Guardrails(removals_per_host=2, removals_share_percent=100))
    names = ["tank/a", "tank/b", "tank/c"]
    ground.converges(*(dataset(name, DELETE) for name in names))

    for _ in range(2):
        result = ground.applied()
        assert result.outcomes == ()
        assert {item.reason.value for item in result.final.blocked} == {"guardrail"}

    assert ground.ours() == set(names)
    ground.host.close()


@pytest.mark.parametrize(
    ("kind", "states"),
    [
        (FaultKind.LOST_REPLY, {"succeeded"}),
        (FaultKind.FAIL, {"failed", "skipped"}),
        (FaultKind.HALF, {"failed", "skipped"}),
    ],
)
def test_a_command_that_goes_wrong_is_made_good_by_the_next_pass(ground: Ground, kind: FaultKind, states: set[str]) -> None:
    wanted = [dataset(ground.name("a"), quota=GIB), dataset(ground.name("a/b"))]
    ground.host.inject(Fault(kind, argv=f"create .*{re.escape(ground.name('a'))}$"))

    first = ground.applied(*wanted)
    assert {outcome.state.value for outcome in first.outcomes} == states

    ground.converges(*wanted)
    assert (ground.is_mounted("a"), ground.is_mounted("a/b")) == (True, True)
    assert ground.unfinished() == set()


def test_what_was_made_and_not_mounted_is_mounted_by_the_next_pass(ground: Ground) -> None:
    wanted = dataset(ground.name("a"))
    ground.host.inject(Fault(FaultKind.HALF, argv="create"))

    first = ground.applied(wanted)

    assert [outcome.state for outcome in first.outcomes] == [OutcomeState.FAILED]
    assert not ground.is_mounted("a")
    assert [action.change.fields[0].name for action in first.final.actions] == ["mounted"]
    assert ground.unfinished() == {"a"}

    ground.converges(wanted)
    assert ground.is_mounted("a")


def test_what_was_moved_to_a_place_that_is_taken_is_mounted_when_the_place_is_free(tmp_path: Path) -> None:
    """The tool sets the mountpoint, fails to mount, and says nothing of it when it is told the same again."""
    ground = Ground(tmp_path, "omnios")
    ground.zfs("create", "-o", "mountpoint=/srv/web", "tank/theirs")
    before, after = dataset("tank/a", mountpoint="/srv/a"), dataset("tank/a", mountpoint="/srv/web")
    ground.converges(before)

    first = ground.applied(after)

    assert [outcome.state for outcome in first.outcomes] == [OutcomeState.FAILED]
    assert not first.is_converged
    assert not ground.is_mounted("a")

    ground.zfs("set", "mountpoint=none", "tank/theirs")
    ground.converges(after)
    assert ground.is_mounted("a")
    ground.host.close()


def test_a_dataset_that_need_not_be_mounted_is_whole_without(ground: Ground) -> None:
    wanted = [dataset(ground.name("a"), canmount="off"), dataset(ground.name("b"), mountpoint="none")]

    ground.converges(*wanted)

    assert ground.unfinished() == set()


def test_two_ways_to_the_host_see_the_same(tmp_path: Path) -> None:
    """The ground's own handle and the transport's share one state."""
    ground = Ground(tmp_path, "omnios")
    ground.converges(dataset("tank/a"))
    other = EmulatedHost.open(tmp_path / "state" / "hosts" / "hv01.sqlite")

    assert other.storage.exists("tank/a")
    other.close()
    ground.host.close()
