"""The ground of these tests on each kind of emulated host."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.passes.ground import POOLS, Ground


@pytest.fixture(params=list(POOLS))
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path, request.param)
    yield made
    made.host.close()
