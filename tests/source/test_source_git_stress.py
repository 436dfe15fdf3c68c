"""Mirrors of many files and of shallow clones spoiled in every part, what a killed git leaves, and settings that would run
programs: found, mended or refused, and never in the way of the next fetch."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.desired.entry import TooLarge
from reconciler.source.errors import SourceError
from reconciler.source.git.source import GitSource
from tests.source.git_remote import IDENTITY, Opener, Remote

MANY = 150
"""Git keeps the objects of a fetch in a pack from 100 upward (git-config(1), fetch.unpackLimit)."""


def mirror(state: Path) -> Path:
    (found,) = (path for path in (state / "git").iterdir() if path.is_dir())
    return found


def read_all(source: GitSource) -> list[bytes | TooLarge]:
    tree = source.tree(source.fetch())
    return [content for _, content in source.read(entry.blob for entry in tree.entries)]


def many(text: str) -> dict[str, str | bytes | None]:
    return {f"{number:03}.yaml": f"{text} {number}" for number in range(MANY)}


def packs(mirror: Path, ending: str = ".pack") -> list[Path]:
    found = list((mirror / "objects" / "pack").glob(f"*{ending}"))
    assert found
    return found


def flipped(mirror: Path) -> None:
    """Some bytes in the middle of each pack are others."""
    for pack in packs(mirror):
        content = bytearray(pack.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 64] = bytes(byte ^ 0xFF for byte in content[middle : middle + 64])
        pack.chmod(0o600)
        pack.write_bytes(content)


def cut(mirror: Path) -> None:
    for pack in packs(mirror):
        pack.chmod(0o600)
        os.truncate(pack, pack.stat().st_size // 2)


def without_packs(mirror: Path) -> None:
    for pack in packs(mirror):
        pack.unlink()


def without_indexes(mirror: Path) -> None:
    for index in packs(mirror, ".idx"):
        index.unlink()


def spoiled_indexes(mirror: Path) -> None:
    for index in packs(mirror, ".idx"):
        index.chmod(0o600)
        index.write_bytes(index.read_bytes()[: index.stat().st_size // 2])


def spoiled_config(mirror: Path) -> None:
    (mirror / "config").write_text("[core\n")


def without_config(mirror: Path) -> None:
    (mirror / "config").unlink()


DAMAGES = [flipped, cut, without_packs, without_indexes, spoiled_indexes, spoiled_config, without_config]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("moved_on", [True, False], ids=["with a newer commit", "without"])
def test_a_damaged_pack_is_fetched_again(
    remote: Remote, opened: Opener, state: Path, damage: Callable[[Path], None], moved_on: bool
) -> None:
    first = remote.commit(many("first"))
    opened().fetch()
    damage(mirror(state))
    if moved_on:
        remote.commit({"000.yaml": "new"})

    source = opened()
    found = read_all(source)

    assert found == [b"new" if moved_on else b"first 0", *(f"first {number}".encode() for number in range(1, MANY))]
    assert opened().last_good() == (remote.head if moved_on else first)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_pack_that_is_damaged_while_it_is_in_use_is_fetched_again(
    remote: Remote, opened: Opener, state: Path, damage: Callable[[Path], None]
) -> None:
    remote.commit(many("first"))
    source = opened()
    read_all(source)
    remote.commit({"000.yaml": "new"})
    damage(mirror(state))

    assert read_all(source)[:2] == [b"new", b"first 1"]


@pytest.fixture
def shallow(remote: Remote, tmp_path: Path) -> Path:
    """A shallow clone of the remote, two commits deep."""
    for number in range(4):
        remote.commit({"a.yaml": str(number)})
    clone = tmp_path / "shallow"
    arguments = ["git", "clone", "-q", "--depth=2", remote.path.as_uri(), str(clone)]
    subprocess.run(arguments, check=True, env=os.environ | IDENTITY)
    return clone


def without_shallow(mirror: Path) -> None:
    (mirror / "shallow").unlink()


def spoiled_shallow(mirror: Path) -> None:
    (mirror / "shallow").write_text("spoiled\n")


def empty_shallow(mirror: Path) -> None:
    (mirror / "shallow").write_text("")


def foreign_shallow(mirror: Path) -> None:
    (mirror / "shallow").write_text("1" * 40 + "\n")


SHALLOW_DAMAGES = [without_shallow, spoiled_shallow, empty_shallow, foreign_shallow]


@pytest.mark.parametrize("damage", SHALLOW_DAMAGES)
@pytest.mark.parametrize("moved_on", [True, False], ids=["with a newer commit", "without"])
def test_a_mirror_that_lost_where_its_history_ends_is_made_anew(
    remote: Remote, opened: Opener, state: Path, shallow: Path, damage: Callable[[Path], None], moved_on: bool
) -> None:
    opened(repo=str(shallow)).fetch()
    damage(mirror(state))
    if moved_on:
        remote.commit({"a.yaml": "new"})
        subprocess.run(["git", "-C", str(shallow), "pull", "-q", "--ff-only"], check=True, env=os.environ | IDENTITY)

    assert read_all(opened(repo=str(shallow))) == [b"new" if moved_on else b"3"]


LEFT_BEHIND = [
    "HEAD.lock",
    "config.lock",
    "shallow.lock",
    "packed-refs.lock",
    "gc.pid.lock",
    "objects/info/commit-graph.lock",
    "objects/info/alternates.lock",
    "objects/pack/multi-pack-index.lock",
    "objects/maintenance.lock",
    "refs/reconciler/other.lock",
    "gc.pid",
]


@pytest.mark.parametrize("name", LEFT_BEHIND)
def test_what_a_killed_git_has_locked_does_not_stay_in_the_way(
    remote: Remote, opened: Opener, state: Path, shallow: Path, name: str
) -> None:
    source = opened(repo=str(shallow))
    source.fetch()
    lock = mirror(state) / name
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text("99999999 elsewhere\n" if name == "gc.pid" else "")
    before = mirror(state).stat().st_ino
    remote.commit({"a.yaml": "new"})
    subprocess.run(["git", "-C", str(shallow), "pull", "-q", "--ff-only"], check=True, env=os.environ | IDENTITY)

    assert read_all(opened(repo=str(shallow))) == [b"new"]
    assert mirror(state).stat().st_ino == before
    assert lock.name == "gc.pid" or not lock.exists()


def test_what_killed_fetches_leave_half_written_does_not_pile_up(remote: Remote, opened: Opener, state: Path) -> None:
    remote.commit({"a.yaml": "a"})
    opened().fetch()
    objects = mirror(state) / "objects"
    left = [objects / "pack" / name for name in ("tmp_pack_abc123", "tmp_idx_abc123", ".tmp-123-pack-0a1b.pack")]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * 1000)
    remote.commit({"a.yaml": "b"})

    assert read_all(opened()) == [b"b"]
    assert [path for path in left if path.exists()] == []


SETTINGS = (
    "core.alternateRefsCommand",
    "core.askPass",
    "core.editor",
    "core.fsmonitor",
    "core.gitProxy",
    "core.pager",
    "core.sshCommand",
    "credential.helper",
    "diff.external",
    "diff.trap.command",
    "diff.trap.textconv",
    "filter.trap.clean",
    "filter.trap.process",
    "filter.trap.smudge",
    "gc.recentObjectsHook",
    "gpg.program",
    "merge.trap.driver",
    "uploadpack.packObjectsHook",
)
"""Settings of git-config(1) that name a program."""
ATTRIBUTES = "* filter=trap diff=trap merge=trap ident\n"


@pytest.fixture
def trap(tmp_path: Path) -> tuple[Path, Path]:
    """A program that leaves a file behind, and that file."""
    sprung, program = tmp_path / "sprung", tmp_path / "trap"
    program.write_text(f'#!/bin/sh\necho "$0 $@" >> {sprung}\nexec cat\n')
    program.chmod(0o755)
    return program, sprung


@pytest.mark.parametrize("whose", ["the remote's", "the mirror's"])
def test_no_program_that_a_repositorys_settings_name_is_run(
    remote: Remote, opened: Opener, state: Path, trap: tuple[Path, Path], whose: str
) -> None:
    program, sprung = trap
    remote.commit(many("first") | {".gitattributes": ATTRIBUTES})
    opened().fetch()
    place = remote.path / ".git" if whose == "the remote's" else mirror(state)
    for setting in SETTINGS:
        subprocess.run(["git", "config", "--file", str(place / "config"), setting, str(program)], check=True)
    remote_git = ["git", "-c", "core.fsmonitor=false", "-C", str(remote.path)]
    tree = subprocess.run(
        [*remote_git, "commit-tree", "-p", "HEAD", "-m", "empty", "HEAD^{tree}"],
        check=True, capture_output=True, text=True, env=os.environ | IDENTITY,
    ).stdout.strip()  # fmt: skip
    subprocess.run([*remote_git, "update-ref", "refs/heads/main", tree], check=True, env=os.environ | IDENTITY)
    sprung.unlink(missing_ok=True)

    source = opened()
    found = read_all(source)

    assert found[1] == b"first 0"
    assert not sprung.exists(), sprung.read_text()


def test_a_submodule_that_would_run_a_program_runs_none(remote: Remote, opened: Opener, trap: tuple[Path, Path]) -> None:
    program, sprung = trap
    modules = f'[submodule "x"]\n\tpath = x\n\turl = ext::{program}\n\tupdate = !{program}\n'
    remote.commit({".gitmodules": modules, "a.yaml": "a"})
    remote.git("update-index", "--add", "--cacheinfo", f"160000,{remote.head},x")
    remote.git("commit", "-q", "-m", "submodule")

    source = opened()
    tree = source.tree(source.fetch())

    assert [entry.path for entry in tree.entries] == [".gitmodules", "a.yaml", "x"]
    assert not sprung.exists()


BIG_BYTES = 100 << 20
MEASURED = """
import os, resource, sys
from pathlib import Path
from reconciler.source.location import located
from reconciler.source.opening import opened
source = opened(located(repo=sys.argv[1]), Path(sys.argv[2]), os.environ)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
tree = source.tree(source.fetch())
print([len(c) if isinstance(c, bytes) else c for _, c in source.read(e.blob for e in tree.entries)])
source.close()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_blob_of_100_mb_is_reported_and_costs_no_memory(remote: Remote, state: Path, environ: dict[str, str]) -> None:
    import sys

    remote.commit({"a.yaml": "a", "big.yaml": b"x: 1\n" * (BIG_BYTES // 5), "c.yaml": "c"})
    root = Path(__file__).parents[2]
    told = subprocess.run(
        [sys.executable, "-c", MEASURED, str(remote.path), str(state)],
        env=environ | {"PYTHONPATH": str(root)}, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip

    assert told[0] == f"[1, {TooLarge(BIG_BYTES // 5 * 5)}, 1]"
    assert int(told[1]) * 1024 < 32 << 20


def test_every_error_of_a_source_has_a_remedy() -> None:
    """Each place that raises one gives the second half too."""
    import ast

    folder = Path(__file__).parents[2] / "reconciler" / "source"
    errors = {"SourceError", "SourceAway", "RefGone", "BadLocation"}
    bare = [
        f"{file.relative_to(folder)}:{call.lineno}"
        for file in folder.rglob("*.py")
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in errors
        and not any(keyword.arg == "remedy" for keyword in call.keywords)
    ]

    assert bare == []
    assert SourceError("x", remedy="y").remedy == "y"
