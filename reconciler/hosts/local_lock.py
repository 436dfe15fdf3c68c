"""The host lock of this machine: an flock, which the kernel takes back from a process however it ends."""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from reconciler.hosts.lease import Holder, LockHeldError, holder_from, holder_text, undisturbed
from reconciler.hosts.own_names import RUNTIME
from reconciler.model.errors import ReconcilerError

_MOST_BYTES = 65536


def lock_directory(environment: Mapping[str, str], state: Path) -> Path:
    """Where every process of this user that may write to this machine looks for the lock: one place for root."""
    if given := environment.get(RUNTIME):
        return Path(given)
    if os.geteuid() == 0:
        return Path("/var/run")
    return Path(environment.get("XDG_RUNTIME_DIR") or state)


class LocalLease:
    """A locked file. No child keeps it: Python's descriptors are closed when another program is run."""

    def __init__(self, descriptor: int, ours: Holder, before: Holder | None) -> None:
        self.lost = asyncio.Event()
        self._descriptor = descriptor
        self._ours = ours
        self._before = before

    def is_undisturbed_since(self, uptime: float) -> bool:
        return undisturbed(self._before, self._ours, uptime)

    async def release(self) -> None:
        # Where that can't be written, the next holder takes us for one that was killed, and looks again.
        with contextlib.suppress(OSError):
            _write(self._descriptor, replace(self._ours, ended=time.time(), uptime=time.monotonic()))
        os.close(self._descriptor)


def take_local_lease(directory: Path, name: str, ours: Holder) -> LocalLease:
    """Takes the lock. LockHeldError when another has it, ReconcilerError when the file can't be made."""
    place = directory / name
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as trouble:
        raise _unusable(place, trouble) from trouble
    try:
        before = _lock(descriptor)
        _write(descriptor, ours)
    except OSError as trouble:
        os.close(descriptor)
        raise _unusable(place, trouble) from trouble
    except BaseException:
        os.close(descriptor)
        raise
    return LocalLease(descriptor, ours, before)


def _lock(descriptor: int) -> Holder | None:
    """Who had the lock before us, when we have it now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held = holder_from(os.pread(descriptor, _MOST_BYTES, 0))
        # What stands there until the new holder has written is the one before.
        raise LockHeldError(held if held is not None and held.ended is None else None) from None
    return holder_from(os.pread(descriptor, _MOST_BYTES, 0))


def _write(descriptor: int, holder: Holder) -> None:
    content = holder_text(holder).encode()
    os.pwrite(descriptor, content, 0)
    os.ftruncate(descriptor, len(content))


def _unusable(place: Path, trouble: OSError) -> ReconcilerError:
    return ReconcilerError(
        f"the lock {place} can't be made: {(trouble.strerror or str(trouble)).lower()}; nothing was done",
        remedy=f"make the directory writable for this user, or name another with {RUNTIME} (all writers must name the same)",
    )
