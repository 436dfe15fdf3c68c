"""A child process watched by the event loop, with no more between the two than it takes.

What asyncio itself offers takes half as much CPU time again for each command, and that time the host's own tools could use.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence

from reconciler.hosts.transport import MOST_OUTPUT_BYTES

GRACE_S = 2.0
"""How long a command may take to end after SIGTERM, before SIGKILL."""

_READ_BYTES = 1 << 18


class TooMuchOutputError(Exception):
    """A command printed more than any listing can be."""


class Child:
    """A process in a session of its own; stdin is null unless given. OSError or ValueError when it can't be started.

    `told` is done with both outputs when they are closed and the process has ended: strangers may hold its output open for
    longer than it lives. It raises TooMuchOutputError. Whoever made it calls `close` in the end, or `end` before that.
    """

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], stdin: bytes | None) -> None:
        self._loop = asyncio.get_running_loop()
        self.told: asyncio.Future[tuple[bytes, bytes]] = self._loop.create_future()
        self._exited = asyncio.Event()
        self._printed = (bytearray(), bytearray())
        self._open_outputs = len(self._printed)
        self._watched: set[int] = set()
        self._unread = memoryview(stdin or b"")
        ours, theirs = [], []
        try:
            for _ in self._printed:
                source, sink = os.pipe()
                ours.append(source)
                theirs.append(sink)
            given = subprocess.DEVNULL
            if stdin is not None:
                given, feed = os.pipe()
                theirs.append(given)
                ours.append(feed)
            self._process = subprocess.Popen(
                argv, stdin=given, stdout=theirs[0], stderr=theirs[1], env=environment, start_new_session=True
            )
        except BaseException:
            for descriptor in ours:
                os.close(descriptor)
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        for descriptor in ours:
            os.set_blocking(descriptor, False)
            self._watched.add(descriptor)
        for source, printed in zip(ours, self._printed, strict=False):
            self._loop.add_reader(source, self._read, source, printed)
        if stdin is not None:
            self._loop.add_writer(ours[-1], self._feed, ours[-1])
        self._watch_exit()

    async def end(self) -> None:
        """Ends the process with its whole group: politely, then for good.

        It may itself have ended long ago, and a child of it that holds its output be what we waited for. One that not even
        SIGKILL ends (it hangs in the kernel), or that runs as somebody else (sudo), is left behind.
        """
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError, PermissionError, TimeoutError):
                os.killpg(self._process.pid, sign)
                async with asyncio.timeout(GRACE_S):
                    await self._exited.wait()
        self.close()

    def close(self) -> int | None:
        """Lets go of the process; gives its exit code, negative for a signal, None when it has not ended."""
        for descriptor in tuple(self._watched):
            self._drop(descriptor)
        # Until now nobody else could have got its pid, nor its group's.
        return self._process.poll()

    def _watch_exit(self) -> None:
        try:
            watch = os.pidfd_open(self._process.pid)
        except (AttributeError, OSError):
            # Not every system has it.
            threading.Thread(target=self._wait, daemon=True).start()
        else:
            self._watched.add(watch)
            self._loop.add_reader(watch, self._has_exited, watch)

    def _wait(self) -> None:
        self._process.wait()
        # A loop that is closed by now has nobody who would care.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._has_exited)

    def _has_exited(self, watch: int | None = None) -> None:
        if watch is not None:
            self._drop(watch)
        self._exited.set()
        self._tell()

    def _read(self, source: int, printed: bytearray) -> None:
        with contextlib.suppress(BlockingIOError):
            chunk = os.read(source, _READ_BYTES)
            printed += chunk
            if not chunk:
                self._drop(source)
                self._open_outputs -= 1
                self._tell()
            elif len(printed) > MOST_OUTPUT_BYTES:
                self._drop(source)
                if not self.told.done():
                    self.told.set_exception(TooMuchOutputError())

    def _feed(self, sink: int) -> None:
        try:
            self._unread = self._unread[os.write(sink, self._unread) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            # It ends without having read all of it, as it may.
            self._unread = self._unread[:0]
        if not self._unread:
            self._drop(sink)

    def _drop(self, descriptor: int) -> None:
        self._loop.remove_reader(descriptor)
        self._loop.remove_writer(descriptor)
        self._watched.discard(descriptor)
        os.close(descriptor)

    def _tell(self) -> None:
        if not self._open_outputs and self._exited.is_set() and not self.told.done():
            self.told.set_result((bytes(self._printed[0]), bytes(self._printed[1])))
