"""Work on the trash of hosts: what lies there, and plans over it carried out."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from reconciler.controller.passes import Connections, Setting, carry_out, every, view_of
from reconciler.controller.writing import only_writer
from reconciler.hosts.execute import Progress
from reconciler.model.desired import Desired
from reconciler.model.errors import ExitCode, ReconcilerError
from reconciler.model.observed import REMOVAL
from reconciler.model.outcome import Outcome
from reconciler.model.plan import HostPlan, Plan
from reconciler.planning.view import HostView
from reconciler.store.journal import Journal


async def look_at_trash(
    setting: Setting, desired: Desired, connections: Connections, hosts: Sequence[str]
) -> Mapping[str, HostView]:
    """Looks at the hosts side by side, with what a purge would cost. ReconcilerError when one can't be seen whole."""
    wants = frozenset((kind.name, REMOVAL) for kind in setting.registry.kinds.values() if kind.has_trash)
    seen = await every(view_of(setting, desired, connections, desired.hosts[host], wants) for host in hosts)
    for view in seen:
        for trouble in view.inventory.unreadable:
            raise ReconcilerError(f"host {view.name}: {trouble.cause}", remedy=trouble.remedy, exit_code=ExitCode.UNREADABLE)
        if view.inventory.wrong_host:
            raise ReconcilerError(
                f"host {view.name}: {view.inventory.wrong_host}",
                remedy="correct spec.identity of the Host, or what its transport points at",
                exit_code=ExitCode.BLOCKED,
            )
    # A look at the trash says nothing about what became of anything else.
    return {view.name: replace(view, whole=False) for view in seen}


async def carry_out_all(
    setting: Setting,
    views: Mapping[str, HostView],
    made: Plan,
    owner: str,
    connections: Connections,
    journal: Journal,
    progress: Progress,
    stop: asyncio.Event,
) -> list[tuple[HostPlan, tuple[Outcome, ...]]]:
    """Runs a plan over the trash on all its hosts side by side, as their only writer. ReconcilerError where we are not."""
    revision = made.source.revision

    async def one(host: HostPlan) -> tuple[HostPlan, tuple[Outcome, ...]]:
        view = views[host.host]
        transport = await connections.to(view.manifest)
        async with only_writer(transport, view, owner, setting.state, setting.now, stop) as writer:
            if writer.is_out_of_date:
                cause = f"{host.host}: another writer has changed the host, or a hold there has, since we looked"
                raise ReconcilerError(
                    cause, remedy="nothing was done; look again with `reconciler trash list`", exit_code=ExitCode.STALE
                )
            outcomes = await carry_out(setting, view, host, revision, connections, journal, progress, writer.stop)
        return host, outcomes

    return await every(one(host) for host in made.hosts if host.runnable)
