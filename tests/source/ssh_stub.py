"""Programs that stand in for ssh: they run the remote command here, and misbehave on the way."""

import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path

URL = "ssh://host.invalid"


def _program(path: Path, body: str) -> str:
    # The remote command is the last argument, as ssh has it.
    path.write_text(f'#!/bin/sh\nfor last; do :; done\necho "$@" >> {path}.calls\n{body}\n')
    path.chmod(0o755)
    return str(path)


def honest(path: Path) -> str:
    return _program(path, 'exec sh -c "$last"')


def failing_first(path: Path, times: int, complaint: str) -> str:
    """Fails some times, then works."""
    return _program(
        path, f'if [ "$(wc -l < {path}.calls)" -le {times} ]; then echo "{complaint}" >&2; exit 255; fi\nexec sh -c "$last"'
    )


def stalling_on_fetch(path: Path, pids: Path, after: int) -> str:
    """Answers where the branch is, then hands over that many bytes of the fetch and hangs; writes its process id to `pids`."""
    pump = (
        "import os, sys, time\n"
        "left = int(sys.argv[1])\n"
        "while left and (piece := os.read(0, left)):\n"
        "    left -= os.write(1, piece)\n"
        "open(sys.argv[2], 'w').write(str(os.getpid()))\n"
        "time.sleep(1000)\n"
    )
    first = f'if [ "$(wc -l < {path}.calls)" -le 1 ]; then exec sh -c "$last"; fi\n'
    return _program(path, f'{first}sh -c "$last" | {sys.executable} -c {shlex.quote(pump)} {after} {pids}')


def hanging(path: Path, pids: Path) -> str:
    return _program(path, f"echo $$ >> {pids}\nexec sleep 1000")


def calls(path: Path) -> list[str]:
    log = Path(f"{path}.calls")
    return log.read_text().splitlines() if log.exists() else []


def hung(pids: Path) -> list[int]:
    """The processes that have reached the point where they hang."""
    return [int(pid) for pid in pids.read_text().split()] if pids.exists() else []


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.01)
