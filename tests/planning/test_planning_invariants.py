"""A finished plan is judged by rules that did not make it; each breach is told once."""

from dataclasses import replace

import pytest

from reconciler.model.change import Change, FieldChange, Verb
from reconciler.model.key import Key
from reconciler.model.lifecycle import Adopt, Lifecycle, Protect
from reconciler.model.observed import Unreadable
from reconciler.model.plan import Action, Blocked, HostPlan, Plan, Reason
from reconciler.planning.digest import action_id
from reconciler.planning.invariants import PlanInvariantError, check_plan
from tests.planning.world import (
    DELETE,
    KINDS,
    NOW,
    ORPHAN,
    SOURCE,
    dataset,
    mark,
    observed,
    planned,
    resource,
    row,
    standing,
)

GONE = dataset("tank/gone", DELETE)
MADE = dataset("tank/made")
GOOD = planned([MADE], [standing(GONE)], [row(GONE)])
DELETION, CREATION = GOOD.actions
EQUAL = dataset("tank/there", Lifecycle(adopt=Adopt.IF_EQUAL))
(ADOPTION,) = planned([EQUAL], [standing(EQUAL, mark=None)]).actions


def judged(host: HostPlan) -> list[str]:
    """The findings about a plan of this host."""
    try:
        check_plan(Plan(SOURCE, NOW, (host,)), KINDS)
    except PlanInvariantError as error:
        first, *findings = str(error).splitlines()
        assert first == "the planner broke its own rules, nothing was done:"
        return [finding.removeprefix("hv01: ") for finding in findings]
    return []


def with_actions(*actions: Action) -> HostPlan:
    return replace(GOOD, actions=actions)


def renewed(action: Action, **changed: object) -> Action:
    """The action with its id made anew."""
    made = replace(action, **changed)  # type: ignore[arg-type]
    return replace(made, id=action_id(made.change, made.steps))


def changed(action: Action, **parts: object) -> Action:
    """The action of another change, with the steps as they were."""
    return renewed(action, change=replace(action.change, **parts))  # type: ignore[arg-type]


def test_a_good_plan_passes() -> None:
    assert judged(GOOD) == []


def test_adopting_and_forgetting_need_no_commands() -> None:
    orphan = dataset("tank/orphan", ORPHAN)
    (action,) = planned([], [standing(orphan)]).actions

    assert judged(with_actions(renewed(action, steps=()))) == []
    assert judged(with_actions(renewed(ADOPTION, steps=()))) == []


POOL = Change(Key("hv01", "Pool", "tank"), Verb.UPDATE, resource=resource("Pool", "tank"))
LOOKING = tuple(replace(step, command=replace(step.command, changes=False)) for step in CREATION.steps)
GENTLE = tuple(replace(step, destructive=False) for step in DELETION.steps)
PROTECTED = standing(GONE, mark=mark("tank/gone", DELETE, protect=Protect.REMOVAL))
ELSEWHERE = Change(Key("hv02", "Dataset", "tank/made"), Verb.CREATE, resource=MADE)


@pytest.mark.parametrize(
    ("bad", "finding"),
    [
        (
            with_actions(CREATION, CREATION),
            "two actions have one id",
        ),
        (
            with_actions(CREATION, renewed(CREATION, steps=CREATION.steps * 2)),
            "create hv01/Dataset/tank/made: is not the only action on its key",
        ),
        (
            replace(with_actions(CREATION), wrong_host="another machine"),
            "acts on a machine that is not the one that the Host manifest names",
        ),
        (
            with_actions(replace(CREATION, id="0" * 16)),
            "create hv01/Dataset/tank/made: its id does not belong to it",
        ),
        (
            with_actions(replace(CREATION, after=("f" * 16,))),
            "create hv01/Dataset/tank/made: waits for actions that are not in the plan: ffffffffffffffff",
        ),
        (
            with_actions(replace(CREATION, after=(DELETION.id,)), DELETION),
            "create hv01/Dataset/tank/made: stands before an action that it waits for",
        ),
        (
            replace(GOOD, blocked=(Blocked(MADE.key, Verb.CREATE, Reason.NOT_OURS, "cause", "remedy"),)),
            "create hv01/Dataset/tank/made: is blocked and planned at once",
        ),
        (
            with_actions(renewed(CREATION, change=ELSEWHERE)),
            "create hv02/Dataset/tank/made: is in the plan of another host",
        ),
        (
            with_actions(renewed(CREATION, steps=())),
            "create hv01/Dataset/tank/made: has no commands",
        ),
        (
            with_actions(renewed(CREATION, steps=LOOKING)),
            "create hv01/Dataset/tank/made: has no commands",
        ),
        (
            with_actions(renewed(CREATION, change=POOL)),
            "update hv01/Pool/tank: changes something that we only observe",
        ),
        (
            with_actions(renewed(CREATION, steps=DELETION.steps)),
            "create hv01/Dataset/tank/made: destroys although it is no removal",
        ),
        (
            with_actions(changed(DELETION, observed=observed("tank/gone"))),
            "delete hv01/Dataset/tank/gone: takes away what we can't show to be ours",
        ),
        (
            with_actions(changed(DELETION, observed=None)),
            "delete hv01/Dataset/tank/gone: takes away what we can't show to be ours",
        ),
        (
            with_actions(changed(DELETION, observed=PROTECTED)),
            "delete hv01/Dataset/tank/gone: takes away what is protected",
        ),
        (
            with_actions(renewed(DELETION, steps=GENTLE)),
            "delete hv01/Dataset/tank/gone: destroys by a step that is not marked destructive",
        ),
        (
            with_actions(changed(ADOPTION, observed=standing(EQUAL, mark=mark("tank/there", owner="others")))),
            "adopt hv01/Dataset/tank/there: takes over what is somebody's",
        ),
        (
            with_actions(changed(ADOPTION, observed=standing(EQUAL, mark=None, belongs_to="a guest"))),
            "adopt hv01/Dataset/tank/there: takes over what is somebody's",
        ),
        (
            with_actions(changed(ADOPTION, resource=dataset("tank/there"))),
            "adopt hv01/Dataset/tank/there: takes over without consent",
        ),
        (
            with_actions(changed(ADOPTION, fields=(FieldChange("properties.atime", "on", "off"),))),
            "adopt hv01/Dataset/tank/there: changes fields although only marks may be written",
        ),
        (
            replace(with_actions(CREATION), unreadable=(Unreadable("zfs", ("Dataset",), "cause", "remedy"),)),
            "create hv01/Dataset/tank/made: acts on a kind that could not be read",
        ),
    ],
)
def test_a_bad_plan_is_refused_with_one_finding(bad: HostPlan, finding: str) -> None:
    assert [text for text in judged(bad) if text == finding] == [finding]


def test_a_narrowed_plan_that_prunes_is_refused() -> None:
    with pytest.raises(PlanInvariantError, match="delete hv01/Dataset/tank/gone: removes although"):
        check_plan(Plan(replace(SOURCE, whole=False), NOW, (with_actions(DELETION),)), KINDS)


def test_all_findings_are_told() -> None:
    bad = with_actions(replace(CREATION, id="0" * 16, after=("f" * 16,)))

    assert len(judged(bad)) == 2
