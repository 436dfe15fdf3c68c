"""Guests on an emulated SmartOS host, led through passes: changed, cut off after every command, with replies lost."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.crossbow import PROVIDER as CROSSBOW
from providers.kvm import PROVIDER as KVM
from providers.zfs import PROVIDER as ZFS
from providers.zones import PROVIDER as ZONES
from reconciler.desired.manifest import resource
from reconciler.emulation.faults import Fault, FaultKind
from reconciler.model.change import Effect, Verb
from reconciler.model.origin import Origin
from reconciler.model.plan import HostPlan, Reason
from reconciler.model.resource import Resource
from reconciler.provider.registry import Registry
from tests.passes.ground import Ground

PROVIDERS = (CROSSBOW, KVM, ZFS, ZONES)
KINDS = Registry.of(PROVIDERS).kinds
BASE, OTHER, DISK = (
    "2f1dc911-6401-4fa4-8e9d-67ea2e39c271",
    "8adac45a-1f3c-4b7f-a5a2-6d2c9f5e1b64",
    "d42a37a0-6d5c-4f5a-9d0c-3ea4d1e1f8b2",
)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path, "smartos", providers=PROVIDERS)
    for image in (BASE, OTHER, DISK):
        do(made, "imgadm", "import", "-q", "-P", "zones", image)
    yield made
    made.host.close()


def do(host: Ground, *argv: str) -> str:
    answer = host.host.drift(argv)
    assert answer.exit_code == 0, answer.stderr.decode()
    return answer.stdout.decode()


def wanted(kind: str, name: str, spec: dict[str, object], moved_from: str = "", **lifecycle: object) -> Resource:
    document = {
        "apiVersion": "reconciler/v1",
        "kind": kind,
        "metadata": {"name": name, **({"movedFrom": moved_from} if moved_from else {})},
        "lifecycle": {"disruption": "restart", **lifecycle},
        "spec": spec,
    }
    found = resource(document, "hv01", Origin("hosts/hv01/guests.yaml", 1, 1), KINDS)  # type: ignore[arg-type]
    assert isinstance(found, Resource), found
    return found


NET0: dict[str, object] = {"name": "net0", "over": "external", "ips": ["10.0.0.11/24"], "gateways": ["10.0.0.1"]}


def zone(name: str = "web1", *, moved_from: str = "", lifecycle: dict[str, object] | None = None, **spec: object) -> Resource:
    base: dict[str, object] = {
        "brand": "joyent-minimal",
        "image": BASE,
        "memory": "512MiB",
        "nics": [NET0],
        "metadata": {"user-script": "#!/bin/sh\n"},
    }
    return wanted("Zone", name, {**base, **spec}, moved_from, **(lifecycle or {}))


ROOT: dict[str, object] = {"name": "root", "image": DISK, "boot": True}
DATA: dict[str, object] = {"name": "data", "size": "1GiB"}


def machine(lifecycle: dict[str, object] | None = None, **spec: object) -> Resource:
    base: dict[str, object] = {"engine": "bhyve", "memory": "1GiB", "cpus": 2, "disks": [ROOT, DATA], "nics": [NET0]}
    return wanted("VirtualMachine", "db1", {**base, **spec}, **(lifecycle or {}))


def guests(host: Ground) -> list[dict[str, object]]:
    found = json.loads(do(host, "vmadm", "lookup", "-j"))
    assert isinstance(found, list)
    return found


REPLACE: dict[str, object] = {"disruption": "replace"}
VOLUME = wanted("Volume", "zones/precious", {"size": "1GiB"})
CASES: dict[str, tuple[list[Resource], list[Resource]]] = {
    "zone made": ([], [zone()]),
    "zone made to be stopped": ([], [zone(state="stopped", autoboot=True)]),
    "zone changed": ([zone()], [zone(memory="1GiB", tags={"role": "db"}, nics=[{**NET0, "over": "admin"}])]),
    "zone stopped": ([zone(state="running")], [zone(state="stopped", autoboot=True)]),
    "zone renamed": ([zone()], [zone("web2", moved_from="web1", memory="1GiB")]),
    "zone replaced": ([zone(lifecycle=REPLACE)], [zone(lifecycle=REPLACE, delegatedDataset=True)]),
    "zone made anew": ([zone(lifecycle=REPLACE)], [zone(lifecycle=REPLACE, image=OTHER, imageUpdate="reprovision")]),
    "zone deleted": ([zone(lifecycle={"onRemoval": "delete"})], []),
    "machine made": ([], [machine(cloudInit={"userData": "#cloud-config\n", "sshKeys": ["ssh-ed25519 A a"]})]),
    "machine changed": ([machine()], [machine(cpus=4, disks=[ROOT, {**DATA, "size": "2GiB"}], metadata={"a": "b"})]),
    "disks exchanged": ([machine()], [machine(disks=[ROOT, {"name": "logs", "size": "2GiB"}])]),
    "disk deleted": (
        [machine(disks=[ROOT, {**DATA, "onRemoval": "delete"}])],
        [machine(disks=[ROOT])],
    ),
    "volume given back": (
        [VOLUME, machine(disks=[ROOT, {"name": "data", "volume": "zones/precious"}])],
        [VOLUME, machine(disks=[ROOT])],
    ),
    "guest with a volume deleted": (
        [VOLUME, machine({"onRemoval": "delete"}, disks=[ROOT, {"name": "data", "volume": "zones/precious"}])],
        [VOLUME],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_pass_that_is_cut_off_after_any_command_is_made_good_by_the_next(tmp_path: Path, case: str) -> None:
    before, after = CASES[case]
    count = 1
    commands = 0
    while commands <= count:
        host = Ground(tmp_path / str(commands), "smartos", providers=PROVIDERS)
        for image in (BASE, OTHER, DISK):
            do(host, "imgadm", "import", "-q", "-P", "zones", image)
        if before:
            host.converges(*before)
        plan = host.planned(*after)
        assert not plan.blocked
        count = sum(len(action.steps) for action in plan.actions)
        assert count > 0
        host.cut_off(plan, commands)
        if VOLUME in before:
            # A Volume that is away has no name that its manifest knows: the guest brings it back in one pass.
            host.applied(*after)

        host.converges(*after)

        names = [str(one["alias"]) for one in guests(host) if not str(one["alias"]).startswith("trash.")]
        assert sorted(names) == sorted(one.key.name for one in after if one.key.kind != "Volume")
        if VOLUME in after:
            assert "zones/precious" in do(host, "zfs", "list", "-H", "-o", "name", "-t", "volume").split()
        host.host.close()
        commands += 1


@pytest.mark.parametrize("case", CASES)
def test_replies_that_are_lost_after_the_work_was_done_lead_to_the_same_end(host: Ground, case: str) -> None:
    before, after = CASES[case]
    if before:
        host.converges(*before)
    for verb in ("create", "update", "stop", "start", "reboot", "delete", "reprovision"):
        host.host.inject(Fault(FaultKind.LOST_REPLY, argv=f"^vmadm {verb}"))

    for _ in range(8):
        if host.applied(*after).is_converged:
            break

    assert host.planned(*after).is_empty
    assert len([one for one in guests(host) if not str(one["alias"]).startswith("trash.")]) == len(
        [one for one in after if one.key.kind != "Volume"]
    )


def effects(plan: HostPlan) -> dict[str, str]:
    return {field.name: field.effect.value for action in plan.actions for field in action.change.fields}


def test_what_a_plan_promised_is_what_the_guest_went_through(host: Ground) -> None:
    host.converges(machine())
    (before,) = guests(host)

    staged = host.planned(machine({"disruption": "none"}, cpus=4, memory="2GiB"))
    assert effects(staged) == {"cpus": "staged", "memory": "staged"}
    host.applied(machine({"disruption": "none"}, cpus=4, memory="2GiB"))
    (waiting,) = guests(host)
    assert (waiting["boot_timestamp"], waiting["vcpus"]) == (before["boot_timestamp"], 4)
    assert host.planned(machine({"disruption": "none"}, cpus=4, memory="2GiB")).pending_restart

    plan = host.planned(machine(cpus=4, memory="2GiB"))
    assert [action.effect for action in plan.actions] == [Effect.RESTART]
    host.converges(machine(cpus=4, memory="2GiB"))
    assert not host.planned(machine(cpus=4, memory="2GiB")).pending_restart


def test_what_would_stop_a_guest_is_refused_where_it_may_not_be_disrupted(host: Ground) -> None:
    host.converges(machine())

    plan = host.planned(machine({"disruption": "none"}, disks=[ROOT, {**DATA, "size": "2GiB"}]))

    assert [item.reason for item in plan.blocked] == [Reason.DISRUPTION]


@pytest.mark.parametrize("parts", range(1, 7))
def test_a_guest_that_was_not_made_to_its_end_is_blocked_with_what_to_do_and_never_made_twice(host: Ground, parts: int) -> None:
    host.host.inject(Fault(FaultKind.HALF, argv="^vmadm create", parts=parts))

    host.applied(zone())

    left = guests(host)
    assert len(left) <= 1
    plan = host.planned(zone())
    if not left:
        assert not plan.blocked
        (outcome,) = host.applied(zone()).outcomes
        assert outcome.failure is not None
        assert "a creation that did not get to its end" in outcome.failure.cause
    elif left[0]["state"] == "running":
        assert plan.is_empty
    else:
        (refused,) = plan.blocked
        assert refused.reason is Reason.UNSUPPORTED
        assert (f"vmadm delete {left[0]['uuid']}" in refused.remedy) is (left[0]["state"] == "failed")


def test_a_strangers_guest_is_left_alone_and_the_plan_says_how_to_take_it_over(host: Ground) -> None:
    payload = {"brand": "joyent-minimal", "image_uuid": BASE, "alias": "web1", "max_physical_memory": 256}
    answer = host.host.drift(("vmadm", "create"), json.dumps(payload).encode())
    assert answer.exit_code == 0
    before = guests(host)

    plan = host.planned(zone())
    host.applied(zone())

    assert [(item.reason, "adopt: ifEqual" in item.remedy) for item in plan.blocked] == [(Reason.NOT_OURS, True)]
    assert guests(host) == before


def test_of_two_guests_of_one_alias_the_one_with_our_mark_is_ours(host: Ground) -> None:
    host.converges(zone())
    payload = {"brand": "joyent-minimal", "image_uuid": BASE, "alias": "web1", "max_physical_memory": 256}
    assert host.host.drift(("vmadm", "create"), json.dumps(payload).encode()).exit_code == 0

    assert host.planned(zone()).is_empty
    host.converges()

    assert [one["max_physical_memory"] for one in guests(host) if one["alias"] == "web1"] == [256]


def test_a_nic_that_somebody_added_blocks_its_guest_until_it_is_listed(host: Ground) -> None:
    host.converges(zone())
    (there,) = guests(host)
    added = {"add_nics": [{"nic_tag": "admin", "ips": ["dhcp"], "mac": "02:08:20:00:00:07"}]}
    assert host.host.drift(("vmadm", "update", str(there["uuid"])), json.dumps(added).encode()).exit_code == 0

    assert [item.reason for item in host.planned(zone()).blocked] == [Reason.UNEXPECTED_ITEM]
    listed = zone(nics=[NET0, {"name": "lan", "over": "admin", "mac": "02:08:20:00:00:07", "ips": ["dhcp"]}])
    host.converges(listed)
    host.converges(zone())
    (after,) = guests(host)
    assert isinstance(after["nics"], list)
    assert len(after["nics"]) == 1


ODD = {
    "quotes": 'it\'s "quoted" $(rm -rf /) `id` ; & |',
    "newlines": "a\nb\r\n\tc\n",
    "utf-8": "ü 🙂 \u2028 \u202e",
    "long": "x" * (64 << 10),
    "json": '{"a": [1]}',
    "number": "0012",
    "word": "true",
}


@pytest.mark.parametrize("what", ODD)
def test_odd_text_survives_and_is_no_drift(host: Ground, what: str) -> None:
    odd = zone(metadata={"user-script": ODD[what], "a b": ODD[what]}, tags={"role": ODD[what][:100]})

    host.converges(odd)

    (there,) = guests(host)
    assert there["customer_metadata"] == {"user-script": ODD[what], "a b": ODD[what]}


def test_a_removed_guest_is_kept_and_comes_back_by_its_verb_alone(host: Ground) -> None:
    host.converges(zone())

    plan = host.planned()

    assert [(action.change.verb, action.reversible) for action in plan.actions] == [(Verb.TRASH, True)]
    host.converges()
    assert [item.reason for item in host.planned(zone()).blocked] == [Reason.IN_TRASH]
