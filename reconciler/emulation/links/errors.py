"""How a command about links ends badly."""

from __future__ import annotations


class Refused(Exception):
    """The command can't be done; the text says why, as the tool's library does (`object not found`, `link busy`)."""


class Died(Exception):
    """The program ends with exit code 1 and the text after its name."""


class Misused(Exception):
    """The command line is wrong: the program prints its usage and ends with exit code 1."""
