"""What goes wrong with an emulated host itself, never what an emulated tool answers."""

from __future__ import annotations


class EmulationError(Exception):
    """The emulation was used wrongly or its state file can't be used; the text holds cause and remedy."""
