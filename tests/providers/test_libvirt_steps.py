"""The commands of each change of a machine on Linux, from recorded output of libvirt 9.0."""

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from providers.kvm.linux import LibvirtMachines
from providers.tools import libvirt_facts, libvirt_fields, linux_kernel, virsh_errors
from providers.tools.libvirt_facts import LibvirtHost, host_of
from providers.tools.libvirt_seed import write_seed
from providers.tools.libvirt_steps import steps
from providers.tools.linux_kernel import VLAN_FILTERING, Links
from reconciler.model.change import Change, Effect, FieldChange, Verb
from reconciler.model.command import Command, Completed, Ending, RetryClass
from reconciler.model.errors import InvalidValue, ReconcilerError
from reconciler.model.facts import HostFacts
from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import OnRemoval
from reconciler.model.observed import Mark, Observed
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.model.trash import Trashing
from reconciler.model.value import Fields, Value
from reconciler.provider.contract import Served
from reconciler.provider.field import Acts
from tests.providers.test_libvirt_reading import DOMAINS, MIB, OUTPUT, machines, ports

QEMU = LibvirtHost(True, True, "no flag", False, True, True, Links((), True, frozenset()), frozenset({"tank"}))
KVM = replace(QEMU, why_no_kvm="", has_uefi=True, has_no_volumes=False, links=Links((), True, frozenset({VLAN_FILTERING})))
MARK = Mark("tests", ObjectName("VirtualMachine", "web1"), "3d1219c7c4c5404aaa1f6d2a48adfda4", on_removal=OnRemoval.DELETE)
UUID = "775359f2-a9a9-5e81-80d0-5b875c0410f2"


def web1() -> Observed:
    return machines(seen=ports())["web1"]


def change(verb: Verb, fields: Fields, changes: Mapping[str, Value] | None = None, **more: object) -> Change:
    observed = web1() if verb is not Verb.CREATE else None
    told = observed.fields if observed is not None else {}
    entries = tuple(FieldChange(name, told.get(name), value) for name, value in (changes or {}).items())
    resource = Resource(Key("h", "VirtualMachine", "web1"), fields, Origin("a.yaml", 1, 1))
    return replace(
        Change(resource.key, verb, entries, resource, observed, MARK, identity=UUID, default_pool="tank", owner="tests"), **more
    )


def told(made: Change, host: LibvirtHost = QEMU) -> list[str]:
    """The commands in short: the tool and what it is told, or the name of a script and its arguments."""
    found = []
    for step in steps(made, host):
        argv = step.command.argv
        found.append(" ".join(argv[3:] if argv[:2] == ("sh", "-c") else argv).removeprefix("virsh -q -c qemu:///system "))
    return found


def stdin(made: Change, number: int = 0, host: LibvirtHost = QEMU) -> str:
    return steps(made, host)[number].command.stdin or ""


ROOT: Fields = {"disks": ("root",), "disks.root.image": "small", "disks.root.size": 4 * MIB}


def test_a_new_machine_is_defined_first_with_its_mark_and_noted_as_whole_last() -> None:
    made = change(Verb.CREATE, {**ROOT, "quota": 64 * MIB}, identities={ObjectName("Image", "small"): "tank/images/small"})
    commands = told(made)
    assert [command.split()[0] for command in commands] == ["define", "make-dataset", "make-dataset", "start-domain", "define"]
    first, last = stdin(made), stdin(made, 4)
    assert 'owner="tests" key="VirtualMachine/web1"' in first
    assert '{"makes": ["root"], "resume": "running"}' in first
    assert "unfinished" not in last
    assert commands[2].endswith(
        "web1/root/disk.raw 4194304  zfs clone -o dev.reconciler:host=3d1219c7c4c5404aaa1f6d2a48adfda4"
        " -o dev.reconciler:key=VirtualMachine/web1 -o dev.reconciler:owner=tests"
        " -o mountpoint=/var/lib/libvirt/images/web1/root tank/images/small@image tank/vms/web1/root"
    )
    assert "quota=67108864" in commands[1]


def test_kvm_is_taken_where_it_works_and_a_volume_is_the_device_where_zfs_has_some() -> None:
    fields: Fields = {"disks": ("data",), "disks.data.volume": "tank/v", "state": "stopped"}
    text = stdin(change(Verb.CREATE, fields), 0, KVM)
    assert '<domain type="kvm">' in text
    assert '<source dev="/dev/zvol/tank/v" />' in text
    assert '<cpu mode="host-passthrough" />' in text
    files = stdin(change(Verb.CREATE, fields))
    assert '<domain type="qemu">' in files
    assert '<source file="/var/lib/reconciler-volumes/tank/v/volume.raw" />' in files


def test_an_image_of_another_pool_can_not_be_cloned() -> None:
    with pytest.raises(ReconcilerError, match="lies in dozer/images/small"):
        told(change(Verb.CREATE, ROOT, identities={ObjectName("Image", "small"): "dozer/images/small"}))


def test_every_command_that_takes_something_away_names_one_object_and_uses_no_force() -> None:
    deleted = told(replace(change(Verb.DELETE, {}), resource=None))
    assert deleted[0].startswith("stop-domain")
    assert deleted[-5:] == [
        "zfs destroy tank/vms/web1/root",
        "zfs destroy tank/vms/web1/data",
        "zfs destroy tank/vms/web1",
        "drop-container tank/vms  ",
        f"undefine {UUID}",
    ]
    for command in deleted:
        assert "remove-all-storage" not in command
        assert "destroy -" not in command.partition("stop-domain")[0]


def test_a_change_of_memory_and_cpus_within_what_it_may_get_is_made_at_once() -> None:
    shrunk = {"memory": 32 * MIB}
    commands = told(change(Verb.UPDATE, shrunk, shrunk))
    assert [command.split()[0] for command in commands] == ["define", "set-memory"]
    assert "<currentMemory unit='KiB'>" not in stdin(change(Verb.UPDATE, shrunk, shrunk))


def test_what_only_a_start_brings_is_stored_and_nothing_else_happens() -> None:
    made = change(Verb.UPDATE, {"cpus": 2}, {"cpus": 2})
    staged = replace(made, fields=tuple(replace(entry, effect=Effect.STAGED) for entry in made.fields))
    assert [command.split()[0] for command in told(staged)] == ["define"]


def test_a_restart_is_noted_before_the_stop_and_the_note_goes_after_the_start() -> None:
    made = change(Verb.UPDATE, {"cpus": 2}, {"cpus": 2})
    restarted = replace(made, fields=tuple(replace(entry, effect=Effect.RESTART) for entry in made.fields))
    commands = [command.split()[0] for command in told(restarted)]
    assert commands[:3] == ["define", "stop-domain", "start-domain"]
    assert commands[-1] == "define"
    assert '"resume": "running"' in stdin(restarted)
    assert '"resume"' not in stdin(restarted, len(commands) - 1)


@pytest.mark.parametrize("how", ["detach", "trash", "delete"])
def test_a_disk_that_goes_is_noted_with_where_it_goes_before_anything_happens(how: str) -> None:
    fields: Fields = {"disks": ("root",), "disks.root.size": MIB}
    made = change(
        Verb.UPDATE,
        fields,
        remembered={"disks.data.onRemoval": how},
        trashing=Trashing("20260102T030405.000Z", "g", None),
    )
    made = replace(made, fields=(FieldChange("disks.data", "data", None, Effect.RESTART),))
    commands = told(made)
    assert '"going": {"data": {"dataset": "tank/vms/web1/data"' in stdin(made)
    assert "/data/disk.raw" not in stdin(made)
    places = {
        "detach": f"move-disk tank/vms/web1/data tank/.reconciler-detached/{UUID}-data",
        "trash": f"move-disk tank/vms/web1/data tank/.reconciler-trash/20260102T030405.000Z-1-{UUID}-data",
        "delete": "destroy-disk tank/vms/web1/data -",
    }
    assert places[how] in commands
    assert commands.index(places[how]) > [command.split()[0] for command in commands].index("stop-domain")
    assert [step.destructive for step in steps(made, QEMU)].count(True) == (how == "delete")


def test_a_definition_with_a_password_is_not_written_back_without_it() -> None:
    other = machines(seen=ports())["other vm"]
    resource = Resource(Key("h", "VirtualMachine", "other vm"), {"memory": 32 * MIB}, Origin("a.yaml", 1, 1))
    made = Change(resource.key, Verb.ADOPT, (FieldChange("memory", 64 * MIB, 32 * MIB),), resource, other, MARK)
    with pytest.raises(ReconcilerError, match="password"):
        told(made)
    assert "secret" not in DOMAINS


def test_what_libvirt_says_of_a_machine_of_another_is_kept_in_every_change() -> None:
    text = DOMAINS.replace(" passwd='hidden'", "")
    other = machines(text, seen=ports())["other vm"]
    resource = Resource(Key("h", "VirtualMachine", "other vm"), {"memory": 32 * MIB}, Origin("a.yaml", 1, 1))
    made = Change(resource.key, Verb.ADOPT, (FieldChange("memory", 64 * MIB, 32 * MIB),), resource, other, MARK)
    written = stdin(made)
    for kept in ('<o:thing xmlns:o="urn:other">kept</o:thing>', "/srv/other &amp; more.qcow2", 'type="qcow2"', 'bridge="br7"'):
        assert kept in written
    assert '<memory unit="KiB">32768</memory>' in written


def test_replacing_a_machine_that_stays_in_the_trash_is_refused() -> None:
    with pytest.raises(ReconcilerError, match="keeps its name in the trash"):
        told(change(Verb.REPLACE, {}, trashing=Trashing("20260102T030405.000Z", "g", None)))


def test_forgetting_takes_all_that_is_ours_and_nothing_else() -> None:
    made = replace(change(Verb.FORGET, {}), resource=None, mark=None)
    commands = told(made)
    assert commands[-1] == "define /dev/stdin"
    assert "reconciler" not in stdin(made, len(commands) - 1)
    assert commands[0] == "zfs inherit dev.reconciler:host tank/vms/web1"


@pytest.mark.parametrize(
    ("field", "before", "after", "acts"),
    [
        ("memory", 64 * MIB, 32 * MIB, Acts.LIVE),
        ("memory", 64 * MIB, 128 * MIB, Acts.STAGED),
        ("cpus", 1, 2, Acts.STAGED),
        ("nics.net0.maxBandwidth", None, 8000, Acts.LIVE),
        ("nics.net0.allow.ipSpoofing", False, True, Acts.LIVE),
        ("nics.net0.over", "a", "b", Acts.LIVE),
        ("nics.net0.mac", "a", "b", Acts.RESTART),
        ("nics.net0.model", "virtio", "e1000", Acts.STAGED),
        ("nics.net0.ips", (), ("10.0.0.1/24",), Acts.FIRST_BOOT),
        ("nics.net1", None, "net1", Acts.LIVE),
        ("disks.root.size", MIB, 2 * MIB, Acts.LIVE),
        ("disks.root.serial", None, "a", Acts.STAGED),
        ("disks.new", None, "new", Acts.LIVE),
        ("disks.data", "data", None, Acts.RESTART),
        ("hostname", "a", "b", Acts.FIRST_BOOT),
        ("firmware", "bios", "uefi", None),
    ],
)
def test_each_change_says_when_it_acts(field: str, before: Value, after: Value, acts: Acts | None) -> None:
    assert libvirt_fields.acts(FieldChange(field, before, after), web1()) is acts


@pytest.mark.parametrize(
    ("host", "field", "value", "cause"),
    [
        (QEMU, "engine", "kvm", "kvm does not work on this host: no flag"),
        (QEMU, "engine", "bhyve", "Linux has no bhyve"),
        (QEMU, "firmware", "uefi", "libvirt finds no UEFI firmware"),
        (QEMU, "nics.net0.vnic", "v0", "can't take over a VNIC"),
        (QEMU, "nics.net0.vlan", 10, "can't keep VLANs apart: this host's kernel is made without"),
        (KVM, "nics.net0.vlan", 1, "VLAN 1"),
        (QEMU, "nics.net0.link", "a-name-too-long-1", "at most 14 bytes"),
        (QEMU, "disks.root.model", "nvme", "no disks of model nvme"),
        (QEMU, "disks.root.size", 1000, "whole sectors"),
        (QEMU, "memory", 1000, "whole KiB"),
        (QEMU, "native.smartos.x", 1, "no native settings"),
        (QEMU, "console.vnc.port", 80, "no screen at port 80"),
        (replace(QEMU, has_seed_tool=False), "cloudInit.userData", "x", "no tool that makes one"),
        (replace(QEMU, has_seed_tool=False), "hostname", "x", "no tool that makes one"),
    ],
)
def test_what_the_host_lacks_is_refused_before_anything_runs(host: LibvirtHost, field: str, value: Value, cause: str) -> None:
    with pytest.raises(InvalidValue, match=cause):
        libvirt_fields.check(host, field, value)


@pytest.mark.parametrize(("field", "value"), [("engine", "kvm"), ("firmware", "uefi"), ("nics.net0.vlan", 10)])
def test_a_host_that_has_it_takes_it(field: str, value: Value) -> None:
    libvirt_fields.check(KVM, field, value)


def facts(text: str | None) -> HostFacts:
    answers = {} if text is None else {libvirt_facts.FACTS: text, linux_kernel.FACTS: "kernel known\n"}
    probed = {probe.name: Completed(probe.command, Ending.EXITED, 0, answer) for probe, answer in answers.items()}
    return HostFacts("Linux", "6.1", "", "boot", {}, probed)


KVM_FACTS = "flag vmx\nmodule kvm_intel\nseed xorrisofs\npool tank\ntype kvm\nfirmware uefi\nlibvirt answers\n"


@pytest.mark.parametrize(
    ("text", "engine", "why"),
    [
        ((OUTPUT / "facts.txt").read_text(), "qemu", "no flag vmx or svm"),
        (KVM_FACTS, "kvm", ""),
        (KVM_FACTS.replace("module kvm_intel\n", ""), "qemu", "no module kvm_intel"),
        (KVM_FACTS.replace("type kvm", "type qemu"), "qemu", "QEMU can't use KVM"),
    ],
)
def test_kvm_works_where_processor_kernel_and_libvirt_say_so(text: str, engine: str, why: str) -> None:
    host = host_of(facts(text))
    assert host is not None
    assert host.engine == engine
    assert why in host.why_no_kvm


def test_a_host_without_virsh_is_not_served_and_one_that_could_not_be_asked_is_unreadable() -> None:
    assert LibvirtMachines.serves(facts("no virsh\n")).served is Served.NO
    assert LibvirtMachines.serves(facts(None)).served is Served.UNREADABLE
    assert LibvirtMachines.serves(facts("libvirt does not answer\n")).served is Served.YES


def test_nothing_that_looks_opens_the_device_of_kvm() -> None:
    assert "/dev/kvm" not in " ".join(libvirt_facts.FACTS.command.argv)


@pytest.mark.parametrize(
    ("said", "retry"),
    [
        (
            "error: failed to connect to the hypervisor\nerror: Failed to connect socket to '/run/x': No such file",
            RetryClass.LATER,
        ),
        ("error: failed to get domain 'x'", RetryClass.LOOK_AGAIN),
        ("error: Domain is already active", RetryClass.LOOK_AGAIN),
        ("error: Cannot access storage file '/x': No such file or directory", RetryClass.LATER),
        ("error: unsupported configuration: per-device boot elements cannot be used", RetryClass.NEVER),
        ('error: internal error: Failed to get "write" lock', RetryClass.LATER),
        ("something new", RetryClass.LATER),
    ],
)
def test_failures_have_a_cause_and_a_way_on(said: str, retry: RetryClass) -> None:
    failed = Completed(Command(("virsh", "x")), Ending.EXITED, 1, "", said)
    failure = virsh_errors.explain(failed)
    assert failure.retry is retry
    assert failure.remedy


def test_a_seed_leaves_nothing_of_what_it_tells_beside_the_disk(tmp_path: Path) -> None:
    scratch, tools, disk = tmp_path / "scratch", tmp_path / "tools", tmp_path / "seed.iso"
    scratch.mkdir()
    tools.mkdir()
    tool = tools / "genisoimage"
    tool.write_text('#!/bin/sh\ntouch "$3"\n')
    tool.chmod(0o755)
    command = write_seed("web1", UUID, {"cloudInit.userData": "password: secret"})

    subprocess.run(
        (*command.argv[:4], str(disk), *command.argv[5:]),
        input=command.stdin,
        text=True,
        check=True,
        env={"PATH": f"{tools}:/usr/bin:/bin", "TMPDIR": str(scratch)},
    )

    assert disk.stat().st_mode & 0o777 == 0o600
    assert list(scratch.iterdir()) == []


def test_a_seed_tells_the_guest_who_it_is_and_where() -> None:
    fields: Fields = {
        "hostname": "web1",
        "dnsDomain": "example.org",
        "resolvers": ("10.0.0.2",),
        "routes": ("10.9.0.0/16 10.0.0.3",),
        "nics": ("net0", "net1"),
        "nics.net0.mac": "02:00:00:00:00:01",
        "nics.net0.ips": ("10.0.0.5/24", "addrconf"),
        "nics.net0.gateways": ("10.0.0.1",),
        "nics.net1.mac": "02:00:00:00:00:02",
        "nics.net1.ips": ("dhcp",),
        "cloudInit.sshKeys": ("ssh-ed25519 AAAA a",),
    }
    command = write_seed("web1", UUID, fields)
    assert (
        command.stdin
        == f"""\
instance-id: {UUID}
local-hostname: web1.example.org
public-keys:
  - "ssh-ed25519 AAAA a"
#cloud-config
{{}}
version: 2
ethernets:
  net0:
    match: {{macaddress: "02:00:00:00:00:01"}}
    accept-ra: true
    addresses: ["10.0.0.5/24"]
    routes:
      - {{to: "default", via: "10.0.0.1"}}
      - {{to: "10.9.0.0/16", via: "10.0.0.3"}}
    nameservers: {{addresses: ["10.0.0.2"], search: ["example.org"]}}
  net1:
    match: {{macaddress: "02:00:00:00:00:02"}}
    dhcp4: true
"""
    )
    assert sum(map(int, command.argv[-3:])) == len(command.stdin)


def test_a_machine_whose_disks_died_is_ended_soon_and_started_on_disks_mounted_anew() -> None:
    lost = replace(web1(), fields={**web1().fields, "state": "dead"})
    repaired = replace(change(Verb.UPDATE, ROOT, {"state": "running"}), observed=lost)

    commands = [one for one in told(repaired) if not one.startswith("define")]

    assert commands[:4] == [
        f"stop-domain {UUID} 5",
        "mount-dataset tank/vms/web1",
        "mount-dataset tank/vms/web1/data",
        "mount-dataset tank/vms/web1/root",
    ]
    assert f"start-domain {UUID}" in commands
    gone = told(replace(change(Verb.DELETE, {}), resource=None, observed=lost))
    assert gone.index("mount-dataset tank/vms/web1") < gone.index("zfs destroy tank/vms/web1/root")
