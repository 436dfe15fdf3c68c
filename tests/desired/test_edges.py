"""What resources say about each other."""

import pytest

from tests.desired.toy import TOY, box, rope
from tests.desired.trees import BASE, findings, tree_of, valid


def said(text: str, *, strict: bool = False) -> list[str]:
    return [
        finding.split("\n")[0] for finding in findings(tree_of(BASE | {"hosts/hv01/a.yaml": text}).load(TOY, strict=strict))
    ]


def test_a_reference_may_lead_to_what_is_no_resource() -> None:
    assert said(box("shelf/a", "rope: hemp")) == []


def test_strictly_a_reference_must_lead_to_a_resource() -> None:
    assert said(box("shelf/a", "rope: hemp@2"), strict=True) == [
        "hosts/hv01/a.yaml:3:18  Box shelf/a: it refers to Box/shelf, which is no resource of hv01",
        "hosts/hv01/a.yaml:4:14  Box shelf/a: it refers to Rope/hemp, which is no resource of hv01",
    ]
    assert said("---\n".join((box("shelf/a", "rope: hemp@2"), box("shelf"), rope("hemp"))), strict=True) == []


def test_a_dependency_must_lead_to_a_resource_of_the_same_host() -> None:
    tree = tree_of(BASE | {"hosts/hv01/a.yaml": box("a", metadata="dependsOn: [Box/b]")})
    other = BASE["hosts/hv01/host.yaml"].replace("hv01", "hv02")
    tree.add("hosts/hv02/host.yaml", f"{other}---\n{box('b')}")

    assert [finding.split("\n")[0] for finding in findings(tree.load(TOY))] == [
        "hosts/hv01/a.yaml:3:33  Box a: dependsOn names Box/b, which is no resource of hv01"
    ]


@pytest.mark.parametrize(
    ("edges", "expected", "reason"),
    [
        ("a>b b>c", [], "a chain"),
        ("a>b a>c b>d c>d", [], "two ways to one end"),
        ("a>a", ["Box/a -> Box/a"], "itself"),
        ("a>b b>a", ["Box/a -> Box/b -> Box/a"], "two"),
        ("a>b b>c c>d d>b", ["Box/b -> Box/c -> Box/d -> Box/b"], "a way into a cycle is no part of it"),
        ("a>b b>a c>d d>c", ["Box/a -> Box/b -> Box/a", "Box/c -> Box/d -> Box/c"], "two cycles"),
        (
            "a>b b>c c>a b>a",
            ["Box/a -> Box/b -> Box/c -> Box/a", "Box/a -> Box/b -> Box/a"],
            "two cycles with one edge in common",
        ),
    ],
)
def test_a_cycle_is_shown_as_the_path_that_it_is(edges: str, expected: list[str], reason: str) -> None:
    after: dict[str, list[str]] = {name: [] for name in "abcd"}
    for edge in edges.split():
        after[edge[0]].append(f"Box/{edge[2]}")
    text = "---\n".join(box(name, metadata=f"dependsOn: [{', '.join(names)}]") for name, names in after.items())

    found = [finding.partition("dependencies go round: ")[2] for finding in said(text)]

    assert sorted(found) == sorted(expected), reason


def test_a_long_chain_needs_no_deep_stack() -> None:
    count = 3000
    text = "---\n".join(box(f"b{n}", metadata=f"dependsOn: [Box/b{n + 1}]" if n + 1 < count else "") for n in range(count))

    valid(tree_of(BASE | {"hosts/hv01/a.yaml": text}).load(TOY))


@pytest.mark.parametrize("broken", [box("b", "size: 5"), "a: [\n", box("b").replace("kind: Box\n", "")])
def test_a_dependency_on_a_manifest_that_is_wrong_is_no_second_error(broken: str) -> None:
    tree = tree_of(BASE | {"hosts/hv01/a.yaml": box("a", metadata="dependsOn: [Box/b]"), "hosts/hv01/b.yaml": broken})

    assert [finding.partition(":")[0] for finding in findings(tree.load(TOY))] == ["hosts/hv01/b.yaml"]


def test_a_dependency_on_a_shared_manifest_that_is_wrong_is_no_second_error() -> None:
    tree = tree_of(BASE | {"hosts/hv01/a.yaml": box("a", metadata="dependsOn: [Box/b]")})
    tree.add("shared/b.yaml", box("b", "size: 5", metadata="hosts: all"))

    assert [finding.partition(":")[0] for finding in findings(tree.load(TOY))] == ["shared/b.yaml"]
