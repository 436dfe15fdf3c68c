"""What the journal tells of the past, how much of it is kept, and decisions that are written only when they change."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.model.change import Change, Verb
from reconciler.model.command import Command, Failure, RetryClass, Step
from reconciler.model.key import Key
from reconciler.model.outcome import Outcome, OutcomeState
from reconciler.model.plan import Action
from reconciler.store.database import Database
from reconciler.store.decisions import decisions_of, drop_decisions, write_decisions
from reconciler.store.history import history, keys_in_history
from reconciler.store.journal import LONGEST_S, MOST_ENTRIES, Intent, Journal, unfinished_keys

A, B, C = Key("hv01", "Dataset", "tank/a"), Key("hv01", "Dataset", "tank/b"), Key("hv02", "Dataset", "tank/a")
NO_SPACE = Failure("no space", "make some", RetryClass.LATER)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path)
    yield opened
    opened.close()


def action(key: Key) -> Action:
    return Action(f"id of {key.name}", Change(key, Verb.CREATE), None, "", (Step(Command(("zfs", "create", key.name))),), None)


def tried(database: Database, *tries: tuple[Key, float, OutcomeState | None]) -> None:
    """Actions with the time of their beginning, and their end half a second later; None: of the end nothing is known."""

    async def run() -> None:
        journal = Journal(database)
        for key, started, state in tries:
            of = action(key)
            await journal.begin(Intent(of, "revision", started))
            if state is not None:
                failure = None if state is OutcomeState.SUCCEEDED else NO_SPACE
                command = "zfs create" if failure else ""
                journal.end(Outcome(of.id, key, state, 2, 0.5, failure, command), of, started + 0.5, None)
        await journal.close()

    asyncio.run(run())


DONE, FAILED = OutcomeState.SUCCEEDED, OutcomeState.FAILED


def test_the_newest_entries_come_last_and_say_all(database: Database) -> None:
    tried(database, (A, 1.0, FAILED), (B, 2.0, None), (C, 3.0, DONE))

    first, second, third = history(database)

    assert (first.key, first.verb, first.revision, first.started, first.ended, first.attempts) == (
        A,
        "create",
        "revision",
        1,
        1.5,
        2,
    )
    assert (first.state, first.failure, first.failed_command, first.remedy) == ("failed", "no space", "zfs create", "make some")
    assert first.commands == (("zfs", "create", "tank/a"),)
    assert (second.state, second.ended) == (None, None)
    assert (third.key, third.state, third.failure) == (C, "succeeded", "")


def test_history_narrows_to_a_host_a_key_a_time_and_a_number(database: Database) -> None:
    tried(database, (A, 1.0, DONE), (B, 2.0, DONE), (C, 3.0, DONE), (A, 4.0, DONE))

    assert [entry.started for entry in history(database, host="hv01")] == [1, 2, 4]
    assert [entry.started for entry in history(database, key=A)] == [1, 4]
    assert [entry.started for entry in history(database, since=3.0)] == [3, 4]
    assert [entry.started for entry in history(database, limit=2)] == [3, 4]
    assert keys_in_history(database, "hv01") == {A, B}


def test_an_action_that_fails_for_ever_leaves_one_open_entry(database: Database) -> None:
    tried(database, *((A, float(number), FAILED) for number in range(30)))

    assert unfinished_keys(database, "hv01") == {A}
    assert list(database.rows("SELECT count(*) FROM journal WHERE settled = 0")) == [(1,)]


def filled(database: Database, entries: int, started: float, *, settled: int = 1) -> None:
    with database.transaction() as connection:
        connection.executemany(
            "INSERT INTO journal (host, kind, name, action, verb, commands, revision, started, settled) "
            "VALUES ('hv01', 'Dataset', ?, '', 'create', '[]', '', ?, ?)",
            [(f"tank/{number}", started, settled) for number in range(entries)],
        )


def count(database: Database) -> int:
    return int(str(next(database.rows("SELECT count(*) FROM journal"))[0]))


def test_the_journal_keeps_a_bounded_number_of_answered_entries(database: Database) -> None:
    filled(database, MOST_ENTRIES + 500, started=1000.0)

    tried(database, *((A, 1000.0 + number, DONE) for number in range(250)))

    assert MOST_ENTRIES <= count(database) <= MOST_ENTRIES + 100
    assert history(database)[-1].started == 1249.0


def test_old_entries_go_whatever_their_number(database: Database) -> None:
    filled(database, 300, started=1000.0)
    filled(database, 40, started=1000.0 + LONGEST_S)

    tried(database, *((A, 1001.0 + LONGEST_S, DONE) for _ in range(100)))

    assert count(database) == 140


def test_what_has_no_answer_yet_is_never_pruned(database: Database) -> None:
    filled(database, 3, started=1.0, settled=0)
    filled(database, MOST_ENTRIES + 200, started=1000.0 + LONGEST_S)

    tried(database, *((A, 1000.0 + LONGEST_S, DONE) for _ in range(100)))

    assert len(unfinished_keys(database, "hv01")) == 3


def test_decisions_are_written_when_they_change_and_keep_since_when_they_stand(database: Database) -> None:
    write_decisions(database, "hv01", {A: {"decision": "blocked", "cause": "x"}, B: {"decision": "ignored"}}, (), 1.0)
    writes = database._connection.total_changes

    write_decisions(database, "hv01", {A: {"decision": "blocked", "cause": "x"}, B: {"decision": "ignored"}}, (), 2.0)

    assert database._connection.total_changes == writes
    assert [decision.since for decision in decisions_of(database, "hv01").values()] == [1.0, 1.0]

    write_decisions(database, "hv01", {A: {"decision": "blocked", "cause": "y"}}, (), 3.0)

    (decision,) = decisions_of(database, "hv01").values()
    assert (decision.document, decision.since) == ({"decision": "blocked", "cause": "y"}, 3.0)
    assert database._connection.total_changes == writes + 2


def test_what_was_released_is_remembered_as_long_as_the_object_is_wanted(database: Database) -> None:
    released = {"decision": "settled", "released": [{"field": "size", "value": 1}]}
    write_decisions(database, "hv01", {A: released, B: released}, {A, B}, 1.0)

    write_decisions(database, "hv01", {}, {A}, 2.0)

    assert list(decisions_of(database, "hv01")) == [A]
    drop_decisions(database, "hv01")
    assert decisions_of(database, "hv01") == {}
