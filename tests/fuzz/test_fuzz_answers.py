"""Answers of the host's tools, damaged at random: told by the command that gave them, never taken for an empty host.

Each look and each command of a pass may be the one whose answer is damaged; what a command does, it has done.
"""

import asyncio
import random
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from reconciler.controller.passes import Connections, HostResult, Planned, Setting, apply_host, plan_hosts
from reconciler.hosts.transport import Transport
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.host import HostManifest
from reconciler.model.outcome import OutcomeState
from reconciler.model.plan import HostPlan, PlanSource
from reconciler.model.resource import Resource
from reconciler.planning.render_json import plan_document
from reconciler.planning.render_text import plan_lines
from reconciler.store.facts import forget_facts
from reconciler.store.journal import Journal
from tests.fuzz.mutations import DAMAGES
from tests.fuzz.seeds import APPLIES, LOOKS, SEED
from tests.hosts.fakes import Told
from tests.hosts.passing import Passing
from tests.passes.ground import POOLS, Ground
from tests.planning.world import DELETE, GIB, KINDS, ORPHAN, REPLACE, dataset, volume

SURE = replace(DELETE, delete_snapshots=True)
CELLS = (
    "",
    "-",
    "0",
    "none",
    "yes",
    "local",
    "received",
    "18446744073709551616",
    "-1",
    "1.5G",
    "x" * 300,
    "Dataset/tank/a",
    "\t",
    "\udcff",
)
SAID = (
    "",
    "cannot open 'tank/a': dataset does not exist\n",
    "cannot create 'tank/new': dataset already exists\n",
    "cannot destroy 'tank/go': dataset is busy\n",
    "internal error: out of memory\n",
    "\x1b[31m\ufffd\x00",
    "usage:\n" * 200,
)


@dataclass
class Damaging(Passing):
    """A transport that damages the answer to the `number`-th command, counted from 0; what it made of it is in `made`.

    With `only_changes`, only commands that change are counted.
    With `known`, answers of commands that only look are asked for once and given again.
    """

    chance: random.Random
    number: int
    known: dict[tuple[str, ...], Completed] | None = None
    only_changes: bool = False
    count: int = 0
    made: list[Completed] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def run(self, command: Command) -> Completed:
        self.asked.append(str(command))
        answer = await self._answer(command)
        if self.only_changes and not command.changes:
            return answer
        number, self.count = self.count, self.count + 1
        if number != self.number:
            return answer
        self.made.append(damaged(self.chance, answer))
        return self.made[-1]

    async def _answer(self, command: Command) -> Completed:
        if self.known is None or command.changes:
            return await self.transport.run(command)
        if command.argv not in self.known:
            self.known[command.argv] = await self.transport.run(command)
        return self.known[command.argv]


def damaged(chance: random.Random, answer: Completed) -> Completed:
    """Another text, another end, or both."""
    draw = chance.randrange(2 if answer.command.changes else 10)
    if draw == 0:
        ending = chance.choice([each for each in Ending if each is not Ending.EXITED])
        return Completed(answer.command, ending, None, answer.stdout[: chance.randrange(40)], chance.choice(SAID))
    if draw == 1:
        return replace(answer, exit_code=chance.choice([1, 2, 3, 126, 127, 137, 255]), stderr=chance.choice(SAID))
    if draw == 2:
        return replace(answer, stdout=chance.choice(["", "\n", "\0", "no datasets available\n", answer.stdout.rstrip("\n")]))
    if draw <= 5 and "\t" in answer.stdout:
        return replace(answer, stdout=_damaged_cells(chance, answer.stdout))
    data = answer.stdout.encode("utf-8", "surrogateescape")
    return replace(answer, stdout=chance.choice(DAMAGES)(chance, data).decode("utf-8", "surrogateescape"))


def _damaged_cells(chance: random.Random, text: str) -> str:
    """A table with some cells exchanged."""
    rows = [line.split("\t") for line in text.splitlines()]
    for _ in range(chance.randint(1, 3)):
        row = chance.choice(rows)
        other = chance.choice(rows)
        row[chance.randrange(len(row))] = chance.choice([*CELLS, chance.choice(other)])
    return "".join("\t".join(row) + "\n" for row in rows)


@dataclass
class _DamagingConnections(Connections):
    """Connections whose answers come damaged."""

    damaging: Damaging | None = None

    async def to(self, manifest: HostManifest) -> Transport:
        assert self.damaging is not None
        return self.damaging


def before(ground: Ground) -> list[Resource]:
    wanted = [
        dataset(ground.name("a"), SURE, quota=GIB, **{"properties.site:room": "a b"}),
        dataset(ground.name("a/in"), replace(DELETE), atime="off"),
        dataset(ground.name("old"), DELETE),
        dataset(ground.name("old/in"), DELETE),
        dataset(ground.name("go"), SURE),
        dataset(ground.name("orphan"), ORPHAN),
        dataset(ground.name("again"), REPLACE, casesensitivity="mixed"),
    ]
    return [*wanted, volume(ground.name("disk"), SURE)] if ground.has_volumes else wanted


def after(ground: Ground) -> list[Resource]:
    return [
        dataset(ground.name("a"), SURE, quota=2 * GIB, **{"properties.site:room": None}),
        dataset(ground.name("a/in"), DELETE, atime="off"),
        dataset(ground.name("renamed"), DELETE, moved_from=ground.name("old")),
        dataset(ground.name("renamed/in"), DELETE),
        dataset(ground.name("again"), REPLACE, casesensitivity="sensitive"),
        dataset(ground.name("new"), mountpoint="/srv/new"),
        dataset(ground.name("new/clone"), origin=f"{ground.name('theirs')}@one"),
    ]


def prepared(root: Path, system: str) -> Ground:
    """A host with something of every sort, ours and not."""
    ground = Ground(root, system)
    theirs = ground.name("theirs")
    ground.zfs("create", "-o", "org.example:note=mine", theirs)
    ground.zfs("snapshot", f"{theirs}@one")
    ground.zfs("hold", "keep", f"{theirs}@one")
    ground.converges(*before(ground))
    ground.zfs("snapshot", f"{ground.name('go')}@one")
    return ground


def check_plan(made: HostPlan, damaging: Damaging) -> None:
    """What could not be read is told with the whole command, and nothing is done about it."""
    for trouble in made.unreadable:
        assert trouble.cause, trouble
        assert trouble.remedy, trouble
        assert any(f"`{command}`" in trouble.cause for command in damaging.asked), trouble
    blind = {kind for trouble in made.unreadable for kind in trouble.kinds}
    assert not [action for action in made.actions if action.key.kind in blind]
    for item in made.blocked:
        assert item.cause, item
        assert item.remedy, item


def check_shown(planned: Planned) -> None:
    """It can be shown in both ways, and no line of it forges another."""
    assert plan_document(planned.plan)
    for line in plan_lines(planned.plan, KINDS):
        assert line.text.isprintable(), line


def kept(ground: Ground, names: list[str]) -> list[object]:
    """What no pass may change of a stranger: what it is, holds, and has set on it."""
    found = []
    for name in names:
        there = ground.host.storage.dataset(name)
        local = {prop: cell.value for prop, cell in there.properties.items() if cell.source == "local"}
        found.append((there.guid, there.referenced, there.holds, local))
    return found


def noted(trouble: Exception, what: str) -> None:
    trouble.add_note(f"RECONCILER_FUZZ_SEED={SEED}, {what}")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("system", POOLS)
def test_damaged_answers_of_probes_are_told_by_their_command(tmp_path: Path, system: str) -> None:
    ground = prepared(tmp_path, system)
    desired = ground.desired(after(ground))
    unreadable = 0

    async def scene(setting: Setting, connections: Connections, _journal: Journal) -> None:
        nonlocal unreadable
        assert setting.database is not None
        known: dict[tuple[str, ...], Completed] = {}
        transport = await connections.to(desired.hosts["hv01"])
        for number in range(LOOKS // len(POOLS)):
            chance = random.Random(f"{SEED}/{system}/look/{number}")
            damaging = Damaging(transport, chance, chance.randrange(10), known)
            # What a damaged answer said of the host's tools may not be what the next look goes by.
            forget_facts(setting.database, "hv01")
            asking = _DamagingConnections(ground.state, damaging=damaging)
            try:
                planned = await plan_hosts(setting, desired, PlanSource("desired-state", "r"), asking, ("hv01",))
                check_plan(planned.plan.hosts[0], damaging)
                check_shown(planned)
            except Exception as trouble:
                noted(trouble, f"{system}, look {number}: {damaging.made}")
                raise
            unreadable += bool(planned.plan.hosts[0].unreadable)

    ground.with_state(scene)
    ground.host.close()

    assert unreadable > LOOKS // len(POOLS) // 10


@pytest.mark.timeout(600)
@pytest.mark.parametrize("system", POOLS)
def test_damaged_answers_during_an_apply_are_told_and_made_good(tmp_path: Path, system: str) -> None:
    saved = prepared(tmp_path / "saved", system)
    strangers = [saved.name("theirs"), f"{saved.name('theirs')}@one"]
    theirs = kept(saved, strangers)
    saved.host.close()
    failed = 0

    for number in range(APPLIES // len(POOLS)):
        chance = random.Random(f"{SEED}/{system}/apply/{number}")
        case = tmp_path / "case"
        shutil.copytree(tmp_path / "saved", case)
        ground = Ground(case, system)
        try:
            result = applied(ground, chance)
            failed += any(outcome.state is not OutcomeState.SUCCEEDED for outcome in result.outcomes)
            assert kept(ground, strangers) == theirs
            ground.applied(*after(ground))
            ground.converges(*after(ground))
        except Exception as trouble:
            noted(trouble, f"{system}, apply {number}")
            raise
        ground.host.close()
        shutil.rmtree(case)

    assert failed > APPLIES // len(POOLS) // 10


def applied(ground: Ground, chance: random.Random) -> HostResult:
    """An apply with one damaged answer, which is told by its command wherever it kept an action from its end."""
    desired = ground.desired(after(ground))

    async def scene(setting: Setting, connections: Connections, journal: Journal) -> HostResult:
        transport = await connections.to(desired.hosts["hv01"])
        changes = chance.random() < 0.6
        damaging = Damaging(transport, chance, chance.randrange(25 if changes else 40), only_changes=changes)
        asking = _DamagingConnections(ground.state, damaging=damaging)
        source = PlanSource("desired-state", "revision")
        planned = await plan_hosts(setting, desired, source, asking, ("hv01",))
        result = await apply_host(setting, planned, planned.plan.hosts[0], desired, asking, journal, Told(), asyncio.Event())
        for outcome in result.outcomes:
            if outcome.state in (OutcomeState.FAILED, OutcomeState.UNKNOWN):
                assert outcome.failure is not None
                assert outcome.failure.cause
                assert outcome.failure.remedy
                assert outcome.command in {
                    str(step.command) for action in planned.plan.hosts[0].actions for step in action.steps
                }
        check_plan(result.final, damaging)
        return result

    return ground.with_state(scene)
