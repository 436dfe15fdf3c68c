"""Running vmadm on an emulated host that has images, and payloads of guests that work."""

import json
from dataclasses import dataclass
from typing import Any

from reconciler.emulation import EmulatedHost

BASE = "2f1dc911-6401-4fa4-8e9d-67ea2e39c271"
OLDER_BASE = "8adac45a-1f3c-4b7f-a5a2-6d2c9f5e1b64"
LX = "e1faace4-e19b-11e5-928b-83849e2fd94a"
UBUNTU = "c8b1ca70-b4e6-4a5e-96d5-5c4c4e0e9b21"
DEBIAN = "d42a37a0-6d5c-4f5a-9d0c-3ea4d1e1f8b2"
ZONE = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
VM = "33333333-3333-4333-8333-333333333333"
NIC = {"nic_tag": "external", "mac": "02:00:00:00:00:01", "ips": ["10.0.0.5/24"], "gateways": ["10.0.0.1"]}


@dataclass(frozen=True, slots=True)
class Said:
    """What one vmadm command gave."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Vmadm:
    """vmadm of one host."""

    host: EmulatedHost

    def say(self, *arguments: str, payload: object = None) -> Said:
        """Runs a command; a payload goes to standard input as JSON, bytes as they are."""
        stdin = payload if isinstance(payload, bytes) else None if payload is None else json.dumps(payload).encode()
        answer = self.host.run(["vmadm", *arguments], stdin)
        return Said(answer.exit_code, answer.stdout.decode(), answer.stderr.decode())

    def do(self, *arguments: str, payload: object = None) -> None:
        """Runs a command that has to succeed."""
        said = self.say(*arguments, payload=payload)
        assert said.exit_code == 0, f"{arguments}: {said.stderr}"

    def refusal(self, *arguments: str, payload: object = None) -> str:
        """What a command says that has to fail with exit code 1."""
        said = self.say(*arguments, payload=payload)
        assert (said.exit_code, said.stdout) == (1, ""), said
        return said.stderr.removesuffix("\n")

    def get(self, uuid: str = ZONE) -> dict[str, Any]:
        """A guest as `vmadm get` prints it."""
        said = self.say("get", uuid)
        assert said.exit_code == 0, said.stderr
        found: dict[str, Any] = json.loads(said.stdout)
        return found

    def zone(self, uuid: str = ZONE, **more: object) -> str:
        """Makes a zone."""
        self.do("create", payload=zone(uuid=uuid, **more))
        return uuid

    def machine(self, uuid: str = VM, **more: object) -> str:
        """Makes a virtual machine with a disk from an image and an empty one."""
        self.do("create", payload=machine(uuid=uuid, **more))
        return uuid

    def running(self, uuid: str = ZONE) -> Any:
        """What a running guest really has."""
        return self.host.guests.guest(uuid).running


def zone(**more: object) -> dict[str, object]:
    """The payload of a small zone."""
    return {"brand": "joyent-minimal", "image_uuid": BASE, "uuid": ZONE, "max_physical_memory": 512, **more}


def machine(**more: object) -> dict[str, object]:
    """The payload of a small virtual machine."""
    disks = [{"image_uuid": DEBIAN, "boot": True, "model": "virtio"}, {"size": 1024, "model": "virtio"}]
    return {"brand": "bhyve", "uuid": VM, "ram": 1024, "vcpus": 2, "disks": disks, **more}


def disk(number: int, uuid: str = VM) -> str:
    """The path of a disk of a bhyve machine."""
    return f"/dev/zvol/rdsk/zones/{uuid}/disk{number}"
