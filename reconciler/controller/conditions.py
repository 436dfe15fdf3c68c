"""Conditions: what a host and its objects are like after a pass, each with the time since when."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from reconciler.controller.passes import HostResult
from reconciler.model.errors import ExitCode
from reconciler.model.key import Key
from reconciler.model.outcome import OutcomeState
from reconciler.model.plan import Action, HostPlan
from reconciler.planning.render_json import timestamp
from reconciler.planning.view import HostView
from reconciler.planning.words import counted, listed

FORMAT = "reconciler.status/v1"


class ConditionType(StrEnum):
    READY = "Ready"
    DRIFTED = "Drifted"
    BLOCKED = "Blocked"
    UNREADABLE = "Unreadable"
    PENDING_RESTART = "PendingRestart"
    SOURCE_STALE = "SourceStale"


Condition = tuple[ConditionType, bool | None, str, str]
"""Type, whether it holds (None: we could not look), a reason in one word, and a message."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """When an object that failed is tried again (None: only after a change), and why not now."""

    at: datetime | None
    why: str

    def __str__(self) -> str:
        if self.at is None:
            return f"{self.why}; tried again after another commit, when another action is planned, or on SIGHUP"
        return f"next attempt at {timestamp(self.at)}: {self.why}"


@dataclass(frozen=True, slots=True)
class Attempts:
    """What waits on a host after failures, by key, and when its next pass comes by itself (None: no controller says so)."""

    by_key: Mapping[Key, Attempt] = field(default_factory=dict)
    next: datetime | None = None


NO_ATTEMPTS = Attempts()


def host_status(
    view: HostView,
    result: HostResult,
    applied: str,
    fetched: str,
    stale: str,
    now: datetime,
    before: Mapping[str, Any] | None,
    attempts: Attempts = NO_ATTEMPTS,
) -> dict[str, Any]:
    """One host's part of `reconciler.status/v1`. `stale` says why the source could not be read; `before` is the part of the
    pass before, from which a condition that still holds takes its time; `attempts` become members `nextAttempt`."""
    last = {condition["type"]: condition for condition in (before or {}).get("conditions", ())}
    objects = {entry["key"]: entry for entry in (before or {}).get("resources", ())}
    return {
        "host": result.host,
        "revision": {"fetched": fetched, "applied": applied},
        **_next_attempt(attempts.next),
        "conditions": [_document(condition, last, now) for condition in _host_conditions(view, result, stale, attempts)],
        "resources": [
            {
                "key": str(key),
                **_next_attempt(attempts.by_key[key].at if key in attempts.by_key else None),
                "conditions": [
                    _document(condition, {c["type"]: c for c in objects.get(str(key), {}).get("conditions", ())}, now)
                    for condition in conditions
                ],
            }
            for key, conditions in sorted(_object_conditions(view, result, attempts))
        ],
    }


def drifted(view: HostView, plan: HostPlan) -> tuple[Action, ...]:
    """Actions for objects that changed although their manifests did not."""
    return tuple(
        action
        for action in plan.actions
        if (row := view.ledger.get(action.key)) is not None
        and action.change.resource is not None
        and dict(row.fields) == dict(action.change.resource.fields)
        and row.lifecycle == action.change.resource.lifecycle
    )


def _host_conditions(view: HostView, result: HostResult, stale: str, attempts: Attempts) -> Iterable[Condition]:
    final = result.final
    blind = "; ".join(trouble.cause for trouble in final.unreadable)
    yield _ready(result, attempts)
    drift = drifted(view, final)
    if drift:
        yield ConditionType.DRIFTED, True, "Drift", _names(action.key for action in drift)
    else:
        looked = not (blind or final.wrong_host)
        yield ConditionType.DRIFTED, False if looked else None, "None" if looked else "Unreadable", ""
    refused = bool(final.blocked or final.wrong_host)
    yield (
        ConditionType.BLOCKED,
        refused,
        "Refused" if refused else "None",
        _names(b.key for b in final.blocked) or final.wrong_host,
    )
    yield ConditionType.UNREADABLE, bool(blind), "Failed" if blind else "None", blind
    waiting = final.pending_restart
    yield (
        ConditionType.PENDING_RESTART,
        bool(waiting),
        "Staged" if waiting else "None",
        _names(key for key, _ in waiting),
    )
    yield ConditionType.SOURCE_STALE, bool(stale), "Unavailable" if stale else "None", stale


def _ready(result: HostResult, attempts: Attempts) -> Condition:
    final = result.final
    failed = [outcome for outcome in result.outcomes if outcome.state is not OutcomeState.SUCCEEDED]
    if result.trouble is not None:
        reason = "Locked" if result.trouble.exit_code == ExitCode.LOCKED else "NotApplied"
        message = result.trouble.cause
    elif result.is_converged:
        reason, message = "Converged", "the host is as the source says"
    elif final.unreadable:
        reason, message = "Unreadable", final.unreadable[0].cause
    elif final.wrong_host:
        reason, message = "WrongHost", final.wrong_host
    elif failed:
        cause = failed[0].failure.cause if failed[0].failure is not None else str(failed[0].state)
        reason, message = "ActionFailed", f"{failed[0].key}: {cause}"
    elif attempts.by_key:
        key = min(attempts.by_key)
        others = f", and {counted(len(attempts.by_key) - 1, 'other')}" if len(attempts.by_key) > 1 else ""
        reason, message = "BackingOff", f"{key}{others}: {attempts.by_key[key]}"
    elif final.blocked:
        reason, message = "Blocked", f"{final.blocked[0].key}: {final.blocked[0].cause}"
    else:
        reason, message = "Pending", f"{counted(len(final.runnable), 'action')} pending"
    return ConditionType.READY, result.is_converged, reason, message


def _object_conditions(view: HostView, result: HostResult, attempts: Attempts) -> Iterable[tuple[Key, list[Condition]]]:
    """Only objects about which there is something to say."""
    said: dict[Key, list[Condition]] = {}
    for item in result.final.blocked:
        said.setdefault(item.key, []).append((ConditionType.BLOCKED, True, item.reason, item.cause))
    for action in drifted(view, result.final):
        said.setdefault(action.key, []).append((ConditionType.DRIFTED, True, "Drift", action.why))
    pending = {action.key for action in result.final.runnable}
    for outcome in result.outcomes:
        if outcome.state is not OutcomeState.SUCCEEDED and outcome.key in pending:
            cause = outcome.failure.cause if outcome.failure is not None else str(outcome.state)
            said.setdefault(outcome.key, []).append((ConditionType.READY, False, "ActionFailed", cause))
    failed_now = {outcome.key for outcome in result.outcomes if outcome.state is not OutcomeState.SUCCEEDED}
    for key, attempt in attempts.by_key.items():
        if key not in failed_now:
            said.setdefault(key, []).append((ConditionType.READY, False, "BackingOff", str(attempt)))
    for key, fields in result.final.pending_restart:
        said.setdefault(key, []).append((ConditionType.PENDING_RESTART, True, "Staged", _staged(fields)))
    for miss in result.final.misses:
        said.setdefault(miss.key, []).append((ConditionType.READY, False, "ExpectationMissed", miss.cause))
    return said.items()


def _staged(fields: Sequence[str]) -> str:
    acts = "acts" if len(fields) == 1 else "act"
    return f"{listed(list(fields))} {acts} at its next boot; reboot it, or permit that with lifecycle.disruption: restart"


def _next_attempt(at: datetime | None) -> dict[str, str]:
    return {} if at is None else {"nextAttempt": timestamp(at)}


def _document(condition: Condition, last: Mapping[str, Mapping[str, Any]], now: datetime) -> dict[str, Any]:
    kind, holds, reason, message = condition
    status = "Unknown" if holds is None else str(holds)
    known = last.get(kind)
    since = known["since"] if known is not None and known["status"] == status else timestamp(now)
    return {"type": kind, "status": status, "reason": reason, "message": message, "since": since}


def _names(keys: Iterable[Key]) -> str:
    return ", ".join(sorted(str(key.object) for key in keys))
