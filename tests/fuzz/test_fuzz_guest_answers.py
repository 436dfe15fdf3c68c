"""Answers of vmadm, imgadm, fwadm, dladm and nictagadm, damaged at random: told by their command, never taken for nothing.

Beside damage to texts there is damage to what JSON says: other types, absent keys, huge numbers, branches exchanged.
"""

import asyncio
import json
import random
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from reconciler.controller.passes import Connections, HostResult, Setting, apply_host, plan_hosts
from reconciler.hosts.transport import Transport
from reconciler.model.command import Command, Completed
from reconciler.model.host import HostManifest
from reconciler.model.outcome import OutcomeState
from reconciler.model.plan import PlanSource
from reconciler.model.resource import Resource
from reconciler.planning.render_json import plan_document
from reconciler.planning.render_text import plan_lines
from reconciler.store.facts import forget_facts
from reconciler.store.journal import Journal
from tests.fuzz.mutations import damaged_documents
from tests.fuzz.seeds import APPLIES, LOOKS, SEED
from tests.fuzz.test_fuzz_answers import Damaging, check_plan, damaged, noted
from tests.hosts.fakes import Told
from tests.passes.smartos import KINDS, VM_IMAGE, ZONE_IMAGE, SmartOs, machine, manifest, resources, zone

SHARE = 3
"""Of the looks and applies of other tests of damaged answers, one in so many is made here: with guests a pass takes longer."""

NIC = "nics: [{{name: net0, over: {over}, ips: [10.0.0.11/24]}}]"
DISKS = f"disks:\n- {{name: root, image: {VM_IMAGE}, model: virtio, boot: true}}\n- {{name: a, size: {{size}}, model: virtio}}"
RULE = "from: [any]\nto: [guest/web]\naction: allow\nprotocol: tcp\nports: [{port}]"


def before() -> list[Resource]:
    return resources(
        manifest("Etherstub", "stub0"),
        manifest("VNIC", "v0", "over: igb1\nvlan: 7"),
        zone("web", f"{NIC.format(over='stub0')}\nmetadata: {{user-script: 'echo 1'}}\ncpuCap: 100"),
        zone("gone", onRemoval="delete"),
        zone("kept"),
        machine("vm", DISKS.replace("{size}", "1GiB").replace("{{", "{").replace("}}", "}"), disruption="restart"),
        manifest("FirewallRule", "ssh", RULE.format(port=22)),
    )


def after() -> list[Resource]:
    return resources(
        manifest("Etherstub", "stub0"),
        manifest("VNIC", "v0", "over: igb1\nvlan: 7\nmaxBandwidth: 100Mbps"),
        zone("web", f"{NIC.format(over='external')}\nmetadata: {{user-script: 'echo 2', more: x}}\ncpuCap: null"),
        zone("new", "state: stopped"),
        machine("vm", DISKS.replace("{size}", "2GiB").replace("{{", "{").replace("}}", "}"), disruption="restart"),
        manifest("FirewallRule", "ssh", RULE.format(port="22, 80")),
    )


@dataclass
class _DamagingConnections(Connections):
    damaging: "_DamagingJson | None" = None

    async def to(self, manifest: HostManifest) -> Transport:
        assert self.damaging is not None
        return self.damaging


@dataclass
class _DamagingJson(Damaging):
    """Damages what JSON says, half of the time; else texts and ends of commands."""

    async def run(self, command: Command) -> Completed:
        self.asked.append(str(command))
        answer = await self._answer(command)
        if self.only_changes and not command.changes:
            return answer
        number, self.count = self.count, self.count + 1
        if number != self.number:
            return answer
        self.made.append(_damaged(self.chance, answer))
        return self.made[-1]


def _damaged(chance: random.Random, answer: Completed) -> Completed:
    if answer.stdout.startswith(("[", "{")) and chance.random() < 0.6:
        changed = damaged_documents(chance, [json.loads(answer.stdout)]).decode("utf-8", "surrogatepass")
        return replace(answer, stdout=f"{changed}\n")
    return damaged(chance, answer)


def prepared(root: Path) -> SmartOs:
    """A host with something of every sort, ours and not."""
    host = SmartOs(root)
    nics = [{"nic_tag": "external", "ips": ["10.0.0.77/24"]}]
    host.create(brand="joyent", alias="theirs", image_uuid=ZONE_IMAGE, max_physical_memory=256, nics=nics, tags={"a": 5})
    host.do("fwadm", "add", payload={"rule": "FROM any TO all vms ALLOW udp PORT 53", "enabled": True, "global": True})
    host.do("dladm", "create-vnic", "-l", "igb0", "theirs0")
    host.converges(*before())
    return host


def theirs(host: SmartOs) -> object:
    """What no pass may change of strangers."""
    guest = {key: value for key, value in host.guest("theirs").items() if key != "last_modified"}
    rules = [rule for rule in json.loads(host.do("fwadm", "list", "-j")) if "UDP PORT 53" in rule["rule"].upper()]
    vnic = host.do("dladm", "show-vnic", "-p", "-o", "link,over,macaddress", "theirs0")
    return guest, host.boots("theirs"), rules, vnic


@pytest.mark.timeout(600)
def test_damaged_answers_about_guests_are_told_by_their_command(tmp_path: Path) -> None:
    host = prepared(tmp_path)
    desired = host.desired(after())
    unreadable = looks = 0

    async def scene(setting: Setting, connections: Connections, _journal: Journal) -> None:
        nonlocal unreadable, looks
        assert setting.database is not None
        known: dict[tuple[str, ...], Completed] = {}
        transport = await connections.to(desired.hosts["hv01"])
        for number in range(LOOKS // SHARE):
            chance = random.Random(f"{SEED}/guests/look/{number}")
            damaging = _DamagingJson(transport, chance, chance.randrange(20), known)
            forget_facts(setting.database, "hv01")
            asking = _DamagingConnections(host.state, damaging=damaging)
            try:
                planned = await plan_hosts(setting, desired, PlanSource("desired-state", "r"), asking, ("hv01",))
                check_plan(planned.plan.hosts[0], damaging)
                assert plan_document(planned.plan)
                assert all(line.text.isprintable() for line in plan_lines(planned.plan, KINDS))
            except Exception as trouble:
                noted(trouble, f"look {number}: {damaging.made}")
                raise
            looks += bool(damaging.made)
            unreadable += bool(planned.plan.hosts[0].unreadable)

    host.with_state(scene)
    host.host.close()

    assert unreadable > looks // 10


@pytest.mark.timeout(600)
def test_damaged_answers_while_guests_are_changed_are_told_and_made_good(tmp_path: Path) -> None:
    saved = prepared(tmp_path / "saved")
    kept = theirs(saved)
    saved.host.close()
    failed = 0

    for number in range(APPLIES // (3 * SHARE)):
        chance = random.Random(f"{SEED}/guests/apply/{number}")
        case = tmp_path / "case"
        shutil.copytree(tmp_path / "saved", case)
        host = SmartOs(case)
        try:
            result = _applied(host, after(), chance)
            failed += any(outcome.state is not OutcomeState.SUCCEEDED for outcome in result.outcomes)
            assert theirs(host) == kept
            host.applied(*after())
            host.converges(*after())
            assert theirs(host) == kept
        except Exception as trouble:
            noted(trouble, f"apply {number}")
            raise
        host.host.close()
        shutil.rmtree(case)

    assert failed > APPLIES // (3 * SHARE) // 10


def _applied(host: SmartOs, wanted: Iterable[Resource], chance: random.Random) -> HostResult:
    """An apply with one damaged answer, which is told by its command wherever it kept an action from its end."""
    desired = host.desired(wanted)

    async def scene(setting: Setting, connections: Connections, journal: Journal) -> HostResult:
        transport = await connections.to(desired.hosts["hv01"])
        changes = chance.random() < 0.6
        damaging = _DamagingJson(transport, chance, chance.randrange(25 if changes else 60), only_changes=changes)
        asking = _DamagingConnections(host.state, damaging=damaging)
        planned = await plan_hosts(setting, desired, PlanSource("desired-state", "revision"), asking, ("hv01",))
        plan = planned.plan.hosts[0]
        result = await apply_host(setting, planned, plan, desired, asking, journal, Told(), asyncio.Event())
        commands = {str(step.command) for action in plan.actions for step in action.steps}
        for outcome in result.outcomes:
            if outcome.state in (OutcomeState.FAILED, OutcomeState.UNKNOWN):
                assert outcome.failure is not None
                assert outcome.failure.cause
                assert outcome.failure.remedy
                assert outcome.command in commands
        check_plan(result.final, damaging)
        return result

    return host.with_state(scene)
