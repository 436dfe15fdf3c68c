"""The ledger remembers what was applied last, word for word, and facts for one boot and at most an hour."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.model.command import Command, Completed, Ending
from reconciler.model.errors import ReconcilerError
from reconciler.model.facts import HostFacts
from reconciler.model.key import Key, ObjectName
from reconciler.model.ledger import LedgerRow
from reconciler.model.lifecycle import Adopt, Disruption, Lifecycle, Mode, OnRemoval, Protect
from reconciler.store.database import Database
from reconciler.store.facts import FACTS_HOLD_S, forget_facts, keep_facts, kept_facts
from reconciler.store.ledger import drop_rows, hosts_in_ledger, ledger_of, write_rows
from reconciler.store.status import drop_status, status_of, statuses, write_status

KEY = Key("hv01", "Dataset", "tank/a")
UNUSUAL = Lifecycle(
    on_removal=OnRemoval.ORPHAN,
    trash_ttl_s=None,
    delete_snapshots=True,
    adopt=Adopt.ONCE,
    protect=Protect.ALL,
    disruption=Disruption.REPLACE,
    mode=Mode.REPORT,
    ignore=("properties.quota", "properties.org.x:y"),
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path)
    yield opened
    opened.close()


def kept(database: Database, *rows: LedgerRow) -> None:
    with database.transaction() as connection:
        write_rows(connection, rows)


def test_a_row_comes_back_as_it_was_written(database: Database) -> None:
    fields = {"size": 1 << 40, "sparse": True, "properties.quota": None, "ips": ("10.0.0.1", "10.0.0.2"), "none": ()}
    row = LedgerRow(KEY, fields, UNUSUAL, (ObjectName("Dataset", "tank"), ObjectName("Image", "x")), "sha256:abc")

    kept(database, row)

    assert ledger_of(database, "hv01") == {KEY: row}


values = (
    st.none()
    | st.booleans()
    | st.integers(0, (1 << 63) - 1)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.tuples(st.text("abc/"))
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.dictionaries(st.text("abc.:", min_size=1), values))
def test_any_canonical_value_comes_back_as_itself_and_of_its_own_type(database: Database, fields: dict[str, object]) -> None:
    kept(database, LedgerRow(KEY, fields, Lifecycle()))  # type: ignore[arg-type]

    found = ledger_of(database, "hv01")[KEY].fields

    assert found == fields
    assert {name: type(value) for name, value in found.items()} == {name: type(value) for name, value in fields.items()}


def test_a_row_written_again_replaces_the_first(database: Database) -> None:
    first = LedgerRow(KEY, {"properties.quota": 1}, Lifecycle())
    second = replace(first, fields={"properties.atime": "off"}, lifecycle=UNUSUAL)

    kept(database, first)
    kept(database, second)

    assert ledger_of(database, "hv01") == {KEY: second}


def test_rows_are_kept_apart_by_host_and_dropped_by_key(database: Database) -> None:
    other = KEY._replace(host="hv02")
    kept(database, LedgerRow(KEY, {}, Lifecycle()), LedgerRow(other, {}, Lifecycle()))
    assert hosts_in_ledger(database) == {"hv01", "hv02"}

    with database.transaction() as connection:
        drop_rows(connection, [KEY])

    assert ledger_of(database, "hv01") == {}
    assert ledger_of(database, "hv02").keys() == {other}
    assert hosts_in_ledger(database) == {"hv02"}


def test_a_ledger_outlives_its_process(tmp_path: Path) -> None:
    database = Database.open(tmp_path)
    kept(database, LedgerRow(KEY, {}, Lifecycle()))
    database.close()

    again = Database.open(tmp_path)

    assert ledger_of(again, "hv01").keys() == {KEY}
    again.close()


@pytest.mark.parametrize(
    ("column", "text"),
    [("fields", "{"), ("fields", "[]"), ("lifecycle", "{}"), ("lifecycle", '{"onRemoval": "x"}'), ("refs", "[1]")],
)
def test_a_row_that_we_did_not_write_is_an_error_with_a_remedy(database: Database, column: str, text: str) -> None:
    kept(database, LedgerRow(KEY, {}, Lifecycle()))
    with database.transaction() as connection:
        connection.execute(f"UPDATE ledger SET {column} = ?", (text,))

    with pytest.raises(ReconcilerError, match="can't be used"):
        ledger_of(database, "hv01")


FACTS = HostFacts(
    "SunOS",
    "5.11",
    "omnios",
    "1700000000",
    {"hostname": "hv01", "hostId": "0000abcd"},
    {
        "zfs.version": Completed(Command(("zfs", "version"), changes=False), Ending.EXITED, 2, "out\udcff", "err\n"),
        "zfs.pools": Completed(Command(("zfs", "list"), changes=False), Ending.DEADLINE, None),
    },
)


def test_facts_come_back_as_they_were_kept(database: Database) -> None:
    keep_facts(database, "hv01", FACTS, 1000.0)

    assert kept_facts(database, "hv01", FACTS.boot_id, 1000.0) == FACTS


@pytest.mark.parametrize(
    ("host", "boot_id", "later", "reason"),
    [
        ("hv02", "1700000000", 0, "another host"),
        ("hv01", "1700000001", 0, "another boot"),
        ("hv01", "1700000000", FACTS_HOLD_S + 1, "more than an hour old"),
        ("hv01", "1700000000", -1, "read in the future: the clock was set back"),
    ],
)
def test_facts_that_may_have_changed_are_not_used(
    database: Database, host: str, boot_id: str, later: float, reason: str
) -> None:
    keep_facts(database, "hv01", FACTS, 10_000.0)

    assert kept_facts(database, host, boot_id, 10_000.0 + later) is None, reason


def test_facts_are_used_for_an_hour_and_can_be_forgotten(database: Database) -> None:
    keep_facts(database, "hv01", FACTS, 10_000.0)
    assert kept_facts(database, "hv01", FACTS.boot_id, 10_000.0 + FACTS_HOLD_S) == FACTS

    forget_facts(database, "hv01")

    assert kept_facts(database, "hv01", FACTS.boot_id, 10_000.0) is None


def test_a_hosts_status_is_its_last_one(database: Database) -> None:
    write_status(database, "hv02", {"host": "hv02"})
    write_status(database, "hv01", {"host": "hv01", "old": True})
    write_status(database, "hv01", {"host": "hv01"})

    assert statuses(database) == ({"host": "hv01"}, {"host": "hv02"})
    assert status_of(database, "hv02") == {"host": "hv02"}

    drop_status(database, "hv02")
    assert status_of(database, "hv02") is None
