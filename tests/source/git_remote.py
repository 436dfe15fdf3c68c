"""A real repository for the tests to fetch from, and a source over it."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from reconciler.desired.entry import EntryKind, TooLarge
from reconciler.source.git.source import GitSource

Opener = Callable[..., GitSource]

IDENTITY = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


class Remote:
    """A repository with a work tree; what the tests commit to it, a source may fetch."""

    def __init__(self, path: Path, *options: str) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main", *options)

    def git(self, *arguments: str, stdin: bytes | None = None) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.path), "-c", "protocol.file.allow=always", *arguments],
            input=stdin,
            capture_output=True,
            env=os.environ | IDENTITY,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def commit(self, files: dict[str, str | bytes | None] | None = None, message: str = "change") -> str:
        """Writes the files (None: removes), commits everything, and gives the commit's id."""
        for name, content in (files or {}).items():
            path = self.path / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def rewrite(self, files: dict[str, str | bytes | None]) -> str:
        """Replaces all history by one new commit on the same branch."""
        branch = self.git("symbolic-ref", "--short", "HEAD")
        self.git("checkout", "-q", "--orphan", "rewritten")
        commit = self.commit(files, "rewritten")
        self.git("branch", "-q", "-M", branch)
        return commit


def contents(source: GitSource, revision: str) -> dict[str, bytes | TooLarge]:
    tree = source.tree(revision)
    files = [entry for entry in tree.entries if entry.kind is EntryKind.FILE]
    return dict(
        zip((entry.path for entry in files), (content for _, content in source.read(e.blob for e in files)), strict=True)
    )
