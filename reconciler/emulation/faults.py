"""Faults that tests inject: how a command goes wrong, and for which commands."""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.emulation.answer import Answer
from reconciler.emulation.errors import EmulationError
from reconciler.emulation.state import State


class FaultKind(enum.Enum):
    """How a command goes wrong."""

    FAIL = "fail"
    """Nothing is done; `exit_code` (1) and `stderr` are the answer."""
    HANG = "hang"
    """Nothing is done and no answer ever comes."""
    HANG_AFTER = "hang_after"
    """All is done and no answer ever comes."""
    HALF = "half"
    """The first of several parts is done (one property, one dataset, a create without its mount), then `exit_code`
    (1). A command that has one part only does it. `parts` lets more of them be done."""
    LOST_REPLY = "lost_reply"
    """All is done, but nothing is printed and `exit_code` (255) comes back; negative: killed by that signal."""
    TRUNCATE = "truncate"
    """All is done; the output ends in the middle of a line and the exit code stays."""
    GARBAGE = "garbage"
    """All is done; bytes that are no text stand in place of the output and the exit code stays."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault and the calls that it hits.

    `argv` is a regular expression searched in the arguments joined by blanks, the tool's name first. Of the calls
    that match, the first `skip` go well, the next `times` are hit (None: all of them). A call is hit by one fault at
    most: the first in order of injection that does not skip it.
    """

    kind: FaultKind
    tool: str | None = None
    argv: str = ""
    skip: int = 0
    times: int | None = 1
    exit_code: int | None = None
    stderr: str = ""
    parts: int = 1
    """HALF only: how many parts are done."""

    def __post_init__(self) -> None:
        try:
            re.compile(self.argv)
        except re.error as error:
            raise EmulationError(
                f"fault argv {self.argv!r} is no regular expression: {error}; remedy: escape it with re.escape"
            ) from error
        if self.skip < 0 or (self.times is not None and self.times < 1):
            raise EmulationError("a fault needs skip >= 0 and times >= 1; remedy: leave times out, or None for always")
        if self.parts < 1:
            raise EmulationError("a fault needs parts >= 1; remedy: use FAIL when nothing is to be done")

    def matches(self, argv: Sequence[str]) -> bool:
        """Whether this is a command that the fault is about."""
        return (self.tool is None or self.tool == argv[0]) and re.search(self.argv, " ".join(argv)) is not None


def inject(state: State, fault: Fault) -> None:
    """Arms a fault."""
    with state.changing():
        state.write(
            "INSERT INTO fault (kind, tool, argv, skip, times, exit_code, stderr, parts) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            fault.kind.value, fault.tool or "", fault.argv, fault.skip, fault.times, fault.exit_code, fault.stderr,
            fault.parts,
        )  # fmt: skip


def clear_faults(state: State) -> None:
    """Disarms all faults."""
    with state.changing():
        state.write("DELETE FROM fault")


def faults(state: State) -> tuple[Fault, ...]:
    """The faults still armed, with what is left of their `skip` and `times`."""
    with state.reading():
        return tuple(fault for _, fault in _armed(state))


def fault_for(state: State, argv: Sequence[str]) -> Fault | None:
    """The fault that hits this call, if any; counts the call against all that match."""
    if not faults(state):
        return None
    with state.changing():
        for number, fault in _armed(state):
            if not fault.matches(argv):
                continue
            if fault.skip:
                state.write("UPDATE fault SET skip = skip - 1 WHERE id = ?", number)
                continue
            if fault.times == 1:
                state.write("DELETE FROM fault WHERE id = ?", number)
            elif fault.times is not None:
                state.write("UPDATE fault SET times = times - 1 WHERE id = ?", number)
            return fault
    return None


def _armed(state: State) -> list[tuple[int, Fault]]:
    return [
        (
            number,
            Fault(
                kind=FaultKind(kind),
                tool=tool or None,
                argv=argv,
                skip=skip,
                times=times,
                exit_code=exit_code,
                stderr=stderr,
                parts=parts,
            ),
        )
        for number, kind, tool, argv, skip, times, exit_code, stderr, parts in state.rows(
            "SELECT id, kind, tool, argv, skip, times, exit_code, stderr, parts FROM fault ORDER BY id"
        )
    ]


RUBBISH = b"\x00\xff\xfe\x1b[31m\x80garbage\x07\t\t\xc3\x28\n\x00\n"


def truncated(answer: Answer) -> Answer:
    """The same answer, its output cut off inside a line near the middle."""
    cut = len(answer.stdout) // 2
    while cut > 1 and answer.stdout[cut - 1 : cut] in {b"\n", b"\t"}:
        cut -= 1
    return Answer(answer.exit_code, answer.stdout[:cut], answer.stderr)
