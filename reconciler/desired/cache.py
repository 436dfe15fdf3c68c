"""What a caller keeps between two loads, so that only what changed is parsed and judged again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from reconciler.desired.contents import FileContents
from reconciler.desired.problem import Problem
from reconciler.desired.yaml_documents import Document
from reconciler.model.key import Key
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.provider.registry import Registry

DOCUMENT_FORMAT = 1
"""Changes when the same bytes may parse to other documents; a store that outlives the process keeps it beside them."""


class DocumentCache(Protocol):
    """Parsed documents by blob id. Only files without errors are put in; values are plain (dict, list, str, numbers)."""

    def get(self, blobs: Sequence[str]) -> Mapping[str, tuple[Document, ...]]:
        """The documents of those blobs that are known."""
        ...

    def put(self, documents: Mapping[str, tuple[Document, ...]]) -> None:
        """Remembers the documents of these blobs."""
        ...


@dataclass(slots=True)
class DocumentsInMemory:
    """A DocumentCache for one process. It holds every document as it was written, which is much more than its resource."""

    documents: dict[str, tuple[Document, ...]] = field(default_factory=dict)

    def get(self, blobs: Sequence[str]) -> Mapping[str, tuple[Document, ...]]:
        return {blob: self.documents[blob] for blob in blobs if blob in self.documents}

    def put(self, documents: Mapping[str, tuple[Document, ...]]) -> None:
        self.documents.update(documents)


class Occasion(NamedTuple):
    """All that the meaning of a shared document for one host depends on."""

    blob: str
    origin: Origin
    host: str
    variables: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class HostParts:
    """All that a host's resources are taken from, in the order of paths."""

    files: list[FileContents] = field(default_factory=list)
    shared: list[Resource] = field(default_factory=list)


class KnownHost(NamedTuple):
    """A host's resources among which no key stands twice and no cycle was found, and what they were taken from."""

    parts: HostParts
    resources: dict[Key, Resource]


@dataclass(slots=True)
class LoadMemory:
    """What the last load of a tree made of its files; given to the next one, it is brought up to date by it.

    Belongs to one tree, one registry and one thread at a time. A host whose parts are those of the last load has the very same
    mapping of resources again, so that whoever compares two loads can tell at once; of another one only what differs is
    searched for cycles.
    """

    registry: Registry | None = None
    files: dict[str, FileContents] = field(default_factory=dict)
    expanded: dict[Occasion, Resource | list[Problem]] = field(default_factory=dict)
    hosts: dict[str, KnownHost] = field(default_factory=dict)

    def begin(self, registry: Registry) -> None:
        """Forgets everything when the kinds are not those of the last load."""
        if self.registry is not registry:
            self.files, self.expanded, self.hosts = {}, {}, {}
            self.registry = registry
