"""The explanation behind `reconciler why`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from reconciler.cli.history import entry_document, entry_lines
from reconciler.cli.options import given_key
from reconciler.cli.output import print_json
from reconciler.model.errors import ExitCode, ReconcilerError
from reconciler.model.key import Key
from reconciler.model.ledger import LedgerRow
from reconciler.planning.render_json import timestamp
from reconciler.planning.render_text import short_revision
from reconciler.planning.words import printable, told_moment
from reconciler.store.database import Database
from reconciler.store.decisions import SETTLED, Decision, decisions_of
from reconciler.store.history import Entry, history, keys_in_history
from reconciler.store.ledger import ledger_of
from reconciler.store.status import status_of, statuses

FORMAT = "reconciler.why/v1"
MOST_ATTEMPTS = 5
_MOST_CLOSE = 3


@dataclass(frozen=True, slots=True)
class Known:
    """All that our state says about one key; `status` is its host's part of `reconciler.status/v1`."""

    key: Key
    row: LedgerRow | None
    decision: Decision | None
    status: dict[str, Any]
    attempts: tuple[Entry, ...]

    @property
    def origin(self) -> str:
        """Where its manifest stands as `path:line:column`; empty where it has none, or none is known."""
        if self.decision is not None:
            return str(self.decision.document.get("origin", ""))
        return self.row.origin if self.row is not None else ""


def explain(text: str, state: Path, *, output: str) -> int:
    """Prints what is known of a key. ReconcilerError when that is nothing."""
    key = given_key(text)
    database = Database.open_existing(state)
    if database is None:
        raise ReconcilerError(
            f"there is no state in {state} yet", remedy="run `reconciler apply` or `reconciler run`, or name it with --state"
        )
    try:
        known = _known(database, key)
    finally:
        database.close()
    if output == "json":
        print_json(_document(known))
    else:
        for line in _lines(known):
            click.echo(printable(line))
    return ExitCode.CONVERGED


def _known(database: Database, key: Key) -> Known:
    rows, decided = ledger_of(database, key.host), decisions_of(database, key.host)
    status = status_of(database, key.host)
    attempts = history(database, key=key, limit=MOST_ATTEMPTS)
    if status is None and not attempts:
        hosts = ", ".join(str(entry["host"]) for entry in statuses(database)) or "none"
        raise ReconcilerError(f"no pass over host {key.host} has been recorded", remedy=f"hosts that we know are: {hosts}")
    if key not in rows and key not in decided and not attempts:
        raise _unknown(key, status or {}, rows.keys() | decided.keys() | keys_in_history(database, key.host))
    return Known(key, rows.get(key), decided.get(key), status or {}, attempts)


def _unknown(key: Key, status: dict[str, Any], known: set[Key]) -> ReconcilerError:
    close = get_close_matches(str(key), [str(other) for other in sorted(known)], _MOST_CLOSE)
    last = f" when {key.host} was last looked at ({told_moment(status['lastPass']['at'])})" if "lastPass" in status else ""
    look = f"if it is on the host it is unmanaged: `reconciler observe --host {key.host}` shows it"
    return ReconcilerError(
        f"nothing is known of {key}: no manifest named it{last}",
        remedy=f"did you mean {', '.join(close)}? Else, {look}" if close else look,
    )


def _decision(known: Known) -> dict[str, Any]:
    """The decision as a document; what is only in the ledger is as wanted."""
    if known.decision is not None:
        since = timestamp(datetime.fromtimestamp(known.decision.since, UTC))
        return {**{name: value for name, value in known.decision.document.items() if name != "origin"}, "since": since}
    return {"decision": SETTLED if known.row is not None else "absent"}


def _document(known: Known) -> dict[str, Any]:
    """`reconciler.why/v1`."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "key": str(known.key),
        "manifest": None,
        "decision": _decision(known),
        "conditions": _conditions(known),
        "host": {
            "host": known.key.host,
            "conditions": known.status.get("conditions", []),
            **({"lastPass": known.status["lastPass"]} if "lastPass" in known.status else {}),
        },
        "attempts": [entry_document(entry) for entry in known.attempts],
    }
    if known.origin:
        path, line, column = known.origin.rsplit(":", 2)
        document["manifest"] = {"path": path, "line": int(line), "column": int(column), "revision": _revision(known)}
    if known.row is not None:
        document["appliedRevision"] = known.row.revision
    if "nextAttempt" in known.status:
        document["nextAttempt"] = known.status["nextAttempt"]
    return document


def _revision(known: Known) -> str:
    """The revision of the last pass, in which the manifest stood there."""
    return str(known.status.get("lastPass", {}).get("revision", "")) or (known.row.revision if known.row is not None else "")


def _conditions(known: Known) -> list[dict[str, Any]]:
    found = (entry["conditions"] for entry in known.status.get("resources", ()) if entry["key"] == str(known.key))
    return list(next(found, []))


def _lines(known: Known) -> Iterator[str]:
    yield str(known.key)
    where = f"{known.origin} at {short_revision(_revision(known))}" if known.origin else "none"
    yield f"  manifest   {where}"
    if known.row is not None:
        yield f"  applied    as of {short_revision(known.row.revision)}"
    yield from _decision_lines(_decision(known), known.origin)
    if known.row is None and known.attempts and (last := known.attempts[-1]).verb == "trash" and last.state == "succeeded":
        yield f"             it went to the trash; `reconciler trash restore {known.key}` brings it back, if nobody purged it"
    for condition in _conditions(known):
        yield f"  condition  {_condition(condition)}"
        if condition["type"] == "PendingRestart":
            yield f"             {condition['message']}"
    yield from _host_lines(known)
    if known.attempts:
        yield "  attempts   the newest last"
    for entry in known.attempts:
        for line in entry_lines(entry, show_commands=False):
            yield f"    {line}"


def _decision_lines(decision: dict[str, Any], origin: str) -> Iterator[str]:
    since = f" since {told_moment(decision['since'])}" if "since" in decision else ""
    match decision["decision"]:
        case "blocked":
            yield f"  decision   {decision['verb']} is BLOCKED: {decision['reason']}{since}"
            yield f"             {decision['cause']}"
            if decision.get("place", origin) != origin:
                yield f"             at {decision['place']}"
            yield f"             remedy: {decision['remedy']}"
        case "pending" | "reportOnly" as word:
            said = "is pending" if word == "pending" else "is only reported (lifecycle.mode: report), will not run"
            yield f"  decision   {decision['verb']} {said}{since}, because {decision['why']}"
            for field in decision["fields"]:
                yield f"             {field['name']}: {field['before']} -> {field['after']}"
            if "outcome" in decision:
                yield f"             the last attempt {decision['outcome']}: {decision.get('cause', 'no cause is known')}"
            if "command" in decision:
                yield f"             command: {decision['command']}"
            if "remedy" in decision:
                yield f"             remedy: {decision['remedy']}"
        case "expectationMissed":
            for miss in decision["misses"]:
                yield f"  decision   an expectation does not hold{since}: {miss['field']}: {miss['cause']}"
        case "ignored":
            yield f"  decision   ignored{since} (mode: ignore): neither compared nor removed"
        case "observedOnly":
            yield "  decision   only observed; what is expected of it holds"
        case "absent":
            yield "  decision   none: no manifest names it, and we manage nothing of that name"
        case _:
            yield "  decision   as wanted when last looked at; nothing to do"
    for released in decision.get("released", ()):
        yield f"             {released['field']} was released{since}: it stays {released['value']} on the host"


def _host_lines(known: Known) -> Iterator[str]:
    status = known.status
    if "lastPass" in status:
        last = status["lastPass"]
        yield f"  host       last pass at {told_moment(last['at'])} over {short_revision(last['revision'])}"
    for condition in status.get("conditions", ()):
        if condition["status"] == ("False" if condition["type"] == "Ready" else "True"):
            yield f"             {_condition(condition)}: {condition['message']}"
    upcoming = status.get("nextAttempt")
    yield f"  next       {f'pass at {told_moment(upcoming)}' if upcoming else 'with the next `reconciler apply`'}"


def _condition(condition: dict[str, Any]) -> str:
    return f"{condition['type']} {condition['status']} ({condition['reason']}) since {told_moment(condition['since'])}"
