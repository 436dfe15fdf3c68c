"""What a caller says of a tree, and how its bytes are had."""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import NamedTuple, TypeAlias


class EntryKind(Enum):
    FILE = "file"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"


class TreeEntry(NamedTuple):
    """One path of a tree, with slashes and relative to its top; `blob` names its content.

    `size_bytes` is None where it is not known before reading.
    """

    path: str
    blob: str
    kind: EntryKind = EntryKind.FILE
    size_bytes: int | None = None


class TooLarge(NamedTuple):
    """Stands for the bytes of a blob that the caller does not want to read."""

    size_bytes: int


ReadBlobs: TypeAlias = Callable[[Sequence[str]], Iterable[bytes | TooLarge]]
"""The contents of these blobs, in this order. For a symbolic link that is its target."""
