"""Strict readers of tool output: a shape that is not the expected one is an error, never fewer objects."""

import json
from collections.abc import Iterator

from reconciler.model.errors import ReadError


def whole_lines(text: str) -> list[str]:
    """The lines of an output that must end in a newline; ReadError when it was cut short."""
    if not text:
        return []
    if not text.endswith("\n"):
        last = text.rsplit("\n", 1)[-1]
        raise ReadError(text.count("\n") + 1, "a line that ends in a newline (output cut short)", last)
    return text[:-1].split("\n")


def rows(text: str, columns: tuple[str, ...], *, separator: str = "\t") -> Iterator[tuple[str, ...]]:
    """One tuple per line, each with exactly these columns; ReadError otherwise. `columns` names them for the message."""
    width = len(columns)
    for number, line in enumerate(whole_lines(text), start=1):
        cells = tuple(line.split(separator))
        if len(cells) != width:
            raise ReadError(number, f"{width} columns ({', '.join(columns)})", line)
        yield cells


def number(text: str, line: int, name: str) -> int:
    """A whole number in a column; ReadError otherwise."""
    if not (text.isascii() and text.isdigit()):
        raise ReadError(line, f"a number for {name}", text)
    return int(text)


def one_of(text: str, allowed: frozenset[str], line: int, name: str) -> str:
    """A word of a closed set in a column; ReadError otherwise."""
    if text not in allowed:
        raise ReadError(line, f"{name} to be one of {', '.join(sorted(allowed))}", text)
    return text


def whole_json(text: str) -> object:
    """The value of a JSON document; ReadError with the line at fault for anything else."""
    try:
        found: object = json.loads(text)
    except json.JSONDecodeError as broken:
        lines = text.splitlines()
        line = lines[broken.lineno - 1] if broken.lineno <= len(lines) else ""
        raise ReadError(broken.lineno, f"JSON ({broken.msg})", line) from None
    except (ValueError, RecursionError):
        raise ReadError(1, "JSON that can be read", text) from None
    return found
