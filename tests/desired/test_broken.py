"""Every way to be wrong has a folder in `broken/`: a tree, and in `expected.txt` all that is said about it.

Files that a case does not have itself (repository.yaml, hosts/hv01/host.yaml) are added, except where its name begins with
`tree-`.
"""

from pathlib import Path

import pytest

from reconciler.provider.registry import Registry
from tests.desired.trees import BASE, findings, tree_of_folder

CASES = sorted(path for path in (Path(__file__).parent / "broken").iterdir() if path.is_dir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_tree_is_told_all_that_is_wrong_with_it(case: Path, registry: Registry) -> None:
    tree = tree_of_folder(case, leave_out=frozenset({"expected.txt"}))
    if not case.name.startswith("tree-"):
        for path, text in BASE.items():
            if not any(entry.path == path for entry in tree.entries):
                tree.add(path, text)

    said = findings(tree.load(registry))

    assert said == _expected(case)


def test_there_is_a_folder_for_many_ways_to_be_wrong() -> None:
    assert len(CASES) >= 140


def _expected(case: Path) -> list[str]:
    """Findings begin at the left margin; what belongs to one is indented."""
    found: list[str] = []
    for line in (case / "expected.txt").read_text().splitlines():
        if line.startswith(" "):
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return found


def test_a_kind_that_exists_and_has_no_provider_here_is_told_from_one_that_does_not_exist(registry: Registry) -> None:
    only_zfs = Registry.of([registry.provider_of["Dataset"]])
    tree = tree_of_folder(Path(__file__).parent / "broken" / "header-unknown-kind", leave_out=frozenset({"expected.txt"}))
    for path, text in BASE.items():
        tree.add(path, text)
    tree.add("hosts/hv01/zone.yaml", "apiVersion: reconciler/v1\nkind: Zone\nmetadata:\n  name: web1\nspec: {}\n")

    said = findings(tree.load(only_zfs))

    cause = "hosts/hv01/zone.yaml:2:7  Zone web1: no provider for kind Zone is installed"
    assert f"{cause}\n  remedy: install one, or remove the manifest" in said
