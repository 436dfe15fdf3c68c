"""What a manifest of a VirtualMachine may say."""

import pytest

from providers.kvm.kinds import VIRTUAL_MACHINE
from reconciler.model.resource import Reference
from reconciler.provider.checks import check_kinds
from reconciler.provider.contract import Provider
from reconciler.provider.field import Changing
from tests.desired.guests import again, made, refused

EVERYTHING = """
  engine: bhyve, cpus: 2, memory: 2GiB, quota: 10GiB, state: stopped, autoboot: false, hostname: db1, firmware: uefi,
  disks: [{name: root, image: ubuntu, size: 20GiB, boot: true, model: virtio, media: disk, sparse: true, pool: tank},
          {name: data, size: 10GiB, blockSize: 16K, serial: S1, onRemoval: trash,
           properties: {compression: lz4, refreservation: 1GiB}},
          {name: shared, volume: tank/shared, model: nvme}, {name: cd, iso: /var/tmp/x.iso, media: cdrom}],
  nics: [{name: net0, over: admin, model: virtio, ips: [dhcp]}],
  cloudInit: {userData: "#cloud-config\\n", networkConfig: "version: 2\\n", sshKeys: [ssh-ed25519 A a, ssh-ed25519 B b],
              instanceId: one},
  console: {serial: log, vnc: {port: 5901, bind: 127.0.0.1}}, metadata: {k: v}, tags: {role: db},
  native: {smartos: {flexible_disk_size: 40960, cpu_cap: "400", pci_devices: [{path: /devices/pci@0/a, pci_slot: "0:8:0"}]}}
"""


def test_the_kind_is_described_whole() -> None:
    check_kinds(Provider("kvm", "virtual machines", (VIRTUAL_MACHINE,), lambda _system: ()))


def test_every_field_becomes_a_canonical_value() -> None:
    one = made("VirtualMachine", EVERYTHING)

    assert dict(one.fields) == {
        "engine": "bhyve",
        "cpus": 2,
        "memory": 2 << 30,
        "quota": 10 << 30,
        "state": "stopped",
        "autoboot": False,
        "hostname": "db1",
        "firmware": "uefi",
        "disks": ("cd", "data", "root", "shared"),
        "disks.root.image": "ubuntu",
        "disks.root.size": 20 << 30,
        "disks.root.boot": True,
        "disks.root.model": "virtio",
        "disks.root.media": "disk",
        "disks.root.sparse": True,
        "disks.root.pool": "tank",
        "disks.data.size": 10 << 30,
        "disks.data.blockSize": 16384,
        "disks.data.serial": "S1",
        "disks.data.onRemoval": "trash",
        "disks.data.properties.compression": "lz4",
        "disks.data.properties.refreservation": 1 << 30,
        "disks.shared.volume": "tank/shared",
        "disks.shared.model": "nvme",
        "disks.cd.iso": "/var/tmp/x.iso",
        "disks.cd.media": "cdrom",
        "nics": ("net0",),
        "nics.net0.over": "admin",
        "nics.net0.model": "virtio",
        "nics.net0.ips": ("dhcp",),
        "cloudInit.userData": "#cloud-config\n",
        "cloudInit.networkConfig": "version: 2\n",
        "cloudInit.sshKeys": ("ssh-ed25519 A a", "ssh-ed25519 B b"),
        "cloudInit.instanceId": "one",
        "console.serial": "log",
        "console.vnc.port": 5901,
        "console.vnc.bind": "127.0.0.1",
        "metadata.k": "v",
        "tags.role": "db",
        "native.smartos.flexible_disk_size": 40960,
        "native.smartos.cpu_cap": 400,
        "native.smartos.pci_devices": ("/devices/pci@0/a pci_slot=0:8:0",),
    }


def test_every_field_is_written_back_as_it_was() -> None:
    one = made("VirtualMachine", EVERYTHING)

    assert again(one) == one


def test_disks_refer_to_what_they_are_made_of() -> None:
    references = made("VirtualMachine", EVERYTHING).references

    assert Reference("spec.disks.root.image", ("Image",), "ubuntu") in references
    assert Reference("spec.disks.shared.volume", ("Volume",), "tank/shared") in references


def test_a_disk_grows_and_keeps_what_it_was_made_of() -> None:
    rules = VIRTUAL_MACHINE.item_rules["disks"]

    assert rules["size"].changing is Changing.GROWS
    assert {name for name, rule in rules.items() if rule.changing is Changing.NEVER} == {
        "volume",
        "image",
        "pool",
        "blockSize",
        "sparse",
    }
    assert rules["onRemoval"].changing is Changing.REMEMBERED
    assert VIRTUAL_MACHINE.items["disks"].holds_data


@pytest.mark.parametrize(
    ("spec", "path", "cause"),
    [
        ("disks: [{name: a}]", "spec.disks.0", "nothing says what the disk is"),
        ("disks: [{name: a, size: 1GiB, volume: t/v}]", "spec.disks.0.size", "a disk can't be volume and size at once"),
        ("disks: [{name: a, iso: /x, volume: t/v}]", "spec.disks.0.iso", "a disk can't be volume and iso at once"),
        ("disks: [{name: a, iso: /x, media: disk}]", "spec.disks.0.media", "what is read from an iso is a cdrom"),
        ("disks: [{name: a, image: i, blockSize: 8K}]", "spec.disks.0.blockSize", "a disk has the block size of its image"),
        ("disks: [{name: a, volume: t/v, pool: t}]", "spec.disks.0.pool", "volume says where the disk lies"),
        (
            "disks: [{name: a, size: 1GiB, boot: true}, {name: b, size: 1GiB, boot: true}]",
            "spec.disks.1.boot",
            "a and b are both booted from",
        ),
        (
            "disks: [{name: a, volume: t/v}, {name: b, volume: t/v}]",
            "spec.disks.1.volume",
            "b and a take the same volume t/v",
        ),
        ("engine: bhyve, disks: [{name: a, size: 1GiB, model: ide}]", "spec.disks.0.model", "bhyve has no disks of model ide"),
        ("disks: [{name: a, size: 1GiB}, {name: a, size: 2GiB}]", "spec.disks.1.name", "disks has two items named a"),
        (
            "disks: [{name: a, size: 1GiB, properties: {volsize: 1GiB}}]",
            "spec.disks.0.properties.volsize",
            "volsize can't stand in properties",
        ),
        ("cpus: 0", "spec.cpus", "must be at least 1, got the number 0"),
        ("cpus: {cores: 2}", "spec.cpus", "expected a number, got a mapping"),
        ("console: {vnc: {port: 70000}}", "spec.console.vnc.port", "must be at most 65535, got the number 70000"),
        ("console: {vnc: null}", "spec.console.vnc", "null is not allowed here"),
        (
            "cloudInit: {sshKeys: [a]}, metadata: {root_authorized_keys: b}",
            "spec.metadata.root_authorized_keys",
            "metadata root_authorized_keys is what carries cloudInit.sshKeys",
        ),
        ("swap: 1GiB", "spec.swap", "there is no field swap here"),
    ],
)
def test_what_a_machine_can_not_be_is_refused_with_its_place(spec: str, path: str, cause: str) -> None:
    ((at, why, remedy),) = refused("VirtualMachine", spec)

    assert (at, why) == (path, cause)
    assert remedy
