"""The pass behind `reconciler apply`."""

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from reconciler.cli.ceilings import loaded_ceilings
from reconciler.cli.event_loop import run_async
from reconciler.cli.findings import print_warnings
from reconciler.cli.options import SourceChoice
from reconciler.cli.output import is_terminal, print_json, print_lines
from reconciler.cli.progress import progress
from reconciler.cli.result import result_document, result_exit_code, result_text
from reconciler.cli.signals import STOP_HINT, answering, stopping
from reconciler.cli.source import Loaded, chosen_hosts, loaded, narrowed
from reconciler.controller.applying import apply_hosts, working_state
from reconciler.controller.installed import installed_registry
from reconciler.controller.passes import HostResult, Planned, plan_hosts
from reconciler.hosts.head_start import HeadStart, record
from reconciler.model.errors import ExitCode, ReconcilerError
from reconciler.model.guardrails import Guardrails
from reconciler.planning.render_json import FORMAT, plan_digest
from reconciler.planning.render_text import plan_lines
from reconciler.provider.registry import Registry

Confirm = Callable[[Planned], bool]


def apply_source(
    choice: SourceChoice,
    state: Path,
    hosts: tuple[str, ...],
    kind: str | None,
    name: str | None,
    head_start: HeadStart,
    ceilings_file: Path | None,
    *,
    output: str,
    yes: bool,
) -> int:
    """Plans, asks, applies, prints the result, and gives the exit code."""
    registry = installed_registry()
    ceilings = loaded_ceilings(ceilings_file, registry)
    source_name = choice.name
    saved: str | None = None
    if choice.directory is not None and Path(choice.directory).is_file():
        if choice.repo or choice.ref or choice.path or hosts or kind or name:
            raise click.UsageError("a saved plan names its source and hosts itself, and is applied whole: give nothing else")
        choice, hosts, saved = _saved_plan(Path(choice.directory), choice.accept_rewrite)

    def confirm(planned: Planned) -> bool:
        if saved is not None and plan_digest(planned.plan) != saved:
            blind = any(host.unreadable for host in planned.plan.hosts)
            raise ReconcilerError(
                "the saved plan is stale: the source, a host or the ledger has changed since; nothing was done",
                remedy="see with `reconciler plan` what can't be read" if blind else "make and review a new plan",
                exit_code=ExitCode.UNREADABLE if blind else ExitCode.STALE,
            )
        print_lines(plan_lines(planned.plan, registry.kinds), err=True)
        if yes or not any(host.runnable for host in planned.plan.hosts):
            return True
        if not is_terminal(sys.stdin):
            raise click.UsageError("there is no terminal to ask on: give --yes to run the plan above")
        try:
            with answering():
                return click.confirm("Run this plan?", default=False, err=True)
        except click.Abort:
            # The end of the input, which is no yes.
            return False

    with loaded(choice, state, registry) as whole:
        wanted = narrowed(whole, kind, name)
        print_warnings(wanted.warnings)
        chosen = chosen_hosts(wanted.desired, hosts)
        reviewed = saved is not None or not yes
        stopped, results, lost = run_async(
            _apply(registry, wanted, chosen, confirm, state, head_start, source_name, ceilings, reviewed=reviewed)
        )
    if results is None:
        click.echo("declined; nothing was done", err=True)
        return ExitCode.ERROR
    if output == "json":
        print_json(result_document(wanted.source.revision, results))
    else:
        for result in results:
            click.echo(result_text(result))
    for result in results:
        if result.trouble is not None:
            click.echo(f"error: {result.trouble}", err=True)
    if lost is not None:
        raise lost
    return stopped or result_exit_code(results)


def _saved_plan(file: Path, accept_rewrite: str | None) -> tuple[SourceChoice, tuple[str, ...], str]:
    """The source, hosts and digest of a saved plan; ReconcilerError when the file is none."""
    remedy = "name a directory, or a file made with `reconciler plan --output json`"
    try:
        document: dict[str, Any] = json.loads(file.read_text("utf-8"))
        if document["format"] != FORMAT:
            raise ReconcilerError(f"{file} is no saved plan: its format is not {FORMAT}", remedy=remedy)
        source, digest = document["source"], str(document["digest"])
        hosts = tuple(str(host["host"]) for host in document["hosts"])
        whole, path = bool(source["whole"]), str(source["path"])
        repository, ref = str(source.get("repository", "")), str(source.get("ref", ""))
    except json.JSONDecodeError as wrong:
        where = f"{file}:{wrong.lineno}:{wrong.colno}"
        raise ReconcilerError(f"{where}: this is no JSON, so no saved plan ({wrong.msg})", remedy=remedy) from wrong
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as trouble:
        raise ReconcilerError(f"{file} holds JSON, but no saved plan", remedy=remedy) from trouble
    if not whole:
        raise ReconcilerError(f"{file}: the plan was narrowed by --kind or --name", remedy="save a plan without these")
    if repository:
        return SourceChoice(None, repository, ref or None, path or None, accept_rewrite), hosts, digest
    if not Path(path).is_dir():
        raise ReconcilerError(
            f"{file} was made from the directory {path}, which is not there", remedy="go to where the plan was made"
        )
    return SourceChoice(path, None, None, None), hosts, digest


async def _apply(
    registry: Registry,
    wanted: Loaded,
    hosts: tuple[str, ...],
    confirm: Confirm,
    state: Path,
    head_start: HeadStart,
    source_name: str,
    ceilings: Guardrails | None,
    *,
    reviewed: bool,
) -> tuple[int, list[HostResult] | None, ReconcilerError | None]:
    """The exit code of a signal that asked to stop (else 0), results by host (None when the person declined), and what kept
    results from being recorded: what was done is told all the same."""
    stop = asyncio.Event()
    results: list[HostResult] | None = None
    code = 0
    try:
        async with working_state(registry, state, lambda: datetime.now(UTC), head_start, ceilings) as working:
            setting, connections, journal = working
            planned = await plan_hosts(setting, wanted.desired, wanted.source, connections, hosts)
            record(state, source_name, connections.probes())
            if not confirm(planned):
                return ExitCode.CONVERGED, None, None
            total = sum(len(host.runnable) for host in planned.plan.hosts)
            with progress(total) as shown, stopping(stop.set, lambda text: click.echo(text, err=True), STOP_HINT) as stopped:
                results = await apply_hosts(
                    setting, planned, wanted.desired, connections, journal, shown, stop, reviewed=reviewed
                )
            code = stopped.code
    except ReconcilerError as trouble:
        if results is None:
            raise
        return code, results, trouble
    return code, results, None
