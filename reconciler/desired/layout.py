"""Where manifests lie in a tree: `repository.yaml`, `hosts/<host>/**.yaml`, `shared/**.yaml`; all else is not looked at."""

from collections.abc import Iterable, Mapping
from enum import Enum, auto
from posixpath import basename, dirname, join, normpath
from typing import NamedTuple

from reconciler.desired.entry import EntryKind, TreeEntry
from reconciler.desired.host import check_host_name
from reconciler.model.errors import InvalidValue

REPOSITORY = "repository.yaml"
HOSTS = "hosts"
SHARED = "shared"
TOP = (REPOSITORY, HOSTS, SHARED)
"""What lies at the top of a tree that we look at."""

_SUFFIXES = (".yaml", ".yml")
_MOST_LINKS = 40


class Part(Enum):
    """Which part of a tree a manifest file lies in."""

    REPOSITORY = auto()
    HOST = auto()
    SHARED = auto()


class Area(NamedTuple):
    """The part of the tree, and the host whose folder it is."""

    part: Part
    host: str = ""


def area(path: str) -> Area | None:
    """Where a file lies; None for one that is none of ours. InvalidValue for a manifest in a place that has no meaning."""
    if path == REPOSITORY:
        return Area(Part.REPOSITORY)
    if path == "repository.yml":
        raise InvalidValue("the file is not read under this name", remedy=f"rename it to {REPOSITORY}")
    top, _, rest = path.partition("/")
    if top not in (HOSTS, SHARED) or not path.endswith(_SUFFIXES):
        return None
    if not path.isprintable():
        raise InvalidValue("the file's name holds characters that can't be printed", remedy="rename the file")
    if top == SHARED:
        return Area(Part.SHARED)
    host, slash, _ = rest.partition("/")
    if not slash:
        raise InvalidValue("the file lies in no host's folder", remedy=f"move it to {HOSTS}/<host>/ or to {SHARED}/")
    check_host_name(host)
    return Area(Part.HOST, host)


def may_hold_manifests(path: str) -> bool:
    """Whether a link or submodule at that path could hide manifests from us."""
    return path in TOP or path.startswith((f"{HOSTS}/", f"{SHARED}/"))


class Links:
    """Judges symbolic links by where they lead, within one tree."""

    def __init__(self, entries: Iterable[TreeEntry], targets: Mapping[str, str]) -> None:
        self._targets = targets
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._folders_of_manifests: set[str] = set()
        for entry in entries:
            if entry.kind is EntryKind.FILE:
                self._files.add(entry.path)
            self._note_folders(entry)

    def hides_manifests(self, path: str) -> bool:
        """Whether the link at the path is, or leads to, or may lead to a manifest or a folder of manifests."""
        if path in TOP or path.endswith(_SUFFIXES):
            return True
        end = self._end(path)
        if end is None or end.endswith(_SUFFIXES) or end in self._folders_of_manifests:
            return True
        if end in self._files or end in self._folders:
            return False
        # Outside of what was listed: by its name a file, or something that we can't see into.
        return "." not in basename(end).strip(".") or end.endswith(".d")

    def _end(self, path: str) -> str | None:
        """Where the link leads in the end, be it outside of the tree; None for a link that goes round in circles."""
        for _ in range(_MOST_LINKS):
            target = self._targets.get(path)
            if target is None:
                return path
            path = normpath(join(dirname(path), target))
        return None

    def _note_folders(self, entry: TreeEntry) -> None:
        holds_manifests = entry.path.endswith(_SUFFIXES) or entry.kind is EntryKind.SUBMODULE
        folder = dirname(entry.path)
        while folder and folder not in (self._folders_of_manifests if holds_manifests else self._folders):
            self._folders.add(folder)
            if holds_manifests:
                self._folders_of_manifests.add(folder)
            folder = dirname(folder)
