"""What the command line says of a host with guests: whose each is, what may be taken over, what waits for a boot."""

import json
from pathlib import Path

import pytest

from reconciler.cli.main import run
from tests.cli.hosts import host_in

IMAGE = "502eeef2-8267-489f-b19c-a206906f57ef"
REPOSITORY = "apiVersion: reconciler/v1\nkind: Repository\nmetadata: {name: mine}\n"
HOST = """\
apiVersion: reconciler/v1
kind: Host
metadata: {name: h}
spec: {transport: {type: emulated, system: smartos}}
"""
OBJECTS = f"""\
apiVersion: reconciler/v1
kind: Image
metadata: {{name: minimal}}
spec: {{uuid: {IMAGE}}}
---
apiVersion: reconciler/v1
kind: Etherstub
metadata: {{name: inner0}}
spec: {{}}
---
apiVersion: reconciler/v1
kind: Zone
metadata: {{name: web}}
spec: {{brand: joyent-minimal, image: minimal, memory: 256MiB}}
---
apiVersion: reconciler/v1
kind: VirtualMachine
metadata: {{name: db}}
spec: {{engine: bhyve, cpus: 1, memory: 1GiB, disks: [{{name: root, size: 1GiB, model: virtio, boot: true}}]}}
"""
STRANGER = {"alias": "stranger", "brand": "joyent-minimal", "image_uuid": IMAGE, "max_physical_memory": 256, "quota": 5}


@pytest.fixture
def tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """An applied tree; beside what it made, the host has a zone by hand."""
    folder = tmp_path / "tree"
    (folder / "hosts/h").mkdir(parents=True)
    (folder / "repository.yaml").write_text(REPOSITORY)
    (folder / "hosts/h/host.yaml").write_text(HOST)
    (folder / "hosts/h/objects.yaml").write_text(OBJECTS)
    assert run(["apply", str(folder), "--yes", "--state", str(tmp_path / "state")]) == 0
    with host_in(tmp_path / "state", system="smartos") as host:
        assert host.drift(("vmadm", "create"), json.dumps(STRANGER).encode()).exit_code == 0
    capsys.readouterr()
    return folder


def said(tree: Path, capsys: pytest.CaptureFixture[str], command: str, *arguments: str) -> str:
    """What a command that must succeed prints."""
    code = run([command, *arguments, "--state", str(tree.parent / "state")])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    return shown.out


def test_objects_go_by_the_names_of_their_manifests(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(tree, capsys, "observe", str(tree), "--host", "h")
    whose = {line.split("  (")[0].strip(): line.split("  (")[1].split(",")[0] for line in shown.splitlines()[1:]}

    assert whose["Image/minimal"] == "named by a manifest"
    assert whose["Etherstub/inner0"] == "named by a manifest"
    assert whose["Zone/web"] == "owned by mine"
    assert whose["Zone/stranger"] == "unmanaged"
    assert whose["NicTag/admin"] == "only observed"
    assert f"Image/{IMAGE}" not in whose


def test_only_what_nobody_manages_is_written_down_and_taken_over(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = said(tree, capsys, "adopt", "h", str(tree), "--write", str(tree / "hosts/h/found"))

    assert written == f"{tree}/hosts/h/found/stranger.yaml: 1 object\n"

    plan = json.loads(said(tree, capsys, "plan", str(tree), "--output", "json"))["hosts"][0]

    assert [(action["verb"], action["key"], action["fields"]) for action in plan["actions"]] == [
        ("adopt", "h/Zone/stranger", [])
    ]
    assert plan["blocked"] == []


def test_what_waits_for_a_boot_is_told_until_the_guest_was_booted(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waits = "cpus acts at its next boot; reboot it, or permit that with lifecycle.disruption: restart"
    objects = tree / "hosts/h/objects.yaml"
    objects.write_text(objects.read_text().replace("cpus: 1", "cpus: 2"))
    said(tree, capsys, "apply", str(tree), "--yes")

    assert f"  h/VirtualMachine/db  Staged: {waits}\n" in said(tree, capsys, "status")
    assert f"             {waits}\n" in said(tree, capsys, "why", "h/VirtualMachine/db")

    with host_in(tree.parent / "state", system="smartos") as host:
        uuid = host.drift(("vmadm", "lookup", "-1", "alias=db")).stdout.decode().strip()
        assert host.drift(("vmadm", "reboot", uuid)).exit_code == 0
    said(tree, capsys, "apply", str(tree), "--yes")

    assert "PendingRestart" not in said(tree, capsys, "status")
