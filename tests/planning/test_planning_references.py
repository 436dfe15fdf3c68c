"""What must be there first: containers, origins, and what a manifest says it depends on."""

from dataclasses import replace

import pytest

from reconciler.model.errors import ReconcilerError
from reconciler.model.lifecycle import Mode
from reconciler.model.observed import Removal
from tests.planning.guests import guest
from tests.planning.guests import planned as guests_planned
from tests.planning.world import (
    DELETE,
    GIB,
    KIB,
    ORPHAN,
    cause,
    changes,
    commands,
    dataset,
    observed,
    planned,
    refusals,
    row,
    standing,
    volume,
    waits,
)


def test_containers_are_made_first() -> None:
    plan = planned([dataset("tank/a/b/c"), volume("tank/a/v"), dataset("tank/a/b"), dataset("tank/a")])

    assert waits(plan) == {
        "Dataset/tank/a": set(),
        "Dataset/tank/a/b": {"Dataset/tank/a"},
        "Dataset/tank/a/b/c": {"Dataset/tank/a/b"},
        "Volume/tank/a/v": {"Dataset/tank/a"},
    }
    assert changes(plan)[0] == "create Dataset/tank/a"


def test_a_container_that_nobody_manages_is_enough() -> None:
    assert changes(planned([dataset("tank/a/b")], [observed("tank/a")])) == ["create Dataset/tank/a/b"]


def test_without_its_container_an_object_is_not_made() -> None:
    plan = planned([dataset("tank/a/b")])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a/b": "missingReference"}
    assert "it lies in Dataset/tank/a, which is neither on the host nor in the repository" in cause(plan)
    assert "spec.createParents: true" in cause(plan)


def test_a_narrowed_plan_does_not_say_that_a_manifest_is_missing() -> None:
    lies_in = planned([dataset("tank/a/b")], whole=False)
    depends = planned([replace(dataset("tank/b"), depends_on=(dataset("tank/a").key.object,))], whole=False)

    for plan in (lies_in, depends):
        assert set(refusals(plan).values()) == {"missingReference"}
        assert "Dataset/tank/a, which is not on the host, and this plan is narrowed" in cause(plan)
        assert "plan without --kind and --name" in cause(plan)


def test_create_parents_makes_missing_containers_along_with_it() -> None:
    plan = planned([dataset("tank/a/b/c", parents=True)])

    assert commands(plan)[0].startswith("zfs create -p -o ")
    assert plan.blocked == ()


def test_create_parents_still_waits_for_a_container_that_has_a_manifest() -> None:
    plan = planned([dataset("tank/a"), dataset("tank/a/b", parents=True)])

    assert waits(plan)["Dataset/tank/a/b"] == {"Dataset/tank/a"}


def test_create_parents_makes_no_container_of_a_volume() -> None:
    plan = planned([dataset("tank/v/a/b", parents=True)], [observed("tank/v", kind="Volume")])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/v/a/b": "nameTaken"}


def test_create_parents_makes_no_container_where_a_volume_is_wanted() -> None:
    plan = planned([volume("tank/v"), dataset("tank/v/a", parents=True)])

    assert changes(plan) == ["create Volume/tank/v"]
    assert refusals(plan) == {"Dataset/tank/v/a": "nameTaken"}


def test_a_volume_is_no_container() -> None:
    plan = planned([dataset("tank/v/a")], [observed("tank/v", kind="Volume")])

    assert refusals(plan) == {"Dataset/tank/v/a": "missingReference"}


def test_a_clone_waits_for_its_origin() -> None:
    plan = planned([dataset("tank/a", origin="tank/z@v1"), dataset("tank/z")])

    assert waits(plan)["Dataset/tank/a"] == {"Dataset/tank/z"}


def test_an_origin_that_is_not_there_is_named_with_its_field() -> None:
    plan = planned([dataset("tank/a", origin="tank/z@v1")])

    assert refusals(plan) == {"Dataset/tank/a": "missingReference"}
    assert "spec.origin needs tank/z (Dataset, Volume or Image)" in cause(plan)


def test_what_is_to_be_removed_can_hold_nothing_new() -> None:
    gone = dataset("tank/a", DELETE)

    plan = planned([dataset("tank/a/b")], [standing(gone)])

    assert refusals(plan) == {"Dataset/tank/a/b": "missingReference"}
    assert "it needs Dataset/tank/a, which is to be removed" in cause(plan)


def test_what_is_only_forgotten_can_hold_something_new() -> None:
    plan = planned([dataset("tank/a/b")], [standing(dataset("tank/a", ORPHAN))])

    assert changes(plan) == ["forget Dataset/tank/a", "create Dataset/tank/a/b"]


def test_what_is_removed_in_word_only_can_hold_something_new() -> None:
    reported = dataset("tank/a", replace(DELETE, mode=Mode.REPORT))

    plan = planned([dataset("tank/a/b")], [standing(reported)], [row(reported)])

    assert changes(plan) == ["delete Dataset/tank/a", "create Dataset/tank/a/b"]
    assert [action.report_only for action in plan.actions] == [True, False]


def test_what_needs_a_blocked_object_is_blocked_with_its_remedy() -> None:
    plan = planned([dataset("tank/a", compression="zstd"), dataset("tank/a/b"), dataset("tank/a/b/c")])

    assert refusals(plan) == {
        "Dataset/tank/a": "unsupported",
        "Dataset/tank/a/b": "missingReference",
        "Dataset/tank/a/b/c": "missingReference",
    }
    first, *others = (item.remedy for item in plan.blocked)
    assert others == [f"first unblock Dataset/tank/a: {first}"] * 2


def test_what_needs_an_object_that_is_blocked_but_there_is_made() -> None:
    small = volume("tank/v", size=KIB)

    plan = planned([small, dataset("tank/b")], [standing(small, fields={"size": GIB})])

    assert changes(plan) == ["create Dataset/tank/b"]


def test_dependencies_that_references_cannot_say_give_an_order() -> None:
    plan = planned([dataset("tank/a", depends_on=["Volume/tank/v"]), volume("tank/v")])

    assert waits(plan)["Dataset/tank/a"] == {"Volume/tank/v"}


@pytest.mark.parametrize(
    ("needed", "reason"),
    [
        (volume("tank/v", compression="zstd"), "it is blocked"),
        (None, "it is not there"),
    ],
)
def test_what_depends_on_something_that_will_not_be_there_is_blocked(needed: object, reason: str) -> None:
    waiting = dataset("tank/a", depends_on=["Volume/tank/v"])

    plan = planned([waiting] if needed is None else [waiting, needed])  # type: ignore[list-item]

    assert changes(plan) == []
    assert refusals(plan)["Dataset/tank/a"] == "missingReference", reason


def test_references_that_go_round_are_an_error_that_prints_the_path() -> None:
    one = dataset("tank/a", depends_on=["Dataset/tank/b"])
    two = dataset("tank/b", depends_on=["Dataset/tank/c"])
    three = dataset("tank/c", depends_on=["Dataset/tank/a"])

    with pytest.raises(ReconcilerError) as failed:
        planned([one, two, three])

    path = "hv01/Dataset/tank/a -> hv01/Dataset/tank/b -> hv01/Dataset/tank/c -> hv01/Dataset/tank/a"
    assert failed.value.cause == f"references go round: {path}"
    assert failed.value.remedy == "remove one of these references"


def test_an_update_needs_no_order_beyond_what_is_there() -> None:
    outer, inner = dataset("tank/a", compression="lz4"), dataset("tank/a/b", compression="lz4")
    off = {"properties.compression": "off"}

    plan = planned([outer, inner], [standing(outer, fields=off), standing(inner, fields=off)])

    assert waits(plan) == {"Dataset/tank/a": set(), "Dataset/tank/a/b": {"Dataset/tank/a"}}


def test_an_origin_may_not_go_while_a_new_clone_of_it_is_wanted() -> None:
    golden = dataset("tank/golden", DELETE)

    plan = planned([dataset("tank/a", origin="tank/golden@v1")], [standing(golden, removal=Removal(KIB))])

    assert refusals(plan) == {"Dataset/tank/a": "missingReference"}


def test_a_reference_that_leads_nowhere_names_what_was_probably_meant() -> None:
    near = guests_planned(guest(nics=("net0",), nics__net0__over="externl"))
    far = guests_planned(guest(nics=("net0",), nics__net0__over="zzz"))

    assert "did you mean external? Else write a manifest for Etherstub/externl" in cause(near)
    assert cause(far).endswith("remedy: write a manifest for Etherstub/zzz")
    assert "needs zzz (Etherstub, " in cause(far)
