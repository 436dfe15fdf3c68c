"""How commands reach a host."""

from typing import Protocol

from reconciler.model.command import Command, Completed

MOST_OUTPUT_BYTES = 256 << 20
"""Output beyond this is not a listing of a host's objects, it is a fault; the command is ended."""


class Transport(Protocol):
    """Runs commands on one host. Never raises for what a command does: its end is in the Completed."""

    async def run(self, command: Command) -> Completed:
        """Runs one command to its end or its deadline. When cancelled, the command and its children are ended first."""
        ...

    async def close(self) -> None: ...
