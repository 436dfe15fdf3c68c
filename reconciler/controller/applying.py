"""Applying to all hosts of a plan at once, and what is kept of it in the state directory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from reconciler.controller.conditions import NO_ATTEMPTS, Attempts, host_status
from reconciler.controller.decisions import decisions
from reconciler.controller.passes import Connections, HostResult, Planned, Setting, apply_host, every
from reconciler.hosts.execute import Progress
from reconciler.hosts.head_start import HeadStart
from reconciler.hosts.local import NO_HEAD_START
from reconciler.model.change import REMOVALS
from reconciler.model.desired import Desired
from reconciler.model.errors import ReconcilerError
from reconciler.model.guardrails import Guardrails
from reconciler.model.key import Key
from reconciler.model.plan import HostPlan, Reason
from reconciler.planning.guardrail import Taken
from reconciler.planning.render_json import timestamp
from reconciler.planning.view import HostView
from reconciler.provider.registry import Registry
from reconciler.store.database import Database
from reconciler.store.decisions import drop_decisions, write_decisions
from reconciler.store.facts import forget_facts
from reconciler.store.journal import Journal, unfinished_keys
from reconciler.store.ledger import ledger_of
from reconciler.store.status import drop_status, status_of, write_status


@asynccontextmanager
async def working_state(
    registry: Registry,
    state: Path,
    now: Callable[[], datetime],
    head_start: HeadStart = NO_HEAD_START,
    ceilings: Guardrails | None = None,
) -> AsyncIterator[tuple[Setting, Connections, Journal]]:
    """What applying needs, over one state directory; all of it is closed at the end, whatever fails."""
    async with AsyncExitStack() as stack:
        database, journals = Database.open(state), Database.open(state)
        stack.callback(database.close)
        # The journal commits in a thread of its own, and a transaction belongs to a connection.
        stack.callback(journals.close)
        connections, journal = Connections(state, head_start), Journal(journals)
        stack.push_async_callback(connections.close)
        stack.push_async_callback(journal.close)
        yield Setting(registry, state, database, now, ceilings=ceilings), connections, journal


async def apply_hosts(
    setting: Setting,
    planned: Planned,
    desired: Desired,
    connections: Connections,
    journal: Journal,
    progress: Progress,
    stop: asyncio.Event,
    *,
    reviewed: bool = False,
) -> list[HostResult]:
    """Runs the plans of all hosts side by side; trouble on one ends no other, and is raised when all have ended.

    A plan that somebody has `reviewed` is not run on a host where another writer has changed it since.

    Afterwards the status of each host is kept, unless the plan was narrowed to some objects; forgotten hosts lose theirs.
    """
    assert setting.database is not None
    revision = planned.plan.source.revision
    permitted = _one_grows(planned.plan.hosts)
    for host in planned.plan.forgotten:
        forget_host(setting.database, journal, host)
    results = await every(
        apply_host(
            setting,
            planned,
            host,
            desired,
            connections,
            journal,
            progress,
            stop,
            _on_other_hosts(planned, host.host),
            reviewed=reviewed,
            permitted=permitted,
        )
        for host in planned.plan.hosts
    )
    if desired.whole:
        try:
            for result in results:
                keep_status(setting, planned.views[result.host], result, revision, revision, "")
        except ReconcilerError as trouble:
            # What was done is told first; this is when the journal is closed.
            journal.note_trouble(trouble)
    return results


def _one_grows(hosts: Sequence[HostPlan]) -> Callable[[HostPlan], HostPlan]:
    """Lets one host alone take more than was counted when all were planned, so that no limit over all hosts is passed.

    A plan that was made anew under the lock may do so. Another one that would is left for the next apply.
    """
    counted = {host.host: taken(host).keys() for host in hosts}
    grown: set[str] = set()

    def permitted(plan: HostPlan) -> HostPlan:
        if taken(plan).keys() <= counted[plan.host]:
            return plan
        if grown - {plan.host}:
            return replace(plan, actions=())
        grown.add(plan.host)
        return plan

    return permitted


def keep_status(
    setting: Setting,
    view: HostView,
    result: HostResult,
    revision: str,
    fetched: str,
    stale: str,
    attempts: Attempts = NO_ATTEMPTS,
) -> None:
    """Keeps what a pass over `revision` has left a host like, for `status` and `why`. `fetched` is the newest revision that was
    read; `stale` says why a newer one could not be, `attempts` when what failed is tried again."""
    database, now = setting.database, setting.now()
    assert database is not None
    before = status_of(database, result.host)
    last = str(before["revision"]["applied"]) if before is not None else ""
    applied = revision if result.is_converged else last
    document = host_status(view, result, applied, fetched, stale, now, before, attempts)
    document["lastPass"] = {"at": timestamp(now), "revision": revision}
    write_status(database, result.host, document)
    write_decisions(database, result.host, decisions(view, result), view.resources.keys(), now.timestamp())


def forget_host(database: Database, journal: Journal, host: str) -> None:
    """Lets go of all that we know about a host that has no manifest any more. Our marks stay, and nothing there is touched."""
    known = frozenset(ledger_of(database, host)) | unfinished_keys(database, host)
    forget_facts(database, host)
    drop_status(database, host)
    drop_decisions(database, host)
    # Last: as long as the ledger knows the host, what could not be dropped for want of room is tried again.
    journal.learn((), known, known)


def taken(plan: HostPlan) -> dict[Key, int]:
    """What a plan will take away, as bytes by key."""
    return {action.key: action.at_risk.bytes for action in plan.runnable if action.verb in REMOVALS}


def _on_other_hosts(planned: Planned, host: str) -> Taken:
    """What the plan takes away on all hosts but one, or would but for the guardrails."""
    count = size = 0
    for other in planned.plan.hosts:
        if other.host == host:
            continue
        removals = taken(other)
        for item in other.blocked:
            if item.reason is Reason.GUARDRAIL and item.verb in REMOVALS:
                there = planned.views[other.host].inventory.objects.get(item.key.object)
                removals[item.key] = there.removal.bytes if there is not None and there.removal is not None else 0
        count, size = count + len(removals), size + sum(removals.values())
    return Taken(count, size)
