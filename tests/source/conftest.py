import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.source.git.source import GitSource
from reconciler.source.limits import DEFAULTS, Limits
from reconciler.source.location import GitLocation, located
from tests.source.git_remote import Opener, Remote


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return Remote(tmp_path / "remote")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir()
    return {"PATH": os.environ["PATH"], "HOME": str(home)}


@pytest.fixture
def opened(tmp_path: Path, state: Path, environ: dict[str, str]) -> Iterator[Opener]:
    """Opens a source over the remote (or `repo`); each is a fresh one, as a new process would have it."""
    sources: list[GitSource] = []

    def open_source(
        ref: str | None = None,
        path: str | None = None,
        *,
        repo: str | None = None,
        accept_rewrite: str | None = None,
        limits: Limits = DEFAULTS,
        only: tuple[str, ...] = (),
        pause: Callable[[float], None] | None = None,
    ) -> GitSource:
        location = located(repo=repo or str(tmp_path / "remote"), ref=ref, path=path)
        assert isinstance(location, GitLocation)
        source = GitSource(location, state, environ, only=only, accept_rewrite=accept_rewrite, limits=limits, pause=pause)
        sources.append(source)
        return source

    yield open_source
    for source in sources:
        source.close()
