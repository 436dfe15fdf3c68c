"""Transport `local`: the machine that we run on."""

import asyncio
import contextlib
import os
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, SubprocessStreamProtocol
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from reconciler.hosts.head_start import Begun, HeadStart
from reconciler.hosts.local_notes import change_note, note_directory, read_note
from reconciler.hosts.transport import MOST_OUTPUT_BYTES
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.host import Elevation

if TYPE_CHECKING:
    from reconciler.hosts.lease import Holder
    from reconciler.hosts.local_lock import LocalLease

GRACE_S = 2.0
"""How long a command may take to end after SIGTERM, before SIGKILL."""

NO_HEAD_START = HeadStart()

_READ_BYTES = 1 << 18
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
        try:
            process = await self._start(command)
        except (FileNotFoundError, PermissionError) as missing:
            return Completed(command, Ending.NOT_FOUND, 127, "", f"{command.argv[0]}: {missing.strerror}")
        except (OSError, ValueError) as trouble:
            return Completed(command, Ending.LOST, None, "", f"could not start: {trouble}")
        ending, is_over = Ending.EXITED, False
        try:
            async with asyncio.timeout(command.deadline_s):
                stdout, stderr = await _talk(process.streams, command.stdin)
                await process.streams.exited.wait()
                is_over = True
        except TimeoutError:
            ending, stdout, stderr = Ending.DEADLINE, b"", b""
        except _TooMuchOutputError:
            ending, stdout, stderr = Ending.TOO_MUCH, b"", b""
        finally:
            await asyncio.shield(_end(process, is_over=is_over))
        code = process.transport.get_returncode()
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

    async def _start(self, command: Command) -> "_Process":
        """The command's process. Cancelled half-way, asyncio would wait for it for ever: so it is started whole, then ended."""
        starting = asyncio.ensure_future(self._started(command))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # In a task of its own, which another cancellation does not reach either.
            await asyncio.shield(_end_unborn(starting))
            raise

    async def _started(self, command: Command) -> "_Process":
        loop = asyncio.get_running_loop()
        transport, streams = await loop.subprocess_exec(
            lambda: _Streams(limit=_READ_BYTES, loop=loop),
            *self._prefix,
            *command.argv,
            stdin=DEVNULL if command.stdin is None else PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=self._environment,
            start_new_session=True,
        )
        return _Process(transport, streams)


class _Streams(SubprocessStreamProtocol):
    """A process's output, and its own end: strangers may hold its output open for longer."""

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=limit, loop=loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


class _Process(NamedTuple):
    transport: asyncio.SubprocessTransport
    streams: _Streams


class _TooMuchOutputError(Exception):
    pass


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


async def _talk(streams: _Streams, stdin: str | None) -> tuple[bytes, bytes]:
    assert streams.stdout is not None
    assert streams.stderr is not None
    if stdin is not None:
        assert streams.stdin is not None
        streams.stdin.write(stdin.encode("utf-8", "surrogateescape"))
        streams.stdin.close()
    return await asyncio.gather(_read(streams.stdout), _read(streams.stderr))


async def _read(stream: asyncio.StreamReader) -> bytes:
    chunks, total = [], 0
    while chunk := await stream.read(_READ_BYTES):
        total += len(chunk)
        if total > MOST_OUTPUT_BYTES:
            raise _TooMuchOutputError
        chunks.append(chunk)
    return b"".join(chunks)


async def _end_unborn(starting: "asyncio.Future[_Process]") -> None:
    """Ends a process that nobody wants any more as soon as it has started."""
    with contextlib.suppress(OSError, ValueError):
        await _end(await starting, is_over=False)


async def _end(process: _Process, *, is_over: bool) -> None:
    """Lets go of a process; one that is not over is ended with its whole group: politely, then for good.

    The command itself may have ended long ago, and a child of it that holds its output be what we waited for. One that
    not even SIGKILL ends (it hangs in the kernel) is left behind.
    """
    for sign in () if is_over else (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError, TimeoutError):
            os.killpg(process.transport.get_pid(), sign)
            async with asyncio.timeout(GRACE_S):
                await process.streams.exited.wait()
    # What runs as somebody else (sudo) we may not kill.
    with contextlib.suppress(PermissionError):
        process.transport.close()
