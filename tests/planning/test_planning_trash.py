"""What goes into the trash, what waits there, and what was caught half-way."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.model.desired import Desired
from reconciler.model.guardrails import Guardrails
from reconciler.model.lifecycle import Disruption, Lifecycle, Mode, OnRemoval, Protect
from reconciler.model.observed import REMOVAL, Observed, Removal
from reconciler.model.plan import HostPlan, PlanSource
from reconciler.model.resource import Resource
from reconciler.model.trash import Trashed
from reconciler.planning.render_json import plan_digest
from reconciler.planning.trash import RESTORE, plan_trash, trash_entries
from tests.planning.world import (
    DELETE,
    GIB,
    HOST,
    KIB,
    KINDS,
    MIB,
    NOW,
    OWNER,
    SOURCE,
    TRASH,
    TRASH_PLACE,
    cause,
    changed_fields,
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

KEEP_AND_REPLACE = Lifecycle(disruption=Disruption.REPLACE)
AT = "20260102T030405.000Z"
CONTAINER = f"zfs create -p -o canmount=off -o mountpoint=none {TRASH_PLACE}"


def cost(size: int = 24 * KIB, *snapshots: str, obstacles: tuple[str, ...] = (), **changed: object) -> Removal:
    made = Removal(size, snapshots, obstacles, trash_place=TRASH_PLACE, has_trash_place=True)
    return replace(made, **changed)  # type: ignore[arg-type]


def renames(plan: HostPlan) -> list[str]:
    return [command for command in commands(plan) if " rename " in command]


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


# A key whose object lies in the trash.


def test_a_key_whose_object_lies_in_the_trash_is_not_made_anew() -> None:
    wanted = dataset("tank/a")

    plan = planned([wanted], [in_trash(wanted)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "inTrash"}
    assert f"`reconciler trash restore {HOST}/Dataset/tank/a`" in cause(plan)
    assert f"`reconciler trash purge {HOST}/Dataset/tank/a`" in cause(plan)


def test_what_lies_in_a_container_that_waits_in_the_trash_waits_with_it() -> None:
    wanted = [dataset("tank/a"), dataset("tank/a/b"), dataset("tank/a/new")]

    plan = planned(wanted, [in_trash(wanted[0], 1), in_trash(wanted[1], 2)])

    assert changes(plan) == []
    assert refusals(plan) == {
        "Dataset/tank/a": "inTrash",
        "Dataset/tank/a/b": "inTrash",
        "Dataset/tank/a/new": "missingReference",
    }


def test_a_rename_of_what_lies_in_the_trash_makes_nothing_new_either() -> None:
    wanted = dataset("tank/new", moved_from="tank/old")

    plan = planned([wanted], [in_trash(dataset("tank/old"))])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/new": "inTrash"}
    assert f"`reconciler trash restore {HOST}/Dataset/tank/old`" in cause(plan)


def test_another_kind_of_the_same_name_is_not_concerned() -> None:
    assert changes(planned([volume("tank/a")], [in_trash(dataset("tank/a"))])) == ["create Volume/tank/a"]


def test_what_made_way_for_its_successor_blocks_nothing() -> None:
    wanted = dataset("tank/a")

    assert changes(planned([wanted], [in_trash(wanted, replaced=True)])) == ["create Dataset/tank/a"]
    assert changes(planned([wanted], [standing(wanted), in_trash(wanted, replaced=True)], [row(wanted)])) == []


def test_a_successor_that_is_there_is_managed_whatever_lies_in_the_trash() -> None:
    wanted = dataset("tank/a", atime="off")
    there = standing(wanted, fields={"properties.atime": "on"})

    assert changes(planned([wanted], [there, in_trash(wanted)], [row(wanted)])) == ["update Dataset/tank/a"]


@pytest.mark.parametrize("changed", [{"owner": "others"}, {"host_id": "ffff0000"}])
def test_the_trash_of_another_owner_or_host_is_none_of_our_business(changed: dict[str, object]) -> None:
    wanted = dataset("tank/a")
    theirs = in_trash(wanted)

    plan = planned([wanted], [replace(theirs, mark=mark("tank/a", **changed))])

    assert changes(plan) == ["create Dataset/tank/a"]
    assert changes(planned([], [replace(theirs, mark=mark("tank/a", **changed))])) == []


def test_a_garbled_note_still_keeps_the_key() -> None:
    wanted = dataset("tank/a")
    garbled = replace(in_trash(wanted), trashed=Trashed("", "", None))

    assert refusals(planned([wanted], [garbled])) == {"Dataset/tank/a": "inTrash"}


# Replacement.


def replacing(**changed: object) -> tuple[Resource, Observed]:
    wanted = dataset("tank/a", KEEP_AND_REPLACE, normalization="formD")
    return wanted, standing(
        wanted, fields={"properties.normalization": "none"}, **{"removal": cost(GIB, "tank/a@s"), **changed}
    )


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


# Caught half-way.


def test_one_that_was_caught_on_its_way_comes_back_when_it_is_wanted() -> None:
    wanted = dataset("tank/a")

    plan = planned([wanted], [half_trashed(wanted)], [row(wanted)])

    assert changes(plan) == ["restore Dataset/tank/a"]
    assert renames(plan) == []
    assert commands(plan) == [
        "zfs inherit -S canmount tank/a",
        "zfs mount tank/a",
        "zfs inherit dev.reconciler:trash tank/a",
    ]


def test_it_comes_back_with_what_else_its_manifest_says() -> None:
    wanted = dataset("tank/a", quota=MIB, atime="off")
    there = half_trashed(wanted, fields={"properties.quota": None, "properties.atime": "off"})

    plan = planned([wanted], [there], [row(wanted)])

    assert changes(plan) == ["restore Dataset/tank/a"]
    assert changed_fields(plan) == {"properties.quota": (None, MIB)}
    assert commands(plan)[-1] == f"zfs set quota={MIB} tank/a"


def test_one_that_is_not_wanted_goes_on_into_the_trash_with_what_was_saved() -> None:
    gone = dataset("tank/a")
    there = half_trashed(gone, removal=cost(saved={"sharenfs": "rw"}))

    plan = planned([], [there], [row(gone)])

    assert changes(plan) == ["trash Dataset/tank/a"]
    (noted,) = [command for command in commands(plan) if "dev.reconciler:trash=" in command]
    assert '"canmount":null' in noted
    assert '"sharenfs":"rw"' in noted
    assert '"mounted":true' in noted


def test_a_half_done_replacement_that_is_still_needed_goes_on() -> None:
    wanted, _ = replacing()
    there = half_trashed(wanted, replaced=True, fields={"properties.normalization": "none"}, removal=cost())

    plan = planned([wanted], [there], [row(wanted)])

    assert changes(plan) == ["replace Dataset/tank/a"]
    assert plan.actions[0].change.trashing is not None
    assert plan.actions[0].change.trashing.replaced


def test_a_half_done_replacement_that_was_taken_back_gives_the_old_one_back() -> None:
    wanted = dataset("tank/a", KEEP_AND_REPLACE, normalization="none")

    assert changes(planned([wanted], [half_trashed(wanted, replaced=True)], [row(wanted)])) == ["restore Dataset/tank/a"]


def test_what_else_its_mark_must_say_is_written_when_it_comes_back() -> None:
    before, wanted = dataset("tank/a"), dataset("tank/a", replace(DELETE, protect=Protect.ALL))

    plan = planned([wanted], [half_trashed(before)], [row(before)])

    assert changes(plan) == ["restore Dataset/tank/a"]
    assert {"zfs set dev.reconciler:protect=all tank/a", "zfs set dev.reconciler:on-removal=delete tank/a"} <= set(
        commands(plan)
    )


def test_a_half_trashed_object_that_is_protected_comes_back_but_does_not_go() -> None:
    kept = dataset("tank/a", replace(TRASH, protect=Protect.REMOVAL))

    assert changes(planned([kept], [half_trashed(kept)], [row(kept)])) == ["restore Dataset/tank/a"]
    assert refusals(planned([], [half_trashed(kept)], [row(kept)])) == {"Dataset/tank/a": "protected"}


def test_a_half_trashed_object_under_report_or_ignore_is_not_touched() -> None:
    shown, ignored = dataset("tank/a", replace(TRASH, mode=Mode.REPORT)), dataset("tank/b", replace(TRASH, mode=Mode.IGNORE))

    plan = planned([shown, ignored], [half_trashed(shown), half_trashed(ignored)], [row(shown), row(ignored)])

    assert [(str(action.key.object), action.report_only) for action in plan.actions] == [("Dataset/tank/a", True)]


def test_a_half_trashed_object_that_is_to_be_renamed_gets_its_new_name_and_mark() -> None:
    old, new = dataset("tank/old"), dataset("tank/new", moved_from="tank/old")

    plan = planned([new], [half_trashed(old)], [row(old)])

    assert renames(plan) == ["zfs rename tank/old tank/new"]
    assert "zfs set dev.reconciler:key=Dataset/tank/new tank/new" in commands(plan)
    assert "zfs inherit dev.reconciler:trash tank/new" in commands(plan)


def test_a_container_that_was_caught_half_way_is_made_whole_before_what_comes_back_into_it() -> None:
    container, inner = dataset("tank/a"), dataset("tank/a/b")
    one = view([], [half_trashed(container), in_trash(inner)])
    desired = Desired("later", OWNER, hosts={HOST: one.manifest})

    (plan,) = plan_trash(RESTORE, desired, [one], KINDS, SOURCE, NOW, trash_entries(one, OWNER)).hosts

    assert changes(plan) == ["restore Dataset/tank/a", "restore Dataset/tank/a/b"]
    assert waits(plan)["Dataset/tank/a/b"] == {"Dataset/tank/a"}


def test_a_half_trashed_object_that_moves_with_its_container_is_settled_too() -> None:
    old, inner = dataset("tank/old"), dataset("tank/old/a")
    new, moved = dataset("tank/new", moved_from="tank/old"), dataset("tank/new/a")

    plan = planned([new, moved], [standing(old), half_trashed(inner)], [row(old), row(inner)])

    assert renames(plan) == ["zfs rename tank/old tank/new"]
    assert "zfs set dev.reconciler:key=Dataset/tank/new/a tank/new/a" in commands(plan)
    assert "zfs inherit dev.reconciler:trash tank/new/a" in commands(plan)


# What lies in the trash, with its times.


@pytest.mark.parametrize(
    ("at", "ttl_s", "expires"),
    [
        ("20260101T000000.000Z", 60, datetime(2026, 1, 1, 0, 1, tzinfo=UTC)),
        ("20260101T000000.000Z", None, None),
        ("20260101T000000.000Z", 10_000_000 * 86400, None),
        ("20260101T000000.000Z", 10**20, None),
        ("", 60, None),
        ("yesterday", 60, None),
    ],
)
def test_an_entry_expires_when_its_time_has_run_out_and_never_by_a_garbled_note(
    at: str, ttl_s: int | None, expires: datetime | None
) -> None:
    there = replace(in_trash(dataset("tank/a")), trashed=Trashed(at, "group", ttl_s))

    (entry,) = trash_entries(view([], [there]), OWNER)

    assert entry.expires == expires


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


def test_orphaning_what_lies_half_way_takes_the_note_off_as_well() -> None:
    gone = dataset("tank/a", Lifecycle(on_removal=OnRemoval.ORPHAN))

    plan = planned([], [half_trashed(gone)], [row(gone)])

    assert changes(plan) == ["forget Dataset/tank/a"]
    assert "zfs inherit dev.reconciler:trash tank/a" in commands(plan)


def test_a_rename_onto_a_key_that_lies_in_the_trash_is_blocked() -> None:
    old = dataset("tank/old")
    new = dataset("tank/new", moved_from="tank/old")

    plan = planned([new], [standing(old), in_trash(dataset("tank/new"))])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/new": "inTrash"}
