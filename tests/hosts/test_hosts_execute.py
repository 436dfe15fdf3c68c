"""Running a plan: what may run side by side, what waits, and what a failure takes with it."""

import asyncio
from collections.abc import Coroutine

import pytest

from reconciler.hosts.execute import execute
from reconciler.model.command import Command, Completed
from reconciler.model.host import Limits
from reconciler.model.outcome import Outcome, OutcomeState
from reconciler.model.plan import HostPlan
from tests.hosts.fakes import Held, MemoryJournal, Told, action, execution, plan_of, settled

WIDE = Limits(parallel=100, per_pool=100)


def states(outcomes: tuple[Outcome, ...]) -> dict[str, str]:
    return {outcome.key.name: outcome.state.value for outcome in outcomes}


def run(scene: Coroutine[object, object, None]) -> None:
    asyncio.run(scene)


async def begun(plan: HostPlan, held: Held, **options: object) -> "asyncio.Task[tuple[Outcome, ...]]":
    """The plan on its way, as far as it gets without any command ending."""
    task = asyncio.create_task(execute(plan, execution(held, **options)))  # type: ignore[arg-type]
    await settled()
    return task


def test_independent_actions_run_side_by_side() -> None:
    async def scene() -> None:
        held = Held()
        task = await begun(plan_of(action("tank/a"), action("tank/b")), held)

        assert held.begun == ["make tank/a", "make tank/b"]

        await held.let_all()
        assert set(states(await task).values()) == {"succeeded"}

    run(scene())


def test_an_action_waits_for_those_before_it() -> None:
    async def scene() -> None:
        held = Held()
        first = action("tank/a")
        second = action("tank/a/b", after=[first])
        task = await begun(plan_of(first, second), held)

        assert held.begun == ["make tank/a"]

        await held.let("make tank/a")
        assert held.begun == ["make tank/a", "make tank/a/b"]

        await held.let_all()
        await task

    run(scene())


def test_a_failure_skips_what_waits_for_it_and_nothing_else() -> None:
    async def scene() -> None:
        held = Held()
        first, other = action("tank/a"), action("tank/z")
        second = action("tank/a/b", after=[first])
        third = action("tank/a/b/c", after=[second])
        fourth = action("tank/z/y", after=[other])
        task = await begun(plan_of(first, other, second, third, fourth), held)

        await held.let("make tank/a", 1)
        await held.let_all()
        outcomes = await task

        assert states(outcomes) == {
            "tank/a": "failed",
            "tank/z": "succeeded",
            "tank/a/b": "skipped",
            "tank/a/b/c": "skipped",
            "tank/z/y": "succeeded",
        }
        assert [outcome.key.name for outcome in outcomes] == ["tank/a", "tank/z", "tank/a/b", "tank/a/b/c", "tank/z/y"]
        assert outcomes[2].failure is not None
        assert outcomes[2].failure.cause == "hv01/Dataset/tank/a came first and failed"

    run(scene())


def test_an_action_with_several_predecessors_is_skipped_when_one_fails() -> None:
    async def scene() -> None:
        held = Held()
        one, two = action("tank/a"), action("tank/b")
        both = action("tank/c", after=[one, two])
        task = await begun(plan_of(one, two, both), held)

        await held.let("make tank/b", 1)
        await held.let("make tank/a")

        assert states(await task)["tank/c"] == "skipped"

    run(scene())


def test_the_commands_of_an_action_run_in_order_and_end_with_the_first_failure() -> None:
    async def scene() -> None:
        held = Held()
        task = await begun(plan_of(action("tank/a", "one x", "two x", "three x")), held)

        await held.let("one x")
        assert held.begun == ["one x", "two x"]

        await held.let("two x", 1)
        (outcome,) = await task

        assert held.begun == ["one x", "two x"]
        assert (outcome.state, outcome.attempts, outcome.command) == (OutcomeState.FAILED, 2, "two x")

    run(scene())


def test_no_more_actions_run_at_once_than_the_host_permits() -> None:
    async def scene() -> None:
        held = Held()
        actions = [action(f"tank/{number}") for number in range(5)]
        task = await begun(plan_of(*actions), held, limits=Limits(parallel=2, per_pool=100))

        for _ in range(3):
            assert len(held.running) == 2
            await held.let(next(iter(held.running)))
        await held.let_all()

        assert set(states(await task).values()) == {"succeeded"}

    run(scene())


def test_no_more_actions_run_at_once_than_a_pool_permits() -> None:
    async def scene() -> None:
        held = Held()
        actions = [action(f"{pool}/{number}") for pool in ("tank", "rpool") for number in range(3)]
        task = await begun(plan_of(*actions), held, limits=Limits(parallel=100, per_pool=1))

        assert held.begun == ["make tank/0", "make rpool/0"]

        await held.let("make tank/0")
        assert held.begun == ["make tank/0", "make rpool/0", "make tank/1"]

        await held.let_all()
        await task

    run(scene())


def test_no_more_actions_run_at_once_than_a_kind_permits() -> None:
    async def scene() -> None:
        held = Held()
        volumes = [action(f"tank/v{number}", kind="Volume") for number in range(3)]
        datasets = [action(f"tank/d{number}") for number in range(2)]
        task = await begun(
            plan_of(*volumes, *datasets), held, limits=Limits(parallel=100, per_pool=100, per_kind={"Volume": 1})
        )

        assert held.begun == ["make tank/v0", "make tank/d0", "make tank/d1"]

        await held.let_all()
        await task

    run(scene())


def test_what_a_narrow_limit_holds_back_takes_no_place_from_others() -> None:
    async def scene() -> None:
        held = Held()
        volumes = [action(f"tank/v{number}", kind="Volume") for number in range(5)]
        limits = Limits(parallel=2, per_pool=100, per_kind={"Volume": 1})
        task = await begun(plan_of(*volumes, action("tank/d")), held, limits=limits)

        assert held.begun == ["make tank/v0", "make tank/d"]

        await held.let_all()
        await task

    run(scene())


def test_a_lane_takes_one_command_at_a_time_and_leaves_others_free() -> None:
    async def scene() -> None:
        held = Held()
        mounting = [action(f"tank/m{number}", lane="mount") for number in range(3)]
        task = await begun(plan_of(*mounting, action("tank/free"), action("tank/other", lane="other")), held, limits=WIDE)

        assert held.begun == ["make tank/m0", "make tank/free", "make tank/other"]

        await held.let("make tank/m0")
        assert held.begun[3:] == ["make tank/m1"]

        await held.let_all()
        assert set(states(await task).values()) == {"succeeded"}

    run(scene())


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


def test_a_bug_met_by_one_action_leaves_it_unknown_and_lets_the_others_end() -> None:
    class Broken(Held):
        async def run(self, command: Command) -> Completed:
            done = await super().run(command)
            if "tank/a" in command.argv:
                raise ZeroDivisionError("a provider's mistake")
            return done

    async def scene() -> None:
        held, journal = Broken(), MemoryJournal()
        first = action("tank/a")
        task = await begun(plan_of(first, action("tank/a/b", after=[first]), action("tank/z")), held, journal=journal)

        await held.let("make tank/a")
        await held.let_all()
        outcomes = await task

        assert states(outcomes) == {"tank/a": "unknown", "tank/a/b": "skipped", "tank/z": "succeeded"}
        assert outcomes[0].failure is not None
        assert "internal error: ZeroDivisionError: a provider's mistake" in outcomes[0].failure.cause
        assert [outcome.state for outcome in journal.ended] == [OutcomeState.UNKNOWN, OutcomeState.SUCCEEDED]

    run(scene())


def test_actions_that_are_only_reported_are_left_out() -> None:
    async def scene() -> None:
        held = Held()
        shown = action("tank/a", report_only=True)
        task = await begun(plan_of(shown, action("tank/b")), held)

        await held.let_all()

        assert held.begun == ["make tank/b"]
        assert states(await task) == {"tank/b": "succeeded"}

    run(scene())


def test_progress_is_told_once_about_the_start_and_the_end_of_each_action() -> None:
    async def scene() -> None:
        held, told = Held(), Told()
        first = action("tank/a")
        task = await begun(plan_of(first, action("tank/a/b", after=[first])), held, progress=told)

        await held.let("make tank/a", 1)
        await task

        assert told.lines == ["started Dataset/tank/a", "failed Dataset/tank/a", "skipped Dataset/tank/a/b"]

    run(scene())


def test_a_result_comes_with_what_the_ledger_learns_from_it() -> None:
    async def scene() -> None:
        held, journal = Held(), MemoryJournal()
        task = await begun(plan_of(action("tank/a")), held, journal=journal)

        await held.let_all()
        await task

        assert [(str(row.key), row.revision) for row in journal.learnt] == [("hv01/Dataset/tank/a", "revision")]

    run(scene())


def test_cancelling_the_whole_ends_what_runs() -> None:
    async def scene() -> None:
        held = Held()
        task = await begun(plan_of(action("tank/a"), action("tank/b")), held)

        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        assert all(future.cancelled() for future in held.running.values())

    run(scene())
