"""What a caller sees of one command, and what the host remembers of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What an emulated command gave back.

    A negative `exit_code` is the signal that ended the command, as in `subprocess`. With `hangs` the command never
    ends: the other fields are empty and the caller decides how long to wait.
    """

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""
    hangs: bool = False
    seconds: float = 0.0
    """How long the caller has to wait for it by the host's latency. What was done is there for all others meanwhile."""


@dataclass(frozen=True, slots=True)
class Call:
    """One command that a caller ran, in the order of the transcript."""

    argv: tuple[str, ...]
    stdin: bytes | None
    exit_code: int
    changed: bool
    """Whether any state of the host was written, whatever the exit code says."""
    hangs: bool
    at: float
    """When it was answered, in seconds since the epoch by the host's clock."""
