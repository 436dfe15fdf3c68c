"""Which files of a tree are read, and for which host."""

import pytest

from reconciler.desired.entry import EntryKind, TooLarge, TreeEntry
from reconciler.desired.layout import Links
from reconciler.desired.tree import InvalidTree, load
from reconciler.desired.yaml_text import MAX_BYTES
from reconciler.model.desired import Severity
from reconciler.model.key import Key
from tests.desired.toy import TOY, box
from tests.desired.trees import BASE, findings, host, tree_of, valid


def keys(files: dict[str, str | bytes]) -> set[str]:
    desired = valid(tree_of(BASE | files).load(TOY)).desired
    return {str(key) for of_host in desired.resources.values() for key in of_host}


@pytest.mark.parametrize(
    ("path", "is_read", "reason"),
    [
        ("hosts/hv01/a.yaml", True, "below a host's folder"),
        ("hosts/hv01/deep/er/a.yml", True, "folders are free, and so is the short suffix"),
        ("hosts/hv01/.hidden.yaml", True, "a name with a dot in front could hide a removal"),
        ("hosts/hv01/a.yaml.orig", False, "another suffix"),
        ("hosts/hv01/a.YAML", False, "another suffix"),
        ("hosts/hv01/notes.md", False, "another suffix"),
        ("a.yaml", False, "outside of the places for manifests"),
        ("other/hosts/hv01/a.yaml", False, "outside of the places for manifests"),
        ("shared.yaml", False, "outside of the places for manifests"),
    ],
)
def test_a_file_is_read_where_manifests_lie(path: str, is_read: bool, reason: str) -> None:
    assert keys({path: box("a")}) == ({"hv01/Box/a"} if is_read else set()), reason


def test_a_file_holds_many_documents_and_keeps_their_order() -> None:
    tree = tree_of(BASE | {"hosts/hv01/a.yaml": f"{box('c')}---\n{box('a')}---\n---\n{box('b')}"})

    desired = valid(tree.load(TOY)).desired

    assert list(desired.resources["hv01"]) == [Key("hv01", "Box", name) for name in "cab"]
    assert [resource.origin.line for resource in desired.resources["hv01"].values()] == [1, 5, 10]


def test_entries_may_come_in_any_order() -> None:
    tree = tree_of({"hosts/hv01/b.yaml": box("b"), "hosts/hv01/a.yaml": box("a")} | BASE)

    desired = valid(tree.load(TOY)).desired

    assert list(desired.resources["hv01"]) == [Key("hv01", "Box", name) for name in "ab"]


def test_a_host_may_be_stated_where_it_is_already_known_from_the_folder() -> None:
    assert keys({"hosts/hv01/a.yaml": box("a", metadata="host: hv01")}) == {"hv01/Box/a"}


def test_a_tree_without_repository_has_the_default_owner_and_says_so() -> None:
    loaded = valid(tree_of({"hosts/hv01/host.yaml": host("hv01")}).load(TOY))

    assert loaded.desired.owner == "default"
    assert [(warning.path, warning.severity) for warning in loaded.warnings] == [("repository.yaml", Severity.WARNING)]


def test_one_error_anywhere_leaves_nothing_to_be_used() -> None:
    tree = tree_of(
        BASE | {"hosts/hv01/a.yaml": box("a"), "hosts/hv02/host.yaml": host("hv02"), "hosts/hv02/b.yaml": "kind: Box\n"}
    )

    loaded = tree.load(TOY, only_hosts=["hv01"])

    assert isinstance(loaded, InvalidTree)
    assert [finding.path for finding in loaded.findings] == ["hosts/hv02/b.yaml"]


def test_errors_come_in_the_order_of_places() -> None:
    tree = tree_of(
        BASE | {"hosts/hv01/b.yaml": "kind: Box\n---\nkind: Box\n", "hosts/hv01/a.yaml": "a: [\n", "shared/a.yaml": "x: 1\n"}
    )

    loaded = tree.load(TOY)

    assert isinstance(loaded, InvalidTree)
    places = [(finding.path, finding.line) for finding in loaded.findings]
    assert places == [("hosts/hv01/a.yaml", 2), ("hosts/hv01/b.yaml", 1), ("hosts/hv01/b.yaml", 3), ("shared/a.yaml", 1)]


def test_narrowing_to_hosts_leaves_the_others_out_and_the_result_is_not_whole() -> None:
    tree = tree_of(BASE | {"hosts/hv02/host.yaml": host("hv02"), "hosts/hv02/b.yaml": box("b")})

    whole, narrowed = valid(tree.load(TOY)).desired, valid(tree.load(TOY, only_hosts=["hv02"])).desired

    assert (set(whole.hosts), whole.whole) == ({"hv01", "hv02"}, True)
    assert (set(narrowed.hosts), set(narrowed.resources), narrowed.whole) == ({"hv02"}, {"hv02"}, False)


def test_a_file_over_the_limit_is_not_even_read() -> None:
    tree = tree_of(BASE)
    tree.entries.append(TreeEntry("hosts/hv01/a.yaml", "huge", size_bytes=MAX_BYTES + 1))

    (said,) = findings(tree.load(TOY))
    assert said.split("\n") == [
        "hosts/hv01/a.yaml:1:1  the file has 1048577 bytes; more than 1048576 (1 MiB) are not read",
        "  remedy: split it into several files",
    ]
    assert "huge" not in tree.asked


def test_a_file_that_the_source_does_not_want_to_read_is_over_the_limit() -> None:
    entries = [TreeEntry("hosts/hv01/host.yaml", "huge")]

    loaded = load(entries, lambda blobs: [TooLarge(5 << 20) for _ in blobs], TOY)

    assert isinstance(loaded, InvalidTree)
    assert loaded.findings[0].cause == "the file has 5242880 bytes; more than 1048576 (1 MiB) are not read"


@pytest.mark.parametrize("path", ["hosts/hv01/vendor", "shared/vendor", "hosts", "shared"])
def test_a_submodule_where_manifests_lie_is_an_error(path: str) -> None:
    tree = tree_of(BASE)
    tree.add(path, b"", EntryKind.SUBMODULE)

    said = findings(tree.load(TOY))

    assert said == [f"{path}:1:1  a submodule is never looked into\n  remedy: commit the manifests themselves"]


def test_links_and_submodules_elsewhere_are_of_no_concern() -> None:
    tree = tree_of(BASE)
    tree.add("vendor", b"", EntryKind.SUBMODULE)
    tree.add("docs/a.yaml", "../hosts", EntryKind.SYMLINK)

    valid(tree.load(TOY))


def test_a_link_behind_which_manifests_may_lie_is_an_error_and_is_not_followed() -> None:
    tree = tree_of(BASE | {"common/a.yaml": "no manifest", "README.md": "x"})
    for path, target in (
        ("hosts/hv01/README", "../../README.md"),
        ("hosts/hv01/folder", "../../common"),
        ("hosts/hv01/link.yaml", "host.yaml"),
        ("hosts/hv01/outside", "/srv/manifests"),
    ):
        tree.add(path, target, EntryKind.SYMLINK)

    remedy = "\n  remedy: commit the manifests themselves"
    assert findings(tree.load(TOY)) == [
        f"{path}:1:1  a symbolic link (to {target}) is never followed, and manifests may lie behind it{remedy}"
        for path, target in (
            ("hosts/hv01/folder", "../../common"),
            ("hosts/hv01/link.yaml", "host.yaml"),
            ("hosts/hv01/outside", "/srv/manifests"),
        )
    ]


@pytest.mark.parametrize(
    ("path", "target", "hides", "reason"),
    [
        ("hosts/hv01/a.yaml", "../../README.md", True, "its own name is a manifest's"),
        ("hosts/hv01/a", "../../shared/a.yaml", True, "it leads to a manifest"),
        ("hosts/hv01/a", "../../common", True, "it leads to a folder with manifests"),
        ("hosts/hv01/a", "../..", True, "it leads to a folder that holds everything"),
        ("hosts/hv01/a", "../hv02", True, "it leads to another host's folder"),
        ("hosts/hv03", "hv02", True, "a whole host by link"),
        ("shared", "common", True, "the place for manifests itself"),
        ("hosts/hv01/a", "../../docs", False, "a folder without manifests"),
        ("hosts/hv01/a", "../../README.md", False, "a file"),
        ("hosts/hv01/a", "../../LICENSE", False, "a file without suffix that is listed"),
        ("hosts/hv01/a", "../../elsewhere", True, "what is not listed may be a folder"),
        ("hosts/hv01/a", "../../../out.txt", False, "what is not listed and has a file's name"),
        ("hosts/hv01/a", "/etc/manifests.d", True, "a folder by its name"),
        ("hosts/hv01/a", "../../chain", True, "through another link"),
        ("hosts/hv01/a", "../../round", True, "round in circles"),
    ],
)
def test_a_link_is_judged_by_where_it_leads(path: str, target: str, hides: bool, reason: str) -> None:
    listed = ["README.md", "LICENSE", "docs/x.md", "common/deep/a.yaml", "hosts/hv02/a.yaml", "shared/a.yaml"]
    targets = {path: target, "chain": "common", "round": "round"}

    links = Links([TreeEntry(one, one) for one in listed], targets)

    assert links.hides_manifests(path) is hides, reason


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("hosts/hv01/a\nb.yaml", "hosts/hv01/a\\nb.yaml"),
        ("hosts/hv01/\udcff.yaml", "hosts/hv01/\\udcff.yaml"),
        ("shared/\x1b[2J.yaml", "shared/\\x1b[2J.yaml"),
    ],
)
def test_a_file_name_that_can_not_be_printed_is_an_error_that_can(path: str, shown: str) -> None:
    said = findings(tree_of(BASE | {path: box("a")}).load(TOY))

    assert said == [f"{shown}:1:1  the file's name holds characters that can't be printed\n  remedy: rename the file"]
