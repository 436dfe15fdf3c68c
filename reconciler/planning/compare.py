"""An object of ours against its manifest: settled, to be changed, to be replaced, or refused."""

from collections.abc import Iterator
from dataclasses import replace

from reconciler.model.change import MARK, NAME, ON_REMOVAL, PROTECT, STATE, Change, Effect, FieldChange, Verb
from reconciler.model.key import Key
from reconciler.model.ledger import LedgerRow
from reconciler.model.lifecycle import OnRemoval
from reconciler.model.observed import REMOVAL, Observed
from reconciler.model.plan import Reason, Released
from reconciler.model.resource import Resource
from reconciler.model.trash import Trashing
from reconciler.model.value import Value
from reconciler.planning.diff import difference, is_ignored, released
from reconciler.planning.draft import Draft
from reconciler.planning.effects import Refused, with_effects
from reconciler.planning.items import recognised, removed_data
from reconciler.planning.protection import protection
from reconciler.planning.renames import Rename
from reconciler.planning.replacement import draft_replacement
from reconciler.planning.rules import is_refused_as_unexpected, is_refused_as_unread, is_refused_by_rule
from reconciler.planning.why import OF_MARK, why
from reconciler.planning.words import listed
from reconciler.provider.field import Changing
from reconciler.provider.kind import Kind


def compare(draft: Draft, kind: Kind, resource: Resource, observed: Observed, rename: Rename | None) -> None:
    """Drafts what it takes to make an object of ours as its manifest wants it, or says why that may not be."""
    key, lifecycle = resource.key, resource.lifecycle
    if observed.stuck and not (observed.state_unsticks and resource.fields.get(STATE) is not None):
        draft.block(key, Verb.UPDATE, Reason.UNSUPPORTED, observed.stuck, observed.unsticking, resource.origin)
        return
    if kind.items:
        observed = recognised(kind, draft.owner, key, resource.fields, observed)
    row = draft.row(observed)
    found = difference(kind, _wanted_of(draft, kind, resource, observed, rename), observed, lifecycle.ignore)
    if is_refused_as_unread(draft, resource, found, Verb.UPDATE):
        return
    if is_refused_as_unexpected(draft, resource, observed, found, Verb.UPDATE):
        return
    if row is not None:
        for name, value in released(kind, row.fields, resource.fields, observed):
            if not is_ignored(name, lifecycle.ignore):
                draft.released.append(Released(key, name, value))
    stated = with_effects(draft, kind, resource, observed, found.fields)
    if isinstance(stated, Refused):
        place = draft.desired.place(resource, f"spec.{stated.field}")
        draft.block(key, Verb.UPDATE, stated.reason, stated.cause, stated.remedy, place)
        return
    fields = (*_mark_fields(draft, resource, observed, rename), *stated)
    if observed.removal is None and (observed.trashed is not None or removed_data(kind, fields)):
        draft.wants.add((key.kind, REMOVAL))
    if not fields and observed.trashed is None:
        draft.settled.append(key)
        return
    change = Change(
        key, Verb.UPDATE, fields, resource, observed, draft.mark(resource), trashing=_trashing_items(draft, kind, fields, row)
    )
    if not _is_refused(draft, kind, change):
        _draft(draft, kind, change, rename, why(kind, fields, row, rename))


def _trashing_items(draft: Draft, kind: Kind, fields: tuple[FieldChange, ...], row: LedgerRow | None) -> Trashing | None:
    """How items that hold data go into the trash, where that was last said of one that is left out now."""
    going = removed_data(kind, fields)
    if row is None or not any(row.fields.get(f"{field.name}.onRemoval") == OnRemoval.TRASH for field in going):
        return None
    return draft.trashing(row.lifecycle)


def _wanted_of(draft: Draft, kind: Kind, resource: Resource, observed: Observed, rename: Rename | None) -> dict[str, Value]:
    """What must hold: the stated fields, and what one of our actions may have left undone."""
    wanted = dict(resource.fields)
    if observed.interrupted:
        wanted.setdefault(STATE, observed.interrupted)
    half_renamed = rename is None and observed.mark is not None and observed.mark.name != resource.key.object
    unfinished = draft.view.unfinished
    begun = bool(unfinished) and not unfinished.isdisjoint(_itself_and_around(kind, resource.key, rename))
    uncertain = begun or draft.row(observed) is None or half_renamed
    if uncertain or rename is not None:
        draft.wants.update((kind.name, name) for name in kind.completion if name not in observed.fields)
    if uncertain:
        # Made, moved or changed by a pass of whose end we know nothing: it must be whole before it counts as settled.
        wanted.update((name, value) for name, value in kind.completion.items() if name in observed.fields)
    wanted.update((name, kind.completion[name]) for name in kind.lasting if name in observed.fields)
    return wanted


def _itself_and_around(kind: Kind, key: Key, rename: Rename | None) -> Iterator[Key]:
    """Keys whose half-done actions may have left this object half-done: its own, its containers', and who takes it along."""
    yield key
    if rename is not None and rename.carrier is not None:
        yield rename.carrier
    container = kind.container(key.name)
    while container is not None:
        for holder in kind.contained_in:
            yield Key(key.host, holder, container)
        container = kind.container(container)


def _replacing(kind: Kind, change: Change) -> list[FieldChange]:
    """The fields that can only change by a replacement, or by making the content anew."""
    named = [field for field in change.fields if field.effect is Effect.REPLACE]
    return [field for field in named if kind.rule(field.name).changing in (Changing.REPLACE, Changing.REMAKE)]


def _is_refused(draft: Draft, kind: Kind, change: Change) -> bool:
    """Refuses what no rule allows: a value that can't change, data that would be cut off or go while it is protected."""
    resource, observed = change.resource, change.observed
    assert resource is not None
    assert observed is not None
    going = removed_data(kind, change.fields)
    if going and (protected := protection(draft, observed, resource)):
        lift = protected.remedy or "set lifecycle.protect: none in one revision and remove it in a later one"
        cause = f"{listed([field.name for field in going])} would go with its data, and {protected.cause}"
        draft.block(change.key, Verb.UPDATE, Reason.PROTECTED, cause, f"put it back, or {lift}", resource.origin)
        return True
    verb = Verb.REPLACE if _replacing(kind, change) else Verb.UPDATE
    stated = (field for field in change.fields if field.name not in OF_MARK)
    return any(is_refused_by_rule(draft, kind, resource, observed, field, verb) for field in stated)


def _draft(draft: Draft, kind: Kind, change: Change, rename: Rename | None, reason: str) -> None:
    """Drafts an update, the way out of a half-way removal, or a replacement."""
    resource, observed = change.resource, change.observed
    assert resource is not None
    assert observed is not None
    replacing = _replacing(kind, change)
    change = replace(change, by_parent=rename is not None and rename.carrier is not None)
    if replacing and rename is not None:
        cause = f"{replacing[0].name} can only change by replacing the object, which is also to be renamed"
        remedy = "rename it in one revision, replace it in a later one"
        draft.block(change.key, Verb.REPLACE, Reason.DISRUPTION, cause, remedy)
    elif replacing:
        draft_replacement(draft, kind, replace(change, verb=Verb.REPLACE, trashing=None), replacing, reason)
    elif observed.trashed is not None:
        cut_off = "its way into the trash or out of it was cut off, and its manifest wants it"
        draft.add(replace(change, verb=Verb.RESTORE), cut_off, resource.lifecycle, resource.origin)
    else:
        draft.add(change, reason, resource.lifecycle, resource.origin)


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
