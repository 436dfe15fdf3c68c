"""Emulated hosts that are closed after the test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.emulation.host import EmulatedHost
from tests.hosts.fakes import Emulated

Opener = Callable[..., Emulated]


@pytest.fixture
def emulated(tmp_path: Path) -> Iterator[Opener]:
    opened: list[EmulatedHost] = []

    def open_host(system: str = "omnios", **options: object) -> Emulated:
        host = EmulatedHost.open(tmp_path / system, system=system, hostname="hv01", **options)  # type: ignore[arg-type]
        opened.append(host)
        return Emulated(host)

    yield open_host
    for host in opened:
        host.close()
