"""Commands for a host and what came back."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

PROBE_DEADLINE_S = 60.0
CHANGE_DEADLINE_S = 120.0


@dataclass(frozen=True, slots=True)
class Command:
    """An argument list with a bare tool name first; run with `LC_ALL=C TZ=UTC`, and stdin null unless given.

    `changes` is false for commands that only look or check.
    """

    argv: tuple[str, ...]
    stdin: str | None = None
    changes: bool = True
    deadline_s: float = CHANGE_DEADLINE_S

    def __str__(self) -> str:
        return shlex.join(self.argv)


class Ending(StrEnum):
    """How a command ended: by itself, or without an answer that can be trusted."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    DEADLINE = "deadline"
    LOST = "lost"
    TOO_MUCH = "tooMuch"
    NOT_FOUND = "notFound"


@dataclass(frozen=True, slots=True)
class Completed:
    """A command's end. `exit_code` is None unless it exited by itself; what it did is then unknown."""

    command: Command
    ending: Ending
    exit_code: int | None
    stdout: str = ""
    stderr: str = ""
    duration_s: float = 0.0

    @property
    def succeeded(self) -> bool:
        return self.ending is Ending.EXITED and self.exit_code == 0


@dataclass(frozen=True, slots=True)
class Probe:
    """A command that only looks, under the name by which its provider finds the answer again."""

    name: str
    command: Command


def probe(name: str, *argv: str, deadline_s: float = PROBE_DEADLINE_S) -> Probe:
    """A probe of that argument list."""
    return Probe(name, Command(argv, changes=False, deadline_s=deadline_s))


class RetryClass(StrEnum):
    """What may help after a failure."""

    NOW = "now"
    """Transient: the same command again, after a pause."""
    LATER = "later"
    """The host must change first: try in a later pass."""
    LOOK_AGAIN = "lookAgain"
    """The world moved, or we don't know what happened: observe and plan anew."""
    NEVER = "never"
    """Needs a person or a commit."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a command failed, in one sentence, what a person can do, and whether trying again may help."""

    cause: str
    remedy: str
    retry: RetryClass


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a change.

    `progress` is a look at how far a long one is while it runs: it prints one line for people, or nothing. Steps that share a
    `lane` run one at a time per host (a tool that can't stand company). `destructive` steps take data away for good; they, and
    those that `look_first`, run only after one more look at the object.
    """

    command: Command
    lane: str | None = None
    destructive: bool = False
    look_first: bool = False
    progress: Command | None = None


Outputs = Mapping[str, Completed]
"""Answers by probe name."""
