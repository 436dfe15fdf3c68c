"""Judges a finished plan by rules that did not make it; a finding is a bug of ours, and such a plan is never shown."""

from collections.abc import Iterator, Mapping

from reconciler.model.change import REMOVALS, Verb
from reconciler.model.key import Key
from reconciler.model.lifecycle import Adopt, Protect
from reconciler.model.plan import Action, HostPlan, Plan
from reconciler.planning.digest import action_id
from reconciler.planning.items import removed_data
from reconciler.provider.kind import Kind

_PRUNING = frozenset({Verb.DELETE, Verb.TRASH, Verb.FORGET})


class PlanInvariantError(AssertionError):
    """The planner made a plan that must not exist."""


def check_plan(plan: Plan, kinds: Mapping[str, Kind]) -> None:
    """PlanInvariantError with all findings when the plan breaks a rule."""
    findings = [f"{host.host}: {finding}" for host in plan.hosts for finding in _findings(plan, host, kinds)]
    if findings:
        raise PlanInvariantError("the planner broke its own rules, nothing was done:\n" + "\n".join(findings))


def _findings(plan: Plan, host: HostPlan, kinds: Mapping[str, Kind]) -> Iterator[str]:
    yield from _graph_findings(host)
    blocked = {item.key for item in host.blocked}
    blind = {kind for trouble in host.unreadable for kind in trouble.kinds}
    if host.wrong_host and host.actions:
        yield "acts on a machine that is not the one that the Host manifest names"
    for action in host.actions:
        name = _name(action)
        if action.id != action_id(action.change, action.steps):
            yield f"{name}: its id does not belong to it"
        if action.key in blocked:
            yield f"{name}: is blocked and planned at once"
        if action.key.host != host.host:
            yield f"{name}: is in the plan of another host"
        if action.verb not in (Verb.ADOPT, Verb.FORGET) and not any(step.command.changes for step in action.steps):
            yield f"{name}: has no commands"
        if kinds[action.key.kind].observed_only:
            yield f"{name}: changes something that we only observe"
        if action.key.kind in blind:
            yield f"{name}: acts on a kind that could not be read"
        if action.verb in _PRUNING and not plan.source.whole:
            yield f"{name}: removes although the source was not read whole"
        yield from _adoption_findings(action)
        yield from _removal_findings(action, kinds[action.key.kind])


def _graph_findings(host: HostPlan) -> Iterator[str]:
    """Whether the order and the edges can be followed."""
    ids = {action.id for action in host.actions}
    done: set[str] = set()
    keys: set[Key] = set()
    if len(ids) != len(host.actions):
        yield "two actions have one id"
    for action in host.actions:
        if unknown := set(action.after) - ids:
            yield f"{_name(action)}: waits for actions that are not in the plan: {', '.join(sorted(unknown))}"
        elif not set(action.after) <= done:
            yield f"{_name(action)}: stands before an action that it waits for"
        if action.key in keys:
            yield f"{_name(action)}: is not the only action on its key"
        done.add(action.id)
        keys.add(action.key)


def _adoption_findings(action: Action) -> Iterator[str]:
    if action.verb is not Verb.ADOPT:
        return
    observed, resource, name = action.change.observed, action.change.resource, _name(action)
    if observed is None or observed.mark is not None or observed.belongs_to:
        yield f"{name}: takes over what is somebody's"
    if resource is None or resource.lifecycle.adopt is Adopt.NEVER:
        yield f"{name}: takes over without consent"
    elif resource.lifecycle.adopt is Adopt.IF_EQUAL and action.change.fields:
        yield f"{name}: changes fields although only marks may be written"


def _removal_findings(action: Action, kind: Kind) -> Iterator[str]:
    observed, name = action.change.observed, _name(action)
    destructive = any(step.destructive for step in action.steps)
    if action.verb not in REMOVALS:
        if destructive and not removed_data(kind, action.change.fields):
            yield f"{name}: destroys although it is no removal"
        return
    if observed is None or (observed.mark is None and kind.carries_mark):
        yield f"{name}: takes away what we can't show to be ours"
    elif observed.mark is not None and observed.mark.protect is not Protect.NONE:
        yield f"{name}: takes away what is protected"
    if action.change.trashing is not None:
        if destructive:
            yield f"{name}: destroys what it should keep in the trash"
        if not any(step.look_first for step in action.steps):
            yield f"{name}: takes the object away without one more look"
    elif action.verb is Verb.TRASH:
        yield f"{name}: does not say how it goes into the trash"
    elif not destructive:
        yield f"{name}: destroys by a step that is not marked destructive"


def _name(action: Action) -> str:
    return f"{action.verb} {action.key}"
