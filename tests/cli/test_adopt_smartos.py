"""`reconciler adopt` and `observe` on a SmartOS host that was filled by hand, and what becomes of strangers there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from tests.cli.hosts import host_in
from tests.e2e.ground import Ground, Said, emulated
from tests.passes.smartos import LX_IMAGE, VM_IMAGE, ZONE_IMAGE, machine, manifest, zone

SCRIPT = '#!/bin/sh\necho "it\'s ü" $(date) `id` \\n\n\ttab\r\nend' + "x" * 65536
NICS = [
    {"nic_tag": "external", "ips": ["10.0.0.11/24", "addrconf"], "gateways": ["10.0.0.1"], "mac": "02:AA:00:00:00:01",
     "allow_ip_spoofing": True, "allow_dhcp_spoofing": True, "allowed_ips": ["10.9.0.0/24"], "mtu": 1500},
    {"nic_tag": "stub0", "ip": "10.1.0.5", "netmask": "255.255.0.0"},
    {"nic_tag": "external", "ips": ["dhcp"], "vlan_id": 3, "allow_unfiltered_promisc": True},
]  # fmt: skip
ZONE: dict[str, Any] = {"brand": "joyent-minimal", "image_uuid": ZONE_IMAGE, "max_physical_memory": 256}
VM: dict[str, Any] = {"brand": "bhyve", "ram": 2000, "vcpus": 2}
LX: dict[str, Any] = {"brand": "lx", "image_uuid": LX_IMAGE, "kernel_version": "4.3.0", "max_physical_memory": 1024}
ROOT = {"image_uuid": VM_IMAGE, "boot": True, "model": "virtio"}
GUESTS: Mapping[str, dict[str, Any]] = {
    "Zone/odd": {
        **ZONE, "alias": "odd", "nics": NICS, "max_swap": 2048, "cpu_cap": 250, "cpu_shares": 50, "quota": 13,
        "zfs_io_priority": 30, "limit_priv": "default,dtrace_user", "fs_allowed": "ufs,pcfs", "max_lwps": 1000,
        "zfs_root_compression": "gzip-9", "delegate_dataset": True, "hostname": "web.example.org", "archive_on_delete": True,
        "customer_metadata": {"user-script": SCRIPT, "n": "0123", "bell": "a\x07b", " lead": "x", "reconciler:x": "y"},
        "tags": {"role": 'a "b" c', "n": 5, "t": True, "f": 1.5}, "internal_metadata": {"a:b": "1"},
        "resolvers": ["9.9.9.9", "1.1.1.1"], "routes": {"10.1.0.0/16": "10.0.0.254", "10.2.0.9": "10.0.0.253"},
        "filesystems": [{"type": "lofs", "source": "/opt", "target": "/mnt/opt", "options": ["ro"]}],
        "firewall_enabled": True, "owner_uuid": "00000000-0000-0000-0000-000000000002", "tmpfs": 128,
    },
    "Zone/none": {**ZONE, "alias": "none", "quota": 0, "cpu_cap": 0, "autoboot": False},
    "Zone/old": {**ZONE, "alias": "old", "brand": "joyent", "indestructible_zoneroot": True},
    "Zone/build": {**ZONE, "alias": "build", "brand": "builder"},
    "Zone/docked": {**LX, "alias": "docked", "docker": True},
    "Zone/lx.v-1": {**LX, "alias": "lx.v-1", "autoboot": False},
    f"Zone/{'x' * 189}": {**ZONE, "alias": "x" * 189},
    "VirtualMachine/vm1": {
        **VM, "alias": "vm1", "bootrom": "uefi", "vnc_port": -1, "bhyve_extra_opts": "-x",
        "disks": [
            {**ROOT, "size": 20480}, {"size": 1024, "model": "nvme", "compression": "lz4"},
            {"path": "/dev/zvol/rdsk/zones/vol", "model": "virtio", "nocreate": True},
            {"path": "/zones/iso/x.iso", "media": "cdrom", "model": "ahci", "nocreate": True},
        ],
        "nics": [{"nic_tag": "admin", "ips": ["dhcp"], "model": "virtio"}],
        "customer_metadata": {"cloud-init:user-data": "#cloud-config\n# ü\n", "root_authorized_keys": "ssh-ed25519 A\nb\n"},
    },
    "VirtualMachine/flex": {
        **VM, "alias": "flex", "flexible_disk_size": 30720, "disks": [ROOT, {"size": 2048, "model": "virtio"}],
    },
    "VirtualMachine/vm2": {
        **VM, "alias": "vm2", "brand": "kvm", "vga": "std", "qemu_opts": "-a 'b c'", "vnc_port": 5900, "autoboot": False,
        "disks": [ROOT, {"size": 2048, "model": "ide", "refreservation": 0, "block_size": 4096}],
        "nics": [{"nic_tag": "admin", "ips": ["10.0.0.77/24"], "model": "rtl8139"}],
    },
}  # fmt: skip
"""Payloads of guests made by hand, by the key that a manifest gives them."""

LEFT: tuple[dict[str, Any], ...] = (
    {**ZONE, "alias": "same"},
    {**ZONE, "alias": "same"},
    {**VM, "alias": "odd name ü 'x'", "autoboot": False, "disks": [{"size": 2048, "model": "virtio", "boot": True}]},
    {**ZONE, "alias": "theirs", "internal_metadata": {"reconciler:owner": "others", "reconciler:key": "Zone/theirs"}},
)
"""Guests that no manifest is written for."""

RULES = (
    {"rule": "FROM any TO all vms ALLOW udp PORT 53", "enabled": True, "global": True},
    {"rule": "FROM all vms TO ip 8.8.8.8 ALLOW icmp (TYPE 8 CODE 0 AND TYPE 3) PRIORITY 3", "enabled": False, "global": True,
     "log": True, "description": "let ü 'x' in\nplease"},
    {"rule": 'FROM (tag "a b" = "c d" OR ip 10.0.0.1) TO all vms ALLOW tcp (PORT 22 AND PORT 8080)', "enabled": True,
     "global": True},
)  # fmt: skip


@dataclass
class ByHand:
    """The host `h`, filled behind everybody's back."""

    ground: Ground

    @property
    def state(self) -> Path:
        return self.ground.state

    def do(self, *argv: str, payload: Any = None) -> str:
        with host_in(self.state, system="smartos") as host:
            answer = host.drift(argv, None if payload is None else json.dumps(payload).encode())
        assert answer.exit_code == 0, (argv, payload, answer.stderr.decode())
        return answer.stdout.decode()

    def found(self) -> Any:
        """All that tools tell of guests, rules and links, without our marks and the times of changes."""
        guests = json.loads(self.do("vmadm", "lookup", "-j"))
        for guest in guests:
            for moving in ("last_modified", "datasets_used", "disk_usage"):
                guest.pop(moving, None)
            texts = guest.get("internal_metadata", {})
            guest["internal_metadata"] = {key: text for key, text in texts.items() if not key.startswith("reconciler:")}
        rules = [
            {name: value for name, value in rule.items() if name not in ("version", "description")}
            for rule in json.loads(self.do("fwadm", "list", "-j"))
        ]
        links = self.do("dladm", "show-vnic", "-p", "-o", "link,over,vid,macaddress")
        return guests, rules, links, self.do("nictagadm", "list", "-p"), self.do("zfs", "list", "-H", "-o", "name")

    def adopt(self, *more: str) -> Said:
        capture, tree = self.ground.capture, self.ground.tree
        capture.readouterr()
        code = run(["adopt", "h", str(tree), "--state", str(self.state), "--write", str(tree / "hosts/h/found"), *more])
        shown = capture.readouterr()
        return Said(code, shown.out, shown.err)

    def plan(self) -> Any:
        said = self.ground.reconciler("plan", "--output", "json")
        return json.loads(said.out)["hosts"][0]


@pytest.fixture
def smartos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> ByHand:
    """A host with images and links, and no guest yet."""
    made = ByHand(emulated(tmp_path, "smartos", "zones", capsys))
    for image in (ZONE_IMAGE, LX_IMAGE, VM_IMAGE):
        made.do("imgadm", "import", "-q", "-P", "zones", image)
    made.do("nictagadm", "add", "-l", "stub0")
    return made


@pytest.fixture
def filled(smartos: ByHand) -> ByHand:
    """The same, with guests, rules, a VNIC and datasets."""
    protection = "protection=mac-nospoof,ip-nospoof,allowed-ips=10.0.0.7/32,mtu=1400,priority=low"
    smartos.do("dladm", "create-vnic", "-l", "stub0", "-p", protection, "hand0")
    for argv in (("create", "-V", "1g", "zones/vol"), ("create", "zones/iso"), ("create", "-o", "quota=1g", "zones/iso/a")):
        smartos.do("zfs", *argv)
    for payload in (*GUESTS.values(), *LEFT):
        smartos.do("vmadm", "create", payload=payload)
    for rule in RULES:
        smartos.do("fwadm", "add", payload=rule)
    return smartos


def test_what_was_made_by_hand_is_written_down_and_taken_over_without_one_field_change(filled: ByHand) -> None:
    before = filled.found()

    said = filled.adopt()

    assert said.exit_code == 0, said.err
    planned = filled.plan()
    assert planned["blocked"] == []
    assert {action["verb"] for action in planned["actions"]} == {"adopt"}
    assert [action["key"] for action in planned["actions"] if action["fields"]] == []
    kinds = [action["key"].split("/")[1] for action in planned["actions"]]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "Zone": 7, "VirtualMachine": 3, "Image": 3, "Etherstub": 1, "VNIC": 1, "FirewallRule": 3, "Dataset": 2, "Volume": 1
    }  # fmt: skip
    assert {f"h/{key}" for key in GUESTS} <= {action["key"] for action in planned["actions"]}
    filled.ground.converges()
    assert filled.found() == before


def test_every_guest_is_written_with_its_uuid_and_its_nics_with_their_macs(filled: ByHand) -> None:
    filled.adopt("--kind", "Zone")

    text = (filled.ground.tree / "hosts/h/found/odd.yaml").read_text()
    (odd,) = json.loads(filled.do("vmadm", "lookup", "-j", "alias=odd"))
    assert odd["uuid"] in text.partition("uuid: ")[2]
    assert all(nic["mac"] in text for nic in odd["nics"])
    assert "# Not stated: metadata.bell, for its value holds characters that must not stand in a manifest." in text
    assert "# Not stated: tags.n, for expected text, got the number 5." in text


def test_what_no_manifest_can_hold_is_named_with_what_to_do(filled: ByHand) -> None:
    said = filled.adopt()

    lines = said.err.splitlines()
    assert "left out: 1 with a mark: of this or another repository, or copied from another machine" in lines
    shared = [line for line in lines if "several have the name same" in line]
    assert len(shared) == 2
    assert all("write a manifest Zone/same with uuid: " in line for line in shared)
    assert [line for line in lines if "odd name" in line and "can't be a guest's name" in line]


def test_adopting_once_more_writes_nothing_twice_and_a_lost_ledger_changes_nothing(filled: ByHand) -> None:
    filled.adopt()
    filled.ground.converges()
    for leftover in filled.state.glob("reconciler.sqlite*"):
        leftover.unlink()

    assert filled.adopt().out == ""
    assert filled.plan()["blocked"] == []


def test_observe_shows_guests_and_counts_no_part_of_them_as_unmanaged(filled: ByHand) -> None:
    said = filled.ground.reconciler("observe", "--host", "h", "--unmanaged", "--output", "json")

    keys = [item["key"].removeprefix("h/") for item in json.loads(said.out)["observed"]]
    assert GUESTS.keys() <= set(keys)
    storage = {key for key in keys if key.startswith(("Dataset/", "Volume/"))}
    assert storage == {"Dataset/zones", "Dataset/zones/iso", "Dataset/zones/iso/a", "Volume/zones/vol"}
    assert not [key for key in keys if key.startswith(("NicTag/", "PhysicalLink/", "Pool/")) or key == "Zone/theirs"]

    every = json.loads(filled.ground.reconciler("observe", "--host", "h", "--output", "json").out)["observed"]
    owners = {item["key"].removeprefix("h/"): item.get("belongsTo", "") for item in every}
    assert owners["Dataset/zones/cores"]
    assert owners["Dataset/zones/var"]
    assert owners[f"Dataset/zones/{ZONE_IMAGE}"] == f"the guest or image {ZONE_IMAGE}"
    assert owners[f"Volume/zones/{VM_IMAGE}"] == f"the guest or image {VM_IMAGE}"


STRANGERS: Mapping[str, tuple[str, tuple[str, ...], dict[str, Any] | None]] = {
    "Zone/web": (zone("web"), ("vmadm", "create"), {**ZONE, "alias": "web"}),
    "VirtualMachine/vm": (machine("vm"), ("vmadm", "create"), {**VM, "alias": "vm", "disks": [ROOT]}),
    "Etherstub/mine0": (manifest("Etherstub", "mine0", "mtu: 8000"), ("nictagadm", "add", "-l", "mine0"), None),
    "VNIC/vnic0": (manifest("VNIC", "vnic0", "over: igb1\nvlan: 7"), ("dladm", "create-vnic", "-l", "igb1", "vnic0"), None),
}


@pytest.mark.parametrize("key", STRANGERS)
@pytest.mark.parametrize("removal", ["trash", "delete"])
def test_a_stranger_is_blocked_with_how_to_adopt_it_and_never_changed(smartos: ByHand, key: str, removal: str) -> None:
    text, argv, payload = STRANGERS[key]
    smartos.do(*argv, payload=payload)
    before = smartos.found()
    smartos.ground.write(text.replace("spec:", f"lifecycle: {{onRemoval: {removal}, disruption: replace}}\nspec:"))

    said = smartos.ground.apply()

    assert said.exit_code == 3
    assert smartos.found() == before
    (blocked,) = smartos.plan()["blocked"]
    assert (blocked["key"], blocked["reason"]) == (f"h/{key}", "notOurs")
    assert "lifecycle.adopt: ifEqual" in blocked["remedy"]

    smartos.ground.write()
    assert smartos.ground.apply().exit_code == 0
    assert smartos.found() == before


def test_a_stranger_that_differs_is_told_field_by_field_and_changed_only_by_adopt_once(smartos: ByHand) -> None:
    smartos.do("vmadm", "create", payload={**ZONE, "alias": "web", "max_physical_memory": 512})
    smartos.ground.write(zone("web", adopt="ifEqual"))

    (blocked,) = smartos.plan()["blocked"]

    assert blocked["reason"] == "notOurs"
    assert "memory is 512MiB there, wanted 256MiB" in blocked["cause"]
    assert "adopt: once" in blocked["remedy"]
    smartos.ground.write(zone("web", adopt="once"))
    smartos.ground.converges()
    (web,) = json.loads(smartos.do("vmadm", "lookup", "-j", "alias=web"))
    assert web["max_physical_memory"] == 256


def test_a_nic_that_the_manifest_does_not_list_blocks_the_adoption_until_it_is_listed(smartos: ByHand) -> None:
    nics = [{"nic_tag": "external", "ips": ["dhcp"]}, {"nic_tag": "admin", "ips": ["dhcp"], "mac": "02:00:00:00:00:07"}]
    smartos.do("vmadm", "create", payload={**ZONE, "alias": "web", "nics": nics})
    (web,) = json.loads(smartos.do("vmadm", "lookup", "-j", "alias=web"))
    first = f"{{name: a, over: external, ips: [dhcp], mac: '{web['nics'][0]['mac']}'}}"
    smartos.ground.write(zone("web", f"nics: [{first}]", adopt="ifEqual"))

    (blocked,) = smartos.plan()["blocked"]

    assert blocked["reason"] == "unexpectedItem"
    assert "02:00:00:00:00:07" in blocked["cause"] + blocked["remedy"]
    smartos.ground.write(zone("web", f"nics: [{first}, {{name: b, over: admin, mac: '02:00:00:00:00:07'}}]", adopt="ifEqual"))
    smartos.ground.converges()


def test_a_strangers_name_forges_no_line_of_what_is_shown(smartos: ByHand) -> None:
    smartos.do("vmadm", "create", payload={**ZONE, "alias": "x\n  Zone/mine  (owned by tests)\x1b[2J"})

    shown = smartos.ground.reconciler("observe", "--host", "h").out
    said = smartos.adopt("--kind", "Zone").err

    for text in (shown, said):
        assert "Zone/x\\n  Zone/mine  (owned by tests)\\x1b[2J" in text
        assert all(line.isprintable() for line in text.splitlines())
