"""A spec as flat canonical fields, by the kind's table."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import BaseModel

from reconciler.desired.problem import Problem, refusal
from reconciler.desired.validation import Home, validated
from reconciler.desired.yaml_documents import YamlMapping
from reconciler.desired.yaml_places import Path
from reconciler.model.errors import InvalidValue
from reconciler.model.resource import Reference
from reconciler.model.value import Value
from reconciler.provider.field import Changing, Entries, Group
from reconciler.provider.kind import Kind, canonical_value

_NULL_GROUP = InvalidValue("null is not allowed here", remedy="remove the line, or write key: value lines below it")


@dataclass(slots=True)
class StatedFields:
    """What a spec states: fields to compare, fields that matter at creation only, and what they refer to."""

    compared: dict[str, Value] = field(default_factory=dict)
    at_creation: dict[str, Value] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()


def stated_fields(kind: Kind, name: str, spec: YamlMapping, home: Home | None = None) -> StatedFields | list[Problem]:
    """The fields of a spec in the order in which they are written, or everything that is wrong (paths within the spec).

    `name` is the object's; what contains it counts among the references. `home` as in `validated`.
    """
    problems: list[Problem] = []
    model = validated(kind.spec, spec, home)
    if isinstance(model, list):
        # What is left without the values at fault may have faults of its own, which are better told now than after these.
        problems, spec = model, _without(spec, model)
        model = validated(kind.spec, spec)
        if isinstance(model, list):
            return problems
    stated = StatedFields()
    referring: dict[str, Value] = {}
    for leaf in _leaves(kind, model, spec):
        if leaf.is_group:
            problems.append(refusal(leaf.path, _NULL_GROUP))
            continue
        try:
            rule = kind.rule(leaf.field)
        except InvalidValue as invalid:
            problems.append(refusal(leaf.path, invalid, of_key=True))
            continue
        try:
            canonical = canonical_value(rule, leaf.value)
        except InvalidValue as invalid:
            problems.append(refusal(leaf.path, invalid))
            continue
        (stated.at_creation if rule.changing is Changing.AT_CREATION else stated.compared)[leaf.field] = canonical
        if rule.refers_to:
            referring[leaf.field] = canonical
    if not problems:
        problems.extend(_refused_as_a_whole(kind, model, stated, spec))
    if kind.creation_only is not None:
        for field_name in kind.creation_only({**stated.compared, **stated.at_creation}) & stated.compared.keys():
            stated.at_creation[field_name] = stated.compared.pop(field_name)
    stated.references = kind.references(name, referring)
    return problems or stated


class _Leaf(NamedTuple):
    """A stated value under its dotted name, and where it stands in the spec; `is_group` where a group is null."""

    field: str
    path: Path
    value: Value
    is_group: bool = False


def _leaves(kind: Kind, model: BaseModel, spec: YamlMapping) -> Iterator[_Leaf]:
    """Every stated value: a field, one of a group, an entry of a map, one of an item of a list, and each list as a whole."""
    for leaf in _walk(model, spec, kind.entries, "", "", ()):
        items = kind.items.get(leaf.field)
        if items is None:
            yield leaf
            continue
        written = spec[leaf.field]
        if not isinstance(written, list):
            yield _Leaf(leaf.field, leaf.path, None)
            continue
        found = [str(getattr(item, items.key)) for item in getattr(model, leaf.field)]
        yield _Leaf(sys.intern(leaf.field), leaf.path, tuple(sorted(found)))
        for index, (item, name, inner) in enumerate(zip(getattr(model, leaf.field), found, written, strict=True)):
            assert isinstance(inner, dict)
            rest = {field_name: value for field_name, value in inner.items() if field_name != items.key}
            entries = kind.item_entries[leaf.field]
            yield from _walk(item, rest, entries, f"{leaf.field}.{name}.", "", (leaf.field, index))


def _walk(
    model: BaseModel, spec: YamlMapping, maps: Mapping[str, Entries], prefix: str, group: str, path: Path
) -> Iterator[_Leaf]:
    """What one mapping states: `prefix` and `group` stand before the dotted names, `path` before the places."""
    for written, raw in spec.items():
        value = getattr(model, written)
        name = f"{group}{written}"
        if name in maps and isinstance(value, dict):
            for entry, inner in value.items():
                yield _Leaf(sys.intern(f"{prefix}{name}.{entry}"), (*path, written, entry), inner)
        elif isinstance(value, BaseModel) and isinstance(raw, dict):
            yield from _walk(value, raw, maps, prefix, f"{name}.", (*path, written))
        elif value is None and any(isinstance(part, Group) for part in type(model).model_fields[written].metadata):
            yield _Leaf(sys.intern(f"{prefix}{name}"), (*path, written), None, is_group=True)
        else:
            yield _Leaf(sys.intern(f"{prefix}{name}"), (*path, written), tuple(value) if isinstance(value, list) else value)


def _without(spec: YamlMapping, problems: list[Problem]) -> YamlMapping:
    """The spec without the fields, or entries of maps, in which the problems lie."""
    rest: YamlMapping = {name: dict(value) if isinstance(value, dict) else value for name, value in spec.items()}
    for problem in problems:
        field_name, *inner = (*problem.path, "")
        value = rest.get(str(field_name))
        if len(inner) > 1 and isinstance(value, dict):
            value.pop(str(inner[0]), None)
        else:
            rest.pop(str(field_name), None)
    return rest


def _refused_as_a_whole(kind: Kind, model: BaseModel, stated: StatedFields, spec: YamlMapping) -> Iterator[Problem]:
    for head, items in kind.items.items():
        yield from _named_twice(head, items.key, [str(getattr(item, items.key)) for item in getattr(model, head) or ()])
    if kind.check_spec is None:
        return
    try:
        kind.check_spec({**stated.compared, **stated.at_creation})
    except InvalidValue as invalid:
        yield refusal(_path(kind, invalid.field, spec), invalid)


def _named_twice(head: str, key: str, names: list[str]) -> Iterator[Problem]:
    """Items of a list that another one before them is named like, however it is spelt."""
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Problem((head, index, key), f"{head} has two items named {name}", "give each a name of its own")


def _path(kind: Kind, field_name: str, spec: YamlMapping) -> Path:
    """The path of a dotted field name within a spec; empty for no field."""
    if (place := kind.in_item(field_name)) is not None:
        written, key = spec.get(place.list), kind.items[place.list].key
        for index, item in enumerate(written if isinstance(written, list) else ()):
            if isinstance(item, dict) and item.get(key) == place.item:
                return (place.list, index, *(place.field.split(".") if place.field else ()))
        return (place.list,)
    head, dot, entry = field_name.partition(".")
    if dot and head in kind.entries:
        return (head, entry)
    return tuple(field_name.split(".")) if field_name else ()
