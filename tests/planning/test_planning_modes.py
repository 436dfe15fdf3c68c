"""`mode` says what becomes of a difference: enforced, only reported, or ignored; the host's mode is a ceiling."""

from dataclasses import replace

import pytest

from reconciler.model.lifecycle import Lifecycle, Mode
from reconciler.model.plan import HostPlan
from reconciler.planning.render_json import summary
from tests.planning.world import (
    DELETE,
    GIB,
    changes,
    dataset,
    observed,
    planned,
    refusals,
    resource,
    row,
    standing,
    tree,
    view,
)

REPORT, IGNORE = Lifecycle(mode=Mode.REPORT), Lifecycle(mode=Mode.IGNORE)


def told(plan: HostPlan) -> list[tuple[str, bool]]:
    """Verb and object of each action, and whether it will run."""
    return [(f"{action.verb} {action.key.object}", not action.report_only) for action in plan.actions]


def test_a_reported_difference_is_shown_and_not_run() -> None:
    wanted = dataset("tank/a", REPORT, quota=GIB)

    plan = planned([wanted], [standing(wanted, fields={"properties.quota": None})])

    assert told(plan) == [("update Dataset/tank/a", False)]
    assert plan.runnable == ()
    assert plan.pending == plan.actions


def test_a_reported_difference_counts_in_the_summary() -> None:
    plan = tree([view([dataset("tank/a", REPORT)])])

    assert summary(plan)["create"] == 1


def test_a_reported_removal_is_shown_and_not_run() -> None:
    gone = dataset("tank/a", replace(DELETE, mode=Mode.REPORT))

    assert told(planned([], [standing(gone)], [row(gone)])) == [("delete Dataset/tank/a", False)]


def test_an_ignored_object_is_neither_made_nor_compared() -> None:
    absent, different = dataset("tank/a", IGNORE), dataset("tank/b", IGNORE, quota=GIB)

    plan = planned([absent, different], [standing(different, fields={"properties.quota": None})])

    assert plan.is_empty


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        (observed("tank/a"), "nobody's"),
        (observed("tank/a", belongs_to="the system"), "the system's"),
        (standing(dataset("tank/a"), name="tank/elsewhere"), "renamed on the host"),
    ],
)
def test_an_ignored_object_is_never_blocked(there: object, reason: str) -> None:
    from reconciler.model.observed import Observed

    assert isinstance(there, Observed)

    assert refusals(planned([dataset("tank/a", IGNORE)], [there])) == {}, reason


def test_an_ignored_object_is_not_pruned() -> None:
    gone = dataset("tank/a", replace(DELETE, mode=Mode.IGNORE))

    assert planned([], [standing(gone)], [row(gone)]).is_empty


@pytest.mark.parametrize(
    ("host", "object_", "runs", "reason"),
    [
        (Mode.ENFORCE, Mode.ENFORCE, True, "both permit it"),
        (Mode.REPORT, Mode.ENFORCE, False, "the host's mode is a ceiling"),
        (Mode.ENFORCE, Mode.REPORT, False, "the object's own"),
        (Mode.REPORT, Mode.REPORT, False, "both only report"),
    ],
)
def test_the_hosts_mode_is_a_ceiling(host: Mode, object_: Mode, runs: bool, reason: str) -> None:
    made = dataset("tank/a", Lifecycle(mode=object_))
    gone = dataset("tank/z", replace(DELETE, mode=object_))

    plan = planned([made], [standing(gone)], [row(gone)], mode=host)

    assert told(plan) == [("delete Dataset/tank/z", runs), ("create Dataset/tank/a", runs)], reason


@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.REPORT, Mode.IGNORE])
def test_on_an_ignored_host_nothing_is_planned(mode: Mode) -> None:
    made = dataset("tank/a", Lifecycle(mode=mode))
    gone = dataset("tank/z", replace(DELETE, mode=mode))

    assert planned([made], [standing(gone)], [row(gone)], mode=Mode.IGNORE).is_empty


def test_what_needs_an_object_that_is_only_reported_is_blocked_and_says_so() -> None:
    plan = planned([dataset("tank/a", REPORT), dataset("tank/a/b")])

    assert told(plan) == [("create Dataset/tank/a", False)]
    assert refusals(plan) == {"Dataset/tank/a/b": "missingReference"}
    assert plan.blocked[0].cause == "it needs Dataset/tank/a, which is only reported, not made"


def test_a_tree_that_is_only_reported_is_shown_whole() -> None:
    plan = planned([dataset("tank/a"), dataset("tank/a/b")], mode=Mode.REPORT)

    assert told(plan) == [("create Dataset/tank/a", False), ("create Dataset/tank/a/b", False)]
    assert plan.blocked == ()


def test_removals_that_are_only_reported_are_shown_whole() -> None:
    outer, inner = dataset("tank/a", DELETE), dataset("tank/a/b", DELETE)

    plan = planned([], [standing(outer), standing(inner)], mode=Mode.REPORT)

    assert changes(plan) == ["delete Dataset/tank/a/b", "delete Dataset/tank/a"]


def test_a_container_is_not_removed_on_the_word_of_a_removal_that_is_only_reported() -> None:
    outer, inner = dataset("tank/a", DELETE), dataset("tank/a/b", replace(DELETE, mode=Mode.REPORT))

    plan = planned([], [standing(outer), standing(inner)], [row(outer), row(inner)])

    assert told(plan) == [("delete Dataset/tank/a/b", False)]
    assert refusals(plan) == {"Dataset/tank/a": "dependents"}


def test_what_depends_on_an_object_that_is_only_reported_waits_for_it() -> None:
    needed = dataset("tank/a", REPORT)
    waiting = resource("Dataset", "tank/b", depends_on=["Dataset/tank/a"])

    assert refusals(planned([needed, waiting])) == {"Dataset/tank/b": "missingReference"}
    assert planned([needed, waiting], [standing(needed)]).blocked == ()
