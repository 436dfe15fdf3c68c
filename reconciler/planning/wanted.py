"""What must happen for each resource: nothing, create, update, replace, or a refusal with its remedy."""

from collections.abc import Mapping
from dataclasses import replace

from reconciler.model.change import MARK, NAME, ON_REMOVAL, PROTECT, Change, FieldChange, Verb
from reconciler.model.key import Key, ObjectName
from reconciler.model.ledger import LedgerRow
from reconciler.model.lifecycle import Adopt, Disruption, Mode, OnRemoval, Protect
from reconciler.model.observed import REMOVAL, Observed
from reconciler.model.plan import Miss, Reason, Released
from reconciler.model.quantity import approximate_size
from reconciler.model.resource import Resource
from reconciler.planning.adoption import draft_adoption
from reconciler.planning.diff import difference, holds_already, is_ignored, released
from reconciler.planning.draft import Draft
from reconciler.planning.ownership import Ownership, ownership, refusal
from reconciler.planning.protection import protection
from reconciler.planning.renames import Rename, former_names
from reconciler.planning.rules import is_refused_as_unread, is_refused_by_rule
from reconciler.planning.settle import namesakes
from reconciler.planning.words import listed, shown
from reconciler.provider.contract import Backend
from reconciler.provider.field import Changing
from reconciler.provider.kind import Kind


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
    if observed is None and (stray := strays.get(key.object)):
        cause = f"the object made as {key.object} is now {stray}: it was renamed on the host"
        remedy = f"rename it back on the host, or name the manifest {stray.name} and state metadata.movedFrom: {key.name}"
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
    if whose is Ownership.UNMARKED and not kind.carries_mark and holds_already(kind, resource, observed):
        # Used as it stands: nobody can say whose it is, and nothing has to change. It does not become ours by that.
        return
    former = former_names(draft, resource) | ({key.object} if rename else set()) if whose is Ownership.MOVED else frozenset()
    if refused := refusal(whose, observed, former, was_ours=key in draft.view.ledger, was_begun=key in draft.view.unfinished):
        reason, cause, remedy = refused
        draft.block(key, verb, reason, cause, remedy, resource.origin)
        return
    draft.ours.add(observed.name)
    _compare(draft, kind, resource, observed, rename)


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
    stated = {**resource.fields, **(resource.created_with or {})} if verb is Verb.CREATE else resource.fields
    for name, value in (("metadata.name", resource.key.name), *stated.items()):
        if refused := backend.refusal(resource.key.kind, name, value):
            place = draft.desired.place(resource, name if name.startswith("metadata.") else f"spec.{name}")
            draft.block(resource.key, verb, Reason.UNSUPPORTED, refused.cause, refused.remedy, place)
            return True
    return False


def _created_fields(resource: Resource) -> tuple[FieldChange, ...]:
    return tuple(FieldChange(name, None, value) for name, value in sorted(resource.fields.items()) if value is not None)


def _compare(draft: Draft, kind: Kind, resource: Resource, observed: Observed, rename: Rename | None) -> None:
    key, lifecycle = resource.key, resource.lifecycle
    wanted = dict(resource.fields)
    row = draft.row(observed)
    half_renamed = rename is None and observed.mark is not None and observed.mark.name != key.object
    # A container's half-done rename may have left what lies in it half-done too.
    begun = key in draft.view.unfinished or (rename is not None and rename.carrier in draft.view.unfinished)
    uncertain = begun or row is None or half_renamed
    if uncertain or rename is not None:
        draft.wants.update((key.kind, name) for name in kind.completion if name not in observed.fields)
    if uncertain:
        # Made, moved or changed by a pass of whose end we know nothing: it must be whole before it counts as settled.
        wanted.update((name, value) for name, value in kind.completion.items() if name in observed.fields)
    found = difference(kind, wanted, observed, lifecycle.ignore)
    if is_refused_as_unread(draft, resource, found, Verb.UPDATE):
        return
    if row is not None:
        for name, value in released(row.fields, resource.fields, observed):
            if not is_ignored(name, lifecycle.ignore):
                draft.released.append(Released(key, name, value))
    fields = (*_mark_fields(draft, resource, observed, rename), *found.fields)
    if observed.trashed is not None and observed.removal is None:
        draft.wants.add((key.kind, REMOVAL))
    if not fields and observed.trashed is None:
        draft.settled.append(key)
        return
    replaced = [field for field in found.fields if kind.rule(field.name).changing is Changing.REPLACE]
    for field in found.fields:
        if is_refused_by_rule(draft, kind, resource, field, Verb.REPLACE if replaced else Verb.UPDATE):
            return
    if not replaced:
        change = Change(
            key,
            Verb.UPDATE if observed.trashed is None else Verb.RESTORE,
            fields,
            resource,
            observed,
            draft.mark(resource),
            by_parent=rename is not None and rename.carrier is not None,
        )
        why = _why(kind, fields, row, rename)
        if observed.trashed is not None:
            why = "its way into the trash or out of it was cut off, and its manifest wants it"
        draft.add(change, why, lifecycle, resource.origin)
    elif rename is not None:
        cause = f"{replaced[0].name} can only change by replacing the object, which is also to be renamed"
        draft.block(key, Verb.REPLACE, Reason.DISRUPTION, cause, "rename it in one revision, replace it in a later one")
    else:
        change = Change(key, Verb.REPLACE, fields, resource, observed, draft.mark(resource))
        _draft_replace(draft, change, resource, observed, replaced[0], _why(kind, fields, row, rename))


def _mark_fields(draft: Draft, resource: Resource, observed: Observed, rename: Rename | None) -> tuple[FieldChange, ...]:
    """What of our mark must be written: a new name, an unfinished rename, another protection or way to go."""
    there, mark = observed.mark, draft.mark(resource)
    fields = []
    if rename is not None:
        fields.append(FieldChange(NAME, rename.old.name, resource.key.name))
    if there is None or mark is None:
        return tuple(fields)
    if rename is None and there.name != mark.name:
        fields.append(FieldChange(MARK, str(there.name), str(mark.name)))
    if there.protect is not mark.protect:
        fields.append(FieldChange(PROTECT, there.protect.value, mark.protect.value))
    if there.on_removal is not mark.on_removal:
        before = there.on_removal.value if there.on_removal else None
        fields.append(FieldChange(ON_REMOVAL, before, mark.on_removal.value if mark.on_removal else None))
    return tuple(fields)


def _draft_replace(draft: Draft, change: Change, resource: Resource, observed: Observed, field: FieldChange, why: str) -> None:
    """A replacement, if the manifest permits it and nothing protects what is there."""
    key, lifecycle = resource.key, resource.lifecycle
    place = draft.desired.place(resource, f"spec.{field.name}")

    def block(reason: Reason, cause: str, remedy: str) -> None:
        draft.block(key, Verb.REPLACE, reason, cause, remedy, place)

    if lifecycle.disruption is not Disruption.REPLACE:
        block(
            Reason.DISRUPTION,
            f"{field.name} can only change by replacing the object (disruption is {lifecycle.disruption})",
            "take the change back, or permit it with lifecycle.disruption: replace",
        )
    elif protected := protection(draft, observed, resource):
        lift = protected.remedy or "set lifecycle.protect: none in one revision and replace it in a later one"
        block(
            Reason.PROTECTED,
            f"replacing it would remove what is there, and {protected.cause}",
            f"take the change back, or {lift}",
        )
    elif lifecycle.on_removal is OnRemoval.TRASH and not draft.kinds[key.kind].has_trash:
        block(
            Reason.UNSUPPORTED,
            f"there is no trash for kind {key.kind} to keep the old object in",
            "permit losing what is there with lifecycle.onRemoval: delete",
        )
    elif lifecycle.on_removal is OnRemoval.ORPHAN:
        block(
            Reason.NAME_TAKEN,
            "onRemoval: orphan leaves the old object in place, and its name with it",
            "rename the old object on the host, or set lifecycle.onRemoval: delete",
        )
    else:
        if observed.removal is None:
            draft.wants.add((key.kind, REMOVAL))
        if lifecycle.on_removal is OnRemoval.TRASH:
            change = replace(change, trashing=draft.trashing(lifecycle, replaced=True))
        draft.add(change, why, lifecycle, resource.origin)


def _why(kind: Kind, fields: tuple[FieldChange, ...], row: LedgerRow | None, rename: Rename | None) -> str:
    """Who moved: the manifest, or the host behind our back; `row` is what was applied last. A reason for each sort of field."""
    of_mark = [_why_marked(field, rename) for field in fields if field.name in _OF_MARK]
    incomplete = [field for field in fields if field.name in kind.completion]
    left = [
        f"{field.name} is {shown(kind.rule(field.name), field.before)}, as an unfinished action leaves it"
        for field in incomplete
    ]
    rest = tuple(field for field in fields if field.name not in _OF_MARK and field not in incomplete)
    return ", and ".join((*of_mark, *left, *([_why_differing(rest, row)] if rest else [])))


_OF_MARK = frozenset({NAME, MARK, PROTECT, ON_REMOVAL})


def _why_marked(field: FieldChange, rename: Rename | None) -> str:
    match field.name:
        case "name" if rename is not None and rename.carrier is not None:
            return f"it moves with {rename.carrier.object}, from {field.before}"
        case "name":
            return f"it is to be renamed, from {field.before}"
        case "mark":
            return f"an unfinished rename left it marked as {field.before}"
        case "lifecycle.protect" if field.after == Protect.NONE:
            return "its protection is lifted"
        case _:
            says = f"its mark says {field.name}: {field.before}" if field.before else f"its mark does not say {field.name}"
            return f"{says} (from now on a removal destroys it)" if field.after == OnRemoval.DELETE else says


def _why_differing(fields: tuple[FieldChange, ...], row: LedgerRow | None) -> str:
    if row is None:
        return "it differs from its manifest (what was applied last is not recorded)"
    drifted = [field.name for field in fields if field.name in row.fields and row.fields[field.name] == field.after]
    if not drifted:
        return "its manifest changed"
    if len(drifted) == len(fields):
        return "it drifted on the host; its manifest did not change"
    return f"its manifest changed, and {listed(drifted)} drifted on the host"
