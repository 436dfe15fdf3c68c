"""Objects that the host knows by something else than their names: uuids, chosen by us or stated in manifests."""

from collections.abc import Mapping
from dataclasses import replace

from reconciler.model.change import Change, Effect, Verb
from reconciler.model.key import Key, ObjectName
from reconciler.model.observed import Observed
from reconciler.model.resource import Reference, Resource
from reconciler.planning.draft import Draft
from reconciler.planning.view import HostView
from reconciler.provider.derived import derived_uuid
from reconciler.provider.field import Changing
from reconciler.provider.kind import Kind

STATED = "uuid"
"""The field by which a manifest chooses an identity that we would choose otherwise."""


def named_by_manifests(view: HostView, kinds: Mapping[str, Kind]) -> HostView:
    """The view with objects whose names are ours alone (an Image) under the names that manifests, or the ledger, give them.

    References that state such an identity itself lead to the name, too.
    """
    names: dict[ObjectName, str] = {}
    fields_of = [(key, row.fields) for key, row in view.ledger.items()] + [
        (key, one.fields) for key, one in view.resources.items()
    ]
    for key, fields in fields_of:
        if (field := kinds[key.kind].identified_by if key.kind in kinds else "") and isinstance(fields.get(field), str):
            names[ObjectName(key.kind, str(fields[field]))] = key.name
    if not names:
        return view
    named = frozenset(name.kind for name in names)
    objects = {}
    for observed in view.inventory.objects.values():
        if observed.name.kind in named and (name := names.get(ObjectName(observed.name.kind, observed.identity))) is not None:
            observed = replace(observed, name=observed.name._replace(name=name))
        if any(one in names for one in observed.references):
            references = tuple(ObjectName(one.kind, names.get(one, one.name)) for one in observed.references)
            observed = replace(observed, references=references)
        objects[observed.name] = observed
    resources = {
        key: _with_names(resource, names) if any(not named.isdisjoint(one.kinds) for one in resource.references) else resource
        for key, resource in view.resources.items()
    }
    return replace(view, inventory=replace(view.inventory, objects=objects), resources=resources)


def _with_names(resource: Resource, names: Mapping[ObjectName, str]) -> Resource:
    references = tuple(_with_name(reference, names) for reference in resource.references)
    return resource if references == resource.references else replace(resource, references=references)


def _with_name(reference: Reference, names: Mapping[ObjectName, str]) -> Reference:
    for kind in reference.kinds:
        if (name := names.get(ObjectName(kind, reference.name))) is not None:
            return replace(reference, name=name)
    return reference


def identity_of(draft: Draft, name: ObjectName) -> str:
    """What the host knows an object by: as observed, as its manifest states, or as it will be chosen; empty if not known."""
    observed, drafted = draft.objects.get(name), draft.changes.get(draft.key(name))
    replaced = (
        drafted is not None and drafted.change.verb is Verb.REPLACE and makes_another(draft.kinds[name.kind], drafted.change)
    )
    if observed is not None and observed.identity and not replaced:
        return observed.identity
    kind, resource = draft.kinds.get(name.kind), draft.view.resources.get(draft.key(name))
    if kind is None or resource is None:
        return ""
    if kind.identified_by:
        return str(resource.fields.get(kind.identified_by, ""))
    return chosen_identity(draft, kind, resource)


def makes_another(kind: Kind, change: Change) -> bool:
    """Whether a replacement makes another object, and does not only make the content anew."""
    return any(kind.rule(field.name).changing is Changing.REPLACE for field in change.fields if field.effect is Effect.REPLACE)


def chosen_identity(draft: Draft, kind: Kind, resource: Resource) -> str:
    """The identity with which a resource's object is to be made; empty where the host chooses."""
    if not kind.chooses_identity:
        return ""
    stated = resource.fields.get(STATED)
    return stated if isinstance(stated, str) else derived_uuid(draft.owner, resource.key, draft.taken_identities)


def identities(draft: Draft, resource: Resource) -> Mapping[ObjectName, str]:
    """What the host knows the objects by that a resource refers to, as far as that is not their names.

    Objects that nobody manages are among them where they are there, whatever they are known by: a provider may have to know
    what kind of object a name stands for.
    """
    names = {ObjectName(kind, reference.name) for reference in resource.references for kind in reference.kinds}
    found = {name: identity_of(draft, name) for name in sorted(names) if _has_identity(draft.kinds.get(name.kind))}
    return {name: identity for name, identity in found.items() if identity}


def _has_identity(kind: Kind | None) -> bool:
    return kind is not None and (kind.chooses_identity or bool(kind.identified_by) or kind.observed_only)


def by_identity(draft: Draft, kind: Kind, resource: Resource) -> Resource:
    """The resource with identities in place of names, in fields by whose identity the host tells the object."""
    if not kind.compares_identities:
        return resource
    changed = {}
    for name, value in resource.fields.items():
        rule = kind.rule(name)
        if not rule.by_identity or not isinstance(value, str):
            continue
        target = rule.target(value) if rule.target else value
        found = (identity_of(draft, ObjectName(one, target)) for one in rule.refers_to)
        changed[name] = next((identity for identity in found if identity), value)
    return replace(resource, fields={**resource.fields, **changed}) if changed else resource


def told_apart(draft: Draft, key: Key, resource: Resource | None) -> Observed | list[Observed] | None:
    """The object of a key among several that share its name: the one whose identity is stated; else all of them."""
    sharing = draft.sharing.get(key.object, [])
    if not sharing:
        return None
    stated = resource.fields.get(STATED) if resource is not None else None
    return next((one for one in sharing if one.identity == stated), None) or sharing
