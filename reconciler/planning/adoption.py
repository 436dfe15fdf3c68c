"""Taking over an object that is there and bears nobody's mark, as far as its manifest permits."""

from dataclasses import replace

from reconciler.model.change import Change, Effect, FieldChange, Verb
from reconciler.model.lifecycle import Adopt
from reconciler.model.observed import REMOVAL, Observed
from reconciler.model.plan import Reason
from reconciler.model.resource import Resource
from reconciler.planning.diff import difference
from reconciler.planning.draft import Draft
from reconciler.planning.effects import Refused, with_effects
from reconciler.planning.items import is_takeover, recognised
from reconciler.planning.rules import is_refused_as_unexpected, is_refused_as_unread, is_refused_by_rule
from reconciler.planning.words import shown
from reconciler.provider.field import Changing
from reconciler.provider.kind import Kind


def draft_adoption(draft: Draft, kind: Kind, resource: Resource, observed: Observed) -> None:
    """Drafts the adoption of an unmarked object, or says why it may not be. `adopt` of the resource is not `never`."""
    if kind.items:
        observed = recognised(kind, draft.owner, resource.key, resource.fields, observed)
    wanted = dict(resource.fields)
    if not draft.carries_mark(kind):
        # No mark tells that it is whole: what is half-made is not equal.
        wanted |= {name: value for name, value in kind.completion.items() if name in observed.fields}
    found = difference(kind, wanted, observed, resource.lifecycle.ignore)
    # An item that is listed becomes ours with the object: that is no change.
    found = replace(found, fields=tuple(field for field in found.fields if not is_takeover(field)))
    if is_refused_as_unread(draft, resource, found, Verb.ADOPT):
        return
    if is_refused_as_unexpected(draft, resource, observed, found, Verb.ADOPT):
        return
    if found.fields and resource.lifecycle.adopt is Adopt.IF_EQUAL:
        _refuse_as_different(draft, kind, resource, found.fields)
        return
    for field in found.fields:
        if field.effect is Effect.REPLACE and kind.rule(field.name).changing in (Changing.REPLACE, Changing.REMAKE):
            _refuse_to_replace(draft, kind, resource, field)
            return
        if is_refused_by_rule(draft, kind, resource, observed, field, Verb.ADOPT):
            return
    fields = with_effects(draft, kind, resource, observed, found.fields)
    if isinstance(fields, Refused):
        place = draft.desired.place(resource, f"spec.{fields.field}")
        draft.block(resource.key, Verb.ADOPT, fields.reason, fields.cause, fields.remedy, place)
        return
    if observed.trashed is not None and observed.removal is None:
        draft.wants.add((resource.key.kind, REMOVAL))
    change = Change(resource.key, Verb.ADOPT, fields, resource, observed, draft.mark(resource))
    equal = "nobody's mark is on it, and every stated field is equal"
    differs = "nobody's mark is on it, and lifecycle.adopt: once permits to change what differs"
    caught = ", and it was caught on its way into the trash or out of it" if observed.trashed is not None else ""
    draft.add(change, (differs if found.fields else equal) + caught, resource.lifecycle, resource.origin)


def _refuse_as_different(draft: Draft, kind: Kind, resource: Resource, fields: tuple[FieldChange, ...]) -> None:
    differences = []
    for field in fields:
        rule = kind.rule(field.name)
        differences.append(f"{field.name} is {shown(rule, field.before)} there, wanted {shown(rule, field.after)}")
    cause = f"{resource.key.object} exists on the host, was not made by this repository, and differs: {'; '.join(differences)}"
    remedy = "write what the host has, or have it changed with lifecycle.adopt: once"
    place = draft.desired.place(resource, f"spec.{fields[0].name}")
    draft.block(resource.key, Verb.ADOPT, Reason.NOT_OURS, cause, remedy, place)


def _refuse_to_replace(draft: Draft, kind: Kind, resource: Resource, field: FieldChange) -> None:
    before = shown(kind.rule(field.name), field.before)
    cause = f"{field.name} is {before} and can only change by replacing the object, which is never part of taking it over"
    remedy = f"write {field.name}: {before}, or remove the line"
    place = draft.desired.place(resource, f"spec.{field.name}")
    draft.block(resource.key, Verb.ADOPT, Reason.DISRUPTION, cause, remedy, place)
