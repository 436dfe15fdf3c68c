"""Running one action: its planned commands in order, retried, and judged by looking where the answer can't be trusted."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reconciler.hosts.transport import Transport
from reconciler.model.change import Change
from reconciler.model.command import Command, Completed, Ending, Failure, RetryClass, Step
from reconciler.model.errors import ReadError
from reconciler.model.observed import Observed
from reconciler.model.outcome import OutcomeState
from reconciler.model.plan import Action
from reconciler.planning.goal import is_reached, movement
from reconciler.provider.contract import Backend
from reconciler.provider.kind import Kind

PROGRESS_INTERVAL_S = 2.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How an action ended; `failure` and the full `command` at fault unless it succeeded."""

    state: OutcomeState
    attempts: int
    failure: Failure | None = None
    command: str = ""


class _StopError(Exception):
    """The action ends here, with this verdict."""

    def __init__(self, state: OutcomeState, failure: Failure, command: str) -> None:
        super().__init__(failure.cause)
        self.state, self.failure, self.command = state, failure, command


@dataclass
class ActionRun:
    """One action on its way. `stop` asks it to end after the command that is running; `tell` hears how far a long one is."""

    action: Action
    kind: Kind
    backend: Backend
    transport: Transport
    lanes: Mapping[str, asyncio.Lock]
    stop: asyncio.Event
    tell: Callable[[str], None] = lambda _line: None
    attempts: int = 0
    _confirmed: bool = field(default=False, init=False)

    async def run(self) -> Ended:
        """Runs all steps. Never raises for what a command does."""
        try:
            for step in self.action.steps:
                if await self._is_done_by(step):
                    break
        except _StopError as end:
            return Ended(end.state, self.attempts, end.failure, end.command)
        return Ended(OutcomeState.SUCCEEDED, self.attempts)

    async def _is_done_by(self, step: Step) -> bool:
        """Runs a step; true when looking has shown that the whole change is done."""
        if step.lane is None:
            return await self._run_step(step)
        async with self.lanes[step.lane]:
            return await self._run_step(step)

    async def _run_step(self, step: Step) -> bool:
        self._go_on(step)
        if (step.destructive or step.look_first) and not self._confirmed:
            await self._confirm(step)
            self._go_on(step)
        answer = await self._attempt(step)
        if answer.succeeded:
            return False
        failure = self.backend.explain(answer)
        if failure.retry is RetryClass.NOW:
            answer, failure = await self._retry(step, answer, failure)
            if answer.succeeded:
                return False
        return await self._judge(step, answer, failure)

    def _go_on(self, step: Step) -> None:
        """Ends the action when we were asked to: right before a command is where nothing is left half-done."""
        if self.stop.is_set():
            raise _StopError(OutcomeState.CANCELLED, CANCELLED, str(step.command))

    async def _attempt(self, step: Step) -> Completed:
        self.attempts += 1
        if step.progress is None:
            return await self.transport.run(step.command)
        watching = asyncio.create_task(self._watch(step.progress))
        try:
            return await self.transport.run(step.command)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self, look: Command) -> None:
        """Tells how far a command is, until it is done."""
        while True:
            await asyncio.sleep(PROGRESS_INTERVAL_S)
            answer = await self.transport.run(look)
            if answer.succeeded and (line := answer.stdout.strip().partition("\n")[0]):
                self.tell(line)

    async def _retry(self, step: Step, answer: Completed, failure: Failure) -> tuple[Completed, Failure]:
        """The last answer after repeating a command that failed for a passing reason."""
        # Imported here: most passes never retry, and the library costs as much to import as a pass takes.
        from reconciler.hosts.retry import TransientError, retried

        last = (answer, failure)

        async def once() -> None:
            nonlocal last
            done = await self._attempt(step)
            last = (done, self.backend.explain(done) if not done.succeeded else failure)
            if not done.succeeded and last[1].retry is RetryClass.NOW:
                raise TransientError

        try:
            await self._pause(0.05)
            await retried(once, self._pause)
        except TransientError:
            pass
        return last

    async def _pause(self, seconds: float) -> None:
        """Waits, unless asked to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            return
        raise _StopError(OutcomeState.CANCELLED, CANCELLED, "")

    async def _judge(self, step: Step, answer: Completed, failure: Failure) -> bool:
        """True when a look shows that the change is done after all; else the action ends."""
        if failure.retry is RetryClass.LOOK_AGAIN:
            there, trouble = await self._look()
            if not trouble and is_reached(self.kind, self.action.change, there):
                return True
        state = OutcomeState.FAILED if _ended_by_itself(answer) else OutcomeState.UNKNOWN
        raise _StopError(state, failure, str(step.command))

    async def _confirm(self, step: Step) -> None:
        """One more look before something is taken away; ends the action when the object is not as planned."""
        there, trouble = await self._look()
        cause = trouble or movement(self.action.change, there)
        if cause:
            failure = Failure(
                f"not removed: since the plan was made, {cause}" if not trouble else f"not removed: {trouble}",
                "look at a new plan",
                RetryClass.LOOK_AGAIN,
            )
            raise _StopError(OutcomeState.FAILED, failure, str(step.command))
        self._confirmed = True

    async def _look(self) -> tuple[Observed | None, str]:
        """The object as it is now, or why it could not be seen."""
        change: Change = self.action.change
        answer = await self.transport.run(self.backend.confirm(change).command)
        try:
            return self.backend.confirmed(change, answer), ""
        except ReadError as trouble:
            return None, f"`{answer.command}` could not be read: {trouble.cause}"


def _ended_by_itself(answer: Completed) -> bool:
    """Whether the exit code is the tool's own; a larger one is how a shell or ssh says that the tool died, or was lost."""
    return answer.ending is Ending.NOT_FOUND or (answer.exit_code is not None and answer.exit_code <= _LARGEST_OF_TOOLS)


_LARGEST_OF_TOOLS = 127

CANCELLED = Failure("we were asked to stop", "run again; the next pass looks and goes on from there", RetryClass.LOOK_AGAIN)
