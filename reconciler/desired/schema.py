"""The JSON Schema of manifests, for editors: one document for all kinds that are installed."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic import BaseModel

from reconciler.desired.envelope import API_VERSION, Envelope
from reconciler.desired.host import HostSpec
from reconciler.desired.manifest import HOST, REPOSITORY
from reconciler.desired.repository import RepositorySpec
from reconciler.provider.field import Entries, FieldRule, Group, Items, Null
from reconciler.provider.kind import Kind, model_in

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The newest dialect that the language servers of editors know well."""

Schema: TypeAlias = dict[str, Any]

_ENGINE_SPECS: Mapping[str, type[BaseModel]] = {HOST: HostSpec, REPOSITORY: RepositorySpec}
_LEAF_TYPES = ("string", "number", "boolean", "array")


def json_schema(kinds: Mapping[str, Kind]) -> Schema:
    """A schema for one document of a tree; what `spec` may hold follows from `kind`."""
    names = sorted((*(name for name, kind in kinds.items() if not kind.is_reserved), *_ENGINE_SPECS))
    envelope, definitions = _model_schema(Envelope, "Envelope")
    choices = []
    for name in names:
        spec = _kind_schema(kinds[name], definitions) if name in kinds else _engine_schema(name, definitions)
        definitions[name] = spec
        then: Schema = {"properties": {"spec": {"$ref": f"#/definitions/{name}"}}}
        if "required" in spec:
            then["required"] = ["spec"]
        choices.append({"if": {"properties": {"kind": {"const": name}}, "required": ["kind"]}, "then": then})
    envelope["properties"] |= {
        "apiVersion": {"const": API_VERSION},
        "kind": {"enum": names},
        "spec": {"type": "object", "description": "what the object shall be"},
    }
    return {
        "$schema": DIALECT,
        "title": f"{API_VERSION} manifest",
        **envelope,
        "allOf": choices,
        "definitions": dict(sorted(definitions.items())),
    }


def _model_schema(model: type[BaseModel], prefix: str) -> tuple[Schema, Schema]:
    """A model's schema and those of the models in it, whose names get the prefix."""
    schema = model.model_json_schema(ref_template=f"#/definitions/{prefix}.{{model}}")
    inner = {f"{prefix}.{name}": part for name, part in schema.pop("$defs", {}).items()}
    # What stands beside a $ref is not read in this dialect, so words of a closed set are written where they are used.
    words = {f"#/definitions/{name}": {"enum": part["enum"]} for name, part in inner.items() if "enum" in part}
    models = {name: _tidy(part, words) for name, part in inner.items() if "enum" not in part}
    tidy: Schema = _tidy(schema, words)
    return tidy, models


def _engine_schema(name: str, definitions: Schema) -> Schema:
    schema, inner = _model_schema(_ENGINE_SPECS[name], name)
    definitions.update(inner)
    return schema


def _kind_schema(kind: Kind, definitions: Schema) -> Schema:
    """The schema of a kind's spec, with what its table says beside the types: summaries, entries, where null may stand."""
    schema, inner = _model_schema(kind.spec, kind.name)
    definitions.update(inner)
    schema["description"] = kind.summary
    _add_table(kind.spec, schema, definitions)
    return schema


def _add_table(model: type[BaseModel], schema: Schema, definitions: Schema) -> None:
    """Adds to a model's schema, and to those of its groups and of the items of its lists, what the table says of each field."""
    properties = schema.get("properties", {})
    for name, info in model.model_fields.items():
        for part in info.metadata:
            match part:
                case FieldRule():
                    properties[name] = _field_schema(properties[name], part)
                case Entries():
                    properties[name] = _entries_schema(properties[name], part)
                case Group():
                    if (inner := model_in(info.annotation)) is not None:
                        _add_table(inner, definitions[_definition(properties[name])], definitions)
                case Items():
                    _add_table(part.item, definitions[_definition(properties[name]["items"])], definitions)
                    properties[name] = _field_schema(properties[name], part.rule)


def _definition(schema: Schema) -> str:
    """The name of the definition that a reference leads to."""
    return str(schema["$ref"]).removeprefix("#/definitions/")


def _field_schema(schema: Schema, rule: FieldRule) -> Schema:
    # The defaults of a kind's model mean nothing: what is not stated is left alone.
    schema = {name: value for name, value in _without_null(schema).items() if name != "default"}
    if rule.summary:
        schema["description"] = rule.summary
    if rule.null is Null.REFUSED:
        return schema
    description = schema.pop("description", "")
    return {"description": description, "anyOf": [schema, {"type": "null"}]}


def _entries_schema(schema: Schema, entries: Entries) -> Schema:
    types = _leaf_types(schema["additionalProperties"])
    return {
        "type": "object",
        "properties": {name: _entry_schema(entries.rule(name), types) for name in sorted(entries.known)},
        "additionalProperties": {"type": [*types, "null"]},
    }


def _leaf_types(schema: Schema) -> list[str]:
    """What the entries of a map may be, null apart."""
    choices = (
        schema["type"] if isinstance(schema.get("type"), list) else [one.get("type") for one in schema.get("anyOf", [schema])]
    )
    # A whole number is a number here: which of the two an entry takes is its rule's business.
    found = {"number" if choice == "integer" else choice for choice in choices}
    return [choice for choice in _LEAF_TYPES if choice in found]


def _entry_schema(rule: FieldRule, types: list[str]) -> Schema:
    schema: Schema = {"type": [*types] if rule.null is Null.REFUSED else [*types, "null"]}
    return {"description": rule.summary, **schema} if rule.summary else schema


def _tidy(schema: Any, words: Mapping[str, Schema]) -> Any:
    """The schema without titles made of names, and without null and defaults that only stand for "left out"."""
    if isinstance(schema, list):
        return [_tidy(value, words) for value in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref", "")
    if reference in words:
        schema = words[reference] | {name: value for name, value in schema.items() if name != "$ref"}
    default = schema.get("default", "")
    if default is None:
        schema = _without_null(schema)
    is_internal = default is None or (isinstance(default, int) and "string" in schema.get("type", ()))
    # A limit on what becomes of a text is none of the text's.
    left_out = {"default", "gt"} if is_internal else {"gt"}
    if isinstance(schema.get("title"), str):
        left_out.add("title")
    return {name: _tidy(value, words) for name, value in schema.items() if name not in left_out}


def _without_null(schema: Schema) -> Schema:
    """The schema of `X | None` as that of X."""
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    return {**choices[0], **{name: value for name, value in schema.items() if name != "anyOf"}}
