"""Hints that a source on this machine changed; polling finds what a hint misses."""

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from reconciler.source.location import FolderLocation, GitLocation, Location

_STEP_MS = 10


@dataclass(frozen=True, slots=True)
class Watched:
    """What to watch: directories, whether all below them too, and which of the paths that change there count."""

    directories: tuple[Path, ...]
    recursive: bool
    counts: Callable[[Path], bool]

    def filter(self, _: object, path: str) -> bool:
        """In the place of watchfiles' own filter, which leaves out `.git`."""
        return self.counts(Path(path))


def watched(location: Location) -> Watched | None:
    """Where a change of this source shows on disk; None if that is not on this machine, or not there."""
    match location:
        case FolderLocation(path):
            return _all_of(path) if path.is_dir() else None
        case GitLocation():
            git_dirs = _git_dirs(location.local) if location.local else ()
            return _refs_of(git_dirs) if git_dirs else None


async def changes(location: Location, *, debounce_ms: int = 50) -> AsyncIterator[None]:
    """Yields after each burst of changes. Ends where nothing can be watched: no backend, no directory, a remote source."""
    try:
        import watchfiles
        from watchfiles._rust_notify import WatchfilesRustInternalError
    except ImportError:
        return
    while (now := watched(location)) is not None:
        batches = watchfiles.awatch(
            *now.directories,
            watch_filter=now.filter,
            debounce=debounce_ms,
            step=min(_STEP_MS, debounce_ms),
            recursive=now.recursive,
        )
        try:
            async with contextlib.aclosing(batches):
                async for _ in batches:
                    yield
                    again = watched(location)
                    if again is None or again.directories != now.directories:
                        break
        except (OSError, WatchfilesRustInternalError):
            return


def _all_of(folder: Path) -> Watched:
    return Watched((folder,), True, lambda changed: ".git" not in changed.parts[len(folder.parts) :])


def _git_dirs(repository: Path) -> tuple[Path, ...]:
    """The directories that hold HEAD and refs: one for a repository, two for a linked work tree (gitrepository-layout(5))."""
    try:
        dot_git = repository / ".git"
        if dot_git.is_file():
            named = dot_git.read_text("utf-8", "surrogateescape").removeprefix("gitdir:").strip()
            git_dir = Path(os.path.normpath(repository / named))
        else:
            git_dir = dot_git if dot_git.is_dir() else repository
        if not (git_dir / "HEAD").exists():
            return ()
        common = git_dir / "commondir"
        if not common.exists():
            return (git_dir,)
        return (git_dir, Path(os.path.normpath(git_dir / common.read_text("utf-8", "surrogateescape").strip())))
    except OSError:
        return ()


def _refs_of(git_dirs: tuple[Path, ...]) -> Watched:
    """Watched one by one, not recursively: below a git directory lie the objects, thousands of directories of no interest."""
    stores = [there for git_dir in git_dirs for name in ("refs", "reftable") if (there := git_dir / name).is_dir()]
    below = [Path(directory) for store in stores for directory, _, _ in os.walk(store)]

    def counts(changed: Path) -> bool:
        if changed.suffix == ".lock":
            return False
        return changed.parent not in git_dirs or changed.name in {"HEAD", "packed-refs"}

    return Watched((*git_dirs, *sorted(below)), False, counts)
