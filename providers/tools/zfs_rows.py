"""Reading `zfs get -Hp -o name,property,value,source`: strict about shape, patient with user text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from providers.tools.zfs_properties import is_free_text, is_user_property
from reconciler.model.errors import ReadError
from reconciler.provider.readers import whole_lines

SET_HERE = frozenset({"local", "received"})
_SOURCES = frozenset({"local", "default", "received", "temporary", "-"})
_INHERITED = "inherited from "


@dataclass(frozen=True, slots=True)
class Rows:
    """One dataset or snapshot: by property the value as printed, and where it comes from."""

    name: str
    values: Mapping[str, str]
    sources: Mapping[str, str]


def in_reading_order(properties: Iterable[str]) -> tuple[str, ...]:
    """Property names in the order to ask for them, `type` last.

    Its row is always one line. With it at the end of each dataset, nothing that somebody wrote into a user property can end
    one dataset and begin another.
    """
    return (*sorted(set(properties) - {"type"}), "type")


def read_rows(text: str, properties: Sequence[str]) -> Iterator[Rows]:
    """One Rows per dataset, in the order printed; ReadError unless each has exactly `properties`, which are in reading order.

    `tank/a<TAB>quota<TAB>1073741824<TAB>local`. ZFS prints free text raw: a TAB or newline in it breaks its line
    (linux-host.md 1, "Reading"). Such lines are joined again; what can't be joined is an error, and so is a name that comes
    twice.
    """
    seen: set[str] = set()
    for rows in _straight(text, properties) or _mended(text, properties):
        if rows.name in seen:
            raise ReadError(0, "every dataset once", rows.name)
        seen.add(rows.name)
        yield rows


def _straight(text: str, properties: Sequence[str]) -> Sequence[Rows]:
    """The datasets when no line of all is broken; nothing otherwise. Quick, because a pass looks at every dataset."""
    width, cells = len(properties), text.removesuffix("\n").replace("\n", "\t").split("\t")
    names, printed, values, sources = (cells[column::4] for column in range(4))
    count = len(names) // width
    if (
        len(cells) != 4 * width * count
        or text.count("\n") != width * count
        or printed != [*properties] * count
        or names != [name for name in names[::width] for _ in range(width)]
        or not all(names)
        or not all(map(_is_source, set(sources)))
    ):
        return ()
    return [
        Rows(
            names[begin],
            dict(zip(properties, values[begin : begin + width], strict=True)),
            dict(zip(properties, sources[begin : begin + width], strict=True)),
        )
        for begin in range(0, width * count, width)
    ]


def _mended(text: str, properties: Sequence[str]) -> Iterator[Rows]:
    """The datasets with broken lines joined; ReadError when that can't be done."""
    lines, position = whole_lines(text), 0
    while position < len(lines):
        name = lines[position].partition("\t")[0]
        values: dict[str, str] = {}
        sources: dict[str, str] = {}
        for wanted, following in zip_longest(properties, properties[1:]):
            begins = f"{name}\t{wanted}\t"
            if position >= len(lines) or not name or not lines[position].startswith(begins):
                found = lines[position] if position < len(lines) else ""
                raise ReadError(position + 1, f"property {wanted} of {name or 'a dataset'}", found)
            first, position = position, position + 1
            if is_free_text(wanted):
                while position < len(lines) and not lines[position].startswith(f"{name}\t{following}\t"):
                    position += 1
            value, tab, source = "\n".join(lines[first:position])[len(begins) :].rpartition("\t")
            if not tab or not _is_source(source) or ("\t" in value and not is_free_text(wanted)):
                raise ReadError(first + 1, "name, property, value and source", lines[first])
            values[wanted], sources[wanted] = value, source
        yield Rows(name, values, sources)


def _is_source(text: str) -> bool:
    return text in _SOURCES or (text.startswith(_INHERITED) and "\n" not in text)


def read_user_properties(text: str) -> Mapping[str, Mapping[str, str]]:
    """User properties by dataset from `zfs get all`. Values that hold a TAB or newline are left out: nobody can write them.

    ReadError for a line that neither is a row nor can belong to the free text above it.
    """
    found: dict[str, dict[str, str]] = {}
    broken = 0
    lines = whole_lines(text)
    for number, line in enumerate(lines, start=1):
        parts = line.split("\t")
        begins = len(parts) > 2 and parts[0] != "" and is_free_text(parts[1])
        if len(parts) == 4 and parts[0] and _is_source(parts[3]):
            _check_end(lines, broken, number - 1)
            broken = 0
            if is_user_property(parts[1]):
                found.setdefault(parts[0], {})[parts[1]] = parts[2]
        elif begins:
            _check_end(lines, broken, number - 1)
            broken = number
        elif not broken:
            raise ReadError(number, "name, property, value and source", line)
    _check_end(lines, broken, len(lines))
    return found


def _check_end(lines: list[str], broken: int, last: int) -> None:
    """ReadError unless the free text that began in line `broken` (0 for none) ends with a source in line `last`."""
    if broken and not _is_source(lines[last - 1].rpartition("\t")[2]):
        raise ReadError(last, "a user property's source at the end of its value", lines[last - 1])
