"""Results on stdout: painted on a terminal, plain otherwise; JSON as one document."""

import json
from collections.abc import Iterable
from typing import Any, TextIO

import click

from reconciler.planning.render_text import Line, Style

_PAINT: dict[Style, dict[str, Any]] = {
    Style.PLAIN: {},
    Style.HEADING: {"bold": True},
    Style.ADDS: {"fg": "green"},
    Style.CHANGES: {"fg": "yellow"},
    Style.DESTROYS: {"fg": "red", "bold": True},
    Style.BLOCKED: {"fg": "magenta"},
    Style.QUIET: {"dim": True},
}


def print_lines(lines: Iterable[Line], *, err: bool = False) -> None:
    """Writes lines; colour only on a terminal."""
    # At once: click flushes each time, and a plan may have thousands of lines.
    if text := "\n".join(_painted(line) for line in lines):
        click.echo(text, err=err)


def _painted(line: Line) -> str:
    # What a manifest or a host said may hold bytes that are no text; they are shown escaped.
    text = line.text.encode("utf-8", "backslashreplace").decode()
    return click.style(text, **_PAINT[line.style]) if _PAINT[line.style] else text


def print_json(document: dict[str, Any]) -> None:
    """Writes one document, ended by a newline."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=True))


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody sits there; Python has no stream where the descriptor was closed before it started."""
    return stream is not None and stream.isatty()
