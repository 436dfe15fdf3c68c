"""Trees for tests: entries and a reader from a mapping of paths to texts, or from a folder."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.desired.cache import DocumentCache, LoadMemory
from reconciler.desired.entry import EntryKind, TreeEntry
from reconciler.desired.tree import InvalidTree, LoadedTree, ValidTree, load
from reconciler.provider.registry import Registry

REPOSITORY = "apiVersion: reconciler/v1\nkind: Repository\nmetadata: {name: fleet}\n"


def host(name: str, more: str = "") -> str:
    """A Host manifest of the machine that the tests run on."""
    return f"apiVersion: reconciler/v1\nkind: Host\nmetadata: {{name: {name}}}\nspec:\n  transport: {{type: local}}\n{more}"


BASE = {"repository.yaml": REPOSITORY, "hosts/hv01/host.yaml": host("hv01")}


@dataclass
class Tree:
    """A tree in memory that counts which blobs were asked for."""

    entries: list[TreeEntry] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(self, path: str, content: str | bytes, kind: EntryKind = EntryKind.FILE) -> None:
        data = content.encode() if isinstance(content, str) else content
        blob = hashlib.sha256(data).hexdigest()
        self.blobs[blob] = data
        self.entries = [entry for entry in self.entries if entry.path != path]
        self.entries.append(TreeEntry(path, blob, kind, len(data)))

    def read(self, blobs: Sequence[str]) -> Iterator[bytes]:
        for blob in blobs:
            self.asked.append(blob)
            yield self.blobs[blob]

    def load(
        self,
        registry: Registry,
        *,
        cache: DocumentCache | None = None,
        memory: LoadMemory | None = None,
        strict: bool = False,
        only_hosts: Sequence[str] | None = None,
    ) -> LoadedTree:
        return load(
            self.entries, self.read, registry, revision="r1", cache=cache, memory=memory, strict=strict, only_hosts=only_hosts
        )


def tree_of(files: Mapping[str, str | bytes]) -> Tree:
    tree = Tree()
    for path, content in files.items():
        tree.add(path, content)
    return tree


def tree_of_folder(folder: Path, *, leave_out: frozenset[str] = frozenset()) -> Tree:
    tree = Tree()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in leave_out:
            tree.add(name, path.read_bytes())
    return tree


def valid(loaded: LoadedTree) -> ValidTree:
    assert isinstance(loaded, ValidTree), "\n".join(str(finding) for finding in loaded.findings)
    return loaded


def findings(loaded: LoadedTree) -> list[str]:
    """Errors and warnings as they are shown."""
    found = loaded.findings if isinstance(loaded, InvalidTree) else loaded.warnings
    return [str(finding) for finding in found]
