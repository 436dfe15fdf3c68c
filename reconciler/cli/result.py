"""What an apply did, as text, as `reconciler.result/v1`, and as an exit code."""

from collections.abc import Iterable, Sequence
from typing import Any

from reconciler.controller.passes import HostResult
from reconciler.model.errors import ExitCode, ReconcilerError
from reconciler.model.outcome import Outcome, OutcomeState
from reconciler.model.plan import HostPlan, Plan
from reconciler.planning.render_json import blocked_document
from reconciler.planning.words import counted

PRECEDENCE = (
    ExitCode.ERROR,
    ExitCode.LOCKED,
    ExitCode.UNREADABLE,
    ExitCode.STALE,
    ExitCode.FAILED,
    ExitCode.BLOCKED,
    ExitCode.PENDING,
    ExitCode.CONVERGED,
)
"""Of several ends the first that applies (wrong usage has ended the command before)."""


def plan_exit_code(plan: Plan, *, tell_pending: bool) -> int:
    """The end of `plan`: unreadable, blocked, pending (only where asked for), else 0."""
    return worst(_plan_ends(plan.hosts, tell_pending=tell_pending))


def result_exit_code(results: Sequence[HostResult]) -> int:
    """The end of `apply`: what failed counts before what is blocked."""
    ends = [ExitCode.CONVERGED]
    for result in results:
        if any(outcome.state is not OutcomeState.SUCCEEDED for outcome in result.outcomes):
            ends.append(ExitCode.FAILED)
        ends += _plan_ends((result.final,), tell_pending=False)
        if result.trouble is not None:
            ends.append(ExitCode(result.trouble.exit_code))
        if result.final.runnable:
            ends.append(ExitCode.FAILED)
    return worst(ends)


def result_document(revision: str, results: Sequence[HostResult]) -> dict[str, Any]:
    """`reconciler.result/v1`."""
    return {
        "format": "reconciler.result/v1",
        "revision": revision,
        "hosts": [
            {
                "host": result.host,
                "converged": result.is_converged,
                "outcomes": [_outcome(outcome) for outcome in result.outcomes],
                "blocked": [blocked_document(item) for item in result.final.blocked],
                **({"notApplied": _trouble(result.trouble)} if result.trouble is not None else {}),
            }
            for result in results
        ],
    }


def _trouble(trouble: ReconcilerError) -> dict[str, Any]:
    reason = "locked" if trouble.exit_code == ExitCode.LOCKED else "stale" if trouble.exit_code == ExitCode.STALE else "error"
    return {"reason": reason, "cause": trouble.cause, "remedy": trouble.remedy}


def result_text(result: HostResult) -> str:
    """One line for a host: its name, whether it is as the source says, and what did not go well."""
    if result.trouble is not None:
        return f"{result.host}: not applied, {counted(len(result.final.runnable), 'action')} still pending"
    parts = []
    for state in OutcomeState:
        count = sum(outcome.state is state for outcome in result.outcomes)
        if count and (state is not OutcomeState.SUCCEEDED or result.is_converged):
            parts.append(counted(count, "action") if state is OutcomeState.SUCCEEDED else f"{count} {state}")
    if result.is_converged:
        return f"{result.host}: converged" + (f" ({', '.join(parts)})" if parts else "")
    if result.final.blocked:
        parts.append(f"{len(result.final.blocked)} blocked")
    if result.final.unreadable:
        parts.append("unreadable")
    if result.final.wrong_host:
        parts.append("wrong host")
    if result.final.runnable:
        parts.append(f"{len(result.final.runnable)} still pending")
    return f"{result.host}: not converged: {', '.join(parts)}"


def _outcome(outcome: Outcome) -> dict[str, Any]:
    document: dict[str, Any] = {
        "actionId": outcome.action_id,
        "key": str(outcome.key),
        "state": outcome.state,
        "attempts": outcome.attempts,
        "durationSeconds": outcome.duration_s,
    }
    if outcome.failure is not None:
        document["failure"] = {
            "cause": outcome.failure.cause,
            "remedy": outcome.failure.remedy,
            "retry": outcome.failure.retry,
            "command": outcome.command,
        }
    return document


def _plan_ends(hosts: Iterable[HostPlan], *, tell_pending: bool) -> list[ExitCode]:
    ends = [ExitCode.CONVERGED]
    for host in hosts:
        if host.unreadable:
            ends.append(ExitCode.UNREADABLE)
        if host.blocked or host.wrong_host:
            ends.append(ExitCode.BLOCKED)
        if host.actions and tell_pending:
            ends.append(ExitCode.PENDING)
    return ends


def worst(ends: Iterable[ExitCode]) -> int:
    """Of several ends the first that applies."""
    found = set(ends)
    return next(end for end in PRECEDENCE if end in found)
