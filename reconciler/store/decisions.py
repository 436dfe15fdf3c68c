"""What the last pass decided about objects that are not simply as wanted, and since when.

An object that is as wanted has no row: the ledger says all there is. So what is written follows what changed, not how many
objects there are.
"""

import json
from collections.abc import Container, Mapping
from typing import Any, NamedTuple

from reconciler.model.key import Key
from reconciler.store.database import Database

SETTLED = "settled"
"""The decision about an object that is as wanted."""


class Decision(NamedTuple):
    """A document with the member `decision`, and since when it stands (seconds since the epoch)."""

    document: Mapping[str, Any]
    since: float


def decisions_of(database: Database, host: str) -> dict[Key, Decision]:
    rows = database.rows("SELECT kind, name, document, since FROM decision WHERE host = ?", (host,))
    return {
        Key(host, str(kind), str(name)): Decision(database.document(document), float(str(since)))
        for kind, name, document, since in rows
    }


def write_decisions(
    database: Database, host: str, decided: Mapping[Key, Mapping[str, Any]], wanted: Container[Key], now: float
) -> None:
    """Makes the host's decisions these, touching only what differs; `now` in seconds since the epoch.

    What was released is seen by one pass only: such a decision stays as long as its key is wanted and there is no new one.
    """
    known = decisions_of(database, host)
    changed = {key: document for key, document in decided.items() if key not in known or known[key].document != document}
    over = known.keys() - decided.keys()
    gone = [key for key in over if key not in wanted or known[key].document["decision"] != SETTLED]
    if not changed and not gone:
        return
    with database.transaction() as connection:
        connection.executemany(
            "INSERT OR REPLACE INTO decision VALUES (?, ?, ?, ?, ?)",
            [(*key, json.dumps(document, sort_keys=True), now) for key, document in changed.items()],
        )
        connection.executemany("DELETE FROM decision WHERE host = ? AND kind = ? AND name = ?", [tuple(key) for key in gone])


def drop_decisions(database: Database, host: str) -> None:
    with database.transaction() as connection:
        connection.execute("DELETE FROM decision WHERE host = ?", (host,))
