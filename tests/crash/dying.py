"""A pass that dies at a chosen point inside this process: from there on nothing reaches the host or the disk any more.

As sure as kill -9 and a hundred times as fast, on an emulated host; killing.py does it to a process of its own.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from reconciler.controller.passes import Connections, Setting
from reconciler.emulation.faults import Fault, FaultKind
from reconciler.emulation.host import EmulatedHost
from reconciler.hosts.transport import Transport
from reconciler.model.command import Command, Completed
from reconciler.model.desired import Desired
from reconciler.model.host import HostManifest
from reconciler.provider.registry import Registry
from reconciler.store.database import Database
from reconciler.store.journal import Journal
from tests.crash.work import Work
from tests.hosts.passing import Passing
from tests.passes.ground import Ground

MOMENTS_LATER_S = 0.004
"""About as long as a real command takes to begin its work."""


class Moment(StrEnum):
    """Where it dies. What was sent has an effect, what was committed stays."""

    BEFORE_COMMIT = "before a journal commit"
    AFTER_COMMIT = "after a journal commit"
    BEFORE_COMMAND = "before a command"
    INSIDE_COMMAND = "inside a command"
    AFTER_COMMAND = "after a command"


class Died(BaseException):
    """No `except Exception` may survive a kill."""


@dataclass
class Death:
    """Comes at the `count`-th passage of `moment`, counted from 1."""

    moment: Moment
    count: int
    parts: int = 1
    """How much of a command of several parts is done when it comes inside one."""
    seen: dict[Moment, int] = field(default_factory=dict)
    come: bool = False
    argv: tuple[str, ...] = ()
    """The command around which or inside which it came."""
    told: Callable[[], None] = lambda: None

    def comes_at(self, moment: Moment) -> bool:
        """Counts a passage; whether this is the one."""
        self.seen[moment] = self.seen.get(moment, 0) + 1
        return moment is self.moment and self.seen[moment] == self.count

    def passing(self, moment: Moment) -> None:
        """Passes a moment, or dies there. The dead don't move."""
        if not self.come and self.comes_at(moment):
            self.come = True
            self.told()
        if self.come:
            raise Died


class DyingJournal(Journal):
    """A journal whose owner may die around a commit."""

    def __init__(self, database: Database, death: Death) -> None:
        super().__init__(database)
        self._death = death

    def _commit(self, writes: list[Callable[[sqlite3.Connection], None]]) -> None:
        self._death.passing(Moment.BEFORE_COMMIT)
        super()._commit(writes)
        self._death.passing(Moment.AFTER_COMMIT)

    async def closed(self) -> None:
        """Lets go of the thread, whatever is left to be written."""
        self._thread.shutdown()


@dataclass
class DyingTransport(Passing):
    """A transport whose owner may die around a command that changes, or in the middle of one (`host` stops it there)."""

    death: Death
    host: EmulatedHost | None = None

    async def run(self, command: Command) -> Completed:
        if self.death.come:
            raise Died
        if not command.changes:
            return await self.transport.run(command)
        if not self.death.come:
            self.death.argv = command.argv
        self.death.passing(Moment.BEFORE_COMMAND)
        if self.death.comes_at(Moment.INSIDE_COMMAND):
            await self._die_in(command)
        answer = await self.transport.run(command)
        self.death.passing(Moment.AFTER_COMMAND)
        return answer

    async def _die_in(self, command: Command) -> None:
        """Dies when the command has done half its work; of a real one nobody knows how much it will have done."""
        if self.host is None:
            asyncio.get_running_loop().call_later(MOMENTS_LATER_S, self._die)
            await self.transport.run(command)
            await asyncio.sleep(60)
        else:
            self.host.inject(Fault(FaultKind.HALF, parts=self.death.parts))
            await self.transport.run(command)
        self._die()
        raise Died

    def _die(self) -> None:
        self.death.come = True
        self.death.told()


@dataclass
class DyingConnections(Connections):
    """Connections of a process that may die."""

    death: Death | None = None
    host: EmulatedHost | None = None

    async def to(self, manifest: HostManifest) -> Transport:
        assert self.death is not None
        return DyingTransport(await super().to(manifest), self.death, self.host)


def dies(ground: Ground, desired: Desired, death: Death, work: Work) -> bool:
    """Works until death comes; whether it came (else the work came to its end)."""
    return asyncio.run(_dies(ground, desired, death, work))


async def _dies(ground: Ground, desired: Desired, death: Death, work: Work) -> bool:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _context: None)
    fallen = asyncio.Event()
    death.told = lambda: loop.call_soon_threadsafe(fallen.set)
    database = Database.open(ground.state)
    connections = DyingConnections(ground.state, death=death, host=ground.host)
    journal = DyingJournal(database, death)
    setting = Setting(Registry.of(ground.providers), ground.state, database, lambda: datetime.now(UTC))
    working = asyncio.create_task(work.run(setting, desired, connections, journal))
    end = asyncio.create_task(fallen.wait())
    await asyncio.wait({working, end}, return_when=asyncio.FIRST_COMPLETED)
    end.cancel()
    if not death.come:
        await working
    working.cancel()
    await asyncio.wait({working})
    await journal.closed()
    await connections.close()
    database.close()
    return death.come
