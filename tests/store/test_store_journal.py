"""The journal: intents are durable before anything runs, and what has no good end is known to have none."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection

import pytest

from reconciler.model.change import NAME, Change, FieldChange, Verb
from reconciler.model.command import Command, Failure, RetryClass, Step
from reconciler.model.errors import ReconcilerError
from reconciler.model.key import Key
from reconciler.model.ledger import LedgerRow
from reconciler.model.lifecycle import Lifecycle
from reconciler.model.outcome import Outcome, OutcomeState
from reconciler.model.plan import Action
from reconciler.store.database import Database
from reconciler.store.history import history
from reconciler.store.journal import Intent, Journal, begun_creations, unfinished_keys
from reconciler.store.ledger import ledger_of, write_rows

A, B = Key("hv01", "Dataset", "tank/a"), Key("hv01", "Dataset", "tank/b")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path)
    yield opened
    opened.close()


def action(key: Key, verb: Verb = Verb.CREATE, *fields: FieldChange) -> Action:
    change = Change(key, verb, fields)
    return Action(f"id of {key.name}", change, None, "", (Step(Command(("zfs", "create", key.name))),), None)


def row(key: Key) -> LedgerRow:
    return LedgerRow(key, {"properties.atime": "off"}, Lifecycle())


def outcome(of: Action, state: OutcomeState = OutcomeState.SUCCEEDED, failure: Failure | None = None) -> Outcome:
    return Outcome(of.id, of.key, state, 1, 0.1, failure)


def with_journal(database: Database, scene: Callable[[Journal], Awaitable[None]]) -> None:
    """Runs a scene and closes the journal after it."""

    async def whole() -> None:
        journal = Journal(database)
        try:
            await scene(journal)
        finally:
            await journal.close()

    asyncio.run(whole())


async def carried_out(
    journal: Journal, of: Action, state: OutcomeState = OutcomeState.SUCCEEDED, *, learns: bool = True
) -> None:
    await journal.durable(journal.begin(Intent(of, "revision", 1.0)))
    await journal.durable(journal.end(outcome(of, state), of, 2.0, row(of.key) if learns else None))


def test_an_intent_is_durable_when_begin_is_done(database: Database, tmp_path: Path) -> None:
    async def scene(journal: Journal) -> None:
        await journal.durable(journal.begin(Intent(action(A), "revision", 1.0)))

        other = Database.open(tmp_path)
        assert unfinished_keys(other, "hv01") == {A}, "another process sees it"
        other.close()

    with_journal(database, scene)


@pytest.mark.parametrize("state", [state for state in OutcomeState if state is not OutcomeState.SUCCEEDED])
def test_an_action_without_a_good_end_leaves_its_key_unfinished_and_teaches_nothing(
    database: Database, state: OutcomeState
) -> None:
    with_journal(database, lambda journal: carried_out(journal, action(A), state))

    assert unfinished_keys(database, "hv01") == {A}
    assert ledger_of(database, "hv01") == {}


def test_an_action_with_a_good_end_is_finished_and_learnt(database: Database) -> None:
    with_journal(database, lambda journal: carried_out(journal, action(A)))

    assert unfinished_keys(database, "hv01") == frozenset()
    assert ledger_of(database, "hv01") == {A: row(A)}


def test_a_good_end_answers_earlier_intents_for_the_key(database: Database) -> None:
    async def scene(journal: Journal) -> None:
        await journal.durable(journal.begin(Intent(action(A), "revision", 1.0)))
        await carried_out(journal, action(A), OutcomeState.FAILED)
        await carried_out(journal, action(A, Verb.UPDATE))

    with_journal(database, scene)

    assert unfinished_keys(database, "hv01") == frozenset()


def test_a_good_end_says_nothing_about_other_keys(database: Database) -> None:
    async def scene(journal: Journal) -> None:
        await journal.durable(journal.begin(Intent(action(B), "revision", 1.0)))
        await journal.durable(journal.begin(Intent(action(A._replace(host="hv02")), "revision", 1.0)))
        await carried_out(journal, action(A))

    with_journal(database, scene)

    assert unfinished_keys(database, "hv01") == {B}
    assert unfinished_keys(database, "hv02") == {A._replace(host="hv02")}


@pytest.mark.parametrize("verb", [Verb.DELETE, Verb.TRASH, Verb.FORGET])
def test_what_is_gone_is_dropped_from_the_ledger(database: Database, verb: Verb) -> None:
    with database.transaction() as connection:
        write_rows(connection, [row(A), row(B)])

    with_journal(database, lambda journal: carried_out(journal, action(A, verb), learns=False))

    assert ledger_of(database, "hv01").keys() == {B}


def test_a_rename_moves_the_row(database: Database) -> None:
    with database.transaction() as connection:
        write_rows(connection, [row(A)])
    renamed = action(B, Verb.UPDATE, FieldChange(NAME, "tank/a", "tank/b"))

    with_journal(database, lambda journal: carried_out(journal, renamed))

    assert ledger_of(database, "hv01").keys() == {B}


def test_a_rename_that_failed_moves_nothing(database: Database) -> None:
    with database.transaction() as connection:
        write_rows(connection, [row(A)])
    renamed = action(B, Verb.UPDATE, FieldChange(NAME, "tank/a", "tank/b"))

    with_journal(database, lambda journal: carried_out(journal, renamed, OutcomeState.UNKNOWN))

    assert ledger_of(database, "hv01").keys() == {A}
    assert unfinished_keys(database, "hv01") == {B}


def test_a_look_answers_intents_and_teaches_the_ledger(database: Database) -> None:
    with database.transaction() as connection:
        write_rows(connection, [row(B)])

    async def scene(journal: Journal) -> None:
        await journal.durable(journal.begin(Intent(action(A), "revision", 1.0)))
        await journal.durable(journal.begin(Intent(action(B, Verb.DELETE), "revision", 1.0)))
        await journal.durable(journal.learn([row(A)], gone=[B], settled=[A]))

    with_journal(database, scene)

    assert unfinished_keys(database, "hv01") == frozenset()
    assert ledger_of(database, "hv01").keys() == {A}


def test_records_that_nobody_waits_for_are_durable_after_close(database: Database) -> None:
    async def scene(journal: Journal) -> None:
        await journal.durable(journal.begin(Intent(action(A), "revision", 1.0)))
        journal.end(outcome(action(A)), action(A), 2.0, row(A))
        journal.learn([row(B)], (), ())

    with_journal(database, scene)

    assert ledger_of(database, "hv01").keys() == {A, B}


def test_records_that_arrive_together_share_a_commit(database: Database) -> None:
    commits: list[int] = []

    class Counting(Journal):
        def _commit(self, writes: list[Callable[[object], None]]) -> None:  # type: ignore[override]
            commits.append(len(writes))
            super()._commit(writes)  # type: ignore[arg-type]

    async def scene() -> None:
        journal = Counting(database)
        intents = [Intent(action(A._replace(name=f"tank/{number}")), "revision", 1.0) for number in range(200)]
        await asyncio.gather(*(journal.durable(journal.begin(intent)) for intent in intents))
        await journal.close()

    asyncio.run(scene())

    assert sum(commits) == 200
    assert len(commits) <= 2
    assert len(unfinished_keys(database, "hv01")) == 200


def test_a_record_that_cannot_be_written_fails_its_waiter_and_the_close(database: Database) -> None:
    async def scene(journal: Journal) -> None:
        database.close()
        with pytest.raises(ReconcilerError, match=r"the state file .* can't be used"):
            await journal.durable(journal.begin(Intent(action(A), "revision", 1.0)))

    with pytest.raises(ReconcilerError, match=r"the state file .* can't be used"):
        with_journal(database, scene)


def test_a_record_that_nobody_waits_for_is_not_lost_in_silence(database: Database) -> None:
    async def scene(journal: Journal) -> None:
        database.close()
        journal.learn([row(A)], (), ())

    with pytest.raises(ReconcilerError, match=r"the state file .* can't be used"):
        with_journal(database, scene)


def test_what_a_tool_said_in_no_text_is_recorded_all_the_same(database: Database) -> None:
    async def scene(journal: Journal) -> None:
        failure = Failure("it said \udcff\udcfe", "look", RetryClass.LATER)
        await journal.durable(journal.begin(Intent(action(A), "revision", 1.0)))
        await journal.durable(journal.end(outcome(action(A), OutcomeState.FAILED, failure), action(A), 2.0, None))

    with_journal(database, scene)

    assert [text for (text,) in database.rows("SELECT failure FROM journal")] == [r"it said \udcff\udcfe"]


def test_readers_and_writers_share_a_connection_with_the_journal(database: Database) -> None:
    """The loop writes facts and status while the journal commits in its own thread."""

    async def scene(journal: Journal) -> None:
        begun = []
        for number in range(200):
            begun.append(journal.begin(Intent(action(A._replace(name=f"tank/{number}")), "revision", 1.0)))
            await asyncio.sleep(0)
            with database.transaction() as connection:
                write_rows(connection, [row(B)])
            assert B in ledger_of(database, "hv01")
        await asyncio.gather(*map(journal.durable, begun))

    with_journal(database, scene)

    assert len(unfinished_keys(database, "hv01")) == 200


def test_an_end_tells_when_the_action_did_start_for_its_intent_may_have_waited(database: Database) -> None:
    of = action(A)

    async def scene(journal: Journal) -> None:
        await journal.durable(journal.begin(Intent(of, "revision", 100.0)))
        await journal.durable(journal.end(Outcome(of.id, of.key, OutcomeState.SUCCEEDED, 1, duration_s=5.0), of, 400.0, None))

    with_journal(database, scene)

    assert [(entry.started, entry.ended) for entry in history(database)] == [(395.0, 400.0)]


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each transaction from now on."""
    counted: list[str] = []
    transaction = Database.transaction

    @contextmanager
    def counting(of: Database) -> Iterator[Connection]:
        with transaction(of) as connection:
            yield connection
        counted.append("commit")

    monkeypatch.setattr(Database, "transaction", counting)
    return counted


def test_a_result_and_the_intent_that_it_makes_way_for_share_a_commit(database: Database, commits: list[str]) -> None:
    async def scene(journal: Journal) -> None:
        await journal.durable(journal.begin(Intent(action(A), "revision", 1.0)))
        journal.end(outcome(action(A)), action(A), 2.0, None)
        await journal.durable(journal.begin(Intent(action(B), "revision", 1.0)))

    with_journal(database, scene)

    assert len(commits) == 2


def test_what_nobody_waits_for_is_committed_with_what_somebody_needs(database: Database, commits: list[str]) -> None:
    async def scene(journal: Journal) -> None:
        first, second = (journal.begin(Intent(action(key), "revision", 1.0)) for key in (A, B))
        await journal.durable(first)

        assert (second.done(), len(commits)) == (True, 1)

    with_journal(database, scene)

    assert len(commits) == 1


def test_what_is_flushed_does_not_wait_for_what_others_record_later(database: Database) -> None:
    async def scene(journal: Journal) -> None:
        async def others() -> None:
            for number in range(50):
                await journal.durable(journal.begin(Intent(action(B._replace(name=f"tank/{number}")), "revision", 1.0)))

        working = asyncio.create_task(others())
        journal.begin(Intent(action(A), "revision", 1.0))
        await journal.flushed()

        assert A in unfinished_keys(database, "hv01")
        assert not working.done()
        await working

    with_journal(database, scene)


def test_who_gives_up_waiting_for_a_record_does_not_take_it_back(database: Database) -> None:
    async def scene(journal: Journal) -> None:
        waiting = asyncio.create_task(journal.durable(journal.begin(Intent(action(A), "revision", 1.0))))
        await asyncio.sleep(0)
        waiting.cancel()
        await journal.flushed()

        assert unfinished_keys(database, "hv01") == {A}

    with_journal(database, scene)


def test_what_nobody_ever_needs_is_committed_a_moment_later(database: Database) -> None:
    async def scene(journal: Journal) -> None:
        await journal.begin(Intent(action(A), "revision", 1.0))

        assert unfinished_keys(database, "hv01") == {A}

    with_journal(database, scene)


def test_an_intent_that_is_taken_back_leaves_nothing(database: Database) -> None:
    async def scene(journal: Journal) -> None:
        await journal.durable(journal.begin(Intent(action(A), "revision", 1.0)))
        journal.withdraw(action(A))
        journal.begin(Intent(action(B), "revision", 1.0))
        journal.withdraw(action(B))

    with_journal(database, scene)

    assert unfinished_keys(database, "hv01") == frozenset()
    assert history(database) == ()


@pytest.mark.parametrize("state", [None, OutcomeState.UNKNOWN])
def test_an_intent_that_is_taken_back_leaves_what_was_known_before(database: Database, state: OutcomeState | None) -> None:
    update = action(A, Verb.UPDATE)

    async def scene(journal: Journal) -> None:
        await journal.durable(journal.begin(Intent(action(A), "revision", 1.0)))
        if state is not None:
            await journal.durable(journal.end(outcome(action(A), state), action(A), 2.0, None))
        await journal.durable(journal.begin(Intent(update, "revision", 3.0)))
        assert begun_creations(database, "hv01") == {A}, "also should we be killed now"
        journal.withdraw(update)

    with_journal(database, scene)

    assert begun_creations(database, "hv01") == {A}


def test_taking_back_what_could_not_be_written_spares_the_end_of_an_earlier_action(database: Database) -> None:
    async def scene(journal: Journal) -> None:
        await carried_out(journal, action(A))
        journal.withdraw(action(A))

    with_journal(database, scene)

    assert [entry.state for entry in history(database)] == ["succeeded"]


def test_what_becomes_of_an_action_replaces_what_was_known_of_its_key(database: Database) -> None:
    failure = Failure("it said no", "look", RetryClass.LATER)
    again = action(A)

    async def scene(journal: Journal) -> None:
        await journal.durable(journal.begin(Intent(action(A), "revision", 1.0)))
        await journal.durable(journal.begin(Intent(again, "revision", 3.0)))
        ended = Outcome(again.id, A, OutcomeState.FAILED, 1, 0.1, failure, "zfs create tank/a")
        await journal.durable(journal.end(ended, again, 4.0, None))

    with_journal(database, scene)

    assert unfinished_keys(database, "hv01") == {A}
    assert begun_creations(database, "hv01") == frozenset(), "its first command failed: what is there now is not ours"
