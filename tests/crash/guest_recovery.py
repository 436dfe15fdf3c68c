"""A scenario with guests made ready, the end that an undisturbed pass comes to, and what must hold where one was disturbed."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.controller.passes import Connections, HostResult, Setting
from reconciler.model.plan import HostPlan, Reason
from reconciler.model.resource import Resource
from reconciler.store.journal import Journal
from tests.crash.dying import Death, Moment, dies
from tests.crash.guest_ground import GuestGround, Json, differences, of_strangers, portrait, strangers, wanted
from tests.crash.guest_scenarios import GuestScenario
from tests.crash.trouble import Mishap, Trouble, goes_wrong
from tests.crash.work import APPLY

MOST_PASSES = 2
"""Within so many passes after the disturbed one all must be well."""

_PARTS = {
    ("vmadm", "create"): 4,
    ("vmadm", "update"): 7,
    ("vmadm", "delete"): 2,
    ("vmadm", "reprovision"): 2,
    ("imgadm", "import"): 0,
}
"""How many parts of a command can be done without the last, where that is more than one (docs/emulation.md)."""

MOST_PARTS = max(_PARTS.values())


@dataclass(frozen=True)
class Ready:
    """A scenario on a host that is kept in a folder: what is wanted, what was there, and how the host is when all went well.

    `before` are datasets by guid, `goal` is a portrait.
    """

    scenario: GuestScenario
    folder: Path
    wanted: list[Resource]
    before: Mapping[str, str]
    goal: Json
    strangers: object
    commands: int

    def copy(self, place: Path) -> GuestGround:
        """The host and our state as they were before, in another folder."""
        shutil.copytree(self.folder, place)
        return GuestGround(place)


def made_ready(scenario: GuestScenario, folder: Path) -> Ready:
    ground = GuestGround(folder / "saved")
    strangers(ground)
    if scenario.before:
        ground.converges(*wanted(*scenario.before))
    scenario.by_hand(ground)
    after = wanted(*scenario.after)
    plan = _plan(ground, after, scenario)
    assert plan.blocked == (), [f"{item.key.object}: {item.reason}: {item.cause}" for item in plan.blocked]
    verbs = {action.verb for action in plan.actions}
    assert verbs == scenario.verbs, verbs
    before, untouched = ground.guids(), of_strangers(ground)
    ground.host.close()

    undisturbed = GuestGround(shutil.copytree(folder / "saved", folder / "undisturbed"))
    _work(undisturbed, after, scenario)
    undisturbed.converges(*after)
    assert of_strangers(undisturbed) == untouched
    goal = portrait(undisturbed, before)
    undisturbed.host.close()
    shutil.rmtree(folder / "undisturbed")
    commands = sum(step.command.changes for action in plan.actions for step in action.steps)
    return Ready(scenario, folder / "saved", after, before, goal, untouched, commands)


def _plan(ground: GuestGround, after: list[Resource], scenario: GuestScenario) -> HostPlan:
    desired = ground.desired(after)

    async def scene(setting: Setting, connections: Connections, _journal: Journal) -> HostPlan:
        return await scenario.work.plan(setting, desired, connections)

    return ground.with_state(scene)


def _work(ground: GuestGround, after: list[Resource], scenario: GuestScenario) -> None:
    desired = ground.desired(after)

    async def scene(setting: Setting, connections: Connections, journal: Journal) -> None:
        await scenario.work.run(setting, desired, connections, journal)

    ground.with_state(scene)


@dataclass(frozen=True)
class Disturbance:
    """What happens to the `count`-th command that changes something; `parts` of it are done where it is cut in halves."""

    what: Moment | Trouble
    count: int
    parts: int = 1

    def __str__(self) -> str:
        parts = f", {self.parts} parts done" if self.cuts_in_halves else ""
        return f"{self.what}, command {self.count}{parts}"

    @property
    def cuts_in_halves(self) -> bool:
        return self.what in (Moment.INSIDE_COMMAND, Trouble.HALF)

    def happens(self, ground: GuestGround, ready: Ready) -> bool:
        """Does the scenario's work with it; whether it came about, as something that no other disturbance is."""
        desired = ground.desired(ready.wanted)
        if isinstance(self.what, Trouble):
            mishap = Mishap(self.what, self.count, self.parts)
            goes_wrong(ground, desired, mishap, ready.scenario.work)
            argv = mishap.answer.command.argv if mishap.answer is not None else None
        else:
            death = Death(self.what, self.count, self.parts)
            argv = death.argv if dies(ground, desired, death, ready.scenario.work) else None
        return argv is not None and self.parts <= (_PARTS.get(argv[:2], 1) if self.cuts_in_halves else 1)


def check(ground: GuestGround, ready: Ready, *, forgetful: bool) -> None:
    """The next passes come to the same end as if nothing had happened, or are refused for want of consent and lose nothing."""
    scenario = ready.scenario
    if scenario.work is not APPLY:
        _work(ground, ready.wanted, scenario)
    for _ in range(MOST_PASSES):
        result = ground.applied(*ready.wanted)
        if result.is_converged:
            break
    failures = [f"{one.key.object}: {one.failure.cause}" for one in result.outcomes if one.failure is not None]
    refused = [f"{item.key.object}: {item.reason}: {item.cause}" for item in result.final.blocked]
    left = [f"{item.key.object}: {item.verb}" for item in result.final.actions]
    assert of_strangers(ground) == ready.strangers, "strangers were touched"
    _check_nothing_lost(ground, ready)
    if any(guest["state"] == "provisioning" for guest in ground.guests()):
        # For all that anybody can tell it may still come up; only vmadmd or a boot of the host ends that.
        assert [item for item in result.final.blocked if "zoneadm list -cv" in item.remedy]
        aliases = [guest["alias"] for guest in ground.guests()]
        assert len(aliases) == len(set(aliases)), aliases
        return
    if not result.is_converged and (remedies := _remedies(ground, ready, result)):
        said = " ".join(item.remedy for item in result.final.blocked)
        aside = re.findall(r"`zfs rename (\S+) (\S+)`", said)
        for volume, place in aside:
            ground.do("zfs", "rename", volume, place)
        for command in remedies:
            image = (
                {"image_uuid": ground.host.guests.guest(command[2]).stored["image_uuid"]} if "reprovision" in command else None
            )
            ground.do(*command, stdin=image)
        for volume, place in aside:
            ground.do("zfs", "rename", place, volume)
        ground.converges(*ready.wanted)
    else:
        assert result.is_converged or (_is_out_of_sight(result) and forgetful), (failures, refused, left)
    if _is_out_of_sight(result):
        return
    assert ground.planned(*ready.wanted).is_empty
    assert ground.unfinished() == set()
    if forgetful and scenario.forgets:
        return
    found = [line for line in differences(ready.goal, portrait(ground, ready.before)) if not _LEFT_OVER.match(line)]
    assert not found, "\n".join(found)


_UNMARKED = frozenset({"Etherstub", "VNIC", "Image"})
_ONLY_THE_LEDGER = "neither our ledger nor its mark says how it may go"


def _is_out_of_sight(result: HostResult) -> bool:
    """Whether only objects are left that can carry no mark, and whose way out the ledger alone knew: they stay."""
    final, failed = result.final, [one for one in result.outcomes if one.failure is not None]
    told = [item.key.kind in _UNMARKED and _ONLY_THE_LEDGER in item.cause for item in final.blocked]
    return bool(told) and all(told) and not (final.actions or failed)


_LEFT_OVER = re.compile(r"datasets zones/[0-9a-f-]{36}(/data|/disk\d)?: None -> ")
"""A dataset without a guest, which a creation leaves that vmadm did not bring to its end; the next guest has another uuid."""


def _check_nothing_lost(ground: GuestGround, ready: Ready) -> None:
    """What an undisturbed pass keeps is there."""
    there = set(ground.guids())
    kept = ready.goal["kept"]
    lost = [name for guid, name in ready.before.items() if name in kept and guid not in there]
    assert not lost, lost


def _remedies(ground: GuestGround, ready: Ready, result: HostResult) -> list[tuple[str, ...]]:
    """What the remedies tell a person to do where vmadm was stopped while it made or halted a guest: nothing else helps."""
    found: list[tuple[str, ...]] = []
    unsaid: list[tuple[str, ...]] = []
    said = [f"{item.cause}; {item.remedy}" for item in result.final.blocked]
    for guest in ground.guests():
        if guest["state"] == "failed":
            ran = f"zones/{guest['uuid']}" in ready.before.values()
            found.append(("vmadm", "reprovision" if ran else "delete", guest["uuid"]))
        elif guest["state"] == "stopping":
            found.append(("vmadm", "stop", guest["uuid"], "-F"))
    assert all(any(f"`{' '.join(command)}`" in remedy for remedy in said) for command in found), said
    for outcome in result.outcomes:
        left = re.search(r"'(\S+)': dataset already exists", outcome.failure.cause) if outcome.failure is not None else None
        if left is not None:
            assert outcome.failure is not None
            assert "`zfs destroy -r`" in outcome.failure.remedy
            unsaid.append(("zfs", "destroy", "-r", left[1]))
    for item in result.final.blocked:
        if item.key.kind == "Etherstub" and item.reason is Reason.NOT_OURS:
            # Half of one, and nothing says that it is ours.
            unsaid.append(("nictagadm", "add", "-l", item.key.name))
    return [*found, *unsaid]
