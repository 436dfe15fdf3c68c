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


def print_rows(
    session: Session, program: str, shape: Table, rows: Iterable[Row], *, columns: str | None, parsable: bool
) -> None:
    """Prints the fields named by `columns` (`a,b`; None for the usual ones); raises Died for a wrong choice."""
    chosen = _chosen(session, program, shape, columns, parsable=parsable)
    if parsable:
        for row in rows:
            values = [_fetched(row[field.name]) for field in chosen]
            session.line(values[0] if len(values) == 1 else ":".join(_escaped(value) for value in values))
        return
    lines = [[field.name for field in chosen]]
    lines += [[_fetched(row[field.name]) or "--" for field in chosen] for row in rows]
    if len(lines) > 1:
        session.out.extend(_padded(line, chosen) for line in lines)


def check_columns(session: Session, program: str, shape: Table, columns: str | None, *, parsable: bool) -> None:
    """Raises Died for a wrong choice of fields, as `print_rows` does."""
    _chosen(Session(session.state, session.system, session.now), program, shape, columns, parsable=parsable)


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
