"""Errors as types with a cause and a remedy, and the exit codes that they end in."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's end means to a script (docs/reference.md)."""

    CONVERGED = 0
    ERROR = 1
    PENDING = 2
    BLOCKED = 3
    STALE = 4
    FAILED = 5
    LOCKED = 6
    UNREADABLE = 7
    USAGE = 64
    INTERRUPTED = 130
    TERMINATED = 143


class ReconcilerError(Exception):
    """Something a person has to know: one sentence of cause, one of remedy, and the exit code it ends in."""

    def __init__(self, cause: str, *, remedy: str = "", exit_code: int = ExitCode.ERROR) -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.cause}\n  remedy: {self.remedy}" if self.remedy else self.cause


class InvalidValue(ReconcilerError):
    """A value that can't stand where it stands, whoever wrote it; the caller knows the place.

    `field` names the field at fault where the caller has given several (`Kind.check_spec`).
    """

    def __init__(self, cause: str, *, remedy: str = "", field: str = "") -> None:
        super().__init__(cause, remedy=remedy)
        self.field = field


class ReadError(ReconcilerError):
    """A tool's output that does not have the shape it must have.

    `line` is counted from 1 and 0 where no line is at fault (empty output); `expected` names the shape.
    """

    def __init__(self, line: int, expected: str, found: str = "") -> None:
        shown = f", found {found[:120]!r}" if found else ""
        super().__init__(f"output line {line}: expected {expected}{shown}")
        self.line = line
        self.expected = expected
