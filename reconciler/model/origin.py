"""Where a piece of desired state was written."""

from typing import NamedTuple


class Origin(NamedTuple):
    """A path relative to the root of the source, and a place in it; line and column count from 1."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"
