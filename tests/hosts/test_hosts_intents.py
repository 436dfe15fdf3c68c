"""What the journal knows before, while and after actions run, also when they are asked to stop."""

import asyncio

import pytest

from reconciler.model.host import Limits
from reconciler.model.outcome import OutcomeState
from tests.hosts.executing import WIDE, begun, run, states
from tests.hosts.fakes import Held, MemoryJournal, action, plan_of, settled


def test_no_command_runs_before_its_intent_is_durable() -> None:
    async def scene() -> None:
        held, journal = Held(), MemoryJournal(waits=True)
        task = await begun(plan_of(action("tank/a")), held, journal=journal)

        assert (journal.begun, held.begun) == (["Dataset/tank/a"], [])

        journal.waiting[0].set_result(None)
        await settled()
        assert held.begun == ["make tank/a"]

        await held.let_all()
        await task
        assert [outcome.state for outcome in journal.ended] == [OutcomeState.SUCCEEDED]

    run(scene())


def test_without_a_durable_intent_nothing_is_run() -> None:
    async def scene() -> None:
        held = Held()
        first = action("tank/a")
        task = await begun(plan_of(first, action("tank/a/b", after=[first])), held, journal=MemoryJournal(fails=True))

        outcomes = await task

        assert held.begun == []
        assert states(outcomes) == {"tank/a": "failed", "tank/a/b": "skipped"}
        assert outcomes[0].failure is not None
        assert outcomes[0].failure.cause == "not started: the disk is full"
        assert outcomes[0].failure.remedy == "free some space"

    run(scene())


def test_asked_to_stop_the_command_that_runs_ends_and_no_other_begins() -> None:
    async def scene() -> None:
        held, stop, journal = Held(), asyncio.Event(), MemoryJournal()
        first = action("tank/a", "one x", "two x")
        task = await begun(
            plan_of(first, action("tank/a/b", after=[first]), action("tank/z")),
            held,
            stop=stop,
            journal=journal,
            limits=Limits(parallel=1, per_pool=100),
        )

        stop.set()
        await held.let("one x")
        outcomes = await task

        assert held.begun == ["one x"]
        assert states(outcomes) == {"tank/a": "cancelled", "tank/a/b": "skipped", "tank/z": "cancelled"}
        assert journal.begun == ["Dataset/tank/a", "Dataset/tank/z"]
        assert [(outcome.key.name, outcome.state.value, outcome.attempts) for outcome in journal.ended] == [
            ("tank/a", "cancelled", 1)
        ]
        assert journal.withdrawn == ["Dataset/tank/z"]

    run(scene())


def test_asked_to_stop_what_waits_for_a_lane_does_not_begin_when_the_lane_is_free() -> None:
    async def scene() -> None:
        held, stop, journal = Held(), asyncio.Event(), MemoryJournal()
        mounting = [action(f"tank/m{number}", lane="mount") for number in range(3)]
        task = await begun(plan_of(*mounting), held, stop=stop, journal=journal, limits=WIDE)

        stop.set()
        await held.let("make tank/m0")
        outcomes = await task

        assert held.begun == ["make tank/m0"]
        assert states(outcomes) == {"tank/m0": "succeeded", "tank/m1": "cancelled", "tank/m2": "cancelled"}
        assert [str(outcome.state) for outcome in journal.ended] == ["succeeded", "cancelled", "cancelled"]

    run(scene())


def test_asked_to_stop_while_its_intent_becomes_durable_an_action_runs_nothing_and_its_intent_is_taken_back() -> None:
    async def scene() -> None:
        held, stop, journal = Held(), asyncio.Event(), MemoryJournal(waits=True)
        task = await begun(plan_of(action("tank/a")), held, stop=stop, journal=journal)

        stop.set()
        journal.waiting[0].set_result(None)
        outcomes = await task

        assert held.begun == []
        assert states(outcomes) == {"tank/a": "cancelled"}
        assert (journal.ended, journal.withdrawn) == ([], ["Dataset/tank/a"])

    run(scene())


def test_a_journal_that_fails_in_the_middle_lets_only_what_has_a_durable_intent_go_on() -> None:
    async def scene() -> None:
        held, journal = Held(), MemoryJournal()
        first = action("tank/a")
        plan = plan_of(first, action("tank/a/b", after=[first]), action("tank/x"), action("tank/z"))
        task = await begun(plan, held, journal=journal, limits=Limits(parallel=1, per_pool=100))

        journal.fails = True
        await held.let("make tank/a")
        await held.let_all()
        outcomes = await task

        assert held.begun == ["make tank/a", "make tank/x", "make tank/z"]
        assert states(outcomes) == {"tank/a": "succeeded", "tank/a/b": "failed", "tank/x": "succeeded", "tank/z": "succeeded"}
        assert [str(o.failure.cause) for o in outcomes if o.failure is not None] == ["not started: the disk is full"]

    run(scene())


def test_the_next_intents_become_durable_while_others_run_some_times_as_many_as_may_run_at_once() -> None:
    async def scene() -> None:
        held, journal = Held(), MemoryJournal()
        actions = [action(f"tank/{number}") for number in range(20)]
        task = await begun(plan_of(*actions), held, journal=journal, limits=Limits(parallel=2, per_pool=2))

        assert held.begun == ["make tank/0", "make tank/1"]
        assert journal.begun == [f"Dataset/tank/{number}" for number in range(16)]

        await held.let("make tank/0")
        assert held.begun[2:] == ["make tank/2"]
        assert journal.begun[16:] == ["Dataset/tank/16"]

        await held.let_all()
        assert set(states(await task).values()) == {"succeeded"}
        assert (len(journal.ended), journal.withdrawn) == (20, [])

    run(scene())


def test_the_intent_of_what_may_start_is_made_durable_at_once_and_those_behind_it_may_wait() -> None:
    async def scene() -> None:
        held, journal = Held(), MemoryJournal(waits=True)
        plan = plan_of(action("tank/a"), action("tank/b"))
        task = await begun(plan, held, journal=journal, limits=Limits(parallel=1, per_pool=1))

        assert journal.begun == ["Dataset/tank/a", "Dataset/tank/b"]
        assert journal.needed == journal.waiting[:1]

        journal.waiting[0].set_result(None)
        await settled()
        await held.let("make tank/a")
        assert (journal.needed, held.running) == (journal.waiting, {})

        journal.waiting[1].set_result(None)
        await settled()
        await held.let_all()
        assert set(states(await task).values()) == {"succeeded"}

    run(scene())


def test_what_waits_for_another_has_no_intent_before_that_has_ended_well() -> None:
    async def scene() -> None:
        held, journal = Held(), MemoryJournal()
        first = action("tank/a")
        task = await begun(plan_of(first, action("tank/a/b", after=[first])), held, journal=journal)

        await held.let("make tank/a", 1)

        assert states(await task) == {"tank/a": "failed", "tank/a/b": "skipped"}
        assert journal.begun == ["Dataset/tank/a"]

    run(scene())


def test_cancelling_the_whole_takes_back_the_intents_of_what_was_not_started() -> None:
    async def scene() -> None:
        held, journal = Held(), MemoryJournal()
        actions = [action(f"tank/{number}") for number in range(3)]
        task = await begun(plan_of(*actions), held, journal=journal, limits=Limits(parallel=1, per_pool=100))

        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        assert journal.begun == ["Dataset/tank/0", "Dataset/tank/1", "Dataset/tank/2"]
        assert (journal.ended, sorted(journal.withdrawn)) == ([], ["Dataset/tank/1", "Dataset/tank/2"])

    run(scene())
