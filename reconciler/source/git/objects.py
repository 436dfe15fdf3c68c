"""The one `git cat-file --batch` child, kept between reads."""

import os
import re
import select
import subprocess
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from reconciler.desired.entry import TooLarge
from reconciler.source.errors import SourceError
from reconciler.source.git.program import GitProgram

_PIPE_BYTES = 4096
"""A pipe takes this much without a reader everywhere. Asking for more at once could leave both ends waiting for ever."""

_BLOB_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class _Lost(Exception):
    """The child ended in the middle of an answer."""


class ObjectReader:
    """Reads objects of one repository; usable from several threads. The child starts when first asked, and again if it died."""

    def __init__(self, program: GitProgram, git_dir: Path, *, blob_bytes: int) -> None:
        self._program = program
        self._git_dir = git_dir
        self._limit = blob_bytes
        self._guard = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._held = bytearray()
        self._at = 0

    def commit(self, name: str) -> str | None:
        """The commit that a ref or an id of ours leads to; None if it is not there."""
        with self._guard:
            try:
                self._send(f"{name}^{{commit}}\n".encode())
                header = self._line().split(b" ")
                if len(header) != 3 or header[1] != b"commit":
                    return None
                self._take(int(header[2]) + 1)
            except _Lost:
                self._drop()
                return None
            return header[0].decode()

    def contents(self, blobs: Iterable[str]) -> Iterator[tuple[str, bytes | TooLarge | None]]:
        """The bytes of each blob, in order; None for one that is missing or damaged (and its neighbours)."""
        asked = iter(blobs)
        while chunk := list(islice(asked, _PIPE_BYTES // 65)):
            yield from zip(chunk, self._answers(chunk), strict=True)

    def close(self) -> None:
        with self._guard:
            self._drop()

    def _answers(self, chunk: list[str]) -> list[bytes | TooLarge | None]:
        """A whole chunk at once: whoever stops reading in the middle leaves no answer behind in the pipe."""
        for blob in chunk:
            if not _BLOB_ID.fullmatch(blob):
                raise SourceError(f"{blob}: not the id of a git object", remedy="read the tree of a revision first")
        with self._guard:
            try:
                self._send("".join(f"{blob}\n" for blob in chunk).encode())
                return [self._answer() for _ in chunk]
            except _Lost:
                self._drop()
                return [None] * len(chunk)

    def _answer(self) -> bytes | TooLarge | None:
        """Reads `<id> blob <size>` and the bytes and a newline, or `<id> missing`."""
        header = self._line().split(b" ")
        if len(header) != 3:
            return None
        size = int(header[2])
        if size > self._limit:
            self._skip(size + 1)
            return TooLarge(size)
        content = self._take(size + 1)[:-1]
        return content if header[1] == b"blob" else None

    def _send(self, text: bytes) -> None:
        if self._child is None or self._child.poll() is not None:
            self._drop()
            self._child = self._program.spawn(self._git_dir, "cat-file", "--batch")
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(text)
        except BrokenPipeError as error:
            raise _Lost from error

    def _line(self) -> bytes:
        while (end := self._held.find(b"\n", self._at)) < 0:
            self._fill()
        line = bytes(self._held[self._at : end])
        self._at = end + 1
        return line

    def _take(self, count: int) -> bytes:
        while len(self._held) - self._at < count:
            self._fill()
        taken = bytes(self._held[self._at : self._at + count])
        self._at += count
        return taken

    def _skip(self, count: int) -> None:
        while (there := len(self._held) - self._at) < count:
            count -= there
            self._at = len(self._held)
            self._fill()
        self._at += count

    def _fill(self) -> None:
        assert self._child is not None
        assert self._child.stdout is not None
        descriptor = self._child.stdout.fileno()
        ready = select.poll()
        ready.register(descriptor, select.POLLIN | select.POLLHUP)
        if not ready.poll(self._program.command_s * 1000):
            self._drop()
            raise SourceError(
                f"{self._git_dir}: git gave no answer for {self._program.command_s:g} s",
                remedy="check the state directory's disk",
            )
        piece = os.read(descriptor, 1 << 18)
        if not piece:
            raise _Lost
        del self._held[: self._at]
        self._at = 0
        self._held += piece

    def _drop(self) -> None:
        if self._child is not None:
            self._program.finish(self._child)
        self._child = None
        self._held.clear()
        self._at = 0
