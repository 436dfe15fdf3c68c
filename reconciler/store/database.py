"""The SQLite file of a state directory: opening it, its tables, and one transaction at a time."""

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from reconciler.model.errors import ReconcilerError

FILE_NAME = "reconciler.sqlite"
SCHEMA_VERSION = 2

_DECISION = """
CREATE TABLE decision (
    host TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    document TEXT NOT NULL, since REAL NOT NULL,
    PRIMARY KEY (host, kind, name)
) STRICT, WITHOUT ROWID
"""

_SCHEMA = f"""
CREATE TABLE ledger (
    host TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    fields TEXT NOT NULL, lifecycle TEXT NOT NULL, refs TEXT NOT NULL, revision TEXT NOT NULL, origin TEXT,
    PRIMARY KEY (host, kind, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE journal (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    action TEXT NOT NULL, verb TEXT NOT NULL, commands TEXT NOT NULL, revision TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, state TEXT, attempts INTEGER, failure TEXT,
    settled INTEGER NOT NULL DEFAULT 0, command TEXT, remedy TEXT
) STRICT;
CREATE INDEX journal_open ON journal (host, kind, name) WHERE settled = 0;
CREATE TABLE facts (host TEXT PRIMARY KEY, read_at REAL NOT NULL, boot_id TEXT NOT NULL, facts TEXT NOT NULL) STRICT;
CREATE TABLE status (host TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
{_DECISION.strip()}
"""

_MIGRATIONS = {
    1: (
        "ALTER TABLE ledger ADD COLUMN origin TEXT",
        "ALTER TABLE journal ADD COLUMN command TEXT",
        "ALTER TABLE journal ADD COLUMN remedy TEXT",
        _DECISION,
    ),
}
"""By format what makes a file of it one of the next format. What is new may be empty: the next pass fills it."""

_TROUBLE = (sqlite3.Error, UnicodeDecodeError)
"""What sqlite3 raises; it fails to decode the text of a damaged file, or its own message about it."""


class Database:
    """One connection, which threads may share: each query and each transaction has it to itself."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._turn = threading.RLock()

    @classmethod
    def open(cls, state: Path) -> Self:
        """The database of a state directory, made when absent. ReconcilerError when it can't be used."""
        try:
            state.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not (state / FILE_NAME).exists():
                _make(state / FILE_NAME)
            return cls(state / FILE_NAME, _connect(state / FILE_NAME))
        except (OSError, *_TROUBLE) as trouble:
            raise unusable(state / FILE_NAME, trouble) from trouble

    @classmethod
    def open_existing(cls, state: Path) -> Self | None:
        """The database if there is one; looking never makes a state directory."""
        return cls.open(state) if (state / FILE_NAME).exists() else None

    def rows(self, query: str, values: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
        try:
            with self._turn:
                found = self._connection.execute(query, values).fetchall()
            yield from found
        except _TROUBLE as trouble:
            raise unusable(self.path, trouble) from trouble

    def document(self, cell: object) -> Any:
        """The JSON of a cell. ReconcilerError when it is none: every cell is written by us, so the file is damaged."""
        try:
            return json.loads(str(cell))
        except ValueError as damage:
            raise unusable(self.path, damage) from damage

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A durable transaction: committed and synced when the block ends, rolled back when it raises."""
        try:
            with self._turn:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    # SQLite has rolled back by itself where the disk is full.
                    if self._connection.in_transaction:
                        self._connection.execute("ROLLBACK")
                    raise
        except _TROUBLE as trouble:
            raise unusable(self.path, trouble) from trouble

    def close(self) -> None:
        self._connection.close()


def unusable(path: Path, trouble: Exception) -> ReconcilerError:
    cause = trouble.strerror.lower() if isinstance(trouble, OSError) and trouble.strerror else str(trouble)
    return ReconcilerError(
        f"the state file {path} can't be used: {cause}",
        remedy="check the disk and its rights, or choose another directory with --state; the file may be deleted: "
        "marks on the hosts keep what is ours",
    )


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0 or version in _MIGRATIONS:
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            # Another process may have done it while we waited.
            version = cursor.execute("PRAGMA user_version").fetchone()[0]
            for statement in _statements(version):
                cursor.execute(statement)
            cursor.execute("COMMIT")
    elif version != SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"it has format {version}, this program knows {SCHEMA_VERSION}")


def _statements(version: int) -> list[str]:
    """What makes a file of that format one of ours; 0 is an empty one."""
    steps = _SCHEMA.strip().split(";\n") if version == 0 else []
    for earlier in range(version or SCHEMA_VERSION, SCHEMA_VERSION):
        steps += _MIGRATIONS[earlier]
    return [*steps, f"PRAGMA user_version = {SCHEMA_VERSION}"]


def _make(path: Path) -> None:
    """Makes the file whole under another name first: two that turn one file to WAL at once get in each other's way."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        _connect(draft).close()
        # Where the file system knows no links, the file is made in its place.
        with contextlib.suppress(OSError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
