"""Command lines taken apart as getopt(3) does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.emulation.zfs.errors import Misused


@dataclass(frozen=True, slots=True)
class Options:
    """The options in the order given, and what is left."""

    given: tuple[tuple[str, str], ...]
    operands: tuple[str, ...]

    def has(self, letter: str) -> bool:
        """Whether the option was given."""
        return any(one == letter for one, _ in self.given)

    def all_of(self, letter: str) -> tuple[str, ...]:
        """The arguments of an option that may be repeated."""
        return tuple(argument for one, argument in self.given if one == letter)

    def last(self, letter: str) -> str | None:
        """The argument of an option, the last one when it was repeated."""
        found = self.all_of(letter)
        return found[-1] if found else None


def options(
    arguments: Sequence[str], letters: str, *, anywhere: bool, missing: str = "missing argument for '{}' option"
) -> Options:
    """The options among the arguments; a colon after a letter says that it takes an argument.

    With `anywhere` options may follow operands. Raises Misused for an unknown option or a missing argument.
    """
    given: list[tuple[str, str]] = []
    operands: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            operands += rest
            break
        if not word.startswith("-") or word == "-":
            operands.append(word)
            if not anywhere:
                operands += rest
                break
            continue
        cluster = word[1:]
        while cluster:
            letter, cluster = cluster[0], cluster[1:]
            place = letters.find(letter)
            if place < 0 or letter == ":":
                raise Misused(f"invalid option '{letter}'")
            if letters[place + 1 : place + 2] != ":":
                given.append((letter, ""))
                continue
            if not cluster and not rest:
                raise Misused(missing.format(letter))
            given.append((letter, cluster or rest.pop(0)))
            cluster = ""
    return Options(tuple(given), tuple(operands))


def assignment(text: str) -> tuple[str, str] | None:
    """The two sides of `name=value`; None without the sign."""
    name, sign, value = text.partition("=")
    return (name, value) if sign else None
