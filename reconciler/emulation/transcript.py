"""What a host remembers of the commands that callers ran."""

from __future__ import annotations

import json

from reconciler.emulation.answer import Call
from reconciler.emulation.state import State

KEPT_CALLS = 10_000


def remember(state: State, call: Call) -> None:
    """Adds a call and forgets the oldest beyond KEPT_CALLS."""
    with state.changing():
        number = state.write(
            "INSERT INTO call (argv, stdin, exit_code, changed, hangs, at) VALUES (?, ?, ?, ?, ?, ?)",
            json.dumps(call.argv), call.stdin, call.exit_code, call.changed, call.hangs, call.at,
        )  # fmt: skip
        state.write("DELETE FROM call WHERE id <= ?", number - KEPT_CALLS)


def transcript(state: State) -> tuple[Call, ...]:
    """All calls that are remembered, oldest first."""
    with state.reading():
        return tuple(
            Call(
                argv=tuple(json.loads(argv)),
                stdin=stdin,
                exit_code=exit_code,
                changed=bool(changed),
                hangs=bool(hangs),
                at=at,
            )
            for argv, stdin, exit_code, changed, hangs, at in state.rows(
                "SELECT argv, stdin, exit_code, changed, hangs, at FROM call ORDER BY id"
            )
        )


def clear_transcript(state: State) -> None:
    """Forgets all calls."""
    with state.changing():
        state.write("DELETE FROM call")
