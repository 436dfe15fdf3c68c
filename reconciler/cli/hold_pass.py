"""The work behind `reconciler hold`."""

import os
import pwd
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

import click

from reconciler.cli.event_loop import run_async
from reconciler.cli.options import SourceChoice, given_key
from reconciler.cli.output import print_json
from reconciler.cli.source import chosen_hosts, loaded
from reconciler.controller.installed import installed_registry
from reconciler.controller.passes import Connections, every
from reconciler.hosts.facts import read_facts
from reconciler.hosts.holds import place_hold, read_holds, release_hold
from reconciler.hosts.own_names import holds_name
from reconciler.hosts.transport import Transport
from reconciler.model.desired import Desired
from reconciler.model.errors import ExitCode, InvalidValue, ReconcilerError
from reconciler.model.hold import Hold
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import Mode
from reconciler.model.quantity import parse_duration
from reconciler.planning.render_json import hold_document
from reconciler.planning.words import moment, printable
from reconciler.provider.registry import Registry

FORMAT = "reconciler.holds/v1"

Work = Callable[[Transport, str], Awaitable[Any]]
"""Gets a transport to the host, and the name of the host's holds there."""


class Target(NamedTuple):
    """A host, and the object on it; None for the whole host."""

    host: str
    name: ObjectName | None


def list_holds(choice: SourceChoice, state: Path, target: str | None, *, output: str) -> int:
    """Prints the holds in force on the hosts of the source, or on one of them."""
    registry = installed_registry()
    with loaded(choice, state, registry) as valid:
        wanted = None if target is None else _target(target, registry, valid.desired)
        everywhere = tuple(name for name, host in sorted(valid.desired.hosts.items()) if host.mode is not Mode.IGNORE)
        hosts = everywhere if wanted is None else (wanted.host,)

        async def read(transport: Transport, name: str) -> tuple[Hold, ...]:
            return await read_holds(transport, name, _now())

        found: list[tuple[Hold, ...]] = run_async(_on_hosts(registry, state, valid.desired, hosts, read))
    holds = [
        (host, hold)
        for host, of_host in zip(hosts, found, strict=True)
        for hold in of_host
        if wanted is None or wanted.name is None or hold.covers(wanted.name)
    ]
    if output == "json":
        print_json({"format": FORMAT, "holds": [hold_document(hold, host) for host, hold in holds]})
        return ExitCode.CONVERGED
    for host, hold in holds:
        click.echo(_line(hold, host))
    if not holds:
        click.echo(f"nothing is held on {', '.join(hosts) or 'any host'}", err=True)
    return ExitCode.CONVERGED


def change_hold(choice: SourceChoice, state: Path, target: str, why: str | None, duration: str | None, *, output: str) -> int:
    """Places a hold, or releases it when there is no `why`; prints it."""
    registry = installed_registry()
    seconds = _seconds(duration) if duration is not None else 0
    with loaded(choice, state, registry) as valid:
        held = _target(target, registry, valid.desired)

        async def change(transport: Transport, name: str) -> Hold | None:
            now = _now()
            if why is None:
                return await release_hold(transport, name, held.name, now)
            hold = Hold(held.name, _who(), why.strip(), now, now + timedelta(seconds=seconds))
            await place_hold(transport, name, hold)
            return hold

        hold: Hold | None = run_async(_on_hosts(registry, state, valid.desired, (held.host,), change))[0]
        if why is not None:
            _doubt(held, valid.desired)
    if hold is None:
        raise ReconcilerError(f"{target} is not held", remedy=f"see what is with `reconciler hold {held.host}`")
    if output == "json":
        print_json({"format": FORMAT, "released" if why is None else "placed": hold_document(hold, held.host)})
    else:
        click.echo(f"released: {_line(hold, held.host)}" if why is None else _line(hold, held.host))
    return ExitCode.CONVERGED


async def _on_hosts(registry: Registry, state: Path, desired: Desired, hosts: tuple[str, ...], work: Work) -> list[Any]:
    """What the work gives on each host. Each is asked first what machine it is."""
    connections = Connections(state)

    async def on(host: str) -> Any:
        manifest = desired.hosts[host]
        transport = await connections.to(manifest)
        # Without the providers' probes: nothing of what they ask matters here, and little is asked.
        facts, _ = await read_facts(transport, (), manifest.identity, lambda _: None)
        return await work(transport, holds_name(desired.owner, facts.host_id, host))

    async def told(host: str) -> Any:
        try:
            return await on(host)
        except ReconcilerError as trouble:
            code = trouble.exit_code if trouble.exit_code != ExitCode.ERROR else ExitCode.UNREADABLE
            raise ReconcilerError(f"{host}: {trouble.cause}", remedy=trouble.remedy, exit_code=code) from trouble

    try:
        return await every(told(host) for host in hosts)
    finally:
        await connections.close()


def _target(text: str, registry: Registry, desired: Desired) -> Target:
    """What the command line names; a ReconcilerError of wrong usage when there is no such host or kind."""
    if "/" not in text:
        chosen_hosts(desired, (text,))
        return Target(text, None)
    key = given_key(text)
    chosen_hosts(desired, (key.host,))
    if key.kind not in registry.kinds:
        known = ", ".join(sorted(registry.kinds))
        raise ReconcilerError(f"there is no kind {key.kind}", remedy=f"kinds are: {known}", exit_code=ExitCode.USAGE)
    return Target(key.host, key.object)


def _doubt(held: Target, desired: Desired) -> None:
    """Says so when no manifest names what is held: after a typing error, what was meant goes unprotected."""
    names = [str(key.object) for key in desired.resources.get(held.host, ())]
    if held.name is None or str(held.name) in names:
        return
    close = get_close_matches(str(held.name), names, 1)
    meant = f"; did you mean {held.host}/{close[0]}?" if close else ""
    click.echo(f"warning: no manifest names {held.host}/{held.name}{meant}", err=True)


def _seconds(duration: str) -> int:
    try:
        seconds = parse_duration(duration)
    except InvalidValue as wrong:
        raise ReconcilerError(f"--for: {wrong.cause}", remedy=wrong.remedy, exit_code=ExitCode.USAGE) from wrong
    if not 0 < seconds <= _LONGEST_S:
        remedy = "write for example 30m, 4h or 2d; what is never to be changed has lifecycle.mode: report, or protect"
        raise ReconcilerError(f"--for: a hold lasts from 1s to 365d, not {duration}", remedy=remedy, exit_code=ExitCode.USAGE)
    return seconds


_LONGEST_S = 365 * 86400


def _who() -> str:
    """The person, also behind sudo, and the machine they sit at."""
    try:
        user = os.environ.get("SUDO_USER") or pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = f"uid {os.geteuid()}"
    return f"{user}@{socket.gethostname()}"


def _line(hold: Hold, host: str) -> str:
    return printable(f"{hold.target(host)} held by {hold.who} until {moment(hold.until)}: {hold.why}")


def _now() -> datetime:
    return datetime.now(UTC)
