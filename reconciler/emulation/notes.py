"""Texts that programs keep on an emulated host, as they might in files of their own; commands know nothing of them."""

from __future__ import annotations

from reconciler.emulation.state import State

# Beside the host's facts, and kept from them by the name: so a host made before there were notes can have some.
_PREFIX = "note:"


def note(state: State, name: str) -> str:
    """The text; empty when there is none."""
    found = state.row("SELECT value FROM fact WHERE name = ?", _PREFIX + name)
    return str(found[0]) if found is not None else ""


def set_note(state: State, name: str, text: str) -> None:
    """Replaces the text."""
    state.set_fact(_PREFIX + name, text)
