"""The passes behind `reconciler trash`."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from reconciler.cli.event_loop import run_async
from reconciler.cli.options import SourceChoice
from reconciler.cli.output import is_terminal, print_json, print_lines
from reconciler.cli.progress import progress
from reconciler.cli.result import worst
from reconciler.cli.signals import STOP_HINT, answering, stopping
from reconciler.cli.source import Loaded, chosen_hosts, loaded
from reconciler.controller.applying import working_state
from reconciler.controller.installed import installed_registry
from reconciler.controller.passes import Connections, Setting
from reconciler.controller.trash import TrashWork, WorkDone, carry_out_all, look_at_trash
from reconciler.model.desired import Desired
from reconciler.model.errors import ExitCode, InvalidValue, ReconcilerError
from reconciler.model.key import parse_key
from reconciler.model.lifecycle import Mode
from reconciler.model.outcome import OutcomeState
from reconciler.model.plan import Plan
from reconciler.model.quantity import approximate_size, format_duration
from reconciler.planning.render_json import timestamp
from reconciler.planning.render_text import summary_text, work_lines
from reconciler.planning.trash import PURGE, RESTORE, TrashEntry, TrashVerb, plan_trash, trash_entries
from reconciler.planning.words import counted, printable
from reconciler.store.database import Database

FORMAT = "reconciler.trash/v1"

Choose = Callable[[Sequence[TrashEntry], datetime], Sequence[TrashEntry]]
Warn = Callable[[Loaded, Sequence[TrashEntry]], None]


def list_trash(choice: SourceChoice, state: Path, hosts: tuple[str, ...], *, output: str) -> int:
    """Prints what lies in the trash of the hosts."""
    with loaded(choice, state, installed_registry()) as wanted:
        found = run_async(_entries(wanted.desired, state, _hosts_to_see(wanted.desired, hosts)))
    now = datetime.now(UTC)
    if output == "json":
        print_json(
            {
                "format": FORMAT,
                "hosts": [
                    {"host": host, "entries": [_document(entry) for entry in of_host]} for host, of_host in found.items()
                ],
            }
        )
    elif not any(found.values()):
        click.echo("nothing lies in the trash")
    else:
        for host, of_host in found.items():
            if of_host:
                _print_host(host, of_host, now)
    return ExitCode.CONVERGED


def _hosts_to_see(desired: Desired, hosts: tuple[str, ...]) -> tuple[str, ...]:
    """The chosen hosts but those in mode ignore, which are not contacted; says which these are."""
    chosen = chosen_hosts(desired, hosts)
    for host in chosen:
        if desired.hosts[host].mode is Mode.IGNORE:
            click.echo(f"{host}: not looked at: its mode is ignore", err=True)
    return tuple(host for host in chosen if desired.hosts[host].mode is not Mode.IGNORE)


async def _entries(desired: Desired, state: Path, hosts: Sequence[str]) -> Mapping[str, tuple[TrashEntry, ...]]:
    connections, database = Connections(state), Database.open_existing(state)
    try:
        setting = Setting(installed_registry(), state, database, lambda: datetime.now(UTC))
        views = await look_at_trash(setting, desired, connections, hosts)
        return {host: trash_entries(view, desired.owner) for host, view in views.items()}
    finally:
        await connections.close()
        if database is not None:
            database.close()


def restore(what: str, choice: SourceChoice, state: Path, hosts: tuple[str, ...], *, only: bool, yes: bool) -> int:
    """Brings a key with its group, or a group, back."""

    def choose(entries: Sequence[TrashEntry], _now: datetime) -> Sequence[TrashEntry]:
        named = _named(what, entries)
        if only or not any(str(entry.key) == what for entry in named):
            return named
        first = named[0]
        if not first.trashed.group:
            # Its note does not say what went in with it.
            return named
        together = [e for e in entries if e.key.host == first.key.host and e.trashed.group == first.trashed.group]
        return [first, *(entry for entry in together if entry is not first and not entry.trashed.replaced)]

    def warn(wanted: Loaded, chosen: Sequence[TrashEntry]) -> None:
        for entry in chosen:
            if entry.key not in wanted.desired.resources.get(entry.key.host, {}):
                text = f"no manifest names {entry.key}: the next apply moves it to the trash again; put its manifest back"
                click.echo(printable(f"warning: {text}"), err=True)

    return _work(choice, state, hosts or _host_in(what), choose, RESTORE, "restored", warn, yes=yes)


def purge(what: str | None, choice: SourceChoice, state: Path, hosts: tuple[str, ...], *, everything: bool, yes: bool) -> int:
    """Destroys a key's object, a group, or (`what` None) all that has expired, or `everything`."""

    def choose(entries: Sequence[TrashEntry], now: datetime) -> Sequence[TrashEntry]:
        if what is not None:
            return _named(what, entries)
        if everything:
            return entries
        return [entry for entry in entries if entry.expires is not None and entry.expires <= now]

    nothing = "nothing lies in the trash" if everything else "nothing in the trash has expired"
    return _work(choice, state, hosts or _host_in(what or ""), choose, PURGE, "purged", nothing=nothing, yes=yes)


def _host_in(what: str) -> tuple[str, ...]:
    """The host that a key names, so that no other need be reached; none for a group."""
    try:
        return (parse_key(what).host,)
    except InvalidValue:
        return ()


def _named(what: str, entries: Sequence[TrashEntry]) -> Sequence[TrashEntry]:
    """The entries of a group, or the one of a key that went in last. ReconcilerError when there is none."""
    if what and (group := [entry for entry in entries if entry.trashed.group == what]):
        return [entry for entry in group if not entry.trashed.replaced] or group
    if mine := [entry for entry in entries if str(entry.key) == what]:
        return [next((entry for entry in mine if not entry.trashed.replaced), mine[0])]
    try:
        parse_key(what)
    except InvalidValue:
        raise ReconcilerError(
            f"no group {what} lies in the trash", remedy="name a key or a group as `reconciler trash list` shows it"
        ) from None
    raise ReconcilerError(f"{what} does not lie in the trash", remedy="`reconciler trash list` shows what does")


def _work(
    choice: SourceChoice,
    state: Path,
    hosts: tuple[str, ...],
    choose: Choose,
    verb: TrashVerb,
    done_word: str,
    warn: Warn = lambda _wanted, _chosen: None,
    *,
    nothing: str = "",
    yes: bool,
) -> int:
    """Looks, plans over what is chosen, shows, asks, and runs."""
    registry = installed_registry()
    with loaded(choice, state, registry) as wanted:
        concerned = _hosts_to_see(wanted.desired, hosts)
        return run_async(_plan_and_run(wanted, state, concerned, choose, verb, done_word, warn, nothing=nothing, yes=yes))


async def _plan_and_run(
    wanted: Loaded,
    state: Path,
    hosts: Sequence[str],
    choose: Choose,
    verb: TrashVerb,
    done_word: str,
    warn: Warn,
    *,
    nothing: str,
    yes: bool,
) -> int:
    stop = asyncio.Event()
    registry = installed_registry()
    async with working_state(registry, state, lambda: datetime.now(UTC)) as (setting, connections, journal):
        views = await look_at_trash(setting, wanted.desired, connections, hosts)
        entries = [entry for view in views.values() for entry in trash_entries(view, wanted.desired.owner)]
        chosen = choose(entries, setting.now())
        if not chosen:
            click.echo(nothing, err=True)
            return ExitCode.CONVERGED
        warn(wanted, chosen)
        concerned = {entry.key.host for entry in chosen}
        seen = [view for host, view in views.items() if host in concerned]
        made = plan_trash(verb, wanted.desired, seen, registry.kinds, wanted.source, setting.now(), chosen)
        for host in made.hosts:
            click.echo(host.host, err=True)
            print_lines(work_lines(host, registry.kinds), err=True)
        click.echo(summary_text(made), err=True)
        total = sum(len(host.runnable) for host in made.hosts)
        if total and not yes and not _confirmed():
            click.echo("declined; nothing was done", err=True)
            return ExitCode.ERROR
        with progress(total) as shown, stopping(stop.set, lambda text: click.echo(text, err=True), STOP_HINT) as stopped:
            work = TrashWork(wanted.desired, views, chosen, verb, made)
            done = await carry_out_all(setting, work, connections, journal, shown, stop)
        for end in done:
            _tell(end, done_word)
    return stopped.code or _exit_code(made, done)


def _tell(work: WorkDone, done_word: str) -> None:
    if work.trouble is not None:
        click.echo(f"error: {work.trouble}", err=True)
        return
    good = sum(outcome.state is OutcomeState.SUCCEEDED for outcome in work.outcomes)
    rest = f", {len(work.outcomes) - good} not" if good < len(work.outcomes) else ""
    click.echo(f"{work.host}: {counted(good, 'object')} {done_word}{rest}")


def _exit_code(made: Plan, done: Sequence[WorkDone]) -> int:
    ends = [ExitCode.BLOCKED if any(host.blocked for host in made.hosts) else ExitCode.CONVERGED]
    for work in done:
        if work.trouble is not None:
            ends.append(ExitCode(work.trouble.exit_code))
        if any(outcome.state is not OutcomeState.SUCCEEDED for outcome in work.outcomes):
            ends.append(ExitCode.FAILED)
    return worst(ends)


def _confirmed() -> bool:
    if not is_terminal(sys.stdin):
        raise click.UsageError("there is no terminal to ask on: give --yes to run the plan above")
    try:
        with answering():
            return click.confirm("Run this plan?", default=False, err=True)
    except click.Abort:
        return False


def _document(entry: TrashEntry) -> dict[str, Any]:
    removal = entry.observed.removal
    return {
        "key": str(entry.key),
        "name": entry.name.name,
        "group": entry.trashed.group,
        "trashedAt": timestamp(entry.at) if entry.at is not None else None,
        "expiresAt": timestamp(entry.expires) if entry.expires is not None else None,
        "replaced": entry.trashed.replaced,
        "bytes": removal.bytes if removal is not None else 0,
        "snapshots": len(removal.snapshots) if removal is not None else 0,
    }


def _print_host(host: str, entries: Sequence[TrashEntry], now: datetime) -> None:
    click.echo(f"{host}: {counted(len(entries), 'object')} in the trash")
    for group in dict.fromkeys(entry.trashed.group for entry in entries):
        click.echo(printable(f"  group {group or 'unknown'}"))
        for entry in (entry for entry in entries if entry.trashed.group == group):
            removal = entry.observed.removal
            size = approximate_size(removal.bytes) if removal is not None else "?"
            snapshots = f", {counted(len(removal.snapshots), 'snapshot')}" if removal is not None and removal.snapshots else ""
            since = f"since {entry.at:%Y-%m-%d %H:%M}Z" if entry.at is not None else "since an unknown time"
            note = "; made way for its successor" if entry.trashed.replaced else ""
            click.echo(printable(f"    {entry.key.object}  {size}{snapshots}, {since}, {_expiry(entry, now)}{note}"))


def _expiry(entry: TrashEntry, now: datetime) -> str:
    if entry.expires is None:
        return "never expires"
    left = int((entry.expires - now).total_seconds())
    return "expired" if left <= 0 else f"expires in {format_duration(_rounded(left))}"


def _rounded(seconds: int) -> int:
    """To hours, or minutes in the last day, or seconds in the last hour: nobody needs more."""
    unit = 3600 if seconds >= 86400 else 60 if seconds >= 3600 else 1
    return seconds // unit * unit
