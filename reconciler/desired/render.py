"""Resources as manifests again: what a tree means after selection and variables, in canonical form."""

from collections.abc import Container, Iterable, Mapping

from reconciler.desired.envelope import API_VERSION
from reconciler.desired.yaml_documents import YamlMapping, YamlValue
from reconciler.desired.yaml_writing import written
from reconciler.model.lifecycle import DEFAULT_LIFECYCLE, Lifecycle
from reconciler.model.quantity import format_duration, format_size
from reconciler.model.resource import Resource
from reconciler.model.value import Value
from reconciler.provider.field import FieldRule
from reconciler.provider.kind import InItem, Kind


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
        if name in kind.items:
            names = value if isinstance(value, tuple) else ()
            spec.setdefault(name, [{kind.items[name].key: item} for item in names])
            continue
        shown = _value(kind.rule(name), value)
        if (place := kind.in_item(name)) is not None:
            _put(_item(spec, kind, place), kind.item_entries[place.list], place.field, shown)
        else:
            _put(spec, kind.entries, name, shown)
    return spec


def _item(spec: YamlMapping, kind: Kind, place: InItem) -> YamlMapping:
    """The mapping of one item in its list, which a field may name before the list itself does."""
    key = kind.items[place.list].key
    items = spec.setdefault(place.list, [])
    assert isinstance(items, list)
    for item in items:
        if isinstance(item, dict) and item[key] == place.item:
            return item
    made: YamlMapping = {key: place.item}
    items.append(made)
    return made


def _put(spec: YamlMapping, maps: Container[str], name: str, value: YamlValue) -> None:
    """Sets a dotted field: names before a dot are groups, or a map whose keys may hold dots."""
    head, dot, rest = name.partition(".")
    path = [head]
    while dot and ".".join(path) not in maps and "." in rest:
        head, dot, rest = rest.partition(".")
        path.append(head)
    for part in path if dot else path[:-1]:
        inner = spec.setdefault(part, {})
        assert isinstance(inner, dict)
        spec = inner
    spec[rest if dot else path[-1]] = value


def _value(rule: FieldRule, value: Value) -> YamlValue:
    if rule.written is not None and value is not None:
        written_value = rule.written(value)
        return [dict(part) for part in written_value] if isinstance(written_value, list) else written_value
    if isinstance(value, tuple):
        return list(value)
    if rule.is_size and isinstance(value, int) and not isinstance(value, bool) and value:
        return format_size(value)
    return value
