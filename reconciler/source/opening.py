"""The source behind a location."""

from collections.abc import Mapping
from pathlib import Path

from reconciler.source.limits import DEFAULTS, Limits
from reconciler.source.location import FolderLocation, GitLocation, Location
from reconciler.source.tree import Source


def opened(
    location: Location,
    state: Path,
    environ: Mapping[str, str],
    *,
    only: tuple[str, ...] = (),
    accept_rewrite: str | None = None,
    limits: Limits = DEFAULTS,
) -> Source:
    """The source at `location`; nothing is read yet.

    `only` names what lies at the top and is wanted (`hosts`, `repository.yaml`); all when empty. `accept_rewrite` is the
    commit, whole or at least 7 digits of it, that may be taken although it does not descend from the last accepted one.
    """
    match location:
        case FolderLocation(path):
            from reconciler.source.folder import FolderSource

            return FolderSource(path, only=only, limits=limits)
        case GitLocation():
            from reconciler.source.git.source import GitSource

            return GitSource(location, state, environ, only=only, accept_rewrite=accept_rewrite, limits=limits)
