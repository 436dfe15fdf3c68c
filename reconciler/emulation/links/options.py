"""Command lines taken apart as getopt_long(3C) does, options anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reconciler.emulation.links.errors import Died
from reconciler.emulation.zfs.options import Options

_NO_NAMES: Mapping[str, str] = {}


def options(arguments: Sequence[str], letters: str, usage: str, *, long_names: Mapping[str, str] = _NO_NAMES) -> Options:
    """The options among the arguments; a colon after a letter says that it takes an argument.

    `long_names` says which letter `--name` stands for. Raises Died with the `usage` of the subcommand for an unknown
    option or a missing argument.
    """
    given: list[tuple[str, str]] = []
    operands: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "--":
            operands += rest
            break
        if word.startswith("--"):
            name, sign, value = word[2:].partition("=")
            letter = long_names.get(name, "")
            if not letter or letter not in letters:
                raise Died(f"unrecognized option '{word}'\nusage: {usage}")
            takes_argument = _takes_argument(letters, letter)
            if takes_argument and not sign and not rest:
                raise Died(f"option '{word}' requires a value\nusage: {usage}")
            given.append((letter, value if sign else rest.pop(0) if takes_argument else ""))
        elif word.startswith("-") and word != "-":
            cluster = word[1:]
            while cluster:
                letter, cluster = cluster[0], cluster[1:]
                if letter == ":" or letter not in letters:
                    raise Died(f"unrecognized option '-{letter}'\nusage: {usage}")
                if not _takes_argument(letters, letter):
                    given.append((letter, ""))
                    continue
                if not cluster and not rest:
                    raise Died(f"option '-{letter}' requires a value\nusage: {usage}")
                given.append((letter, cluster or rest.pop(0)))
                cluster = ""
        else:
            operands.append(word)
    return Options(tuple(given), tuple(operands))


def _takes_argument(letters: str, letter: str) -> bool:
    place = letters.index(letter)
    return letters[place + 1 : place + 2] == ":"
