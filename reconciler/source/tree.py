"""What every source answers: a revision's entries, and the bytes behind them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from reconciler.desired.entry import TooLarge, TreeEntry


@dataclass(frozen=True, slots=True)
class Tree:
    """All entries of one revision, sorted by path."""

    revision: str
    entries: tuple[TreeEntry, ...]


class Source(Protocol):
    """One place that desired state comes from.

    `fetch` may run in another thread than `tree` and `read`; `close` may be called from any and ends a fetch under way.
    """

    def fetch(self) -> str:
        """The newest revision there is now; `tree` and `read` can then serve it without asking the remote.

        Raises SourceAway when it can't be reached now (RefGone when the branch is not there), HistoryRewritten when it does not
        follow the last accepted revision, SourceError for all else. After each of them `last_good` still holds.
        """
        ...

    def last_good(self) -> str | None:
        """The newest accepted revision that is held here; None before the first fetch."""
        ...

    def tree(self, revision: str) -> Tree:
        """The entries of a revision that `fetch` or `last_good` gave; SourceError if it is not held, or lacks the directory."""
        ...

    def read(self, blobs: Iterable[str]) -> Iterator[tuple[str, bytes | TooLarge]]:
        """The bytes of these blobs in the order asked; SourceError for one that can't be read."""
        ...

    def close(self) -> None: ...
