"""Virtual machines of libvirt: guests that really boot, on disks that are really ours."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from tests.real.linux_host import LinuxHost
from tests.real.tree import Said, Tree, manifest

pytestmark = pytest.mark.usefixtures("libvirt")

_CODE = bytes.fromhex(
    "fa31c08ed8"  # cli; ds = 0
    "ba0206b80001ef"  # let the power button be seen: out 0x602, 0x100
    "be0000ac84c07406baf803eeebf5"  # what follows the code, to the serial port
    "fbf4"  # wait for the clock
    "ba0006edf6c40174f5"  # until the button was pressed: in 0x600
    "ba0406b80020ef"  # off: out 0x604, 0x2000
    "f4ebfd"
)
READY = "RECON-READY"


def boot_disk(path: Path, size: int = 1 << 20, text: str = READY) -> Path:
    """A disk with a guest of one sector: it says that it is ready, and ends when its power button is pressed."""
    code = bytearray(_CODE)
    code[13:15] = (0x7C00 + len(code)).to_bytes(2, "little")
    sector = bytes(code) + text.encode() + b"\r\n\0"
    path.write_bytes(sector.ljust(510, b"\0") + b"\x55\xaa" + bytes(size - 512))
    return path


def machine(name: str = "vm1", **spec: Any) -> dict[str, Any]:
    """A small machine; parts of its envelope beginning with `_`."""
    envelope = {key[1:]: spec.pop(key) for key in list(spec) if key.startswith("_")}
    return manifest("VirtualMachine", name, {"memory": "64MiB", "console": {"serial": "log"}, **spec}, **envelope)


def state(host: LinuxHost, name: str = "vm1") -> str:
    return host.run("virsh", "-q", "domstate", name).strip()


def until(holds: Callable[[], bool], what: str, patience_s: float = 20.0) -> None:
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def log(name: str = "vm1") -> str:
    path = Path(f"/var/lib/libvirt/images/{name}/console.log")
    return path.read_text(errors="replace") if path.exists() else ""


def boots(count: int = 1, name: str = "vm1") -> None:
    """The guest has said so often that it is ready."""
    until(lambda: log(name).count(READY) >= count, f"{name} did not boot: {log(name)!r}")


ROOT = {"name": "root", "size": "1MiB"}


def bootable(name: str = "vm1") -> Path:
    """Makes the disk of a machine that is stopped one that boots."""
    return boot_disk(Path(f"/var/lib/libvirt/images/{name}/root/disk.raw"))


@pytest.fixture
def vm1(tree: Tree) -> Callable[..., dict[str, Any]]:
    """The machine vm1, which has booted; more of its spec to come."""
    tree.converges(machine(disks=[ROOT], state="stopped"))
    bootable()
    tree.converges(machine(disks=[ROOT], state="running"))
    boots()
    return lambda **spec: machine(**{"disks": [ROOT], "state": "running", **spec})


Machine = Callable[..., dict[str, Any]]


def test_a_machine_boots_stops_by_its_power_button_and_goes(tree: Tree, host: LinuxHost, vm1: Machine) -> None:
    assert state(host) == "running"
    began = time.monotonic()
    tree.converges(vm1(state="stopped"))
    assert state(host) == "shut off"
    assert time.monotonic() - began < 20
    tree.write()
    assert tree.apply().exit_code == 0
    assert host.domains() == ()
    assert not [name for name in host.datasets() if "vm1" in name]


def bridge(host: LinuxHost, name: str = "br7") -> str:
    host.run("ip", "link", "add", name, "type", "bridge")
    host.run("ip", "link", "set", name, "up")
    return name


def said(tree: Tree, *argv: str) -> Said:
    """Another command line over the tree's state; it must end well."""
    tree.capture.readouterr()
    code = run([*argv, "--state", str(tree.state)])
    shown = tree.capture.readouterr()
    assert code == 0, shown.out + shown.err
    return Said(code, shown.out, shown.err)


def definition(host: LinuxHost, name: str = "vm1", *, now: bool = False) -> str:
    return host.run("virsh", "-q", "dumpxml", name, *(() if now else ("--inactive",)))


def started(host: LinuxHost) -> str:
    """Which process runs the machine: another one after a restart."""
    return " ".join(map(str, sorted(host.processes("qemu-system"))))


NET0 = {"name": "net0", "over": "br7", "ips": ["10.7.0.5/24"]}


def test_a_nic_is_plugged_in_limited_and_taken_out_while_the_machine_runs(tree: Tree, host: LinuxHost, vm1: Machine) -> None:
    bridge(host)
    before = started(host)
    tree.converges(vm1(nics=[NET0]))
    assert "vm1_0" in definition(host, now=True)
    assert host.links()["vm1_0"]["master"] == "br7"
    tree.converges(vm1(nics=[{**NET0, "maxBandwidth": "10Mbps"}]))
    assert "10Mbit" in host.run("tc", "qdisc", "show", "dev", "vm1_0")
    tree.converges(vm1(nics=[{**NET0, "allow": {"macSpoofing": True}}]))
    assert started(host) == before
    tree.write(vm1(nics=[]))
    host.run("virsh", "-q", "shutdown", "vm1")
    until(lambda: state(host) == "shut off", "it does not end")
    tree.converges()
    assert "vm1_0" not in host.links()
    assert "<interface" not in definition(host)


def test_drift_of_a_port_is_found_and_repaired(tree: Tree, host: LinuxHost, vm1: Machine) -> None:
    bridge(host)
    tree.converges(vm1(nics=[NET0]))
    host.run("ip", "link", "set", "vm1_0", "nomaster")
    found = tree.is_repaired("VirtualMachine/vm1")
    assert "nics.net0.over" in found.changes("VirtualMachine/vm1")
    host.run("nft", "flush", "ruleset")
    tree.is_repaired("VirtualMachine/vm1")
    assert "vm1_0" in host.run("nft", "list", "ruleset")


def test_memory_and_cpus_wait_for_the_next_start_or_are_followed_by_one_where_that_is_permitted(
    tree: Tree, host: LinuxHost, vm1: Machine
) -> None:
    before = started(host)
    tree.write(vm1(memory="96MiB", cpus=2))
    planned = tree.plan()
    assert planned.exit_code == 2, planned.out
    assert tree.apply().exit_code == 0
    after = tree.plan()
    assert after.exit_code == 0, after.out
    assert after.document["hosts"][0]["pendingRestart"] == ["linux01/VirtualMachine/vm1"]
    assert started(host) == before
    tree.converges(vm1(memory="96MiB", cpus=2, _lifecycle={"disruption": "restart", "onRemoval": "delete"}))
    assert started(host) != before
    boots(2)
    assert "98304" in definition(host, now=True)


def test_a_disk_grows_and_another_is_plugged_in_while_the_machine_runs(tree: Tree, host: LinuxHost, vm1: Machine) -> None:
    before = started(host)
    root = {"name": "root", "size": "2MiB"}
    tree.converges(vm1(disks=[root]))
    assert "2097152" in host.run("virsh", "-q", "domblkinfo", "vm1", "vda")
    tree.converges(vm1(disks=[root, {"name": "data", "size": "1MiB", "serial": "data"}]))
    assert "vdb" in definition(host, now=True)
    assert started(host) == before
    refused = [root]
    tree.write(vm1(disks=refused))
    assert tree.plan().blocked == [("disruption", "VirtualMachine/vm1")]


@pytest.mark.parametrize("how", ["detach", "trash", "delete"])
def test_a_disk_that_is_left_out_goes_as_was_said_of_it(tree: Tree, host: LinuxHost, vm1: Machine, how: str) -> None:
    data = {"name": "data", "size": "1MiB", "onRemoval": how}
    life = {"disruption": "restart", "onRemoval": "delete"}
    tree.converges(vm1(disks=[ROOT, data], _lifecycle=life))
    Path("/var/lib/libvirt/images/vm1/data/disk.raw").write_bytes(b"precious".ljust(1 << 20, b"."))
    before = started(host)
    tree.converges(vm1(_lifecycle=life))
    assert started(host) not in ("", before)
    assert "vdb" not in definition(host)
    assert "tank/vms/vm1/data" not in host.datasets()
    kept = [name for name in host.datasets() if name.startswith(("tank/.reconciler-detached/", "tank/.reconciler-trash/"))]
    assert len(kept) == (how != "delete"), host.datasets()
    if kept:
        assert (".reconciler-trash" in kept[0]) == (how == "trash")
        host.run("zfs", "set", "mountpoint=/run/kept", kept[0])
        host.run("zfs", "mount", kept[0])
        assert Path("/run/kept/disk.raw").read_bytes().startswith(b"precious")


def test_a_machine_that_somebody_ended_is_started_again(tree: Tree, host: LinuxHost, vm1: Machine) -> None:
    host.run("virsh", "-q", "destroy", "vm1")
    found = tree.is_repaired("VirtualMachine/vm1")
    assert found.changes("VirtualMachine/vm1") == {"state": ("stopped", "running")}
    host.kill_guests()
    until(lambda: state(host) == "shut off", "libvirt does not see it")
    tree.is_repaired("VirtualMachine/vm1")
    boots(3)


def test_while_libvirtd_is_down_machines_are_unreadable_and_never_absent(tree: Tree, host: LinuxHost, vm1: Machine) -> None:
    before = started(host)
    host.kill_libvirtd()
    planned = tree.plan()
    assert planned.exit_code == 7, planned.out
    assert planned.actions == []
    host.start_libvirtd()
    assert tree.plan().exit_code == 0
    assert started(host) == before


def test_after_a_boot_ports_are_made_again_and_what_starts_by_itself_runs(tree: Tree, host: LinuxHost, vm1: Machine) -> None:
    bridge(host)
    left_alone = machine("vm2", disks=[ROOT], nics=[{**NET0, "ips": []}])
    tree.converges(machine(disks=[ROOT], autoboot=True, nics=[NET0]), left_alone)
    assert state(host, "vm2") == "running"
    host.reboot()
    bridge(host)
    assert state(host) == "shut off"
    tree.converges()
    assert state(host) == "running"
    assert state(host, "vm2") == "shut off"
    assert {"vm1_0", "vm2_0"} <= host.links().keys()
    host.run("virsh", "-q", "destroy", "vm1")
    tree.converges()
    assert state(host) == "shut off", "somebody stopped it since the host booted, and nobody says that it runs"


def test_a_machine_goes_into_the_trash_comes_back_as_it_was_and_is_purged(tree: Tree, host: LinuxHost, vm1: Machine) -> None:
    bridge(host)
    whole = vm1(nics=[NET0], autoboot=True, _lifecycle={"onRemoval": "trash"})
    tree.converges(whole)
    before = definition(host)
    tree.write()
    assert tree.apply().exit_code == 0
    assert state(host) == "shut off"
    assert "vm1_0" not in host.links()
    assert "disable" in host.run("virsh", "-q", "dominfo", "vm1")
    tree.write(whole)
    assert tree.plan().blocked == [("inTrash", "VirtualMachine/vm1")]
    said(tree, "trash", "restore", "linux01/VirtualMachine/vm1", str(tree.folder), "--yes")
    assert tree.plan().exit_code == 0, tree.plan().out
    assert state(host) == "running"
    assert definition(host) == before
    tree.write()
    assert tree.apply().exit_code == 0
    said(tree, "trash", "purge", "linux01/VirtualMachine/vm1", str(tree.folder), "--yes")
    assert host.domains() == ()
    assert not [name for name in host.datasets() if "vm1" in name]


def test_a_machine_is_renamed_with_its_datasets(tree: Tree, host: LinuxHost, vm1: Machine) -> None:
    bridge(host)
    tree.converges(vm1(nics=[NET0], state="stopped"))
    renamed = machine("vm9", disks=[ROOT], state="stopped", nics=[NET0], _metadata={"movedFrom": "vm1"})
    tree.converges(renamed)
    assert host.domains() == ("vm9",)
    assert "tank/vms/vm9/root" in host.datasets()
    assert "tank/vms/vm1" not in host.datasets()
    tree.converges(machine("vm9", disks=[ROOT], state="running", nics=[NET0]))
    boots(1, "vm9")


FOREIGN = """\
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>vm1</name>
  <metadata><other:thing xmlns:other="urn:other">kept &amp; safe</other:thing></metadata>
  <memory unit='KiB'>65536</memory>
  <vcpu>1</vcpu>
  <os><type>hvm</type><smbios mode='sysinfo'/></os>
  <sysinfo type='smbios'><system><entry name='serial'>ABC</entry></system></sysinfo>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='unsafe'/>
      <source file='{disk}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br7'/><model type='virtio'/></interface>
    <serial type='pty'><log file='/run/foreign.log' append='on'/></serial>
    <watchdog model='i6300esb' action='none'/>
  </devices>
  <qemu:commandline><qemu:arg value='-uuid'/><qemu:arg value='11111111-2222-4333-8444-555555555555'/></qemu:commandline>
</domain>
"""


def test_a_domain_of_somebody_is_left_alone_until_it_is_adopted_and_keeps_what_we_do_not_know(
    tree: Tree, host: LinuxHost, tmp_path: Path
) -> None:
    bridge(host)
    disk = boot_disk(tmp_path / "foreign.raw")
    host.run("virsh", "-q", "define", "/dev/stdin", stdin=FOREIGN.format(disk=disk))
    host.run("virsh", "-q", "start", "vm1")
    before = definition(host)
    vm = manifest("VirtualMachine", "vm1", {"memory": "64MiB"})
    tree.write(vm)
    assert tree.plan().blocked == [("notOurs", "VirtualMachine/vm1")]
    tree.write()
    found = tree.folder / "hosts/linux01/found"
    said(tree, "adopt", "linux01", str(tree.folder), "--write", str(found))
    assert tree.plan().actions == [("adopt", "VirtualMachine/vm1")]
    tree.converges()
    shutil.rmtree(found)
    tree.write(vm)
    stripped = [line for line in definition(host).splitlines() if "reconciler" not in line and "net0" not in line]
    assert stripped == before.splitlines()
    nic = {"name": "uplink", "over": "br7", "mac": "52:54:00:00:00:01"}
    tree.converges(
        manifest(
            "VirtualMachine",
            "vm1",
            {"memory": "80MiB", "tags": {"a": "<b>"}, "nics": [nic]},
            lifecycle={"disruption": "restart"},
        )
    )
    after = definition(host)
    for kept in (
        "kept &amp; safe",
        "i6300esb",
        "'ABC'>" if "'ABC'>" in before else "ABC",
        "qemu:arg",
        "cache='unsafe'",
        "/run/foreign.log",
    ):
        assert kept in after
    assert "81920" in definition(host, now=True)
    tree.write()
    assert tree.plan().blocked or tree.plan().actions


def test_what_a_guest_reads_first_is_on_a_cd(tree: Tree, host: LinuxHost, vm1: Machine) -> None:
    bridge(host)
    nic = {**NET0, "gateways": ["10.7.0.1"], "mac": "02:08:20:00:00:07"}
    init = {"userData": "#cloud-config\nruncmd: ['true']\n", "sshKeys": ["ssh-ed25519 AAAA me"]}
    tree.converges(
        machine(
            "vm2",
            state="stopped",
            disks=[ROOT],
            nics=[nic],
            hostname="web",
            dnsDomain="example.org",
            resolvers=["10.7.0.2"],
            cloudInit=init,
        )
    )
    seed = "/var/lib/libvirt/images/vm2/seed.iso"
    assert f"<source file='{seed}'/>" in definition(host, "vm2")
    assert "cidata" in host.run("isoinfo", "-d", "-i", seed)

    def read(name: str) -> str:
        return host.run("isoinfo", "-J", "-i", seed, "-x", f"/{name}")

    assert read("user-data") == init["userData"]
    assert "local-hostname: web.example.org\n" in read("meta-data")
    assert '  - "ssh-ed25519 AAAA me"\n' in read("meta-data")
    network = read("network-config")
    for text in ('"10.7.0.5/24"', "02:08:20:00:00:07", '{to: "default", via: "10.7.0.1"}', '"10.7.0.2"', '"example.org"'):
        assert text in network


def test_a_disk_whose_dataset_is_gone_is_not_made_anew(tree: Tree, host: LinuxHost, vm1: Machine) -> None:
    host.run("virsh", "-q", "destroy", "vm1")
    host.run("zfs", "umount", "tank/vms/vm1/root")
    host.run("zfs", "rename", "tank/vms/vm1/root", "tank/elsewhere")
    planned = tree.plan()
    assert [key for _, key in planned.blocked] == ["VirtualMachine/vm1"], planned.out
    assert planned.actions == []
    host.run("zfs", "rename", "tank/elsewhere", "tank/vms/vm1/root")
    host.ask("zfs", "mount", "tank/vms/vm1/root")
    tree.converges()
    boots(2)


def test_a_definition_that_was_lost_is_made_again_over_the_same_disks(tree: Tree, host: LinuxHost, vm1: Machine) -> None:
    host.run("virsh", "-q", "destroy", "vm1")
    host.run("virsh", "-q", "undefine", "vm1")
    tree.converges()
    boots(2)


def test_firewall_rules_know_a_machine_by_its_name_and_tags(tree: Tree, host: LinuxHost, vm1: Machine) -> None:
    bridge(host)
    tree.converges(vm1(nics=[NET0], tags={"role": "web"}, firewallEnabled=True))
    shown = host.run("nft", "list", "ruleset")
    assert "vm1_0" in shown
    assert "set tag/role//web" in shown
    tree.converges(vm1(nics=[NET0], tags={"role": "db"}, firewallEnabled=False))
    assert "set tag/role//db" in host.run("nft", "list", "ruleset")
    tree.write()
    assert tree.apply().exit_code == 0
    assert "vm1_0" not in host.run("nft", "list", "ruleset")


def test_a_disk_made_with_dd_boots_as_an_image_and_the_image_stays_while_a_machine_is_made_of_it(
    tree: Tree, host: LinuxHost, tmp_path: Path
) -> None:
    image = manifest("Image", "small", {"type": "vm", "source": {"path": str(boot_disk(tmp_path / "small.img"))}})
    root = {"name": "root", "image": "small", "size": "4MiB"}
    tree.converges(image, machine(disks=[root]))
    boots()
    assert host.run("zfs", "get", "-H", "-o", "value", "origin", "tank/vms/vm1/root").strip() == "tank/images/small@image"
    assert Path("/var/lib/libvirt/images/vm1/root/disk.raw").stat().st_size == 4 << 20
    tree.write(machine(disks=[root]))
    assert tree.plan().blocked == [("dependents", "Image/small")]
    tree.write()
    assert tree.apply().exit_code == 0
    assert host.domains() == ()
    assert not [name for name in host.datasets() if name.startswith(("tank/vms/vm1", "tank/images/small"))]


@pytest.fixture
def linux_guest(tree: Tree, host: LinuxHost, vm_disk: Path) -> Callable[..., tuple[dict[str, Any], ...]]:
    """The manifests of a machine with Linux that serves HTTP at 10.7.0.5, with its image."""
    bridge(host)
    image = manifest("Image", "small", {"type": "vm", "source": {"path": str(vm_disk)}})

    def manifests(**spec: Any) -> tuple[dict[str, Any], ...]:
        nics = spec.pop("nics", [NET0])
        more = {
            "memory": "96MiB",
            "state": "running",
            "hostname": "web1",
            "nics": nics,
            "disks": [{"name": "root", "image": "small"}],
        }
        return image, machine(**{**more, **spec})

    return manifests


def test_a_linux_guest_takes_its_name_and_address_from_its_seed_and_lets_go_of_a_nic(
    tree: Tree, host: LinuxHost, linux_guest: Callable[..., tuple[dict[str, Any], ...]]
) -> None:
    tree.converges(*linux_guest())
    boots()
    assert "name=web1" in log()
    peer = host.peer("br7", "10.7.0.9/24")
    assert peer.reaches("10.7.0.5")
    assert peer.run("busybox", "wget", "-q", "-O", "-", "http://10.7.0.5/").strip() == "web1"
    before = started(host)
    second = {"name": "net1", "over": "br7"}
    tree.converges(*linux_guest(nics=[NET0, second]))
    assert definition(host, now=True).count("<interface") == 2
    tree.converges(*linux_guest(nics=[NET0]))
    assert definition(host, now=True).count("<interface") == 1
    assert "vm1_1" not in host.links()
    tree.converges(*linux_guest(memory="88MiB"))
    assert "<currentMemory unit='KiB'>90112" in definition(host, now=True)
    assert tree.plan().document["hosts"][0]["pendingRestart"] == []
    assert started(host) == before
