"""From a revision of a source to desired state, reading only what changed since the last time."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from reconciler.desired.cache import DocumentCache, LoadMemory
from reconciler.desired.entry import TooLarge
from reconciler.desired.tree import InvalidTree, ValidTree, load
from reconciler.model.desired import Finding, Severity
from reconciler.model.errors import ReconcilerError
from reconciler.planning.words import counted
from reconciler.provider.registry import Registry
from reconciler.source.tree import Source


class InvalidDesiredError(ReconcilerError):
    """A tree with errors: nothing of its revision is planned or applied for any host."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        errors = sum(finding.severity is Severity.ERROR for finding in findings)
        told = "\n".join(str(finding) for finding in findings)
        super().__init__(f"the desired state is invalid ({counted(errors, 'error')}); nothing was planned\n{told}")
        self.findings = tuple(findings)

    def first(self) -> str:
        """The first error on one line, and how many more there are: where there is no room for all."""
        first, *more = (finding for finding in self.findings if finding.severity is Severity.ERROR)
        told = str(replace(first, remedy=""))
        return f"{told} (and {counted(len(more), 'more error')})" if more else told


class DesiredReader:
    """Reads revisions one after another; files that did not change are neither read nor parsed again."""

    def __init__(self, registry: Registry, cache: DocumentCache | None = None) -> None:
        self._registry = registry
        self._cache = cache
        self._memory = LoadMemory()

    def read(self, source: Source, revision: str, *, strict: bool = False) -> ValidTree:
        """The revision's desired state; InvalidDesiredError with all findings, SourceError when it can't be read.

        The source must stay open as long as `Desired.place` may be asked.
        """

        def blobs(wanted: Sequence[str]) -> Iterator[bytes | TooLarge]:
            return (content for _, content in source.read(wanted))

        entries = source.tree(revision).entries
        with _collector_paused():
            loaded = load(
                entries,
                blobs,
                self._registry,
                revision=revision,
                cache=self._cache,
                memory=self._memory,
                strict=strict,
            )
        if isinstance(loaded, InvalidTree):
            raise InvalidDesiredError(loaded.findings)
        return loaded


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Without the cycle collector: it would walk the many young objects of a load again and again (performance.md, 5)."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
