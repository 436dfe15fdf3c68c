"""A transport that passes everything on, for others to get in the way of."""

from collections.abc import Callable
from dataclasses import dataclass

from reconciler.hosts.lease import Holder, Lease
from reconciler.hosts.transport import Transport
from reconciler.model.command import Command, Completed


@dataclass
class Passing:
    """Does what the transport behind it does."""

    transport: Transport

    async def run(self, command: Command) -> Completed:
        return await self.transport.run(command)

    async def lease(self, name: str, holder: Holder) -> Lease:
        return await self.transport.lease(name, holder)

    async def note(self, name: str) -> str:
        return await self.transport.note(name)

    async def change_note(self, name: str, change: Callable[[str], str]) -> None:
        await self.transport.change_note(name, change)

    async def close(self) -> None:
        await self.transport.close()
