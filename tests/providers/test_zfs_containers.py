"""Datasets that only hold others come with the first of them and go with the last, on real ZFS."""

import subprocess

from providers.tools import zfs, zfs_containers
from tests.zfs_fuse import RealPool


def made(pool: RealPool, name: str, container: str = "") -> subprocess.CompletedProcess[bytes]:
    return pool.daemon.run(*zfs_containers.make_in(container, zfs.create(name, {"mountpoint": "none"})))


def datasets(pool: RealPool) -> list[str]:
    return pool.zfs("list", "-H", "-o", "name", "-r", pool.name).stdout.decode().split()[1:]


def test_a_container_comes_with_the_first_in_it_and_goes_with_the_last(pool: RealPool) -> None:
    zones = f"{pool.name}/zones"
    for name in ("a", "b"):
        assert made(pool, f"{zones}/{name}", zones).returncode == 0
    assert datasets(pool) == [zones, f"{zones}/a", f"{zones}/b"]

    for name, left in (("a", [zones, f"{zones}/b"]), ("b", [])):
        pool.zfs("destroy", f"{zones}/{name}")
        assert pool.daemon.run(*zfs_containers.drop(zones)).returncode == 0
        assert datasets(pool) == left

    assert pool.daemon.run(*zfs_containers.drop(zones)).returncode == 0


def test_a_container_of_somebody_else_is_used_and_stays(pool: RealPool) -> None:
    zones = f"{pool.name}/zones"
    pool.zfs("create", zones)

    assert made(pool, f"{zones}/a", zones).returncode == 0
    pool.zfs("destroy", f"{zones}/a")
    assert pool.daemon.run(*zfs_containers.drop(zones)).returncode == 0

    assert datasets(pool) == [zones]


def test_a_container_with_a_snapshot_stays(pool: RealPool) -> None:
    zones = f"{pool.name}/zones"
    made(pool, f"{zones}/a", zones)
    pool.zfs("destroy", f"{zones}/a")
    pool.zfs("snapshot", f"{zones}@kept")

    assert pool.daemon.run(*zfs_containers.drop(zones)).returncode == 0

    assert datasets(pool) == [zones]


def test_what_fails_says_and_ends_as_the_command_itself(pool: RealPool) -> None:
    zones = f"{pool.name}/zones"
    made(pool, f"{zones}/a", zones)

    for name in (f"{zones}/a", f"{zones}/x/y", "elsewhere/zones/a"):
        alone = pool.zfs("create", "-o", "mountpoint=none", name)
        within = made(pool, name)
        assert (within.returncode, within.stderr) == (alone.returncode, alone.stderr)
        assert alone.returncode != 0


def test_a_container_that_cannot_be_made_says_why(pool: RealPool) -> None:
    deep = f"{pool.name}/no/zones"

    failed = made(pool, f"{deep}/a", deep)

    assert failed.returncode == 1
    assert f"cannot create '{deep}': parent does not exist" in failed.stderr.decode()
    assert datasets(pool) == []
