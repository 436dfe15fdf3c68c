"""A SmartOS host with all providers, driven by manifests as people write them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from providers.crossbow import PROVIDER as CROSSBOW
from providers.kvm import PROVIDER as KVM
from providers.zfs import PROVIDER as ZFS
from providers.zones import PROVIDER as ZONES
from reconciler.controller.passes import Connections, Setting
from reconciler.hosts.connect import emulated_state
from reconciler.hosts.observe import Look, observe
from reconciler.model.change import Verb
from reconciler.model.observed import EVERY_FIELD, REMOVAL
from reconciler.model.plan import HostPlan
from reconciler.model.resource import Resource
from reconciler.planning.render_text import plan_lines
from reconciler.provider.registry import Registry
from reconciler.store.journal import Journal
from tests.desired.trees import host, tree_of, valid
from tests.passes.ground import Ground

PROVIDERS = (ZFS, CROSSBOW, ZONES, KVM)
REGISTRY = Registry.of(PROVIDERS)
KINDS = REGISTRY.kinds

ZONE_IMAGE = "2f1dc911-6401-4fa4-8e9d-67ea2e39c271"
OTHER_ZONE_IMAGE = "8adac45a-1f3c-4b7f-a5a2-6d2c9f5e1b64"
LX_IMAGE = "e1faace4-e19b-11e5-928b-83849e2fd94a"
VM_IMAGE = "d42a37a0-6d5c-4f5a-9d0c-3ea4d1e1f8b2"

_REPOSITORY = "apiVersion: reconciler/v1\nkind: Repository\nmetadata: {name: default}\n"


def zone(name: str, spec: str = "", **lifecycle: str) -> str:
    """A manifest of a small zone; `spec` holds further lines without indent."""
    lines = f"brand: joyent-minimal\nimage: {ZONE_IMAGE}\nmemory: 256MiB\n{spec}"
    return manifest("Zone", name, lines, **lifecycle)


def machine(name: str, spec: str = "", **lifecycle: str) -> str:
    """A manifest of a small virtual machine with one disk made from an image, unless `spec` states disks."""
    disks = "" if "disks:" in spec else f"disks: [{{name: root, image: {VM_IMAGE}, model: virtio, boot: true}}]\n"
    return manifest("VirtualMachine", name, f"engine: bhyve\ncpus: 1\nmemory: 1GiB\n{disks}{spec}", **lifecycle)


def manifest(kind: str, name: str, spec: str = "", **lifecycle: str) -> str:
    """One document."""
    head = f"---\napiVersion: reconciler/v1\nkind: {kind}\nmetadata: {{name: {json.dumps(name)}}}\n"
    how = f"lifecycle: {json.dumps(lifecycle)}\n" if lifecycle else ""
    lines = "".join(f"  {line}\n" if line else "\n" for line in spec.splitlines())
    return f"{head}{how}spec:\n{lines}" if lines else f"{head}{how}spec: {{}}\n"


def resources(*texts: str) -> list[Resource]:
    """What manifests say, read and judged as a whole tree is."""
    tree = tree_of(
        {"repository.yaml": _REPOSITORY, "hosts/hv01/host.yaml": host("hv01"), "hosts/hv01/all.yaml": "".join(texts)}
    )
    return list(valid(tree.load(REGISTRY)).desired.resources["hv01"].values())


@dataclass
class SmartOs(Ground):
    """The host hv01, with the images that guests are made of."""

    system: str = "smartos"
    providers: tuple[Any, ...] = PROVIDERS

    def __post_init__(self) -> None:
        is_new = not emulated_state(self.state, "hv01").exists()
        super().__post_init__()
        for image in (ZONE_IMAGE, LX_IMAGE, VM_IMAGE) if is_new else ():
            self.do("imgadm", "import", "-q", "-P", "zones", image)

    def do(self, *argv: str, payload: Any = None) -> str:
        """A command behind our back, which must succeed."""
        answer = self.host.drift(argv, None if payload is None else json.dumps(payload).encode())
        assert answer.exit_code == 0, answer.stderr.decode()
        return answer.stdout.decode()

    def create(self, **payload: Any) -> str:
        """A guest made by hand; its uuid."""
        before = set(self.host.guests.uuids())
        self.do("vmadm", "create", payload=payload)
        (made,) = set(self.host.guests.uuids()) - before
        return made

    def guest(self, alias: str) -> Mapping[str, Any]:
        """What `vmadm get` prints of the guest with that alias."""
        (found,) = (view.stored for view in self._guests() if view.alias == alias)
        return found

    def boots(self, alias: str) -> int:
        """How often it was started."""
        (found,) = (view.boots for view in self._guests() if view.alias == alias)
        return found

    def _guests(self) -> Iterator[Any]:
        return (self.host.guests.guest(uuid) for uuid in self.host.guests.uuids())

    def look(self) -> Look:
        """All that is there, with every field."""
        manifest = self.desired([]).hosts["hv01"]
        asked = {kind: frozenset((EVERY_FIELD, REMOVAL)) for kind in KINDS}

        async def scene(_setting: Setting, connections: Connections, _journal: Journal) -> Look:
            return await observe(
                "hv01",
                await connections.to(manifest),
                REGISTRY,
                asked,
                identity={},
                kept_facts=lambda _: None,
                now=lambda: datetime.now(UTC),
            )

        return self.with_state(scene)

    def wants(self, *texts: str) -> None:
        """One pass after which nothing is left to do."""
        self.converges(*resources(*texts))

    def plans(self, *texts: str) -> HostPlan:
        return self.planned(*resources(*texts))

    def reads(self, *texts: str) -> str:
        """The plan as people read it."""
        return "\n".join(line.text for line in plan_lines(self.all_planned(*resources(*texts)).plan, KINDS))


def verbs(plan: HostPlan) -> list[tuple[Verb, str]]:
    return [(action.change.verb, str(action.key.object)) for action in plan.actions]


def refused(plan: HostPlan) -> list[tuple[str, str]]:
    return [(str(item.key.object), item.reason.value) for item in plan.blocked]
