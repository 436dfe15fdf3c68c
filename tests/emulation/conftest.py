"""Emulated hosts for tests, with a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.emulation import EmulatedHost
from tests.emulation.guest_commands import BASE, DEBIAN, LX, OLDER_BASE, UBUNTU, Vmadm

NOON = 1_800_000_000.0


def _host(path: Path, system: str) -> EmulatedHost:
    return EmulatedHost.open(path / f"{system}.db", system=system, hostname="hv01", clock=lambda: NOON)


@pytest.fixture
def omnios(tmp_path: Path) -> Iterator[EmulatedHost]:
    """An OmniOS host: rpool with the system, tank empty."""
    with _host(tmp_path, "omnios") as host:
        yield host


@pytest.fixture
def smartos(tmp_path: Path) -> Iterator[EmulatedHost]:
    """A SmartOS host with the pool zones."""
    with _host(tmp_path, "smartos") as host:
        yield host


@pytest.fixture
def linux(tmp_path: Path) -> Iterator[EmulatedHost]:
    """A Linux host with zfs-fuse and the pool tank."""
    with _host(tmp_path, "linux-zfs-fuse") as host:
        yield host


@pytest.fixture
def vmadm(smartos: EmulatedHost) -> Vmadm:
    """vmadm of a SmartOS host that has images of all types."""
    for uuid in (BASE, OLDER_BASE, LX, UBUNTU, DEBIAN):
        answer = smartos.drift(["imgadm", "import", "-q", "-P", "zones", uuid])
        assert answer.exit_code == 0, answer.stderr
    return Vmadm(smartos)
