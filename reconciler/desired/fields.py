"""A spec as flat canonical fields, by the kind's table."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from reconciler.desired.problem import Problem, refusal
from reconciler.desired.validation import Home, validated
from reconciler.desired.yaml_documents import YamlMapping
from reconciler.desired.yaml_places import Path
from reconciler.model.errors import InvalidValue
from reconciler.model.resource import Reference
from reconciler.model.value import Value
from reconciler.provider.field import Changing, FieldRule
from reconciler.provider.kind import Kind, Spec, canonical_value

_NO_RULE = FieldRule()


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
    for path, value in _leaves(kind, model, spec):
        field_name = sys.intern(".".join(path))
        rule = kind.known_rules.get(field_name)
        if rule is None:
            try:
                rule = kind.entries[path[0]].rule(path[1]) if len(path) > 1 else _NO_RULE
            except InvalidValue as invalid:
                problems.append(refusal(path, invalid, of_key=True))
                continue
        try:
            canonical = canonical_value(rule, value)
        except InvalidValue as invalid:
            problems.append(refusal(path, invalid))
            continue
        (stated.at_creation if rule.changing is Changing.AT_CREATION else stated.compared)[field_name] = canonical
        if rule.refers_to:
            referring[field_name] = canonical
    if not problems:
        problems.extend(_refused_as_a_whole(kind, stated))
    stated.references = kind.references(name, referring)
    return problems or stated


def _leaves(kind: Kind, model: Spec, spec: YamlMapping) -> Iterator[tuple[tuple[str, ...], Value]]:
    """Every stated value with its path: a field, or an entry of a map that is owned per key."""
    entries = kind.entries
    for written in spec:
        value = getattr(model, written)
        if written in entries and isinstance(value, dict):
            for entry, inner in value.items():
                yield (written, entry), inner
        else:
            yield (written,), tuple(value) if isinstance(value, list) else value


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


def _refused_as_a_whole(kind: Kind, stated: StatedFields) -> Iterator[Problem]:
    if kind.check_spec is None:
        return
    try:
        kind.check_spec({**stated.compared, **stated.at_creation})
    except InvalidValue as invalid:
        yield refusal(_path(kind, invalid.field), invalid)


def _path(kind: Kind, field_name: str) -> Path:
    """The path of a dotted field name within a spec; empty for no field."""
    head, dot, entry = field_name.partition(".")
    if dot and head in kind.entries:
        return (head, entry)
    return (field_name,) if field_name else ()
