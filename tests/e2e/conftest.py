"""The ground of an end-to-end test: each on both emulated systems and on real ZFS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.ground import Ground, emulated, real


@pytest.fixture(params=["smartos", "omnios", pytest.param("zfs-fuse", marks=pytest.mark.real)])
def ground(request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Ground]:
    match request.param:
        case "smartos":
            yield emulated(tmp_path, "smartos", "zones", capsys)
        case "omnios":
            yield emulated(tmp_path, "omnios", "tank", capsys)
        case _:
            pool = request.getfixturevalue("pool")
            yield real(tmp_path, pool.name, capsys)
