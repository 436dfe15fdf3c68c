"""Fixtures: an emulated host with the command line pointed at it, in this process or as a child of it."""

from pathlib import Path

import pytest

from tests.cli.children import Shell
from tests.e2e.ground import Ground, emulated


@pytest.fixture
def ground(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ground:
    """An emulated OmniOS host `h` with the pool `tank`; its tree has no objects yet."""
    return emulated(tmp_path, "omnios", "tank", capsys)


@pytest.fixture
def shell(ground: Ground) -> Shell:
    """Runs `reconciler` as child processes, over the tree and the state directory of `ground`."""
    return Shell(ground.root, ground.state)
