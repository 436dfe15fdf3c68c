"""The output engine that dladm and ipadm share: chosen fields, for people or for programs (illumos-cli.md 0)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.emulation.links.errors import Died
from reconciler.emulation.session import Session

Row = Mapping[str, str | None]
"""Value by field name; empty for none, None for one that could not be fetched."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a subcommand's output."""

    name: str
    width: int


@dataclass(frozen=True, slots=True)
class Table:
    """The fields of a subcommand, in the order in which people see them."""

    fields: tuple[Field, ...]
    names_option: bool = False
    """Whether complaints about parsable output name the option: `-p requires -o`."""
    default: tuple[str, ...] = ()
    """The fields shown unless others are asked for; empty: all."""


def table(text: str, *, names_option: bool = False, default: str = "") -> Table:
    """A table from `NAME:WIDTH` words."""
    fields = tuple(Field(name, int(width)) for name, _, width in (word.partition(":") for word in text.split()))
    return Table(fields, names_option, tuple(default.split()))


class Output:
    """What one call prints: the fields that it chose, and whether people or programs read it."""

    def __init__(self, session: Session, program: str, shape: Table, *, columns: str | None, parsable: bool) -> None:
        """`columns` names the fields (`a,b`; None for the usual ones); raises Died for a wrong choice."""
        self._session = session
        self._fields = _chosen(session, program, shape, columns, parsable=parsable)
        self._parsable = parsable

    def show(self, rows: Iterable[Row]) -> None:
        """Prints the rows; for people below a header, unless there are none."""
        if self._parsable:
            for row in rows:
                values = [_fetched(row[field.name]) for field in self._fields]
                self._session.line(values[0] if len(values) == 1 else ":".join(_escaped(value) for value in values))
            return
        lines = [[_fetched(row[field.name]) or "--" for field in self._fields] for row in rows]
        if lines:
            titles = [field.name for field in self._fields]
            self._session.out.extend(_padded(line, self._fields) for line in (titles, *lines))


def _chosen(session: Session, program: str, shape: Table, columns: str | None, *, parsable: bool) -> Sequence[Field]:
    if parsable and not columns:
        raise Died("-p requires -o" if shape.names_option else "output fields must be specified in parsable mode")
    if columns is None or columns.lower() == "all":
        if parsable:
            raise Died('"-o all" is invalid with -p' if shape.names_option else "output field `all' invalid in parsable mode")
        return [field for field in shape.fields if columns or not shape.default or field.name in shape.default]
    known = {field.name: field for field in shape.fields}
    names = columns.split(",")
    unknown = [name for name in names if name.upper() not in known]
    if unknown:
        complaint = f"unknown output field{'s' if len(unknown) > 1 else ''}: " + " ".join(f"`{name}'" for name in unknown)
        if parsable:
            raise Died(complaint)
        if len(unknown) == len(names):
            raise Died("no valid output fields")
        session.complain(f"{program}: warning: ignoring {complaint}")
    return [known[name.upper()] for name in names if name.upper() in known]


def _fetched(value: str | None) -> str:
    return "?" if value is None else value


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(":", "\\:")


def _padded(values: Sequence[str], fields: Sequence[Field]) -> str:
    text = ""
    end = 0
    for value, field in zip(values, fields, strict=True):
        # A value that is too wide takes from the room of those after it.
        end += field.width
        text += value + " "
        text = text.ljust(end)
    return text.rstrip(" ") + "\n"
