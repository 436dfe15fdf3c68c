"""Emulated tools as programs on PATH: small scripts that all act on one state file."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import reconciler
from reconciler.emulation.answer import Answer
from reconciler.emulation.errors import EmulationError
from reconciler.emulation.host import DEFAULT_LINKS, EmulatedHost

# The kernel reads this much of a script's first line, and splits it at blanks.
_LONGEST_SHEBANG = 127

# Isolated and without site: nothing but the standard library and this package is ever imported.
_FLAGS = "-IS"

_SCRIPT = """{first_line}
import sys
sys.path.insert(0, {root!r})
from reconciler.emulation.executables import main
main({state!r}, {tool!r})
"""


def write_executables(
    bin_dir: Path,
    *,
    system: str,
    state: Path,
    pools: Mapping[str, int] | None = None,
    links: Sequence[str] = DEFAULT_LINKS,
    hostname: str = "emulated",
    python: str = sys.executable,
    clock: Callable[[], float] = time.time,
    latency: Mapping[str, float] | None = None,
) -> tuple[Path, ...]:
    """Makes an executable for each tool of the emulated system in `bin_dir`, and the host's state when it is absent.

    Gives their paths by name. `python` runs them; it needs no installed packages. Raises EmulationError as
    `EmulatedHost.open` does.
    """
    state = state.absolute()
    with EmulatedHost.open(
        state, system=system, pools=pools, links=links, hostname=hostname, clock=clock, latency=latency
    ) as host:
        tools = sorted(host.system.tools)
    bin_dir.mkdir(parents=True, exist_ok=True)
    return tuple(_write_one(bin_dir / tool, tool, state, python) for tool in tools)


def _write_one(path: Path, tool: str, state: Path, python: str) -> Path:
    root = str(Path(reconciler.__file__).absolute().parents[1])
    text = _SCRIPT.format(first_line=_first_line(python), root=root, state=str(state), tool=tool)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.chmod(0o755)
    draft.replace(path)
    return path


def _first_line(python: str) -> str:
    plain = f"#!{python} {_FLAGS}"
    if len(plain) <= _LONGEST_SHEBANG and " " not in python:
        return plain
    # A shell reads the second line as a command, Python as a string.
    quoted = python.replace("'", "'\"'\"'")
    return f"#!/bin/sh\n'''exec' '{quoted}' {_FLAGS} \"$0\" \"$@\"\n' '''"


def main(state: str, tool: str) -> NoReturn:
    """Runs a tool with this process's arguments and ends the process as the tool ends."""
    arguments = sys.argv[1:]
    try:
        with EmulatedHost.open(Path(state), open_file=lambda path: Path(path).open("rb")) as host:
            argv = [tool, *arguments]
            answer = host.run(argv, sys.stdin.buffer.read() if host.reads_stdin(argv) else None)
    except EmulationError as error:
        sys.stderr.write(f"{tool}: {error}\n")
        sys.exit(70)
    _end(answer)


def _end(answer: Answer) -> NoReturn:
    while answer.hangs:
        signal.pause()
    time.sleep(answer.seconds)
    sys.stdout.buffer.write(answer.stdout)
    sys.stdout.buffer.flush()
    sys.stderr.buffer.write(answer.stderr)
    sys.stderr.buffer.flush()
    if answer.exit_code < 0:
        if -answer.exit_code != signal.SIGKILL:
            signal.signal(-answer.exit_code, signal.SIG_DFL)
        os.kill(os.getpid(), -answer.exit_code)
    sys.exit(answer.exit_code)
