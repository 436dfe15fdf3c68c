"""Provider kvm against the contract on a whole Linux host: each change may be cut off after any of its commands."""

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from providers.kvm import PROVIDER
from providers.tools.zfs_volume_files import mountpoint_of, path_of
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.facts import HostFacts
from reconciler.model.key import ObjectName
from reconciler.model.value import Fields
from reconciler.provider.checks import backend_for, check_explanations, check_probes, check_reading
from reconciler.provider.contract import Backend
from reconciler.provider.life import Sample, check_life
from tests.real.linux_host import LinuxHost
from tests.real.test_machines import boot_disk

pytestmark = pytest.mark.usefixtures("libvirt")

CUTS = (1, 2, 4, 6, 8)
MIB = 1 << 20
Run = Callable[[Command], Completed]


@pytest.fixture
def run(host: LinuxHost) -> Run:
    host.run("ip", "link", "add", "br0", "type", "bridge")
    host.run("ip", "link", "add", "br1", "type", "bridge")
    for name in ("boot", "data"):
        host.run("zfs", "create", "-o", f"mountpoint={mountpoint_of(f'tank/{name}')}", f"tank/{name}")
        boot_disk(Path(path_of(f"tank/{name}")))
    host.run("zfs", "create", "-p", "-o", f"mountpoint={host.scratch}/image", "tank/images/small")
    boot_disk(host.scratch / "image/disk.raw")
    host.run("zfs", "snapshot", "tank/images/small@image")

    def ran(command: Command) -> Completed:
        if shutil.which(command.argv[0]) is None:
            return Completed(command, Ending.NOT_FOUND, None)
        done = host.ask(*command.argv, stdin=command.stdin)
        return Completed(command, Ending.EXITED, done.returncode, done.stdout, done.stderr)

    return ran


@pytest.fixture
def backend(run: Run) -> Backend:
    system = platform.uname()
    facts = HostFacts(system.system, system.release, system.version, "boot", {"hostname": os.uname().nodename})
    return backend_for(PROVIDER, facts, run)


def vm(fields: Fields, changed: Fields) -> Sample:
    common: Fields = {"pool": "tank", "memory": 64 * MIB}
    return Sample(ObjectName("VirtualMachine", "vm1"), {**common, **fields}, changed, system="Linux")


WHOLE = "one made of an image, with all that can be stated"
LIVES = {
    "one that is stopped": vm({"state": "stopped"}, {"memory": 96 * MIB, "cpus": 2}),
    "one that runs from a volume": vm(
        {"state": "running", "disks": ("root",), "disks.root.volume": "tank/boot", "disks.root.boot": True},
        {"memory": 48 * MIB, "firewallEnabled": True},
    ),
    WHOLE: vm(
        {
            "state": "running",
            "autoboot": True,
            "hostname": "web1",
            "dnsDomain": "example.org",
            "resolvers": ("10.0.0.1",),
            "routes": ("10.9.0.0/16 10.0.0.2",),
            "firewallEnabled": True,
            "quota": 256 * MIB,
            "cpus": 1,
            "engine": "qemu",
            "firmware": "bios",
            "console.serial": "log",
            "console.vnc.port": 5977,
            "console.vnc.bind": "127.0.0.1",
            "metadata.a": "b",
            "internalMetadata.c": "<d & 'e'>",
            "tags.role": "web",
            "cloudInit.userData": "#cloud-config\npackages: []\n",
            "cloudInit.sshKeys": ("ssh-ed25519 AAAA one",),
            "disks": ("data", "iso", "root"),
            "disks.root.image": "small",
            "disks.root.size": 2 * MIB,
            "disks.root.boot": True,
            "disks.data.size": MIB,
            "disks.data.model": "ide",
            "disks.data.serial": "abc",
            "disks.iso.iso": path_of("tank/data"),
            "disks.iso.media": "cdrom",
            "nics": ("net0", "net1"),
            "nics.net0.over": "br0",
            "nics.net0.mac": "02:08:20:00:01:0a",
            "nics.net0.ips": ("10.0.0.5/24",),
            "nics.net0.gateways": ("10.0.0.254",),
            "nics.net0.maxBandwidth": 10_000_000,
            "nics.net0.mtu": 1400,
            "nics.net1.over": "br0",
            "nics.net1.mac": "02:08:20:00:01:0b",
            "nics.net1.ips": ("dhcp",),
            "nics.net1.allow.macSpoofing": True,
        },
        {
            "autoboot": False,
            "hostname": "web2",
            "resolvers": None,
            "quota": None,
            "metadata.a": None,
            "tags.role": "db",
            "cloudInit.instanceId": "again",
            "disks.root.size": 4 * MIB,
            "nics.net0.over": "br1",
            "nics.net0.maxBandwidth": None,
            "nics.net1.allow.macSpoofing": False,
            "nics.net1.ips": ("10.0.0.6/24",),
        },
    ),
}


def test_probes_keep_the_contract(backend: Backend) -> None:
    check_probes(PROVIDER, backend)


def test_answers_are_read_strictly(backend: Backend, run: Run, host: LinuxHost) -> None:
    sample = vm({"state": "stopped", "disks": ("root",), "disks.root.volume": "tank/boot"}, {})
    check_life(PROVIDER, backend, run, sample)
    host.run(
        "virsh",
        "-q",
        "define",
        "/dev/stdin",
        stdin="<domain type='qemu'><name>x</name><memory>65536</memory><os><type>hvm</type></os></domain>",
    )

    check_reading(PROVIDER, backend, run)


@pytest.mark.parametrize("tool", ["virsh", "zfs", "ip", "nft", "sh"])
def test_failures_are_explained(backend: Backend, tool: str) -> None:
    check_explanations(PROVIDER, backend, Command((tool, "x")))


@pytest.mark.parametrize("name", list(LIVES))
def test_a_machine_lives_as_stated(backend: Backend, run: Run, name: str) -> None:
    check_life(PROVIDER, backend, run, LIVES[name])


@pytest.mark.parametrize("stop_after", CUTS)
def test_a_machine_lives_as_stated_even_when_each_change_is_cut_short(backend: Backend, run: Run, stop_after: int) -> None:
    check_life(PROVIDER, backend, run, LIVES[WHOLE], stop_after=stop_after)


def test_the_number_of_commands_does_not_grow_with_the_number_of_machines(backend: Backend, run: Run) -> None:
    fields = {"VirtualMachine": frozenset({"state", "finished"})}
    before = backend.probes(fields)
    for number in range(3):
        sample = replace(vm({"state": "stopped"}, {}), name=ObjectName("VirtualMachine", f"vm{number}"))
        check_life(PROVIDER, backend, run, sample)
    assert backend.probes(fields) == before
