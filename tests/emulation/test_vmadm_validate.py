"""`vmadm validate`, and what create and update make of the same payloads."""

import json

import pytest

from tests.emulation.guest_commands import BASE, DEBIAN, LX, NIC, UBUNTU, VM, ZONE, Vmadm, machine, zone


def _complaints(vmadm: Vmadm, *arguments: str, payload: object) -> object:
    return json.loads(vmadm.refusal("validate", *arguments, payload=payload))


def test_a_good_payload_is_called_valid_on_stderr(vmadm: Vmadm) -> None:
    said = vmadm.say("validate", "create", payload=zone())

    assert (said.exit_code, said.stdout, said.stderr) == (0, "", "VALID 'create' payload for joyent-minimal brand VMs.\n")


def test_a_good_update_is_called_valid_for_the_brand_that_was_named(vmadm: Vmadm) -> None:
    said = vmadm.say("validate", "update", "bhyve", payload={"ram": 2048})

    assert (said.exit_code, said.stderr) == (0, "VALID 'update' payload for bhyve brand VMs.\n")


@pytest.mark.parametrize(("brand", "shown"), [("solaris8", "solaris8"), (None, "undefined")])
def test_a_brand_that_nobody_makes_is_all_that_is_said(vmadm: Vmadm, brand: str | None, shown: str) -> None:
    payload = {} if brand is None else {"brand": brand}

    assert _complaints(vmadm, "create", payload=payload) == {"bad_brand": shown}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (zone(alais="x"), {"bad_properties": ["alais"]}),
        (zone(vcpus=2), {"bad_properties": ["vcpus"]}),
        (zone(snapshots=[]), {"bad_properties": ["snapshots"]}),
        (zone(max_physical_memory=True), {"bad_values": ["max_physical_memory"]}),
        (zone(max_physical_memory=1.5), {"bad_values": ["max_physical_memory"]}),
        (zone(max_physical_memory=-1), {"bad_values": ["max_physical_memory"]}),
        (zone(max_physical_memory="512"), None),
        (zone(max_swap=100), {"bad_values": ["max_swap"]}),
        (zone(autoboot="yes"), {"bad_values": ["autoboot"]}),
        (zone(autoboot="false"), None),
        (zone(tags={"a": {"b": 1}}), {"bad_values": ["tags"]}),
        (zone(tags={"a": None}), {"bad_values": ["tags"]}),
        (zone(resolvers="1.1.1.1,8.8.8.8"), None),
        (zone(resolvers=["a,b"]), {"bad_values": ["resolvers"]}),
        (zone(uuid=ZONE.replace("1111", "AAAA")), {"bad_values": ["uuid"]}),
        (zone(zpool="nopool"), {"bad_values": ["zpool", "image_uuid"]}),
        (zone(image_uuid=LX), {"bad_values": ["image_uuid"]}),
        (zone(image_uuid=VM), {"bad_values": ["image_uuid"]}),
        ({"brand": "joyent"}, {"missing_properties": ["image_uuid"]}),
        ({"brand": "lx", "image_uuid": LX}, {"missing_properties": ["kernel_version"]}),
        (zone(nics=[{**NIC, "speed": 1}]), {"bad_properties": ["nics.*.speed"]}),
        (zone(nics=[{**NIC, "model": "virtio"}]), {"bad_properties": ["nics.*.model"]}),
        (zone(nics=[NIC, {**NIC, "vlan_id": 4096}]), {"bad_values": ["nics.1.vlan_id"]}),
        (zone(nics=[{**NIC, "primary": False}]), {"bad_values": ["nics.0.primary"]}),
        (machine(vcpus=0), {"bad_values": ["vcpus"]}),
        (machine(vcpus=33), {"bad_values": ["vcpus"]}),
        (machine(disks=[{"image_uuid": DEBIAN, "model": "virtio", "size": 20480}]), {"bad_properties": ["disks.0.size"]}),
        (machine(disks=[{"image_uuid": DEBIAN, "model": "virtio", "image_size": 1}]), {"bad_values": ["disks.0.image_size"]}),
        (machine(disks=[{"image_uuid": BASE, "model": "virtio"}]), {"bad_values": ["disks.0.image_uuid"]}),
        (machine(disks=[{"model": "virtio"}]), {"missing_properties": ["disks.0.size"]}),
        (machine(disks=[{"image_uuid": UBUNTU, "boot": True, "model": "virtio"}], bootrom="bios"), {"bad_values": ["bootrom"]}),
        (machine(package_name="small"), {"bad_properties": ["package_name"]}),
    ],
)
def test_what_is_wrong_with_a_new_guest_is_named(vmadm: Vmadm, payload: object, expected: dict[str, list[str]] | None) -> None:
    if expected is None:
        vmadm.do("validate", "create", payload=payload)
        return

    nothing: dict[str, list[str]] = {"bad_values": [], "bad_properties": [], "missing_properties": []}
    assert _complaints(vmadm, "create", payload=payload) == nothing | expected


@pytest.mark.parametrize(
    ("brand", "payload", "expected"),
    [
        ("joyent", {"tags": {"a": 1}}, {"bad_properties": ["tags"]}),
        ("joyent", {"nics": []}, {"bad_properties": ["nics"]}),
        ("joyent", {"set_tags": {"a": 1}, "remove_tags": ["b"]}, None),
        ("kvm", {"update_disks": [{"path": "/x", "size": 1}]}, {"bad_properties": ["update_disks.*.size"]}),
        ("bhyve", {"update_disks": [{"path": "/x", "size": 1}]}, None),
        (
            "bhyve",
            {"update_nics": [{"mac": "02:00:00:00:00:01", "interface": "net1"}]},
            {"bad_properties": ["update_nics.*.interface"]},
        ),
        ("joyent", {"image_uuid": BASE}, {"bad_properties": ["image_uuid"]}),
    ],
)
def test_what_is_wrong_with_an_update_is_named(
    vmadm: Vmadm, brand: str, payload: object, expected: dict[str, list[str]] | None
) -> None:
    if expected is None:
        vmadm.do("validate", "update", brand, payload=payload)
        return

    nothing: dict[str, list[str]] = {"bad_values": [], "bad_properties": [], "missing_properties": []}
    assert _complaints(vmadm, "update", brand, payload=payload) == nothing | expected


def test_create_drops_in_silence_what_validate_refuses(vmadm: Vmadm) -> None:
    said = vmadm.say("create", payload=zone(alais="web", vcpus=4))

    assert (said.exit_code, said.stderr) == (0, f"Successfully created VM {ZONE}\n")
    assert not {"alais", "vcpus", "alias"} & vmadm.get().keys()


def test_create_refuses_bad_values_before_missing_ones(vmadm: Vmadm) -> None:
    bad = {"brand": "lx", "image_uuid": BASE, "quota": "much"}

    assert vmadm.refusal("create", payload=bad) == "Invalid value(s) for: quota,image_uuid"
    assert vmadm.refusal("create", payload={"brand": "lx"}) == "Missing required properties: image_uuid,kernel_version"


@pytest.mark.parametrize("text", [b"", b"{", b"nonsense", b"[1]", b'{"ram": NaN}', b"[" * 100_000])
def test_a_payload_that_is_no_object_is_refused(vmadm: Vmadm, text: bytes) -> None:
    assert vmadm.refusal("create", payload=text).startswith("Invalid JSON payload: ")


def test_a_file_that_is_not_there_is_named(vmadm: Vmadm) -> None:
    assert vmadm.refusal("create", "-f", "/nowhere/x.json") == "File: /nowhere/x.json does not exist."


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("frobnicate",),
        ("get",),
        ("get", "web"),
        ("stop", ZONE, "-x"),
        ("validate",),
        ("validate", "update"),
        ("create", "-x", "f"),
    ],
)
def test_a_wrong_command_line_gets_the_usage(vmadm: Vmadm, arguments: tuple[str, ...]) -> None:
    said = vmadm.say(*arguments)

    assert (said.exit_code, said.stdout) == (2, "")
    assert "Usage: vmadm" in said.stderr


@pytest.mark.parametrize("subcommand", ["console", "send", "receive", "recv", "install"])
def test_what_is_not_emulated_is_refused(vmadm: Vmadm, subcommand: str) -> None:
    assert "not supported on an emulated host" in vmadm.refusal(subcommand, ZONE)
