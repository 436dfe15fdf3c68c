"""An apply that ends itself by SIGKILL at a chosen point: around the n-th journal commit, or around the n-th command."""

import asyncio
import os
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from reconciler.cli.progress import LineProgress
from reconciler.controller.passes import Connections, Setting, apply_host, plan_hosts
from reconciler.hosts.lease import Holder, Lease
from reconciler.hosts.transport import Transport
from reconciler.model.command import Command, Completed
from reconciler.model.desired import Desired
from reconciler.model.host import HostManifest
from reconciler.model.plan import PlanSource
from reconciler.provider.registry import Registry
from reconciler.store.database import Database
from reconciler.store.journal import Journal


class Moment(StrEnum):
    """Where the process dies: a command that was sent has run, one that was not has not."""

    BEFORE_COMMIT = "before a journal commit"
    AFTER_COMMIT = "after a journal commit"
    BEFORE_COMMAND = "before a command"
    AFTER_COMMAND = "after a command"


@dataclass
class Death:
    """Dies at the `count`-th passage of `moment`, counted from 1."""

    moment: Moment
    count: int
    seen: dict[Moment, int] = field(default_factory=dict)

    def passing(self, moment: Moment) -> None:
        self.seen[moment] = self.seen.get(moment, 0) + 1
        if moment is self.moment and self.seen[moment] == self.count:
            os.kill(os.getpid(), signal.SIGKILL)


class _DyingJournal(Journal):
    def __init__(self, database: Database, death: Death) -> None:
        super().__init__(database)
        self._death = death

    def _commit(self, writes: list[Callable[[sqlite3.Connection], None]]) -> None:
        self._death.passing(Moment.BEFORE_COMMIT)
        super()._commit(writes)
        self._death.passing(Moment.AFTER_COMMIT)


@dataclass
class _DyingTransport:
    transport: Transport
    death: Death

    async def run(self, command: Command) -> Completed:
        if not command.changes:
            return await self.transport.run(command)
        self.death.passing(Moment.BEFORE_COMMAND)
        answer = await self.transport.run(command)
        self.death.passing(Moment.AFTER_COMMAND)
        return answer

    async def lease(self, name: str, holder: Holder) -> Lease:
        return await self.transport.lease(name, holder)

    async def note(self, name: str) -> str:
        return await self.transport.note(name)

    async def change_note(self, name: str, change: Callable[[str], str]) -> None:
        await self.transport.change_note(name, change)

    async def close(self) -> None:
        await self.transport.close()


@dataclass
class _DyingConnections(Connections):
    death: Death | None = None

    async def to(self, manifest: HostManifest) -> Transport:
        assert self.death is not None
        return _DyingTransport(await super().to(manifest), self.death)


def killed_apply(registry: Registry, state: Path, desired: Desired, death: Death) -> bool:
    """Applies in a child process; whether it died at the chosen point (else it ran to its end)."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            asyncio.run(_apply(registry, state, desired, death))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    assert os.WEXITSTATUS(status) == 0, "the apply failed by itself"
    return False


async def _apply(registry: Registry, state: Path, desired: Desired, death: Death) -> None:
    database = Database.open(state)
    setting = Setting(registry, state, database, lambda: datetime.now(UTC))
    connections = _DyingConnections(state, death=death)
    journal = _DyingJournal(database, death)
    source = PlanSource("tree", desired.revision)
    planned = await plan_hosts(setting, desired, source, connections, tuple(sorted(desired.hosts)))
    for host in planned.plan.hosts:
        await apply_host(setting, planned, host, desired, connections, journal, LineProgress(), asyncio.Event())
    await journal.close()
    await connections.close()
    database.close()
