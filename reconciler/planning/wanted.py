"""What must happen for each resource: nothing, create, update, replace, or a refusal with its remedy."""

from collections.abc import Mapping
from dataclasses import replace

from reconciler.model.change import Change, FieldChange, Verb
from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import Adopt, Mode
from reconciler.model.observed import Observed
from reconciler.model.plan import Miss, Reason
from reconciler.model.quantity import approximate_size
from reconciler.model.resource import Resource
from reconciler.planning.adoption import draft_adoption
from reconciler.planning.compare import compare
from reconciler.planning.diff import difference
from reconciler.planning.draft import Draft
from reconciler.planning.identity import STATED, by_identity, told_apart
from reconciler.planning.ownership import Ownership, ownership, refusal
from reconciler.planning.renames import Rename, former_names
from reconciler.planning.settle import namesakes
from reconciler.planning.words import listed
from reconciler.provider.contract import Backend
from reconciler.provider.kind import Kind

POOL = "pool"
"""The field that says in which pool a guest lies; its backend is asked about none where nothing says so."""


def draft_wanted(draft: Draft, renames: Mapping[Key, Rename]) -> None:
    """Drafts a change or a refusal for every resource of the host."""
    unreadable = {kind: trouble for trouble in draft.view.inventory.unreadable for kind in trouble.kinds}
    strays = {
        observed.mark.name: observed.name
        for observed in draft.objects.values()
        if observed.mark is not None
        and not observed.is_in_trash
        and ownership(observed, draft.owner, draft.host_id) is Ownership.MOVED
    }
    for key, resource in draft.view.resources.items():
        kind = draft.kinds[key.kind]
        if draft.mode(resource.lifecycle) is Mode.IGNORE:
            # What was said last governs a removal, so the ledger has to hear of a mode that keeps us from pruning.
            if (row := draft.view.ledger.get(key)) and row.lifecycle != resource.lifecycle:
                draft.settled.append(key)
            continue
        if key in draft.blocked:
            continue
        if trouble := unreadable.get(key.kind):
            draft.block(key, Verb.UPDATE, Reason.UNREADABLE, trouble.cause, trouble.remedy, resource.origin)
        elif cause := draft.view.unserved.get(key.kind):
            remedy = f"remove the manifest, or move it to a host that has {key.kind}s"
            draft.block(key, Verb.CREATE, Reason.UNSUPPORTED, cause, remedy, resource.origin)
        elif kind.observed_only:
            _expect(draft, kind, resource)
        else:
            rename = renames.get(key)
            _decide(draft, kind, resource, draft.objects.get(rename.old if rename else key.object), rename, strays)


def _expect(draft: Draft, kind: Kind, resource: Resource) -> None:
    """Judges expectations about an object that we only observe."""
    observed = draft.objects.get(resource.key.object)
    if observed is None:
        draft.misses.append(Miss(resource.key, "metadata.name", "it is not there", resource.origin))
    elif kind.expectations is not None:
        for field, cause in kind.expectations(resource.fields, observed.fields):
            draft.misses.append(Miss(resource.key, field, cause, draft.desired.place(resource, f"spec.{field}")))


def _decide(
    draft: Draft,
    kind: Kind,
    resource: Resource,
    observed: Observed | None,
    rename: Rename | None,
    strays: Mapping[ObjectName, ObjectName],
) -> None:
    key = resource.key
    if observed is None and (sharing := told_apart(draft, key, resource)) is not None:
        if isinstance(sharing, list):
            _block_shared(draft, resource, sharing)
            return
        draft.ours.add(sharing.name)
        observed = replace(sharing, name=key.object, shares_name=None)
    if observed is None and (stray := strays.get(key.object)):
        cause = f"the object made as {key.object} is now {stray}: it was renamed on the host"
        remedy = "rename it back on the host"
        if draft.objects[stray].shares_name is None:
            remedy += f", or name the manifest {stray.name} and state metadata.movedFrom: {key.name}"
        draft.block(key, Verb.CREATE, Reason.AMBIGUOUS, cause, remedy, resource.origin)
        return
    verb = Verb.CREATE if observed is None else Verb.UPDATE
    if rival := next((name for name in namesakes(draft, key) if draft.key(name) in draft.view.resources), None):
        draft.block(key, verb, Reason.NAME_TAKEN, f"{rival} has the same name", "choose another name", resource.origin)
        return
    backend = draft.view.backends[key.kind]
    if _is_refused_by_system(draft, backend, resource, verb):
        return
    if (observed is None or rename is not None) and (kept := _in_trash(draft, resource)) is not None:
        _block_in_trash(draft, resource, kept, verb)
        return
    if observed is None and (holder := _has_identity(draft, kind, resource)) is not None:
        cause = f"{STATED} {resource.fields[STATED]} is that of {holder.name}"
        remedy = f"choose another {STATED}, or rename that one with metadata.movedFrom: {holder.name.name}"
        draft.block(key, verb, Reason.NAME_TAKEN, cause, remedy, draft.desired.place(resource, f"spec.{STATED}"))
        return
    resource = by_identity(draft, kind, resource)
    if observed is None:
        change = Change(key, Verb.CREATE, _created_fields(resource), resource, None, draft.mark(resource))
        gone = "it was applied before and has vanished from the host"
        draft.add(change, gone if key in draft.view.ledger else "it is not there", resource.lifecycle, resource.origin)
        return
    if observed.belongs_to:
        cause = f"{key.name} belongs to {observed.belongs_to}"
        draft.block(key, verb, Reason.BELONGS_TO, cause, "remove the manifest", resource.origin)
        return
    whose = draft.whose(observed)
    if whose is Ownership.UNMARKED and resource.lifecycle.adopt is not Adopt.NEVER:
        draft_adoption(draft, kind, resource, observed)
        return
    if whose is Ownership.UNMARKED and not draft.carries_mark(kind) and _holds_already(kind, resource, observed):
        # Used as it stands: nobody can say whose it is, and nothing has to change. It does not become ours by that.
        draft.used.append(key)
        return
    former = former_names(draft, resource) | ({key.object} if rename else set()) if whose is Ownership.MOVED else frozenset()
    if refused := refusal(whose, observed, former, was_ours=key in draft.view.ledger, was_begun=key in draft.view.unfinished):
        reason, cause, remedy = refused
        draft.block(key, verb, reason, cause, remedy, resource.origin)
        return
    draft.ours.add(observed.name)
    compare(draft, kind, resource, observed, rename)


def _holds_already(kind: Kind, resource: Resource, observed: Observed) -> bool:
    """Whether every stated field was read and is met, but for ignored ones, and nothing is known to lack for a whole one."""
    whole = {name: value for name, value in kind.completion.items() if name in observed.fields}
    return difference(kind, {**resource.fields, **whole}, observed, resource.lifecycle.ignore).is_empty


def _block_shared(draft: Draft, resource: Resource, sharing: list[Observed]) -> None:
    """Refuses to guess which of several objects of one name is meant."""
    known = listed(sorted(one.identity for one in sharing))
    cause = f"{len(sharing)} objects on the host are called {resource.key.object}: {known}"
    remedy = f"state spec.{STATED} of the one that is meant, or rename the others on the host"
    draft.block(resource.key, Verb.UPDATE, Reason.AMBIGUOUS, cause, remedy, resource.origin)


def _has_identity(draft: Draft, kind: Kind, resource: Resource) -> Observed | None:
    """An object on the host that has the identity which the manifest chooses for a new one."""
    if not kind.chooses_identity or STATED not in resource.fields:
        return None
    stated = resource.fields[STATED]
    return next((one for one in draft.objects.values() if one.identity == stated and one.name.kind in draft.kinds), None)


def _in_trash(draft: Draft, resource: Resource) -> Observed | None:
    """The object that this manifest is about, or was before its rename, when it lies in the trash."""
    former = ObjectName(resource.key.kind, resource.moved_from) if resource.moved_from is not None else None
    return draft.in_trash.get(resource.key.object) or (draft.in_trash.get(former) if former is not None else None)


def _block_in_trash(draft: Draft, resource: Resource, kept: Observed, verb: Verb) -> None:
    assert kept.mark is not None
    assert kept.trashed is not None
    key = draft.key(kept.mark.name)
    risk = f" with {approximate_size(kept.removal.bytes)}" if kept.removal is not None else ""
    draft.block(
        resource.key,
        verb,
        Reason.IN_TRASH,
        f"{kept.mark.name} lies in the trash{risk}, as {kept.name.name}",
        f"bring it back with `reconciler trash restore {key}`, or destroy it for good with `reconciler trash purge {key}`",
        resource.origin,
    )


def _is_refused_by_system(draft: Draft, backend: Backend, resource: Resource, verb: Verb) -> bool:
    kind = resource.key.kind
    told = draft.refusals.setdefault(kind, {})
    stated = dict(resource.fields)
    if verb is Verb.CREATE:
        rules = draft.kinds[kind]
        if rules.chooses_identity and POOL in rules.rules and not draft.view.manifest.default_pool:
            stated[POOL] = None
        stated |= {**resource.fields, **(resource.created_with or {})}
    for name, value in (("metadata.name", resource.key.name), *stated.items()):
        # True is no other key than 1, and may be refused where 1 is not.
        asked = (name, type(value), value)
        if asked not in told:
            told[asked] = backend.refusal(kind, name, value)
        if refused := told[asked]:
            place = draft.desired.place(resource, name if name.startswith("metadata.") else f"spec.{name}")
            draft.block(resource.key, verb, Reason.UNSUPPORTED, refused.cause, refused.remedy, place)
            return True
    return False


def _created_fields(resource: Resource) -> tuple[FieldChange, ...]:
    return tuple(FieldChange(name, None, value) for name, value in sorted(resource.fields.items()) if value is not None)
