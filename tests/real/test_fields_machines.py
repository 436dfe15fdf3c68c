"""Every field of VirtualMachine on a Linux host, on machines that are stopped: what libvirt has stored is what was stated.

What acts on machines that run is tried on machines that boot, in test_machines.py.
"""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from reconciler.provider.registry import Registry
from tests.real.linux_host import LinuxHost
from tests.real.scene import Row, Scene, Told, missing
from tests.real.tree import Tree, manifest

pytestmark = pytest.mark.usefixtures("libvirt")

MAC, OTHER_MAC = "02:08:20:00:00:{n:02x}", "02:08:21:00:00:{n:02x}"
MIB = 1 << 20


def definition(host: LinuxHost, name: str) -> ET.Element:
    return ET.fromstring(host.run("virsh", "-q", "dumpxml", "--inactive", name))


def last(host: LinuxHost, name: str, device: str) -> ET.Element:
    """The machine's last disk or nic; a CD with what is told to the guest is no disk of its manifest."""
    found = definition(host, name).findall(f"devices/{device}")
    return [one for one in found if "seed" not in (ET.tostring(one, encoding="unicode"))][-1]


def at(path: str, attribute: str = "", device: str = "") -> Told:
    """The text or an attribute of an element, of the machine or of its last device of a type."""

    def told(host: LinuxHost, name: str) -> Any:
        whole = last(host, name, device) if device else definition(host, name)
        found = whole if path == "." else whole.find(path)
        return None if found is None else found.get(attribute) if attribute else (found.text or "").strip()

    return told


def port(host: LinuxHost, name: str) -> str:
    return str(at("target", "dev", "interface")(host, name))


def port_link(what: str) -> Told:
    return lambda host, name: host.links()[port(host, name)].get(what)


def rules(host: LinuxHost, name: str) -> str:
    blocks = host.run("nft", "list", "ruleset", "netdev").split("\n\n")
    return "".join(block for whole in blocks for block in whole.split("chain ") if f'device "{port(host, name)}"' in block)


def drops(words: str) -> Told:
    """Whether a rule of the port drops what these words are about; one that only counts does not."""
    return lambda host, name: any(words in line and " drop" in line for line in rules(host, name).splitlines())


def lets_pass(*addresses: str) -> Told:
    return lambda host, name: [one for one in addresses if f"ip saddr != {one} " in rules(host, name)]


def limit(host: LinuxHost, name: str) -> Any:
    shown = json.loads(host.ask("tc", "-j", "qdisc", "show", "dev", port(host, name)).stdout or "[]")
    return next((one["options"]["rate"] * 8 for one in shown if one["kind"] == "tbf"), None)


def disk(host: LinuxHost, name: str) -> Path:
    source = last(host, name, "disk").find("source")
    assert source is not None
    return Path(source.get("file") or source.get("dev") or "")


def dataset(host: LinuxHost, name: str) -> str:
    """The dataset of the machine's last disk."""
    return host.run("findmnt", "-n", "-o", "SOURCE", "-T", str(disk(host, name))).strip()


def prop(host: LinuxHost, name: str, dataset: str) -> str:
    return host.run("zfs", "get", "-Hp", "-o", "value", name, dataset).strip()


def seed(*texts: str) -> Told:
    """Which of these texts the CD for the guest holds."""

    def told(host: LinuxHost, name: str) -> list[str]:
        sources = [one.find("source") for one in definition(host, name).findall("devices/disk")]
        files = [one.get("file", "") for one in sources if one is not None and "seed" in one.get("file", "")]
        held = "".join(
            host.ask("isoinfo", "-R", "-x", f"/{part}", "-i", file).stdout
            for file in files
            for part in ("meta-data", "user-data", "network-config")
        )
        return [text for text in texts if text in held]

    return told


def kept(*texts: str) -> Told:
    """Which of these texts our own part of the definition holds."""
    return lambda host, name: [
        text for text in texts if text in host.run("virsh", "-q", "dumpxml", "--inactive", name).partition("</metadata>")[0]
    ]


def _kept(field: str) -> Row:
    one, two = f"one-{field}", f"two-{field}"
    return Row(field, ({"key": one}, {"key": two}), kept(one, two), ([one], [two]), [])


SETTINGS = (
    Row("autoboot", (True, False), lambda host, name: bool(re.search("start: +enable", host.run("virsh", "dominfo", name))),
        (True, False)),
    Row("memory", ("64MiB", "96MiB"), lambda host, name: int(at("memory")(host, name)), (64 << 10, 96 << 10)),
    Row("cpus", (1, 2), at("vcpu"), ("1", "2")),
    Row("console.serial", ("log", "log"), lambda host, name: bool(at("devices/serial/log", "file")(host, name)), (True, True)),
    Row("console.vnc.port", (5901, 5902), at("devices/graphics", "port"), ("5901", "5902")),
    Row("console.vnc.bind", ("127.0.0.1", "0.0.0.0"), at("devices/graphics/listen", "address"), ("127.0.0.1", "0.0.0.0")),
    Row("firmware", ("bios", "bios"), at("os", "firmware"), (None, None)),
    Row("quota", ("1GiB", "2GiB"), lambda host, name: int(prop(host, "quota", f"tank/vms/{name}")), (1 << 30, 2 << 30), 0),
    _kept("metadata"),
    _kept("internalMetadata"),
    _kept("tags"),
)  # fmt: skip

FOR_THE_GUEST = (
    Row("hostname", ("host-one", "host-two"), seed("host-one", "host-two"), (["host-one"], ["host-two"])),
    Row("cloudInit.userData", ("#cloud-config\na: 1\n", "#cloud-config\na: 2\n"), seed("a: 1", "a: 2"), (["a: 1"], ["a: 2"])),
    Row("cloudInit.sshKeys", (["ssh-ed25519 AAAA a"], ["ssh-ed25519 BBBB b"]), seed("AAAA", "BBBB"), (["AAAA"], ["BBBB"])),
    Row("cloudInit.instanceId", ("first", "second"), seed("first", "second"), (["first"], ["second"])),
    Row("resolvers", (["9.9.9.9"], ["1.1.1.1"]), seed("9.9.9.9", "1.1.1.1"), (["9.9.9.9"], ["1.1.1.1"]), []),
    Row("dnsDomain", ("one.test", "two.test"), seed("one.test", "two.test"), (["one.test"], ["two.test"]), []),
    Row("routes", ([{"to": "10.7.0.0/16", "via": "10.2.3.7"}], [{"to": "10.8.0.0/16", "via": "10.2.3.8"}]),
        seed("10.7.0.0/16", "10.8.0.0/16"), (["10.7.0.0/16"], ["10.8.0.0/16"]), []),
)  # fmt: skip

NICS = (
    (
        Row("nics[].over", ("br0", "br1"), port_link("master"), ("br0", "br1"), required=True),
        Row("nics[].mac", (MAC, OTHER_MAC), at("mac", "address", "interface"), (MAC, OTHER_MAC)),
        Row("nics[].mtu", (1400, 1300), at("mtu", "size", "interface"), ("1400", "1300"), None),
        Row("nics[].model", ("virtio", "e1000"), at("model", "type", "interface"), ("virtio", "e1000")),
        Row("nics[].maxBandwidth", ("10Mbps", "200Mbps"), limit, (10_000_000, 200_000_000), None),
        Row("nics[].ips", (["10.2.{n}.1/16"], ["10.2.{n}.2/16"]), lets_pass("10.2.4.1", "10.2.4.2", "10.2.3.1", "10.2.3.2"),
            (["10.2.{n}.1"], ["10.2.{n}.2"])),
        Row("nics[].gateways", (["10.2.0.1"], ["10.2.0.2"]), seed("10.2.0.1", "10.2.0.2"), (["10.2.0.1"], ["10.2.0.2"]), []),
    ),
    (
        Row("nics[].allow.macSpoofing", (True, False), drops("ether saddr != 02:"), (False, True)),
        Row("nics[].allow.dhcpSpoofing", (True, False), drops("udp sport 67 "), (False, True)),
        Row("nics[].allow.restrictedTraffic", (True, False), drops("meta protocol != "), (False, True)),
        Row("nics[].allow.ips", (["10.9.0.7"], ["10.9.1.7"]), lets_pass("10.9.0.7", "10.9.1.7"), (["10.9.0.7"], ["10.9.1.7"])),
    ),
    (Row("nics[].allow.ipSpoofing", (True, False), drops("ip saddr != "), (False, True),
         beside={"nics[].ips": ["10.2.0.9/16"]}),),
    (Row("nics[].primary", (True, True), lambda host, name: True, (True, True)),),
)  # fmt: skip

DISKS = (
    (
        Row("disks[].size", ("1MiB", "2MiB"), lambda host, name: disk(host, name).stat().st_size, (MIB, 2 * MIB), one_way=True,
            required=True),
        Row("disks[].model", ("virtio", "ide"), at("target", "bus", "disk"), ("virtio", "ide")),
        Row("disks[].boot", (True, False), lambda host, name: bool(at("boot", "order", "disk")(host, name)), (True, False)),
        Row("disks[].properties.compression", ("gzip", "on"), lambda host, name: prop(host, "compression", dataset(host, name)),
            ("gzip", "on"), "off"),
    ),
    (
        Row("disks[].serial", ("one", "two"), at("serial", "", "disk"), ("one", "two")),
        Row("disks[].media", ("disk", "cdrom"), at(".", "device", "disk"), ("disk", "cdrom"), beside={"disks[].model": "ide"}),
    ),
)  # fmt: skip

FIXED = {"uuid", "pool", "engine", "disks[].pool", "disks[].blockSize", "disks[].sparse", "nics[].link"}
"""What is chosen when a machine is made, and refused to change."""

ELSEWHERE = {"state", "disks[]", "nics[]", "disks[].volume", "disks[].image", "disks[].iso", "disks[].onRemoval",
    "firewallEnabled", "cloudInit.networkConfig"}  # fmt: skip
"""What test_machines.py and test_firewall.py are about."""

LACKING: dict[str, Any] = {
    "nics[].vlan": 7,
    "nics[].vnic": "vnic0",
    "firmware": "uefi",
    "engine": "bhyve",
}
"""Fields, or values of them, that this host has not got."""

BASE = {
    "state": "stopped",
    "memory": "64MiB",
    "disks": [{"name": "root", "size": "1MiB"}],
    "nics": [{"name": "net0", "over": "br0"}],
}


@pytest.fixture
def bridges(host: LinuxHost) -> None:
    for name in ("br0", "br1"):
        host.run("ip", "link", "add", name, "type", "bridge")
        host.run("ip", "link", "set", name, "up")


@pytest.mark.usefixtures("bridges")
def test_every_field_of_a_machine_acts_as_its_plan_promised(tree: Tree) -> None:
    scene = Scene.of(tree, "VirtualMachine", (SETTINGS, FOR_THE_GUEST, *NICS, *DISKS), BASE, "vm")

    scene.run()

    assert scene.findings == [], "\n".join(scene.findings)


@pytest.mark.usefixtures("bridges")
@pytest.mark.parametrize("field", LACKING)
def test_what_this_host_has_not_got_is_refused_in_the_plan(tree: Tree, field: str) -> None:
    head, _, rest = field.rpartition("[].")
    nic = {"name": "net0", **({} if rest == "vnic" else {"over": "br0"}), rest: LACKING[field]}
    spec = {**BASE, "nics": [nic]} if head else {**BASE, rest: LACKING[field]}
    tree.write(manifest("VirtualMachine", "vm1", spec))

    planned = tree.plan()

    assert planned.exit_code == 3
    assert planned.blocked == [("unsupported", "VirtualMachine/vm1")]
    (blocked,) = planned.document["hosts"][0]["blocked"]
    stated = (tree.folder / blocked["origin"]["path"]).read_text().splitlines()[blocked["origin"]["line"] - 1]
    assert f'"{rest}"' in stated
    assert blocked["cause"]
    assert blocked["remedy"]


def test_no_field_is_missing_from_the_tables(registry: Registry) -> None:
    tabled = {row.field for rows in (SETTINGS, FOR_THE_GUEST, *NICS, *DISKS) for row in rows}
    known = [
        name
        for name in registry.kinds["VirtualMachine"].every_rule
        if not name.startswith(("native.smartos", "disks[].properties."))
    ]

    assert missing(known, tabled, FIXED, ELSEWHERE, LACKING) == []
