"""Git's lists of a tree, and of what differs between two, as entries."""

from reconciler.desired.entry import EntryKind, TreeEntry

_SYMLINK, _SUBMODULE = b"120000", b"160000"


def listed(out: bytes) -> tuple[TreeEntry, ...]:
    """Reads `ls-tree -r -z`: records `100644 blob 990b0e75… TAB path`, ended by NUL."""
    entries = []
    for record in out.split(b"\0"):
        if record:
            head, path = record.split(b"\t", 1)
            mode, _, blob = head.split(b" ")
            entries.append(_entry(path, blob, mode))
    entries.sort()
    return tuple(entries)


def patched(entries: tuple[TreeEntry, ...], out: bytes) -> tuple[TreeEntry, ...]:
    """The older entries with `diff-tree -r -z --no-renames` applied: `:100644 100644 990b0e75… 6ec57f84… M` NUL `path` NUL."""
    fields = out.split(b"\0")[:-1]
    if not fields:
        return entries
    by_path = {entry.path: entry for entry in entries}
    for head, path in zip(fields[::2], fields[1::2], strict=True):
        _, mode, _, blob, letter = head.split(b" ")
        entry = _entry(path, blob, mode)
        if letter == b"D":
            del by_path[entry.path]
        else:
            by_path[entry.path] = entry
    return tuple(sorted(by_path.values()))


def _entry(path: bytes, blob: bytes, mode: bytes) -> TreeEntry:
    kind = EntryKind.SYMLINK if mode == _SYMLINK else EntryKind.SUBMODULE if mode == _SUBMODULE else EntryKind.FILE
    return TreeEntry(path.decode("utf-8", "surrogateescape"), blob.decode("ascii"), kind, None)
