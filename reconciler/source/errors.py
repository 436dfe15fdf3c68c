"""What goes wrong with a source."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from reconciler.model.errors import ExitCode, ReconcilerError

STATE_REMEDY = "check the state directory's space and permissions"


class SourceError(ReconcilerError):
    """The source can't be used as it stands. What can't be printed in a name or in what a remote said is escaped."""

    def __init__(self, cause: str, *, remedy: str = "", exit_code: int = ExitCode.ERROR) -> None:
        super().__init__(_printable(cause), remedy=_printable(remedy), exit_code=exit_code)


class BadLocation(SourceError):
    """What the user gave names no source that we read."""

    def __init__(self, cause: str, *, remedy: str) -> None:
        super().__init__(cause, remedy=remedy, exit_code=ExitCode.USAGE)


class SourceAway(SourceError):
    """The remote can't be asked now; the last good revision stays usable. `transient`: asking again soon may help."""

    def __init__(self, cause: str, *, remedy: str, transient: bool) -> None:
        super().__init__(cause, remedy=remedy)
        self.transient = transient


class RefGone(SourceAway):
    """The remote answers, but the branch, tag or commit is not there; the last good revision stays usable."""

    def __init__(self, cause: str, *, remedy: str) -> None:
        super().__init__(cause, remedy=remedy, transient=False)


class HistoryRewritten(SourceError):
    """The new tip does not descend from the last accepted revision; nothing of it is used until somebody accepts it."""

    def __init__(self, where: str, *, old: str, new: str, why: str = "") -> None:
        super().__init__(
            f"{where}: history was rewritten: {new} does not descend from {old}, the last accepted commit{why}",
            remedy=f"look at what differs, then accept it with --accept-rewrite {new[:12]}, or push {old[:12]} back",
        )
        self.old = old
        self.new = new


@contextlib.contextmanager
def disk_errors(place: Path, remedy: str) -> Iterator[None]:
    """What the system says about a file, else about `place`, as SourceError."""
    try:
        yield
    except OSError as error:
        name = error.filename
        where = os.fsdecode(name).rstrip("/") if isinstance(name, str | bytes) else place
        raise SourceError(f"{where}: {(error.strerror or str(error)).lower()}", remedy=remedy) from error


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
