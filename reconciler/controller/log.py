"""What the controller says: constant event names with key-values; a console on a terminal, JSON otherwise."""

import contextlib
import logging
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from reconciler.controller.passes import HostResult
from reconciler.model.desired import Finding, Severity
from reconciler.model.outcome import Outcome, OutcomeState
from reconciler.model.plan import Action

Log = structlog.typing.FilteringBoundLogger


def controller_log(stream: TextIO) -> Log:
    """A logger that writes to `stream`, one line per event."""
    processors: list[Any] = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    if stream.isatty():
        processors.append(structlog.dev.ConsoleRenderer())
    else:
        processors += [_told_first, structlog.processors.JSONRenderer()]
    log: Log = structlog.wrap_logger(
        _Lines(stream),
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    return log


class _Lines:
    """Writes whole lines. Where nobody reads any more they are lost: the work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        with contextlib.suppress(OSError):
            self._stream.write(f"{line}\n")
            self._stream.flush()

    debug = info = warning = error = msg


def _told_first(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """When, how grave and what, before the rest: a line is read from the left."""
    return {name: event.pop(name) for name in ("timestamp", "level", "event")} | dict(event)


class LogProgress:
    """Each action that ends, as one event."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def started(self, action: Action) -> None:
        self._log.debug("action started", key=str(action.key), verb=action.verb.value, why=action.why)

    def told(self, action: Action, line: str) -> None:
        self._log.debug("action goes on", key=str(action.key), verb=action.verb.value, progress=line)

    def ended(self, action: Action, outcome: Outcome) -> None:
        said: dict[str, Any] = {
            "key": str(action.key),
            "verb": action.verb.value,
            "state": outcome.state.value,
            "seconds": outcome.duration_s,
        }
        if outcome.failure is not None:
            said |= {"cause": outcome.failure.cause, "command": outcome.command, "remedy": outcome.failure.remedy}
        if outcome.state is OutcomeState.SUCCEEDED:
            self._log.info("action ended", **said)
        else:
            self._log.error("action ended", **said)


def tell_finding(log: Log, finding: Finding) -> None:
    """What validation found in a revision, with its place."""
    said = {"place": f"{finding.path}:{finding.line}:{finding.column}", "cause": finding.cause, "remedy": finding.remedy}
    if finding.subject:
        said["subject"] = finding.subject
    if finding.severity is Severity.ERROR:
        log.error("invalid", **said)
    else:
        log.warning("doubtful", **said)


def tell_result(log: Log, result: HostResult, revision: str) -> None:
    """How a pass over one host has ended, as one event for each thing that stands in the way and one for the whole."""
    final = result.final
    if result.trouble is not None:
        log.error("not applied", host=result.host, cause=result.trouble.cause, remedy=result.trouble.remedy)
    for trouble in final.unreadable:
        log.error("unreadable", host=result.host, provider=trouble.provider, cause=trouble.cause, remedy=trouble.remedy)
    if final.wrong_host:
        log.error("wrong host", host=result.host, cause=final.wrong_host)
    for item in final.blocked:
        log.warning("blocked", key=str(item.key), verb=item.verb, cause=item.cause, remedy=item.remedy)
    counts = {"actions": len(result.outcomes), "blocked": len(final.blocked), "pending": len(final.runnable)}
    event = "converged" if result.is_converged else "not converged"
    log.info(event, host=result.host, revision=revision[:19], **{name: count for name, count in counts.items() if count})
