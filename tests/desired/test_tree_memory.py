"""A second load asks for nothing that it knows, and comes to the same result."""

from reconciler.desired.cache import DocumentsInMemory, LoadMemory
from reconciler.desired.tree import InvalidTree
from reconciler.model.key import Key
from reconciler.model.origin import Origin
from reconciler.provider.registry import Registry
from tests.desired.toy import TOY, box, rope
from tests.desired.trees import BASE, Tree, findings, host, tree_of, valid

FILES = BASE | {
    "hosts/hv01/a.yaml": box("a", "size: 1KiB, stickers: {my.own: x}"),
    "hosts/hv01/b.yaml": box("b", metadata="dependsOn: [Box/a]"),
    "shared/s.yaml": box("s", metadata="hosts: all"),
    "shared/v.yaml": box("v-$(n)", metadata="hosts: {labels: {many: yes}}"),
    "hosts/hv02/host.yaml": host("hv02", "  vars: {n: '2'}\n").replace("{name: hv02}", "{name: hv02, labels: {many: yes}}"),
}


def same(tree: Tree, memory: LoadMemory) -> None:
    """Both ways to load give the same."""
    with_memory, without = valid(tree.load(TOY, memory=memory)).desired, valid(tree_of_entries(tree).load(TOY)).desired
    assert with_memory.resources == without.resources
    assert with_memory.hosts == without.hosts
    assert {host: list(of_host) for host, of_host in with_memory.resources.items()} == {
        host: list(of_host) for host, of_host in without.resources.items()
    }


def tree_of_entries(tree: Tree) -> Tree:
    return Tree(list(tree.entries), dict(tree.blobs))


def test_an_unchanged_tree_is_not_read_again_and_its_resources_are_the_same_objects() -> None:
    tree, memory = tree_of(FILES), LoadMemory()
    first = valid(tree.load(TOY, memory=memory)).desired
    tree.asked.clear()

    second = valid(tree.load(TOY, memory=memory)).desired

    assert tree.asked == []
    for name, of_host in first.resources.items():
        assert all(second.resources[name][key] is resource for key, resource in of_host.items())


def test_only_the_changed_file_is_read() -> None:
    tree, memory = tree_of(FILES), LoadMemory()
    before = valid(tree.load(TOY, memory=memory)).desired
    tree.asked.clear()
    tree.add("hosts/hv01/a.yaml", box("a", "size: 2KiB"))

    after = valid(tree.load(TOY, memory=memory)).desired

    key = Key("hv01", "Box", "a")
    assert [tree.blobs[blob] for blob in tree.asked] == [box("a", "size: 2KiB").encode()]
    assert (before.resources["hv01"][key].fields, after.resources["hv01"][key].fields) != ({}, {})
    assert before.resources["hv01"][key].fields["size"] == 1024, "what was handed out does not change"
    same(tree, memory)


def test_files_that_come_go_or_move_are_noticed() -> None:
    tree, memory = tree_of(FILES), LoadMemory()
    same(tree, memory)
    tree.add("hosts/hv01/c.yaml", box("c"))
    same(tree, memory)
    tree.entries = [entry for entry in tree.entries if entry.path != "hosts/hv01/b.yaml"]
    same(tree, memory)
    tree.entries = [
        entry._replace(path="hosts/hv02/moved.yaml") if entry.path == "hosts/hv01/c.yaml" else entry for entry in tree.entries
    ]
    same(tree, memory)


def test_a_host_whose_variables_or_labels_change_has_its_shared_resources_made_anew() -> None:
    tree, memory = tree_of(FILES), LoadMemory()
    same(tree, memory)
    tree.add("hosts/hv02/host.yaml", FILES["hosts/hv02/host.yaml"].replace("'2'", "'3'"))
    same(tree, memory)
    assert Key("hv02", "Box", "v-3") in valid(tree.load(TOY, memory=memory)).desired.resources["hv02"]
    tree.add("hosts/hv02/host.yaml", host("hv02"))
    same(tree, memory)


def test_an_error_stays_until_its_file_changes() -> None:
    tree, memory = tree_of(FILES | {"hosts/hv01/c.yaml": "kind: Box\n"}), LoadMemory()
    first = findings(tree.load(TOY, memory=memory))
    tree.asked.clear()

    assert findings(tree.load(TOY, memory=memory)) == first
    assert tree.asked == []
    tree.add("hosts/hv01/c.yaml", box("c"))
    same(tree, memory)


def test_a_cycle_that_a_change_closes_is_found_and_found_again() -> None:
    tree, memory = tree_of(FILES), LoadMemory()
    valid(tree.load(TOY, memory=memory))
    tree.add("hosts/hv01/a.yaml", box("a", metadata="dependsOn: [Box/b]"))

    assert isinstance(tree.load(TOY, memory=memory), InvalidTree)
    assert isinstance(tree.load(TOY, memory=memory), InvalidTree)


def test_a_cycle_that_a_new_resource_closes_is_found() -> None:
    reference = box("a", "rope: hemp")
    tree, memory = tree_of(BASE | {"hosts/hv01/a.yaml": reference}), LoadMemory()
    valid(tree.load(TOY, memory=memory))
    tree.add("hosts/hv01/r.yaml", rope("hemp").replace("{name: hemp}", "{name: hemp, dependsOn: [Box/a]}"))

    assert isinstance(tree.load(TOY, memory=memory), InvalidTree)


def test_a_dependency_that_goes_away_is_missed() -> None:
    tree, memory = tree_of(FILES), LoadMemory()
    valid(tree.load(TOY, memory=memory))
    tree.entries = [entry for entry in tree.entries if entry.path != "hosts/hv01/a.yaml"]

    assert [finding.split("\n")[0] for finding in findings(tree.load(TOY, memory=memory))] == [
        "hosts/hv01/b.yaml:3:33  Box b: dependsOn names Box/a, which is no resource of hv01"
    ]


def test_a_host_that_did_not_change_has_the_very_same_mapping_of_resources() -> None:
    tree, memory = tree_of(FILES), LoadMemory()
    first = valid(tree.load(TOY, memory=memory)).desired.resources
    tree.add("hosts/hv01/a.yaml", box("a", "size: 2KiB"))

    second = valid(tree.load(TOY, memory=memory)).desired.resources

    assert second["hv02"] is first["hv02"]
    assert second["hv01"] is not first["hv01"]


def test_a_shared_manifest_changes_the_mappings_of_the_hosts_that_it_is_for() -> None:
    tree, memory = tree_of(FILES), LoadMemory()
    first = valid(tree.load(TOY, memory=memory)).desired.resources
    tree.add("shared/v.yaml", box("w-$(n)", metadata="hosts: {labels: {many: yes}}"))

    second = valid(tree.load(TOY, memory=memory)).desired.resources

    assert second["hv01"] is first["hv01"]
    assert {key.name for key in second["hv02"]} == {"s", "w-2"}
    same(tree, memory)


def test_a_key_that_stands_twice_is_told_again() -> None:
    tree, memory = tree_of(FILES | {"hosts/hv01/twice.yaml": box("a")}), LoadMemory()
    first = findings(tree.load(TOY, memory=memory))

    assert any("has a manifest already" in finding for finding in first)
    assert findings(tree.load(TOY, memory=memory)) == first


def test_other_kinds_make_memory_worthless() -> None:
    tree, memory = tree_of(FILES), LoadMemory()
    valid(tree.load(TOY, memory=memory))

    said = findings(tree.load(Registry.of([]), memory=memory))

    assert any("there is no kind Box" in finding for finding in said)


def test_known_documents_are_not_read_but_judged_all_the_same() -> None:
    cache = DocumentsInMemory()
    tree = tree_of(FILES)
    valid(tree.load(TOY, cache=cache))
    tree.asked.clear()

    again = valid(tree.load(TOY, cache=cache)).desired

    assert tree.asked == []
    assert again.resources == valid(tree.load(TOY)).desired.resources


def test_files_that_are_not_yaml_are_not_cached() -> None:
    cache = DocumentsInMemory()
    tree = tree_of(FILES | {"hosts/hv01/c.yaml": "a: [\n"})

    tree.load(TOY, cache=cache)

    assert len(cache.documents) == len({entry.blob for entry in tree.entries}) - 1


def test_the_place_of_a_field_is_found_again_through_the_reader() -> None:
    tree = tree_of(FILES)
    desired = valid(tree.load(TOY)).desired
    resource = desired.resources["hv01"][Key("hv01", "Box", "a")]

    assert desired.place(resource, "spec.size") == Origin("hosts/hv01/a.yaml", 4, 14)
    assert desired.place(resource, "spec.stickers.my.own") == Origin("hosts/hv01/a.yaml", 4, 39)
    assert desired.place(resource, "metadata.name") == Origin("hosts/hv01/a.yaml", 3, 18)
    assert desired.place(resource, "lifecycle.protect") == Origin("hosts/hv01/a.yaml", 1, 1)


def test_the_place_of_a_field_is_looked_for_in_the_right_document() -> None:
    tree = tree_of(BASE | {"hosts/hv01/a.yaml": f"{box('a', 'size: 1KiB')}---\n{box('b', 'size: 2KiB')}"})
    desired = valid(tree.load(TOY)).desired

    assert desired.place(desired.resources["hv01"][Key("hv01", "Box", "b")], "spec.size").line == 9
