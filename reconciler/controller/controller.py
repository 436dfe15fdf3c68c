"""The controller: follows a source and keeps one loop per host going."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.controller.applying import forget_host
from reconciler.controller.desired_state import DesiredReader, InvalidDesiredError
from reconciler.controller.host_loop import Current, HostLoop, Tally
from reconciler.controller.log import Log, tell_finding
from reconciler.controller.passes import Connections, Setting
from reconciler.controller.schedule import Schedule
from reconciler.model.errors import ReconcilerError
from reconciler.model.plan import PlanSource
from reconciler.source.background import fetched
from reconciler.source.location import Location
from reconciler.source.tree import Source
from reconciler.source.watch import changes
from reconciler.store.journal import Journal
from reconciler.store.ledger import hosts_in_ledger

POLL_LONGEST_S = 3600.0


@dataclass
class Controller:
    """Polls the source with jitter, or sooner when it is seen to change on this machine, and wakes the hosts concerned.

    A revision that can't be read or is invalid changes nothing: the last good one stays in force, and the hosts' status says
    that the source is stale.
    """

    setting: Setting
    location: Location
    source: Source
    reader: DesiredReader
    connections: Connections
    journal: Journal
    log: Log
    poll: Schedule
    look: Schedule
    named: Callable[[str], PlanSource]
    only_hosts: frozenset[str] = frozenset()
    grace_s: float = 3.0
    shutdown: asyncio.Event = field(default_factory=asyncio.Event)
    _current: Current | None = None
    _fetched: str = ""
    _refused: str = ""
    _refused_for: str = ""
    _stale: str = ""
    _loops: dict[str, HostLoop] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _look_now: asyncio.Event = field(default_factory=asyncio.Event)
    _tally: Tally = field(default_factory=Tally)

    async def run(self) -> None:
        """Runs until `stop` is called; then what is running may finish within `grace_s` seconds, and is ended."""
        watcher = asyncio.create_task(self._watch())
        grace_s = self.grace_s
        try:
            await self._follow()
        except asyncio.CancelledError:
            # Who cancels has asked before, or can't wait.
            grace_s = 0.0
            raise
        finally:
            self.stop()
            watcher.cancel()
            await self._end_all(grace_s, watcher, *self._tasks.values())

    def stop(self) -> None:
        """Asks everything to end at the next safe point."""
        self.shutdown.set()
        self._look_now.set()
        for loop in self._loops.values():
            loop.wake(newer=True)

    def look_now(self) -> None:
        """Polls the source, looks at every host now, and tries everything there, whatever has failed before (SIGHUP)."""
        self._look_now.set()
        for loop in self._loops.values():
            loop.try_all()

    async def _watch(self) -> None:
        async for _ in changes(self.location):
            self._look_now.set()

    async def _follow(self) -> None:
        failures = 0
        while not self.shutdown.is_set():
            self._look_now.clear()
            failures = 0 if await self._poll_once() else failures + 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(self.poll.next_look_s(failures), POLL_LONGEST_S)):
                    await self._look_now.wait()

    async def _poll_once(self) -> bool:
        """Takes a new revision if there is one; whether the source could be read."""
        waiting = asyncio.ensure_future(self.shutdown.wait())
        fetching = asyncio.ensure_future(fetched(self.source))
        await asyncio.wait((fetching, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not fetching.done():
            fetching.cancel()
            return True
        try:
            self._fetched = fetching.result()
        except ReconcilerError as trouble:
            self._note_stale(trouble.cause, trouble.remedy)
            last = self.source.last_good() if self._current is None else None
            if last is not None and last != self._refused:
                self._fetched = last
                self._take(last)
            return False
        if self._fetched == self._refused:
            self._note_invalid(self._fetched)
            return True
        if (self._current is not None and self._current.source.revision == self._fetched) or self._take(self._fetched):
            self._note_fresh()
            return True
        return self._fetched == self._refused

    def _take(self, revision: str) -> bool:
        """Validates a revision and puts it in force."""
        try:
            desired = self.reader.read(self.source, revision).desired
        except InvalidDesiredError as invalid:
            self._refused = revision
            for finding in invalid.findings:
                tell_finding(self.log, finding)
            self._refused_for = invalid.first()
            self._note_invalid(revision)
            return False
        except ReconcilerError as trouble:
            self._note_stale(trouble.cause, trouble.remedy)
            return False
        before, self._current = self._current, Current(desired, self.named(revision))
        self._tally.begin()
        self.log.info("revision", revision=revision[:19], hosts=len(desired.hosts))
        self._wake_hosts(before)
        return True

    def _note_stale(self, cause: str, remedy: str, details: str = "") -> None:
        """Says it once, and has the hosts' status say so, with what the log tells in events of its own."""
        stale = f"{cause}: {details}" if details else cause
        if stale != self._stale:
            self._stale = stale
            self.log.error("source", cause=cause, remedy=remedy)
            self._wake_all()

    def _note_invalid(self, revision: str) -> None:
        self._note_stale(f"revision {revision[:19]} is invalid", "mend it in a new commit", self._refused_for)

    def _note_fresh(self) -> None:
        self._refused = ""
        if self._stale:
            self._stale = ""
            self._wake_all()

    def _wake_all(self) -> None:
        for loop in self._loops.values():
            loop.wake(newer=False)

    def _wake_hosts(self, before: Current | None) -> None:
        """Starts loops for new hosts, ends those of hosts that went, and wakes those for which something changed."""
        assert self._current is not None
        assert self.setting.database is not None
        desired = self._current.desired
        wanted = {host for host in desired.hosts if not self.only_hosts or host in self.only_hosts}
        for host in sorted(self.only_hosts - desired.hosts.keys()):
            self.log.warning("no such host", host=host, cause=f"--host {host} has no Host manifest in this revision")
        for host in sorted(self._loops.keys() - wanted):
            self._loops.pop(host).retire()
        for host in sorted(self._known_hosts() - desired.hosts.keys() - self._tasks.keys()):
            self._forget(host)
        for host in sorted(wanted):
            if host not in self._loops:
                self._start_loop(host)
            elif before is None or _concerns(before, self._current, host):
                self._loops[host].wake(newer=True)

    def _start_loop(self, host: str) -> None:
        self._loops[host] = HostLoop(
            host=host,
            setting=self.setting,
            connections=self.connections,
            journal=self.journal,
            schedule=self.look,
            tally=self._tally,
            log=self.log,
            current=self._in_force,
            stale=lambda: self._stale,
            fetched=lambda: self._fetched,
            shutdown=self.shutdown,
        )
        self._tasks[host] = asyncio.create_task(self._attend(host, self._loops[host], self._tasks.get(host)))

    async def _attend(self, host: str, loop: HostLoop, earlier: asyncio.Task[None] | None) -> None:
        """One host's loop, begun when an earlier one of that host has ended. A host that went away is forgotten after it."""
        if earlier is not None:
            await earlier
        await loop.run()
        if not self.shutdown.is_set() and self._tasks[host] is asyncio.current_task():
            del self._tasks[host]
            await self.connections.drop(host)
            if host not in self._in_force().desired.hosts:
                self._forget(host)

    def _known_hosts(self) -> frozenset[str]:
        """Hosts of the ledger. A state file that can't be read ends no controller: every pass tells of it."""
        assert self.setting.database is not None
        try:
            return hosts_in_ledger(self.setting.database)
        except ReconcilerError as trouble:
            self.log.error("state", cause=trouble.cause, remedy=trouble.remedy)
            return frozenset()

    def _forget(self, host: str) -> None:
        """Lets go of a host; where our files can't be written now, the next revision or start comes back to it."""
        assert self.setting.database is not None
        try:
            forget_host(self.setting.database, self.journal, host)
        except ReconcilerError as trouble:
            self.log.error("not forgotten", host=host, cause=trouble.cause, remedy=trouble.remedy)
        else:
            self.log.warning("forgotten", host=host, cause="it has no Host manifest any more; nothing there is touched")

    def _in_force(self) -> Current:
        assert self._current is not None
        return self._current

    async def _end_all(self, grace_s: float, *tasks: asyncio.Task[None]) -> None:
        """Waits for tasks; those that take longer than the grace are cancelled, and so are all when we are."""
        try:
            await asyncio.wait(tasks, timeout=grace_s)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _concerns(before: Current, now: Current, host: str) -> bool:
    """Whether a host's wishes, or limits that hold for all, differ between two revisions."""
    resources, earlier = now.desired.resources.get(host), before.desired.resources.get(host)
    return (
        before.desired.hosts.get(host) != now.desired.hosts.get(host)
        # A host of whose files none changed has the very same mapping again.
        or (resources is not earlier and resources != earlier)
        or (before.desired.owner, before.desired.guardrails) != (now.desired.owner, now.desired.guardrails)
    )
