"""The bare mirror of one repository on disk: made, fetched into, checked, and rebuilt aside when it is damaged."""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from reconciler.source.errors import STATE_REMEDY, SourceAway, SourceError, disk_errors
from reconciler.source.git.accepted import synced
from reconciler.source.git.program import NOWHERE, Ended, GitProgram
from reconciler.source.git.remote import Tip, away
from reconciler.source.git.transfer import fetched
from reconciler.source.location import GitLocation

_VERSION = re.compile(r"(\d+)\.(\d+)")
_OLDEST = (2, 32)
"""GIT_CONFIG_GLOBAL, which keeps foreign configuration out, came with 2.32."""


OURS = "refs/reconciler/"
"""Below this lie all refs of a mirror."""


class Mirror:
    """Bare repositories under `home`, one per URL and object format, with the lock and the record of accepted commits beside.

    Whoever changes something holds the lock; readers need none. A rebuild makes a whole new repository and then renames it.
    """

    def __init__(self, home: Path, location: GitLocation, program: GitProgram, pause: Callable[[float], None]) -> None:
        stem = home / hashlib.sha256(location.url.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        self._stem = stem
        self._location = location
        self._program = program
        self._pause = pause
        self.record = stem.with_suffix(".accepted")

    def git_dir(self, commit: str) -> Path:
        """The repository that can hold this object: ids of 64 digits need one of their own."""
        return self._stem if len(commit) == 40 else self._stem.with_suffix(".sha256")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """The lock that every change is made under; SourceAway if another keeps it too long."""
        with disk_errors(self._stem, STATE_REMEDY):
            self._stem.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._stem.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + self._program.command_s
            while not _taken(descriptor):
                if time.monotonic() > deadline:
                    raise SourceAway(
                        f"{self._location}: another process has been fetching for {self._program.command_s:g} s",
                        remedy=f"wait for it, or find what holds {self._stem.with_suffix('.lock')}",
                        transient=True,
                    )
                self._pause(0.02)
            yield
        finally:
            os.close(descriptor)

    def bring(self, tip: Tip, ref: str) -> None:
        """Fetches the tip into our ref. A mirror that is missing, or turns out to be damaged, is built anew first."""
        git_dir = self.git_dir(tip.object)
        if not git_dir.is_dir():
            self.rebuild(tip, ref)
            return
        with disk_errors(git_dir, STATE_REMEDY):
            _without_leftovers(git_dir)
        ended = fetched(self._program, git_dir, self._location.url, f"+{tip.ref}:{ref}")
        if ended.code == 0:
            # What fails here costs disk space, never a fetch.
            self._program.run(git_dir, "gc", "--auto", "--quiet")
        elif self.is_sound(tip.object):
            # What came before it failed would pile up with every try.
            self._program.run(git_dir, "prune", "--expire=now")
            raise self._failed(ended)
        else:
            self.rebuild(tip, ref)

    def rebuild(self, tip: Tip, ref: str) -> None:
        """Makes a whole new repository beside the old one, and takes its place only when the fetch is done."""
        git_dir = self.git_dir(tip.object)
        self._refuse_old_git()
        with disk_errors(git_dir, STATE_REMEDY):
            for leftover in (*git_dir.parent.glob(f"{git_dir.name}.new-*"), *git_dir.parent.glob(f"{git_dir.name}.old-*")):
                shutil.rmtree(leftover, ignore_errors=True)
            # A name of its own: the git of a killed process may still be writing to what was left over.
            aside = Path(tempfile.mkdtemp(prefix=f"{git_dir.name}.new-", dir=git_dir.parent))
        try:
            self._fill(aside, tip, ref)
            self._rescue(git_dir, aside, ref)
            with disk_errors(git_dir, STATE_REMEDY):
                old = aside.with_name(aside.name.replace(".new-", ".old-"))
                if git_dir.exists():
                    git_dir.rename(old)
                aside.rename(git_dir)
                synced(git_dir.parent)
                shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _fill(self, aside: Path, tip: Tip, ref: str) -> None:
        form = "sha1" if len(tip.object) == 40 else "sha256"
        made = self._program.run(
            aside, "init", "--bare", "--quiet", "--template=", "--initial-branch=main", f"--object-format={form}"
        )
        if made.code != 0:
            raise self._failed(made)
        ended = fetched(self._program, aside, self._location.url, f"+{tip.ref}:{ref}")
        if ended.code != 0:
            raise self._failed(ended)

    def _rescue(self, damaged: Path, aside: Path, ref: str) -> None:
        """Brings what the damaged repository still holds whole under other refs; each by itself, for one may lack an object."""
        told = self._program.run(damaged, "for-each-ref", "--format=%(refname)", OURS)
        for other in told.out.decode("ascii", "replace").split():
            if other != ref:
                fetched(self._program, aside, str(damaged), f"{other}:{other}")

    def is_sound(self, commit: str) -> bool:
        """Whether all that our refs reach is there. Looks at commits and trees, so only asked when something failed."""
        checked = self._program.run(self.git_dir(commit), "fsck", "--connectivity-only", "--no-dangling", "--no-progress")
        return checked.code in {0, None}

    def is_shallow(self, commit: str) -> bool:
        """Whether history ends somewhere because the remote's does."""
        return (self.git_dir(commit) / "shallow").exists()

    def pin(self, ref: str, commit: str) -> None:
        """Keeps a commit from being collected; one that is not there needs no keeping."""
        self._program.run(self.git_dir(commit), "update-ref", ref, commit)

    def is_ancestor(self, old: str, new: str) -> bool:
        if len(old) != len(new):
            return False
        return self._program.run(self.git_dir(new), "merge-base", "--is-ancestor", old, new).code == 0

    def _failed(self, ended: Ended) -> SourceError:
        said = ended.err.lower()
        if "no space left on device" in said or "disk quota exceeded" in said:
            return SourceError(
                f"{self._stem.parent}: no space left: {ended}", remedy="free some space, or name another --state"
            )
        if "insufficient permission" in said or ("permission denied" in said and "permission denied (" not in said):
            return SourceError(f"{self._stem.parent}: may not be written: {ended}", remedy=STATE_REMEDY)
        return away(self._location, ended)

    def _refuse_old_git(self) -> None:
        told = self._program.run(NOWHERE, "version").out.decode("ascii", "replace").strip()
        found = _VERSION.search(told)
        if found is None or (int(found[1]), int(found[2])) < _OLDEST:
            raise SourceError(f"{told or 'git'} is too old", remedy="install git 2.32 or newer on PATH")


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _without_leftovers(git_dir: Path) -> None:
    """Removes what a git that was killed has locked or half written, for nobody else fetches while we hold the lock.

    Were one the file of a git that outlived its reconciler, that git would only fail.
    """
    objects = git_dir / "objects"
    locks = (*git_dir.glob("*.lock"), *(git_dir / "refs").rglob("*.lock"), *objects.glob("*.lock"), *objects.glob("*/*.lock"))
    # A fetch of hundreds of megabytes that is killed again and again would fill the disk (git-prune(1) names these files).
    half_written = (*objects.glob("pack/tmp_*"), *objects.glob("pack/.tmp-*"))
    for leftover in (*locks, *half_written):
        leftover.unlink(missing_ok=True)
