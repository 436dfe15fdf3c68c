"""Desired-state repositories of any size, made for a benchmark: one manifest per file, committed by `git fast-import`."""

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

_GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "LC_ALL": "C"}
_BRANCH = "refs/heads/main"


def made(place: Path, files: Mapping[str, str]) -> Path:
    """A bare repository with one commit on `main` that holds these files."""
    _git("init", "--quiet", "--bare", "--initial-branch=main", str(place))
    committed(place, files)
    return place


def cloned(repository: Path, place: Path) -> Path:
    """A bare clone, which shares nothing with what it was cloned from."""
    _git("clone", "--quiet", "--bare", "--no-hardlinks", str(repository), str(place))
    return place


def committed(repository: Path, files: Mapping[str, str]) -> str:
    """Adds or replaces files in one commit on `main`; gives its id."""
    has_parent = subprocess.run(
        _argv(repository, "rev-parse", "--quiet", "--verify", _BRANCH), check=False, capture_output=True, env=_env()
    )
    stream = b"".join(_stream(files, has_parent=has_parent.returncode == 0))
    subprocess.run(_argv(repository, "fast-import", "--quiet"), check=True, input=stream, env=_env())
    told = subprocess.run(_argv(repository, "rev-parse", _BRANCH), check=True, capture_output=True, text=True, env=_env())
    return told.stdout.strip()


def repository_manifest(name: str) -> str:
    return f"apiVersion: reconciler/v1\nkind: Repository\nmetadata:\n  name: {name}\n"


def host_manifest(name: str, *, transport: str = "{type: local}", more: str = "") -> str:
    return f"apiVersion: reconciler/v1\nkind: Host\nmetadata:\n  name: {name}\nspec:\n  transport: {transport}\n{more}"


def dataset_manifest(name: str, *, quota: str = "1GiB", mountpoint: str = "none") -> str:
    """One Dataset of about 20 lines, as people write them."""
    return (
        f"# What {name} is for stands here.\n"
        "apiVersion: reconciler/v1\n"
        "kind: Dataset\n"
        "metadata:\n"
        f"  name: {name}\n"
        "  labels:\n"
        "    team: storage\n"
        "    tier: gold\n"
        "lifecycle:\n"
        "  onRemoval: delete\n"
        "spec:\n"
        "  properties:\n"
        f"    mountpoint: {mountpoint}\n"
        "    compression: gzip\n"
        '    atime: "off"\n'
        "    recordsize: 64K\n"
        f"    quota: {quota}\n"
        "    snapdir: hidden\n"
        f"    org.example:note: '{name} as it should be'\n"
    )


def _stream(files: Mapping[str, str], *, has_parent: bool) -> Iterable[bytes]:
    yield f"commit {_BRANCH}\ncommitter Bench <bench@example.org> 1700000000 +0000\ndata 1\n.\n".encode()
    if has_parent:
        yield f"from {_BRANCH}^0\n".encode()
    for path, text in files.items():
        data = text.encode()
        yield b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, env=_env())


def _argv(repository: Path, *arguments: str) -> list[str]:
    return ["git", f"--git-dir={repository}", *arguments]


def _env() -> dict[str, str]:
    return {**os.environ, **_GIT}
