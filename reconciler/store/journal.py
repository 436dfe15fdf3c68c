"""The journal: what we are about to do, durable before it starts, and what became of it."""

import asyncio
import contextlib
import json
import shlex
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from reconciler.model.change import NAME, Verb
from reconciler.model.key import Key
from reconciler.model.ledger import LedgerRow
from reconciler.model.outcome import Outcome, OutcomeState
from reconciler.model.plan import Action
from reconciler.store.database import Database
from reconciler.store.ledger import drop_rows, write_rows

Write = Callable[[sqlite3.Connection], None]


def unfinished_keys(database: Database, host: str) -> frozenset[Key]:
    """Keys with an intent that has no good end: the action failed, or we were stopped before we knew."""
    query = "SELECT DISTINCT kind, name FROM journal WHERE host = ? AND settled = 0"
    return frozenset(Key(host, str(kind), str(name)) for kind, name in database.rows(query, (host,)))


def begun_creations(database: Database, host: str) -> frozenset[Key]:
    """Keys of which a create of ours may have made something: of its end nothing is known, or a later command of it failed.

    Not those whose first command failed: what is there now may be somebody else's.
    """
    query = "SELECT kind, name, state, commands, command FROM journal WHERE host = ? AND settled = 0 AND verb = ?"
    return frozenset(
        Key(host, str(kind), str(name))
        for kind, name, state, commands, command in database.rows(query, (host, Verb.CREATE))
        if state in (None, OutcomeState.UNKNOWN)
        or (state != OutcomeState.SKIPPED and command not in (None, shlex.join(json.loads(str(commands))[0])))
    )


@dataclass(frozen=True, slots=True)
class Intent:
    """An action about to start, known at a time in seconds since the epoch; what becomes of it tells when it did start."""

    action: Action
    revision: str
    started: float


LONGEST_WAIT_S = 0.1
"""How long a record that nobody waits for may wait for others to share its commit."""


class Journal:
    """Group commit: records wait a moment for others, or until somebody needs one of them, and share a commit.

    Each commit waits for the disk, and where the host's own pool lies on the same one the two wait for each other. A result
    need not be waited for: at `close` it is durable at the latest.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[Write, asyncio.Future[None]]] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._hurry = asyncio.Event()
        self._last: asyncio.Future[None] | None = None
        self._flusher: asyncio.Task[None] | None = None
        self._trouble: Exception | None = None

    def begin(self, intent: Intent) -> "asyncio.Future[None]":
        """Done when the intent is durable; nothing may run before. `durable` waits for it without delay."""
        return self._enqueue(lambda connection: _write_intent(connection, intent))

    def end(self, outcome: Outcome, action: Action, ended: float, row: LedgerRow | None) -> "asyncio.Future[None]":
        """Records what became of an action, and in the same transaction what the ledger learns from it."""
        return self._enqueue(lambda connection: _write_outcome(connection, outcome, action, ended, row))

    def withdraw(self, action: Action) -> "asyncio.Future[None]":
        """Takes back the intent of an action that was not started; what was known of the key before is known again."""
        return self._enqueue(lambda connection: _withdraw_intent(connection, action))

    def learn(self, rows: Iterable[LedgerRow], gone: Iterable[Key], settled: Iterable[Key]) -> "asyncio.Future[None]":
        """Records what a look has shown: rows that hold, keys that are gone, keys whose last intent is now answered."""
        kept, dropped, answered = tuple(rows), tuple(gone), tuple(settled)

        def write(connection: sqlite3.Connection) -> None:
            write_rows(connection, kept)
            drop_rows(connection, dropped)
            _settle(connection, (*answered, *dropped))

        return self._enqueue(write)

    async def durable(self, record: "asyncio.Future[None]") -> None:
        """Waits until a record is durable, which no longer waits for others; raises what keeps it from becoming so."""
        if any(waiting is record for _, waiting in self._waiting):
            self._hurry.set()
        # Whoever gives up waiting does not make it durable.
        await asyncio.shield(record)

    async def flushed(self) -> None:
        """Waits until everything recorded so far is durable, and with that visible to readers."""
        if self._waiting:
            self._hurry.set()
        if self._last is not None:
            await asyncio.wait((self._last,))

    async def close(self) -> None:
        """Waits until everything is durable; raises what kept a record from becoming so."""
        await self.flushed()
        self._thread.shutdown()
        self.raise_trouble()

    def raise_trouble(self) -> None:
        """Raises, once, what has kept a record from becoming durable, though nobody may have waited for that record."""
        trouble, self._trouble = self._trouble, None
        if trouble is not None:
            raise trouble

    def note_trouble(self, trouble: Exception) -> None:
        """Keeps the first failure to record something, here or beside the journal, until it is raised."""
        self._trouble = self._trouble or trouble

    def _enqueue(self, write: Write) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.add_done_callback(self._note)
        self._waiting.append((write, future))
        self._last = future
        if self._flusher is None or self._flusher.done():
            self._hurry.clear()
            self._flusher = asyncio.create_task(self._flush())
        return future

    def _note(self, future: "asyncio.Future[None]") -> None:
        """Keeps the first failure, so that a record nobody waits for can't be lost in silence."""
        trouble = None if future.cancelled() else future.exception()
        if isinstance(trouble, Exception):
            self.note_trouble(trouble)

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_WAIT_S):
                    await self._hurry.wait()
            self._hurry.clear()
            batch, self._waiting = self._waiting, []
            try:
                await loop.run_in_executor(self._thread, self._commit, [write for write, _ in batch])
            except Exception as trouble:  # noqa: BLE001 - each waiter gets it; nobody may run on an intent that is not durable
                for _, future in batch:
                    if not future.done():
                        future.set_exception(trouble)
            else:
                for _, future in batch:
                    if not future.done():
                        future.set_result(None)

    def _commit(self, writes: list[Write]) -> None:
        with self._database.transaction() as connection:
            for write in writes:
                write(connection)


MOST_ENTRIES = 10_000
LONGEST_S = 90 * 86400.0
"""Entries beyond this number, and older ones than that, go once they are answered."""

_BETWEEN_PRUNINGS = 100


def _write_intent(connection: sqlite3.Connection, intent: Intent) -> None:
    action = intent.action
    entry = connection.execute(
        "INSERT INTO journal (host, kind, name, action, verb, commands, revision, started) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*action.key, action.id, action.verb, _commands(action), intent.revision, intent.started),
    ).lastrowid
    if entry is not None and entry % _BETWEEN_PRUNINGS == 0:
        connection.execute(
            "DELETE FROM journal WHERE settled = 1 AND (id <= ? OR started < ?)",
            (entry - MOST_ENTRIES, intent.started - LONGEST_S),
        )


def _commands(action: Action) -> str:
    return json.dumps([step.command.argv for step in action.steps], ensure_ascii=True)


def _withdraw_intent(connection: sqlite3.Connection, action: Action) -> None:
    # One with an end is of an earlier pass: where the intent could not be written there is nothing to take back.
    connection.execute("DELETE FROM journal WHERE id = ? AND state IS NULL", _entry(connection, action))


def _entry(connection: sqlite3.Connection, action: Action) -> tuple[int | None]:
    """The id of an action's intent, as the value of a query."""
    query = "SELECT max(id) FROM journal WHERE host = ? AND kind = ? AND name = ? AND action = ?"
    found: tuple[int | None] = connection.execute(query, (*action.key, action.id)).fetchone()
    return found


def _write_outcome(
    connection: sqlite3.Connection, outcome: Outcome, action: Action, ended: float, row: LedgerRow | None
) -> None:
    # What a tool said may hold bytes that are no text.
    told = (outcome.failure.cause, outcome.command, outcome.failure.remedy) if outcome.failure is not None else ()
    failure, command, remedy = (text.encode("utf-8", "backslashreplace").decode() for text in told or ("", "", ""))
    # What is known of the key from now on is what became of this intent.
    _settle(connection, (action.key,))
    is_good = outcome.state is OutcomeState.SUCCEEDED
    connection.execute(
        "UPDATE journal SET started = max(started, ?), ended = ?, state = ?, attempts = ?, failure = nullif(?, ''), "
        "command = nullif(?, ''), remedy = nullif(?, ''), settled = ? WHERE id = ?",
        (
            *(ended - outcome.duration_s, ended, outcome.state, outcome.attempts, failure, command, remedy, is_good),
            *_entry(connection, action),
        ),
    )
    if not is_good:
        return
    if row is not None:
        write_rows(connection, (row,))
    if (moved := action.change.field(NAME)) is not None:
        drop_rows(connection, (action.key._replace(name=str(moved.before)),))
    if action.verb in (Verb.DELETE, Verb.TRASH, Verb.FORGET):
        drop_rows(connection, (action.key,))


def _settle(connection: sqlite3.Connection, keys: Iterable[Key]) -> None:
    connection.executemany(
        "UPDATE journal SET settled = 1 WHERE settled = 0 AND host = ? AND kind = ? AND name = ?", [tuple(key) for key in keys]
    )
