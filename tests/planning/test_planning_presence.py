"""What is there, what is not, and what nobody could look at; set, null and not stated."""

import pytest

from reconciler.model.lifecycle import Lifecycle
from reconciler.model.observed import REMOVAL, Unreadable
from reconciler.model.plan import Released
from tests.planning.world import (
    DELETE,
    GIB,
    ROOT,
    cause,
    changed_fields,
    changes,
    commands,
    dataset,
    observed,
    planned,
    refusals,
    resource,
    row,
    standing,
    volume,
)

BLIND = Unreadable("zfs", ("Pool", "Dataset", "Volume"), "`zfs get` did not end within 60 s", "look at the pool")


def test_an_absent_object_is_created_with_its_mark_in_the_same_command() -> None:
    wanted = dataset("tank/a", quota=GIB)

    plan = planned([wanted])

    marks = "-o dev.reconciler:host=0000abcd -o dev.reconciler:key=Dataset/tank/a -o dev.reconciler:on-removal=trash"
    assert commands(plan) == [f"zfs create {marks} -o dev.reconciler:owner=default -o quota=1073741824 tank/a"]


def test_an_object_that_is_as_wanted_needs_nothing() -> None:
    wanted = dataset("tank/a", quota=GIB)

    plan = planned([wanted], [standing(wanted)])

    assert plan.is_empty
    assert plan.settled == (wanted.key,)


def test_a_field_that_differs_is_set_and_no_other() -> None:
    wanted = dataset("tank/a", quota=GIB, compression="lz4")
    there = standing(wanted, fields={"properties.quota": 2 * GIB, "properties.compression": "lz4"})

    plan = planned([wanted], [there])

    assert commands(plan) == ["zfs set quota=1073741824 tank/a"]
    assert changed_fields(plan) == {"properties.quota": (2 * GIB, GIB)}


def test_an_unreadable_kind_blocks_what_is_wanted_and_plans_nothing() -> None:
    plan = planned([dataset("tank/a"), volume("tank/v")], unreadable=[BLIND])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "unreadable", "Volume/tank/v": "unreadable"}
    assert plan.blocked[0].cause == BLIND.cause
    assert plan.blocked[0].remedy == BLIND.remedy
    assert plan.unreadable == (BLIND,)


def test_an_unreadable_kind_removes_and_forgets_nothing() -> None:
    gone = dataset("tank/a")

    plan = planned([], rows=[row(gone)], unreadable=[BLIND])

    assert changes(plan) == []
    assert plan.gone == ()


def test_a_host_that_could_not_be_read_is_not_as_wanted() -> None:
    assert not planned(unreadable=[BLIND]).is_empty


def test_a_ledger_row_of_what_is_neither_wanted_nor_there_is_gone() -> None:
    left = dataset("tank/a")

    assert planned([], rows=[row(left)]).gone == (left.key,)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"whole": False}, "a narrowed plan says nothing about what it left out"),
        ({"wrong_host": "another machine"}, "nothing was looked at"),
        ({"unserved": {"Dataset": "no zfs"}}, "nobody can look at that kind here"),
    ],
)
def test_a_ledger_row_is_kept_where_absence_says_nothing(options: dict[str, object], reason: str) -> None:
    assert planned([], rows=[row(dataset("tank/a"))], **options).gone == (), reason


def test_a_field_that_is_not_stated_is_left_alone() -> None:
    wanted = dataset("tank/a")

    plan = planned([wanted], [standing(wanted, fields={"properties.quota": GIB})])

    assert plan.is_empty


def test_a_line_taken_out_of_a_manifest_releases_the_field_and_changes_nothing() -> None:
    before, after = dataset("tank/a", quota=GIB, compression="lz4"), dataset("tank/a", compression="lz4")

    plan = planned([after], [standing(before)], [row(before)])

    assert changes(plan) == []
    assert plan.released == (Released(after.key, "properties.quota", GIB),)


def test_a_released_field_is_shown_with_the_value_that_stays() -> None:
    before, after = dataset("tank/a", quota=GIB), dataset("tank/a")

    plan = planned([after], [standing(before, fields={"properties.quota": 5 * GIB})], [row(before)])

    assert plan.released == (Released(after.key, "properties.quota", 5 * GIB),)


def test_an_explicit_none_taken_out_of_a_manifest_releases_nothing() -> None:
    before, after = dataset("tank/a", quota=None), dataset("tank/a")

    assert planned([after], [standing(before)], [row(before)]).released == ()


def test_a_field_released_together_with_a_rename_is_still_shown() -> None:
    before = dataset("tank/a", quota=GIB)
    after = dataset("tank/b", moved_from="tank/a")

    plan = planned([after], [standing(before)], [row(before)])

    assert plan.released == (Released(after.key, "properties.quota", GIB),)


def test_without_a_ledger_nothing_is_released() -> None:
    before, after = dataset("tank/a", quota=GIB), dataset("tank/a")

    assert planned([after], [standing(before)]).is_empty


def test_a_value_is_met_whatever_its_source() -> None:
    wanted = dataset("tank/a", compression="lz4")

    plan = planned([wanted], [standing(wanted, stated_here=frozenset())])

    assert plan.is_empty


def test_null_is_met_by_an_inherited_value() -> None:
    wanted = dataset("tank/a", compression=None)
    there = standing(wanted, fields={"properties.compression": "lz4"}, stated_here=frozenset())

    assert planned([wanted], [there]).is_empty


def test_null_on_a_value_that_is_set_here_inherits_it() -> None:
    wanted = dataset("tank/a", compression=None)
    there = standing(wanted, fields={"properties.compression": "off"}, stated_here=frozenset({"properties.compression"}))

    assert commands(planned([wanted], [there])) == ["zfs inherit compression tank/a"]


@pytest.mark.parametrize("name", ["quota", "refquota", "reservation", "refreservation", "filesystem_limit", "snapshot_limit"])
def test_null_on_a_limit_is_reached_by_none_and_met_by_none_alone(name: str) -> None:
    wanted = dataset("tank/a", **{name: None})
    limited = standing(wanted, fields={f"properties.{name}": GIB})
    unlimited = standing(wanted, stated_here=frozenset({f"properties.{name}"}))

    assert commands(planned([wanted], [limited])) == [f"zfs set {name}=none tank/a"]
    assert planned([wanted], [unlimited]).is_empty


def test_null_on_a_user_property_removes_it() -> None:
    name = "properties.org.example:role"
    wanted = dataset("tank/a", **{name: None})
    there = standing(wanted, fields={name: "web"}, stated_here=frozenset({name}))

    assert commands(planned([wanted], [there])) == ["zfs inherit org.example:role tank/a"]


def test_a_stated_field_that_nobody_read_blocks_the_object() -> None:
    wanted = dataset("tank/a", quota=GIB)

    plan = planned([wanted], [standing(wanted, fields={})])

    assert refusals(plan) == {"Dataset/tank/a": "unread"}
    assert "properties.quota could not be read" in cause(plan)


def test_an_ignored_field_is_neither_read_nor_compared_nor_released() -> None:
    life = Lifecycle(ignore=("properties.quota", "properties.compression"))
    before = dataset("tank/a", life, quota=GIB, compression="lz4")
    after = dataset("tank/a", life, quota=GIB)

    plan = planned([after], [standing(before, fields={"properties.compression": "off"})], [row(before)])

    assert plan.is_empty
    assert plan.released == ()


def test_ignoring_a_map_ignores_every_key_in_it() -> None:
    wanted = dataset("tank/a", Lifecycle(ignore=("properties",)), quota=GIB)

    assert planned([wanted], [standing(wanted, fields={"properties.quota": 3 * GIB})]).is_empty


def test_a_kind_that_the_system_lacks_is_unsupported() -> None:
    plan = planned([volume("tank/v")], unserved={"Volume": "this host has no volumes"})

    assert refusals(plan) == {"Volume/tank/v": "unsupported"}
    assert "this host has no volumes" in cause(plan)


def test_a_value_that_the_system_lacks_is_refused_before_anything_runs() -> None:
    plan = planned([dataset("tank/a", compression="zstd")])

    assert refusals(plan) == {"Dataset/tank/a": "unsupported"}
    assert "has no compression zstd" in cause(plan)


def test_a_pool_that_is_not_there_is_refused() -> None:
    plan = planned([dataset("pond")])

    assert "there is no pool pond; pools there: rpool, tank" in cause(plan)


def test_an_expectation_of_a_pool_is_a_miss_and_never_a_change() -> None:
    wanted = resource("Pool", "tank", **{"expect.health": "ONLINE"})
    there = observed("tank", {"health": "DEGRADED", "size": 10, "free": 5}, kind="Pool")

    plan = planned([wanted], [there])

    assert plan.is_empty
    assert [(miss.field, miss.cause) for miss in plan.misses] == [("expect.health", "health is DEGRADED, expected ONLINE")]


def test_an_expected_pool_that_is_not_there_is_a_miss() -> None:
    plan = planned([resource("Pool", "pond", **{"expect.health": "ONLINE"})])

    assert [miss.cause for miss in plan.misses] == ["it is not there"]


def test_what_a_removal_costs_is_asked_for_before_the_plan_is_relied_on() -> None:
    gone = dataset("tank/a", DELETE)

    assert planned([], [standing(gone, removal=None)]).wants == {("Dataset", REMOVAL)}
    assert planned([], [standing(gone)]).wants == frozenset()


def test_what_an_unfinished_action_may_have_left_undone_is_asked_for_and_completed() -> None:
    wanted = dataset("tank/a")

    known = [row(wanted)]
    unasked = planned([wanted], [standing(wanted)], known, unfinished=[wanted])
    half = planned([wanted], [standing(wanted, fields={"mounted": False})], known, unfinished=[wanted])
    whole = planned([wanted], [standing(wanted, fields={"mounted": True})], known, unfinished=[wanted])

    assert unasked.wants == {("Dataset", "mounted")}
    assert commands(half) == ["zfs mount tank/a"]
    assert whole.is_empty


def test_what_lies_in_a_dataset_with_an_unfinished_action_may_have_been_unmounted_with_it() -> None:
    outer, inner, beside = dataset("tank/a"), dataset("tank/a/in"), dataset("tank/ab")
    there = [standing(outer), *(standing(one, fields={"mounted": False}) for one in (inner, beside))]

    plan = planned([outer, inner, beside], there, [row(outer), row(inner), row(beside)], unfinished=[outer])

    assert commands(plan) == ["zfs mount tank/a/in"]


def test_a_dataset_that_somebody_unmounted_is_left_unmounted_once_it_was_seen_whole() -> None:
    wanted = dataset("tank/a")
    there = standing(wanted, fields={"mounted": False})

    assert planned([wanted], [there], [row(wanted)]).is_empty
    assert commands(planned([wanted], [there])) == ["zfs mount tank/a"], "the ledger is lost: nobody knows of a good end"


def test_only_what_is_neither_ours_nor_the_systems_counts_as_unmanaged() -> None:
    ours = dataset("tank/a")
    blocked = dataset("tank/b")
    there = [standing(ours), observed("tank/b"), observed("tank/c"), observed("tank/d", belongs_to="the system")]

    plan = planned([ours, blocked], there)

    assert (plan.managed, plan.unmanaged) == (1, 2), f"{ROOT.name} and tank/c are nobody's"
