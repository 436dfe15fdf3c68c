"""The host that the tests run on is what they take it for."""

from pathlib import Path

import pytest

from tests.real.linux_host import CONTAINERS, LinuxHost, until
from tests.real.tree import Tree, manifest

_LOOSE = "lxc.apparmor.profile = unconfined\nlxc.net.0.type = empty\nlxc.cgroup.dir = z1\n"
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def test_a_test_starts_with_an_empty_host_whatever_was_left_on_it(host: LinuxHost) -> None:
    host.run("zfs", "create", "-p", "tank/a/b")
    host.run("zfs", "snapshot", "tank/a/b@one")
    host.run("zfs", "hold", "reconciler", "tank/a/b@one")
    host.run("zfs", "clone", "tank/a/b@one", "tank/c")
    host.run("ip", "link", "add", "es0", "type", "bridge")
    host.run("nft", "add", "table", "netdev", "reconciler")
    host.peer("es0", "10.1.0.1/24").start("sleep", "1000")
    assert len(host.left()) >= 8

    host.empty()

    assert host.left() == ()


def test_a_desired_state_is_applied_to_the_host(tree: Tree) -> None:
    tree.converges(manifest("Dataset", "tank/a", {"properties": {"quota": "64MiB"}}))

    assert tree.host.datasets() == ("tank/a",)
    assert tree.observe()["Dataset/tank/a"]["fields"]["properties.quota"] == 64 << 20
    tree.write(manifest("Dataset", "tank/a", {"properties": {"quota": "96MiB"}}), manifest("Dataset", "tank/b"))
    planned = tree.plan()
    assert planned.actions == [("update", "Dataset/tank/a"), ("create", "Dataset/tank/b")]
    assert planned.changes("Dataset/tank/a") == {"properties.quota": (64 << 20, 96 << 20)}


def test_peers_on_one_bridge_reach_each_other_and_on_two_they_do_not(host: LinuxHost) -> None:
    for name in ("br1", "br2"):
        host.run("ip", "link", "add", name, "type", "bridge")
        host.run("ip", "link", "set", name, "up")
    first, second = host.peer("br1", "10.1.0.1/24", name="p1"), host.peer("br1", "10.1.0.2/24", name="p2")
    third = host.peer("br2", "10.1.0.3/24", name="p3")

    assert first.reaches("10.1.0.2")
    assert second.reaches("10.1.0.1")
    assert not third.reaches("10.1.0.1", tries=1)


@pytest.mark.usefixtures("libvirt")
def test_a_reboot_takes_links_and_rules_and_keeps_files(host: LinuxHost) -> None:
    before, places = BOOT_ID.read_text(), set(Path("/proc/self/mounts").read_text().splitlines())
    host.run("zfs", "create", "tank/a")
    (host.scratch / "tank/a/file").write_text("kept")
    host.run("ip", "link", "add", "es0", "type", "bridge")
    host.run("nft", "add", "table", "netdev", "reconciler")

    host.reboot()

    assert BOOT_ID.read_text() != before
    assert host.left() == ("dataset tank/a",)
    assert (host.scratch / "tank/a/file").read_text() == "kept"
    assert host.run("virsh", "-q", "list", "--all") == ""
    host.run("zfs", "destroy", "tank/a")
    host.must_be_empty()
    assert places <= set(Path("/proc/self/mounts").read_text().splitlines())


def test_a_killed_zfs_comes_back_with_all_that_was_synced(host: LinuxHost) -> None:
    host.run("zfs", "create", "-o", "quota=64M", "tank/a")

    host.kill_zfs()
    assert host.ask("zfs", "list").returncode != 0
    host.start_zfs()

    assert host.run("zfs", "get", "-Hp", "-o", "value", "quota,mounted", "tank/a").split() == [str(64 << 20), "yes"]


@pytest.mark.usefixtures("lxc")
def test_the_root_for_zones_boots_and_is_gone_when_the_host_is_emptied(host: LinuxHost, zone_root: Path) -> None:
    place = CONTAINERS / "z1"
    place.mkdir()
    (place / "config").write_text(f"lxc.rootfs.path = dir:{zone_root}\nlxc.uts.name = z1\nlxc.init.cmd = /sbin/init\n{_LOOSE}")

    host.run("lxc-start", "-P", str(CONTAINERS), "-n", "z1")

    until(lambda: host.in_container("z1", "cat", "/run/ready").stdout == "READY\n", lambda: "the container is not ready")
    assert host.in_container("z1", "wget", "-qO-", "http://127.0.0.1/").stdout == "z1\n"
    assert "container z1" in host.left()
    host.empty()
    assert host.left() == ()
