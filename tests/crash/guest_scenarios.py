"""What a cut may interrupt on a SmartOS host: guests, images, links and rules; a table like that of scenarios.py.

Manifests are text. What takes several commands stands here in every shape that the commands can have.
"""

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.model.change import Verb
from tests.crash.guest_ground import LX_IMAGE, OTHER_ZONE_IMAGE, VM_IMAGE, ZONE_IMAGE, GuestGround, Json, manifest, wanted
from tests.crash.work import APPLY, PURGE, RESTORE, Work

Manifests = tuple[str, ...]

RESTARTS, REPLACES = "disruption: restart", "disruption: replace"
GOES = "onRemoval: delete, deleteSnapshots: true"


@dataclass(frozen=True)
class GuestScenario:
    """One row: `before` is applied, then `by_hand` is done, then `after` is applied (or other `work` done) and goes wrong.

    `forgets`: when the ledger is lost too, something stays, or is kept aside, whose way to go only the ledger knew.
    """

    name: str
    verbs: frozenset[Verb]
    before: Manifests
    after: Manifests
    by_hand: Callable[[GuestGround], None] = lambda _ground: None
    forgets: bool = False
    work: Work = APPLY


IMAGES = tuple(
    manifest("Image", name, f"uuid: {uuid}") for name, uuid in (("base", ZONE_IMAGE), ("debian", LX_IMAGE), ("disk", VM_IMAGE))
)
STUBS = (manifest("Etherstub", "stub0"), manifest("Etherstub", "stub1"))
VOLUMES = (manifest("Dataset", "zones/vols"), manifest("Volume", "zones/vols/db", "size: 1GiB"))
BASE = (*IMAGES, *STUBS, *VOLUMES)

NIC = "{name: net0, over: stub0, ips: [10.0.0.11/24]}"


def zone(name: str = "web", more: str = "", lifecycle: str = "", *, memory: str = "512MiB", metadata: str = "") -> str:
    return manifest("Zone", name, f"brand: joyent-minimal, image: base, memory: {memory}{_and(more)}", lifecycle, metadata)


def lx(name: str = "mail", more: str = "", lifecycle: str = "") -> str:
    return manifest("Zone", name, f'brand: lx, kernelVersion: "4.3.0", image: debian, memory: 512MiB{_and(more)}', lifecycle)


def vm(
    name: str = "db", disks: str = "", more: str = "", lifecycle: str = "", *, memory: str = "1GiB", engine: str = "bhyve"
) -> str:
    root = "{name: root, image: disk, boot: true}"
    spec = f"engine: {engine}, cpus: 2, memory: {memory}, disks: [{root}{_and(disks)}]{_and(more)}"
    return manifest("VirtualMachine", name, spec, lifecycle)


def _and(more: str) -> str:
    return f", {more}" if more else ""


VOLUME_DISK = "{name: shared, volume: zones/vols/db}"
DATA_DISK = "{name: data, size: 1GiB}"


def filled(ground: GuestGround) -> None:
    """Content in every dataset and disk of a guest of ours, and in the Volume, with a snapshot of each root."""
    for guest in ground.guests():
        if guest.get("internal_metadata", {}).get("reconciler:owner") != "default":
            continue
        ground.put_data(guest["uuid"])
        for name in guest.get("datasets", ()):
            ground.host.storage.write(name, 1 << 20)
        for disk in guest.get("disks", ()):
            ground.host.storage.write(disk["zfs_filesystem"], 1 << 20)


def made_by_hand(ground: GuestGround) -> None:
    nic = {"nic_tag": "external", "ips": ["10.0.0.21/24"], "netmask": "255.255.255.0", "ip": "10.0.0.21"}
    zone_payload: Json = {"brand": "joyent-minimal", "image_uuid": ZONE_IMAGE, "max_physical_memory": 512, "nics": [nic]}
    ground.do("vmadm", "create", stdin={**zone_payload, "alias": "web"})
    disks = [{"image_uuid": VM_IMAGE, "model": "virtio", "boot": True}, {"size": 1024, "model": "virtio"}]
    ground.do("vmadm", "create", stdin={"brand": "bhyve", "alias": "db", "ram": 1024, "vcpus": 2, "disks": disks})
    for alias in ("web", "db"):
        guest = ground.guest(alias)
        ground.put_data(guest["uuid"])
        for disk in guest.get("disks", ()):
            ground.host.storage.write(disk["zfs_filesystem"], 1 << 20)


def in_the_trash(ground: GuestGround) -> None:
    """Content in all guests, which then lost their manifests; the rest stays."""
    filled(ground)
    ground.converges(*wanted(*BASE))


def stopped_by_hand(ground: GuestGround) -> None:
    filled(ground)
    ground.do("vmadm", "stop", ground.guest("web")["uuid"])


FULL_ZONE = (
    f"delegatedDataset: true, quota: 20GiB, nics: [{NIC}, {{name: net1, over: external, ips: [dhcp]}}], tags: {{role: web}},"
    " metadata: {user-script: '#!/bin/sh'}, firewallEnabled: true, autoboot: false, state: running"
)
GUESTS = (zone(more=FULL_ZONE), lx(), vm(disks=f"{DATA_DISK}, {VOLUME_DISK}"))
RULE = manifest("FirewallRule", "ssh", "from: [any], to: [guest/web], action: allow, protocol: tcp, ports: [22]")
OTHER_RULE = manifest("FirewallRule", "http", "from: [any], to: [tag/role=web], action: allow, protocol: tcp, ports: [80]")
VNIC = manifest("VNIC", "gz0", "over: stub0, mtu: 1500, maxBandwidth: 100Mbps, allow: {ips: [10.0.0.5]}", REPLACES)

CREATE, UPDATE, REPLACE, TRASH, DELETE, FORGET = (
    Verb.CREATE,
    Verb.UPDATE,
    Verb.REPLACE,
    Verb.TRASH,
    Verb.DELETE,
    Verb.FORGET,
)

NETS = "nics: [{name: net0, over: stub0, ips: [10.0.0.11/24]}, {name: net1, over: stub0, ips: [10.0.1.11/24]}]"
OTHER_NETS = "nics: [{name: net0, over: stub1, ips: [10.0.0.12/24]}, {name: net2, over: external, ips: [dhcp]}]"


def _of_the_machine(nets: str) -> str:
    return nets.replace("10.0.", "10.9.")


SCENARIOS = (
    GuestScenario("create", frozenset({CREATE}), (), (*BASE, *GUESTS, VNIC, RULE)),
    GuestScenario("create stopped", frozenset({CREATE}), BASE, (*BASE, zone(more="state: stopped, autoboot: true"))),
    GuestScenario(
        "update live",
        frozenset({UPDATE}),
        (*BASE, zone(more="tags: {a: b, c: d}, metadata: {x: y}"), lx(), vm()),
        (
            *BASE,
            zone(more="cpuCap: 50, tags: {a: c, c: null}, metadata: {x: null, z: w}", memory="1GiB", lifecycle="protect: all"),
            lx(more="maxTasks: 500, quota: 30GiB"),
            vm(more="metadata: {x: y}", memory="2GiB"),
        ),
        filled,
    ),
    GuestScenario(
        "update with a restart",
        frozenset({UPDATE}),
        (*BASE, zone(more=NETS), lx(), vm(more=_of_the_machine(NETS))),
        (
            *BASE,
            zone(more=OTHER_NETS, lifecycle=RESTARTS),
            lx(more="mounts: [{source: /opt, target: /mnt/opt, readOnly: true}]", lifecycle=RESTARTS),
            vm(more=_of_the_machine(OTHER_NETS), memory="2GiB", lifecycle=RESTARTS),
        ),
        filled,
    ),
    GuestScenario(
        "nics that wait for a boot",
        frozenset({UPDATE}),
        (*BASE, zone(more=NETS), vm(more=_of_the_machine(NETS))),
        (*BASE, zone(more=OTHER_NETS), vm(more=_of_the_machine(OTHER_NETS), memory="2GiB")),
        filled,
    ),
    GuestScenario(
        "disks",
        frozenset({UPDATE}),
        (
            *BASE,
            vm(
                disks=f"{DATA_DISK}, {{name: old, size: 1GiB}}, {{name: junk, size: 1GiB, onRemoval: delete}},"
                f" {{name: kept, size: 1GiB, onRemoval: trash}}, {VOLUME_DISK}",
                lifecycle=RESTARTS,
            ),
        ),
        (*BASE, vm(disks="{name: data, size: 3GiB}, {name: new, size: 2GiB}", more="autoboot: false", lifecycle=RESTARTS)),
        filled,
        forgets=True,
    ),
    GuestScenario(
        "disks of kvm",
        frozenset({UPDATE}),
        (*BASE, vm(disks=f"{DATA_DISK}, {{name: old, size: 1GiB}}", engine="kvm", lifecycle=RESTARTS)),
        (*BASE, vm(disks=f"{{name: data, size: 3GiB}}, {VOLUME_DISK}", engine="kvm", lifecycle=RESTARTS)),
        filled,
    ),
    GuestScenario(
        "state and autoboot",
        frozenset({UPDATE}),
        (*BASE, zone(more="state: running"), lx(more="state: stopped"), vm(more="state: running")),
        (
            *BASE,
            zone(more="state: stopped, autoboot: true", memory="1GiB"),
            lx(more="state: running, autoboot: false"),
            vm(disks=DATA_DISK, more="state: stopped"),
        ),
        filled,
    ),
    GuestScenario(
        "rename",
        frozenset({UPDATE}),
        (*BASE, zone("old"), vm("older")),
        (
            *BASE,
            zone("new", "cpuCap: 50", metadata="movedFrom: old"),
            vm("newer", lifecycle="protect: removal").replace("name: newer", "name: newer, movedFrom: older", 1),
        ),
        filled,
    ),
    GuestScenario(
        "replace",
        frozenset({REPLACE}),
        (*BASE, zone(more=f"nics: [{NIC}]"), lx(lifecycle=GOES)),
        (
            *BASE,
            zone(more=f"nics: [{NIC}], delegatedDataset: true", lifecycle=REPLACES),
            lx(more="delegatedDataset: true", lifecycle=f"{REPLACES}, {GOES}"),
        ),
        filled,
    ),
    GuestScenario(
        "reprovision",
        frozenset({CREATE, REPLACE}),
        (*BASE, zone(more="delegatedDataset: true, quota: 20GiB, imageUpdate: reprovision")),
        (
            *BASE,
            manifest("Image", "other", f"uuid: {OTHER_ZONE_IMAGE}"),
            zone(more="delegatedDataset: true, quota: 20GiB, imageUpdate: reprovision, cpuCap: 60", lifecycle=REPLACES).replace(
                "image: base", "image: other"
            ),
        ),
        filled,
    ),
    GuestScenario("trash", frozenset({TRASH}), (*BASE, *GUESTS), BASE, filled),
    GuestScenario("trash of one that stands still", frozenset({TRASH}), (*BASE, *GUESTS), BASE, stopped_by_hand),
    GuestScenario("restore", frozenset({Verb.RESTORE}), (*BASE, *GUESTS), (*BASE, *GUESTS), in_the_trash, work=RESTORE),
    GuestScenario("purge", frozenset({DELETE}), (*BASE, *GUESTS), BASE, in_the_trash, work=PURGE),
    GuestScenario(
        "delete",
        frozenset({DELETE}),
        (*BASE, zone(more=f"nics: [{NIC}]", lifecycle=GOES), vm(disks=f"{DATA_DISK}, {VOLUME_DISK}", lifecycle=GOES)),
        BASE,
        filled,
    ),
    GuestScenario(
        "adopt",
        frozenset({Verb.ADOPT}),
        BASE,
        (
            *BASE,
            zone(more="nics: [{name: net0, over: external, ips: [10.0.0.21/24]}]", lifecycle="adopt: ifEqual"),
            manifest(
                "VirtualMachine",
                "db",
                "engine: bhyve, cpus: 2, memory: 2GiB, metadata: {a: b}",
                f"adopt: once, {RESTARTS}, protect: removal",
            ),
        ),
        made_by_hand,
    ),
    GuestScenario(
        "forget",
        frozenset({FORGET}),
        (*BASE, zone(lifecycle="onRemoval: orphan"), vm(disks=DATA_DISK, lifecycle="onRemoval: orphan")),
        BASE,
        filled,
    ),
    GuestScenario(
        "images",
        frozenset({CREATE, DELETE}),
        (*BASE, manifest("Image", "other", f"uuid: {OTHER_ZONE_IMAGE}", GOES)),
        (*BASE, manifest("Image", "web", "uuid: b7493690-f019-4612-958b-bab5f844283e")),
        forgets=True,
    ),
    GuestScenario(
        "links",
        frozenset({REPLACE, DELETE}),
        (*BASE, manifest("Etherstub", "stub2", "", GOES), VNIC, manifest("VNIC", "gz1", "over: stub1", GOES)),
        (*BASE, VNIC.replace("mtu: 1500", "mtu: 1400, vlan: 7")),
        forgets=True,
    ),
    GuestScenario(
        "rules",
        frozenset({CREATE, UPDATE, DELETE}),
        (*BASE, zone(), RULE.replace("lifecycle: {}", f"lifecycle: {{{GOES}}}"), OTHER_RULE),
        (
            *BASE,
            zone(),
            OTHER_RULE.replace("[80]", "[80, 443]"),
            manifest("FirewallRule", "dns", "from: [any], to: [guest/web], action: block, protocol: udp, ports: [53]"),
        ),
        forgets=True,
    ),
    GuestScenario(
        "all at once",
        frozenset({CREATE, UPDATE, TRASH, DELETE}),
        (
            *IMAGES,
            *VOLUMES,
            STUBS[0],
            manifest("Etherstub", "stub1", "", GOES),
            zone(more="nics: [{name: net0, over: stub1, ips: [10.0.0.11/24]}]", lifecycle=RESTARTS),
            zone("gone"),
            vm(disks=VOLUME_DISK, lifecycle=RESTARTS),
        ),
        (
            *IMAGES,
            *VOLUMES,
            STUBS[0],
            manifest("Etherstub", "stub5"),
            zone(more="nics: [{name: net0, over: stub5, ips: [10.0.0.11/24]}]", lifecycle=RESTARTS),
            zone("come", "nics: [{name: net0, over: stub0, ips: [10.0.0.31/24]}]"),
            vm(disks="{name: data, size: 1GiB}", lifecycle=RESTARTS),
            vm("db2", disks=VOLUME_DISK),
        ),
        filled,
        forgets=True,
    ),
)
