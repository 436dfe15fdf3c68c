"""Resources as manifests again: what a tree means after selection and variables, in canonical form."""

from collections.abc import Iterable, Mapping

from reconciler.desired.envelope import API_VERSION
from reconciler.desired.yaml_documents import YamlMapping, YamlValue
from reconciler.desired.yaml_writing import written
from reconciler.model.lifecycle import DEFAULT_LIFECYCLE, Lifecycle
from reconciler.model.quantity import format_duration, format_size
from reconciler.model.resource import Resource
from reconciler.model.value import Value
from reconciler.provider.field import FieldRule
from reconciler.provider.kind import Kind


def render(resources: Iterable[Resource], kinds: Mapping[str, Kind]) -> str:
    """One document per resource, each under a comment that says where it was written.

    Loaded again from `hosts/<host>/`, a document gives an equal resource, its origin apart.
    """
    documents = (
        f"# {resource.origin.path}:{resource.origin.line}\n{written(manifest(resource, kinds[resource.key.kind]))}"
        for resource in resources
    )
    return "---\n".join(documents)


def manifest(resource: Resource, kind: Kind) -> YamlMapping:
    """The resource as a document."""
    metadata: YamlMapping = {"name": resource.key.name, "host": resource.key.host}
    if resource.labels:
        metadata["labels"] = dict(resource.labels)
    if resource.depends_on:
        metadata["dependsOn"] = [str(name) for name in resource.depends_on]
    if resource.moved_from is not None:
        metadata["movedFrom"] = resource.moved_from
    document: YamlMapping = {"apiVersion": API_VERSION, "kind": kind.name, "metadata": metadata}
    if lifecycle := _lifecycle(resource.lifecycle):
        document["lifecycle"] = lifecycle
    document["spec"] = _spec(resource, kind)
    return document


def _lifecycle(lifecycle: Lifecycle) -> YamlMapping:
    """What differs from the defaults."""
    stated, defaults = _every_field(lifecycle), _every_field(DEFAULT_LIFECYCLE)
    return {name: value for name, value in stated.items() if value != defaults[name]}


def _every_field(lifecycle: Lifecycle) -> YamlMapping:
    return {
        "onRemoval": lifecycle.on_removal.value,
        "trashTtl": None if lifecycle.trash_ttl_s is None else format_duration(lifecycle.trash_ttl_s),
        "deleteSnapshots": lifecycle.delete_snapshots,
        "adopt": lifecycle.adopt.value,
        "protect": lifecycle.protect.value,
        "disruption": lifecycle.disruption.value,
        "mode": lifecycle.mode.value,
        "ignore": list(lifecycle.ignore),
    }


def _spec(resource: Resource, kind: Kind) -> YamlMapping:
    spec: YamlMapping = {}
    for name, value in {**resource.fields, **(resource.created_with or {})}.items():
        head, dot, entry = name.partition(".")
        shown = _value(kind.rule(name), value)
        if dot and head in kind.entries:
            entries = spec.setdefault(head, {})
            assert isinstance(entries, dict)
            entries[entry] = shown
        else:
            spec[name] = shown
    return spec


def _value(rule: FieldRule, value: Value) -> YamlValue:
    if rule.written is not None and value is not None:
        return rule.written(value)
    if isinstance(value, tuple):
        return list(value)
    if rule.is_size and isinstance(value, int) and not isinstance(value, bool) and value:
        return format_size(value)
    return value
