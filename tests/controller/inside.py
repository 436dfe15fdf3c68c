"""The controller's parts in this process: sources in memory, hosts that can be steered, a log to look into."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from reconciler.controller.applying import working_state
from reconciler.controller.controller import Controller
from reconciler.controller.desired_state import DesiredReader
from reconciler.controller.host_loop import Current, HostLoop, Tally
from reconciler.controller.log import Log
from reconciler.controller.passes import Connections, Setting
from reconciler.controller.schedule import Schedule
from reconciler.desired.entry import EntryKind, TooLarge, TreeEntry
from reconciler.hosts.lease import Holder, Lease
from reconciler.hosts.transport import Transport
from reconciler.model.command import Command, Completed
from reconciler.model.errors import ReconcilerError
from reconciler.model.host import HostManifest
from reconciler.model.plan import PlanSource
from reconciler.provider.registry import Registry
from reconciler.source.location import FolderLocation
from reconciler.source.tree import Tree
from reconciler.store.database import Database
from reconciler.store.journal import Journal
from tests.cli.children import PATIENCE_S
from tests.controller.running import REPOSITORY

NEVER = Schedule(1e9, lambda: 0.5)
"""Looks only when woken."""

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class RecordedLog:
    """Keeps each event as a mapping."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def _say(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        self.events.append({"level": level, "event": event, **fields})

    def debug(self, event: str, **fields: object) -> None:
        """Below what is logged."""

    def info(self, event: str, **fields: object) -> None:
        self._say("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._say("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._say("error", event, fields)

    def said(self, event: str) -> list[dict[str, Any]]:
        return [said for said in self.events if said["event"] == event]


@dataclass
class MemorySource:
    """Revisions as mappings of path to text. `tip` is what `fetch` gives or raises; `unreadable` are refused by `tree`."""

    revisions: dict[str, Mapping[str, str]]
    tip: str | ReconcilerError
    accepted: str | None = None
    unreadable: set[str] = field(default_factory=set)
    listed: list[str] = field(default_factory=list)

    def fetch(self) -> str:
        if isinstance(self.tip, ReconcilerError):
            raise self.tip
        self.accepted = self.tip
        return self.tip

    def last_good(self) -> str | None:
        return self.accepted

    def tree(self, revision: str) -> Tree:
        self.listed.append(revision)
        if revision in self.unreadable:
            raise ReconcilerError(f"{revision} can't be read", remedy="wait")
        files = self.revisions[revision]
        return Tree(revision, tuple(TreeEntry(path, f"{revision}:{path}", EntryKind.FILE, None) for path in sorted(files)))

    def read(self, blobs: Iterable[str]) -> Iterator[tuple[str, bytes | TooLarge]]:
        for blob in blobs:
            revision, _, path = blob.partition(":")
            yield blob, self.revisions[revision][path].encode()

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Steered(Connections):
    """Connections that tell a test of each command before it runs."""

    before: Callable[[str, Command], None] = lambda host, command: None

    async def to(self, manifest: HostManifest) -> Transport:
        return _Told(manifest.name, await super().to(manifest), self)


@dataclass
class _Told:
    host: str
    transport: Transport
    connections: Steered

    async def run(self, command: Command) -> Completed:
        self.connections.before(self.host, command)
        return await self.transport.run(command)

    async def lease(self, name: str, holder: Holder) -> Lease:
        return await self.transport.lease(name, holder)

    async def note(self, name: str) -> str:
        return await self.transport.note(name)

    async def change_note(self, name: str, change: Callable[[str], str]) -> None:
        await self.transport.change_note(name, change)

    async def close(self) -> None:
        await self.transport.close()


class Clock:
    """A minute later at each look."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


@dataclass
class Inside:
    """A state directory in use, and what loops and controllers are made of."""

    setting: Setting
    connections: Steered
    journal: Journal
    source: MemorySource
    reader: DesiredReader
    log: RecordedLog = field(default_factory=RecordedLog)
    tally: Tally = field(default_factory=Tally)
    shutdown: asyncio.Event = field(default_factory=asyncio.Event)
    current: Current | None = None

    def put(self, revision: str, files: Mapping[str, str | bytes | None]) -> None:
        """Makes a revision of these files, with the repository's own beside them."""
        self.source.revisions[revision] = {"repository.yaml": REPOSITORY, **cast("Mapping[str, str]", files)}
        self.source.tip = revision

    def enforce(self, revision: str) -> Current:
        """Puts a revision in force for loops that are made here."""
        self.current = Current(self.reader.read(self.source, revision).desired, PlanSource("memory", revision))
        self.tally.begin()
        return self.current

    def loop(self, host: str = "h", stale: str = "", **more: Any) -> HostLoop:
        def in_force() -> Current:
            assert self.current is not None
            return self.current

        return HostLoop(
            host=host,
            setting=self.setting,
            connections=self.connections,
            journal=self.journal,
            schedule=NEVER,
            tally=self.tally,
            log=cast("Log", self.log),
            current=in_force,
            stale=lambda: stale,
            fetched=lambda: in_force().source.revision,
            shutdown=self.shutdown,
            **more,
        )

    def controller(self, kind: type[Controller] = Controller, **more: Any) -> Controller:
        return kind(
            setting=self.setting,
            location=FolderLocation(self.setting.state / "nothing-is-watched"),
            source=self.source,
            reader=self.reader,
            connections=self.connections,
            journal=self.journal,
            log=cast("Log", self.log),
            poll=NEVER,
            look=NEVER,
            named=lambda revision: PlanSource("memory", revision),
            **more,
        )


@asynccontextmanager
async def inside(registry: Registry, state: Path, files: Mapping[str, str | bytes | None]) -> AsyncIterator[Inside]:
    """A state directory in use, and a source whose only revision `one` is of these files and in force."""
    async with working_state(registry, state, Clock()) as (setting, _, journal):
        connections = Steered(state)
        made = Inside(setting, connections, journal, MemorySource({}, "one"), DesiredReader(registry))
        made.put("one", files)
        made.enforce("one")
        try:
            yield made
        finally:
            await connections.close()


@contextmanager
def full_disk(database: Database, *changes: str) -> Iterator[None]:
    """Meanwhile these changes (`INSERT ON journal`) fail in the state file as they do on a full disk."""
    triggers = {f"full_{number}": change for number, change in enumerate(changes)}
    with database.transaction() as connection:
        for name, change in triggers.items():
            connection.execute(
                f"CREATE TRIGGER {name} BEFORE {change} BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )
    try:
        yield
    finally:
        with database.transaction() as connection:
            for name in triggers:
                connection.execute(f"DROP TRIGGER {name}")


async def until(holds: Callable[[], object], what: str) -> None:
    """Lets other tasks run until something holds."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():  # noqa: ASYNC110 - what is waited for has no event of its own
                await asyncio.sleep(0.001)
    except TimeoutError as late:
        raise AssertionError(f"it never came to this: {what}") from late
