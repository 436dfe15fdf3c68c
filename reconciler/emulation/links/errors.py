"""How a command about links ends badly."""

from __future__ import annotations


class Refused(Exception):
    """The command can't be done; the text says why, as the tool's library does (`object not found`, `link busy`)."""
