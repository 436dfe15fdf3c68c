"""Transports, a journal and a progress that tests can look into and steer; nothing here waits for time to pass."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from providers.zfs import PROVIDER
from reconciler.emulation.host import EmulatedHost
from reconciler.hosts.execute import Execution, execute
from reconciler.hosts.observe import Look, observe
from reconciler.model.change import Change, Verb
from reconciler.model.command import Command, Completed, Ending, Step
from reconciler.model.desired import Desired
from reconciler.model.errors import ReconcilerError
from reconciler.model.facts import HostFacts
from reconciler.model.host import Connection, HostManifest, Limits, TransportType
from reconciler.model.ledger import LedgerRow
from reconciler.model.observed import EVERY_FIELD, REMOVAL
from reconciler.model.origin import Origin
from reconciler.model.outcome import Outcome
from reconciler.model.plan import Action, HostPlan
from reconciler.model.resource import Resource
from reconciler.planning.digest import action_id
from reconciler.planning.planner import plan
from reconciler.planning.view import HostView
from reconciler.provider.registry import Registry
from reconciler.store.journal import Intent
from tests.planning.world import HOST, KINDS, NOW, SOURCE, backend, mark, resource

REGISTRY = Registry.of([PROVIDER])
USUAL = Limits()


class Emulated:
    """An emulated host's tools; a command that hangs comes back at once as one that missed its deadline."""

    def __init__(self, host: EmulatedHost) -> None:
        self.host = host
        self.commands: list[Command] = []

    @property
    def argvs(self) -> list[str]:
        return [str(command) for command in self.commands]

    @property
    def changing(self) -> list[str]:
        return [str(command) for command in self.commands if command.changes]

    async def run(self, command: Command) -> Completed:
        self.commands.append(command)
        answer = self.host.run(command.argv, None if command.stdin is None else command.stdin.encode())
        if answer.hangs:
            return Completed(command, Ending.DEADLINE, None)
        out, err = answer.stdout.decode("utf-8", "surrogateescape"), answer.stderr.decode("utf-8", "replace")
        if answer.exit_code < 0:
            return Completed(command, Ending.SIGNALLED, None, out, err)
        return Completed(command, Ending.EXITED, answer.exit_code, out, err)

    async def close(self) -> None:
        self.host.close()


@dataclass
class Held:
    """A transport on which every command waits until the test lets it end."""

    running: dict[str, "asyncio.Future[int]"] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)

    async def run(self, command: Command) -> Completed:
        name = str(command)
        self.begun.append(name)
        self.running[name] = asyncio.get_running_loop().create_future()
        code = await self.running[name]
        del self.running[name]
        return Completed(command, Ending.EXITED, code, "", "" if code == 0 else "cannot do it: I/O error")

    async def close(self) -> None:
        """Nothing is kept open."""

    async def let(self, name: str, code: int = 0) -> None:
        """Lets a running command end, and everything that follows from it begin."""
        self.running[name].set_result(code)
        await settled()

    async def let_all(self) -> None:
        """Lets commands end, in the order in which they begin, until none is left."""
        while self.running:
            await self.let(next(iter(self.running)))


async def settled() -> None:
    """Until nothing can go on any more without the test."""
    for _ in range(100):
        await asyncio.sleep(0)


@dataclass
class MemoryJournal:
    """A journal that is durable at once, unless it is told to wait or to fail."""

    begun: list[str] = field(default_factory=list)
    ended: list[Outcome] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    learnt: list[LedgerRow] = field(default_factory=list)
    waits: bool = False
    fails: bool = False
    waiting: list["asyncio.Future[None]"] = field(default_factory=list)
    needed: list["asyncio.Future[None]"] = field(default_factory=list)

    def begin(self, intent: Intent) -> "asyncio.Future[None]":
        self.begun.append(str(intent.action.key.object))
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.fails:
            future.set_exception(ReconcilerError("the disk is full", remedy="free some space"))
        elif self.waits:
            self.waiting.append(future)
        else:
            future.set_result(None)
        return future

    async def durable(self, record: "asyncio.Future[None]") -> None:
        self.needed.append(record)
        await record

    def withdraw(self, action: Action) -> "asyncio.Future[None]":
        self.withdrawn.append(str(action.key.object))
        return _done()

    def end(self, outcome: Outcome, action: Action, ended: float, row: LedgerRow | None) -> "asyncio.Future[None]":
        self.ended.append(outcome)
        if row is not None:
            self.learnt.append(row)
        return _done()


def _done() -> "asyncio.Future[None]":
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


@dataclass
class Told:
    """A progress that remembers."""

    lines: list[str] = field(default_factory=list)

    def started(self, action: Action) -> None:
        self.lines.append(f"started {action.key.object}")

    def told(self, action: Action, line: str) -> None:
        self.lines.append(f"{action.key.object}: {line}")

    def ended(self, action: Action, outcome: Outcome) -> None:
        self.lines.append(f"{outcome.state} {action.key.object}")


def action(
    name: str, *commands: str, kind: str = "Dataset", after: Iterable[Action] = (), lane: str | None = None, **changed: object
) -> Action:
    """An action that creates an object, by these commands instead of those that a provider would give."""
    made = resource(kind, name)
    change = Change(made.key, Verb.CREATE, resource=made, mark=mark(name, kind=kind))
    steps = tuple(Step(Command(tuple(command.split())), lane) for command in commands or (f"make {name}",))
    waits_for = tuple(earlier.id for earlier in after)
    pool = name.partition("/")[0]
    return Action(action_id(change, steps), change, None, "", steps, made.origin, waits_for, pool=pool, **changed)  # type: ignore[arg-type]


def plan_of(*actions: Action) -> HostPlan:
    return HostPlan(HOST, NOW, actions)


def execution(
    transport: object,
    journal: object | None = None,
    *,
    limits: Limits = USUAL,
    stop: asyncio.Event | None = None,
    **changed: object,
) -> Execution:
    """What it takes to run a plan, with fakes for what is not given."""
    parts: dict[str, object] = {
        "transport": transport,
        "backends": dict.fromkeys(KINDS, backend()),
        "kinds": KINDS,
        "journal": journal or MemoryJournal(),
        "limits": limits,
        "revision": "revision",
        "clock": lambda: NOW.timestamp(),
        "progress": Told(),
        "stop": stop or asyncio.Event(),
    }
    return Execution(**{**parts, **changed})  # type: ignore[arg-type]


def no_kept_facts(_boot_id: str) -> HostFacts | None:
    return None


async def look_at(transport: object, kept: Callable[[str], HostFacts | None] = no_kept_facts, **identity: str) -> Look:
    """One look at everything on a host."""
    everything = {kind: frozenset({EVERY_FIELD, REMOVAL}) for kind in KINDS}
    return await observe(HOST, transport, REGISTRY, everything, identity=identity, kept_facts=kept, now=lambda: NOW)  # type: ignore[arg-type]


async def plan_on(transport: object, wanted: Iterable[Resource], rows: Iterable[LedgerRow] = ()) -> tuple[HostPlan, HostView]:
    """The plan for a host as it is now, and what it was made from."""
    look = await look_at(transport)
    manifest = HostManifest(HOST, Connection(TransportType.EMULATED), Origin("host.yaml", 1, 1))
    resources = {each.key: each for each in wanted}
    seen = HostView(manifest, resources, look.inventory, look.backends, look.unserved, {each.key: each for each in rows})
    desired = Desired(SOURCE.revision, "default", hosts={HOST: manifest}, resources={HOST: resources})
    return plan(desired, (seen,), KINDS, SOURCE, NOW).hosts[0], seen


async def carried_out(
    transport: object, made: HostPlan, backends: Mapping[str, object], journal: MemoryJournal | None = None, **options: object
) -> tuple[Outcome, ...]:
    """The outcomes of running a plan."""
    return await execute(made, execution(transport, journal, backends=backends, **options))  # type: ignore[arg-type]
