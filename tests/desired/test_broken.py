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
    assert len(CASES) >= 80


def _expected(case: Path) -> list[str]:
    """Findings begin at the left margin; what belongs to one is indented."""
    found: list[str] = []
    for line in (case / "expected.txt").read_text().splitlines():
        if line.startswith(" "):
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return found
