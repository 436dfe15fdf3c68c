"""The text of a container's config file: read, edited and written again, with every line that is not ours kept as it is.

What LXC has no key for stands in comments of ours, `# reconciler.NAME = TEXT`. They are entries like all others here, under
the key `reconciler.NAME`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

OURS = "reconciler."
"""What the keys of our comments begin with."""

_COMMENT = re.compile(r"#\s*(reconciler\.[A-Za-z0-9._-]+) = (.*)")
_ENTRY = re.compile(r"\s*(lxc\.[A-Za-z0-9._-]+)\s*=\s*(.*?)\s*")
_PLACED = re.compile(r"lxc\.net\.([0-9]+)\.(.+)")


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `key` is empty for what is no entry."""

    key: str
    value: str
    raw: str


@dataclass(frozen=True, slots=True)
class Config:
    """A config file. Immutable: each edit gives another."""

    lines: tuple[Line, ...] = ()

    def get(self, key: str) -> str | None:
        """The value that counts: the last one. An empty value clears what stands before it, as in LXC."""
        return next((line.value for line in reversed(self.lines) if line.key == key), None) or None

    def all(self, key: str) -> tuple[str, ...]:
        """All values of a key that may come several times, since it was last cleared."""
        found: list[str] = []
        for line in self.lines:
            if line.key == key:
                found = [*found, line.value] if line.value else []
        return tuple(found)

    def nets(self) -> Mapping[int, Mapping[str, str]]:
        """The network devices by number, each by the rest of its keys (`type`, `ipv4.address`); several with blanks."""
        found: dict[int, dict[str, str]] = {}
        for line in self.lines:
            if (match := _PLACED.fullmatch(line.key)) is not None:
                net = found.setdefault(int(match[1]), {})
                net[match[2]] = f"{net[match[2]]} {line.value}" if match[2] in net else line.value
        return found

    def with_entry(self, key: str, value: str | None) -> "Config":
        """With one entry of the key, where it stood first, or at the end; None takes it out."""
        return self.with_entries(key, () if value is None else (value,))

    def with_entries(self, key: str, values: Iterable[str]) -> "Config":
        """With just these entries of the key. Lines that say so already stay as somebody wrote them."""
        wanted = tuple(values)
        if tuple(line.value for line in self.lines if line.key == key) == wanted:
            return self
        made = tuple(entry(key, value) for value in wanted)
        place = next((place for place, line in enumerate(self.lines) if line.key == key), len(self.lines))
        before = self.lines[:place]
        return Config((*before, *made, *(line for line in self.lines[place:] if line.key != key)))

    def with_net(self, number: int, entries: Iterable[tuple[str, str]]) -> "Config":
        """With just these entries of one network device, by the rest of their keys; none takes it out."""
        head = f"lxc.net.{number}."
        kept = tuple(line for line in self.lines if not line.key.startswith(head))
        return Config((*kept, *(entry(f"{head}{rest}", value) for rest, value in entries)))

    def without(self, *heads: str) -> "Config":
        """Without the entries whose keys begin with one of these."""
        return Config(tuple(line for line in self.lines if not (line.key and line.key.startswith(heads))))

    def __str__(self) -> str:
        return "".join(f"{line.raw}\n" for line in self.lines)


def entry(key: str, value: str) -> Line:
    """A line of ours. A value never holds a newline."""
    assert "\n" not in value, key
    return Line(key, value, f"# {key} = {value}" if key.startswith(OURS) else f"{key} = {value}")


def read_config(lines: Iterable[str]) -> Config:
    """The lines of a file, as they stand there."""
    return Config(tuple(_read(lines)))


def _read(lines: Iterable[str]) -> Iterator[Line]:
    for raw in lines:
        match = _COMMENT.fullmatch(raw) or _ENTRY.fullmatch(raw)
        if match is None:
            yield Line("", "", raw)
        else:
            value = match[2]
            unquoted = value[1:-1] if match.re is _ENTRY and len(value) > 1 and value[0] == value[-1] == '"' else value
            yield Line(match[1], unquoted, raw)
