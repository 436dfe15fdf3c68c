"""The JSON Schema of manifests."""

import json
from collections.abc import Iterator
from typing import Any

from reconciler.desired.schema import json_schema
from reconciler.provider.registry import Registry
from tests.desired.guests import GUESTS
from tests.desired.toy import TOY


def references(schema: Any) -> Iterator[str]:
    match schema:
        case dict():
            if isinstance(schema.get("$ref"), str):
                yield schema["$ref"]
            for value in schema.values():
                yield from references(value)
        case list():
            for value in schema:
                yield from references(value)


def test_every_reference_leads_somewhere(registry: Registry) -> None:
    schema = json_schema(registry.kinds)

    known = {f"#/definitions/{name}" for name in schema["definitions"]}
    assert set(references(schema)) <= known


def test_the_spec_follows_from_the_kind() -> None:
    schema = json_schema(TOY.kinds)

    assert schema["properties"]["kind"] == {"enum": ["Box", "Host", "Repository", "Rope"]}
    assert [(choice["if"]["properties"]["kind"]["const"], choice["then"]) for choice in schema["allOf"]] == [
        ("Box", {"properties": {"spec": {"$ref": "#/definitions/Box"}}}),
        ("Host", {"properties": {"spec": {"$ref": "#/definitions/Host"}}, "required": ["spec"]}),
        ("Repository", {"properties": {"spec": {"$ref": "#/definitions/Repository"}}}),
        ("Rope", {"properties": {"spec": {"$ref": "#/definitions/Rope"}}, "required": ["spec"]}),
    ]


def test_a_kinds_table_is_in_its_schema() -> None:
    box = json_schema(TOY.kinds)["definitions"]["Box"]

    assert (box["description"], box["additionalProperties"]) == ("a box", False)
    properties = box["properties"]
    assert properties["size"] == {"type": "string", "examples": ["512MiB", "10GiB"], "description": "how much fits in"}
    assert properties["colour"] == {"enum": ["red", "green"], "type": "string"}
    assert properties["weight"]["anyOf"] == [{"minimum": 0, "type": "integer"}, {"type": "null"}]
    assert properties["stickers"]["properties"]["front"] == {
        "description": "what the front says",
        "type": ["string", "number", "boolean", "null"],
    }
    assert properties["stickers"]["properties"]["fill"]["type"] == ["string", "number", "boolean"]


def test_the_envelope_speaks_as_manifests_do() -> None:
    schema = json_schema(TOY.kinds)

    assert schema["additionalProperties"] is False
    assert schema["required"] == ["apiVersion", "kind", "metadata"]
    assert list(schema["definitions"]["Envelope.Metadata"]["properties"]) == [
        "name", "host", "hosts", "labels", "dependsOn", "movedFrom",
    ]  # fmt: skip
    lifecycle = schema["definitions"]["Envelope.LifecycleManifest"]["properties"]
    assert lifecycle["onRemoval"]["enum"] == ["trash", "delete", "orphan"]
    assert lifecycle["trashTtl"]["type"] == ["string", "null"]


def test_the_schema_is_json_and_the_same_every_time(registry: Registry) -> None:
    assert json.dumps(json_schema(registry.kinds)) == json.dumps(json_schema(registry.kinds))


def test_groups_items_and_their_maps_are_described() -> None:
    definitions = json_schema(GUESTS.kinds)["definitions"]

    zone, nic, disk = (definitions[name] for name in ("Zone", "Zone.Nic", "VirtualMachine.Disk"))
    assert zone["properties"]["nics"] == {
        "type": "array",
        "items": {"$ref": "#/definitions/Zone.Nic"},
        "description": "its nics, by name",
    }
    assert nic["required"] == ["name"]
    assert nic["properties"]["vlan"] == {
        "description": "VLAN id; 0 is none",
        "anyOf": [{"type": "integer", "minimum": 0, "maximum": 4094}, {"type": "null"}],
    }
    assert nic["properties"]["allow"] == {"$ref": "#/definitions/Zone.Allow"}
    assert definitions["Zone.Allow"]["properties"]["ips"]["description"]
    assert disk["properties"]["size"] == {
        "type": "string",
        "examples": ["512MiB", "10GiB"],
        "description": "grows; shrinking is refused",
    }
    assert "null" in disk["properties"]["properties"]["properties"]["compression"]["type"]


def test_kinds_that_no_manifest_can_have_are_not_in_the_schema(registry: Registry) -> None:
    reserved = {name for name, kind in registry.kinds.items() if kind.is_reserved}

    assert reserved
    assert not reserved & set(json_schema(registry.kinds)["properties"]["kind"]["enum"])


def test_a_map_of_texts_takes_texts_and_a_native_one_lists_too() -> None:
    definitions = json_schema(GUESTS.kinds)["definitions"]

    assert definitions["Zone"]["properties"]["tags"]["additionalProperties"] == {"type": ["string", "null"]}
    native = definitions["Zone.Native"]["properties"]["smartos"]["properties"]
    assert "array" in native["limit_priv"]["type"]
    assert "null" not in native["limit_priv"]["type"]
    assert "null" in native["fs_allowed"]["type"]


def test_every_reference_of_guests_leads_somewhere() -> None:
    schema = json_schema(GUESTS.kinds)

    assert set(references(schema)) <= {f"#/definitions/{name}" for name in schema["definitions"]}
