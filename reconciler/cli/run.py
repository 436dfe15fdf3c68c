"""`reconciler run`: the controller."""

import asyncio
import gc
import os
import random
import signal
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import click

from reconciler.cli.ceilings import loaded_ceilings
from reconciler.cli.event_loop import run_async
from reconciler.cli.options import SourceChoice, ceilings_option, source_options, state_directory, state_option
from reconciler.cli.result import result_exit_code
from reconciler.cli.signals import STOP_HINT, stopping
from reconciler.cli.source import Loaded, chosen_hosts, loaded, location_of, plan_source
from reconciler.controller.applying import apply_hosts, working_state
from reconciler.controller.controller import Controller
from reconciler.controller.desired_state import DesiredReader
from reconciler.controller.installed import installed_registry
from reconciler.controller.log import Log, LogProgress, controller_log, tell_result
from reconciler.controller.passes import plan_hosts
from reconciler.controller.schedule import Schedule
from reconciler.desired.layout import TOP
from reconciler.model.guardrails import Guardrails
from reconciler.provider.registry import Registry
from reconciler.source.opening import opened

_NEW_OBJECTS = 20_000
"""New objects between two looks for cycles, which in a process that runs for months must not gather."""


@click.command("run")
@source_options
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="Only this host; may be repeated.")
@state_option
@ceilings_option
@click.option("--once", is_flag=True, help="Make one pass over all hosts and end, with the exit codes of apply.")
@click.option(
    "--poll",
    "poll_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0.5),
    default=30.0,
    show_default=True,
    help="Seconds between polls.",
)
@click.option(
    "--interval",
    "interval_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0.5),
    default=60.0,
    show_default=True,
    help="Seconds between looks.",
)
def command(
    choice: SourceChoice,
    hosts: tuple[str, ...],
    state: Path | None,
    ceilings: Path | None,
    once: bool,
    poll_s: float,
    interval_s: float,
) -> int:
    """Keep hosts as the source says, until stopped.

    One loop per host, woken by a new commit (at once for a repository on this machine, else by polling), by a timer, or by
    SIGHUP. Drift is found and corrected. SIGTERM or Ctrl-C gives running commands a few seconds; a second one ends them.

    \b
    Examples:
      reconciler run --repo /srv/infra.git --ref main
      reconciler run --repo ssh://git@forge/infra.git --poll 15
      reconciler run desired-state --once
    """
    registry = installed_registry()
    place = state_directory(state)
    log = controller_log(sys.stderr)
    limits = loaded_ceilings(ceilings, registry)
    if once:
        with loaded(choice, place, registry, say=lambda text: log.warning("source", cause=text)) as wanted:
            return run_async(_once(registry, place, wanted, hosts, log, limits))
    return run_async(_forever(registry, place, choice, frozenset(hosts), log, poll_s, interval_s, limits))


async def _once(
    registry: Registry, state: Path, wanted: Loaded, hosts: tuple[str, ...], log: Log, ceilings: Guardrails | None
) -> int:
    async with working_state(registry, state, _now, ceilings=ceilings) as (setting, connections, journal):
        chosen = chosen_hosts(wanted.desired, hosts)
        planned = await plan_hosts(setting, wanted.desired, wanted.source, connections, chosen)
        stop, progress = asyncio.Event(), LogProgress(log)
        with stopping(stop.set, lambda text: log.info("stopping", hint=text), STOP_HINT) as stopped:
            results = await apply_hosts(setting, planned, wanted.desired, connections, journal, progress, stop)
        for result in results:
            tell_result(log, result, wanted.source.revision)
    return stopped.code or result_exit_code(results)


async def _forever(
    registry: Registry,
    state: Path,
    choice: SourceChoice,
    hosts: frozenset[str],
    log: Log,
    poll_s: float,
    interval_s: float,
    ceilings: Guardrails | None,
) -> int:
    # What was loaded so far stays, and need not be looked through.
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)
    location = location_of(choice)
    source = opened(location, state, os.environ, only=TOP, accept_rewrite=choice.accept_rewrite)
    is_told = False

    def tell_end() -> None:
        """By the end itself, or by a signal that cuts it short."""
        nonlocal is_told
        if not is_told:
            log.info("stopped")
        is_told = True

    async with AsyncExitStack() as stack:
        stack.callback(tell_end)
        stack.callback(source.close)
        setting, connections, journal = await stack.enter_async_context(working_state(registry, state, _now, ceilings=ceilings))
        controller = Controller(
            setting=setting,
            location=location,
            source=source,
            reader=DesiredReader(registry),
            connections=connections,
            journal=journal,
            log=log,
            poll=Schedule(poll_s, random.random),
            look=Schedule(interval_s, random.random),
            named=lambda revision: plan_source(location, revision),
            only_hosts=hosts,
        )
        hint = f"running commands have {controller.grace_s:.0f} s to end; once more to end them now"
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, controller.look_now)
        log.info("started", source=str(location), state=str(state))
        with stopping(controller.stop, lambda text: log.info("stopping", hint=text), hint, tell_end) as stopped:
            await controller.run()
    return stopped.code


def _now() -> datetime:
    return datetime.now(UTC)
