"""The documents are true: the README's console blocks are run in a copy of the project and compared with what they show."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli.main import _COMMANDS
from reconciler.controller.desired_state import DesiredReader
from reconciler.desired.layout import TOP
from reconciler.provider.registry import Registry
from reconciler.source.location import located
from reconciler.source.opening import opened
from tests.docs.told import ROOT, exit_code, pattern, sessions

DOCUMENTS = sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The tracked files, as a fresh clone has them."""
    place = tmp_path / "clone"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True
    ).stdout.decode()
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    git = ("git", "-C", str(place), "-c", "user.name=docs", "-c", "user.email=docs@example.org")
    subprocess.run((*git, "init", "-q"), check=True)
    subprocess.run((*git, "add", "-A"), check=True)
    subprocess.run((*git, "commit", "-q", "-m", "as cloned"), check=True)
    return place


def test_the_tour_of_the_readme_happens_as_it_is_told(clone: Path) -> None:
    told = sessions(ROOT / "README.md")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    for command, shown in told:
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            environment[name] = value.replace("$PWD", str(clone))
            continue
        done = subprocess.run(
            ["sh", "-c", command], cwd=clone, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == exit_code(command), f"$ {command}\n{done.stdout}{done.stderr}"
        assert pattern(shown).fullmatch(done.stdout), f"$ {command}\n{done.stdout}\nis not as shown:\n{shown}"

    assert len(told) >= 12


def test_every_manifest_of_the_documents_is_valid(registry: Registry, tmp_path: Path) -> None:
    host = "apiVersion: reconciler/v1\nkind: Host\nmetadata: {name: hv01}\nspec: {transport: {type: local}}\n"
    blocks = [
        block
        for document in DOCUMENTS
        for block in re.findall(r"^```yaml\n(.*?)^```", document.read_text(), re.DOTALL | re.MULTILINE)
    ]
    for number, block in enumerate(blocks):
        tree = tmp_path / str(number)
        (tree / "hosts/hv01").mkdir(parents=True)
        (tree / "repository.yaml").write_text("apiVersion: reconciler/v1\nkind: Repository\nmetadata: {name: docs}\n")
        (tree / "hosts/hv01/host.yaml").write_text(host)
        needed = "apiVersion: reconciler/v1\nkind: Dataset\nmetadata: {name: tank/data}\nspec: {}\n"
        if "kind: Repository" in block:
            (tree / "repository.yaml").write_text(block)
            block = needed
        if "kind: Host" in block:
            (tree / "hosts/hv01/host.yaml").write_text(block)
            block = needed
        (tree / "hosts/hv01/shown.yaml").write_text(f"{needed}---\n{block}" if "dependsOn" in block else block)
        source = opened(located(directory=str(tree)), tmp_path / "state", os.environ, only=TOP)

        assert DesiredReader(registry).read(source, source.fetch()).desired.resources["hv01"]

    assert len(blocks) >= 2


def test_the_reference_lists_every_command() -> None:
    text = (ROOT / "docs/reference.md").read_text()

    assert [name for name in _COMMANDS if f"`reconciler {name}" not in text] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", document.read_text()) if "://" not in link]

    assert [link for link in links if not (document.parent / link).exists()] == []
