"""Is a change done, and has an object moved since it was planned to go?"""

from dataclasses import replace

import pytest

from reconciler.model.change import Change, FieldChange, Verb
from reconciler.model.lifecycle import Lifecycle, Protect
from reconciler.model.observed import Observed, Removal
from reconciler.planning.goal import is_reached, movement
from tests.planning.world import DELETE, GIB, KIB, KINDS, dataset, mark, standing

DATASET = KINDS["Dataset"]
WANTED = dataset("tank/a", quota=GIB)
CREATED = Change(WANTED.key, Verb.CREATE, resource=WANTED, mark=mark("tank/a"))
THERE = standing(WANTED)
GONE = Change(WANTED.key, Verb.DELETE, observed=THERE)


@pytest.mark.parametrize(
    ("there", "done", "reason"),
    [
        (THERE, True, "as wanted"),
        (None, False, "not there"),
        (replace(THERE, mark=None), False, "somebody else made one of the same name"),
        (replace(THERE, mark=mark("tank/a", owner="others")), False, "another repository made one"),
        (replace(THERE, mark=mark("tank/a", protect=Protect.ALL)), False, "a mark that says something else"),
        (replace(THERE, fields={"properties.quota": 1}), False, "another value"),
        (replace(THERE, fields={}), False, "nobody read the field"),
        (replace(THERE, fields={"properties.quota": GIB, "mounted": True}), True, "made and mounted"),
        (replace(THERE, fields={"properties.quota": GIB, "mounted": False}), False, "made and not mounted"),
    ],
)
def test_a_creation_is_done_when_the_object_is_whole(there: Observed | None, done: bool, reason: str) -> None:
    assert is_reached(DATASET, CREATED, there) is done, reason


def test_an_update_does_not_judge_what_it_does_not_touch() -> None:
    update = replace(CREATED, verb=Verb.UPDATE, fields=(FieldChange("properties.quota", 1, GIB),))
    unmounted = replace(THERE, fields={"properties.quota": GIB, "mounted": False})

    assert is_reached(DATASET, update, unmounted)


def test_an_update_that_mounts_is_done_when_it_is_mounted() -> None:
    update = replace(CREATED, verb=Verb.UPDATE, fields=(FieldChange("mounted", False, True),))

    assert not is_reached(DATASET, update, replace(THERE, fields={"properties.quota": GIB, "mounted": False}))
    assert is_reached(DATASET, update, replace(THERE, fields={"properties.quota": GIB, "mounted": True}))


def test_ignored_fields_need_not_be_reached() -> None:
    ignoring = dataset("tank/a", Lifecycle(ignore=("properties.quota",)), quota=GIB)
    change = replace(CREATED, resource=ignoring)

    assert is_reached(DATASET, change, replace(THERE, fields={}))


def test_a_deletion_is_done_when_nothing_is_there() -> None:
    assert is_reached(DATASET, GONE, None)
    assert not is_reached(DATASET, GONE, THERE)


def test_forgetting_is_done_when_the_object_is_there_without_a_mark() -> None:
    forget = replace(GONE, verb=Verb.FORGET)

    assert is_reached(DATASET, forget, replace(THERE, mark=None))
    assert not is_reached(DATASET, forget, THERE)
    assert not is_reached(DATASET, forget, None)


PLANNED = replace(GONE, observed=standing(dataset("tank/a", DELETE), removal=Removal(KIB, ("tank/a@one",))))
SEEN = PLANNED.observed
assert SEEN is not None


@pytest.mark.parametrize(
    ("now", "phrase"),
    [
        (SEEN, ""),
        (replace(SEEN, removal=Removal(GIB, ())), ""),
        (None, "it is gone"),
        (replace(SEEN, identity="another guid"), "it is another object of the same name"),
        (replace(SEEN, mark=None), "its mark has changed"),
        (replace(SEEN, mark=mark("tank/a", DELETE, protect=Protect.REMOVAL)), "its mark has changed"),
        (replace(SEEN, mark=mark("tank/a", DELETE, owner="others")), "its mark has changed"),
        (replace(SEEN, removal=None), "what a removal would cost could not be read"),
        (replace(SEEN, removal=Removal(KIB, ("tank/a@one", "tank/a@two"))), "it has new snapshots: tank/a@two"),
        (replace(SEEN, removal=Removal(KIB, ("tank/a@one",), ("snapshot tank/a@one is held",))), "snapshot tank/a@one is held"),
    ],
)
def test_an_object_has_moved_when_anything_that_the_plan_relied_on_changed(now: Observed | None, phrase: str) -> None:
    assert movement(PLANNED, now) == phrase
