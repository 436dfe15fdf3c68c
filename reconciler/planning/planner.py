"""plan(): desired state and what is there in, actions and refusals out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from reconciler.model.change import NAME, REMOVALS, Change, Effect, Verb
from reconciler.model.command import Step
from reconciler.model.desired import Desired
from reconciler.model.errors import InvalidValue, ReconcilerError
from reconciler.model.guardrails import Guardrails
from reconciler.model.key import Key, ObjectName
from reconciler.model.plan import Action, AtRisk, Blocked, HostPlan, Plan, PlanSource, Reason
from reconciler.model.trash import trash_group, trash_time
from reconciler.planning.digest import action_id
from reconciler.planning.draft import Draft, Drafted
from reconciler.planning.graph import CycleError, ordered
from reconciler.planning.guardrail import NOTHING_TAKEN, Taken, enforce_guardrails, enforce_policy
from reconciler.planning.held import enforce_holds
from reconciler.planning.identity import chosen_identity, identities, named_by_manifests
from reconciler.planning.invariants import check_plan
from reconciler.planning.items import Keeping, becomes_of, removed_data, size_of_item
from reconciler.planning.ownership import is_unmanaged
from reconciler.planning.removals import draft_removals
from reconciler.planning.renames import find_renames
from reconciler.planning.settle import namesakes, settle
from reconciler.planning.view import HostView
from reconciler.planning.wanted import draft_wanted
from reconciler.planning.words import WRONG_HOST_REMEDY
from reconciler.provider.field import Changing
from reconciler.provider.kind import Kind

_TELLING = (Effect.REPLACE, Effect.RESTART, Effect.STAGED, Effect.IN_PLACE)

_REMOVING = frozenset({Verb.TRASH, Verb.DELETE, Verb.FORGET})


def plan(
    desired: Desired,
    views: Sequence[HostView],
    kinds: Mapping[str, Kind],
    source: PlanSource,
    created_at: datetime,
    known_hosts: frozenset[str] = frozenset(),
    elsewhere: Taken = NOTHING_TAKEN,
    ceilings: Guardrails | None = None,
) -> Plan:
    """The plan of all hosts in `views`. `known_hosts` are those we have applied to before; `elsewhere` is what the same
    revision takes away on hosts that are not in `views`; `ceilings` hold beside the repository's guardrails.

    Actions, their order and ids don't depend on `created_at`. ReconcilerError when references go round.
    """
    stamp = trash_time(created_at), trash_group(desired.revision)
    drafts = [_draft(desired, view, kinds, stamp, ceilings) for view in views]
    for draft in drafts:
        enforce_policy(draft)
        enforce_holds(draft)
        settle(draft)
    if enforce_guardrails(drafts, elsewhere):
        for draft in drafts:
            settle(draft)
    made = Plan(
        source=source,
        created_at=created_at,
        hosts=tuple(sorted((host_plan(draft) for draft in drafts), key=lambda host: host.host)),
        forgotten=tuple(sorted(known_hosts - desired.hosts.keys())) if desired.whole else (),
    )
    check_plan(made, kinds)
    return made


def _draft(
    desired: Desired, view: HostView, kinds: Mapping[str, Kind], stamp: tuple[str, str], ceilings: Guardrails | None
) -> Draft:
    facts = view.inventory.facts
    view = named_by_manifests(view, kinds)
    draft = Draft(view, desired, kinds, facts.host_id if facts is not None else "", stamp, ceilings=ceilings)
    if cause := view.inventory.wrong_host:
        for key, resource in view.resources.items():
            draft.block(key, Verb.UPDATE, Reason.WRONG_HOST, cause, WRONG_HOST_REMEDY, resource.origin)
        return draft
    renames = find_renames(draft)
    draft_wanted(draft, renames)
    draft_removals(draft)
    return draft


class _NoSteps(Exception):
    """A change for which its provider has no commands, and why."""

    def __init__(self, key: Key, refusal: ReconcilerError) -> None:
        super().__init__(str(refusal))
        self.key = key
        self.refusal = refusal


def host_plan(draft: Draft) -> HostPlan:
    """What was drafted and not refused, in order and with its commands. ReconcilerError when references go round.

    A change that its provider can't make is refused, with whatever can't stand without it.
    """
    while True:
        try:
            return _host_plan(draft)
        except _NoSteps as lacking:
            draft.block_drafted(lacking.key, Reason.UNSUPPORTED, lacking.refusal.cause, lacking.refusal.remedy)
            settle(draft)


def _host_plan(draft: Draft) -> HostPlan:
    view = draft.view
    before = _edges(draft)
    try:
        order = ordered(before)
    except CycleError as cycle:
        path = " -> ".join(str(key) for key in cycle.path)
        raise ReconcilerError(f"references go round: {path}", remedy="remove one of these references") from cycle
    _number_entries(draft)
    ids: dict[Key, str] = {}
    actions = []
    for key in order:
        action = _action(draft, draft.changes[key], tuple(ids[other] for other in sorted(before[key]) if other in ids))
        ids[key] = action.id
        actions.append(action)
    return HostPlan(
        host=view.name,
        observed_at=view.inventory.observed_at,
        actions=tuple(actions),
        blocked=tuple(_sorted_blocked(draft)),
        released=tuple(sorted(draft.released, key=lambda item: (item.key, item.field))),
        misses=tuple(sorted(draft.misses, key=lambda miss: (miss.key, miss.field))),
        unreadable=view.inventory.unreadable,
        unmanaged=_unmanaged(draft),
        managed=len(draft.ours),
        settled=tuple(draft.settled),
        used=tuple(draft.used),
        gone=_gone(draft),
        wants=frozenset(draft.wants),
        wrong_host=view.inventory.wrong_host,
        holds=view.holds,
        pending_restart=_pending_restart(draft),
    )


def _pending_restart(draft: Draft) -> tuple[tuple[Key, tuple[str, ...]], ...]:
    """Our objects of which changes wait for their next boot, with the fields."""
    return tuple(
        sorted(
            (draft.key(name), draft.objects[name].pending_restart)
            for name in draft.ours
            if name in draft.objects and draft.objects[name].pending_restart
        )
    )


def _number_entries(draft: Draft) -> None:
    """Gives all that goes into the trash a name of its own there."""
    kept = sorted(key for key, drafted in draft.changes.items() if drafted.change.trashing is not None)
    for number, key in enumerate(kept, start=1):
        drafted = draft.changes[key]
        assert drafted.change.trashing is not None
        change = replace(drafted.change, trashing=replace(drafted.change.trashing, number=number))
        draft.changes[key] = replace(drafted, change=change)


def _edges(draft: Draft) -> dict[Key, frozenset[Key]]:
    """For each drafted change the keys of those that must come before it; removals and releases first."""
    first = sorted(key for key, drafted in draft.changes.items() if drafted.change.verb in _REMOVING)
    then = sorted(key for key, drafted in draft.changes.items() if drafted.change.verb not in _REMOVING)
    before: dict[Key, set[Key]] = {key: set() for key in (*first, *then)}
    for key in then:
        before[key] |= _edges_of_wanted(draft, key) & before.keys()
    for key in before:
        before[key] |= draft.after.get(key, set()) & before.keys()
    for key in (*first, *then):
        change = draft.changes[key].change
        if change.observed is None or not (change.verb in REMOVALS or change.verb in _REMOVING or change.field(NAME)):
            continue
        for target in _held_by(draft, change.observed.name):
            taken = draft.changes.get(draft.key(target))
            if taken is not None and taken.change.verb in REMOVALS:
                before[draft.key(target)].add(key)
            # What lies in a container goes by its old path, so it goes before the container is renamed.
            moved = draft.moved_away.get(target)
            leading = draft.carried_by.get(moved, moved) if moved is not None else None
            if leading in before and not change.by_parent:
                before[leading].add(key)
    return {key: frozenset(earlier - {key}) for key, earlier in before.items()}


def _edges_of_wanted(draft: Draft, key: Key) -> set[Key]:
    """What this change waits for: what it refers to, what it depends on, the name it takes, the rename that carries it."""
    resource = draft.changes[key].change.resource
    # What comes back from the trash without a manifest still needs its container.
    found = {draft.key(name) for name in resource.depends_on} if resource is not None else set()
    for reference in resource.references if resource is not None else draft.kinds[key.kind].references(key.name, {}):
        found |= {draft.key(ObjectName(kind, reference.name)) for kind in reference.kinds}
    for holder in (key.object, *namesakes(draft, key)):
        found.add(draft.key(holder))
        if (leaver := draft.moved_away.get(holder)) is not None:
            found.add(draft.carried_by.get(leaver, leaver))
    return found


def _held_by(draft: Draft, name: ObjectName) -> list[ObjectName]:
    """What must outlive this object on the host: its container and whatever it was made from."""
    kind = draft.kinds[name.kind]
    found = list(draft.objects[name].references) if name in draft.objects else []
    container = kind.container(name.name)
    if container is not None:
        found += [ObjectName(inner, container) for inner in kind.contained_in]
    return found


def _action(draft: Draft, drafted: Drafted, after: tuple[str, ...]) -> Action:
    change = _with_what_it_takes(draft, drafted.change)
    kind, backend = draft.kinds[change.key.kind], draft.view.backends[change.key.kind]
    try:
        steps = backend.steps(change)
    except ReconcilerError as refusal:
        raise _NoSteps(change.key, refusal) from refusal
    return Action(
        id=action_id(change, steps),
        change=change,
        effect=_effect(drafted),
        why=drafted.why,
        steps=steps,
        origin=drafted.origin,
        after=after,
        reversible=_is_reversible(kind, change, steps),
        report_only=drafted.report_only,
        at_risk=_at_risk(kind, change),
        pool=backend.pool(change.key.name),
    )


def _with_what_it_takes(draft: Draft, change: Change) -> Change:
    """The change with what its commands need of the rest of the host and of what was applied before."""
    kind, resource = draft.kinds[change.key.kind], change.resource
    row = draft.row(change.observed) if kind.items and change.observed is not None else None
    remembered = {name: value for name, value in row.fields.items() if _is_remembered(kind, name)} if row is not None else {}
    if resource is None:
        return replace(change, remembered=remembered) if remembered else change
    makes = change.verb in (Verb.CREATE, Verb.REPLACE)
    return replace(
        change,
        identity=chosen_identity(draft, kind, resource) if makes else "",
        identities=identities(draft, resource) if resource.references else {},
        default_pool=draft.view.manifest.default_pool,
        remembered=remembered,
    )


def _is_remembered(kind: Kind, name: str) -> bool:
    try:
        return kind.rule(name).changing is Changing.REMEMBERED
    except InvalidValue:
        # Applied by an older or newer version of the provider.
        return False


def _is_reversible(kind: Kind, change: Change, steps: tuple[Step, ...]) -> bool:
    """Whether nothing is lost for good that a manifest could not bring back."""
    # An update may put one disk into the trash and destroy another.
    if kind.needs_no_trash or (change.trashing is not None and change.verb in REMOVALS):
        return True
    return change.verb is not Verb.DELETE and not any(step.destructive for step in steps)


def _at_risk(kind: Kind, change: Change) -> AtRisk:
    """What the change takes away: the object, or parts of it that hold data and are not kept aside."""
    observed = change.observed
    if observed is None:
        return AtRisk()
    if change.verb in REMOVALS:
        return AtRisk(observed.removal.bytes, len(observed.removal.snapshots)) if observed.removal is not None else AtRisk()
    going = (field.name for field in removed_data(kind, change.fields) if becomes_of(change, field.name) is not Keeping.ASIDE)
    return AtRisk(sum(size_of_item(observed, name) for name in going))


def _effect(drafted: Drafted) -> Effect | None:
    change = drafted.change
    match change.verb:
        case Verb.REPLACE:
            return Effect.REPLACE
        case Verb.CREATE | Verb.UPDATE | Verb.RESTORE:
            # STAGED comes before IN_PLACE in the order of cost, and says more of a change that holds both.
            effects = {field.effect for field in change.fields}
            return next((effect for effect in _TELLING if effect in effects), Effect.IN_PLACE)
        case Verb.TRASH | Verb.DELETE | Verb.ADOPT | Verb.FORGET:
            return None


def _sorted_blocked(draft: Draft) -> list[Blocked]:
    return sorted(draft.blocked.values(), key=lambda item: item.key)


def _unmanaged(draft: Draft) -> int:
    """Objects that nobody asked us about: nobody's, and not named by a manifest."""
    return sum(
        1
        for name, observed in draft.objects.items()
        if name not in draft.ours
        and is_unmanaged(draft.kinds[name.kind], observed, draft.owner, draft.host_id)
        and draft.key(name) not in draft.view.resources
    )


def _gone(draft: Draft) -> tuple[Key, ...]:
    """Ledger keys that are not wanted and not there any more, or there without a mark of ours, where we could look."""
    blind = {kind for trouble in draft.view.inventory.unreadable for kind in trouble.kinds}
    if not draft.view.whole or draft.view.inventory.wrong_host:
        return ()
    return tuple(
        sorted(
            key
            for key in draft.view.ledger
            if key not in draft.view.resources
            and _is_lost(draft, key.object)
            and key.kind in draft.view.backends
            and key.kind not in blind
        )
    )


def _is_lost(draft: Draft, name: ObjectName) -> bool:
    there = draft.objects.get(name)
    return there is None or (there.mark is None and draft.carries_mark(draft.kinds[name.kind]))
