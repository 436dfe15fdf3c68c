"""What was caught on its way into the trash or out of it."""

from dataclasses import replace

from reconciler.model.desired import Desired
from reconciler.model.lifecycle import Lifecycle, Mode, OnRemoval, Protect
from reconciler.planning.trash import RESTORE, plan_trash, trash_entries
from tests.planning.trashing import KEEP_AND_REPLACE, cost, renames, replacing
from tests.planning.world import (
    DELETE,
    HOST,
    KINDS,
    MIB,
    NOW,
    OWNER,
    SOURCE,
    TRASH,
    changed_fields,
    changes,
    commands,
    dataset,
    half_trashed,
    in_trash,
    planned,
    refusals,
    row,
    standing,
    view,
    waits,
)


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


def test_orphaning_what_lies_half_way_takes_the_note_off_as_well() -> None:
    gone = dataset("tank/a", Lifecycle(on_removal=OnRemoval.ORPHAN))

    plan = planned([], [half_trashed(gone)], [row(gone)])

    assert changes(plan) == ["forget Dataset/tank/a"]
    assert "zfs inherit dev.reconciler:trash tank/a" in commands(plan)
