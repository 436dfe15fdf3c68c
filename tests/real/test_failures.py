"""What can befall a Linux host, and what the next pass makes of it: killed daemons and guests, a reboot, our own end."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from reconciler.hosts.local import LocalTransport
from reconciler.model.command import Command, Completed
from tests.real.linux_host import POOL, LinuxHost, until
from tests.real.tree import Tree, manifest

pytestmark = pytest.mark.usefixtures("lxc", "libvirt")

ADDRESS = "10.78.0.{}/24"
BLANK = {"name": "root", "size": "1MiB"}


def zone(name: str, number: int, **spec: Any) -> dict[str, Any]:
    nic = {"name": "net0", "over": "es0", "ips": [ADDRESS.format(number)]}
    return manifest("Zone", name, {"image": "bb", "state": "running", "memory": "64MiB", "nics": [nic], **spec})


def machine(name: str, number: int, **spec: Any) -> dict[str, Any]:
    """A machine with nothing to boot, which is up all the same."""
    nic = {"name": "net0", "over": "es0", "ips": [ADDRESS.format(number)]}
    return manifest("VirtualMachine", name, {"state": "running", "memory": "64MiB", "disks": [BLANK], "nics": [nic], **spec})


@pytest.fixture
def image(zone_tarball: Path) -> dict[str, Any]:
    return manifest("Image", "bb", {"type": "zone", "source": {"path": str(zone_tarball)}})


@pytest.fixture
def whole(image: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Something of each kind, all of it in use."""
    return (
        image,
        manifest("Dataset", f"{POOL}/data", {"properties": {"quota": "64MiB"}}),
        manifest("Etherstub", "es0", {}),
        manifest("VNIC", "vnic0", {"over": "es0", "maxBandwidth": "100Mbps"}),
        zone("z1", 1, autoboot=True),
        machine("vm1", 2, autoboot=True),
    )


@pytest.fixture
def world(tree: Tree, whole: tuple[dict[str, Any], ...]) -> Tree:
    """All of it on the host, with data in it."""
    tree.converges(*whole)
    until(lambda: is_up(tree.host, "z1"), lambda: "z1 is not up")
    for place in data(tree.host):
        with place.open("w") as file:
            file.write(f"kept in {place.parent.name}")
            file.flush()
            # Only what was synced by itself outlives the daemon (linux-host.md, "The daemon").
            os.fsync(file.fileno())
    return tree


def data(host: LinuxHost) -> tuple[Path, ...]:
    """Files of ours: in a dataset, and in the root of the zone."""
    mountpoints = (
        host.run("zfs", "get", "-H", "-o", "value", "mountpoint", f"{POOL}/{name}").strip() for name in ("data", "zones/z1")
    )
    return tuple(Path(place) / "kept" for place in mountpoints)


def is_up(host: LinuxHost, name: str) -> bool:
    return host.in_container(name, "cat", "/run/ready").stdout == "READY\n"


def machine_pid(name: str) -> int:
    place = Path(f"/run/libvirt/qemu/{name}.pid")
    return int(place.read_text()) if place.exists() else 0


def is_whole(tree: Tree) -> None:
    """Everything is as stated, guests run, and their data is there."""
    host = tree.host
    after = tree.plan()
    assert after.exit_code == 0, after.trouble
    until(lambda: is_up(host, "z1"), lambda: "z1 is not up")
    assert host.run("virsh", "-q", "domstate", "vm1").strip() == "running"
    assert {"es0", "vnic0", "vnic0g"} <= host.links().keys()
    assert [place.read_text() for place in data(host)] == ["kept in data", f"kept in {data(host)[1].parent.name}"]


def test_after_a_reboot_one_pass_brings_back_links_and_guests_with_their_data(world: Tree) -> None:
    world.host.reboot()
    assert not {"es0", "vnic0"} & world.host.links().keys()

    planned = world.plan()
    assert planned.exit_code == 2, planned.trouble
    assert {("create", "Etherstub/es0"), ("create", "VNIC/vnic0")} <= set(planned.actions)
    assert not [verb for verb, key in planned.actions if verb in ("delete", "trash", "replace")]
    world.converges()

    is_whole(world)


def test_a_dead_zfs_makes_the_host_unreadable_and_loses_nothing(world: Tree) -> None:
    world.host.kill_zfs()

    refused = world.apply()
    assert refused.exit_code == 7, refused.trouble
    world.host.start_zfs()
    world.converges()

    is_whole(world)


@pytest.mark.parametrize("spec", [{}, {"state": None, "autoboot": True}], ids=["stated", "autoboot"])
def test_a_zone_that_lost_its_root_is_started_again_on_the_root_as_it_was(
    tree: Tree, image: dict[str, Any], spec: dict[str, Any]
) -> None:
    stub, wanted = manifest("Etherstub", "es0", {}), zone("z1", 1, **spec)
    wanted["spec"] = {name: value for name, value in wanted["spec"].items() if value is not None}
    tree.converges(image, stub, wanted)
    until(lambda: is_up(tree.host, "z1"), lambda: "z1 is not up")
    place = Path("/var/lib/lxc/z1/rootfs/kept")
    tree.host.run("dd", "if=/dev/zero", f"of={place}", "bs=1", "count=3", "conv=fsync")
    tree.host.kill_zfs()
    tree.host.start_zfs(clears=False)

    found = tree.is_repaired("Zone/z1")

    assert found.changes("Zone/z1")["state"] == ("dead", "running")
    until(lambda: is_up(tree.host, "z1"), lambda: "z1 is not up")
    assert place.stat().st_size == 3

    tree.host.kill_zfs()
    tree.host.start_zfs(clears=False)
    tree.converges(image)


def test_a_zone_that_lost_its_root_is_told_of_where_nobody_says_that_it_shall_run(tree: Tree, image: dict[str, Any]) -> None:
    spec = {"image": "bb", "autoboot": False}
    tree.converges(image, manifest("Zone", "z1", {**spec, "state": "running"}))
    tree.write(image, manifest("Zone", "z1", spec))
    pid = tree.host.run("lxc-info", "-P", "/var/lib/lxc", "-n", "z1", "-pH")
    tree.host.kill_zfs()
    tree.host.start_zfs()

    planned = tree.plan()

    assert planned.blocked == [("unsupported", "Zone/z1")]
    assert "lost its root" in planned.document["hosts"][0]["blocked"][0]["cause"]
    assert tree.host.run("lxc-info", "-P", "/var/lib/lxc", "-n", "z1", "-pH") == pid
    tree.converges(image, manifest("Zone", "z1", {**spec, "state": "running"}))


@pytest.mark.parametrize("clears", [True, False], ids=["mounted anew", "mounts left"])
def test_a_machine_that_lost_its_disks_is_started_again_on_the_disks_as_they_were(tree: Tree, clears: bool) -> None:
    tree.converges(manifest("Etherstub", "es0", {}), machine("vm1", 1))
    pid, disk = machine_pid("vm1"), Path("/var/lib/libvirt/images/vm1/root/disk.raw")
    with disk.open("r+b") as file:
        file.write(b"kept")
        os.fsync(file.fileno())
    # ZFS says that this is done only when all before it is on its disks.
    tree.host.run("zfs", "set", "tests:written=yes", "tank/vms")
    tree.host.kill_zfs()
    tree.host.start_zfs(clears=clears)

    found = tree.is_repaired("VirtualMachine/vm1")

    assert found.changes("VirtualMachine/vm1")["state"] == ("dead", "running")
    assert machine_pid("vm1") not in (0, pid)
    with disk.open("rb") as file:
        assert file.read(4) == b"kept"

    tree.host.kill_zfs()
    tree.host.start_zfs(clears=clears)
    tree.converges(manifest("Etherstub", "es0", {}))
    assert tree.host.datasets() == ()


def test_a_dead_libvirtd_leaves_its_machines_running_and_they_are_known_again(world: Tree) -> None:
    pid = machine_pid("vm1")
    world.host.kill_libvirtd()

    refused = world.apply()
    assert refused.exit_code == 7, refused.trouble
    world.host.start_libvirtd()

    is_whole(world)
    assert machine_pid("vm1") == pid != 0


def test_a_killed_machine_is_found_and_started_again(world: Tree) -> None:
    os.kill(machine_pid("vm1"), signal.SIGKILL)
    until(lambda: world.host.run("virsh", "-q", "domstate", "vm1").strip() == "shut off", lambda: "libvirt does not see it")

    world.is_repaired("VirtualMachine/vm1")

    is_whole(world)


def test_a_killed_zone_is_found_and_started_again(world: Tree) -> None:
    pid = int(world.host.run("lxc-info", "-P", "/var/lib/lxc", "-n", "z1", "-pH"))
    os.kill(pid, signal.SIGKILL)
    until(lambda: not world.host.processes("[lxc monitor] /var/lib/lxc z1"), lambda: "its monitor stays")

    world.is_repaired("Zone/z1")

    is_whole(world)


POINTS = 3
"""At how many points of an apply it is killed, evenly from the first command to the last."""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_in_the_middle_of_an_apply_the_next_one_converges_and_all_of_it_can_go(
    tree: Tree, whole: tuple[dict[str, Any], ...], moment: str
) -> None:
    # A machine with nothing to boot has nobody who sees its power button pressed.
    whole = (*whole[:-1], machine("vm1", 2, state="stopped"))
    tree.write(*whole)
    commands = _killed(tree, moment, 1 << 30)
    assert commands > POINTS
    for point in range(POINTS):
        tree.converges(manifest("Dataset", f"{POOL}/other"))
        tree.host.must_be_empty(f"dataset {POOL}/other")
        tree.write(*whole)

        assert _killed(tree, moment, 1 + point * (commands - 1) // (POINTS - 1)) is KILLED

        tree.converges()


KILLED = None


def _killed(tree: Tree, moment: str, count: int) -> int | None:
    """Applies in a process that ends itself before or after its changing command of that number.

    Gives KILLED, or the number of commands when there were not so many.
    """
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            ran = _die_at(moment, count)
            code = run(tree.command("apply", "--yes"))
            os.write(tell, str(len(ran)).encode())
            os._exit(code)
        finally:
            os._exit(70)
    os.close(tell)
    with os.fdopen(told) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return KILLED
    assert status == 0, f"the apply failed by itself: {status}"
    return int(said)


def _die_at(moment: str, count: int) -> list[Command]:
    """This process ends there; the commands that it has run until then."""
    ran: list[Command] = []
    runs = LocalTransport.run

    async def dying(self: LocalTransport, command: Command) -> Completed:
        if not command.changes:
            return await runs(self, command)
        ran.append(command)
        number = len(ran)
        if moment == "before" and number == count:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await runs(self, command)
        if moment == "after" and number == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    LocalTransport.run = dying  # type: ignore[method-assign]
    return ran


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    """The commands that the reconciler itself runs."""
    found: list[Command] = []
    runs = LocalTransport.run

    async def noted(self: LocalTransport, command: Command) -> Completed:
        found.append(command)
        return await runs(self, command)

    monkeypatch.setattr(LocalTransport, "run", noted)
    return found


def test_a_pass_that_finds_nothing_to_do_runs_as_many_commands_for_one_guest_as_for_many(
    tree: Tree, image: dict[str, Any], ran: list[Command]
) -> None:
    stub = manifest("Etherstub", "es0", {})

    def commands(zones: int, machines: int) -> list[str]:
        guests = [zone(f"z{number}", number) for number in range(1, zones + 1)]
        guests += [machine(f"vm{number}", 100 + number, state="stopped") for number in range(1, machines + 1)]
        tree.converges(image, stub, *guests)
        ran.clear()
        assert tree.apply().exit_code == 0
        return [" ".join(command.argv)[:60] for command in ran]

    one = commands(1, 1)
    many = commands(6, 4)

    assert not any(command.changes for command in ran)
    assert sorted(many) == sorted(one)
