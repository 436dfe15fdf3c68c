"""The status of each host as the last pass left it, as the document that `status --output json` shows."""

import json
from typing import Any

from reconciler.store.database import Database


def write_status(database: Database, host: str, document: dict[str, Any]) -> None:
    with database.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO status VALUES (?, ?)", (host, json.dumps(document)))


def statuses(database: Database) -> tuple[dict[str, Any], ...]:
    """All hosts' documents, by host name."""
    return tuple(database.document(row[0]) for row in database.rows("SELECT document FROM status ORDER BY host"))


def status_of(database: Database, host: str) -> dict[str, Any] | None:
    return next(
        (database.document(row[0]) for row in database.rows("SELECT document FROM status WHERE host = ?", (host,))), None
    )


def drop_status(database: Database, host: str) -> None:
    with database.transaction() as connection:
        connection.execute("DELETE FROM status WHERE host = ?", (host,))
