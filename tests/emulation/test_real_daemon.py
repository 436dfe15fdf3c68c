"""The daemon of our own that real tests use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.zfs_fuse import RealPool, ZfsFuse

pytestmark = pytest.mark.real


def test_a_pool_can_be_written_to(pool: RealPool) -> None:
    assert pool.zfs("create", f"{pool.name}/a").returncode == 0

    (pool.mountpoint / "a" / "file").write_text("text")

    assert (pool.mountpoint / "a" / "file").read_text() == "text"


def test_a_killed_daemon_answers_nothing_and_has_its_datasets_when_it_is_back(pool: RealPool, zfs_fuse: ZfsFuse) -> None:
    pool.zfs("create", "-o", "a:b=c", f"{pool.name}/a")

    zfs_fuse.kill()
    dead = pool.zfs("list")
    zfs_fuse.restart()

    assert dead.returncode != 0
    assert b"Please make sure that the zfs-fuse daemon is running." in dead.stderr
    assert pool.zfs("get", "-H", "-o", "value", "a:b,mounted", f"{pool.name}/a").stdout == b"c\nyes\n"
    (pool.mountpoint / "a" / "file").write_text("text")


def test_who_started_the_tests_sees_nothing_of_the_pool(pool: RealPool) -> None:
    inside = Path("/proc/self/mounts").read_text()
    outside = Path(f"/proc/{os.getppid()}/mounts").read_text()

    assert str(pool.mountpoint) in inside
    assert str(pool.mountpoint) not in outside
