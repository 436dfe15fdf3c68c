"""A state file of an earlier format goes on working, with all that it knew."""

import sqlite3
import subprocess
import sys
from pathlib import Path

from reconciler.model.key import Key, ObjectName
from reconciler.model.ledger import LedgerRow
from reconciler.model.lifecycle import Lifecycle, OnRemoval
from reconciler.store.database import FILE_NAME, SCHEMA_VERSION, Database
from reconciler.store.decisions import decisions_of, write_decisions
from reconciler.store.history import history
from reconciler.store.journal import unfinished_keys
from reconciler.store.ledger import ledger_of, write_rows
from reconciler.store.status import status_of

FIRST_FORMAT = """
CREATE TABLE ledger (
    host TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    fields TEXT NOT NULL, lifecycle TEXT NOT NULL, refs TEXT NOT NULL, revision TEXT NOT NULL,
    PRIMARY KEY (host, kind, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE journal (
    id INTEGER PRIMARY KEY,
    host TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
    action TEXT NOT NULL, verb TEXT NOT NULL, commands TEXT NOT NULL, revision TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, state TEXT, attempts INTEGER, failure TEXT,
    settled INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX journal_open ON journal (host, kind, name) WHERE settled = 0;
CREATE TABLE facts (host TEXT PRIMARY KEY, read_at REAL NOT NULL, boot_id TEXT NOT NULL, facts TEXT NOT NULL) STRICT;
CREATE TABLE status (host TEXT PRIMARY KEY, document TEXT NOT NULL) STRICT;
INSERT INTO ledger VALUES ('hv01', 'Dataset', 'tank/a', '{"properties.quota": 1}', '{"adopt": "never", "deleteSnapshots": false,
    "disruption": "none", "ignore": [], "mode": "enforce", "onRemoval": "delete", "protect": "none", "trashTtl": null}',
    '[["Dataset", "tank"]]', 'one');
INSERT INTO journal VALUES (7, 'hv01', 'Dataset', 'tank/a', 'id', 'create', '[["zfs", "create", "tank/a"]]', 'one', 1.0, 2.5,
    'failed', 1, 'no space', 0);
INSERT INTO status VALUES ('hv01', '{"host": "hv01"}');
PRAGMA user_version = 1;
"""

KEY = Key("hv01", "Dataset", "tank/a")


def of_first_format(state: Path) -> None:
    with sqlite3.connect(state / FILE_NAME) as connection:
        connection.executescript(FIRST_FORMAT)
    connection.close()


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """The columns of each table."""
    connection = sqlite3.connect(path)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    found = {name: connection.execute(f"PRAGMA table_xinfo({name})").fetchall() for name in names}
    connection.close()
    return found


def test_a_file_of_the_first_format_keeps_all_that_it_knew(tmp_path: Path) -> None:
    of_first_format(tmp_path)

    database = Database.open(tmp_path)

    lifecycle = Lifecycle(on_removal=OnRemoval.DELETE, trash_ttl_s=None)
    row = LedgerRow(KEY, {"properties.quota": 1}, lifecycle, (ObjectName("Dataset", "tank"),), "one")
    assert ledger_of(database, "hv01") == {KEY: row}
    assert unfinished_keys(database, "hv01") == {KEY}
    (entry,) = history(database, key=KEY)
    assert (entry.state, entry.failure, entry.failed_command, entry.remedy) == ("failed", "no space", "", "")
    assert status_of(database, "hv01") == {"host": "hv01"}
    database.close()


def test_a_migrated_file_takes_what_a_new_one_takes(tmp_path: Path) -> None:
    of_first_format(tmp_path)
    database = Database.open(tmp_path)

    row = LedgerRow(KEY, {}, Lifecycle(), (), "two", "hosts/hv01/a.yaml:1:1")
    with database.transaction() as connection:
        write_rows(connection, [row])
    write_decisions(database, "hv01", {KEY: {"decision": "ignored"}}, (), 1.0)

    assert ledger_of(database, "hv01") == {KEY: row}
    assert decisions_of(database, "hv01")[KEY].document == {"decision": "ignored"}
    database.close()


def test_a_migrated_file_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    of_first_format(tmp_path / "old")
    Database.open(tmp_path / "old").close()
    Database.open(tmp_path / "new").close()

    assert tables(tmp_path / "old" / FILE_NAME) == tables(tmp_path / "new" / FILE_NAME)
    connection = sqlite3.connect(tmp_path / "old" / FILE_NAME)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()


def test_many_processes_that_open_it_at_once_migrate_it_once(tmp_path: Path) -> None:
    of_first_format(tmp_path)
    script = "import sys; from pathlib import Path; from reconciler.store.database import Database\nsys.stdin.read()\n"
    script += "Database.open(Path(sys.argv[1])).close()"
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]

    assert [opener.communicate()[1] for opener in openers] == ["", "", "", ""]
    database = Database.open(tmp_path)
    assert len(ledger_of(database, "hv01")) == 1
    database.close()
