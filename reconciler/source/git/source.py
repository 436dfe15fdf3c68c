"""A git repository as a source: the newest commit of a ref, its history guarded against rewriting."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from reconciler.desired.entry import TooLarge, TreeEntry
from reconciler.source.errors import STATE_REMEDY, HistoryRewritten, RefGone, SourceAway, SourceError, disk_errors
from reconciler.source.git import remote
from reconciler.source.git.accepted import accept, accepted, is_consent
from reconciler.source.git.mirror import OURS, Mirror
from reconciler.source.git.objects import ObjectReader
from reconciler.source.git.ownership import settings_file
from reconciler.source.git.program import Ended, GitProgram, environment
from reconciler.source.git.trees import listed, patched
from reconciler.source.limits import DEFAULTS, Limits
from reconciler.source.location import GitLocation
from reconciler.source.tree import Tree

_NOT_GIVEN = ("not our ref", "unadvertised object", "couldn't find remote ref")
"""What a server says that does not have a commit, or gives none by its id."""


class GitSource:
    """One ref of one repository, mirrored under `<state>/git`.

    A tip is accepted when it is the first one, when it descends from the last accepted one, or when `accept_rewrite` names it.
    `pause` sleeps; without it, `close` ends a wait.
    """

    def __init__(
        self,
        location: GitLocation,
        state: Path,
        environ: Mapping[str, str],
        *,
        only: tuple[str, ...] = (),
        accept_rewrite: str | None = None,
        limits: Limits = DEFAULTS,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self._location = location
        self._only = only
        self._accept_rewrite = accept_rewrite
        self._limits = limits
        self._closed = threading.Event()
        self._pause = pause or self._wait
        home = state.absolute() / "git"
        trust = settings_file(home, location, environ)
        self._program = GitProgram(environment(environ, settings_file=trust), command_s=limits.command_s)
        self._mirror = Mirror(home, location, self._program, self._pause)
        self._key = location.ref or "HEAD"
        self._ours = f"{OURS}{hashlib.sha256(self._key.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"
        self._readers: dict[Path, ObjectReader] = {}
        self._readers_guard = threading.Lock()
        self._is_checked = False
        self._tree: Tree | None = None

    def fetch(self) -> str:
        if not self._is_checked:
            remote.checked_ref(self._program, self._location.ref)
            self._is_checked = True
        if self._limits.patience_s <= 0:
            return self._fetched()
        import tenacity

        again = tenacity.Retrying(
            stop=tenacity.stop_before_delay(self._limits.patience_s),
            wait=tenacity.wait_random_exponential(multiplier=0.25, max=5),
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, SourceAway) and error.transient),
            sleep=self._pause,
            reraise=True,
        )
        return again(self._fetched)

    def last_good(self) -> str | None:
        commit = accepted(self._mirror.record).get(self._key)
        return commit if commit and self._reader(commit).commit(commit) else None

    def tree(self, revision: str) -> Tree:
        if not remote.is_commit_id(revision):
            raise SourceError(f"{self._location}: {revision} is no commit id", remedy="give a revision that a fetch gave")
        if self._tree is None or self._tree.revision != revision:
            self._tree = Tree(revision, self._entries(revision))
        return self._tree

    def read(self, blobs: Iterable[str]) -> Iterator[tuple[str, bytes | TooLarge]]:
        asked = iter(blobs)
        for first in asked:
            for blob, content in self._reader(first).contents(chain((first,), asked)):
                yield blob, self._repaired(blob) if content is None else content

    def close(self) -> None:
        self._closed.set()
        self._program.stop()
        with self._readers_guard:
            readers = tuple(self._readers.values())
        for reader in readers:
            reader.close()

    def _wait(self, seconds: float) -> None:
        self._closed.wait(seconds)

    def _fetched(self) -> str:
        """One attempt. What our ref points at is whole, for git moves a ref last; a commit alone may lie there half fetched."""
        tip = remote.tip(self._program, self._location)
        before = accepted(self._mirror.record).get(self._key)
        commit = self._held(tip)
        if commit is not None and commit == before:
            return commit
        with self._mirror.locked():
            commit = self._held(tip)
            if commit is None:
                self._bring(tip)
                commit = self._reader(tip.object).commit(self._ours) or self._commit_anew(tip)
            if commit is None:
                raise SourceError(f"{self._location}: names no commit", remedy="name a branch, or a tag of a commit")
            self._take(commit)
            return commit

    def _commit_anew(self, tip: remote.Tip) -> str | None:
        """What our ref points at, asked of a new child: one that met a damaged pack refuses also a whole one of its name."""
        reader = self._reader(tip.object)
        reader.close()
        return reader.commit(self._ours)

    def _held(self, tip: remote.Tip) -> str | None:
        """The tip's commit if our ref has reached it."""
        reader = self._reader(tip.object)
        ours = reader.commit(self._ours)
        return ours if ours is not None and ours == reader.commit(tip.object) else None

    def _bring(self, tip: remote.Tip) -> None:
        """Fetches. Our ref may leave the accepted commit's history now, and until that is settled nobody may collect it."""
        old = accepted(self._mirror.record).get(self._key)
        if old is not None:
            self._mirror.pin(f"{self._ours}-accepted", old)
        try:
            self._mirror.bring(tip, self._ours)
        except SourceAway as error:
            if remote.is_commit_id(tip.ref) and any(sign in error.cause for sign in _NOT_GIVEN):
                raise RefGone(
                    f"{self._location.url}: has no commit {tip.ref}, or gives none by its id",
                    remedy="name a branch or tag that leads to it with --ref",
                ) from error
            raise

    def _take(self, new: str) -> None:
        """Records `new` as accepted, or refuses it. The lock is held, so `old` is what every other process has accepted."""
        old = accepted(self._mirror.record).get(self._key)
        if old is not None and old != new and not self._may_follow(old, new):
            why = "; the remote is a shallow clone, its history ends before that" if self._mirror.is_shallow(new) else ""
            raise HistoryRewritten(str(self._location), old=old, new=new, why=why)
        if old != new:
            with disk_errors(self._mirror.record, STATE_REMEDY):
                accept(self._mirror.record, self._key, new)

    def _may_follow(self, old: str, new: str) -> bool:
        return self._mirror.is_ancestor(old, new) or is_consent(self._accept_rewrite, old=old, new=new)

    def _entries(self, revision: str) -> tuple[TreeEntry, ...]:
        git_dir = self._mirror.git_dir(revision)
        if self._tree is not None and len(self._tree.revision) == len(revision):
            older = f"{self._tree.revision}:{self._location.path}"
            differs = self._program.run(
                git_dir, "diff-tree", "-r", "-z", "--no-renames", older, f"{revision}:{self._location.path}", "--", *self._only
            )
            if differs.code == 0:
                return patched(self._tree.entries, differs.out)
        answer = self._list(revision)
        if answer.code != 0:
            self._explain_missing(revision, answer)
            answer = self._list(revision)
        if answer.code != 0:
            raise SourceError(f"{self._location}: {answer}", remedy="delete the mirror in the state directory; it is made anew")
        return listed(answer.out)

    def _list(self, revision: str) -> Ended:
        arguments = ("ls-tree", "-r", "-z", f"{revision}:{self._location.path}", "--", *self._only)
        return self._program.run(self._mirror.git_dir(revision), *arguments)

    def _explain_missing(self, revision: str, answer: Ended) -> None:
        """Says why there is no such tree; returns if the mirror was at fault and is rebuilt."""
        path = self._location.path
        above = self._program.run(self._mirror.git_dir(revision), "ls-tree", "-z", revision, "--", *([path] if path else []))
        if above.code == 0 and path:
            why = "is no directory" if above.out else "is not there"
            raise SourceError(f"{self._location.url}: {path} {why} at {revision}", remedy="give a directory there as --path")
        if revision not in accepted(self._mirror.record).values():
            raise SourceError(f"{self._location}: {revision} is not held here: {answer}", remedy="fetch first")
        self._rebuild(revision)

    def _repaired(self, blob: str) -> bytes | TooLarge:
        """Reads again what was missing: another process may have replaced the mirror; else it is damaged and we replace it."""
        content = self._read_anew(blob)
        if content is None:
            if self._tree is None or all(entry.blob != blob for entry in self._tree.entries):
                raise SourceError(f"{self._location}: holds no blob {blob}", remedy="read the tree of a revision first")
            self._rebuild(self._tree.revision)
            content = self._read_anew(blob)
        if content is None:
            raise SourceError(
                f"{self._location}: blob {blob} can't be read, nor fetched again", remedy="check the remote: git fsck"
            )
        return content

    def _read_anew(self, blob: str) -> bytes | TooLarge | None:
        reader = self._reader(blob)
        reader.close()
        return next(reader.contents((blob,)))[1]

    def _rebuild(self, revision: str) -> None:
        tip = remote.tip(self._program, self._location)
        with self._mirror.locked():
            self._mirror.rebuild(tip, self._ours)
        self._reader(revision).close()

    def _reader(self, name: str) -> ObjectReader:
        git_dir = self._mirror.git_dir(name)
        with self._readers_guard:
            if git_dir not in self._readers:
                self._readers[git_dir] = ObjectReader(self._program, git_dir, blob_bytes=self._limits.blob_bytes)
            return self._readers[git_dir]
