"""What becomes of our objects that no manifest names any more."""

from dataclasses import replace

import pytest

from reconciler.model.lifecycle import Mode, Protect
from reconciler.model.observed import Observed, Removal
from tests.planning.world import (
    DELETE,
    GIB,
    KIB,
    ORPHAN,
    cause,
    changes,
    commands,
    dataset,
    mark,
    observed,
    planned,
    refusals,
    row,
    standing,
    volume,
    waits,
)


def test_an_object_whose_manifest_is_gone_is_deleted_as_it_was_last_applied() -> None:
    gone = dataset("tank/a", DELETE)

    plan = planned([], [standing(gone)], [row(gone)])

    assert commands(plan) == ["zfs destroy tank/a"]
    assert [(action.reversible, action.effect) for action in plan.actions] == [(False, None)]


def test_what_a_removal_takes_away_stands_in_the_plan() -> None:
    gone = dataset("tank/a", replace(DELETE, delete_snapshots=True))
    there = standing(gone, removal=Removal(3 * GIB, ("tank/a@one", "tank/a@two")))

    (action,) = planned([], [there], [row(gone)]).actions

    assert (action.at_risk.bytes, action.at_risk.snapshots) == (3 * GIB, 2)


def test_after_a_lost_ledger_the_mark_says_how_an_object_may_go() -> None:
    gone = dataset("tank/a", DELETE)

    assert commands(planned([], [standing(gone)])) == ["zfs destroy tank/a"]


def test_the_ledger_governs_a_removal_before_the_mark() -> None:
    gone = dataset("tank/a", DELETE)

    plan = planned([], [standing(gone)], [row(gone, ORPHAN)])

    assert changes(plan) == ["forget Dataset/tank/a"]


def test_what_neither_ledger_nor_mark_knows_how_to_remove_is_left_alone() -> None:
    gone = dataset("tank/a", DELETE)

    plan = planned([], [standing(gone, mark=mark("tank/a", on_removal=None))])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "notOurs"}
    assert "neither our ledger nor its mark says" in cause(plan)


def test_a_narrowed_plan_removes_nothing() -> None:
    gone, kept = dataset("tank/a", DELETE), dataset("tank/b")

    plan = planned([kept], [standing(gone)], [row(gone)], whole=False)

    assert changes(plan) == ["create Dataset/tank/b"]


def test_an_orphan_loses_its_mark_and_nothing_else() -> None:
    gone = dataset("tank/a", ORPHAN)

    plan = planned([], [standing(gone)], [row(gone)])

    assert changes(plan) == ["forget Dataset/tank/a"]
    assert {command.partition("zfs inherit dev.reconciler:")[2] for command in commands(plan)} == {
        "on-removal tank/a",
        "host tank/a",
        "owner tank/a",
        "key tank/a",
    }
    assert plan.actions[0].reversible


def test_a_dataset_with_snapshots_is_not_deleted_without_permission() -> None:
    gone = dataset("tank/a", DELETE)
    there = standing(gone, removal=Removal(GIB, ("tank/a@one", "tank/a@two")))

    plan = planned([], [there], [row(gone)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "dataAtRisk"}
    assert "2 snapshots" in cause(plan)
    assert "lifecycle.deleteSnapshots: true" in cause(plan)


def test_permission_to_delete_snapshots_is_not_in_the_mark() -> None:
    gone = dataset("tank/a", replace(DELETE, delete_snapshots=True))
    there = standing(gone, removal=Removal(GIB, ("tank/a@one",)))

    assert refusals(planned([], [there])) == {"Dataset/tank/a": "dataAtRisk"}, "the ledger is lost"


def test_each_snapshot_is_named_in_a_command_of_its_own() -> None:
    gone = dataset("tank/a", replace(DELETE, delete_snapshots=True))
    there = standing(gone, removal=Removal(GIB, ("tank/a@one", "tank/a@two")))

    plan = planned([], [there], [row(gone)])

    assert commands(plan) == ["zfs destroy tank/a@one", "zfs destroy tank/a@two", "zfs destroy tank/a"]
    assert all(step.destructive for step in plan.actions[0].steps)


@pytest.mark.parametrize(
    ("obstacle", "reason"),
    [
        ("snapshot tank/a@one is held", "a hold"),
        ("a zone has tank/a mounted", "a zone"),
        ("tank is the root of a pool", "a pool's root"),
    ],
)
def test_what_the_host_says_against_a_removal_blocks_it(obstacle: str, reason: str) -> None:
    gone = dataset("tank/a", replace(DELETE, delete_snapshots=True))
    there = standing(gone, removal=Removal(KIB, ("tank/a@one",), (obstacle,)))

    plan = planned([], [there], [row(gone)])

    assert refusals(plan) == {"Dataset/tank/a": "dependents"}, reason
    assert obstacle in cause(plan)


def test_a_dataset_that_something_was_cloned_from_stays() -> None:
    gone = dataset("tank/golden", replace(DELETE, delete_snapshots=True))
    clone = observed("tank/web", origin="tank/golden@v1")

    plan = planned([], [standing(gone, removal=Removal(KIB, ("tank/golden@v1",))), clone], [row(gone)])

    assert refusals(plan) == {"Dataset/tank/golden": "dependents"}
    assert "Dataset/tank/web depends on it" in cause(plan)


def test_a_clone_that_goes_too_goes_before_its_origin() -> None:
    golden = dataset("tank/golden", replace(DELETE, delete_snapshots=True))
    web = dataset("tank/web", DELETE, origin="tank/golden@v1")
    there = [standing(golden, removal=Removal(KIB, ("tank/golden@v1",))), standing(web)]

    plan = planned([], there, [row(golden), row(web)])

    assert commands(plan) == ["zfs destroy tank/web", "zfs destroy tank/golden@v1", "zfs destroy tank/golden"]
    assert waits(plan) == {"Dataset/tank/web": set(), "Dataset/tank/golden": {"Dataset/tank/web"}}


@pytest.mark.parametrize(
    ("child", "reason"),
    [
        (observed("tank/a/b"), "nobody's"),
        (observed("tank/a/b", kind="Volume"), "a volume"),
        (observed("tank/a/b/c"), "further below"),
        (standing(dataset("tank/a/b", replace(DELETE, protect=Protect.REMOVAL))), "ours, and not to be removed"),
        (observed("tank/a/b", marked=mark("tank/a/b", owner="others")), "of another repository"),
    ],
)
def test_a_dataset_stays_while_something_lies_in_it(child: Observed, reason: str) -> None:
    gone = dataset("tank/a", DELETE)

    plan = planned([], [standing(gone), child], [row(gone)])

    assert changes(plan) == [], reason
    assert refusals(plan)["Dataset/tank/a"] == "dependents", reason


def test_a_dataset_stays_while_a_wanted_one_lies_in_it() -> None:
    gone, kept = dataset("tank/a", DELETE), dataset("tank/a/b")

    plan = planned([kept], [standing(gone), standing(kept)], [row(gone), row(kept)])

    assert refusals(plan) == {"Dataset/tank/a": "dependents"}
    assert "Dataset/tank/a/b" in cause(plan)


def test_managed_descendants_that_go_too_go_first() -> None:
    names = ("tank/a", "tank/a/b", "tank/a/b/c", "tank/a/b2")
    gone = [dataset(name, DELETE) for name in names] + [volume("tank/a/v", DELETE)]

    plan = planned([], [standing(each) for each in gone], [row(each) for each in gone])

    assert waits(plan) == {
        "Dataset/tank/a": {"Dataset/tank/a/b", "Dataset/tank/a/b2", "Volume/tank/a/v"},
        "Dataset/tank/a/b": {"Dataset/tank/a/b/c"},
        "Dataset/tank/a/b/c": set(),
        "Dataset/tank/a/b2": set(),
        "Volume/tank/a/v": set(),
    }
    assert changes(plan)[-1] == "delete Dataset/tank/a"


def test_a_name_that_only_begins_alike_does_not_lie_in_a_dataset() -> None:
    gone = dataset("tank/a", DELETE)

    assert changes(planned([], [standing(gone), observed("tank/ab")], [row(gone)])) == ["delete Dataset/tank/a"]


def test_a_descendant_that_may_not_go_keeps_all_its_containers() -> None:
    outer, inner = dataset("tank/a", DELETE), dataset("tank/a/b", DELETE)
    kept = dataset("tank/a/b/c", replace(DELETE, protect=Protect.REMOVAL))
    gone = [outer, inner, kept]

    plan = planned([], [standing(each) for each in gone], [row(each) for each in gone])

    assert changes(plan) == []
    assert refusals(plan) == {
        "Dataset/tank/a": "dependents",
        "Dataset/tank/a/b": "dependents",
        "Dataset/tank/a/b/c": "protected",
    }


def test_an_orphaned_descendant_keeps_its_container() -> None:
    outer, inner = dataset("tank/a", DELETE), dataset("tank/a/b", ORPHAN)

    plan = planned([], [standing(outer), standing(inner)], [row(outer), row(inner)])

    assert changes(plan) == ["forget Dataset/tank/a/b"]
    assert refusals(plan) == {"Dataset/tank/a": "dependents"}


def test_removals_come_before_what_is_made() -> None:
    gone, made = dataset("tank/z", DELETE), dataset("tank/a")

    assert changes(planned([made], [standing(gone)], [row(gone)])) == ["delete Dataset/tank/z", "create Dataset/tank/a"]


def test_another_kind_takes_a_name_only_after_it_is_free() -> None:
    gone, made = dataset("tank/a", DELETE), volume("tank/a")

    plan = planned([made], [standing(gone)], [row(gone)])

    assert waits(plan) == {"Dataset/tank/a": set(), "Volume/tank/a": {"Dataset/tank/a"}}


def test_a_name_that_another_kind_holds_and_keeps_is_taken() -> None:
    kept, made = dataset("tank/a", replace(DELETE, protect=Protect.REMOVAL)), volume("tank/a")

    plan = planned([made], [standing(kept)], [row(kept)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "protected", "Volume/tank/a": "nameTaken"}


def test_a_container_is_removed_after_what_lies_in_it_has_moved_out() -> None:
    gone, inner = dataset("tank/a", DELETE), dataset("tank/a/b", DELETE)
    moved = dataset("tank/b", DELETE, moved_from="tank/a/b")

    plan = planned([moved], [standing(gone), standing(inner)], [row(gone), row(inner)])

    assert [command for command in commands(plan) if "set" not in command] == [
        "zfs rename tank/a/b tank/b",
        "zfs destroy tank/a",
    ]
    assert waits(plan)["Dataset/tank/a"] == {"Dataset/tank/b"}


def test_a_container_stays_when_what_lies_in_it_may_not_move_out() -> None:
    gone, inner = dataset("tank/a", DELETE), dataset("tank/a/b", DELETE)
    moved = dataset("tank/b", DELETE, moved_from="tank/a/b")

    plan = planned([moved], [standing(gone), standing(inner), observed("tank/b")])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "dependents", "Dataset/tank/b": "nameTaken"}


def test_two_kinds_that_want_one_name_are_both_refused() -> None:
    plan = planned([dataset("tank/a"), volume("tank/a")])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "nameTaken", "Volume/tank/a": "nameTaken"}


def test_a_manifest_that_was_set_to_ignore_last_is_not_pruned_when_it_goes() -> None:
    ignored = dataset("tank/a", replace(DELETE, mode=Mode.IGNORE))
    before = dataset("tank/a", DELETE)

    told = planned([ignored], [standing(before)], [row(before)])

    assert changes(told) == []
    assert told.settled == (ignored.key,), "the ledger hears of the new lifecycle"
    assert changes(planned([], [standing(before)], [row(ignored)])) == []
