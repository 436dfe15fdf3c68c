"""`reconciler history`: what ran, by which revision, when, for how long, and with what result; no host is contacted."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli.options import given_key, output_option, state_directory, state_option

if TYPE_CHECKING:
    from reconciler.store.history import Entry

FORMAT = "reconciler.history/v1"


@click.command("history")
@click.argument("target", metavar="[KEY|HOST]", required=False)
@state_option
@output_option
@click.option(
    "--since", metavar="WHEN", help="Only what began since: a duration (2h, 7d) or a time (2026-01-31, 2026-01-31T08:00Z)."
)
@click.option(
    "--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="Show so many of the newest entries."
)
@click.option("--commands", "show_commands", is_flag=True, help="Show the commands too.")
def command(target: str | None, state: Path | None, output: str, since: str | None, limit: int, show_commands: bool) -> int:
    """Show what was run: on all hosts, on one HOST, or on one object (KEY: host/Kind/name); the newest last.

    Read from the state directory's journal, which keeps the last 10,000 actions of at most 90 days; no host is contacted.

    \b
    Examples:
      reconciler history
      reconciler history hv01 --since 2h --commands
      reconciler history hv01/Dataset/tank/web --output json
    """
    from reconciler.cli.output import print_json
    from reconciler.model.errors import ExitCode
    from reconciler.planning.words import moment, printable
    from reconciler.store.database import Database
    from reconciler.store.history import history

    place = state_directory(state)
    key = given_key(target) if target is not None and "/" in target else None
    host = target if key is None else None
    begun = _since(since, datetime.now(UTC)) if since is not None else 0.0
    database = Database.open_existing(place)
    found = () if database is None else history(database, host=host, key=key, since=begun, limit=limit)
    if database is not None:
        database.close()
    if output == "json":
        print_json({"format": FORMAT, "entries": [entry_document(entry) for entry in found]})
    else:
        for entry in found:
            for line in entry_lines(entry, show_commands=show_commands):
                click.echo(printable(line))
        if not found:
            after = f" since {moment(datetime.fromtimestamp(begun, UTC))}" if since is not None else ""
            click.echo(f"nothing of {target or 'any host'}{after} is in the journal of {place}", err=True)
    return ExitCode.CONVERGED


def entry_document(entry: "Entry") -> dict[str, Any]:
    """One entry of `reconciler.history/v1`; `state` is null where nothing is known of the end."""
    from reconciler.planning.render_json import timestamp

    document: dict[str, Any] = {
        "key": str(entry.key),
        "verb": entry.verb,
        "revision": entry.revision,
        "startedAt": timestamp(datetime.fromtimestamp(entry.started, UTC)),
        "state": entry.state,
        "attempts": entry.attempts,
        "commands": [list(argv) for argv in entry.commands],
    }
    if entry.ended is not None:
        document["durationSeconds"] = round(max(0.0, entry.ended - entry.started), 3)
    if entry.failure:
        document["failure"] = {"cause": entry.failure, "command": entry.failed_command, "remedy": entry.remedy}
    return document


def entry_lines(entry: "Entry", *, show_commands: bool) -> Iterator[str]:
    """When, at which revision, what, and how it ended; below that the commands and what failed."""
    import shlex

    from reconciler.planning.render_text import short_revision
    from reconciler.planning.words import moment

    when = moment(datetime.fromtimestamp(entry.started, UTC))
    if entry.ended is None:
        end = "no end is known: it is next, still runs, or was interrupted"
    else:
        tries = f" in {entry.attempts} attempts" if entry.attempts > len(entry.commands) else ""
        end = f"{entry.state} after {max(0.0, entry.ended - entry.started):.2f} s{tries}"
    yield f"{when}  {short_revision(entry.revision)}  {entry.verb} {entry.key}: {end}"
    if show_commands:
        for argv in entry.commands:
            yield f"    $ {shlex.join(argv)}"
    if entry.failure:
        yield f"    {entry.failure}"
    if entry.failed_command:
        yield f"    command: {entry.failed_command}"
    if entry.remedy:
        yield f"    remedy: {entry.remedy}"


def _since(text: str, now: datetime) -> float:
    """Seconds since the epoch; a time without a zone is UTC."""
    from reconciler.model.errors import InvalidValue
    from reconciler.model.quantity import parse_duration

    try:
        return now.timestamp() - parse_duration(text)
    except InvalidValue:
        pass
    except OverflowError:
        # Longer than any time that can be told.
        return 0.0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as wrong:
        hint = "write a duration (2h, 7d) or a time (2026-01-31, 2026-01-31T08:00Z)"
        raise click.UsageError(f"--since: {text!r} is neither a duration nor a time: {hint}") from wrong
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
