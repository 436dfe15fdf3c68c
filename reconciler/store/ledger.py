"""The ledger: what we applied last, per key."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.model.key import Key, ObjectName
from reconciler.model.ledger import LedgerRow
from reconciler.model.lifecycle import Adopt, Disruption, Lifecycle, Mode, OnRemoval, Protect
from reconciler.store.database import Database, unusable


def ledger_of(database: Database, host: str) -> Mapping[Key, LedgerRow]:
    """All rows of one host. ReconcilerError when what stands there is not what we write."""
    query = "SELECT kind, name, fields, lifecycle, refs, revision, ifnull(origin, '') FROM ledger WHERE host = ?"
    rows = (_row(host, *(str(cell) for cell in cells)) for cells in database.rows(query, (host,)))
    try:
        return {row.key: row for row in rows}
    except (ValueError, KeyError, TypeError, AttributeError) as damage:
        raise unusable(database.path, damage) from damage


def _row(
    host: str, kind: str, name: str, fields: str, lifecycle: str, references: str, revision: str, origin: str
) -> LedgerRow:
    return LedgerRow(
        Key(host, kind, name),
        {field: _value(value) for field, value in json.loads(fields).items()},
        _lifecycle(json.loads(lifecycle)),
        tuple(ObjectName(*reference) for reference in json.loads(references)),
        revision,
        origin,
    )


def hosts_in_ledger(database: Database) -> frozenset[str]:
    return frozenset(str(row[0]) for row in database.rows("SELECT DISTINCT host FROM ledger"))


def write_rows(connection: sqlite3.Connection, rows: Iterable[LedgerRow]) -> None:
    """Inserts or replaces rows inside the caller's transaction."""
    connection.executemany(
        "INSERT OR REPLACE INTO ledger (host, kind, name, fields, lifecycle, refs, revision, origin) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *row.key,
                json.dumps(dict(row.fields), sort_keys=True),
                json.dumps(_lifecycle_document(row.lifecycle), sort_keys=True),
                json.dumps(row.references),
                row.revision,
                row.origin,
            )
            for row in rows
        ],
    )


def drop_rows(connection: sqlite3.Connection, keys: Iterable[Key]) -> None:
    """Deletes rows inside the caller's transaction."""
    connection.executemany("DELETE FROM ledger WHERE host = ? AND kind = ? AND name = ?", [tuple(key) for key in keys])


def _value(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _lifecycle_document(lifecycle: Lifecycle) -> dict[str, object]:
    return {
        "onRemoval": lifecycle.on_removal,
        "trashTtl": lifecycle.trash_ttl_s,
        "deleteSnapshots": lifecycle.delete_snapshots,
        "adopt": lifecycle.adopt,
        "protect": lifecycle.protect,
        "disruption": lifecycle.disruption,
        "mode": lifecycle.mode,
        "ignore": list(lifecycle.ignore),
    }


def _lifecycle(document: Mapping[str, Any]) -> Lifecycle:
    return Lifecycle(
        on_removal=OnRemoval(document["onRemoval"]),
        trash_ttl_s=document["trashTtl"],
        delete_snapshots=document["deleteSnapshots"],
        adopt=Adopt(document["adopt"]),
        protect=Protect(document["protect"]),
        disruption=Disruption(document["disruption"]),
        mode=Mode(document["mode"]),
        ignore=tuple(document["ignore"]),
    )
