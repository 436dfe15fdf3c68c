"""What a field's rule refuses, whatever verb wants the change."""

from reconciler.model.change import FieldChange, Verb
from reconciler.model.observed import Observed
from reconciler.model.plan import Reason
from reconciler.model.quantity import approximate_size
from reconciler.model.resource import Resource
from reconciler.planning.diff import Difference
from reconciler.planning.draft import Draft
from reconciler.planning.items import is_of_new_item
from reconciler.planning.words import shown
from reconciler.provider.field import Changing
from reconciler.provider.kind import Kind


def is_refused_as_unread(draft: Draft, resource: Resource, found: Difference, verb: Verb) -> bool:
    """Refuses a change of which stated fields could not be compared; returns whether it did."""
    if not found.unread:
        return False
    cause = f"{', '.join(found.unread)} could not be read"
    place = draft.desired.place(resource, f"spec.{found.unread[0]}")
    draft.block(resource.key, verb, Reason.UNREAD, cause, "state a field that this host's tools can tell", place)
    return True


def is_refused_as_unexpected(draft: Draft, resource: Resource, observed: Observed, found: Difference, verb: Verb) -> bool:
    """Refuses a change of an object with items that nobody listed and that are not ours; returns whether it did."""
    if not found.unexpected:
        return False
    items = ", ".join(found.unexpected)
    head = found.unexpected[0].partition(".")[0]
    kind = draft.kinds[resource.key.kind]
    told = ", ".join(f"{name}{_told_by(kind, observed, name)}" for name in found.unexpected)
    cause = f"{told} {'is' if len(found.unexpected) == 1 else 'are'} on the host, in no manifest, and not made by us"
    remedy = f"list it under spec.{head}, leave it alone with lifecycle.ignore: [{items}], or remove it on the host"
    place = draft.desired.place(resource, f"spec.{head}")
    draft.block(resource.key, verb, Reason.UNEXPECTED_ITEM, cause, remedy, place)
    return True


def _told_by(kind: Kind, observed: Observed, item: str) -> str:
    """` (mac 02:00:00:00:00:07)`: what the host knows an item by, whose name is only the one that we show it under."""
    told_by = kind.items[item.partition(".")[0]].told_by
    value = observed.fields.get(f"{item}.{told_by}")
    return f" ({told_by} {shown(None, value)})" if told_by and value else ""


def is_refused_by_rule(
    draft: Draft, kind: Kind, resource: Resource, observed: Observed, field: FieldChange, verb: Verb
) -> bool:
    """Refuses changes that the field's rule does not allow; returns whether it did."""
    if is_of_new_item(kind, field.name, observed):
        return False
    rule = kind.rule(field.name)
    place = draft.desired.place(resource, f"spec.{field.name}")
    before, after = shown(rule, field.before), shown(rule, field.after)
    if rule.changing is Changing.NEVER:
        cause = f"{field.name} is {before} and can't change after creation (wanted {after})"
        remedy = f"write {field.name}: {before} or remove the line; to have another, make a new object"
        draft.block(resource.key, verb, Reason.IMMUTABLE, cause, remedy, place)
        return True
    if rule.changing is not Changing.GROWS or not isinstance(field.before, int) or not isinstance(field.after, int):
        return False
    if field.after >= field.before:
        return False
    lost = approximate_size(field.before - field.after)
    cause = f"{field.name} would shrink from {before} to {after}: {lost} at its end would be cut off"
    remedy = f"write {field.name}: {before} or more; copy the data to a new, smaller object to shrink"
    draft.block(resource.key, verb, Reason.DATA_AT_RISK, cause, remedy, place)
    return True
