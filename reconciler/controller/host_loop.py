"""The loop of one host: woken by a commit, a timer or a signal, it looks at everything each time."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar

from reconciler.controller.applying import keep_status, taken
from reconciler.controller.backoff import Backoff, Turn
from reconciler.controller.conditions import Attempt, Attempts, drifted
from reconciler.controller.log import Log, LogProgress, tell_result
from reconciler.controller.passes import Connections, HostResult, Setting, apply_host, plan_hosts
from reconciler.controller.schedule import Schedule
from reconciler.model.desired import Desired
from reconciler.model.errors import ReconcilerError
from reconciler.model.host import HostManifest
from reconciler.model.key import Key
from reconciler.model.lifecycle import Mode
from reconciler.model.plan import HostPlan, PlanSource
from reconciler.planning.guardrail import Taken
from reconciler.planning.view import HostView
from reconciler.store.journal import Journal


@dataclass(frozen=True, slots=True)
class Current:
    """The desired state that is in force."""

    desired: Desired
    source: PlanSource


@dataclass
class Tally:
    """What the revision in force takes away, host by host, so that limits over the whole tree hold."""

    by_host: dict[str, dict[Key, int]] = field(default_factory=dict)

    def begin(self) -> None:
        """Another revision is in force: it may take as much again."""
        self.by_host = {}

    def elsewhere(self, host: str) -> Taken:
        """Removals on other hosts."""
        others = [size for name, removals in self.by_host.items() if name != host for size in removals.values()]
        return Taken(len(others), sum(others))

    def lacks(self, host: str, removals: Mapping[Key, int]) -> bool:
        """Whether some of what a host's plan takes was not noted yet."""
        return not removals.keys() <= self.by_host.get(host, {}).keys()

    def add(self, host: str, removals: Mapping[Key, int]) -> None:
        """Notes what a host's plan takes, as bytes by key. That adds up over its passes; what is tried again counts once."""
        if removals:
            self.by_host.setdefault(host, {}).update(removals)


Result = TypeVar("Result")


@dataclass
class HostLoop:
    """One host's passes, one after another. `current` gives what is in force when a pass begins.

    What fails on the host backs off object by object, and each pass leaves out what still waits. A host that can't be read, or
    whose pass fails altogether, backs off as a whole. `clock` gives seconds; it is never set back.
    """

    host: str
    setting: Setting
    connections: Connections
    journal: Journal
    schedule: Schedule
    tally: Tally
    log: Log
    current: Callable[[], Current]
    stale: Callable[[], str]
    fetched: Callable[[], str]
    shutdown: asyncio.Event
    clock: Callable[[], float] = time.monotonic
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _stop_pass: asyncio.Event = field(default_factory=asyncio.Event)
    _backoff: Backoff = field(init=False)
    _manifest: HostManifest | None = None
    _failures: int = 0
    _pause_s: float = 0.0
    _retired: bool = False
    _told_trouble: str = ""

    def __post_init__(self) -> None:
        self._backoff = Backoff(self.schedule)

    def wake(self, *, newer: bool) -> None:
        """Asks for a pass now; `newer` ends one under way at a safe point, for what it works towards is out of date."""
        self._wake.set()
        if newer:
            self._stop_pass.set()

    def try_all(self) -> None:
        """Asks for a pass now that leaves nothing out, whatever has failed before."""
        self._backoff.forget()
        self.wake(newer=False)

    def retire(self) -> None:
        """Ends the loop at the next safe point: the host has no manifest any more."""
        self._retired = True
        self.wake(newer=True)

    async def run(self) -> None:
        """Passes until shutdown or retirement."""
        while not (self.shutdown.is_set() or self._retired):
            self._wake.clear()
            self._stop_pass.clear()
            await self._pass()
            if self.shutdown.is_set() or self._retired:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s):
                    await self._wake.wait()

    async def _pass(self) -> None:
        self._pause_s = self.schedule.next_look_s(self._failures)
        current = self.current()
        manifest = current.desired.hosts.get(self.host)
        if manifest is None or manifest.mode is Mode.IGNORE:
            return
        if manifest != self._manifest:
            # Another way to the host, or other rights there, may be all that what failed has waited for.
            self._backoff.forget()
            self._manifest = manifest
        try:
            done = await self._reconcile(current)
            if done is None:
                return
            result, view, waits = done
            self._failures = self._failures + 1 if self._is_to_be_tried_soon(result, waits) else 0
            attempts = self._attempts(waits)
            keep_status(self.setting, view, result, current.source.revision, self.fetched(), self.stale(), attempts)
            # A writer that works for long is told of once, not at each try.
            if result.trouble is None or result.trouble.cause != self._told_trouble:
                tell_result(self.log, result, current.source.revision)
            self._told_trouble = result.trouble.cause if result.trouble is not None else ""
            # What the journal lost, later looks will find; but its trouble has to be told.
            await self.journal.flushed()
            self.journal.raise_trouble()
        except ReconcilerError as trouble:
            self._failed(trouble.cause, trouble.remedy)
        except Exception as bug:  # noqa: BLE001 — one host's trouble must not end the loop; it is told and tried again
            self._failed(f"internal error: {type(bug).__name__}: {bug}", "please report it")

    def _failed(self, cause: str, remedy: str) -> None:
        self._failures += 1
        self._pause_s = self.schedule.next_look_s(self._failures)
        self.log.error("pass failed", host=self.host, cause=cause, remedy=remedy)

    def _is_to_be_tried_soon(self, result: HostResult, waits: Turn) -> bool:
        """Whether the host could not be read or written to, or more can be done there than this pass knew of."""
        return bool(result.trouble or result.final.unreadable) or (bool(waits.plan.runnable) and not self._stop_pass.is_set())

    def _attempts(self, waits: Turn) -> Attempts:
        """Sets the pause until the next pass, and tells when what failed is tried again."""
        now, moment = self.clock(), self.setting.now()
        self._pause_s = self.schedule.next_look_s(self._failures)
        if not self._failures and waits.next_attempt is not None:
            self._pause_s = max(0.0, min(self._pause_s, waits.next_attempt - now))

        def attempt(until: float | None, why: str) -> Attempt:
            return Attempt(None if until is None else moment + timedelta(seconds=until - now), why)

        by_key = {key: attempt(wait.until, wait.told(key)) for key, wait in waits.waits.items()}
        return Attempts(by_key, moment + timedelta(seconds=self._pause_s))

    async def _reconcile(self, current: Current) -> tuple[HostResult, HostView, Turn] | None:
        """What a pass did, what it saw first, and what waits after it; None when nothing was begun, for limits or wishes moved
        meanwhile."""
        elsewhere = self.tally.elsewhere(self.host)
        planned = await self._unless_stopped(
            plan_hosts(self.setting, current.desired, current.source, self.connections, (self.host,), elsewhere)
        )
        # Nothing is awaited between asking what others take and noting what this plan takes, so no limit is passed twice.
        if planned is None or self.current().source != current.source or self.tally.elsewhere(self.host) != elsewhere:
            self._wake.set()
            return None
        plan = planned.plan.hosts[0]
        view = planned.views[self.host]
        self.tally.add(self.host, taken(plan))
        for action in drifted(view, plan):
            self.log.warning("drift", host=self.host, key=str(action.key), why=action.why, report_only=action.report_only)
        ran, revision = plan, current.source.revision

        def permitted(plan: HostPlan) -> HostPlan:
            nonlocal ran
            # One that was made anew under the lock may take what nobody has counted yet, by what others took before.
            if self.tally.lacks(self.host, taken(plan)) and self.tally.elsewhere(self.host) != elsewhere:
                self._wake.set()
                ran = replace(plan, actions=())
                return ran
            self.tally.add(self.host, taken(plan))
            ran = self._backoff.turn(plan, revision, self.clock()).plan
            return ran

        result = await apply_host(
            self.setting,
            planned,
            plan,
            current.desired,
            self.connections,
            self.journal,
            LogProgress(self.log),
            self._stop_pass,
            elsewhere,
            permitted=permitted,
        )
        self._backoff.note(ran, result.outcomes, result.final, revision, self.clock())
        return result, view, self._backoff.turn(result.final, revision, self.clock())

    async def _unless_stopped(self, look: Coroutine[Any, Any, Result]) -> Result | None:
        """What a look gives; None when the pass is to end, for a look that is no longer wanted can be given up anywhere."""
        looking = asyncio.ensure_future(look)
        stopped = asyncio.ensure_future(self._stop_pass.wait())
        try:
            await asyncio.wait((looking, stopped), return_when=asyncio.FIRST_COMPLETED)
            return None if self._stop_pass.is_set() else looking.result()
        finally:
            for task in (looking, stopped):
                task.cancel()
            await asyncio.gather(looking, stopped, return_exceptions=True)
