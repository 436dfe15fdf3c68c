"""Commands as people read them in a plan: a script is named where it runs and can be shown once, an input that is much like an
earlier one only tells what is its own."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from reconciler.model.command import Command

LONGEST_INPUT = 2000
"""Characters of one line of a command's input that are shown."""

_FEWEST_ALIKE = 6
"""Lines in common with an earlier input from which on they are not shown again."""

_NAME = re.compile(r"[a-z][a-z0-9-]*")


class _Input(NamedTuple):
    lines: list[str]
    shown_for: str


@dataclass
class CommandText:
    """What was shown so far of one plan, and how each further command is shown."""

    _scripts: dict[str, str] = field(default_factory=dict)
    """Names by script."""
    _inputs: list[_Input] = field(default_factory=list)
    """Inputs that were shown whole."""

    def line(self, command: Command) -> str:
        """The command on one line."""
        if (name := self._script(command)) is None:
            return str(command)
        return f"sh -c <{name}> {shlex.join(command.argv[4:])}".rstrip()

    def _script(self, command: Command) -> str | None:
        """What a script of several lines is called; None for any other command. `$0` of a script of ours says what it does."""
        argv = command.argv
        if len(argv) < 4 or argv[:2] != ("sh", "-c") or "\n" not in argv[2] or not _NAME.fullmatch(argv[3]):
            return None
        if (known := self._scripts.get(argv[2])) is not None:
            return known
        taken = sum(name.partition(" ")[0] == argv[3] for name in self._scripts.values())
        return self._scripts.setdefault(argv[2], f"{argv[3]} {taken + 1}" if taken else argv[3])

    def input_lines(self, text: str, shown_for: str) -> Iterator[str]:
        """An input line by line; what its beginning and end have in common with one shown before is told in one line each."""
        lines = text.splitlines()
        earlier = max(self._inputs, key=lambda one: sum(_alike(lines, one.lines)), default=None)
        head, tail = _alike(lines, earlier.lines) if earlier is not None else (0, 0)
        if earlier is None or not head + tail:
            head, tail = 0, 0
            self._inputs.append(_Input(lines, shown_for))
        if head and earlier is not None:
            yield f"(the first {head} lines as for {earlier.shown_for})"
        yield from map(_shortened, lines[head : len(lines) - tail])
        if tail and earlier is not None:
            yield f"(the last {tail} lines as for {earlier.shown_for})"

    @property
    def scripts(self) -> tuple[str, ...]:
        """The names of all scripts that were shown by name."""
        return tuple(self._scripts.values())

    def script_lines(self) -> Iterator[str]:
        """All scripts that were named, each once."""
        for script, name in self._scripts.items():
            yield f"<{name}> is"
            for line in script.splitlines():
                yield f"    {line}"


def _alike(lines: list[str], other: list[str]) -> tuple[int, int]:
    """How many lines two inputs have in common at their beginning and at their end, where that is worth telling."""
    head = _common(lines, other)
    tail = _common(lines[head:][::-1], other[head:][::-1])
    return head if head >= _FEWEST_ALIKE else 0, tail if tail >= _FEWEST_ALIKE else 0


def _common(lines: list[str], other: list[str]) -> int:
    least = min(len(lines), len(other))
    return next((at for at in range(least) if lines[at] != other[at]), least)


def _shortened(line: str) -> str:
    """A line of input, unless nobody would read it to its end."""
    if len(line) <= LONGEST_INPUT:
        return line
    return f"{line[:LONGEST_INPUT]}... ({len(line)} characters; all of it with --output json)"
