"""One manifest for several hosts, with what differs between them in variables."""

import pytest

from reconciler.model.desired import Desired
from tests.desired.toy import TOY, box
from tests.desired.trees import REPOSITORY, findings, host, tree_of, valid

HOSTS = {
    "repository.yaml": REPOSITORY,
    "hosts/hv01/host.yaml": host("hv01", "  vars: {rack: a1, size: 1KiB}\n").replace(
        "{name: hv01}", "{name: hv01, labels: {role: web, dc: x}}"
    ),
    "hosts/hv02/host.yaml": host("hv02", "  vars: {rack: b2, size: 2KiB}\n").replace(
        "{name: hv02}", "{name: hv02, labels: {role: db, dc: x}}"
    ),
    "hosts/hv03/host.yaml": host("hv03"),
}


def desired(*documents: str, **files: str) -> Desired:
    return valid(tree_of({**HOSTS, "shared/all.yaml": "---\n".join(documents), **files}).load(TOY)).desired


def names(found: Desired) -> set[str]:
    return {f"{key.host}/{key.name}" for of_host in found.resources.values() for key in of_host}


@pytest.mark.parametrize(
    ("selector", "expected", "reason"),
    [
        ("all", {"hv01/a", "hv02/a", "hv03/a"}, "all hosts"),
        ("{names: [hv03, hv01]}", {"hv01/a", "hv03/a"}, "by name"),
        ("{labels: {dc: x}}", {"hv01/a", "hv02/a"}, "by one label"),
        ("{labels: {dc: x, role: db}}", {"hv02/a"}, "by all labels that are stated"),
        ("{labels: {dc: y}}", set(), "none"),
    ],
)
def test_a_shared_manifest_is_one_resource_on_each_host_it_selects(selector: str, expected: set[str], reason: str) -> None:
    assert names(desired(box("a", metadata=f"hosts: {selector}"))) == expected, reason


def test_variables_are_replaced_before_keys_are_made() -> None:
    found = desired(
        box("a", metadata="hosts: {names: [hv01, hv02]}"),
        box(
            "box-$(rack)",
            "size: $(size), stickers: {front: in $(rack) of $(rack)}",
            metadata="hosts: {labels: {dc: x}}, labels: {rack: $(rack)}, "
            "dependsOn: [Box/a, 'Box/same-$(rack)'], movedFrom: old-$(rack)",
            lifecycle="mode: $(mode)",
        ).replace("$(mode)", "report"),
        box("same-$(rack)", metadata="hosts: {labels: {dc: x}}"),
    )

    one, two = (next(r for r in found.resources[name].values() if r.key.name.startswith("box-")) for name in ("hv01", "hv02"))
    assert (one.key.name, one.fields) == ("box-a1", {"size": 1024, "stickers.front": "IN A1 OF A1"})
    assert (two.key.name, two.fields) == ("box-b2", {"size": 2048, "stickers.front": "IN B2 OF B2"})
    assert (two.moved_from, two.labels, str(two.depends_on[1])) == ("old-b2", (("rack", "b2"),), "Box/same-b2")
    assert one.origin == two.origin


@pytest.mark.parametrize(
    ("text", "expected", "reason"),
    [
        ("$(rack)", "A1", "a use"),
        ("$$(rack)", "$(RACK)", "the escape"),
        ("$$$(rack)", "$$(RACK)", "the escape after a dollar"),
        ("$rack ${rack} $", "$RACK ${RACK} $", "other dollars mean nothing"),
        ("a$(rack)b$(rack)c", "AA1BA1C", "within a text"),
    ],
)
def test_a_dollar_means_something_only_before_a_parenthesis(text: str, expected: str, reason: str) -> None:
    found = desired(box("a", f"stickers: {{front: '{text}'}}", metadata="hosts: {names: [hv01]}"))

    (resource,) = found.resources["hv01"].values()
    assert resource.fields == {"stickers.front": expected}, reason


def test_a_value_that_was_replaced_is_not_replaced_again() -> None:
    files = {"hosts/hv03/host.yaml": host("hv03", "  vars: {a: '$(b)', b: x}\n")}

    found = desired(box("a", "stickers: {front: $(a)}", metadata="hosts: {names: [hv03]}"), **files)

    (resource,) = found.resources["hv03"].values()
    assert resource.fields == {"stickers.front": "$(B)"}


def test_a_dollar_means_nothing_in_manifests_of_one_host() -> None:
    files = {"hosts/hv01/a.yaml": box("a", "stickers: {front: $(rack) $$(x)}")}

    found = desired(**files)

    (resource,) = found.resources["hv01"].values()
    assert resource.fields == {"stickers.front": "$(RACK) $$(X)"}


def test_keys_of_mappings_are_left_alone() -> None:
    found = desired(box("a", "stickers: {my.$(rack): $(rack)}", metadata="hosts: {names: [hv01]}"))

    (resource,) = found.resources["hv01"].values()
    assert resource.fields == {"stickers.my.$(rack)": "a1"}


def test_an_unknown_variable_is_an_error_on_each_host_that_lacks_it() -> None:
    tree = tree_of({**HOSTS, "shared/all.yaml": box("a", "stickers: {front: $(rack)}", metadata="hosts: all")})

    (said,) = findings(tree.load(TOY))
    assert said.split("\n") == [
        "shared/all.yaml:4:26  Box a: the host hv03 has no variable 'rack'",
        "  remedy: add it to spec.vars of the Host hv03 (it has: none), or write $$( for the text $(",
    ]


def test_what_is_wrong_for_all_hosts_is_said_once() -> None:
    tree = tree_of({**HOSTS, "shared/all.yaml": box("a-$(rack)", "size: 5", metadata="hosts: {labels: {dc: x}}")})

    assert [finding.split("\n")[0] for finding in findings(tree.load(TOY))] == [
        "shared/all.yaml:4:14  Box a-$(rack): size 5 has no unit"
    ]


def test_two_shared_manifests_may_not_meet_in_one_key() -> None:
    tree = tree_of(
        {
            **HOSTS,
            "shared/a.yaml": box("b-$(rack)", metadata="hosts: {names: [hv01]}"),
            "shared/b.yaml": box("b-a1", metadata="hosts: {labels: {role: web}}"),
        }
    )

    assert [finding.split("\n")[0] for finding in findings(tree.load(TOY))] == [
        "shared/b.yaml:1:1  Box b-a1: hv01/Box/b-a1 has a manifest already, at shared/a.yaml:1:1"
    ]


def test_a_host_that_is_wrong_itself_causes_no_further_findings() -> None:
    files = {**HOSTS, "hosts/hv01/host.yaml": host("hv01", "  mode: off\n")}
    tree = tree_of({**files, "shared/a.yaml": box("$(rack)", metadata="hosts: {names: [hv01]}")})

    assert [finding.split("  ")[0] for finding in findings(tree.load(TOY))] == ["hosts/hv01/host.yaml:6:9"]
