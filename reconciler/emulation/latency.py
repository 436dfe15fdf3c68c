"""How long commands take on a host: a table in its state, seconds by tool or by tool and subcommand."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from reconciler.emulation.errors import EmulationError
from reconciler.emulation.state import State

_FACT = "latency"


def set_latency(state: State, table: Mapping[str, float]) -> None:
    """Replaces the table; keys are `vmadm` or `vmadm create`. Raises EmulationError for what is no time to wait."""
    for name, seconds in table.items():
        if not math.isfinite(seconds) or seconds < 0:
            raise EmulationError(f"latency of {name!r}: {seconds} is no number of seconds; remedy: use 0 or more")
        if len(name.split()) not in {1, 2}:
            raise EmulationError(f"latency of {name!r}: no command; remedy: name a tool, or a tool and its subcommand")
    state.set_fact(_FACT, json.dumps({" ".join(name.split()): float(seconds) for name, seconds in table.items()}))


def latency(state: State) -> Mapping[str, float]:
    """The table; empty on a host that answers at once."""
    found = state.row("SELECT value FROM fact WHERE name = ?", _FACT)
    table: dict[str, float] = json.loads(found[0]) if found else {}
    return table


def seconds_of(state: State, argv: Sequence[str]) -> float:
    """How long a command takes. A subcommand is the first argument that is no option."""
    table = latency(state)
    if not table:
        return 0.0
    tool = PurePosixPath(argv[0]).name
    subcommand = next((word for word in argv[1:] if not word.startswith("-")), "")
    return table.get(f"{tool} {subcommand}", table.get(tool, 0.0))
