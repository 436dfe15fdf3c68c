"""How a zfs command ends badly."""

from __future__ import annotations


class Refused(Exception):
    """The command can't be done: `lines` go to stderr and it exits with `code`."""

    def __init__(self, *lines: str, code: int = 1) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
        self.code = code


class Misused(Exception):
    """The command line is wrong: the text and the usage go to stderr, exit 2. Without a text only the usage."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
