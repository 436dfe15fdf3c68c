"""A head start for the first look: the probes of the last run, begun before anything else is loaded.

Loading this program takes about as long as a pool of hundreds of datasets takes to read, so the two are done at once. What is
begun are the very commands that the last run of the same source used to look at this machine; when the pass comes to ask for
one of them it gets the answer of that process, and anything not asked for is ended. A look that needs other fields runs its
own commands, so a wrong guess costs time and never an answer. This module is imported first and stays light.
"""

import json
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FILE_NAME = "head-start.json"
_MOST_SOURCES = 16


@dataclass(frozen=True)
class Begun:
    """A process that was begun, and the files that take what it prints."""

    argv: tuple[str, ...]
    pid: int
    stdout: int
    stderr: int

    def reap(self) -> int:
        """Its wait status; returns at once when it has ended or was killed."""
        return os.waitpid(self.pid, 0)[1]

    def output(self) -> tuple[bytes, bytes]:
        """What it printed; to be called once, after it has ended."""
        return _taken(self.stdout), _taken(self.stderr)


class HeadStart:
    """Processes that nobody has asked for yet."""

    def __init__(self, begun: Iterable[Begun] = (), began_at: float | None = None) -> None:
        self._waiting = list(begun)
        self.began_at = began_at
        """When the first of them was begun, on the clock of `time.monotonic()`."""

    def take(self, argv: tuple[str, ...]) -> Begun | None:
        """The process with this argument list, which is then the caller's to wait for; each is given once."""
        for begun in self._waiting:
            if begun.argv == argv:
                self._waiting.remove(begun)
                return begun
        return None

    def abandon(self) -> None:
        """Ends what nobody asked for."""
        for begun in self._waiting:
            os.killpg(begun.pid, signal.SIGKILL)
            begun.reap()
            begun.output()
        self._waiting.clear()
        self.began_at = None


def begin(state: Path, source: str) -> HeadStart:
    """Begins what the last run over `source` used to look at this machine; nothing where that can't be known."""
    if not hasattr(os, "memfd_create"):
        return HeadStart()
    try:
        recorded = json.loads((state / FILE_NAME).read_bytes()).get(source, ())
        began_at = time.monotonic()
        return HeadStart([_begun(tuple(argv)) for argv in recorded], began_at)
    except (OSError, ValueError, TypeError, AttributeError):
        return HeadStart()


def record(state: Path, source: str, probes: Iterable[tuple[str, ...]]) -> None:
    """Remembers the probes of a run for the next one over the same source."""
    wanted = [list(argv) for argv in probes]
    place = state / FILE_NAME
    try:
        known = json.loads(place.read_bytes())
        assert isinstance(known, dict)
    except (OSError, ValueError, AssertionError):
        known = {}
    if known.get(source) == wanted or not (wanted or source in known) or not state.is_dir():
        return
    known.pop(source, None)
    known[source] = wanted
    for name in list(known)[:-_MOST_SOURCES]:
        del known[name]
    aside = place.with_suffix(f".{os.getpid()}")
    try:
        aside.write_text(json.dumps(known))
        aside.replace(place)
    except OSError:
        # A convenience: without it the next run is slower.
        aside.unlink(missing_ok=True)


def _begun(argv: tuple[str, ...]) -> Begun:
    stdout, stderr = os.memfd_create("stdout"), os.memfd_create("stderr")
    null = os.open(os.devnull, os.O_RDONLY)
    try:
        pid = os.posix_spawnp(
            argv[0],
            argv,
            {**os.environ, "LC_ALL": "C", "TZ": "UTC"},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0),
                (os.POSIX_SPAWN_DUP2, stdout, 1),
                (os.POSIX_SPAWN_DUP2, stderr, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(null)
    return Begun(argv, pid, stdout, stderr)


def _taken(descriptor: int) -> bytes:
    try:
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, size, 0)
    finally:
        os.close(descriptor)
