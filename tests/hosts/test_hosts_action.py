"""One action against a host that misbehaves: retried, judged by looking, confirmed before anything is destroyed."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace

import pytest

from reconciler.emulation.faults import Fault, FaultKind
from reconciler.model.command import Command, Completed, Ending, RetryClass
from reconciler.model.outcome import Outcome, OutcomeState
from reconciler.model.plan import HostPlan
from tests.hosts.conftest import Opener
from tests.hosts.fakes import Emulated, Told, carried_out, plan_on
from tests.planning.world import DELETE, GIB, REPLACE, dataset, row, volume


def run(scene: Coroutine[object, object, None]) -> None:
    asyncio.run(scene)


async def applied(transport: Emulated, *wanted: object) -> None:
    """Brings about what is wanted, without any fault."""
    plan, view = await plan_on(transport, wanted)  # type: ignore[arg-type]
    outcomes = await carried_out(transport, plan, view.backends)
    assert {outcome.state for outcome in outcomes} == {OutcomeState.SUCCEEDED}


async def one(transport: Emulated, plan: HostPlan, backends: object) -> Outcome:
    transport.commands.clear()
    (outcome,) = await carried_out(transport, plan, backends)  # type: ignore[arg-type]
    return outcome


def test_the_commands_that_ran_are_those_of_the_plan(emulated: Opener) -> None:
    async def scene() -> None:
        transport = emulated("omnios")
        old = [dataset("tank/old", DELETE), dataset("tank/old/c", DELETE), dataset("tank/gone", DELETE)]
        await applied(transport, *old, dataset("tank/q", quota=GIB))
        wanted = [
            dataset("tank/new", DELETE, moved_from="tank/old"),
            dataset("tank/new/c", DELETE, compression="lz4"),
            dataset("tank/q", quota=2 * GIB, compression=None),
            volume("tank/v"),
        ]
        plan, view = await plan_on(transport, wanted)
        transport.host.clear_transcript()

        outcomes = await carried_out(transport, plan, view.backends)

        assert {outcome.state for outcome in outcomes} == {OutcomeState.SUCCEEDED}
        ran = [call.argv for call in transport.host.transcript() if call.argv[1] not in ("get", "list")]
        for action in plan.actions:
            planned = [step.command.argv for step in action.steps]
            assert [argv for argv in ran if argv in planned] == planned, "in the order of the action"
        assert sorted(ran) == sorted(step.command.argv for action in plan.actions for step in action.steps)

    run(scene())


def test_a_busy_dataset_is_tried_again_until_it_is_free(emulated: Opener) -> None:
    async def scene() -> None:
        transport = emulated("linux-zfs-fuse")
        await applied(transport, dataset("tank/a", DELETE))
        transport.host.storage.linger(2)
        plan, view = await plan_on(transport, [])

        outcome = await one(transport, plan, view.backends)

        assert outcome.state is OutcomeState.SUCCEEDED
        assert transport.changing == ["zfs destroy tank/a"] * 3
        assert outcome.attempts == 3

    run(scene())


def test_a_failure_that_no_repetition_helps_is_not_repeated(emulated: Opener) -> None:
    async def scene() -> None:
        transport = emulated("omnios")
        plan, view = await plan_on(transport, [dataset("tank/a")])
        transport.host.inject(Fault(FaultKind.FAIL, argv="create", stderr="cannot create 'tank/a': permission denied\n"))

        outcome = await one(transport, plan, view.backends)

        assert (outcome.state, outcome.attempts) == (OutcomeState.FAILED, 1)
        assert outcome.failure is not None
        assert outcome.failure.retry is RetryClass.NEVER
        assert "cannot create 'tank/a': permission denied" in outcome.failure.cause
        assert outcome.command == str(plan.actions[0].steps[0].command)

    run(scene())


@pytest.mark.parametrize(
    ("fault", "state", "reason"),
    [
        (Fault(FaultKind.LOST_REPLY, argv="create"), OutcomeState.SUCCEEDED, "it did its work, and looking shows it"),
        (Fault(FaultKind.LOST_REPLY, argv="create", exit_code=-9), OutcomeState.SUCCEEDED, "killed after its work"),
        (Fault(FaultKind.HANG_AFTER, argv="create"), OutcomeState.SUCCEEDED, "it never answered, but did its work"),
        (Fault(FaultKind.HANG, argv="create"), OutcomeState.UNKNOWN, "it never answered and did nothing"),
        (Fault(FaultKind.HALF, argv="create"), OutcomeState.FAILED, "it is there and was not mounted"),
    ],
)
def test_an_answer_that_cannot_be_trusted_is_judged_by_looking(
    emulated: Opener, fault: Fault, state: OutcomeState, reason: str
) -> None:
    async def scene() -> None:
        transport = emulated("omnios")
        plan, view = await plan_on(transport, [dataset("tank/a", quota=GIB)])
        transport.host.inject(fault)

        outcome = await one(transport, plan, view.backends)

        assert outcome.state is state, reason
        assert transport.changing == [str(plan.actions[0].steps[0].command)], "nothing is repeated on a guess"

    run(scene())


@pytest.mark.parametrize(
    ("kind", "state"), [(FaultKind.HANG_AFTER, OutcomeState.SUCCEEDED), (FaultKind.HANG, OutcomeState.UNKNOWN)]
)
def test_a_deletion_whose_answer_was_lost_is_judged_by_looking(emulated: Opener, kind: FaultKind, state: OutcomeState) -> None:
    async def scene() -> None:
        transport = emulated("omnios")
        await applied(transport, dataset("tank/a", DELETE))
        plan, view = await plan_on(transport, [])
        transport.host.inject(Fault(kind, argv="destroy"))

        assert (await one(transport, plan, view.backends)).state is state

    run(scene())


def test_an_object_that_somebody_else_made_meanwhile_does_not_count_as_done(emulated: Opener) -> None:
    async def scene() -> None:
        transport = emulated("omnios")
        plan, view = await plan_on(transport, [dataset("tank/a")])
        transport.host.drift(["zfs", "create", "tank/a"])

        outcome = await one(transport, plan, view.backends)

        assert outcome.state is OutcomeState.FAILED
        assert outcome.failure is not None
        assert "already exists" in outcome.failure.cause

    run(scene())


def test_an_object_that_we_made_before_we_were_killed_counts_as_done(emulated: Opener) -> None:
    async def scene() -> None:
        transport = emulated("omnios")
        plan, view = await plan_on(transport, [dataset("tank/a")])
        transport.host.drift(list(plan.actions[0].steps[0].command.argv))

        assert (await one(transport, plan, view.backends)).state is OutcomeState.SUCCEEDED

    run(scene())


def test_where_even_a_look_fails_the_outcome_is_unknown(emulated: Opener) -> None:
    async def scene() -> None:
        transport = emulated("omnios")
        plan, view = await plan_on(transport, [dataset("tank/a")])
        transport.host.inject(Fault(FaultKind.HANG_AFTER, argv="create"))
        transport.host.inject(Fault(FaultKind.GARBAGE, argv="get"))

        assert (await one(transport, plan, view.backends)).state is OutcomeState.UNKNOWN

    run(scene())


MOVES: dict[str, tuple[list[list[str]], str]] = {
    "a new snapshot": ([["zfs", "snapshot", "tank/a@new"]], "it has new snapshots: tank/a@new"),
    "another object": ([["zfs", "destroy", "tank/a"], ["zfs", "create", "tank/a"]], "it is another object of the same name"),
    "a protection": ([["zfs", "set", "dev.reconciler:protect=all", "tank/a"]], "its mark has changed"),
    "another owner": ([["zfs", "set", "dev.reconciler:owner=others", "tank/a"]], "its mark has changed"),
    "no mark": ([["zfs", "inherit", "dev.reconciler:owner", "tank/a"]], "its mark has changed"),
    "already gone": ([["zfs", "destroy", "tank/a"]], "it is gone"),
}


@pytest.mark.parametrize("move", MOVES)
def test_nothing_is_destroyed_that_moved_since_the_plan_was_made(emulated: Opener, move: str) -> None:
    async def scene() -> None:
        transport = emulated("omnios")
        await applied(transport, dataset("tank/a", DELETE))
        plan, view = await plan_on(transport, [])
        commands, phrase = MOVES[move]
        for command in commands:
            assert transport.host.drift(command).exit_code == 0

        outcome = await one(transport, plan, view.backends)

        assert outcome.state is OutcomeState.FAILED
        assert outcome.failure is not None
        assert outcome.failure.cause == f"not removed: since the plan was made, {phrase}"
        assert transport.changing == []

    run(scene())


def test_nothing_is_destroyed_that_somebody_holds_since_the_plan_was_made(emulated: Opener) -> None:
    async def scene() -> None:
        transport = emulated("omnios")
        gone = dataset("tank/a", replace(DELETE, delete_snapshots=True))
        await applied(transport, gone)
        transport.host.drift(["zfs", "snapshot", "tank/a@one"])
        plan, view = await plan_on(transport, [], [row(gone)])
        transport.host.drift(["zfs", "hold", "tag", "tank/a@one"])

        outcome = await one(transport, plan, view.backends)

        assert outcome.failure is not None
        assert outcome.failure.cause.startswith("not removed: since the plan was made, snapshot tank/a@one is held")
        assert transport.changing == []

    run(scene())


def test_a_replacement_is_confirmed_too(emulated: Opener) -> None:
    async def scene() -> None:
        transport = emulated("omnios")
        await applied(transport, dataset("tank/a", REPLACE, casesensitivity="mixed"))
        plan, view = await plan_on(transport, [dataset("tank/a", REPLACE, casesensitivity="sensitive")])
        assert [action.verb for action in plan.actions] == ["replace"]
        transport.host.drift(["zfs", "snapshot", "tank/a@new"])

        assert (await one(transport, plan, view.backends)).state is OutcomeState.FAILED
        assert transport.changing == []

    run(scene())


def test_what_cannot_be_confirmed_is_not_destroyed(emulated: Opener) -> None:
    async def scene() -> None:
        transport = emulated("omnios")
        await applied(transport, dataset("tank/a", DELETE))
        plan, view = await plan_on(transport, [])
        transport.host.inject(Fault(FaultKind.TRUNCATE, argv="get"))

        outcome = await one(transport, plan, view.backends)

        assert outcome.state is OutcomeState.FAILED
        assert outcome.failure is not None
        assert outcome.failure.cause.startswith("not removed: `zfs get ")
        assert transport.changing == []

    run(scene())


def test_one_look_confirms_all_steps_of_a_removal(emulated: Opener) -> None:
    async def scene() -> None:
        transport = emulated("omnios")
        gone = dataset("tank/a", replace(DELETE, delete_snapshots=True))
        await applied(transport, gone)
        for name in ("one", "two"):
            transport.host.drift(["zfs", "snapshot", f"tank/a@{name}"])
        plan, view = await plan_on(transport, [], [row(gone)])

        outcome = await one(transport, plan, view.backends)

        assert outcome.state is OutcomeState.SUCCEEDED
        assert transport.changing == ["zfs destroy tank/a@one", "zfs destroy tank/a@two", "zfs destroy tank/a"]
        assert len(transport.commands) == 4

    run(scene())


def test_nothing_is_looked_at_before_what_destroys_nothing(emulated: Opener) -> None:
    async def scene() -> None:
        transport = emulated("omnios")
        plan, view = await plan_on(transport, [dataset("tank/a")])

        await one(transport, plan, view.backends)

        assert transport.argvs == transport.changing

    run(scene())


def test_asked_to_stop_between_attempts_an_action_is_cancelled(emulated: Opener) -> None:
    class Stopping(Emulated):
        stop: asyncio.Event

        async def run(self, command: Command) -> Completed:
            if command.changes:
                self.stop.set()
            return await super().run(command)

    async def scene() -> None:
        transport = Stopping(emulated("linux-zfs-fuse").host)
        transport.stop = asyncio.Event()
        plan, view = await plan_on(transport, [dataset("tank/a", DELETE)])
        await carried_out(transport, plan, view.backends)
        transport.stop.clear()
        transport.host.storage.linger(50)
        plan, view = await plan_on(transport, [])

        (outcome,) = await carried_out(transport, plan, view.backends, stop=transport.stop)

        assert outcome.state is OutcomeState.CANCELLED
        assert transport.host.storage.exists("tank/a")

    run(scene())


def test_asked_to_stop_during_the_look_before_a_destruction_nothing_is_destroyed(emulated: Opener) -> None:
    class Stopping(Emulated):
        stop = asyncio.Event()
        looks: int | None = None

        async def run(self, command: Command) -> Completed:
            if self.looks is not None:
                self.looks += 1
                self.stop.set()
            return await super().run(command)

    async def scene() -> None:
        transport = Stopping(emulated("omnios").host)
        plan, view = await plan_on(transport, [dataset("tank/a", DELETE)])
        await carried_out(transport, plan, view.backends)
        plan, view = await plan_on(transport, [])
        transport.looks = 0

        (outcome,) = await carried_out(transport, plan, view.backends, stop=transport.stop)

        assert transport.looks == 1
        assert outcome.state is OutcomeState.CANCELLED
        assert transport.host.storage.exists("tank/a")

    run(scene())


def test_a_tool_that_is_missing_fails_the_action_and_says_so(emulated: Opener) -> None:
    class Toolless(Emulated):
        async def run(self, command: Command) -> Completed:
            if command.changes:
                return Completed(command, Ending.NOT_FOUND, 127, "", "zfs: No such file or directory")
            return await super().run(command)

    async def scene() -> None:
        transport = Toolless(emulated("omnios").host)
        plan, view = await plan_on(transport, [dataset("tank/a")])

        (outcome,) = await carried_out(transport, plan, view.backends)

        assert outcome.state is OutcomeState.FAILED
        assert outcome.failure is not None
        assert outcome.failure.cause == "the host has no zfs"
        assert "install zfs" in outcome.failure.remedy

    run(scene())


def test_while_a_long_command_runs_it_is_told_how_far_it_is(emulated: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.hosts.action.PROGRESS_INTERVAL_S", 0)
    look = Command(("how-far",), changes=False)

    class Slow(Emulated):
        """Its long command ends once somebody has looked twice."""

        def __init__(self) -> None:
            super().__init__(emulated("linux-zfs-fuse").host)
            self.looks = 0
            self.seen = asyncio.Event()

        async def run(self, command: Command) -> Completed:
            if command != look:
                await self.seen.wait()
                return Completed(command, Ending.EXITED, 0)
            self.looks += 1
            if self.looks == 3:
                self.seen.set()
            return Completed(command, Ending.EXITED, 1 if self.looks == 1 else 0, f"{self.looks} of 3 MiB\nmore\n")

    async def scene() -> None:
        transport, told = Slow(), Told()
        plan, view = await plan_on(emulated("linux-zfs-fuse"), [dataset("tank/a")])
        (planned,) = plan.actions
        steps = tuple(replace(step, progress=look) for step in planned.steps)
        long = replace(plan, actions=(replace(planned, steps=steps),))
        (outcome,) = await carried_out(transport, long, view.backends, progress=told)

        assert outcome.state is OutcomeState.SUCCEEDED
        # What can't be told is left out, and only the first line is shown.
        assert told.lines[1] == "Dataset/tank/a: 2 of 3 MiB"
        assert told.lines[-1] == "succeeded Dataset/tank/a"

    run(scene())
