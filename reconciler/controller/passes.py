"""One pass: look at hosts, plan, and, when applying, act and look again."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from reconciler.controller.final_look import inventory_after
from reconciler.controller.writing import NotTheWriterError, holds_in_force, only_writer
from reconciler.hosts.connect import connect, probes_worth_a_head_start
from reconciler.hosts.execute import Execution, Progress, execute, ledger_row
from reconciler.hosts.head_start import HeadStart
from reconciler.hosts.local import NO_HEAD_START
from reconciler.hosts.observe import Look, observe
from reconciler.hosts.transport import Transport
from reconciler.model.desired import Desired
from reconciler.model.errors import ExitCode, ReconcilerError
from reconciler.model.facts import HostFacts
from reconciler.model.guardrails import Guardrails
from reconciler.model.hold import Hold
from reconciler.model.host import HostManifest
from reconciler.model.key import Key
from reconciler.model.ledger import LedgerRow
from reconciler.model.lifecycle import Mode
from reconciler.model.observed import Inventory, Unreadable
from reconciler.model.outcome import Outcome, OutcomeState
from reconciler.model.plan import HostPlan, Plan, PlanSource
from reconciler.model.resource import Resource
from reconciler.planning.guardrail import NOTHING_TAKEN, Taken
from reconciler.planning.planner import plan
from reconciler.planning.render_json import plan_digest
from reconciler.planning.view import HostView
from reconciler.provider.registry import Registry
from reconciler.store.database import Database
from reconciler.store.facts import forget_facts, keep_facts, kept_facts
from reconciler.store.journal import Journal, begun_creations, unfinished_keys
from reconciler.store.ledger import hosts_in_ledger, ledger_of

MOST_LOOKS = 3
"""A plan may ask for more fields (what a removal would cost), and that look may show more; then it must be enough."""


@dataclass(frozen=True)
class Setting:
    """What passes share. `database` is None when there is no state yet and none may be made (plan)."""

    registry: Registry
    state: Path
    database: Database | None
    now: Callable[[], datetime]
    narrowed_to: frozenset[tuple[str, str]] = frozenset()
    ceilings: Guardrails | None = None


@dataclass
class Connections:
    """Transports by host, opened when first needed."""

    state: Path
    head_start: HeadStart = NO_HEAD_START
    _open: dict[str, tuple[HostManifest, Transport]] = field(default_factory=dict)

    async def to(self, manifest: HostManifest) -> Transport:
        """A transport for the host; a new one when its manifest says to reach it differently."""
        known = self._open.get(manifest.name)
        if known is not None and (known[0].connection, known[0].elevate) == (manifest.connection, manifest.elevate):
            return known[1]
        await self.drop(manifest.name)
        transport = connect(manifest, self.state, self.head_start)
        self._open[manifest.name] = (manifest, transport)
        return transport

    def probes(self) -> list[tuple[str, ...]]:
        """The looks that a next run may begin early."""
        return [argv for known in self._open.values() for argv in probes_worth_a_head_start(*known)]

    async def drop(self, host: str) -> None:
        """Lets go of a host's transport, if there is one."""
        known = self._open.pop(host, None)
        if known is not None:
            await known[1].close()

    async def close(self) -> None:
        for host in tuple(self._open):
            await self.drop(host)


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan and what it was made from, by host."""

    plan: Plan
    views: Mapping[str, HostView]


@dataclass(frozen=True, slots=True)
class HostResult:
    """What a pass did on one host, and the plan that its final look gives.

    `trouble` is what kept it from beginning: another writer, or a plan that does not hold any more. `ran` is the plan that was
    run; it may be made anew under the lock.
    """

    host: str
    outcomes: tuple[Outcome, ...]
    final: HostPlan
    trouble: ReconcilerError | None = None
    ran: HostPlan | None = None

    @property
    def is_converged(self) -> bool:
        """Nothing left to do or refused; differences that are only to be reported don't count."""
        return self.trouble is None and not (
            self.final.runnable or self.final.blocked or self.final.unreadable or self.final.wrong_host
        )


async def plan_hosts(
    setting: Setting,
    desired: Desired,
    source: PlanSource,
    connections: Connections,
    hosts: Sequence[str],
    elsewhere: Taken = NOTHING_TAKEN,
) -> Planned:
    """Looks at the hosts side by side and plans them together. Hosts in mode ignore are not contacted."""
    manifests = [desired.hosts[host] for host in hosts if desired.hosts[host].mode is not Mode.IGNORE]
    views = dict(
        zip(
            (manifest.name for manifest in manifests),
            await every(view_of(setting, desired, connections, manifest, frozenset()) for manifest in manifests),
            strict=True,
        )
    )
    known = hosts_in_ledger(setting.database) if setting.database is not None else frozenset[str]()
    wanted: dict[str, frozenset[tuple[str, str]]] = {}
    for attempt in range(MOST_LOOKS):
        made = plan(
            desired,
            tuple(views.values()),
            setting.registry.kinds,
            source,
            setting.now(),
            known,
            elsewhere,
            setting.ceilings,
        )
        # What was asked for once stays asked for: a look replaces the one before.
        again = {host.host: wanted.get(host.host, frozenset()) | host.wants for host in made.hosts if host.wants}
        wanted |= again
        if not again or attempt == MOST_LOOKS - 1:
            return Planned(made, views)
        renewed = await every(
            view_of(setting, desired, connections, desired.hosts[host], wants) for host, wants in again.items()
        )
        views |= dict(zip(again, renewed, strict=True))
    raise AssertionError("the last attempt returns")


def _whole(plan: HostPlan) -> HostPlan:
    """Nothing of a plan is left out."""
    return plan


async def apply_host(
    setting: Setting,
    planned: Planned,
    host: HostPlan,
    desired: Desired,
    connections: Connections,
    journal: Journal,
    progress: Progress,
    stop: asyncio.Event,
    elsewhere: Taken = NOTHING_TAKEN,
    *,
    reviewed: bool = False,
    permitted: Callable[[HostPlan], HostPlan] = _whole,
) -> HostResult:
    """Runs what is `permitted` of one host's plan as its only writer, and looks again; the ledger learns what the looks show.

    Where another process may have written since the look, or holds have come or gone, the plan is made anew first; one that
    somebody has `reviewed` is not run if that changes it.
    """
    view, source = planned.views[host.host], planned.plan.source
    _learn(setting, journal, view, host, source.revision)
    if not permitted(host).runnable:
        return HostResult(host.host, (), host, ran=host)
    transport = await connections.to(view.manifest)
    try:
        async with only_writer(transport, view, desired.owner, setting.state, setting.now, stop) as writer:
            if writer.is_out_of_date:
                connections.head_start.abandon()
                await journal.flushed()
                planned = await plan_hosts(setting, desired, source, connections, (host.host,), elsewhere)
                view, renewed = planned.views[host.host], planned.plan.hosts[0]
                if reviewed and not _is_same(planned.plan, host, renewed):
                    return HostResult(host.host, (), renewed, _out_of_date(host.host))
                host = renewed
                _learn(setting, journal, view, host, source.revision)
            todo = permitted(host)
            outcomes = await carry_out(setting, view, todo, source.revision, connections, journal, progress, writer.stop)
            changed = await inventory_after(todo, view, outcomes, transport)
            again = _planned_again(setting, planned, view, changed, desired, elsewhere) if changed is not None else None
            if again is None:
                again = await plan_hosts(setting, desired, source, connections, (host.host,), elsewhere)
            final = again.plan.hosts[0]
            _learn(setting, journal, again.views[host.host], final, source.revision)
    except NotTheWriterError as trouble:
        return HostResult(host.host, (), host, trouble)
    return HostResult(host.host, outcomes, final, ran=host)


def _is_same(plan: Plan, reviewed: HostPlan, renewed: HostPlan) -> bool:
    """Whether two plans of one host do and refuse the same."""
    return plan_digest(replace(plan, hosts=(reviewed,))) == plan_digest(replace(plan, hosts=(renewed,)))


def _out_of_date(host: str) -> ReconcilerError:
    return ReconcilerError(
        f"{host}: another writer has changed the host, or a hold there has, and the plan is out of date; "
        "nothing was done there",
        remedy="make and review a new plan",
        exit_code=ExitCode.STALE,
    )


def _planned_again(
    setting: Setting, planned: Planned, view: HostView, changed: Inventory, desired: Desired, elsewhere: Taken
) -> Planned | None:
    """The plan over an inventory that was brought up to date; None when it asks for another look."""
    assert setting.database is not None
    now = replace(
        view,
        inventory=changed,
        ledger=ledger_of(setting.database, view.name),
        unfinished=unfinished_keys(setting.database, view.name),
        begun=begun_creations(setting.database, view.name),
    )
    kinds, source = setting.registry.kinds, planned.plan.source
    made = plan(desired, (now,), kinds, source, setting.now(), frozenset(), elsewhere, setting.ceilings)
    return None if made.hosts[0].wants else Planned(made, {view.name: now})


async def carry_out(
    setting: Setting,
    view: HostView,
    host: HostPlan,
    revision: str,
    connections: Connections,
    journal: Journal,
    progress: Progress,
    stop: asyncio.Event,
) -> tuple[Outcome, ...]:
    """Runs one host's plan, journalled; all of it is durable when this ends."""
    assert setting.database is not None
    execution = Execution(
        transport=await connections.to(view.manifest),
        backends=view.backends,
        kinds=setting.registry.kinds,
        journal=journal,
        limits=view.manifest.limits,
        revision=revision,
        clock=lambda: setting.now().timestamp(),
        progress=progress,
        stop=stop,
    )
    outcomes = await execute(host, execution)
    await journal.flushed()
    if any(outcome.state is OutcomeState.FAILED for outcome in outcomes):
        # A tool that was changed since the facts were read would explain it; they cost little to read again.
        forget_facts(setting.database, host.host)
    return outcomes


Result = TypeVar("Result")


async def every(work: Iterable[Awaitable[Result]]) -> list[Result]:
    """All results. Waits for every one, also after a failure or a cancellation; then the first failure is raised."""
    ended = await asyncio.gather(*work, return_exceptions=True)
    for trouble in ended:
        if isinstance(trouble, BaseException):
            raise trouble
    return [result for result in ended if not isinstance(result, BaseException)]


def fields_wanted(registry: Registry, resources: Mapping[Key, Resource], rows: Mapping[Key, LedgerRow]) -> dict[str, set[str]]:
    """By kind the fields that somebody states or stated; a kind that we may change is looked at even if nobody states any."""
    wanted: dict[str, set[str]] = {kind.name: set() for kind in registry.kinds.values() if not kind.observed_only}
    stated: list[Resource | LedgerRow] = [*resources.values(), *rows.values()]
    for item in stated:
        if item.key.kind in registry.kinds:
            wanted.setdefault(item.key.kind, set()).update(item.fields)
    # What they refer to may be there without anybody's manifest, of a kind that is only observed.
    for kind in {kind for resource in resources.values() for one in resource.references for kind in one.kinds}:
        if kind in registry.kinds:
            wanted.setdefault(kind, set())
    return wanted


async def view_of(
    setting: Setting,
    desired: Desired,
    connections: Connections,
    manifest: HostManifest,
    wants: frozenset[tuple[str, str]],
) -> HostView:
    """A look at one host: the fields that somebody states, and those that `wants` names by kind."""
    began_at = connections.head_start.began_at
    looked_at = time.monotonic() if began_at is None else began_at
    rows = ledger_of(setting.database, manifest.name) if setting.database is not None else {}
    unfinished = unfinished_keys(setting.database, manifest.name) if setting.database is not None else frozenset[Key]()
    resources = desired.resources.get(manifest.name, {})
    wanted = fields_wanted(setting.registry, resources, rows)
    for kind, name in wants:
        wanted[kind].add(name)
    for key in unfinished:
        if key.kind in wanted:
            wanted[key.kind].update(setting.registry.kinds[key.kind].completion)
    look = await _look(setting, connections, manifest, {kind: frozenset(fields) for kind, fields in wanted.items()})
    inventory, holds = await _with_holds(setting, desired, connections, manifest, look.inventory)
    return HostView(
        manifest=manifest,
        resources=resources,
        inventory=inventory,
        backends=look.backends,
        unserved=look.unserved,
        ledger=rows,
        unfinished=unfinished,
        begun=begun_creations(setting.database, manifest.name) if setting.database is not None and unfinished else frozenset(),
        whole=desired.whole,
        holds=holds,
        looked_at=looked_at,
    )


async def _with_holds(
    setting: Setting, desired: Desired, connections: Connections, manifest: HostManifest, inventory: Inventory
) -> tuple[Inventory, tuple[Hold, ...]]:
    """The holds in force. Where they can't be read the host counts as unreadable: nothing is changed that may be held."""
    if inventory.facts is None:
        return inventory, ()
    transport = await connections.to(manifest)
    try:
        held = await holds_in_force(transport, desired.owner, inventory.facts.host_id, manifest.name, setting.now())
    except ReconcilerError as trouble:
        blind = Unreadable("holds", tuple(setting.registry.kinds), trouble.cause, trouble.remedy)
        return replace(inventory, unreadable=(*inventory.unreadable, blind)), ()
    return inventory, held


async def _look(
    setting: Setting, connections: Connections, manifest: HostManifest, wanted: Mapping[str, frozenset[str]]
) -> Look:
    database = setting.database

    def kept(boot_id: str) -> HostFacts | None:
        if database is None:
            return None
        return kept_facts(database, manifest.name, boot_id, setting.now().timestamp())

    try:
        transport = await connections.to(manifest)
    except ReconcilerError as trouble:
        blind = Unreadable("host", tuple(setting.registry.kinds), trouble.cause, trouble.remedy)
        return Look(Inventory(manifest.name, setting.now(), None, unreadable=(blind,)))
    look = await observe(
        manifest.name,
        transport,
        setting.registry,
        wanted,
        identity=manifest.identity,
        kept_facts=kept,
        now=setting.now,
    )
    if look.facts_are_new and database is not None and look.inventory.facts is not None and not look.inventory.unreadable:
        keep_facts(database, manifest.name, look.inventory.facts, setting.now().timestamp())
    return look


def _learn(setting: Setting, journal: Journal, view: HostView, host: HostPlan, revision: str) -> None:
    """Tells the ledger what holds, what is gone, and which interrupted intents are answered by that."""
    rows = []
    for key in host.settled:
        row = ledger_row(view.resources[key], setting.registry.kinds[key.kind], revision)
        known = view.ledger.get(key)
        if known is None or replace(known, revision=revision) != row:
            rows.append(row)
    answered = view.unfinished & (frozenset(host.settled) | frozenset(host.used) | _absent(view))
    if rows or host.gone or answered:
        journal.learn(rows, host.gone, answered)


def _absent(view: HostView) -> frozenset[Key]:
    """Keys that are neither wanted nor there, on a host that we could see whole."""
    if not view.inventory.is_complete:
        return frozenset()
    return frozenset(key for key in view.unfinished if key not in view.resources and key.object not in view.inventory.objects)
