"""How commands reach a host, and the little that we keep there beside them: a lock and short notes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from reconciler.model.command import Command, Completed

if TYPE_CHECKING:
    from reconciler.hosts.lease import Holder, Lease

MOST_OUTPUT_BYTES = 256 << 20
"""Output beyond this is not a listing of a host's objects, it is a fault; the command is ended."""


class Transport(Protocol):
    """Runs commands on one host. Never raises for what a command does: its end is in the Completed."""

    async def run(self, command: Command) -> Completed:
        """Runs one command to its end or its deadline. When cancelled, the command and its children are ended first."""
        ...

    async def lease(self, name: str, holder: "Holder") -> "Lease":
        """Takes the host's lock of that name, at once or not at all.

        LockHeldError when another process has it; ReconcilerError when no lock can be kept there.
        """
        ...

    async def note(self, name: str) -> str:
        """A text of ours that is kept on the host; empty when there is none. ReconcilerError when it can't be read."""
        ...

    async def change_note(self, name: str, change: Callable[[str], str]) -> None:
        """Replaces a note by what `change` makes of it, whole and durable; nobody else changes it meanwhile."""
        ...

    async def close(self) -> None: ...
