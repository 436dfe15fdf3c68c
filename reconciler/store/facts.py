"""Facts of hosts, kept for one boot and at most an hour."""

import json
from collections.abc import Mapping
from typing import Any

from reconciler.model.command import Command, Completed, Ending
from reconciler.model.facts import HostFacts
from reconciler.store.database import Database

FACTS_HOLD_S = 3600.0


def kept_facts(database: Database, host: str, boot_id: str, now: float) -> HostFacts | None:
    """The facts read earlier in this boot, if they are fresh enough; `now` in seconds since the epoch."""
    query = "SELECT facts FROM facts WHERE host = ? AND boot_id = ? AND read_at BETWEEN ? AND ?"
    for (document,) in database.rows(query, (host, boot_id, now - FACTS_HOLD_S, now)):
        return _facts(database.document(document))
    return None


def keep_facts(database: Database, host: str, facts: HostFacts, now: float) -> None:
    with database.transaction() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)", (host, now, facts.boot_id, json.dumps(_document(facts)))
        )


def forget_facts(database: Database, host: str) -> None:
    """Drops what is kept, after a failure that other facts could explain."""
    with database.transaction() as connection:
        connection.execute("DELETE FROM facts WHERE host = ?", (host,))


def _document(facts: HostFacts) -> dict[str, object]:
    probed = {
        name: [list(done.command.argv), done.ending, done.exit_code, done.stdout, done.stderr]
        for name, done in facts.probed.items()
    }
    return {
        "system": facts.system,
        "release": facts.release,
        "version": facts.version,
        "bootId": facts.boot_id,
        "identity": dict(facts.identity),
        "probed": probed,
    }


def _facts(document: Mapping[str, Any]) -> HostFacts:
    probed = {
        name: Completed(Command(tuple(argv), changes=False), Ending(ending), exit_code, stdout, stderr)
        for name, (argv, ending, exit_code, stdout, stderr) in document["probed"].items()
    }
    return HostFacts(
        document["system"], document["release"], document["version"], document["bootId"], document["identity"], probed
    )
