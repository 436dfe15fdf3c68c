"""`reconciler adopt` of zones, machines and images that somebody made by hand on a SmartOS host."""

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from reconciler.emulation.host import EmulatedHost
from tests.e2e.ground import Ground, Said, emulated

BASE, DISK = "2f1dc911-6401-4fa4-8e9d-67ea2e39c271", "c8b1ca70-b4e6-4a5e-96d5-5c4c4e0e9b21"
IMAGE = f"apiVersion: reconciler/v1\nkind: Image\nmetadata: {{name: base}}\nspec: {{uuid: {BASE.upper()}}}"

ZONE: dict[str, Any] = {
    "brand": "joyent",
    "alias": "legacy",
    "image_uuid": BASE,
    "max_physical_memory": 300,
    "quota": 7,
    "delegate_dataset": True,
    "nics": [{"nic_tag": "external", "ips": ["10.0.0.77/24"], "gateways": ["10.0.0.1"], "allow_ip_spoofing": True}],
    "tags": {"backup": True, "count": 1, "who": "me"},
    "customer_metadata": {"user-script": "#!/bin/bash\n\techo 'ä \"x\"'\n", "root_authorized_keys": "ssh a\nssh b\n"},
    "routes": {"10.50.0.0/16": "10.0.0.2", "10.60.0.0/16": "nics[0]"},
    "filesystems": [{"source": "/opt", "target": "/x", "type": "lofs", "options": ["ro"]}],
    "package_name": "small",
    "fs_allowed": "nfs,ufs",
}
MACHINE: dict[str, Any] = {
    "alias": "till",
    "ram": 1024,
    "vcpus": 2,
    "disks": [{"boot": True, "model": "virtio", "image_uuid": DISK}, {"size": 2048, "model": "virtio"}],
    "nics": [{"nic_tag": "admin", "ips": ["dhcp"], "model": "virtio"}],
    "customer_metadata": {"root_authorized_keys": "ssh a\n"},
    "vnc_port": 5999,
}


@pytest.fixture
def smartos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ground:
    """A SmartOS host with two images."""
    ground = emulated(tmp_path, "smartos", "zones", capsys)
    for uuid in (BASE, DISK):
        by_hand(ground, ["imgadm", "import", "-q", "-P", "zones", uuid])
    return ground


def by_hand(ground: Ground, argv: list[str], payload: dict[str, Any] | None = None) -> str:
    """Runs a command on the host behind the reconciler's back."""
    with EmulatedHost.open(ground.state / "hosts/h.sqlite", system="smartos") as host:
        answer = host.run(argv, None if payload is None else json.dumps(payload).encode())
    assert answer.exit_code == 0, answer.stderr.decode()
    return answer.stdout.decode()


def adopt(ground: Ground) -> Said:
    ground.capture.readouterr()
    target = str(ground.tree / "hosts/h")
    code = run(["adopt", "h", str(ground.tree), "--state", str(ground.state), "--write", target])
    shown = ground.capture.readouterr()
    return Said(code, shown.out, shown.err)


def guests(ground: Ground) -> list[dict[str, Any]]:
    """What vmadm says of every guest, but for our marks and what moves by itself."""
    found: list[dict[str, Any]] = json.loads(by_hand(ground, ["vmadm", "lookup", "-j"]))
    for vm in found:
        vm["internal_metadata"] = {
            key: value for key, value in vm["internal_metadata"].items() if not key.startswith("reconciler:")
        }
        vm.pop("last_modified", None)
    return found


def adopted_without_a_change(ground: Ground) -> set[str]:
    before = guests(ground)
    planned = ground.reconciler("plan", "--output", "json", "--exit-code")
    assert planned.exit_code == 2, planned.out + planned.err
    host = json.loads(planned.out)["hosts"][0]
    assert host["blocked"] == []
    assert all(action["verb"] == "adopt" and action["fields"] == [] for action in host["actions"])
    ground.converges()
    assert guests(ground) == before
    return {action["key"].removeprefix("h/") for action in host["actions"]}


@pytest.mark.parametrize("brand", ["bhyve", "kvm"])
def test_guests_made_by_hand_are_adopted_without_one_field_change(smartos: Ground, brand: str) -> None:
    by_hand(smartos, ["vmadm", "create"], ZONE)
    by_hand(smartos, ["vmadm", "create"], {**MACHINE, "brand": brand})

    said = adopt(smartos)

    assert said.exit_code == 0, said.err
    assert adopted_without_a_change(smartos) == {
        "Zone/legacy",
        "VirtualMachine/till",
        f"Image/{BASE}",
        f"Image/{DISK}",
    }


def test_what_a_manifest_can_not_hold_is_left_out_and_said(smartos: Ground) -> None:
    by_hand(smartos, ["vmadm", "create"], ZONE)
    adopt(smartos)

    text = (smartos.tree / "hosts/h/legacy.yaml").read_text()
    assert "# Not stated: routes, for 'nics[0]' is not an address.\n" in text
    assert "# Not stated: tags.backup, for expected text, got true.\n" in text
    assert "# Not stated: tags.count, for expected text, got the number 1.\n" in text


def test_an_image_that_a_manifest_names_by_its_uuid_is_not_written_down_again(smartos: Ground) -> None:
    smartos.write(IMAGE)

    said = adopt(smartos)

    assert said.exit_code == 0, said.err
    assert not (smartos.tree / f"hosts/h/{BASE}.yaml").exists()
    assert (smartos.tree / f"hosts/h/{DISK}.yaml").exists()
    assert adopted_without_a_change(smartos) == {f"Image/{DISK}"}
