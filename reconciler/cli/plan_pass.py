"""The pass behind `reconciler plan`."""

from datetime import UTC, datetime
from pathlib import Path

from reconciler.cli.ceilings import loaded_ceilings
from reconciler.cli.event_loop import run_async
from reconciler.cli.findings import print_warnings
from reconciler.cli.options import SourceChoice
from reconciler.cli.output import print_json, print_lines
from reconciler.cli.result import plan_exit_code
from reconciler.cli.source import Loaded, chosen_hosts, loaded, narrowed
from reconciler.controller.installed import installed_registry
from reconciler.controller.passes import Connections, Planned, Setting, plan_hosts
from reconciler.hosts.head_start import HeadStart, record
from reconciler.model.guardrails import Guardrails
from reconciler.planning.render_json import plan_document
from reconciler.planning.render_text import plan_lines
from reconciler.provider.registry import Registry
from reconciler.store.database import Database


def show_plan(
    choice: SourceChoice,
    state: Path,
    hosts: tuple[str, ...],
    kind: str | None,
    name: str | None,
    head_start: HeadStart,
    ceilings_file: Path | None,
    *,
    output: str,
    scripts: bool,
    tell_pending: bool,
) -> int:
    """Plans once, prints the plan, and gives the exit code."""
    registry = installed_registry()
    ceilings = loaded_ceilings(ceilings_file, registry)
    with loaded(choice, state, registry) as whole:
        wanted = narrowed(whole, kind, name)
        print_warnings(wanted.warnings)
        connections = Connections(state, head_start)
        planned = run_async(
            _plan(registry, state, wanted, chosen_hosts(wanted.desired, hosts), connections, choice.name, ceilings)
        )
    if output == "json":
        print_json(plan_document(planned.plan))
    else:
        print_lines(plan_lines(planned.plan, registry.kinds, with_scripts=scripts))
    return plan_exit_code(planned.plan, tell_pending=tell_pending)


async def _plan(
    registry: Registry,
    state: Path,
    wanted: Loaded,
    hosts: tuple[str, ...],
    connections: Connections,
    source: str,
    ceilings: Guardrails | None,
) -> Planned:
    """One look and one plan; no state file is made for it."""
    database = Database.open_existing(state)
    setting = Setting(registry, state, database, lambda: datetime.now(UTC), ceilings=ceilings)
    try:
        planned = await plan_hosts(setting, wanted.desired, wanted.source, connections, hosts)
        record(state, source, connections.probes())
        return planned
    finally:
        await connections.close()
        if database is not None:
            database.close()
