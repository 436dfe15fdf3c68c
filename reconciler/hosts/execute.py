"""Executing one host's plan: independent actions side by side within limits, dependents after what they wait for."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from reconciler.hosts.action import CANCELLED, ActionRun, Ended
from reconciler.hosts.transport import Transport
from reconciler.model.change import Verb
from reconciler.model.command import Failure, RetryClass
from reconciler.model.errors import ReconcilerError
from reconciler.model.host import Limits
from reconciler.model.key import Key
from reconciler.model.ledger import LedgerRow
from reconciler.model.outcome import Outcome, OutcomeState
from reconciler.model.plan import Action, HostPlan
from reconciler.model.resource import Resource
from reconciler.provider.contract import Backend
from reconciler.provider.kind import Kind
from reconciler.store.journal import Intent, Journal


class Progress(Protocol):
    """Told about each action as it goes; draws it, logs it, or does nothing."""

    def started(self, action: Action) -> None: ...

    def told(self, action: Action, line: str) -> None:
        """How far a long command of the action is, in words."""
        ...

    def ended(self, action: Action, outcome: Outcome) -> None: ...


@dataclass(frozen=True, slots=True)
class Execution:
    """What it takes to run a plan on one host. `clock` gives seconds since the epoch."""

    transport: Transport
    backends: Mapping[str, Backend]
    kinds: Mapping[str, Kind]
    journal: Journal
    limits: Limits
    revision: str
    clock: Callable[[], float]
    progress: Progress
    stop: asyncio.Event


_AHEAD = 8
"""Enough that commands of some ten milliseconds don't wait for the disk, and few enough intents that a kill leaves open."""


async def execute(plan: HostPlan, execution: Execution) -> tuple[Outcome, ...]:
    """Runs the plan's actions and gives one outcome each, in the plan's order; report-only actions are left out.

    A failed action skips what waits for it and nothing else. Every intent is durable before its first command runs: those of
    the next actions become so while others run, `_AHEAD` times as many as may run at once.
    """
    gates = _Gates(execution.limits)
    ahead = _Gates(execution.limits, times=_AHEAD)
    ended: dict[str, asyncio.Future[Outcome]] = {}
    loop = asyncio.get_running_loop()
    for action in plan.runnable:
        ended[action.id] = loop.create_future()
    async with asyncio.TaskGroup() as tasks:
        for action in plan.runnable:
            tasks.create_task(_carry_out(action, execution, ahead, gates, ended))
    return tuple(ended[action.id].result() for action in plan.runnable)


class _Gates:
    """Semaphores per host, pool and kind that let `times` the limits pass, and one lock per lane."""

    def __init__(self, limits: Limits, *, times: int = 1) -> None:
        self._host = asyncio.Semaphore(limits.parallel * times)
        self._per_pool = limits.per_pool * times
        self._pools: dict[str, asyncio.Semaphore] = {}
        self._kinds = {kind: asyncio.Semaphore(count * times) for kind, count in limits.per_kind.items()}
        self.lanes: Mapping[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def passed(self, action: Action) -> AsyncIterator[None]:
        """Waits for all that the action has to pass, always in the same order, the narrowest first."""
        async with AsyncExitStack() as passed:
            for gate in self._of(action):
                await passed.enter_async_context(gate)
            yield

    def _of(self, action: Action) -> list[asyncio.Semaphore]:
        gates = [self._kinds[action.key.kind]] if action.key.kind in self._kinds else []
        if action.pool:
            gates.append(self._pools.setdefault(action.pool, asyncio.Semaphore(self._per_pool)))
        return [*gates, self._host]


async def _carry_out(
    action: Action, execution: Execution, ahead: _Gates, gates: _Gates, ended: dict[str, asyncio.Future[Outcome]]
) -> None:
    for earlier in action.after:
        if earlier in ended and (outcome := await ended[earlier]).state is not OutcomeState.SUCCEEDED:
            failure = Failure(f"{outcome.key} came first and {outcome.state}", "mend that first", RetryClass.LATER)
            outcome = Outcome(action.id, action.key, OutcomeState.SKIPPED, failure=failure)
            break
    else:
        async with ahead.passed(action):
            outcome = await _journalled(action, execution, gates)
        # What has waited for its turn begins before this one is talked about.
        await asyncio.sleep(0)
    execution.progress.ended(action, outcome)
    ended[action.id].set_result(outcome)


async def _journalled(action: Action, execution: Execution, gates: _Gates) -> Outcome:
    """Runs the action when its turn has come and its intent is durable. The intent of one that is not started is taken back."""
    if execution.stop.is_set():
        return Outcome(action.id, action.key, OutcomeState.CANCELLED)
    journal = execution.journal
    intent = journal.begin(Intent(action, execution.revision, execution.clock()))
    # Made before its turn, while others run: what follows a command is what the next one waits for.
    row = _row(action, execution.kinds[action.key.kind], execution.revision)
    is_started = False
    try:
        async with gates.passed(action):
            try:
                await journal.durable(intent)
            except ReconcilerError as trouble:
                failure = Failure(f"not started: {trouble.cause}", trouble.remedy, RetryClass.LATER)
                return Outcome(action.id, action.key, OutcomeState.FAILED, failure=failure)
            if execution.stop.is_set():
                return Outcome(action.id, action.key, OutcomeState.CANCELLED, failure=CANCELLED)
            # Should we be cancelled from here on, what was done is not known.
            is_started = True
            outcome = await _run(action, execution, gates)
    finally:
        if not is_started:
            journal.withdraw(action)
    # Not waited for: it becomes durable together with the intents of others, and before the pass ends.
    journal.end(outcome, action, execution.clock(), row)
    return outcome


async def _run(action: Action, execution: Execution, gates: _Gates) -> Outcome:
    execution.progress.started(action)
    began = time.monotonic()
    kind, backend = execution.kinds[action.key.kind], execution.backends[action.key.kind]

    def tell(line: str) -> None:
        execution.progress.told(action, line)

    done = await _ended(ActionRun(action, kind, backend, execution.transport, gates.lanes, execution.stop, tell))
    return Outcome(
        action.id, action.key, done.state, done.attempts, round(time.monotonic() - began, 3), done.failure, done.command
    )


async def _ended(run: ActionRun) -> Ended:
    try:
        return await run.run()
    except Exception as bug:  # noqa: BLE001 — it must not cut off what runs for other objects
        cause = f"internal error: {type(bug).__name__}: {bug}; what was done is not known"
        failure = Failure(cause, "please report it", RetryClass.LOOK_AGAIN)
        return Ended(OutcomeState.UNKNOWN, run.attempts, failure)


def _row(action: Action, kind: Kind, revision: str) -> LedgerRow | None:
    """What the ledger learns when the action has succeeded."""
    resource = action.change.resource
    if resource is None or action.verb in (Verb.DELETE, Verb.TRASH, Verb.FORGET):
        return None
    return ledger_row(resource, kind, revision)


def ledger_row(resource: Resource, kind: Kind, revision: str) -> LedgerRow:
    """A resource as the ledger remembers it once it holds on the host."""
    referred = tuple(
        Key(resource.key.host, reference.kinds[0], reference.name).object
        for reference in kind.references(resource.key.name, resource.fields)
        if len(reference.kinds) == 1
    )
    return LedgerRow(resource.key, resource.fields, resource.lifecycle, referred, revision, str(resource.origin))
