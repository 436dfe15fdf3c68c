"""What goes into the trash, and what is replaced and kept there."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.model.guardrails import Guardrails
from reconciler.model.lifecycle import Disruption, Lifecycle, Mode, Protect
from reconciler.model.observed import REMOVAL, Observed, Removal
from reconciler.model.plan import PlanSource
from reconciler.model.resource import Resource
from reconciler.planning.render_json import plan_digest
from tests.planning.trashing import AT, KEEP_AND_REPLACE, cost, renames, replacing
from tests.planning.world import (
    DELETE,
    GIB,
    HOST,
    KIB,
    NOW,
    SOURCE,
    TRASH,
    TRASH_PLACE,
    cause,
    changes,
    commands,
    dataset,
    half_trashed,
    in_trash,
    mark,
    observed,
    planned,
    refusals,
    row,
    standing,
    tree,
    view,
    volume,
    waits,
)


@pytest.mark.parametrize(
    ("gone", "removal", "reason"),
    [
        (dataset("tank/a"), cost(0, holds_data=False), "an empty dataset is no exception"),
        (dataset("tank/a"), cost(GIB), "a full one neither"),
        (volume("tank/a"), cost(), "nor a volume"),
    ],
)
def test_the_default_lifecycle_moves_what_was_removed_into_the_trash(gone: Resource, removal: Removal, reason: str) -> None:
    plan = planned([], [standing(gone, removal=removal)], [row(gone)])

    assert changes(plan) == [f"trash {gone.key.object}"], reason
    assert commands(plan)[-1] == f"zfs rename tank/a {TRASH_PLACE}/{AT}-1"
    assert [(action.reversible, action.effect) for action in plan.actions] == [(True, None)]
    assert not any(step.destructive for step in plan.actions[0].steps)


def test_after_a_lost_ledger_the_mark_says_that_it_goes_into_the_trash() -> None:
    assert changes(planned([], [standing(dataset("tank/a"))])) == ["trash Dataset/tank/a"]


def test_a_look_that_did_not_ask_what_a_removal_takes_asks_for_it() -> None:
    gone = dataset("tank/a")

    plan = planned([], [standing(gone, removal=None)], [row(gone)])

    assert changes(plan) == ["trash Dataset/tank/a"]
    assert ("Dataset", REMOVAL) in plan.wants


def test_the_bytes_and_snapshots_at_risk_stand_in_the_plan() -> None:
    gone = dataset("tank/a")

    (action,) = planned([], [standing(gone, removal=cost(3 * GIB, "tank/a@one", "tank/a@two"))], [row(gone)]).actions

    assert (action.at_risk.bytes, action.at_risk.snapshots) == (3 * GIB, 2)


def test_snapshots_go_along_and_block_nothing() -> None:
    gone = dataset("tank/a")

    plan = planned([], [standing(gone, removal=cost(GIB, "tank/a@one"))], [row(gone)])

    assert refusals(plan) == {}
    assert not any("@" in command for command in commands(plan))


@pytest.mark.parametrize("obstacle", ["snapshot tank/a@one is held", "a zone has tank/a mounted", "tank is the root of a pool"])
def test_what_the_host_says_against_a_removal_blocks_the_trash_too(obstacle: str) -> None:
    gone = dataset("tank/a")

    plan = planned([], [standing(gone, removal=cost(KIB, "tank/a@one", obstacles=(obstacle,)))], [row(gone)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "dependents"}
    assert obstacle in cause(plan)


def test_what_something_was_cloned_from_stays_while_the_clone_does() -> None:
    golden, web = dataset("tank/golden"), dataset("tank/web", origin="tank/golden@v1")
    there = [standing(golden, removal=cost(KIB, "tank/golden@v1")), standing(web)]

    assert refusals(planned([web], there, [row(golden), row(web)])) == {"Dataset/tank/golden": "dependents"}
    assert renames(planned([], there, [row(golden), row(web)])) == [
        f"zfs rename tank/web {TRASH_PLACE}/{AT}-2",
        f"zfs rename tank/golden {TRASH_PLACE}/{AT}-1",
    ]


@pytest.mark.parametrize(
    ("child", "reason"),
    [
        (observed("tank/a/b"), "nobody's"),
        (observed("tank/a/b", kind="Volume"), "a volume"),
        (standing(dataset("tank/a/b", replace(TRASH, protect=Protect.ALL))), "protected"),
        (observed("tank/a/b", marked=mark("tank/a/b", owner="others")), "of another repository"),
    ],
)
def test_a_container_stays_while_something_in_it_does(child: Observed, reason: str) -> None:
    gone = dataset("tank/a")

    plan = planned([], [standing(gone), child], [row(gone)])

    assert changes(plan) == [], reason
    assert refusals(plan)["Dataset/tank/a"] == "dependents", reason


def test_what_lies_in_a_container_goes_first_and_by_a_name_of_its_own() -> None:
    gone = [dataset("tank/a"), dataset("tank/a/b"), dataset("tank/a/b/c"), volume("tank/a/v")]

    plan = planned([], [standing(each) for each in gone], [row(each) for each in gone])

    assert waits(plan) == {
        "Dataset/tank/a": {"Dataset/tank/a/b", "Volume/tank/a/v"},
        "Dataset/tank/a/b": {"Dataset/tank/a/b/c"},
        "Dataset/tank/a/b/c": set(),
        "Volume/tank/a/v": set(),
    }
    targets = [command.rpartition("/")[2] for command in renames(plan)]
    assert sorted(targets) == [f"{AT}-{number}" for number in (1, 2, 3, 4)]


def test_a_child_that_is_deleted_makes_way_for_a_container_that_is_kept() -> None:
    gone = [dataset("tank/a"), dataset("tank/a/b", DELETE)]

    plan = planned([], [standing(each) for each in gone], [row(each) for each in gone])

    assert changes(plan) == ["delete Dataset/tank/a/b", "trash Dataset/tank/a"]


def test_one_revision_makes_one_group_and_each_object_keeps_its_own_time_to_live() -> None:
    gone = [dataset("tank/a", replace(TRASH, trash_ttl_s=None)), dataset("tank/b", replace(TRASH, trash_ttl_s=60))]

    plan = planned([], [standing(each) for each in gone], [row(each) for each in gone])

    trashings = [action.change.trashing for action in plan.actions]
    assert [(one.at, one.group, one.ttl_s, one.replaced) for one in trashings if one is not None] == [
        (AT, SOURCE.revision[:12], None, False),
        (AT, SOURCE.revision[:12], 60, False),
    ]


@pytest.mark.parametrize("protect", [Protect.REMOVAL, Protect.ALL])
def test_what_is_protected_does_not_go_into_the_trash(protect: Protect) -> None:
    gone = dataset("tank/a", replace(TRASH, protect=protect))

    plan = planned([], [standing(gone)], [row(gone)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "protected"}


def test_a_key_that_the_guardrails_protect_does_not_go_into_the_trash() -> None:
    gone = dataset("tank/a")

    plan = planned([], [standing(gone)], [row(gone)], guardrails=Guardrails(protect=(f"{HOST}/Dataset/tank/a",)))

    assert refusals(plan) == {"Dataset/tank/a": "protected"}


def test_mode_report_shows_it_and_mode_ignore_leaves_it() -> None:
    shown, ignored = dataset("tank/a", replace(TRASH, mode=Mode.REPORT)), dataset("tank/b", replace(TRASH, mode=Mode.IGNORE))

    plan = planned([], [standing(shown), standing(ignored)], [row(shown), row(ignored)])

    assert [(str(action.key.object), action.report_only) for action in plan.actions] == [("Dataset/tank/a", True)]


def test_guardrails_count_what_goes_into_the_trash() -> None:
    gone = [dataset(f"tank/{name}") for name in "abc"]
    there, rows = [standing(each, removal=cost(GIB)) for each in gone], [row(each) for each in gone]
    free = Guardrails(removals_per_host=100, removals_share_percent=100, removals_total=100)

    for rails in (replace(free, removals_per_host=2), replace(free, removals_total=2), replace(free, removals_bytes=2 * GIB)):
        plan = planned([], there, rows, guardrails=rails)
        assert changes(plan) == []
        assert set(refusals(plan).values()) == {"guardrail"}
    assert len(planned([], there, rows, guardrails=free).actions) == 3


def test_guardrails_count_a_replacement_that_keeps_the_old_one() -> None:
    wanted = dataset("tank/a", KEEP_AND_REPLACE, normalization="formD")
    there = standing(wanted, fields={"properties.normalization": "none"}, removal=cost(GIB))

    plan = planned([wanted], [there], guardrails=Guardrails(removals_bytes=GIB - 1))

    assert refusals(plan) == {"Dataset/tank/a": "guardrail"}


def test_a_narrowed_plan_puts_nothing_into_the_trash() -> None:
    gone = dataset("tank/a")

    assert changes(planned([], [standing(gone)], [row(gone)], whole=False)) == []
    assert changes(planned([], [half_trashed(gone)], [row(gone)], whole=False)) == []


def test_an_object_in_the_trash_is_neither_removed_again_nor_counted_as_unmanaged() -> None:
    plan = planned([], [in_trash(dataset("tank/a")), observed(TRASH_PLACE, belongs_to="the trash")])

    assert (changes(plan), refusals(plan)) == ([], {})
    assert plan.unmanaged == planned().unmanaged


# Replacement.


def test_a_replacement_keeps_the_old_one_and_makes_the_new_one_in_one_action() -> None:
    wanted, there = replacing()

    plan = planned([wanted], [there], [row(wanted)])

    (action,) = plan.actions
    assert (action.verb, action.reversible, action.at_risk.bytes) == ("replace", True, GIB)
    assert action.change.trashing is not None
    assert action.change.trashing.replaced
    *_, moved, made = commands(plan)
    assert moved == f"zfs rename tank/a {TRASH_PLACE}/{AT}-1"
    assert made.startswith("zfs create ")
    assert made.endswith(" -o normalization=formD tank/a")
    assert not any(step.destructive for step in action.steps)


@pytest.mark.parametrize("lifecycle", [TRASH, replace(TRASH, disruption=Disruption.RESTART)])
def test_a_replacement_that_keeps_the_old_one_needs_permission_too(lifecycle: Lifecycle) -> None:
    wanted, there = replacing()

    assert refusals(planned([replace(wanted, lifecycle=lifecycle)], [there])) == {"Dataset/tank/a": "disruption"}


def test_a_container_is_not_replaced_while_something_lies_in_it() -> None:
    wanted, there = replacing()

    assert refusals(planned([wanted], [there, observed("tank/a/b")])) == {"Dataset/tank/a": "dependents"}


# Ids and digests.


def test_ids_and_digest_depend_neither_on_the_time_nor_on_the_revision() -> None:
    gone, (wanted, there) = dataset("tank/gone"), replacing()

    def made(now: datetime, revision: str) -> tuple[list[str], str]:
        plan = tree(
            [view([wanted], [there, standing(gone)], [row(wanted), row(gone)])], now=now, source=PlanSource("x", revision)
        )
        # The document names the revision once more by itself.
        return [action.id for action in plan.hosts[0].actions], plan_digest(replace(plan, source=SOURCE))

    first = made(NOW, SOURCE.revision)
    assert made(NOW + timedelta(days=400, microseconds=123456), SOURCE.revision) == first
    assert made(datetime(2031, 12, 31, 23, 59, 59, 999999, UTC), "sha256:" + "f" * 64) == first


def test_the_time_to_live_is_part_of_what_is_agreed_to() -> None:
    ids = set()
    for ttl in (None, 60, 61):
        gone = dataset("tank/gone", replace(TRASH, trash_ttl_s=ttl))
        ids.add(planned([], [standing(gone)], [row(gone)]).actions[0].id)

    assert len(ids) == 3
