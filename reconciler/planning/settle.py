"""Refuses what can't stand beside the rest of the plan, again and again, until what is left agrees with itself."""

from bisect import bisect_left
from itertools import islice, takewhile

from reconciler.model.change import NAME, REMOVALS, Change, Effect, Verb
from reconciler.model.closest import closest
from reconciler.model.errors import InvalidValue
from reconciler.model.key import Key, ObjectName, any_of
from reconciler.model.plan import Blocked, Reason
from reconciler.model.resource import Reference, Resource
from reconciler.planning.draft import Draft, Drafted
from reconciler.planning.removals import PUT_BACK
from reconciler.planning.words import counted, listed
from reconciler.provider.field import Changing
from reconciler.provider.kind import Kind, is_within

CREATE_PARENTS = "createParents"
"""The creation field by which a resource asks for its containers to be made along with it."""

_TAKES = frozenset({Verb.DELETE, Verb.TRASH})
_MAKES = frozenset({Verb.CREATE, Verb.RESTORE})
_MADE_OF = frozenset({Changing.NEVER, Changing.REPLACE, Changing.REMAKE})

Objection = tuple[Reason, str, str]
"""Reason, cause and remedy."""


def settle(draft: Draft) -> None:
    """Blocks drafted changes whose preconditions fail. A refusal may spoil another change, so this runs to a fixpoint."""
    inside = _descendants(draft)
    dependents = _dependents(draft)
    stable = False
    while not stable:
        stable = True
        for key in sorted(draft.changes):
            drafted = draft.changes[key]
            refused = (
                _removal_objection(draft, drafted, inside, dependents)
                or _name_objection(draft, drafted)
                or _rename_objection(draft, drafted, inside)
                or _restore_objection(draft, drafted)
                or _reference_objection(draft, drafted)
            )
            if refused is not None:
                draft.block_drafted(key, *refused)
                stable = False


def namesakes(draft: Draft, key: Key) -> list[ObjectName]:
    """The same name under the other kinds that live in one namespace with this one."""
    return [ObjectName(kind, key.name) for kind in draft.kinds[key.kind].shares_names_with]


def _removal_objection(
    draft: Draft, drafted: Drafted, inside: dict[ObjectName, list[ObjectName]], dependents: dict[ObjectName, list[ObjectName]]
) -> Objection | None:
    """What stands against taking an object away: what lies in it, what was made from it, holds, snapshots."""
    observed = drafted.change.observed
    if drafted.change.verb not in REMOVALS or observed is None:
        return None
    staying = [name for name in inside.get(observed.name, ()) if not _makes_way(draft, name, drafted)]
    if staying:
        return (
            Reason.DEPENDENTS,
            f"it still contains {listed([str(name) for name in staying])}",
            _emptying(draft, drafted, staying),
        )
    users = [name for name in dependents.get(observed.name, ()) if not _gives_up(draft, name, observed.name, drafted)]
    if users:
        depend = "depends" if len(users) == 1 else "depend"
        return (
            Reason.DEPENDENTS,
            f"{listed([str(name) for name in users])} {depend} on it",
            f"remove {'that' if len(users) == 1 else 'those'} first, or {_keeping(drafted)}",
        )
    if (removal := observed.removal) is None:
        return None
    if removal.obstacles:
        return Reason.DEPENDENTS, "; ".join(removal.obstacles), f"clear that on the host first, or {_keeping(drafted)}"
    if removal.snapshots and drafted.change.trashing is None and not drafted.lifecycle.delete_snapshots:
        count = counted(len(removal.snapshots), "snapshot")
        consent = "lifecycle.deleteSnapshots: true (or onRemoval: trash, to keep them)"
        remedy = f"set {consent}" if drafted.change.resource is not None else PUT_BACK.format(line=consent)
        return (
            Reason.DATA_AT_RISK,
            f"it has {count} that would be destroyed with it: {listed(list(removal.snapshots))}",
            remedy,
        )
    return None


def _gives_up(draft: Draft, user: ObjectName, target: ObjectName, seen_by: Drafted) -> bool:
    """Whether this plan ends an object's use of another: it goes, or is changed to use something else, and that at once.

    What must be given up first is made to come first.
    """
    if _goes(draft, user, seen_by):
        return not _takes_into_trash(draft, user, target, seen_by)
    drafted = draft.changes.get(draft.key(user))
    if drafted is None or not _counts(drafted, seen_by) or drafted.change.verb not in (Verb.UPDATE, Verb.ADOPT):
        return False
    kind, observed = draft.kinds[user.kind], drafted.change.observed
    assert observed is not None
    changed = {field.name for field in drafted.change.fields if field.effect is not Effect.STAGED}
    uses = [name for name, value in observed.fields.items() if value == target.name and _refers_to(kind, name, target.kind)]
    if not uses or not all(_is_changed(kind, name, changed) for name in uses):
        return False
    draft.after.setdefault(draft.key(target), set()).add(drafted.change.key)
    return True


def _takes_into_trash(draft: Draft, user: ObjectName, target: ObjectName, seen_by: Drafted) -> bool:
    """Whether an object that is only put into the trash goes on being made of another, which is to be destroyed."""
    change = draft.changes[draft.key(user)].change
    if change.trashing is None or change.observed is None or seen_by.change.trashing is not None:
        return False
    kind, known = draft.kinds[user.kind], {target.name, draft.objects[target].identity} - {""}
    return any(
        isinstance(value, str) and _is_made_of(kind, name, value, target.kind, known)
        for name, value in change.observed.fields.items()
    )


def _is_made_of(kind: Kind, field: str, value: str, target: str, known: set[str]) -> bool:
    """Whether a field that can't change in place says that an object is made of one of that kind and name."""
    if not _refers_to(kind, field, target):
        return False
    rule = kind.rule(field)
    return rule.changing in _MADE_OF and (rule.target(value) if rule.target else value) in known


def _refers_to(kind: Kind, field: str, target: str) -> bool:
    try:
        return target in kind.rule(field).refers_to
    except InvalidValue:
        return False


def _is_changed(kind: Kind, field: str, changed: set[str]) -> bool:
    """Whether a field changes, or goes with its item."""
    place = kind.in_item(field)
    return field in changed or (place is not None and place.path in changed)


def _keeping(drafted: Drafted) -> str:
    """How to give up taking the object away."""
    if drafted.change.observed is not None and drafted.change.observed.is_in_trash:
        return "leave it in the trash"
    return "put the manifest back" if drafted.change.resource is None else "take the change back"


def _emptying(draft: Draft, drafted: Drafted, staying: list[ObjectName]) -> str:
    """What to do about what lies in an object that is to go."""
    for name in staying:
        observed = draft.objects[name]
        if observed.is_in_trash and observed.mark is not None:
            key = draft.key(observed.mark.name)
            return (
                f"first bring {key.object} back with `reconciler trash restore {key}`, "
                f"or destroy it for good with `reconciler trash purge {key}`"
            )
    if refused := next((draft.blocked[draft.key(name)] for name in staying if draft.key(name) in draft.blocked), None):
        return _unblock(refused)
    if all(draft.key(name) in draft.view.resources for name in staying):
        return "remove their manifests too; the container goes last"
    return f"move them elsewhere on the host first, or {_keeping(drafted)}"


def _unblock(refused: Blocked) -> str:
    """What to do first about a refusal that led to another; where refusals follow one another, about the first."""
    return refused.remedy if refused.remedy.startswith(_FIRST) else f"{_FIRST}{refused.key.object}: {refused.remedy}"


_FIRST = "first unblock "


def _name_objection(draft: Draft, drafted: Drafted) -> Objection | None:
    """What stands against an object's taking a name: another kind that has it, and keeps it."""
    change = drafted.change
    if change.verb is not Verb.CREATE and (change.field(NAME) is None or change.by_parent):
        return None
    for name in namesakes(draft, change.key):
        if name in draft.objects and not _makes_way(draft, name, drafted):
            return Reason.NAME_TAKEN, f"{name} has that name on the host and stays", "choose another name, or remove that first"
    return None


def _rename_objection(draft: Draft, drafted: Drafted, inside: dict[ObjectName, list[ObjectName]]) -> Objection | None:
    """What stands against an object's taking another name: what lies in it and has no place at the new one."""
    change = drafted.change
    if change.field(NAME) is None or change.observed is None:
        return None
    if change.by_parent:
        return _carrier_objection(draft, drafted)
    staying = [name for name in inside.get(change.observed.name, ()) if not _moves(draft, name, drafted)]
    if staying:
        new = (draft.moved_away[name] for name in staying if name in draft.moved_away)
        refused = next((draft.blocked[key] for key in new if key in draft.blocked), None)
        remedy = "remove or rename what lies inside first" if refused is None else _unblock(refused)
        return Reason.DEPENDENTS, f"{listed([str(name) for name in staying])} would move with it and may not", remedy
    return None


def _restore_objection(draft: Draft, drafted: Drafted) -> Objection | None:
    """What stands against an object's coming back from the trash: its name is taken, or what it lay in is not there."""
    change, name = drafted.change, drafted.change.key.object
    if change.verb is not Verb.RESTORE or change.observed is None or change.observed.name == name:
        return None
    if taken := next((other for other in (name, *namesakes(draft, change.key)) if other in draft.objects), None):
        remedy = f"rename or remove the present {taken} first; the one in the trash keeps its data meanwhile"
        return Reason.NAME_TAKEN, f"{taken} is on the host", remedy
    kind = draft.kinds[name.kind]
    for reference in kind.references(name.name, {}):
        holders = [ObjectName(holder, reference.name) for holder in reference.kinds]
        if refused := next((draft.blocked[draft.key(one)] for one in holders if draft.key(one) in draft.blocked), None):
            return Reason.MISSING_REFERENCE, f"it lay in {refused.key.object}, which is blocked itself", _unblock(refused)
        if not any(_will_be_there(draft, holder, drafted) for holder in holders):
            cause = f"it lay in {holders[0]}, which is not on the host"
            return Reason.MISSING_REFERENCE, cause, f"bring {holders[0].name} back first, or make it"
    return None


def _carrier_objection(draft: Draft, drafted: Drafted) -> Objection | None:
    """Whether the rename that takes this object along will be run."""
    carrier = draft.carried_by[drafted.change.key]
    leading = draft.changes.get(carrier)
    if leading is None:
        cause = f"it moves with {carrier.object}, which is blocked itself"
        return Reason.MISSING_REFERENCE, cause, _unblock(draft.blocked[carrier])
    if leading.report_only and not drafted.report_only:
        cause = f"it moves with {carrier.object}, whose rename is only reported"
        return Reason.MISSING_REFERENCE, cause, f"give {carrier.object} lifecycle.mode: enforce"
    return None


def _reference_objection(draft: Draft, drafted: Drafted) -> Objection | None:
    """Whether everything that a resource refers to is there, or will be."""
    change, resource = drafted.change, drafted.change.resource
    if resource is None:
        return None
    for reference in resource.references:
        names = [ObjectName(kind, reference.name) for kind in reference.kinds]
        if any(_will_be_there(draft, name, drafted) for name in names):
            continue
        makes = change.verb in (Verb.CREATE, Verb.REPLACE) or change.field(NAME) is not None
        if not makes and any(name in draft.objects for name in names):
            continue
        makes_parents = change.verb is Verb.CREATE and (resource.created_with or {}).get(CREATE_PARENTS)
        if reference.field == "metadata.name" and makes_parents:
            if (stranger := _no_container(draft, resource)) is None:
                continue
            cause = f"{stranger} has the name of a container that is needed"
            return Reason.NAME_TAKEN, cause, "choose another name"
        return _missing(draft, reference, names, change)
    for needed in resource.depends_on:
        if not _will_be_there(draft, needed, drafted):
            other = draft.blocked.get(draft.key(needed))
            if other is not None:
                return Reason.MISSING_REFERENCE, f"it depends on {needed}, which is blocked itself", _unblock(other)
            if not draft.view.whole:
                return _left_out(f"it depends on {needed}", str(needed))
            return (
                Reason.MISSING_REFERENCE,
                f"it depends on {needed}, which is not there",
                f"write a manifest for {needed}, or take it out of dependsOn",
            )
    return None


def _no_container(draft: Draft, resource: Resource) -> ObjectName | None:
    """An object that can hold nothing, there or wanted, where a container would have to be made along with the resource."""
    kind = draft.kinds[resource.key.kind]
    container = kind.container(resource.key.name)
    while container is not None:
        for holder in kind.contained_in:
            for other in draft.kinds[holder].shares_names_with:
                name = ObjectName(other, container)
                if other not in kind.contained_in and (name in draft.objects or draft.key(name) in draft.view.resources):
                    return name
        container = kind.container(container)
    return None


def _missing(draft: Draft, reference: Reference, names: list[ObjectName], change: Change) -> Objection:
    """Why a reference finds nothing, and what to do about it."""
    for name in names:
        if (refused := draft.blocked.get(draft.key(name))) is not None:
            return Reason.MISSING_REFERENCE, f"it needs {name}, which is blocked itself", _unblock(refused)
        if (other := draft.changes.get(draft.key(name))) is not None and other.change.verb in _TAKES:
            return (
                Reason.MISSING_REFERENCE,
                f"it needs {name}, which is to be removed",
                "put that manifest back, or remove this one too",
            )
        if other is not None:
            cause = f"it needs {name}, which is only reported, not made"
            return Reason.MISSING_REFERENCE, cause, f"give {name} lifecycle.mode: enforce"
        if (new := draft.moved_away.get(name)) is not None:
            cause = f"it needs {name}, which is to be renamed to {new.name}"
            return Reason.MISSING_REFERENCE, cause, f"write {new.name} instead"
    hint = ", or set spec.createParents: true" if reference.field == "metadata.name" and change.verb is Verb.CREATE else ""
    needs = "it lies in" if reference.field == "metadata.name" else f"{reference.field} needs"
    if not draft.view.whole:
        return _left_out(f"{needs} {any_of(names)}", str(names[0]))
    cause = f"{needs} {any_of(names)}, which is neither on the host nor in the repository"
    there = {*draft.objects, *(key.object for key in draft.view.resources)} - {change.key.object}
    meant = closest(reference.name, (name.name for name in there if name.kind in reference.kinds))
    did_you = f"did you mean {meant}? Else " if meant is not None and reference.field != "metadata.name" else ""
    can_be_made = (name for name in names if name.kind in draft.kinds and not draft.kinds[name.kind].observed_only)
    if (makeable := next(can_be_made, None)) is not None:
        return Reason.MISSING_REFERENCE, cause, f"{did_you}write a manifest for {makeable}{hint}"
    known = sorted(name.name for name in there if name.kind in reference.kinds)
    return Reason.MISSING_REFERENCE, cause, f"correct {reference.field} (there: {listed(known) or 'none'})"


def _left_out(needs: str, name: str) -> Objection:
    """What is needed is not on the host; whether a manifest makes it can't be told from a part of them."""
    return (
        Reason.MISSING_REFERENCE,
        f"{needs}, which is not on the host, and this plan is narrowed",
        f"plan without --kind and --name; if that says the same, write a manifest for {name}",
    )


def _counts(drafted: Drafted, seen_by: Drafted) -> bool:
    """Whether one change may build on another: one that is only reported is none for those that are run."""
    return seen_by.report_only or not drafted.report_only


def _will_be_there(draft: Draft, name: ObjectName, seen_by: Drafted) -> bool:
    """Whether an object is on the host under that name once the plan has run."""
    drafted = draft.changes.get(draft.key(name))
    if drafted is None:
        return name in draft.objects and not _is_renamed(draft, name, seen_by)
    if drafted.change.verb in _TAKES:
        return not _counts(drafted, seen_by)
    makes = drafted.change.verb in _MAKES or drafted.change.field(NAME) is not None
    return not makes or _counts(drafted, seen_by)


def _goes(draft: Draft, name: ObjectName, seen_by: Drafted) -> bool:
    """Whether this plan takes the object away for good."""
    drafted = draft.changes.get(draft.key(name))
    return drafted is not None and drafted.change.verb in _TAKES and _counts(drafted, seen_by)


def _makes_way(draft: Draft, name: ObjectName, seen_by: Drafted) -> bool:
    """Whether this plan takes the object from under its name: away for good, or to another name."""
    return _goes(draft, name, seen_by) or _is_renamed(draft, name, seen_by)


def _is_renamed(draft: Draft, name: ObjectName, seen_by: Drafted) -> bool:
    new = draft.moved_away.get(name)
    moving = draft.changes.get(new) if new is not None else None
    return moving is not None and _counts(moving, seen_by)


def _moves(draft: Draft, name: ObjectName, leading: Drafted) -> bool:
    """Whether an object inside a renamed one is gone from it before, or is known to move along with just that rename."""
    new = draft.moved_away.get(name)
    if new is not None and draft.carried_by.get(new, leading.change.key) != leading.change.key:
        return False
    return _makes_way(draft, name, leading)


def _descendants(draft: Draft) -> dict[ObjectName, list[ObjectName]]:
    """Observed objects below each observed container, nearest first; only for those that a drafted change takes away."""
    moving = [
        drafted.change.observed.name
        for drafted in draft.changes.values()
        if drafted.change.observed is not None and (drafted.change.verb in REMOVALS or drafted.change.field(NAME))
    ]
    if not moving:
        return {}
    names = sorted(draft.objects, key=lambda name: (name.name, name.kind))
    texts = [name.name for name in names]
    found = {}
    for container in moving:
        # All that lies in it stands together in the order of names: a tree of thousands may go at once.
        following = islice(names, bisect_left(texts, f"{container.name}/"), None)
        inside = takewhile(lambda other: is_within(other.name, container.name), following)  # noqa: B023 - used up right here
        found[container] = sorted(other for other in inside if container.kind in draft.kinds[other.kind].contained_in)
    return found


def _dependents(draft: Draft) -> dict[ObjectName, list[ObjectName]]:
    """Objects by the objects that they refer to on the host."""
    found: dict[ObjectName, list[ObjectName]] = {}
    for name in sorted(draft.objects):
        for target in draft.objects[name].references:
            found.setdefault(target, []).append(name)
    return found
