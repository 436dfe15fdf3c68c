"""A directory on disk as a source; its revision is a digest over sorted paths and bytes."""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from reconciler.desired.entry import EntryKind, TooLarge, TreeEntry
from reconciler.source.errors import SourceError, disk_errors
from reconciler.source.limits import DEFAULTS, Limits
from reconciler.source.tree import Tree

_REMEDY = "check the path and its permissions"

_SETTLED_NS = 2_000_000_000
"""A file that changed less than this before it was read may change again without its times showing it."""


class _Read(NamedTuple):
    """A file as it was when its bytes were hashed; `signature` is None when its times are too fresh to tell a later change."""

    signature: tuple[int, int, int, int] | None
    blob: str


@dataclass(frozen=True, slots=True)
class _Snapshot:
    tree: Tree
    paths: dict[str, str]
    contents: dict[str, bytes]
    known: dict[str, _Read]


class FolderSource:
    """A folder, whatever `.git` it holds left out. Links are never followed, and special files never opened.

    The bytes that `fetch` read are the bytes that `read` gives. What had not changed since the fetch before is read again from
    disk when asked for, and refused if it is no longer what was hashed.
    """

    def __init__(
        self, folder: Path, *, only: tuple[str, ...] = (), limits: Limits = DEFAULTS, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self._folder = folder
        self._root = os.fsencode(folder) + b"/"
        self._only = frozenset(only)
        self._limit = limits.blob_bytes
        self._clock_ns = clock_ns
        self._snapshot: _Snapshot | None = None

    def fetch(self) -> str:
        with disk_errors(self._folder, _REMEDY):
            self._snapshot = self._looked()
        return self._snapshot.tree.revision

    def last_good(self) -> str | None:
        return self._snapshot.tree.revision if self._snapshot else None

    def tree(self, revision: str) -> Tree:
        if self._snapshot is None or self._snapshot.tree.revision != revision:
            raise SourceError(f"{self._folder}: {revision} is not what lies there any more", remedy="read the folder again")
        return self._snapshot.tree

    def read(self, blobs: Iterable[str]) -> Iterator[tuple[str, bytes | TooLarge]]:
        snapshot = self._snapshot
        for blob in blobs:
            if snapshot is None or blob not in snapshot.paths:
                raise SourceError(f"{self._folder}: holds no blob {blob}", remedy="read the folder again")
            yield blob, self._content(blob, snapshot)

    def close(self) -> None:
        self._snapshot = None

    def _content(self, blob: str, snapshot: _Snapshot) -> bytes | TooLarge:
        if blob in snapshot.contents:
            return snapshot.contents[blob]
        if blob.startswith("oversized:"):
            return TooLarge(int(blob.split(":")[1]))
        path = snapshot.paths[blob]
        with disk_errors(self._folder / path, _REMEDY):
            found = self._file(path, self._clock_ns())
        if found is None or found[0].blob != blob or found[1] is None:
            raise SourceError(f"{self._folder / path}: changed while it was in use", remedy="read the folder again")
        return found[1]

    def _looked(self) -> _Snapshot:
        now_ns = self._clock_ns()
        before = self._snapshot.known if self._snapshot else {}
        entries: list[TreeEntry] = []
        contents: dict[str, bytes] = {}
        known: dict[str, _Read] = {}
        for path, kind, found in self._walk():
            if kind is EntryKind.FILE:
                seen = before.get(path)
                if seen is None or seen.signature is None or seen.signature != _signature(found):
                    new = self._file(path, now_ns)
                    if new is None:
                        continue
                    seen, content = new
                    if content is not None:
                        contents[seen.blob] = content
                known[path] = seen
                entries.append(TreeEntry(path, seen.blob, kind, found.st_size))
            else:
                content = _bytes_of_link(self._on_disk(path)) if kind is EntryKind.SYMLINK else b""
                contents[_blob(content)] = content
                entries.append(TreeEntry(path, _blob(content), kind, len(content)))
        entries.sort()
        tree = Tree(_revision(entries), tuple(entries))
        return _Snapshot(tree, {entry.blob: entry.path for entry in entries}, contents, known)

    def _walk(self) -> Iterator[tuple[str, EntryKind, os.stat_result]]:
        """All but directories; what vanishes while we look was not there."""
        below = [""]
        while below:
            directory = below.pop()
            try:
                with os.scandir(self._on_disk(directory)) as found:
                    items = list(found)
            except FileNotFoundError:
                if directory:
                    continue
                raise
            if directory and any(item.name == b".git" for item in items):
                yield directory, EntryKind.SUBMODULE, os.lstat(self._on_disk(directory))
                continue
            for item in items:
                name = item.name.decode("utf-8", "surrogateescape")
                if name == ".git" or (not directory and self._only and name not in self._only):
                    continue
                path = f"{directory}/{name}" if directory else name
                if item.is_dir(follow_symlinks=False):
                    below.append(path)
                    continue
                try:
                    status = item.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield path, self._kind(path, status), status

    def _kind(self, path: str, status: os.stat_result) -> EntryKind:
        if stat.S_ISREG(status.st_mode):
            return EntryKind.FILE
        if stat.S_ISLNK(status.st_mode):
            return EntryKind.SYMLINK
        raise SourceError(f"{self._folder / path}: neither a file, a directory nor a link", remedy="move it out of the folder")

    def _file(self, path: str, now_ns: int) -> tuple[_Read, bytes | None] | None:
        """What was read, and its bytes unless there are too many; None if it vanished, or is no file any more."""
        try:
            # Without O_NONBLOCK a pipe that took the file's place would hold us until somebody writes to it.
            descriptor = os.open(self._on_disk(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return None
            content = _up_to(descriptor, status.st_size, self._limit)
        finally:
            os.close(descriptor)
        settled = now_ns - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NS
        signature = _signature(status) if settled else None
        if content is None:
            return _Read(signature, f"oversized:{max(status.st_size, self._limit + 1)}:{status.st_mtime_ns}"), None
        return _Read(signature, _blob(content)), content

    def _on_disk(self, path: str) -> bytes:
        return self._root + path.encode("utf-8", "surrogateescape")


def _up_to(descriptor: int, expected: int, limit: int) -> bytes | None:
    """All that the file holds, or None if that is more than `limit` bytes."""
    if expected > limit:
        return None
    pieces: list[bytes] = []
    left = limit + 1
    while left > 0:
        asked = min(left, expected + 1)
        piece = os.read(descriptor, asked)
        pieces.append(piece)
        left -= len(piece)
        if len(piece) < asked:
            return b"".join(pieces)
    return None


def _bytes_of_link(path: bytes) -> bytes:
    try:
        return os.readlink(path)  # noqa: PTH115 — a Path holds no bytes
    except FileNotFoundError:
        return b""


def _signature(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _blob(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _revision(entries: Iterable[TreeEntry]) -> str:
    digest = hashlib.sha256()
    for entry in entries:
        digest.update(f"{entry.kind.value}\0{entry.path}\0{entry.blob}\n".encode("utf-8", "surrogateescape"))
    return f"sha256:{digest.hexdigest()}"
