"""The loop of one host: woken by a commit, a timer or a signal, it looks at everything each time."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reconciler.controller.applying import keep_status, taken
from reconciler.controller.conditions import drifted
from reconciler.controller.log import Log, LogProgress, tell_result
from reconciler.controller.passes import Connections, HostResult, Setting, apply_host, plan_hosts
from reconciler.controller.schedule import Schedule
from reconciler.model.command import RetryClass
from reconciler.model.desired import Desired
from reconciler.model.errors import ReconcilerError
from reconciler.model.key import Key
from reconciler.model.lifecycle import Mode
from reconciler.model.outcome import OutcomeState
from reconciler.model.plan import PlanSource
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

    def add(self, host: str, removals: Mapping[Key, int]) -> None:
        """Notes what a host's plan takes, as bytes by key. That adds up over its passes; what is tried again counts once."""
        if removals:
            self.by_host.setdefault(host, {}).update(removals)


@dataclass
class HostLoop:
    """One host's passes, one after another. `current` gives what is in force when a pass begins."""

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
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _stop_pass: asyncio.Event = field(default_factory=asyncio.Event)
    _failures: int = 0
    _pause_s: float = 0.0
    _retired: bool = False
    _told_trouble: str = ""

    def wake(self, *, newer: bool) -> None:
        """Asks for a pass now; `newer` ends one under way at a safe point, for what it works towards is out of date."""
        self._wake.set()
        if newer:
            self._stop_pass.set()

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
        current = self.current()
        self._pause_s = self.schedule.next_look_s(self._failures)
        if self.host not in current.desired.hosts or current.desired.hosts[self.host].mode is Mode.IGNORE:
            return
        try:
            done = await self._reconcile(current)
            if done is None:
                return
            result, view = done
            self._rest(has_failed=_worth_retrying(result))
            revision = current.source.revision
            keep_status(self.setting, view, result, revision, self.fetched(), self.stale(), self._pause_s)
            # A writer that works for long is told of once, not at each try.
            if result.trouble is None or result.trouble.cause != self._told_trouble:
                tell_result(self.log, result, current.source.revision)
            self._told_trouble = result.trouble.cause if result.trouble is not None else ""
        except ReconcilerError as trouble:
            self._rest(has_failed=True)
            self.log.error("pass failed", host=self.host, cause=trouble.cause, remedy=trouble.remedy)
        except Exception as bug:  # noqa: BLE001 — one host's trouble must not end the loop; it is told and tried again
            self._rest(has_failed=True)
            cause = f"internal error: {type(bug).__name__}: {bug}"
            self.log.error("pass failed", host=self.host, cause=cause, remedy="please report it")

    def _rest(self, *, has_failed: bool) -> None:
        """Says how long to wait after a pass: the longer, the more passes in a row should be tried again soon."""
        self._failures = self._failures + 1 if has_failed else 0
        self._pause_s = self.schedule.next_look_s(self._failures)

    async def _reconcile(self, current: Current) -> tuple[HostResult, HostView] | None:
        """What a pass did, and what it saw first; None when nothing was begun, for limits or wishes moved meanwhile."""
        elsewhere = self.tally.elsewhere(self.host)
        planned = await plan_hosts(self.setting, current.desired, current.source, self.connections, (self.host,), elsewhere)
        # Nothing is awaited between asking what others take and noting what this plan takes, so no limit is passed twice.
        if self._stop_pass.is_set() or self.current().source != current.source or self.tally.elsewhere(self.host) != elsewhere:
            self._wake.set()
            return None
        plan = planned.plan.hosts[0]
        view = planned.views[self.host]
        self.tally.add(self.host, taken(plan))
        for action in drifted(view, plan):
            self.log.warning("drift", host=self.host, key=str(action.key), why=action.why, report_only=action.report_only)
        progress = LogProgress(self.log)
        result = await apply_host(
            self.setting, planned, plan, current.desired, self.connections, self.journal, progress, self._stop_pass, elsewhere
        )
        # A plan that was made anew under the lock may take other things.
        if result.ran is not None:
            self.tally.add(self.host, taken(result.ran))
        return result, view


def _worth_retrying(result: HostResult) -> bool:
    """Whether another pass soon may get further: something failed that time may mend, or could not be read."""
    again = (RetryClass.NOW, RetryClass.LATER, RetryClass.LOOK_AGAIN)
    failed = any(
        outcome.state in (OutcomeState.FAILED, OutcomeState.UNKNOWN)
        and (outcome.failure is None or outcome.failure.retry in again)
        for outcome in result.outcomes
    )
    return (
        result.trouble is not None
        or failed
        or bool(result.final.unreadable)
        or (bool(result.final.runnable) and not result.outcomes)
    )
