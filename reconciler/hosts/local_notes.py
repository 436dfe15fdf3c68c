"""Notes of ours on this machine: small files beside the state of whoever runs us, replaced whole."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from reconciler.hosts.own_names import RUNTIME
from reconciler.model.errors import ReconcilerError


def note_directory(environment: Mapping[str, str]) -> Path:
    """One place for root, and one for each other user; it outlives a reboot and does not depend on --state."""
    if given := environment.get(RUNTIME):
        return Path(given)
    if os.geteuid() == 0:
        return Path("/var/lib/reconciler")
    if base := environment.get("XDG_STATE_HOME"):
        return Path(base) / "reconciler"
    return Path(environment.get("HOME") or "/nonexistent") / ".local" / "state" / "reconciler"


def read_note(place: Path) -> str:
    """The note; empty when there is none. ReconcilerError when it can't be read."""
    try:
        return place.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as trouble:
        raise _unusable(place, trouble) from trouble


def change_note(place: Path, change: Callable[[str], str]) -> None:
    """Replaces the note by what `change` makes of it. ReconcilerError when it can't be kept; then the old one stands."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(place.with_name(f"{place.name}.lock")):
            _replace(place, change(read_note(place)))
    except OSError as trouble:
        raise _unusable(place, trouble) from trouble


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Waits until no other process changes the note: a moment each."""
    descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(place: Path, text: str) -> None:
    """Durable before it takes the old one's place, so that a crash leaves the one or the other."""
    draft = place.with_name(f"{place.name}.draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(place)
    directory = os.open(place.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _unusable(place: Path, trouble: Exception) -> ReconcilerError:
    said = (trouble.strerror if isinstance(trouble, OSError) else None) or str(trouble)
    return ReconcilerError(f"the note {place} can't be used: {said.lower()}", remedy="check the disk and the rights there")
