"""Plans for a SmartOS host as people read them, whole, in `golden/`; `RENEW_GOLDEN=1` writes these anew for a reader."""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.passes.smartos import (
    LX_IMAGE,
    OTHER_ZONE_IMAGE,
    VM_IMAGE,
    ZONE_IMAGE,
    SmartOs,
    machine,
    manifest,
    resources,
    zone,
)

GOLDEN = Path(__file__).parent / "golden"
NIC = "nics: [{{name: net0, over: {over}, ips: [10.0.0.11/24], gateways: [10.0.0.1], primary: true}}]"
DISKS = (
    f"disks:\n- {{name: root, image: {VM_IMAGE}, model: virtio, boot: true, size: 10GiB}}\n"
    "- {name: a, size: 1GiB, model: virtio}\n"
    "- {name: b, size: 2GiB, model: virtio, onRemoval: trash}\n"
    "- {name: c, size: 3GiB, model: virtio, onRemoval: delete}"
)
FIRST_DISK = DISKS[: DISKS.index("- {name: a")]
_MOMENTS = (
    (re.compile(r"\d{8}T\d{6}\.\d{3}Z"), "<utc>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "<time>"),
)

SCRIPT = "".join(f"echo {number}\n" for number in range(5000))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SmartOs]:
    made = SmartOs(tmp_path)
    yield made
    made.host.close()


def creation(host: SmartOs) -> list[str]:
    """A first commit: a switch, an image, a zone on both, a machine, a rule for them; and a long script."""
    return [
        manifest("Etherstub", "stub0"),
        manifest("Image", "base", f"uuid: {OTHER_ZONE_IMAGE}"),
        zone("web", f"{NIC.format(over='stub0')}\nmetadata: {{user-script: {json.dumps(SCRIPT)}}}").replace(ZONE_IMAGE, "base"),
        machine("vm", f"{DISKS}\nnics: [{{name: net0, over: admin, model: virtio, ips: [dhcp]}}]"),
        manifest("FirewallRule", "ssh", "from: [any]\nto: [guest/web, tag/role]\naction: allow\nprotocol: tcp\nports: [22]"),
    ]


def changes_while_running(host: SmartOs) -> list[str]:
    """Running guests: live, staged, first-boot and released fields under disruption none; a script with one more line."""
    script, changed = (json.dumps(text) for text in (SCRIPT, SCRIPT.replace("echo 4000", "reboot")))
    tags = "tags: {a: b}\nmetadata"
    host.wants(zone("web", f"{NIC.format(over='admin')}\n{tags}: {{user-script: {script}}}"), machine("vm"))
    lines = f"cpuCap: 150\nhostname: www\nmetadata: {{user-script: {changed}}}"
    return [zone("web", f"{NIC.format(over='external')}\n{lines}"), _two_cpus()]


def waits_for_a_boot(host: SmartOs) -> list[str]:
    """Staged before, and nothing new: the guest still has to boot."""
    host.applied(*resources(machine("vm")))
    host.applied(*resources(_two_cpus()))
    return [_two_cpus()]


def restarts_what_waits(host: SmartOs) -> list[str]:
    """Staged before, and now a restart is permitted."""
    waits_for_a_boot(host)
    return [_two_cpus(disruption="restart")]


def _two_cpus(**lifecycle: str) -> str:
    return machine("vm", **lifecycle).replace("cpus: 1", "cpus: 2")


def restarts(host: SmartOs) -> list[str]:
    """A disk grows and a zone gets another nic and more; both may be restarted."""
    host.wants(machine("vm", DISKS), zone("web", NIC.format(over="admin")))
    grown = DISKS.replace("size: 1GiB", "size: 5GiB")
    return [machine("vm", grown, disruption="restart"), zone("web", NIC.format(over="external"), disruption="restart")]


def refused_for_disruption(host: SmartOs) -> list[str]:
    """A disk grows, a disk goes, a zone would lose its delegated dataset, a machine its image: nothing may be restarted."""
    host.wants(machine("grows", DISKS), machine("loses", DISKS), zone("web"), zone("other", "state: stopped"))
    return [
        machine("grows", DISKS.replace("size: 1GiB", "size: 5GiB")),
        machine("loses", FIRST_DISK),
        zone("web", "delegatedDataset: true"),
        zone("other", "state: stopped\nimageUpdate: reprovision").replace(ZONE_IMAGE, OTHER_ZONE_IMAGE),
    ]


def disks_go(host: SmartOs) -> list[str]:
    """Disks are taken out: one set aside, one to the trash, one destroyed, as was stated while they were listed."""
    host.wants(machine("vm", DISKS))
    _fill(host)
    return [machine("vm", FIRST_DISK, disruption="restart")]


def _fill(host: SmartOs) -> None:
    for name in host.do("zfs", "list", "-H", "-o", "name", "-t", "volume").split():
        if re.search(r"-disk\d|/disk\d", name):
            host.host.storage.write(name, 300 << 20)


def image_remade(host: SmartOs) -> list[str]:
    """Another image, and the manifest lets the root be made anew."""
    host.do("imgadm", "import", "-q", "-P", "zones", OTHER_ZONE_IMAGE)
    host.wants(zone("web", "imageUpdate: reprovision\ndelegatedDataset: true"))
    made = zone("web", "imageUpdate: reprovision\ndelegatedDataset: true", disruption="replace")
    return [made.replace(ZONE_IMAGE, OTHER_ZONE_IMAGE)]


def replaced(host: SmartOs) -> list[str]:
    """What only a new guest can have: the old one goes to the trash, its name and nics with it."""
    host.wants(zone("web", NIC.format(over="admin")))
    _fill_zone(host, "web")
    return [zone("web", f"{NIC.format(over='admin')}\ndelegatedDataset: true", disruption="replace")]


def _fill_zone(host: SmartOs, alias: str) -> None:
    uuid = host.guest(alias)["uuid"]
    host.host.storage.write(f"zones/{uuid}", 700 << 20)
    host.do("vmadm", "create-snapshot", uuid, "monday")


def removals(host: SmartOs) -> list[str]:
    """Guests go: to the trash, for good, left behind; one is protected, one has a snapshot that somebody holds."""
    host.wants(
        zone("kept", f"{NIC.format(over='admin')}\ndelegatedDataset: true"),
        zone("gone", onRemoval="delete"),
        zone("left", onRemoval="orphan"),
        zone("safe", protect="removal"),
        zone("held"),
        machine("vm", DISKS),
    )
    _fill_zone(host, "held")
    host.host.storage.write(f"zones/{host.guest('kept')['uuid']}/data", 4 << 30)
    _fill(host)
    host.do("zfs", "hold", "backup", f"zones/{host.guest('held')['uuid']}@vmsnap-monday")
    return []


def back_from_the_trash(host: SmartOs) -> list[str]:
    """The manifest of a guest is written again while the old one lies in the trash."""
    host.wants(zone("web", NIC.format(over="admin")))
    host.wants()
    return [zone("web", NIC.format(over="admin"))]


def strangers(host: SmartOs) -> list[str]:
    """Guests that were there before: not ours, two of one name, different, equal, and one of ours with a nic of somebody's."""
    small = {"brand": "joyent-minimal", "image_uuid": ZONE_IMAGE, "max_physical_memory": 256}
    for alias in ("theirs", "twice", "twice", "differs", "equal"):
        host.create(alias=alias, **small)
    host.wants(zone("ours", NIC.format(over="admin")))
    extra = {"add_nics": [{"nic_tag": "external", "ips": ["dhcp"], "mac": "02:00:00:00:00:07"}]}
    host.do("vmadm", "update", host.guest("ours")["uuid"], payload=extra)
    return [
        zone("theirs"),
        zone("twice"),
        zone("differs", adopt="ifEqual").replace("256MiB", "512MiB"),
        zone("equal", adopt="ifEqual"),
        zone("ours", f"{NIC.format(over='admin')}\ncpuCap: 100"),
    ]


def renamed_and_stopped(host: SmartOs) -> list[str]:
    """An alias changes, a guest is stopped, another started."""
    host.wants(zone("old"), zone("runs"), zone("rests", "state: stopped"))
    return [
        zone("new").replace('metadata: {name: "new"}', "metadata: {name: new, movedFrom: old}"),
        zone("runs", "state: stopped\nautoboot: false"),
        zone("rests", "state: running"),
    ]


def switch_with_guests_on_it(host: SmartOs) -> list[str]:
    """A switch and an image go, and guests still need them; one of those is a stranger's."""
    host.wants(
        manifest("Etherstub", "stub0"),
        manifest("Etherstub", "stub1"),
        manifest("Image", "lx", f"uuid: {LX_IMAGE}", adopt="once"),
        zone("web", NIC.format(over="stub0")),
        manifest("Zone", "deb", "brand: lx\nimage: lx\nkernelVersion: '5.10'\nmemory: 256MiB"),
    )
    stranger = {"nic_tag": "stub1", "ips": ["dhcp"]}
    host.create(alias="theirs", brand="joyent", image_uuid=ZONE_IMAGE, max_physical_memory=256, nics=[stranger])
    return [
        zone("web", NIC.format(over="stub0")),
        manifest("Zone", "deb", f"brand: lx\nimage: {LX_IMAGE}\nkernelVersion: '5.10'\nmemory: 256MiB"),
    ]


def firewall(host: SmartOs) -> list[str]:
    """A rule changes, another goes, a third names a guest that is not there."""
    rule = "from: [any]\nto: [guest/web]\naction: allow\nprotocol: tcp\nports: [{}]"
    host.wants(zone("web"), manifest("FirewallRule", "ssh", rule.format(22)), manifest("FirewallRule", "old", rule.format(21)))
    return [
        zone("web"),
        manifest("FirewallRule", "ssh", rule.format("22, 2222")),
        manifest("FirewallRule", "new", rule.format(80).replace("guest/web", "guest/wbe")),
    ]


def impossible(host: SmartOs) -> list[str]:
    """What SmartOS can't have or keep, names of nothing, and a change of what never changes."""
    host.wants(zone("web"))
    return [
        manifest("Zone", "web", f"brand: joyent\nimage: {ZONE_IMAGE}\nmemory: 256MiB"),
        zone("odd", "quota: 10500MiB"),
        zone("plug", NIC.format(over="extrenal")),
        zone("where", "pool: tank"),
        zone("gold", "").replace(ZONE_IMAGE, "golden"),
        machine("log", "console: {serial: log}"),
    ]


PLANS: tuple[Callable[[SmartOs], list[str]], ...] = (
    creation, changes_while_running, waits_for_a_boot, restarts_what_waits, restarts, refused_for_disruption, disks_go,
    image_remade, replaced, removals, back_from_the_trash, strangers, renamed_and_stopped, switch_with_guests_on_it, firewall,
    impossible,
)  # fmt: skip


@pytest.mark.parametrize("made", PLANS, ids=lambda made: made.__name__)
def test_a_plan_for_guests_reads_as_its_golden_file(host: SmartOs, made: Callable[[SmartOs], list[str]]) -> None:
    golden = GOLDEN / f"{made.__name__}.txt"

    text = f"{host.reads(*made(host))}\n"

    for moment, word in _MOMENTS:
        text = moment.sub(word, text)
    if os.environ.get("RENEW_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


def test_every_golden_file_has_its_plan() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {made.__name__ for made in PLANS}
