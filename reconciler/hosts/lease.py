"""The right to write to a host: one process has it at a time, and whoever it is can be told to the others."""

import asyncio
import json
import os
import pwd
import shlex
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from reconciler.model.errors import ExitCode, ReconcilerError


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a lock, as far as its system tells. Times: `since` and `ended` in seconds since the epoch.

    `started` is the process's start in clock ticks since boot, `boot_id` and `pid_namespace` say where its pid means anything.
    `ended` is set when the lock was given back; `uptime` is the time of that on the clock that no one can set (of that boot).
    """

    pid: int
    started: str = ""
    boot_id: str = ""
    pid_namespace: str = ""
    user: str = ""
    command: str = ""
    state: str = ""
    since: float = 0.0
    ended: float | None = None
    uptime: float = 0.0

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"pid {self.pid} (`{self.command}` by {self.user}, state directory {self.state}) since {since}"


class LockHeldError(Exception):
    """Another process has the lock; `holder` is None while it has not yet said who it is."""

    def __init__(self, holder: Holder | None) -> None:
        super().__init__(str(holder))
        self.holder = holder


class Lease(Protocol):
    """A lock that is ours until it is released. `lost` is set when it is found to be another's after all."""

    lost: asyncio.Event

    def is_undisturbed_since(self, uptime: float) -> bool:
        """Whether nobody else can have had the lock from that time (`time.monotonic()`) until we got it."""
        ...

    async def release(self) -> None: ...


def this_process(state: Path) -> Holder:
    """Ourselves, from now on."""
    pid = os.getpid()
    # Only the command's name: its arguments may hold a URL with a password, and others read this.
    command = shlex.join([Path(sys.argv[0]).name, *sys.argv[1:2]])
    return Holder(
        pid, _started(pid), _said("/proc/sys/kernel/random/boot_id"), _namespace(), _user(), command, str(state), time.time()
    )


def is_dead(holder: Holder, observer: Holder) -> bool:
    """Whether the observer can tell that the holder's process is no more: only where its pid means the same to both."""
    if not holder.boot_id or (holder.boot_id, holder.pid_namespace) != (observer.boot_id, observer.pid_namespace):
        return False
    return bool(holder.started) and _started(holder.pid) != holder.started


def held_by_another(host: str, held: LockHeldError) -> ReconcilerError:
    """What a person is told about a host that another process writes to."""
    if held.holder is None:
        who, end = "a process that has just begun", "it"
    else:
        who, end = str(held.holder), f"`kill {held.holder.pid}`"
    return ReconcilerError(
        f"{host}: another writer holds the host: {who}; nothing was done there",
        remedy=f"wait until it has ended, or end it ({end}): the lock goes with the process",
        exit_code=ExitCode.LOCKED,
    )


def holder_text(holder: Holder) -> str:
    return json.dumps(asdict(holder))


def holder_from(text: str | bytes) -> Holder | None:
    """Who wrote this; None when nobody has, or it is not whole."""
    try:
        return Holder(**json.loads(text))
    except (ValueError, TypeError):
        return None


def undisturbed(before: Holder | None, ours: Holder, uptime: float) -> bool:
    """Whether the holder before us had given the lock back by then; one that was killed or ran elsewhere may have not."""
    if before is None:
        return True
    return before.ended is not None and before.boot_id == ours.boot_id and before.uptime < uptime


def _started(pid: int) -> str:
    """Field 22 of /proc/PID/stat (proc(5)); empty for a process that is gone, dead and not yet waited for, or not told of."""
    text = _said(f"/proc/{pid}/stat")
    # The second field, the command in brackets, may hold anything.
    fields = text[text.rfind(")") + 1 :].split()
    return fields[19] if len(fields) > 19 and fields[0] not in ("Z", "X") else ""


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"


def _said(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
