"""What may die on the way: an apply, or what `trash restore` and `trash purge` do."""

import asyncio
from dataclasses import dataclass

from reconciler.controller.passes import Connections, HostResult, Setting, apply_host, plan_hosts
from reconciler.controller.trash import TrashWork, carry_out_all, look_at_trash
from reconciler.model.desired import Desired
from reconciler.model.plan import HostPlan, PlanSource
from reconciler.planning import trash
from reconciler.planning.trash import TrashVerb, plan_trash, trash_entries
from reconciler.store.journal import Journal
from tests.hosts.fakes import Told

SOURCE = PlanSource("desired-state", "revision")


class Work:
    """An apply of the desired state."""

    async def plan(self, setting: Setting, desired: Desired, connections: Connections) -> HostPlan:
        planned = await plan_hosts(setting, desired, SOURCE, connections, ("hv01",))
        return planned.plan.hosts[0]

    async def run(self, setting: Setting, desired: Desired, connections: Connections, journal: Journal) -> None:
        await whole_pass(setting, desired, connections, journal)


async def whole_pass(setting: Setting, desired: Desired, connections: Connections, journal: Journal) -> HostResult:
    """Plans and applies, and waits until what is known of it is on the disk."""
    planned = await plan_hosts(setting, desired, SOURCE, connections, ("hv01",))
    host = planned.plan.hosts[0]
    result = await apply_host(setting, planned, host, desired, connections, journal, Told(), asyncio.Event())
    await journal.flushed()
    return result


@dataclass(frozen=True)
class AllTrash(Work):
    """Something done to all that lies in the trash, by a plan over it."""

    verb: TrashVerb

    async def _planned(self, setting: Setting, desired: Desired, connections: Connections) -> TrashWork:
        views = await look_at_trash(setting, desired, connections, ("hv01",))
        entries = trash_entries(views["hv01"], desired.owner)
        made = plan_trash(self.verb, desired, tuple(views.values()), setting.registry.kinds, SOURCE, setting.now(), entries)
        return TrashWork(desired, views, entries, self.verb, made)

    async def plan(self, setting: Setting, desired: Desired, connections: Connections) -> HostPlan:
        return (await self._planned(setting, desired, connections)).plan.hosts[0]

    async def run(self, setting: Setting, desired: Desired, connections: Connections, journal: Journal) -> None:
        work = await self._planned(setting, desired, connections)
        await carry_out_all(setting, work, connections, journal, Told(), asyncio.Event())
        await journal.flushed()


APPLY, RESTORE, PURGE = Work(), AllTrash(trash.RESTORE), AllTrash(trash.PURGE)
