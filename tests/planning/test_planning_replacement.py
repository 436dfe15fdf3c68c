"""Changes that an object can't take: replaced where that is permitted, refused where data would be cut off."""

from dataclasses import replace

import pytest

from reconciler.model.change import Effect
from reconciler.model.lifecycle import Disruption, Lifecycle
from reconciler.model.observed import Removal
from tests.planning.world import (
    DELETE,
    GIB,
    KIB,
    ORPHAN,
    REPLACE,
    TIB,
    cause,
    changes,
    commands,
    dataset,
    observed,
    planned,
    refusals,
    standing,
    volume,
)

MIXED = {"properties.casesensitivity": "mixed"}
WANTED = dataset("tank/a", REPLACE, casesensitivity="sensitive")


def test_a_replacement_destroys_and_makes_anew_in_one_action() -> None:
    plan = planned([WANTED], [standing(WANTED, fields=MIXED, removal=Removal(GIB))])

    assert [command.partition(" -o ")[0] for command in commands(plan)] == ["zfs destroy tank/a", "zfs create"]
    assert [(action.verb, action.effect, action.reversible, action.at_risk.bytes) for action in plan.actions] == [
        ("replace", Effect.REPLACE, False, GIB)
    ]


@pytest.mark.parametrize("disruption", [Disruption.NONE, Disruption.RESTART])
def test_a_replacement_needs_disruption_replace(disruption: Disruption) -> None:
    wanted = dataset("tank/a", replace(DELETE, disruption=disruption), casesensitivity="sensitive")

    plan = planned([wanted], [standing(wanted, fields=MIXED)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "disruption"}
    assert "lifecycle.disruption: replace" in cause(plan)


def test_a_replacement_under_orphan_finds_its_name_taken() -> None:
    wanted = dataset("tank/a", replace(ORPHAN, disruption=Disruption.REPLACE), casesensitivity="sensitive")

    assert refusals(planned([wanted], [standing(wanted, fields=MIXED)])) == {"Dataset/tank/a": "nameTaken"}


def test_a_replacement_takes_no_snapshot_without_permission() -> None:
    there = standing(WANTED, fields=MIXED, removal=Removal(GIB, ("tank/a@one",)))
    permitting = replace(WANTED, lifecycle=replace(REPLACE, delete_snapshots=True))

    assert refusals(planned([WANTED], [there])) == {"Dataset/tank/a": "dataAtRisk"}
    assert commands(planned([permitting], [there]))[:2] == ["zfs destroy tank/a@one", "zfs destroy tank/a"]


def test_a_dataset_that_holds_another_is_not_replaced() -> None:
    kept = dataset("tank/a/b")

    plan = planned([WANTED, kept], [standing(WANTED, fields=MIXED), standing(kept)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "dependents"}


def test_a_held_snapshot_stops_a_replacement() -> None:
    wanted = replace(WANTED, lifecycle=replace(REPLACE, delete_snapshots=True))
    removal = Removal(KIB, ("tank/a@one",), ("snapshot tank/a@one is held",))

    assert refusals(planned([wanted], [standing(wanted, fields=MIXED, removal=removal)])) == {"Dataset/tank/a": "dependents"}


def test_what_lies_in_a_replaced_dataset_is_made_after_it() -> None:
    plan = planned([WANTED, dataset("tank/a/b")], [standing(WANTED, fields=MIXED)])

    assert changes(plan) == ["replace Dataset/tank/a", "create Dataset/tank/a/b"]
    assert plan.actions[1].after == (plan.actions[0].id,)


def test_a_clone_is_not_replaced_by_one_of_an_origin_that_goes() -> None:
    gone = dataset("tank/golden", DELETE)
    web = dataset("tank/web", REPLACE, origin="tank/golden@v2")
    there = [standing(gone), standing(web, fields={"origin": "tank/other@v1"}, references=()), observed("tank/other")]

    plan = planned([web], there)

    assert refusals(plan)["Dataset/tank/web"] == "missingReference", "the old one would be gone and the new one not made"
    assert "replace Dataset/tank/web" not in changes(plan)


def test_a_field_that_never_changes_is_immutable() -> None:
    wanted = volume("tank/v", sparse=True)

    plan = planned([wanted], [standing(wanted, fields={"size": GIB, "sparse": False})])

    assert changes(plan) == []
    assert refusals(plan) == {"Volume/tank/v": "immutable"}
    assert "sparse is false and can't change after creation (wanted true)" in cause(plan)


def test_a_volume_grows_in_place() -> None:
    wanted = volume("tank/v", size=2 * GIB)

    assert commands(planned([wanted], [standing(wanted, fields={"size": GIB})])) == ["zfs set volsize=2147483648 tank/v"]


@pytest.mark.parametrize("lifecycle", [Lifecycle(), DELETE, REPLACE])
def test_a_volume_never_shrinks(lifecycle: Lifecycle) -> None:
    wanted = volume("tank/v", lifecycle, size=GIB)

    plan = planned([wanted], [standing(wanted, fields={"size": 3 * GIB})])

    assert changes(plan) == []
    assert refusals(plan) == {"Volume/tank/v": "dataAtRisk"}
    assert "would shrink from 3GiB to 1GiB: 2.0 GiB at its end would be cut off" in cause(plan)


def test_a_refused_field_refuses_the_object_and_its_other_fields() -> None:
    wanted = volume("tank/v", size=GIB, compression="lz4")

    plan = planned([wanted], [standing(wanted, fields={"size": TIB, "properties.compression": "off"})])

    assert changes(plan) == [], "half of a revision is not applied to an object"


def test_a_refusal_names_the_first_field_by_name_however_the_manifest_orders_them() -> None:
    one = volume("tank/v", size=GIB, sparse=True)
    other = replace(one, fields=dict(reversed(list(one.fields.items()))))
    there = standing(one, fields={"size": TIB, "sparse": False})

    assert planned([one], [there]).blocked == planned([other], [there]).blocked
