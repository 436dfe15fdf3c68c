"""Firewall rules of guests on an emulated SmartOS host: made after the guests that they name, compared by their names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.crossbow import PROVIDER as CROSSBOW
from providers.kvm import PROVIDER as KVM
from providers.zfs import PROVIDER as ZFS
from providers.zones import PROVIDER as ZONES
from reconciler.desired.manifest import resource
from reconciler.model.origin import Origin
from reconciler.model.plan import Reason
from reconciler.model.resource import Resource
from reconciler.provider.registry import Registry
from tests.passes.ground import Ground

PROVIDERS = (CROSSBOW, KVM, ZFS, ZONES)
KINDS = Registry.of(PROVIDERS).kinds


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path, "smartos", providers=PROVIDERS)
    yield made
    made.host.close()


def wanted(kind: str, name: str, spec: dict[str, object], **lifecycle: str) -> Resource:
    document = {
        "apiVersion": "reconciler/v1",
        "kind": kind,
        "metadata": {"name": name},
        "lifecycle": {"onRemoval": "delete", **lifecycle},
        "spec": spec,
    }
    found = resource(document, "hv01", Origin("hosts/hv01/a.yaml", 1, 1), KINDS)  # type: ignore[arg-type]
    assert isinstance(found, Resource), found
    return found


def machine(name: str = "vm1") -> Resource:
    return wanted("VirtualMachine", name, {"engine": "bhyve", "memory": "512MiB", "state": "stopped", "pool": "zones"})


def ssh(**changed: object) -> Resource:
    spec = {"from": ["any"], "to": ["guest/vm1"], "action": "allow", "protocol": "tcp", "ports": [22], **changed}
    return wanted("FirewallRule", "ssh", spec)


def rules(host: Ground) -> list[str]:
    listed = host.host.drift(("fwadm", "list", "-p", "-d", "|", "-o", "enabled,rule")).stdout.decode()
    return listed.splitlines()


def test_a_rule_comes_after_the_guest_that_it_names_and_goes_before_it(host: Ground) -> None:
    plan = host.planned(ssh(), machine())
    assert [action.key.name for action in plan.actions if action.after] == ["ssh"]

    host.converges(ssh(), machine())
    gone = host.planned()

    assert [(action.key.name, len(action.after)) for action in gone.actions] == [("ssh", 0), ("vm1", 1)]
    host.converges()
    assert rules(host) == []


def test_a_rule_without_its_guest_is_blocked(host: Ground) -> None:
    plan = host.planned(ssh())

    assert [item.reason for item in plan.blocked] == [Reason.MISSING_REFERENCE]


def test_a_rule_that_somebody_changed_is_changed_back_and_keeps_its_uuid(host: Ground) -> None:
    host.converges(ssh(), machine())
    (before,) = rules(host)
    (uuid,) = [line.split()[0] for line in host.host.drift(("fwadm", "list", "-p", "-o", "uuid")).stdout.decode().splitlines()]
    other = b'{"uuid":"%s","rule":"FROM any TO all vms ALLOW tcp PORT 1"}' % uuid.encode()
    assert host.host.drift(("fwadm", "update", "-f", "-"), other).exit_code == 0
    assert host.host.drift(("fwadm", "disable", uuid)).exit_code == 0

    plan = host.planned(ssh(enabled=True), machine())

    assert {field.name for action in plan.actions for field in action.change.fields} == {"enabled", "ports", "to"}
    host.converges(ssh(enabled=True), machine())
    assert rules(host) == [before]


def test_a_lost_ledger_changes_nothing_for_rules(host: Ground) -> None:
    host.converges(ssh(), machine())
    host.lose_ledger()

    host.converges(ssh(ports=[22, "8000-8100"]), machine())

    assert [line.rpartition(" ALLOW ")[2] for line in rules(host)] == ["tcp PORTS 22, 8000 - 8100"]


@pytest.mark.parametrize("commands", range(3))
def test_a_pass_that_is_cut_off_is_made_good(host: Ground, commands: int) -> None:
    wish = (ssh(), ssh_by_words(), machine())
    host.cut_off(host.planned(*wish), commands)

    host.converges(*wish)

    assert len(rules(host)) == 2


def ssh_by_words() -> Resource:
    rule = "from any to all vms allow udp (port 54 and port 53) priority 3"
    return wanted("FirewallRule", "dns", {"rule": rule, "log": True})


def test_a_strangers_rule_is_taken_over_with_what_somebody_wrote_there(host: Ground) -> None:
    payload = b'{"rule":"FROM any TO all vms ALLOW tcp PORT 9","global":true,"enabled":true,"description":"by hand"}'
    host.host.drift(("fwadm", "add", "-f", "-"), payload)
    (uuid,) = host.host.drift(("fwadm", "list", "-p", "-o", "uuid")).stdout.decode().split()
    spec: dict[str, object] = {"rule": "FROM any TO all vms ALLOW tcp PORT 9"}

    left, taken = host.planned(wanted("FirewallRule", uuid, spec)), wanted("FirewallRule", uuid, spec, adopt="ifEqual")

    assert [item.reason for item in left.blocked] == [Reason.NOT_OURS]
    assert len(host.converges(taken).outcomes) == 1
    described = host.host.drift(("fwadm", "get", uuid)).stdout.decode()
    assert f"key=FirewallRule/{uuid}" in described
    assert "| by hand" in described
