"""Work on the trash of hosts: what lies there, and plans over it carried out."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.controller.passes import Connections, Setting, carry_out, every, view_of
from reconciler.controller.writing import only_writer
from reconciler.hosts.execute import Progress
from reconciler.model.desired import Desired
from reconciler.model.errors import ExitCode, ReconcilerError
from reconciler.model.observed import REMOVAL
from reconciler.model.outcome import Outcome
from reconciler.model.plan import HostPlan, Plan
from reconciler.planning.trash import TrashEntry, TrashVerb, plan_trash, trash_entries
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


@dataclass(frozen=True)
class TrashWork:
    """What is to be done with chosen entries: the plan that was shown, and what it was made from."""

    desired: Desired
    views: Mapping[str, HostView]
    chosen: Collection[TrashEntry]
    verb: TrashVerb
    plan: Plan


@dataclass(frozen=True, slots=True)
class WorkDone:
    """What became of the work on one host; `trouble` is what kept it from beginning."""

    host: str
    outcomes: tuple[Outcome, ...] = ()
    trouble: ReconcilerError | None = None


async def carry_out_all(
    setting: Setting,
    work: TrashWork,
    connections: Connections,
    journal: Journal,
    progress: Progress,
    stop: asyncio.Event,
) -> list[WorkDone]:
    """Does the work on all its hosts side by side, as their only writer. Nothing is done on a host where we are not, or where
    the plan would be another by now; trouble on one ends no other."""
    source = work.plan.source

    async def one(host: HostPlan) -> WorkDone:
        view = work.views[host.host]
        transport = await connections.to(view.manifest)
        try:
            async with only_writer(transport, view, work.desired.owner, setting.state, setting.now, stop) as writer:
                if writer.is_out_of_date:
                    view = (await look_at_trash(setting, work.desired, connections, (host.host,)))[host.host]
                    host = _planned_again(setting, work, view, host)
                outcomes = await carry_out(setting, view, host, source.revision, connections, journal, progress, writer.stop)
        except ReconcilerError as trouble:
            return WorkDone(host.host, trouble=trouble)
        return WorkDone(host.host, outcomes)

    return await every(one(host) for host in work.plan.hosts if host.runnable)


def _planned_again(setting: Setting, work: TrashWork, view: HostView, shown: HostPlan) -> HostPlan:
    """The plan over a newer look. ReconcilerError when it does something else than the one that was shown."""
    names = {entry.name for entry in work.chosen}
    chosen = [entry for entry in trash_entries(view, work.desired.owner) if entry.name in names]
    kinds, source = setting.registry.kinds, work.plan.source
    again = plan_trash(work.verb, work.desired, (view,), kinds, source, work.plan.created_at, chosen).hosts[0]
    if [action.id for action in again.actions] != [action.id for action in shown.actions]:
        raise ReconcilerError(
            f"{shown.host}: another writer has changed the host, or a hold there has, since we looked",
            remedy="nothing was done there; look again with `reconciler trash list`",
            exit_code=ExitCode.STALE,
        )
    return again
