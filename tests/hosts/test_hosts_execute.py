"""Running a plan: what may run side by side, what waits, and what a failure takes with it."""

import asyncio

import pytest

from reconciler.model.command import Command, Completed
from reconciler.model.host import Limits
from reconciler.model.outcome import OutcomeState
from tests.hosts.executing import WIDE, begun, run, states
from tests.hosts.fakes import Held, MemoryJournal, Told, action, plan_of


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
