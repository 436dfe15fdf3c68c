"""`lifecycle.adopt`: what is there and bears nobody's mark is taken over only as far as the manifest says."""

from dataclasses import replace

import pytest

from reconciler.model.guardrails import Guardrails
from reconciler.model.lifecycle import Adopt, Disruption, Lifecycle, Mode, OnRemoval, Protect
from reconciler.model.observed import Observed
from reconciler.model.resource import Resource
from tests.planning.world import (
    GIB,
    MIB,
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
)

NEVER, IF_EQUAL, ONCE = (Lifecycle(adopt=adopt) for adopt in (Adopt.NEVER, Adopt.IF_EQUAL, Adopt.ONCE))
MARKS = (
    "zfs set dev.reconciler:host=0000abcd dev.reconciler:key=Dataset/tank/a dev.reconciler:on-removal=trash "
    "dev.reconciler:owner=default tank/a"
)


def unmarked(wanted: Resource, **changed: object) -> Observed:
    """What the resource wants, made by somebody else."""
    return standing(wanted, mark=None, **changed)


def test_by_default_nothing_is_taken_over_and_the_remedy_names_the_way() -> None:
    wanted = dataset("tank/a", NEVER, quota=GIB)

    plan = planned([wanted], [unmarked(wanted)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "notOurs"}, "even where every stated field is equal"
    assert "lifecycle.adopt: ifEqual" in cause(plan)


@pytest.mark.parametrize("lifecycle", [IF_EQUAL, ONCE])
def test_what_is_equal_is_adopted_by_writing_its_mark_alone(lifecycle: Lifecycle) -> None:
    wanted = dataset("tank/a", lifecycle, quota=GIB, compression="lz4")

    plan = planned([wanted], [unmarked(wanted)])

    assert changes(plan) == ["adopt Dataset/tank/a"]
    assert changed_fields(plan) == {}
    assert commands(plan) == [MARKS]
    assert plan.actions[0].effect is None


def test_protection_is_written_with_the_mark() -> None:
    wanted = dataset("tank/a", replace(IF_EQUAL, protect=Protect.REMOVAL))

    assert "dev.reconciler:protect=removal" in commands(planned([wanted], [unmarked(wanted)]))[0]


def test_if_equal_names_every_field_that_differs_with_both_values() -> None:
    wanted = dataset("tank/a", IF_EQUAL, quota=GIB, compression=None, atime="off")
    there = unmarked(wanted, fields={"properties.quota": 5 * GIB, "properties.compression": "lz4", "properties.atime": "off"})
    there = replace(there, stated_here=frozenset({"properties.compression"}))

    plan = planned([wanted], [there])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "notOurs"}
    assert "properties.compression is lz4 there, wanted not set; properties.quota is 5GiB there, wanted 1GiB" in cause(plan)
    assert "atime" not in cause(plan)
    assert "lifecycle.adopt: once" in cause(plan)


def test_an_explicit_none_is_equal_where_nothing_is_set() -> None:
    wanted = dataset("tank/a", IF_EQUAL, quota=None, compression=None)
    there = observed("tank/a", {"quota": None, "compression": "lz4"})

    assert changes(planned([wanted], [there])) == ["adopt Dataset/tank/a"]


def test_an_ignored_field_is_not_compared() -> None:
    wanted = dataset("tank/a", replace(IF_EQUAL, ignore=("properties.quota",)), quota=GIB)

    plan = planned([wanted], [observed("tank/a", {"quota": 5 * GIB})])

    assert changes(plan) == ["adopt Dataset/tank/a"]
    assert changed_fields(plan) == {}


def test_once_changes_what_differs_after_the_mark_is_written() -> None:
    wanted = dataset("tank/a", ONCE, quota=GIB)

    plan = planned([wanted], [observed("tank/a", {"quota": 5 * GIB})])

    assert changes(plan) == ["adopt Dataset/tank/a"]
    assert changed_fields(plan) == {"properties.quota": (5 * GIB, GIB)}
    assert commands(plan) == [MARKS, f"zfs set quota={GIB} tank/a"]


@pytest.mark.parametrize(
    ("wanted", "there", "reason"),
    [
        (volume("tank/a", ONCE, size=GIB), {"size": 2 * GIB}, "dataAtRisk"),
        (volume("tank/a", ONCE, blockSize=8192), {"size": GIB, "blockSize": 16384}, "immutable"),
        (dataset("tank/a", ONCE, casesensitivity="mixed"), {"casesensitivity": "sensitive"}, "disruption"),
        (
            dataset("tank/a", replace(ONCE, disruption=Disruption.REPLACE), casesensitivity="mixed"),
            {"casesensitivity": "sensitive"},
            "disruption",
        ),
    ],
)
def test_once_changes_nothing_that_cuts_data_off_or_needs_another_object(
    wanted: Resource, there: dict[str, object], reason: str
) -> None:
    kind = wanted.key.kind

    plan = planned([wanted], [observed("tank/a", there, kind=kind)])  # type: ignore[arg-type]

    assert changes(plan) == []
    assert refusals(plan) == {f"{kind}/tank/a": reason}


@pytest.mark.parametrize("lifecycle", [IF_EQUAL, ONCE])
def test_once_our_mark_is_there_the_line_means_nothing(lifecycle: Lifecycle) -> None:
    wanted = dataset("tank/a", lifecycle, quota=GIB)
    drifted = standing(wanted, fields={"properties.quota": 5 * GIB})

    assert planned([wanted], [standing(wanted)]).is_empty
    assert changes(planned([wanted], [drifted], [row(wanted)])) == ["update Dataset/tank/a"]


@pytest.mark.parametrize("lifecycle", [IF_EQUAL, ONCE])
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"mark": mark("tank/a", owner="others")}, "otherOwner"),
        ({"mark": mark("tank/a", host_id="ffff0000")}, "foreignCopy"),
        ({"mark": mark("tank/elsewhere")}, "ambiguous"),
        ({"mark": None, "belongs_to": "a boot environment"}, "belongsTo"),
    ],
)
def test_what_is_somebodys_is_never_adopted(lifecycle: Lifecycle, changed: dict[str, object], reason: str) -> None:
    wanted = dataset("tank/a", lifecycle)

    plan = planned([wanted], [standing(wanted, **changed)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": reason}


def test_what_could_not_be_compared_is_not_adopted() -> None:
    plan = planned([dataset("tank/a", ONCE, quota=GIB)], [observed("tank/a")])

    assert refusals(plan) == {"Dataset/tank/a": "unread"}


def test_in_mode_report_an_adoption_is_only_shown() -> None:
    wanted = dataset("tank/a", replace(ONCE, mode=Mode.REPORT), quota=GIB)

    plan = planned([wanted], [observed("tank/a", {"quota": None})])

    assert changes(plan) == ["adopt Dataset/tank/a"]
    assert plan.runnable == ()


def test_in_mode_ignore_nothing_is_adopted_or_refused() -> None:
    wanted = dataset("tank/a", replace(ONCE, mode=Mode.IGNORE))

    assert planned([wanted], [unmarked(wanted)]).is_empty


def test_what_lies_in_an_adopted_object_is_left_alone() -> None:
    wanted = dataset("tank/a", IF_EQUAL)

    plan = planned([wanted], [unmarked(wanted), observed("tank/a/b")])

    assert changes(plan) == ["adopt Dataset/tank/a"]
    assert not plan.blocked
    assert plan.unmanaged == 2, "the root of the pool, and what lies inside"


def test_adoptions_of_a_tree_stand_beside_creations_in_it() -> None:
    outer, inner, new = dataset("tank/a", IF_EQUAL), dataset("tank/a/b", IF_EQUAL), dataset("tank/a/c")

    plan = planned([outer, inner, new], [unmarked(outer), unmarked(inner)])

    assert sorted(changes(plan)) == ["adopt Dataset/tank/a", "adopt Dataset/tank/a/b", "create Dataset/tank/a/c"]


def test_an_object_that_lost_its_mark_is_taken_over_again_only_with_consent() -> None:
    wanted = dataset("tank/a", Lifecycle(on_removal=OnRemoval.DELETE), quota=GIB)
    again = replace(wanted, lifecycle=replace(wanted.lifecycle, adopt=Adopt.IF_EQUAL))
    there = unmarked(wanted)

    assert refusals(planned([wanted], [there], [row(wanted)])) == {"Dataset/tank/a": "notOurs"}
    assert changes(planned([again], [there], [row(wanted)])) == ["adopt Dataset/tank/a"]
    assert planned([], [there], [row(wanted)]).is_empty, "never pruned"


def test_a_rename_takes_nothing_over() -> None:
    plan = planned([dataset("tank/new", ONCE, moved_from="tank/a")], [observed("tank/a")])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/new": "notOurs"}
    assert "take it over as tank/a first" in cause(plan)


def test_a_policy_may_forbid_adoption() -> None:
    wanted = dataset("tank/a", IF_EQUAL)

    plan = planned([wanted], [unmarked(wanted)], guardrails=Guardrails(forbid_verbs=("adopt",)))

    assert refusals(plan) == {"Dataset/tank/a": "policy"}


def test_a_volume_is_adopted_with_its_size_grown_once() -> None:
    wanted = volume("tank/a", ONCE, size=2 * GIB)

    plan = planned([wanted], [observed("tank/a", {"size": GIB + 512 * MIB}, kind="Volume")])

    assert commands(plan)[-1] == f"zfs set volsize={2 * GIB} tank/a"
