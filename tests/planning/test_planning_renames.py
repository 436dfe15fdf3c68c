"""A rename is one update on the host, never destroy and create; what lies inside moves along or keeps it from happening."""

from dataclasses import replace

import pytest

from reconciler.model.guardrails import Guardrails
from reconciler.model.lifecycle import Mode, Protect
from reconciler.model.observed import Observed
from tests.planning.world import (
    DELETE,
    GIB,
    REPLACE,
    cause,
    changed_fields,
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

OLD, NEW = dataset("tank/old", DELETE), dataset("tank/new", DELETE, moved_from="tank/old")
OLD_CHILD, NEW_CHILD = dataset("tank/old/c", DELETE), dataset("tank/new/c", DELETE)


def test_an_object_of_ours_is_renamed_when_the_new_name_is_free() -> None:
    plan = planned([NEW], [standing(OLD)], [row(OLD)])

    assert changes(plan) == ["update Dataset/tank/new"]
    assert changed_fields(plan) == {"name": ("tank/old", "tank/new")}
    assert commands(plan) == [
        "zfs rename tank/old tank/new",
        "zfs set dev.reconciler:key=Dataset/tank/new tank/new",
    ]


def test_a_rename_costs_nothing_and_can_be_taken_back() -> None:
    (action,) = planned([NEW], [standing(OLD)]).actions

    assert (action.effect, action.reversible, action.at_risk.bytes) == ("inPlace", True, 0)


def test_without_the_old_object_a_new_one_is_made() -> None:
    assert changes(planned([NEW])) == ["create Dataset/tank/new"]


def test_a_rename_that_was_done_is_not_done_again() -> None:
    assert planned([NEW], [standing(NEW)]).is_empty


def test_a_stranger_under_the_old_name_after_a_rename_is_left_alone() -> None:
    assert planned([NEW], [standing(NEW), observed("tank/old")]).is_empty


def test_a_rename_is_completed_when_only_its_mark_is_missing() -> None:
    plan = planned([NEW], [standing(OLD, name="tank/new")], [row(OLD)])

    assert commands(plan) == ["zfs set dev.reconciler:key=Dataset/tank/new tank/new"]
    assert changed_fields(plan) == {"mark": ("Dataset/tank/old", "Dataset/tank/new")}


def test_children_of_a_rename_that_was_cut_off_are_completed_too() -> None:
    there = [standing(OLD, name="tank/new"), standing(OLD_CHILD, name="tank/new/c")]

    plan = planned([NEW, NEW_CHILD], there, [row(OLD), row(OLD_CHILD)])

    assert commands(plan) == [
        "zfs set dev.reconciler:key=Dataset/tank/new tank/new",
        "zfs set dev.reconciler:key=Dataset/tank/new/c tank/new/c",
    ]


def test_a_rename_and_a_change_are_one_action() -> None:
    new = volume("tank/new", DELETE, size=2 * GIB, moved_from="tank/old")

    plan = planned([new], [standing(volume("tank/old", DELETE))])

    assert commands(plan) == [
        "zfs rename tank/old tank/new",
        "zfs set dev.reconciler:key=Volume/tank/new tank/new",
        "zfs set volsize=2147483648 tank/new",
    ]


def test_a_rename_and_a_replacement_are_two_revisions() -> None:
    old = dataset("tank/old", REPLACE, casesensitivity="mixed")
    new = dataset("tank/new", REPLACE, casesensitivity="sensitive", moved_from="tank/old")

    plan = planned([new], [standing(old)], [row(old)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/new": "disruption"}


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        (observed("tank/new"), "nobody's"),
        (standing(dataset("tank/new", DELETE)), "ours"),
        (observed("tank/new", marked=mark("tank/new", owner="others")), "of another repository"),
    ],
)
def test_where_both_names_exist_nothing_is_renamed_and_nothing_is_pruned(there: Observed, reason: str) -> None:
    plan = planned([NEW], [standing(OLD), there], [row(OLD)])

    assert changes(plan) == [], reason
    assert refusals(plan) == {"Dataset/tank/new": "nameTaken"}, reason


def test_where_both_names_exist_what_lies_inside_stays_as_well() -> None:
    there = [standing(OLD), standing(OLD_CHILD), standing(dataset("tank/old/forgotten", DELETE)), observed("tank/new")]

    plan = planned([NEW, NEW_CHILD], there)

    assert changes(plan) == [], "no twin of tank/old/c is made, and neither child is pruned"
    assert refusals(plan) == {"Dataset/tank/new": "nameTaken", "Dataset/tank/new/c": "missingReference"}


def test_an_old_name_with_a_manifest_of_its_own_is_ambiguous() -> None:
    plan = planned([OLD, NEW], [standing(OLD)], [row(OLD)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/new": "ambiguous"}


def test_an_old_name_with_a_manifest_of_its_own_loses_none_of_its_children() -> None:
    plan = planned([OLD, NEW, NEW_CHILD], [standing(OLD), standing(OLD_CHILD)], [row(OLD), row(OLD_CHILD)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/new": "ambiguous", "Dataset/tank/new/c": "missingReference"}


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        (observed("tank/old"), "notOurs"),
        (observed("tank/old", marked=mark("tank/old", owner="others")), "otherOwner"),
        (observed("tank/old", marked=mark("tank/old", host_id="ffff0000")), "foreignCopy"),
        (observed("tank/old", marked=mark("tank/elsewhere")), "ambiguous"),
    ],
)
def test_what_is_not_ours_is_not_renamed(there: Observed, reason: str) -> None:
    plan = planned([NEW], [there])

    assert changes(plan) == []
    assert refusals(plan)["Dataset/tank/new"] == reason


def test_one_object_does_not_become_two() -> None:
    first, second = dataset("tank/x", DELETE, moved_from="tank/old"), dataset("tank/y", DELETE, moved_from="tank/old")

    plan = planned([first, second], [standing(OLD)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/x": "ambiguous", "Dataset/tank/y": "ambiguous"}


def test_two_objects_do_not_swap_names() -> None:
    one, two = dataset("tank/a", moved_from="tank/b"), dataset("tank/b", moved_from="tank/a")

    plan = planned([one, two], [standing(dataset("tank/a")), standing(dataset("tank/b"))])

    assert refusals(plan) == {"Dataset/tank/a": "ambiguous", "Dataset/tank/b": "ambiguous"}


def test_managed_children_move_with_their_parent_and_get_new_marks() -> None:
    deep_old, deep_new = volume("tank/old/c/v", DELETE), volume("tank/new/c/v", DELETE)
    there = [standing(each) for each in (OLD, OLD_CHILD, deep_old)]

    plan = planned([NEW, NEW_CHILD, deep_new], there, [row(OLD), row(OLD_CHILD), row(deep_old)])

    assert commands(plan) == [
        "zfs rename tank/old tank/new",
        "zfs set dev.reconciler:key=Dataset/tank/new tank/new",
        "zfs set dev.reconciler:key=Dataset/tank/new/c tank/new/c",
        "zfs set dev.reconciler:key=Volume/tank/new/c/v tank/new/c/v",
    ]
    assert waits(plan)["Dataset/tank/new/c"] == {"Dataset/tank/new"}
    assert waits(plan)["Volume/tank/new/c/v"] == {"Dataset/tank/new/c"}


def test_a_child_that_states_the_same_rename_moves_with_its_parent() -> None:
    child = replace(NEW_CHILD, moved_from="tank/old/c")

    plan = planned([NEW, child], [standing(OLD), standing(OLD_CHILD)])

    assert [command for command in commands(plan) if "rename" in command] == ["zfs rename tank/old tank/new"]


def test_a_child_that_is_also_changed_is_changed_after_the_rename() -> None:
    child = dataset("tank/new/c", DELETE, quota=GIB)
    there = [standing(OLD), standing(OLD_CHILD, fields={"properties.quota": None})]

    plan = planned([NEW, child], there)

    assert commands(plan)[-1] == "zfs set quota=1073741824 tank/new/c"


@pytest.mark.parametrize(
    ("child", "reason"),
    [
        (observed("tank/old/c"), "nobody's"),
        (observed("tank/old/c", kind="Volume"), "a volume"),
        (observed("tank/old/c", marked=mark("tank/old/c", owner="others")), "of another repository"),
        (observed("tank/old/c", belongs_to="a guest"), "the system's"),
    ],
)
def test_an_unmanaged_child_keeps_its_parent_from_being_renamed(child: Observed, reason: str) -> None:
    plan = planned([NEW], [standing(OLD), child], [row(OLD)])

    assert changes(plan) == [], reason
    assert refusals(plan) == {"Dataset/tank/new": "dependents"}, reason
    assert "would move with it, but no manifest says so" in cause(plan)


def test_a_child_manifest_left_at_the_old_name_keeps_its_parent_from_being_renamed() -> None:
    plan = planned([NEW, OLD_CHILD], [standing(OLD), standing(OLD_CHILD)])

    assert changes(plan) == []
    assert refusals(plan)["Dataset/tank/new"] == "dependents"


def test_a_child_whose_manifest_is_gone_is_removed_before_its_parent_is_renamed() -> None:
    deep = dataset("tank/old/c/d", DELETE)
    there = [standing(OLD), standing(OLD_CHILD), standing(deep)]

    plan = planned([NEW, NEW_CHILD], there)

    assert commands(plan)[:2] == ["zfs destroy tank/old/c/d", "zfs rename tank/old tank/new"]
    assert "Dataset/tank/old/c/d" in waits(plan)["Dataset/tank/new"]


def test_a_child_that_may_not_be_removed_keeps_its_parent_from_being_renamed() -> None:
    kept = dataset("tank/old/c", replace(DELETE, protect=Protect.REMOVAL))

    plan = planned([NEW], [standing(OLD), standing(kept)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/new": "dependents", "Dataset/tank/old/c": "protected"}


def test_a_child_that_moves_elsewhere_goes_before_its_parent_is_renamed() -> None:
    away = dataset("tank/away", DELETE, moved_from="tank/old/c")

    plan = planned([NEW, away], [standing(OLD), standing(OLD_CHILD)])

    assert [command for command in commands(plan) if "rename" in command] == [
        "zfs rename tank/old/c tank/away",
        "zfs rename tank/old tank/new",
    ]
    assert waits(plan)["Dataset/tank/new"] == {"Dataset/tank/away"}


def test_a_child_that_moves_elsewhere_does_not_take_along_what_is_to_stay_inside() -> None:
    deep_old, deep_new = dataset("tank/old/c/d", DELETE), dataset("tank/new/c/d", DELETE)
    away = dataset("tank/away", DELETE, moved_from="tank/old/c")

    plan = planned([NEW, away, deep_new], [standing(OLD), standing(OLD_CHILD), standing(deep_old)])

    assert changes(plan) == []
    assert refusals(plan)["Dataset/tank/away"] == "dependents"


def test_a_child_does_not_change_its_name_inside_a_renamed_parent() -> None:
    inside = dataset("tank/new/d", DELETE, moved_from="tank/old/c")

    plan = planned([NEW, inside], [standing(OLD), standing(OLD_CHILD)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/new": "dependents", "Dataset/tank/new/d": "ambiguous"}


def test_two_objects_do_not_become_one_by_a_rename_and_a_carrier() -> None:
    other = dataset("tank/other", DELETE)
    claimed = replace(NEW_CHILD, moved_from="tank/other")

    plan = planned([NEW, claimed], [standing(OLD), standing(OLD_CHILD), standing(other)])

    assert changes(plan) == [], "neither of the two is pruned"
    assert refusals(plan) == {"Dataset/tank/new": "dependents", "Dataset/tank/new/c": "ambiguous"}


def test_an_object_may_move_into_a_renamed_container() -> None:
    stray, moved = dataset("tank/x", DELETE), dataset("tank/new/x", DELETE, moved_from="tank/x")

    plan = planned([NEW, moved], [standing(OLD), standing(stray)])

    assert [command for command in commands(plan) if "rename" in command] == [
        "zfs rename tank/old tank/new",
        "zfs rename tank/x tank/new/x",
    ]


def test_an_object_does_not_move_into_what_is_to_be_removed() -> None:
    gone, moved = dataset("tank/gone", DELETE), dataset("tank/gone/x", DELETE, moved_from="tank/x")

    plan = planned([moved], [standing(gone), standing(dataset("tank/x", DELETE))])

    assert changes(plan) == ["delete Dataset/tank/gone"]
    assert refusals(plan) == {"Dataset/tank/gone/x": "missingReference"}


def test_a_rename_makes_no_containers() -> None:
    moved = dataset("tank/x/y/new", DELETE, moved_from="tank/old", parents=True)

    plan = planned([moved], [standing(OLD)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/x/y/new": "missingReference"}
    assert "createParents" not in cause(plan)


def test_another_kind_under_the_new_name_stops_a_rename() -> None:
    plan = planned([NEW], [standing(OLD), observed("tank/new", kind="Volume")])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/new": "nameTaken"}


def test_a_renamed_object_frees_its_name_for_another_kind() -> None:
    plan = planned([NEW, volume("tank/old")], [standing(OLD)])

    assert waits(plan)["Volume/tank/old"] == {"Dataset/tank/new"}


def test_a_rename_that_a_policy_forbids_prunes_nothing() -> None:
    there = [standing(OLD), standing(OLD_CHILD)]

    plan = planned([NEW, NEW_CHILD], there, guardrails=Guardrails(forbid_verbs=("update",)))

    assert changes(plan) == []


def test_a_rename_that_is_ignored_is_neither_done_nor_pruned() -> None:
    ignored = replace(NEW, lifecycle=replace(DELETE, mode=Mode.IGNORE))
    there = [standing(OLD), standing(OLD_CHILD)]

    assert changes(planned([ignored], there, [row(OLD)])) == []
    assert refusals(planned([ignored], [*there, observed("tank/new")])) == {}
    assert refusals(planned([ignored, NEW_CHILD], there)) == {"Dataset/tank/new/c": "missingReference"}


def test_what_lies_in_an_object_whose_rename_is_only_reported_is_not_touched() -> None:
    reported = replace(NEW, lifecycle=replace(DELETE, mode=Mode.REPORT))

    plan = planned([reported, NEW_CHILD, dataset("tank/new/made")], [standing(OLD), standing(OLD_CHILD)])

    assert [action for action in plan.actions if not action.report_only] == []


def test_a_whole_tree_whose_rename_is_only_reported_is_shown() -> None:
    plan = planned([NEW, NEW_CHILD], [standing(OLD), standing(OLD_CHILD)], mode=Mode.REPORT)

    assert [(action.key.name, action.report_only) for action in plan.actions] == [("tank/new", True), ("tank/new/c", True)]
    assert plan.blocked == ()
