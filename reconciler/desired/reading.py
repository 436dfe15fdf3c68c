"""The manifest files of a tree, of which only those are read that the caller does not know yet."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from reconciler.desired.cache import DocumentCache
from reconciler.desired.contents import FileContents, file_contents, unread_contents
from reconciler.desired.entry import EntryKind, ReadBlobs, TooLarge, TreeEntry
from reconciler.desired.layout import Area, Links, area, may_hold_manifests
from reconciler.desired.locator import Locator
from reconciler.desired.words import printable
from reconciler.desired.yaml_documents import Document, documents
from reconciler.desired.yaml_error import YamlError
from reconciler.desired.yaml_text import MAX_BYTES, too_large
from reconciler.model.desired import Finding, Severity
from reconciler.model.errors import InvalidValue
from reconciler.provider.kind import Kind

_AT_ONCE = 256
"""Blobs asked for together: enough for a pipe to be busy, few enough to bound what is held."""


class ReadTree(NamedTuple):
    """Manifest files by path, in the order of paths, and what is wrong with paths themselves."""

    files: dict[str, FileContents]
    findings: list[Finding]


class _Pending(NamedTuple):
    entry: TreeEntry
    area: Area


def read_tree(
    entries: Iterable[TreeEntry],
    read: ReadBlobs,
    kinds: Mapping[str, Kind],
    known: Mapping[str, FileContents],
    cache: DocumentCache | None,
    locator: Locator,
) -> ReadTree:
    """All manifest files of a tree; those in `known` with the same blob are taken from there."""
    files: dict[str, FileContents] = {}
    findings: list[Finding] = []
    pending: list[_Pending] = []
    hiding: list[TreeEntry] = []
    ordered = sorted(entries, key=attrgetter("path"))
    for entry in ordered:
        path = entry.path
        if entry.kind is not EntryKind.FILE:
            if may_hold_manifests(path):
                hiding.append(entry)
            continue
        before = known.get(path)
        if before is not None and before.blob == entry.blob:
            files[path] = before
            continue
        try:
            where = area(path)
        except InvalidValue as invalid:
            findings.append(_at_path(path, invalid.cause, invalid.remedy))
            continue
        if where is None:
            continue
        if entry.size_bytes is not None and entry.size_bytes > MAX_BYTES:
            files[path] = unread_contents(path, entry.blob, where, too_large(entry.size_bytes))
        else:
            pending.append(_Pending(entry, where))
            files[path] = FileContents(entry.blob, where)  # keeps its place among the others
    if hiding:
        findings.extend(_hiding(hiding, ordered, read))
    for (entry, where), parsed in _parsed(pending, read, cache):
        files[entry.path] = (
            unread_contents(entry.path, entry.blob, where, parsed)
            if isinstance(parsed, YamlError)
            else file_contents(entry.path, entry.blob, where, parsed, kinds, locator)
        )
    return ReadTree(files, findings)


def _parsed(
    pending: Sequence[_Pending], read: ReadBlobs, cache: DocumentCache | None
) -> Iterator[tuple[_Pending, tuple[Document, ...] | YamlError]]:
    rest = iter(pending)
    while chunk := list(islice(rest, _AT_ONCE)):
        blobs = list(dict.fromkeys(one.entry.blob for one in chunk))
        found: dict[str, tuple[Document, ...] | YamlError] = dict(cache.get(blobs)) if cache is not None else {}
        missing = [blob for blob in blobs if blob not in found]
        parsed = {blob: _documents(data) for blob, data in zip(missing, read(missing), strict=True)} if missing else {}
        if cache is not None:
            cache.put({blob: made for blob, made in parsed.items() if not isinstance(made, YamlError)})
        found.update(parsed)
        for one in chunk:
            yield one, found[one.entry.blob]


_LARGE_FILE_POINTER = b"version https://git-lfs.github.com/spec/"
"""How every pointer begins (git-lfs, docs/spec.md)."""


def _documents(data: bytes | TooLarge) -> tuple[Document, ...] | YamlError:
    if isinstance(data, TooLarge):
        return too_large(data.size_bytes)
    if data.startswith(_LARGE_FILE_POINTER):
        return YamlError(1, 1, "a Git LFS pointer: what it stands for is never fetched", "commit the manifest as a plain file")
    try:
        return documents(data)
    except YamlError as error:
        return error


def _hiding(candidates: Sequence[TreeEntry], entries: Sequence[TreeEntry], read: ReadBlobs) -> Iterator[Finding]:
    """Links and submodules behind which manifests could lie."""
    links = [entry for entry in entries if entry.kind is EntryKind.SYMLINK]
    contents = read([entry.blob for entry in links]) if links else ()
    targets = {
        entry.path: data.decode("utf-8", "surrogateescape") if isinstance(data, bytes) else ""
        for entry, data in zip(links, contents, strict=True)
    }
    judge = Links(entries, targets)
    for entry in candidates:
        if entry.kind is EntryKind.SUBMODULE:
            yield _at_path(entry.path, "a submodule is never looked into", "commit the manifests themselves")
        elif judge.hides_manifests(entry.path):
            target = printable(targets[entry.path])
            cause = f"a symbolic link (to {target}) is never followed, and manifests may lie behind it"
            yield _at_path(entry.path, cause, "commit the manifests themselves")


def _at_path(path: str, cause: str, remedy: str) -> Finding:
    return Finding(printable(path), 1, 1, Severity.ERROR, cause, remedy)
