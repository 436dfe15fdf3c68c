"""Plans over the trash: bringing objects back, and letting go of them for good."""

from collections.abc import Sequence
from dataclasses import replace

from reconciler.model.desired import Desired
from reconciler.model.guardrails import Guardrails
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import Protect
from reconciler.model.observed import Observed, Removal
from reconciler.model.plan import HostPlan
from reconciler.planning.trash import PURGE, RESTORE, TrashEntry, plan_trash, trash_entries
from tests.planning.world import (
    KINDS,
    MIB,
    NOW,
    OWNER,
    SOURCE,
    TRASH_PLACE,
    changes,
    commands,
    dataset,
    in_trash,
    mark,
    observed,
    refusals,
    standing,
    view,
    waits,
)

DESIRED = Desired(SOURCE.revision, OWNER)


def restored(there: Sequence[Observed], chosen: Sequence[TrashEntry] | None = None) -> HostPlan:
    one = replace(view([], there), whole=False)
    entries = trash_entries(one, OWNER) if chosen is None else chosen
    return plan_trash(RESTORE, DESIRED, [one], KINDS, SOURCE, NOW, entries).hosts[0]


def purged(there: Sequence[Observed], leave: str = "") -> HostPlan:
    one = replace(view([], there), whole=False)
    entries = [entry for entry in trash_entries(one, OWNER) if entry.key.name != leave]
    return plan_trash(PURGE, DESIRED, [one], KINDS, SOURCE, NOW, entries).hosts[0]


def test_containers_come_back_before_what_lay_in_them() -> None:
    plan = restored([in_trash(dataset("tank/a/b"), number=1), in_trash(dataset("tank/a"), number=2)])

    assert changes(plan) == ["restore Dataset/tank/a", "restore Dataset/tank/a/b"]
    assert waits(plan)["Dataset/tank/a/b"] == {"Dataset/tank/a"}


def test_what_has_no_container_any_more_does_not_come_back() -> None:
    plan = restored([in_trash(dataset("tank/a/b"))])

    assert refusals(plan) == {"Dataset/tank/a/b": "missingReference"}


def test_nothing_comes_back_under_a_container_that_does_not() -> None:
    plan = restored([observed("tank/a"), in_trash(dataset("tank/a"), number=1), in_trash(dataset("tank/a/b"), number=2)])

    assert refusals(plan) == {"Dataset/tank/a": "nameTaken", "Dataset/tank/a/b": "missingReference"}


def test_an_encryption_root_brings_the_trash_below_it_along() -> None:
    root = in_trash(dataset("tank/enc"), number=1)
    below = in_trash(dataset("tank/enc/a"), number=2)
    inner = f"{root.name.name}/.reconciler-trash/{below.name.name.rpartition('/')[2]}"

    plan = restored([root, replace(below, name=ObjectName("Dataset", inner))])

    moved = [command for command in commands(plan) if " rename " in command]
    assert moved[0].endswith(" tank/enc")
    assert moved[1] == f"zfs rename tank/enc{inner[len(root.name.name) :]} tank/enc/a"


def test_the_last_purge_takes_the_place_along_after_all_others() -> None:
    plan = purged([in_trash(dataset("tank/a"), number=1), in_trash(dataset("tank/b"), number=2)])

    assert commands(plan)[-1] == f"zfs destroy {TRASH_PLACE}"
    assert sum(command == f"zfs destroy {TRASH_PLACE}" for command in commands(plan)) == 1
    assert waits(plan)[str(plan.actions[-1].key.object)] == {str(plan.actions[0].key.object)}


def test_a_place_in_which_something_stays_stays() -> None:
    plan = purged([in_trash(dataset("tank/a"), number=1), in_trash(dataset("tank/b"), number=2)], leave="tank/b")

    assert len(plan.actions) == 1
    assert f"zfs destroy {TRASH_PLACE}" not in commands(plan)


def test_a_purge_names_each_snapshot_and_shows_what_is_lost() -> None:
    kept = in_trash(dataset("tank/a"))
    name = kept.name.name
    plan = purged([replace(kept, removal=Removal(5 * MIB, (f"{name}@one", f"{name}@two")))])

    assert commands(plan)[:3] == [f"zfs destroy {name}@one", f"zfs destroy {name}@two", f"zfs destroy {name}"]
    assert (plan.actions[0].at_risk.bytes, plan.actions[0].at_risk.snapshots) == (5 * MIB, 2)
    assert not plan.actions[0].reversible


def test_what_is_protected_or_held_in_the_trash_is_not_purged() -> None:
    protected = in_trash(dataset("tank/a"), number=1)
    protected = replace(protected, mark=mark("tank/a", protect=Protect.REMOVAL))
    held = in_trash(dataset("tank/b"), number=2)
    held = replace(held, removal=Removal(MIB, (f"{held.name.name}@x",), (f"snapshot {held.name.name}@x is held",)))

    plan = purged([protected, held])

    assert sorted(refusals(plan).values()) == ["dependents", "protected"]
    assert "clear that on the host first, or leave it in the trash" in {item.remedy for item in plan.blocked}


def test_nothing_but_what_lies_in_the_trash_is_an_entry() -> None:
    one = view([], [standing(dataset("tank/a")), in_trash(dataset("tank/b"))])

    assert [entry.key.name for entry in trash_entries(one, OWNER)] == ["tank/b"]
    assert trash_entries(one, "another") == ()


def test_guardrails_protect_what_lies_in_the_trash_under_the_name_that_it_had() -> None:
    one = replace(view([], [in_trash(dataset("tank/a"), number=1), in_trash(dataset("tank/b"), number=2)]), whole=False)
    desired = replace(DESIRED, guardrails=Guardrails(protect=("*/Dataset/tank/a",)))

    plan = plan_trash(PURGE, desired, [one], KINDS, SOURCE, NOW, trash_entries(one, OWNER)).hosts[0]

    assert list(refusals(plan).values()) == ["protected"]
    assert len(changes(plan)) == 1


def test_a_forbidden_verb_is_not_planned_over_the_trash_either() -> None:
    one = replace(view([], [in_trash(dataset("tank/a"), number=1)]), whole=False)
    desired = replace(DESIRED, guardrails=Guardrails(forbid_verbs=("delete",)))

    plan = plan_trash(PURGE, desired, [one], KINDS, SOURCE, NOW, trash_entries(one, OWNER)).hosts[0]

    assert list(refusals(plan).values()) == ["policy"]


def test_a_place_of_which_there_are_snapshots_stays() -> None:
    place = replace(observed(TRASH_PLACE), removal=Removal(0, (f"{TRASH_PLACE}@daily",)))

    plan = purged([place, in_trash(dataset("tank/a"))])

    assert f"zfs destroy {TRASH_PLACE}" not in commands(plan)
