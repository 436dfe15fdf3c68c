"""The state of one emulated host: a SQLite file that many processes and threads may use at once."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from reconciler.emulation.errors import EmulationError

# What a column holds is said by the schema; SQLite is a border where Python's types begin.
Row: TypeAlias = tuple[Any, ...]

# Tells a state file from any other SQLite file ("RecE"), and which layout it has.
_APPLICATION_ID = 0x52656345
_LAYOUT = 2
# The oldest layout that opening a host brings up to the newest (parts.py).
_OLDEST_LAYOUT = 1
_BUSY_TIMEOUT_S = 120.0

CORE_SCHEMA = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE fault (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, tool TEXT NOT NULL, argv TEXT NOT NULL,
    skip INTEGER NOT NULL, times INTEGER, exit_code INTEGER, stderr TEXT NOT NULL
);
CREATE TABLE call (
    id INTEGER PRIMARY KEY AUTOINCREMENT, argv TEXT NOT NULL, stdin BLOB, exit_code INTEGER NOT NULL,
    changed INTEGER NOT NULL, hangs INTEGER NOT NULL, at REAL NOT NULL
);
"""


def _decode(raw: bytes) -> str:
    # A user property may hold bytes that are no UTF-8; they come back as they went in.
    return raw.decode("utf-8", "surrogateescape")


class State:
    """One open state file: queries and transactions, no knowledge of what the tables mean."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection = _connect(path)

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[State]:
        """One unchanging view of the whole state."""
        with self._transaction("BEGIN DEFERRED"):
            yield self

    @contextlib.contextmanager
    def changing(self) -> Iterator[State]:
        """All or nothing: what is written here is there for everybody at the end, or not at all after an exception."""
        with self._transaction("BEGIN IMMEDIATE"):
            yield self

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute(begin)
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, query: str, *parameters: object) -> list[Row]:
        """All rows of a query."""
        return self._connection.execute(query, parameters).fetchall()

    def row(self, query: str, *parameters: object) -> Row | None:
        """The first row of a query."""
        found: Row | None = self._connection.execute(query, parameters).fetchone()
        return found

    def write(self, statement: str, *parameters: object) -> int:
        """Runs one statement that changes rows; gives the id of a row that it inserted."""
        return self._connection.execute(statement, parameters).lastrowid or 0

    def write_many(self, statement: str, rows: Iterator[Row] | list[Row]) -> None:
        """Runs one statement for each row."""
        self._connection.executemany(statement, rows)

    def create_tables(self, schema: str) -> None:
        """Runs the statements of a schema, each ended by a semicolon, in the transaction that is open."""
        for statement in schema.split(";"):
            if statement.strip():
                self.write(statement)

    def set_layout(self) -> None:
        """Says that the tables are those of the newest layout."""
        self.write(f"PRAGMA user_version = {_LAYOUT}")

    def written(self) -> int:
        """How many rows this opening of the file has written so far."""
        return self._connection.total_changes

    def fact(self, name: str) -> str:
        """A single value of the host, such as its hostname."""
        found = self.row("SELECT value FROM fact WHERE name = ?", name)
        if found is None:
            raise EmulationError(f"{self.path}: the state has no {name}; remedy: delete the file and begin anew")
        return str(found[0])

    def set_fact(self, name: str, value: str) -> None:
        """Stores a single value of the host."""
        self.write("INSERT INTO fact VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)

    def next_number(self, name: str) -> int:
        """A counter's next value, from 1."""
        found = self.row("SELECT value FROM fact WHERE name = ?", name)
        number = int(str(found[0])) + 1 if found else 1
        self.set_fact(name, str(number))
        return number


def create_state(path: Path, fill: Callable[[State], None]) -> None:
    """Makes a state file and lets `fill` write its tables; nothing happens when somebody else made it first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.draft")
    draft.unlink(missing_ok=True)
    try:
        connection = sqlite3.connect(draft, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_LAYOUT}")
        connection.close()
        state = State(draft)
        try:
            with state.changing():
                fill(state)
        finally:
            state.close()
        # A link appears whole or not at all, so that no other process ever sees a half-made state.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        for leftover in (draft, draft.with_name(f"{draft.name}-wal"), draft.with_name(f"{draft.name}-shm")):
            leftover.unlink(missing_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise EmulationError(f"{path}: there is no such file; remedy: make the emulated host first")
    try:
        connection = sqlite3.connect(
            path,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
    except sqlite3.Error as error:
        raise EmulationError(f"{path}: can't be opened: {error}; remedy: check that it is a readable file") from error
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        layout = connection.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.DatabaseError as error:
        connection.close()
        raise EmulationError(
            f"{path}: this is no emulated host's state: {error}; remedy: name another file, or delete this one"
        ) from error
    if application != _APPLICATION_ID or not _OLDEST_LAYOUT <= layout <= _LAYOUT:
        connection.close()
        raise EmulationError(
            f"{path}: this is no emulated host's state of layout {_OLDEST_LAYOUT} to {_LAYOUT};"
            " remedy: name another file, or delete this one"
        )
    # A killed process loses nothing by this; only a power cut may, and then the emulated host is made anew.
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.text_factory = _decode
    return connection
