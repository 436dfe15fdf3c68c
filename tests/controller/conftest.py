from pathlib import Path

import pytest

from tests.controller.running import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A repository with one emulated host `h`, and nothing on it yet."""
    return Site(tmp_path)
