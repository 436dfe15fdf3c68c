"""Command lines taken apart as the node programs of SmartOS do (imgadm, fwadm), after the library that they use."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field


class BadOption(Exception):
    """An option that the subcommand has not got, or one without its argument; the text names it."""


@dataclass(frozen=True, slots=True)
class Given:
    """The options by the name that the table gives them, and what is left."""

    flags: frozenset[str]
    values: Mapping[str, Sequence[str]]
    operands: Sequence[str]

    def last(self, name: str) -> str | None:
        """The argument of an option, the last one when it was repeated."""
        return self.values[name][-1] if name in self.values else None


@dataclass(frozen=True, slots=True)
class Table:
    """The options of a subcommand: spelling (`-q`, `--quiet`) to the name that stands for it."""

    flags: Mapping[str, str] = field(default_factory=dict)
    valued: Mapping[str, str] = field(default_factory=dict)

    def read(self, arguments: Sequence[str]) -> Given:
        """Options and operands in any order; raises BadOption."""
        flags: set[str] = set()
        values: dict[str, list[str]] = {}
        operands: list[str] = []
        rest = list(arguments)
        while rest:
            word = rest.pop(0)
            if word == "--":
                operands += rest
                break
            if word == "-" or not word.startswith("-"):
                operands.append(word)
            elif word.startswith("--"):
                name, equals, value = word.partition("=")
                self._take(name, [value] if equals else rest, flags, values)
            else:
                self._take_cluster(word[1:], rest, flags, values)
        return Given(frozenset(flags), values, operands)

    def _take(self, spelling: str, rest: list[str], flags: set[str], values: dict[str, list[str]]) -> None:
        if spelling in self.flags:
            flags.add(self.flags[spelling])
            return
        if spelling not in self.valued:
            raise BadOption(f'unknown option: "{spelling}"')
        if not rest:
            raise BadOption(f'do not have enough args for "{spelling}" option')
        values.setdefault(self.valued[spelling], []).append(rest.pop(0))

    def _take_cluster(self, cluster: str, rest: list[str], flags: set[str], values: dict[str, list[str]]) -> None:
        while cluster:
            letter, cluster = f"-{cluster[0]}", cluster[1:]
            if letter in self.valued and cluster:
                values.setdefault(self.valued[letter], []).append(cluster)
                return
            self._take(letter, rest, flags, values)


def table(flags: Collection[str] = (), valued: Collection[str] = ()) -> Table:
    """A table from texts such as `-q --quiet`: all spellings of one option, whose name is the last without dashes."""
    return Table(_spellings(flags), _spellings(valued))


def _spellings(texts: Collection[str]) -> Mapping[str, str]:
    return {spelling: text.split()[-1].lstrip("-") for text in texts for spelling in text.split()}
