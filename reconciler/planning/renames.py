"""Which object a `movedFrom` takes under a new name, and which objects move along because they lie inside it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.model.change import Verb
from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import Mode
from reconciler.model.plan import Reason
from reconciler.model.resource import Resource
from reconciler.planning.draft import Draft
from reconciler.planning.ownership import Ownership, ownership, refusal
from reconciler.provider.kind import is_within


@dataclass(frozen=True, slots=True)
class Rename:
    """The object now named `old` becomes the resource's; `carrier` is the rename that takes it along, None for its own."""

    old: ObjectName
    carrier: Key | None = None


def find_renames(draft: Draft) -> Mapping[Key, Rename]:
    """Renames by new key. What stands against one is blocked in the draft, and what it is about is spared from pruning."""
    found: dict[Key, Rename] = {}
    moving = sorted(
        (resource for resource in draft.view.resources.values() if resource.moved_from is not None),
        key=lambda resource: resource.key,
    )
    claims = Counter((resource.key.kind, resource.moved_from) for resource in moving)
    for resource in moving:
        old = _source(draft, resource, is_only=claims[resource.key.kind, resource.moved_from] == 1)
        if old is not None:
            found[resource.key] = Rename(old)
    for parent in tuple(found):
        # An outer rename comes first, and may already have taken this one along.
        if found[parent].carrier is None:
            found.update(_carried(draft, parent, found[parent].old, found))
    for key, rename in found.items():
        draft.moved_away[rename.old] = key
        if rename.carrier is not None:
            draft.carried_by[key] = rename.carrier
    return {key: rename for key, rename in found.items() if key not in draft.blocked}


def former_names(draft: Draft, resource: Resource) -> frozenset[ObjectName]:
    """Names under which a rename that did not end may have left this resource's mark: its own and its containers'."""
    kind, name = resource.key.kind, resource.key.name
    former = {resource.moved_from} if resource.moved_from is not None else set()
    container = draft.kinds[kind].container(name)
    while container is not None:
        for holder_kind in draft.kinds[kind].contained_in:
            holder = draft.view.resources.get(Key(draft.view.name, holder_kind, container))
            if holder is not None and holder.moved_from is not None:
                former.add(holder.moved_from + name[len(container) :])
        container = draft.kinds[kind].container(container)
    return frozenset(ObjectName(kind, old) for old in former)


def _source(draft: Draft, resource: Resource, *, is_only: bool) -> ObjectName | None:
    """The object that the resource's `movedFrom` names, when it is there and may be taken; else None."""
    assert resource.moved_from is not None
    old = ObjectName(resource.key.kind, resource.moved_from)
    here = draft.objects.get(old)
    if here is None:
        return None
    if draft.mode(resource.lifecycle) is Mode.IGNORE:
        _strand(draft, resource.key, old, "set lifecycle.mode: enforce there, or keep this manifest's old name")
        return None
    refused = refusal(ownership(here, draft.owner, draft.host_id), here, frozenset({resource.key.object}))
    there = draft.objects.get(resource.key.object)
    if draft.key(old) in draft.view.resources:
        reason, cause = Reason.AMBIGUOUS, f"{old} is to be renamed to {resource.key.name} and has a manifest of its own"
        remedy = f"remove movedFrom from {resource.key.name}, or the manifest of {old.name}"
    elif there is not None and ownership(there, draft.owner, draft.host_id) is Ownership.OURS and refused is not None:
        return None
    elif not is_only:
        reason, cause = Reason.AMBIGUOUS, f"several manifests say that they were {old}"
        remedy = "keep movedFrom in only one of them"
    elif there is not None:
        reason, cause = Reason.NAME_TAKEN, f"{old} is to become {resource.key.object}, and both exist"
        remedy = f"remove movedFrom and give {old.name} a manifest of its own, or rename one of the two on the host"
    elif refused is not None:
        reason, cause, remedy = refused
        if reason is Reason.NOT_OURS:
            remedy = f"take it over as {old.name} first (lifecycle.adopt: ifEqual) and rename it in a later revision"
    else:
        return old
    _block(draft, resource.key, reason, cause, remedy)
    _strand(draft, resource.key, old, remedy)
    return None


def _strand(draft: Draft, new: Key, old: ObjectName, remedy: str) -> None:
    """Spares an object that may not be renamed and all that lies in it, and makes no twin of what was to move with it."""
    draft.spared.add(old)
    for name in _inside(draft, old):
        draft.spared.add(name)
        moved = Key(new.host, name.kind, new.name + name.name[len(old.name) :])
        if moved in draft.view.resources and moved.object not in draft.objects:
            cause = f"it is to come from {name} with the rename of {old.name}, which is not done"
            _block(draft, moved, Reason.MISSING_REFERENCE, cause, remedy)


def _carried(draft: Draft, parent: Key, old_parent: ObjectName, found: Mapping[Key, Rename]) -> dict[Key, Rename]:
    """Managed objects inside a renamed one; blocks the rename when something inside it has no manifest at the new place."""
    carried: dict[Key, Rename] = {}
    own_way = {rename.old: key for key, rename in found.items() if rename.carrier is None}
    for name in _inside(draft, old_parent):
        observed = draft.objects[name]
        new = Key(parent.host, name.kind, parent.name + name.name[len(old_parent.name) :])
        resource = draft.view.resources.get(new)
        ours = ownership(observed, draft.owner, draft.host_id) is Ownership.OURS
        free = own_way.get(name, new) == new
        unclaimed = new not in found or found[new].old == name
        if resource is not None and ours and free and unclaimed and draft.key(name) not in draft.view.resources:
            carried[new] = Rename(name, carrier=parent)
            continue
        if free and not unclaimed:
            cause = f"both {found[new].old} and {name} would become {new.object}, the second with {old_parent}"
            _block(draft, new, Reason.AMBIGUOUS, cause, f"remove movedFrom from {new.name}, or rename {old_parent.name} later")
            draft.spared.add(name)
            continue
        if not free and is_within(own_way[name].name, parent.name):
            cause = f"{name} is to be renamed, and so is {old_parent}, which it lies in"
            _block(draft, own_way[name], Reason.AMBIGUOUS, cause, "rename one in this revision and the other in a later one")
            continue
        leaves = ours and draft.view.whole and draft.key(name) not in draft.view.resources
        if not leaves:
            cause = f"{name} lies in {old_parent} and would move with it, but no manifest says so"
            remedy = f"give it a manifest named {new.name}" if ours else f"move {name.name} elsewhere on the host first"
            _block(draft, parent, Reason.DEPENDENTS, cause, remedy)
    return carried


def _inside(draft: Draft, container: ObjectName) -> list[ObjectName]:
    """What lies in an object on the host, in the order of names."""
    kinds = {name for name, inner in draft.kinds.items() if container.kind in inner.contained_in}
    return sorted(name for name in draft.objects if name.kind in kinds and is_within(name.name, container.name))


def _block(draft: Draft, key: Key, reason: Reason, cause: str, remedy: str) -> None:
    place = "metadata.movedFrom" if draft.view.resources[key].moved_from is not None else "metadata.name"
    draft.block(key, Verb.UPDATE, reason, cause, remedy, draft.desired.place(draft.view.resources[key], place))
