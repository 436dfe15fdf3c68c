"""Whose an object is: its mark names owner, object and machine, and all three must agree."""

from dataclasses import replace

from reconciler.model.key import ObjectName
from tests.planning.world import (
    DELETE,
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
)


def test_an_unmarked_object_under_a_manifests_name_is_not_ours() -> None:
    plan = planned([dataset("tank/a")], [observed("tank/a")])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "notOurs"}


def test_an_unmarked_object_is_not_ours_even_where_the_ledger_says_so() -> None:
    wanted = dataset("tank/a", DELETE)
    there = observed("tank/a")
    plan = planned([wanted], [there], [row(wanted)])

    assert refusals(plan) == {"Dataset/tank/a": "notOurs"}
    assert "does not bear its mark any more; remedy: take it over again as it is with lifecycle.adopt: ifEqual" in cause(plan)
    assert changes(planned([], [there], [row(wanted)])) == []


def test_an_object_of_another_repository_is_blocked_and_named() -> None:
    plan = planned([dataset("tank/a")], [observed("tank/a", marked=mark("tank/a", owner="others"))])

    assert refusals(plan) == {"Dataset/tank/a": "otherOwner"}
    assert "belongs to the repository 'others'" in cause(plan)


def test_an_object_of_another_repository_is_neither_pruned_nor_counted_as_ours() -> None:
    plan = planned([], [observed("tank/a", marked=mark("tank/a", DELETE, owner="others"))])

    assert plan.is_empty
    assert plan.managed == 0


def test_an_object_renamed_on_the_host_is_followed_as_its_remedy_says() -> None:
    there = observed("tank/new", marked=mark("tank/old"))
    (refused,) = planned([dataset("tank/old")], [there]).blocked
    followed = planned([dataset("tank/new", moved_from="tank/old")], [there])

    assert refused.remedy.endswith("name the manifest tank/new and state metadata.movedFrom: tank/old")
    assert (changes(followed), refusals(followed)) == (["update Dataset/tank/new"], {})


def test_a_mark_of_another_machine_is_a_foreign_copy() -> None:
    plan = planned([dataset("tank/a")], [observed("tank/a", marked=mark("tank/a", host_id="ffff0000"))])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "foreignCopy"}


def test_a_foreign_copy_that_nobody_wants_is_reported_and_never_pruned() -> None:
    copy = observed("tank/a", marked=mark("tank/a", DELETE, host_id="ffff0000"))

    plan = planned([], [copy], [row(dataset("tank/a", DELETE))])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "foreignCopy"}


def test_a_mark_that_names_no_machine_is_ours() -> None:
    wanted = dataset("tank/a")

    assert planned([wanted], [standing(wanted, mark=mark("tank/a", host_id=""))]).is_empty


def test_an_object_renamed_behind_our_back_is_ambiguous_under_its_old_name() -> None:
    wanted = dataset("tank/a", DELETE)

    plan = planned([wanted], [standing(wanted, name="tank/moved")])

    assert changes(plan) == [], "no second tank/a is made, and nothing is pruned"
    assert refusals(plan) == {"Dataset/tank/a": "ambiguous"}
    assert "is now Dataset/tank/moved" in cause(plan)


def test_an_object_renamed_behind_our_back_is_ambiguous_under_both_names() -> None:
    first, second = dataset("tank/a", DELETE), dataset("tank/moved", DELETE)

    plan = planned([first, second], [standing(first, name="tank/moved")])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "ambiguous", "Dataset/tank/moved": "ambiguous"}


def test_an_object_renamed_behind_our_back_is_not_pruned_under_its_new_name() -> None:
    gone = dataset("tank/a", DELETE)

    assert changes(planned([], [standing(gone, name="tank/moved")], [row(gone)])) == []


def test_a_mark_whose_key_cannot_be_read_is_never_the_objects_own() -> None:
    broken = replace(mark("tank/a", DELETE), name=ObjectName("Unknown", "%%%"))

    assert refusals(planned([dataset("tank/a")], [observed("tank/a", marked=broken)])) == {"Dataset/tank/a": "ambiguous"}
    assert changes(planned([], [observed("tank/a", marked=broken)])) == []


def test_a_name_that_the_system_owns_is_blocked_and_not_pruned() -> None:
    there = observed("tank/sys", belongs_to="a boot environment", marked=mark("tank/sys", DELETE))

    wanted = planned([dataset("tank/sys")], [there])
    unwanted = planned([], [there])

    assert refusals(wanted) == {"Dataset/tank/sys": "belongsTo"}
    assert "belongs to a boot environment" in cause(wanted)
    assert unwanted.is_empty
    assert unwanted.unmanaged == 1, "the root of the pool alone"


def test_a_mark_that_says_less_than_the_manifest_is_written() -> None:
    wanted = dataset("tank/a", DELETE)

    plan = planned([wanted], [standing(wanted, mark=mark("tank/a", on_removal=None))])

    assert commands(plan) == ["zfs set dev.reconciler:on-removal=delete tank/a"]


def test_the_wrong_machine_blocks_every_key_and_is_never_as_wanted() -> None:
    refused = planned([dataset("tank/a")], wrong_host="the machine's hostname is hv02, and spec.identity says hv01")
    nothing_wanted = planned([], wrong_host="the machine's hostname is hv02, and spec.identity says hv01")

    assert refusals(refused) == {"Dataset/tank/a": "wrongHost"}
    assert "hostname is hv02" in cause(refused)
    assert not nothing_wanted.is_empty


def test_what_our_own_create_may_have_left_without_a_mark_is_told_as_that() -> None:
    wanted = dataset("tank/a")

    plan = planned([wanted], [observed("tank/a")], unfinished=[wanted])

    assert refusals(plan) == {"Dataset/tank/a": "notOurs"}
    assert "our own create, which had no good end, may have left it" in cause(plan)
