"""An image goes only when nothing is made of it any more."""

import json
from pathlib import Path

import pytest

from tests.e2e.ground import Ground, emulated

BASE = "2f1dc911-6401-4fa4-8e9d-67ea2e39c271"
DISK = "c8b1ca70-b4e6-4a5e-96d5-5c4c4e0e9b21"
IMAGES = f"""apiVersion: reconciler/v1
kind: Image
metadata: {{name: base}}
spec: {{uuid: {BASE}}}
---
apiVersion: reconciler/v1
kind: Image
metadata: {{name: disk}}
spec: {{uuid: {DISK}}}"""
GUESTS = """apiVersion: reconciler/v1
kind: Zone
metadata: {{name: web}}
lifecycle: {{onRemoval: {on_removal}, deleteSnapshots: true}}
spec: {{brand: joyent-minimal, image: base, memory: 256MiB}}
---
apiVersion: reconciler/v1
kind: VirtualMachine
metadata: {{name: till}}
lifecycle: {{onRemoval: {on_removal}, deleteSnapshots: true}}
spec: {{memory: 256MiB, disks: [{{name: root, image: disk, model: virtio, boot: true}}]}}"""


@pytest.fixture
def smartos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ground:
    return emulated(tmp_path, "smartos", "zones", capsys)


def planned(ground: Ground) -> tuple[dict[str, str], dict[str, str]]:
    """Verbs of what is to be done and reasons of what is blocked, by object."""
    said = ground.reconciler("plan", "--output", "json")
    host = json.loads(said.out)["hosts"][0]
    name = len("h/")
    return (
        {action["key"][name:]: action["verb"] for action in host["actions"]},
        {blocked["key"][name:]: blocked["reason"] for blocked in host["blocked"]},
    )


def test_images_go_after_the_guests_that_are_destroyed_with_them(smartos: Ground) -> None:
    smartos.write(IMAGES, GUESTS.format(on_removal="delete"))
    smartos.converges()
    smartos.write()

    actions, blocked = planned(smartos)
    assert (set(actions.values()), blocked) == ({"delete"}, {})
    assert set(actions) == {"Zone/web", "VirtualMachine/till", "Image/base", "Image/disk"}
    smartos.converges()


def test_images_stay_while_guests_made_of_them_lie_in_the_trash(smartos: Ground) -> None:
    smartos.write(IMAGES, GUESTS.format(on_removal="trash"))
    smartos.converges()
    smartos.write()

    actions, blocked = planned(smartos)
    assert actions == {"Zone/web": "trash", "VirtualMachine/till": "trash"}
    assert blocked == {"Image/base": "dependents", "Image/disk": "dependents"}
    applied = smartos.apply()
    assert applied.exit_code == 3, applied.out + applied.err

    assert planned(smartos) == ({}, {"Image/base": "dependents", "Image/disk": "dependents"})
