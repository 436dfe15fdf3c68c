"""Being the only writer of a host, and knowing whether what was seen before that still counts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reconciler.hosts.holds import read_holds
from reconciler.hosts.own_names import holds_name, lock_name
from reconciler.hosts.transport import Transport
from reconciler.model.errors import ExitCode, ReconcilerError
from reconciler.model.hold import Hold
from reconciler.planning.view import HostView

if TYPE_CHECKING:
    from reconciler.hosts.lease import Lease


class NotTheWriterError(ReconcilerError):
    """We may not write to the host: another process does, or no lock can be had there."""


class Writer(NamedTuple):
    """`stop` is set when the caller's is, or when the lock is found to be another's. `is_out_of_date` says that others may have
    written since the view was made, or that holds have come or gone."""

    stop: asyncio.Event
    is_out_of_date: bool


@asynccontextmanager
async def only_writer(
    transport: Transport, view: HostView, owner: str, state: Path, now: Callable[[], datetime], stop: asyncio.Event
) -> AsyncIterator[Writer]:
    """The host's lock for as long as the block runs. NotTheWriterError when it can't be had."""
    # Imported here: most passes have nothing to do, and take no lock.
    from reconciler.hosts.lease import LockHeldError, held_by_another, this_process

    assert view.inventory.facts is not None
    host_id = view.inventory.facts.host_id
    try:
        lease = await transport.lease(lock_name(owner, host_id, view.name), this_process(state))
    except LockHeldError as held:
        told = held_by_another(view.name, held)
        raise NotTheWriterError(told.cause, remedy=told.remedy, exit_code=told.exit_code) from held
    except ReconcilerError as trouble:
        raise NotTheWriterError(f"{view.name}: {trouble.cause}", remedy=trouble.remedy) from trouble
    try:
        try:
            holds = await holds_in_force(transport, owner, host_id, view.name, now())
        except ReconcilerError as trouble:
            cause = f"{view.name}: {trouble.cause}"
            raise NotTheWriterError(cause, remedy=trouble.remedy, exit_code=ExitCode.UNREADABLE) from trouble
        async with _either(stop, lease) as event:
            yield Writer(event, holds != view.holds or not lease.is_undisturbed_since(view.looked_at))
    finally:
        await lease.release()


async def holds_in_force(transport: Transport, owner: str, host_id: str, host: str, now: datetime) -> tuple[Hold, ...]:
    """The holds on a host. ReconcilerError when they can't be read."""
    return await read_holds(transport, holds_name(owner, host_id, host), now)


@asynccontextmanager
async def _either(stop: asyncio.Event, lease: "Lease") -> AsyncIterator[asyncio.Event]:
    """An event that is set when one of the two is: both end the work at a safe point."""
    either = asyncio.Event()
    if stop.is_set():
        either.set()

    async def passed_on(event: asyncio.Event) -> None:
        await event.wait()
        either.set()

    watching = [asyncio.create_task(passed_on(event)) for event in (stop, lease.lost)]
    try:
        yield either
    finally:
        for task in watching:
            task.cancel()
