"""Whatever is wanted, there and remembered: planning never raises, and takes nothing that it may not take."""

import random
from dataclasses import replace

from hypothesis import given, reject, settings
from hypothesis import strategies as st

from reconciler.model.change import NAME, REMOVALS, Verb
from reconciler.model.errors import ReconcilerError
from reconciler.model.guardrails import Guardrails
from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import Disruption, Lifecycle, OnRemoval, Protect
from reconciler.model.observed import Observed
from reconciler.model.plan import HostPlan
from reconciler.planning.graph import CycleError
from reconciler.planning.render_json import plan_digest, plan_document
from reconciler.planning.render_text import plan_lines
from tests.planning.random_world import random_host, random_rails
from tests.planning.world import HOST_ID, KINDS, OWNER, SOURCE, TRASH_PLACE, HostView, tree

seeds = st.integers(0, (1 << 64) - 1)


def plan_of(host: HostView, guardrails: Guardrails) -> HostPlan:
    """The plan, which is checked by its invariants, and can be shown both ways."""
    try:
        made = tree([host], guardrails=guardrails, source=replace(SOURCE, whole=host.whole))
    except ReconcilerError as refused:
        # What depends on something that lies in it can't be planned, and is refused by name.
        if isinstance(refused.__cause__, CycleError):
            reject()
        raise
    assert plan_digest(made) == plan_document(made)["digest"]
    assert list(plan_lines(made, KINDS))
    return made.hosts[0]


def governing(host: HostView, there: Observed) -> Lifecycle | None:
    """The lifecycle that was applied last, told apart from the planner: the ledger's, else what the mark says."""
    applied = host.ledger.get(Key(host.name, *there.name))
    if applied is not None:
        return applied.lifecycle
    assert there.mark is not None
    return Lifecycle(on_removal=there.mark.on_removal) if there.mark.on_removal else None


@settings(max_examples=600, deadline=None)
@given(seeds)
def test_nothing_is_destroyed_that_is_not_ours_and_released_by_its_last_lifecycle(seed: int) -> None:
    host, guardrails = random_host(seed), random_rails(seed)

    for action in plan_of(host, guardrails).actions:
        there = action.change.observed
        if action.verb not in REMOVALS:
            assert not any(step.destructive or "destroy" in step.command.argv for step in action.steps)
            continue
        assert there is not None
        mark = there.mark
        assert mark is not None
        assert (mark.owner, mark.name, mark.protect) == (OWNER, there.name, Protect.NONE)
        assert mark.host_id in (HOST_ID, "")
        assert not there.belongs_to
        applied = host.ledger.get(action.key)
        assert applied is None or applied.lifecycle.protect is Protect.NONE
        stated = host.resources.get(action.key)
        if action.verb is Verb.REPLACE:
            assert stated is not None
            assert stated.lifecycle.disruption is Disruption.REPLACE
            assert stated.lifecycle.protect is Protect.NONE
            last: Lifecycle | None = stated.lifecycle
        else:
            assert host.whole
            assert stated is None
            last = governing(host, there)
            assert last is not None
        assert last is not None
        if last.on_removal is OnRemoval.TRASH:
            assert action.change.trashing is not None
            assert not any(step.destructive or "destroy" in step.command.argv for step in action.steps)
            continue
        assert last.on_removal is OnRemoval.DELETE
        if there.removal is not None and there.removal.snapshots:
            assert last.delete_snapshots


@settings(max_examples=400, deadline=None)
@given(seeds)
def test_what_lies_in_the_trash_is_not_touched_and_its_key_not_made_anew(seed: int) -> None:
    host, guardrails = random_host(seed), random_rails(seed)
    entries = [one for one in host.inventory.objects.values() if one.name.name.startswith(f"{TRASH_PLACE}/")]
    waiting = {
        one.mark.name
        for one in entries
        if one.mark is not None and one.mark.owner == OWNER and one.mark.host_id in (HOST_ID, "")
        if one.trashed is not None and not one.trashed.replaced
    }

    for action in plan_of(host, guardrails).actions:
        assert action.verb is not Verb.CREATE or action.key.object not in waiting
        said = {part for step in action.steps for part in step.command.argv}
        assert said.isdisjoint(one.name.name for one in entries)


@settings(max_examples=400, deadline=None)
@given(seeds)
def test_nothing_that_a_manifest_means_to_rename_is_destroyed(seed: int) -> None:
    host, guardrails = random_host(seed), random_rails(seed)

    meant = {ObjectName(one.key.kind, one.moved_from) for one in host.resources.values() if one.moved_from is not None}

    for action in plan_of(host, guardrails).actions:
        assert action.verb not in (Verb.DELETE, Verb.FORGET) or action.key.object not in meant


@settings(max_examples=400, deadline=None)
@given(seeds)
def test_no_command_names_an_object_that_is_not_ours(seed: int) -> None:
    host, guardrails = random_host(seed), random_rails(seed)

    strangers = {
        there.name.name
        for there in host.inventory.objects.values()
        if there.mark is None or there.mark.owner != OWNER or there.mark.host_id not in (HOST_ID, "") or there.belongs_to
    }
    for action in plan_of(host, guardrails).actions:
        for step in action.steps:
            if step.command.changes:
                assert step.command.argv[-1] not in strangers


@settings(max_examples=400, deadline=None)
@given(seeds)
def test_nothing_that_stays_lies_in_what_is_destroyed_or_moves_unasked(seed: int) -> None:
    host, guardrails = random_host(seed), random_rails(seed)

    plan = plan_of(host, guardrails)
    run = [action for action in plan.actions if not action.report_only]
    destroyed = {action.change.observed.name.name for action in run if action.verb in REMOVALS and action.change.observed}
    renamed = {
        (action.change.observed.name, action.key.object)
        for action in run
        if action.change.field(NAME) and action.change.observed
    }
    sources = {old for old, _ in renamed}
    for name in host.inventory.objects:
        for container in destroyed:
            if name.name.startswith(f"{container}/"):
                assert name.name in destroyed or name in sources
        for old, new in renamed:
            if name.name.startswith(f"{old.name}/"):
                assert name.name in destroyed or name in sources, f"{name} would follow {old} to {new}"


@settings(max_examples=300, deadline=None)
@given(seeds)
def test_the_order_of_the_inputs_does_not_matter(seed: int) -> None:
    host, guardrails, chance = random_host(seed), random_rails(seed), random.Random(seed)

    def mixed(mapping: object) -> dict[object, object]:
        items = list(dict(mapping).items())  # type: ignore[call-overload]
        chance.shuffle(items)
        return dict(items)

    inventory = replace(host.inventory, objects=mixed(host.inventory.objects))  # type: ignore[arg-type]
    other = replace(host, resources=mixed(host.resources), inventory=inventory, ledger=mixed(host.ledger))  # type: ignore[arg-type]

    def digest(one: HostView) -> str:
        return plan_digest(tree([one], guardrails=guardrails, source=replace(SOURCE, whole=one.whole)))

    assert digest(other) == digest(host)
