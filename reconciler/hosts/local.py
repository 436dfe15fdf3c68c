"""Transport `local`: the machine that we run on."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.hosts.child import Child, TooMuchOutputError
from reconciler.hosts.head_start import Begun, HeadStart
from reconciler.hosts.local_notes import change_note, note_directory, read_note
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.host import Elevation

if TYPE_CHECKING:
    from reconciler.hosts.lease import Holder
    from reconciler.hosts.local_lock import LocalLease

NO_HEAD_START = HeadStart()

_ELEVATED = {Elevation.NONE: (), Elevation.PFEXEC: ("pfexec",), Elevation.SUDO: ("sudo", "-n", "--")}


class LocalTransport:
    """Commands as child processes, each in a process group of its own, with `LC_ALL=C TZ=UTC` and stdin null unless given.

    `path` replaces the caller's PATH. Probes that `head_start` has begun are waited for instead of begun again. `state` is the
    state directory: where locks are kept by a user who has no better place.
    """

    def __init__(
        self,
        *,
        path: str = "",
        elevate: Elevation = Elevation.NONE,
        head_start: HeadStart = NO_HEAD_START,
        state: Path = Path(),
    ) -> None:
        self._state = state
        self._environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
        if path:
            self._environment["PATH"] = path
        self._prefix = _ELEVATED[elevate]
        # What was begun runs on the caller's PATH and as the caller.
        self._head_start = head_start if not path and not self._prefix else NO_HEAD_START
        self.probes: list[tuple[str, ...]] = []
        """Looks at this machine in the order in which they ran, until the first command that changes something."""
        self._has_changed = False

    async def run(self, command: Command) -> Completed:
        if command.changes:
            self._has_changed = True
        elif not self._has_changed:
            self.probes.append(command.argv)
        # What was begun earlier knows nothing of what we have changed since.
        if not self._has_changed and command.stdin is None and (begun := self._head_start.take(command.argv)) is not None:
            return await _ended(command, begun)
        return await self._run(command)

    async def _run(self, command: Command) -> Completed:
        began = time.monotonic()
        stdin = None if command.stdin is None else command.stdin.encode("utf-8", "surrogateescape")
        try:
            child = Child((*self._prefix, *command.argv), self._environment, stdin)
        except (FileNotFoundError, PermissionError) as missing:
            return Completed(command, Ending.NOT_FOUND, 127, "", f"{command.argv[0]}: {missing.strerror}")
        except (OSError, ValueError) as trouble:
            return Completed(command, Ending.LOST, None, "", f"could not start: {trouble}")
        ending, stdout, stderr, is_over = Ending.EXITED, b"", b"", False
        try:
            async with asyncio.timeout(command.deadline_s):
                stdout, stderr = await child.told
            is_over = True
        except TimeoutError:
            ending = Ending.DEADLINE
        except TooMuchOutputError:
            ending = Ending.TOO_MUCH
        finally:
            if not is_over:
                # In a task of its own, which another cancellation does not reach.
                await asyncio.shield(child.end())
        code = child.close()
        if ending is Ending.EXITED and code is not None and code < 0:
            ending = Ending.SIGNALLED
        return Completed(
            command,
            ending,
            code if ending is Ending.EXITED else None,
            stdout.decode("utf-8", "surrogateescape"),
            stderr.decode("utf-8", "replace"),
            time.monotonic() - began,
        )

    async def lease(self, name: str, holder: "Holder") -> "LocalLease":
        # Imported here: most passes have nothing to do, and take no lock.
        from reconciler.hosts.local_lock import lock_directory, take_local_lease

        return take_local_lease(lock_directory(os.environ, self._state), name, holder)

    async def note(self, name: str) -> str:
        return read_note(note_directory(os.environ) / name)

    async def change_note(self, name: str, change: Callable[[str], str]) -> None:
        change_note(note_directory(os.environ) / name, change)

    async def close(self) -> None:
        """Nothing is kept open."""


async def _ended(command: Command, begun: Begun) -> Completed:
    """The end of a process that was begun before us."""
    loop = asyncio.get_running_loop()
    began = time.monotonic()
    ended = loop.create_future()
    watch = os.pidfd_open(begun.pid)
    loop.add_reader(watch, lambda: None if ended.done() else ended.set_result(None))
    ending = Ending.EXITED
    try:
        async with asyncio.timeout(command.deadline_s):
            await ended
    except TimeoutError:
        ending = Ending.DEADLINE
    finally:
        loop.remove_reader(watch)
        os.close(watch)
        if not ended.done() or ended.cancelled():
            os.killpg(begun.pid, signal.SIGKILL)
        status = begun.reap()
        stdout, stderr = begun.output()
    code = os.waitstatus_to_exitcode(status)
    if ending is Ending.EXITED and code < 0:
        ending = Ending.SIGNALLED
    return Completed(
        command,
        ending,
        code if ending is Ending.EXITED else None,
        stdout.decode("utf-8", "surrogateescape"),
        stderr.decode("utf-8", "replace"),
        time.monotonic() - began,
    )
