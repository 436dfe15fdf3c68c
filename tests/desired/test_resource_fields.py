"""A spec becomes flat canonical fields by the kind's table."""

import pytest

from reconciler.desired.fields import StatedFields, stated_fields
from reconciler.desired.manifest import resource
from reconciler.desired.yaml_documents import documents
from reconciler.desired.yaml_places import Path
from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import DEFAULT_LIFECYCLE, Adopt, Disruption, Lifecycle, Mode, OnRemoval, Protect
from reconciler.model.origin import Origin
from reconciler.model.resource import Reference, Resource
from tests.desired.toy import BOX, TOY, box
from tests.desired.trees import BASE, findings, tree_of

ORIGIN = Origin("hosts/hv01/a.yaml", 1, 1)


def made(text: str) -> Resource:
    (document,) = documents(text.encode())
    found = resource(document.value, "hv01", ORIGIN, TOY.kinds)
    assert isinstance(found, Resource), found
    return found


def test_only_what_is_stated_is_a_field() -> None:
    assert made(box("a")).fields == {}


def test_values_are_canonical_and_maps_are_flat() -> None:
    found = made(box("a", "size: 2KiB, notes: [x, y], stickers: {front: hello, volume: 3KiB, fill: 20%, my.own: 5}"))

    assert found.fields == {
        "size": 2048,
        "notes": ("x", "y"),
        "stickers.front": "HELLO",
        "stickers.volume": 3072,
        "stickers.fill": 20,
        "stickers.my.own": 5,
    }


def test_null_is_kept_where_the_rule_has_a_meaning_for_it() -> None:
    assert made(box("a", "weight: null, stickers: {front: null}")).fields == {"weight": None, "stickers.front": None}


def test_what_matters_at_creation_only_is_apart() -> None:
    found = made(box("a", "glued: true, size: 1KiB"))

    assert (found.fields, found.created_with) == ({"size": 1024}, {"glued": True})
    assert made(box("a")).created_with is None


def test_references_come_from_the_name_and_from_fields() -> None:
    found = made(box("cellar/shelf/a", "rope: hemp@3"))

    assert found.references == (
        Reference("metadata.name", ("Box",), "cellar/shelf"),
        Reference("spec.rope", ("Rope",), "hemp"),
    )


def test_a_resource_carries_its_envelope() -> None:
    found = made(
        box(
            "a",
            metadata="labels: {z: '1', a: b}, dependsOn: [Rope/hemp, Box/b/c], movedFrom: old",
            lifecycle="onRemoval: orphan, trashTtl: 1h30m, deleteSnapshots: true, adopt: once, protect: all, "
            "disruption: replace, mode: report, ignore: [stickers, size, stickers.front]",
        )
    )

    assert found == Resource(
        key=Key("hv01", "Box", "a"),
        fields={},
        origin=ORIGIN,
        lifecycle=Lifecycle(
            on_removal=OnRemoval.ORPHAN,
            trash_ttl_s=5400,
            delete_snapshots=True,
            adopt=Adopt.ONCE,
            protect=Protect.ALL,
            disruption=Disruption.REPLACE,
            mode=Mode.REPORT,
            ignore=("stickers", "size", "stickers.front"),
        ),
        depends_on=(ObjectName("Rope", "hemp"), ObjectName("Box", "b/c")),
        moved_from="old",
        labels=(("a", "b"), ("z", "1")),
    )


def test_a_lifecycle_that_is_not_stated_is_the_default_itself() -> None:
    assert made(box("a")).lifecycle is DEFAULT_LIFECYCLE


def test_a_trash_ttl_of_null_means_for_ever() -> None:
    assert made(box("a", lifecycle="trashTtl: null")).lifecycle.trash_ttl_s is None


@pytest.mark.parametrize(
    ("spec", "path", "cause", "reason"),
    [
        ("size: null", ("size",), "null is not allowed here", "no meaning for null"),
        ("stickers: {volume: null}", ("stickers", "volume"), "null is not allowed here", "no meaning for null in an entry"),
        ("stickers: {side: x}", ("stickers", "side"), "there is no sticker 'side'", "an entry that can't stand there"),
        ("stickers: {front: rude}", ("stickers", "front"), "a sticker can't be rude", "an entry's value"),
        ("stickers: {front: [a]}", ("stickers", "front"), "expected true or false or a number or text, got a list", "a union"),
        ("colour: blue", ("colour",), "expected one of red, green, got text 'blue'", "a closed set of words"),
        ("weight: -1", ("weight",), "must be at least 0, got the number -1", "a limit"),
        ("weight: '1'", ("weight",), "expected a number, got text '1'", "a number in quotes"),
        ("notes: [x, 1]", ("notes", 1), "expected text, got the number 1", "an item of a list"),
        ("rope: {secret: 'a#b'}", ("rope",), "secrets are not available yet", "a reserved form"),
        ("colour: green, rope: x", ("rope",), "a green box has no rope", "what only the kind's own check sees"),
        ("colour: green, rope: x, size: 5", ("size",), "size 5 has no unit", "the kind's check waits for valid fields"),
    ],
)
def test_a_wrong_value_is_a_problem_at_its_path(spec: str, path: Path, cause: str, reason: str) -> None:
    (document,) = documents(f"{{{spec}}}".encode())

    problems = stated_fields(BOX, "a", document.value)

    assert not isinstance(problems, StatedFields)
    assert [(problem.path, problem.cause) for problem in problems] == [(path, cause)], reason
    assert all(problem.remedy for problem in problems)


def test_one_wrong_value_hides_no_other() -> None:
    (document,) = documents(b"{size: 5, colour: blue, stickers: {front: rude, side: x, volume: [1]}, nothing: 1}")

    problems = stated_fields(BOX, "a", document.value)

    assert not isinstance(problems, StatedFields)
    assert {problem.path for problem in problems} == {
        ("size",),
        ("colour",),
        ("nothing",),
        ("stickers", "front"),
        ("stickers", "side"),
        ("stickers", "volume"),
    }


def test_what_is_written_can_not_break_the_line_of_a_finding() -> None:
    tree = tree_of(BASE | {"hosts/hv01/a.yaml": box("a") + '"\\n  remedy: rm -rf": 1\n'})

    (said,) = findings(tree.load(TOY))

    assert said.split("\n")[0] == "hosts/hv01/a.yaml:4:1  Box a: there is no field \\n  remedy: rm -rf here"
