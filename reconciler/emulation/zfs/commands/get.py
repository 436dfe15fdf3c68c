"""`zfs get`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconciler.emulation.session import Session
from reconciler.emulation.zfs.computed import Known
from reconciler.emulation.zfs.dialect import DIALECTS
from reconciler.emulation.zfs.errors import Misused
from reconciler.emulation.zfs.options import options
from reconciler.emulation.zfs.properties import Native, is_user_property, native_named
from reconciler.emulation.zfs.reading import KINDS, UNSET, Cell, Column, Reader
from reconciler.emulation.zfs.selecting import integer, kinds_option, reach_option, selected
from reconciler.emulation.zfs.table import aligned

_FIELDS = ("name", "property", "value", "received", "source")
_DEFAULT_FIELDS = ("name", "property", "value", "source")
_SOURCES = frozenset({"local", "default", "inherited", "received", "temporary", "none"})


@dataclass(frozen=True, slots=True)
class Query:
    """Which properties are wanted: native ones, or user properties by name. None is all there are."""

    properties: tuple[Native | str, ...] | None


def get(session: Session, arguments: Sequence[str]) -> int:
    """`zfs get [-rHp] [-d N] [-t types] [-o fields] [-s sources] all|p,… [NAME…]`."""
    dialect = DIALECTS[session.system.zfs_dialect]
    given = options(arguments, "d:o:s:rHp" + ("t:" if dialect.get_types else ""), anywhere=dialect.options_anywhere)
    fields: tuple[str, ...] = _DEFAULT_FIELDS
    sources, kinds = _SOURCES, KINDS
    # What is wrong with an option is said in the order of the options.
    for letter, text in given.given:
        if letter == "d":
            integer(text)
        elif letter == "o":
            fields = _fields(text)
        elif letter == "s":
            sources = _sources(text)
        elif letter == "t":
            kinds = kinds_option(text)
    if not given.operands:
        raise Misused("missing property argument")
    query = _query(session, given.operands[0])
    names = given.operands[1:]
    chosen, failed = selected(
        session, names, kinds=kinds, named_kinds=kinds, reach=reach_option(given), paths=dialect.get_takes_paths
    )
    reader = Reader(session.state, dialect, chosen, exact=given.has("p"))
    rows = _rows(reader, query, fields, sources)
    if given.has("H"):
        session.out.extend("\t".join(row) + "\n" for row in rows)
    else:
        titles = [field.upper() for field in fields]
        session.out.extend(aligned([titles, *(list(row) for row in rows)]) if chosen else [])
    return int(failed)


def _fields(text: str) -> tuple[str, ...]:
    fields: list[str] = []
    for one in text.split(","):
        if one == "all":
            fields += _FIELDS
        elif one in _FIELDS:
            fields.append(one)
        else:
            raise Misused(f"invalid column name '{one}'")
    return tuple(fields)


def _sources(text: str) -> frozenset[str]:
    wanted = text.split(",")
    for one in wanted:
        if one not in _SOURCES:
            raise Misused(f"invalid source '{one}'")
    return frozenset(wanted)


def _query(session: Session, text: str) -> Query:
    if text == "all":
        return Query(None)
    return Query(properties_named(session, text))


def properties_named(session: Session, text: str) -> tuple[Native | str, ...]:
    """The properties of a comma separated list; raises Misused for what is none."""
    if not text:
        raise Misused("bad property list: no properties specified")
    found: list[Native | str] = []
    for name in text.split(","):
        native = native_named(DIALECTS[session.system.zfs_dialect], name)
        if native is not None:
            found.append(native)
        elif is_user_property(name):
            found.append(name)
        else:
            raise Misused(f"bad property list: invalid property '{name}'")
    return tuple(found)


def _rows(reader: Reader, query: Query, fields: Sequence[str], sources: frozenset[str]) -> Iterator[tuple[str, ...]]:
    shown = {kind: [(one.name, reader.column(one)) for one in reader.shown_natives(kind)] for kind in KINDS}
    every_source = sources == _SOURCES
    picked = [_FIELDS.index(field) for field in fields]
    for known in reader.known():
        name = known.dataset.name
        for property_name, cell in _cells(reader, query, known, shown[known.dataset.kind]):
            if every_source or _source_word(cell.source) in sources:
                row = (name, property_name, cell.value, cell.received, cell.source)
                yield tuple([row[place] for place in picked])


def _cells(reader: Reader, query: Query, known: Known, shown: Sequence[tuple[str, Column]]) -> Iterator[tuple[str, Cell]]:
    if query.properties is None:
        for name, column in shown:
            cell = column(known)
            if cell is not None:
                yield name, cell
        for name in reader.user_properties(known):
            yield name, reader.user_cell(known, name)
        return
    for wanted in query.properties:
        if isinstance(wanted, str):
            yield wanted, reader.user_cell(known, wanted)
        else:
            yield wanted.name, reader.native_cell(known, wanted) or Cell(UNSET, UNSET)


def _source_word(source: str) -> str:
    if source == UNSET:
        return "none"
    return "inherited" if source.startswith("inherited") else source
