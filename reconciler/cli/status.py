"""`reconciler status`: what the last passes left behind, from our own state; no host is contacted."""

from pathlib import Path
from typing import Any

import click

from reconciler.cli.options import output_option, state_directory, state_option
from reconciler.cli.output import print_json
from reconciler.model.errors import ExitCode
from reconciler.planning.render_text import short_revision
from reconciler.planning.words import printable, told_moment
from reconciler.store.database import Database
from reconciler.store.status import statuses

FORMAT = "reconciler.status/v1"


@click.command("status")
@state_option
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="Only this host; may be repeated.")
@output_option
def command(state: Path | None, hosts: tuple[str, ...], output: str) -> int:
    """Show the conditions of each host as the last pass left them.

    Read from the state directory; no host is contacted. Ends with 1 when there is no state yet.

    \b
    Ready           the host is as the source says; else why not
    Drifted         something differs that nobody committed
    Blocked         changes are refused; `reconciler plan` says why
    Unreadable      the host, or a part of it, could not be looked at
    PendingRestart  changes of guests are stored and act at their next boot
    SourceStale     the newest revision could not be taken; the last good one is kept

    \b
    Examples:
      reconciler status
      reconciler status --host hv01 --output json
    """
    place = state_directory(state)
    database = Database.open_existing(place)
    found = [] if database is None else [entry for entry in statuses(database) if not hosts or entry["host"] in hosts]
    if database is not None:
        database.close()
    if output == "json":
        print_json({"format": FORMAT, "hosts": found})
    elif not found:
        over = f" over {', '.join(hosts)}" if hosts else ""
        click.echo(f"no pass{over} has been recorded in {place}; run `reconciler apply` or `reconciler run`", err=True)
    else:
        for entry in found:
            _print(entry)
    return ExitCode.CONVERGED if found else ExitCode.ERROR


def _print(entry: dict[str, Any]) -> None:
    conditions = {condition["type"]: condition for condition in entry["conditions"]}
    ready = conditions["Ready"]
    applied = short_revision(entry["revision"]["applied"]) or "none"
    word = "ready" if ready["status"] == "True" else "NOT READY"
    again = f", next attempt at {told_moment(entry['nextAttempt'])}" if word != "ready" and "nextAttempt" in entry else ""
    click.echo(f"{entry['host']}: {word} since {told_moment(ready['since'])}, at {applied}{again}")
    for condition in entry["conditions"]:
        bad = "False" if condition["type"] == "Ready" else "True"
        if condition["status"] == bad:
            click.echo(printable(f"  {condition['type']} {condition['reason']}: {condition['message']}"))
    for resource in entry["resources"]:
        for condition in resource["conditions"]:
            click.echo(printable(f"  {resource['key']}  {condition['reason']}: {condition['message']}"))
