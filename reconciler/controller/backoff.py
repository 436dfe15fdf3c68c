"""Back-off per object: which actions of a plan wait after a failure, until when, and how many retries a host is asked for.

Pure: the time and randomness come from outside. Kept in memory only: a new process tries everything once.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconciler.controller.schedule import Schedule
from reconciler.model.command import RetryClass
from reconciler.model.key import Key
from reconciler.model.outcome import Outcome, OutcomeState
from reconciler.model.plan import Action, HostPlan

RETRIES, RETRIES_WITHIN_S = 30, 600.0
"""A host with many bad objects is asked for that many retries at once, and for one more each 20 s. First attempts are free."""

TOGETHER_S = 0.25
"""What is due so soon after a pass goes along with it: each pass looks at the whole host."""

_PENDING_STILL = "its commands ended well, and the host is still not as wanted"


@dataclass(frozen=True, slots=True)
class Wait:
    """Why an action is left out for now. `until` is a time of the caller's clock, None where only a change helps.

    `failed` is the object whose failure is waited for: the action's own, or one that must come first.
    """

    failed: Key
    failures: int
    cause: str
    until: float | None
    is_over_budget: bool = False

    def told(self, key: Key) -> str:
        """Why `key` waits, in words."""
        times = "once" if self.failures == 1 else f"{self.failures} times"
        spent = (
            f" (the host's {RETRIES} retries in {RETRIES_WITHIN_S / 60:.0f} minutes are used up)" if self.is_over_budget else ""
        )
        who = "failed" if key == self.failed else f"waits for {self.failed}, which failed"
        return f"{who} {times}{spent}: {self.cause}"


@dataclass(frozen=True, slots=True)
class Turn:
    """What of a plan may run now, and what waits, by key."""

    plan: HostPlan
    waits: Mapping[Key, Wait]

    @property
    def next_attempt(self) -> float | None:
        """When the first of those that wait for a time is due."""
        return min((wait.until for wait in self.waits.values() if wait.until is not None), default=None)


@dataclass
class Budget:
    """A token bucket of retries; one that is full holds RETRIES."""

    _left: float = float(RETRIES)
    _at: float = 0.0

    def left(self, now: float) -> float:
        return min(float(RETRIES), self._left + (now - self._at) * RETRIES / RETRIES_WITHIN_S)

    def whole(self, now: float) -> int:
        """How many retries there are now. A time that was computed from the bucket may fall short of it by a rounding."""
        return int(self.left(now) + 1e-6)

    def spend(self, count: int, now: float) -> None:
        self._left, self._at = max(0.0, self.left(now) - count), now

    def until(self, number: int, now: float) -> float:
        """When the bucket will hold `number` more than it can give now."""
        return now + (number - self.left(now) % 1) * RETRIES_WITHIN_S / RETRIES


@dataclass(frozen=True, slots=True)
class _Failed:
    """The last failure of an object: what was left to do after it (`action_id`), and the wish behind that."""

    action_id: str
    wish: object
    revision: str
    failures: int
    cause: str
    due: float


@dataclass
class Backoff:
    """One host's failed objects. Pauses grow from FIRST_RETRY_S to the schedule's interval, with its jitter.

    A failure that needs a person or a commit waits until the revision or the action changes. An action that has become another
    one need not wait either, but its failures still count; a manifest that wants something else begins anew.
    """

    schedule: Schedule
    budget: Budget = field(default_factory=Budget)
    _failed: dict[Key, _Failed] = field(default_factory=dict)

    def forget(self) -> None:
        """Lets everything be tried at once, as if nothing had failed."""
        self._failed.clear()
        self.budget = Budget()

    def turn(self, plan: HostPlan, revision: str, now: float) -> Turn:
        """Splits a plan into what may run now and what waits; what depends on something that waits does so too."""
        waits: dict[str, Wait] = {}
        due: list[tuple[float, Action, _Failed]] = []
        for action in plan.runnable:
            failed = self._failure_of(action)
            if failed is None:
                continue
            moved = failed.action_id != action.id or (math.isinf(failed.due) and failed.revision != revision)
            at = min(failed.due, now) if moved else failed.due
            if at > now + TOGETHER_S:
                waits[action.id] = Wait(action.key, failed.failures, failed.cause, None if math.isinf(at) else at)
            else:
                due.append((at, action, failed))
        due.sort(key=lambda entry: entry[0])
        for number, (_, action, failed) in enumerate(due[self.budget.whole(now) :], start=1):
            until = self.budget.until(number, now)
            waits[action.id] = Wait(action.key, failed.failures, failed.cause, until, is_over_budget=True)
        for action in plan.runnable:
            before = next((waits[earlier] for earlier in action.after if earlier in waits), None)
            if before is not None:
                waits.setdefault(action.id, before)
        if not waits:
            return Turn(plan, {})
        now_run = tuple(action for action in plan.actions if action.id not in waits)
        return Turn(replace(plan, actions=now_run), {a.key: waits[a.id] for a in plan.actions if a.id in waits})

    def note(self, ran: HostPlan, outcomes: Sequence[Outcome], final: HostPlan, revision: str, now: float) -> None:
        """Learns from what became of a plan's actions. `final` is the plan of the look after them: an object that it has
        nothing to do for is as wanted, whatever its commands said; one that it has, has failed."""
        actions = {action.id: action for action in ran.actions}
        left = {action.key: action for action in final.runnable}
        is_blind = bool(final.unreadable or final.wrong_host)
        retries = 0
        for outcome in outcomes:
            if outcome.state in (OutcomeState.SKIPPED, OutcomeState.CANCELLED):
                continue
            action = actions[outcome.action_id]
            earlier = self._failure_of(action)
            retries += earlier is not None
            self._failed.pop(action.key, None)
            has_failed = outcome.state is not OutcomeState.SUCCEEDED
            pending = left.get(action.key, action if is_blind and has_failed else None)
            if pending is not None:
                failures = 1 if earlier is None else earlier.failures + 1
                due = math.inf if _needs_a_person(outcome) else now + self.schedule.next_look_s(failures)
                cause = outcome.failure.cause if outcome.failure is not None else _PENDING_STILL
                self._failed[action.key] = _Failed(pending.id, _wish(pending), revision, failures, cause, due)
        self.budget.spend(retries, now)
        if not is_blind:
            self._failed = {key: failed for key, failed in self._failed.items() if key in left}

    def _failure_of(self, action: Action) -> _Failed | None:
        """The failure that an action has behind it; None when something else is wanted of the object now."""
        failed = self._failed.get(action.key)
        return failed if failed is not None and failed.wish == _wish(action) else None


def _needs_a_person(outcome: Outcome) -> bool:
    failure = outcome.failure
    return outcome.state is OutcomeState.FAILED and failure is not None and failure.retry is RetryClass.NEVER


def _wish(action: Action) -> object:
    """What a manifest says, wherever it stands in its file; None where the object is to go."""
    resource = action.change.resource
    return None if resource is None else (dict(resource.fields), resource.lifecycle, resource.created_with)
