"""Transport `emulated`: a host whose tools answer from a state file."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from reconciler.emulation.errors import EmulationError
from reconciler.emulation.host import DEFAULT_LINKS, EmulatedHost
from reconciler.hosts.emulated_lease import EmulatedLease, take_emulated_lease
from reconciler.hosts.lease import Holder
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.errors import ReconcilerError


class EmulatedTransport:
    """Commands answered in this process by an emulated host."""

    def __init__(self, host: EmulatedHost) -> None:
        self._host = host

    @classmethod
    def open(
        cls,
        state: Path,
        *,
        system: str,
        hostname: str,
        pools: Mapping[str, int] | None = None,
        links: tuple[str, ...] | None = None,
    ) -> "EmulatedTransport":
        """The host over `state`, made when the file is absent. ReconcilerError when the state belongs to another system."""
        state.parent.mkdir(parents=True, exist_ok=True)
        try:
            return cls(EmulatedHost.open(state, system=system, pools=pools, links=links or DEFAULT_LINKS, hostname=hostname))
        except EmulationError as trouble:
            raise ReconcilerError(str(trouble)) from trouble

    async def run(self, command: Command) -> Completed:
        stdin = None if command.stdin is None else command.stdin.encode("utf-8", "surrogateescape")
        answer = self._host.run(command.argv, stdin)
        if answer.hangs:
            await asyncio.sleep(command.deadline_s)
            return Completed(command, Ending.DEADLINE, None, duration_s=command.deadline_s)
        await asyncio.sleep(min(answer.seconds, command.deadline_s))
        if answer.seconds > command.deadline_s:
            return Completed(command, Ending.DEADLINE, None, duration_s=command.deadline_s)
        ended = answer.exit_code >= 0
        return Completed(
            command,
            Ending.EXITED if ended else Ending.SIGNALLED,
            answer.exit_code if ended else None,
            answer.stdout.decode("utf-8", "surrogateescape"),
            answer.stderr.decode("utf-8", "replace"),
            duration_s=answer.seconds,
        )

    async def lease(self, name: str, holder: Holder) -> EmulatedLease:
        return take_emulated_lease(self._host.change_note, name, holder)

    async def note(self, name: str) -> str:
        return self._host.note(name)

    async def change_note(self, name: str, change: Callable[[str], str]) -> None:
        self._host.change_note(name, change)

    async def close(self) -> None:
        self._host.close()
