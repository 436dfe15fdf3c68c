"""What one run of an emulated tool may see and do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from reconciler.emulation.state import State
from reconciler.emulation.systems import System


class Interrupted(Exception):
    """The tool was stopped between two parts of its work by a fault; what it has done stays done."""


OpenFile = Callable[[str], BinaryIO]


def no_files(path: str) -> BinaryIO:
    """Opens nothing: an emulated host has no files of its own that a tool could be told to read."""
    raise FileNotFoundError(path)


@dataclass(slots=True)
class Session:
    """One run of a tool: the host it acts on, and what it prints."""

    state: State
    system: System
    now: float
    stdin: bytes | None = None
    parts_allowed: int | None = None
    """How many parts of a larger piece of work may still begin; None is all of them."""
    open_file: OpenFile = no_files
    """Opens a file that the command line names; raises OSError."""
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)

    def line(self, text: str) -> None:
        """Prints a line on stdout."""
        self.out.append(text + "\n")

    def complain(self, text: str) -> None:
        """Prints a line on stderr."""
        self.err.append(text + "\n")

    def begin_part(self) -> None:
        """Says that the next of several parts of a command begins; raises Interrupted when a fault forbids it."""
        if self.parts_allowed is None:
            return
        if self.parts_allowed == 0:
            raise Interrupted
        self.parts_allowed -= 1


def never(arguments: Sequence[str]) -> bool:
    """The `reads_stdin` of a tool that takes all it needs from its arguments."""
    del arguments
    return False


ToolRun = Callable[[Session, Sequence[str]], int]


@dataclass(frozen=True, slots=True)
class Tool:
    """One emulated program.

    `run` gets the arguments after the program's name, prints into the session and gives the exit code (negative: the
    signal that ended it). `only_reads` says from the arguments alone that nothing will be written, so that such a
    run holds up nobody. `reads_stdin` says whether it reads its standard input to the end, which only then is waited
    for.
    """

    run: ToolRun
    only_reads: Callable[[Sequence[str]], bool]
    reads_stdin: Callable[[Sequence[str]], bool] = never


def always_reads(arguments: Sequence[str]) -> bool:
    """The `only_reads` of a tool that never changes anything."""
    del arguments
    return True
