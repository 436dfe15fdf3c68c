"""`reconciler` as a child process: run to its end, left running, or sitting at a terminal."""

import contextlib
import fcntl
import os
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE_S = 30.0
"""How long a test waits for what must come; long, for machines are busy."""

MAIN = (sys.executable, "-c", "from reconciler.cli.main import main; main()")


def eventually(holds: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Waits until something holds."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, f"in {patience_s} s it never came to this: {what}"
        time.sleep(0.01)


def processes_naming(text: str) -> dict[int, str]:
    """Running processes whose command line holds a text, such as the path of a folder that only one test uses."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if text in line:
                    found[int(entry.name)] = line
    return found


@dataclass(frozen=True)
class Ended:
    """The end of a child: its exit code, or minus the signal that killed it."""

    exit_code: int
    out: str
    err: str


class Child:
    """A running `reconciler`; it is killed when the test forgets it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def send(self, sign: signal.Signals) -> None:
        self.process.send_signal(sign)

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def ended(self, patience_s: float = PATIENCE_S) -> Ended:
        """Waits for its end."""
        out, err = self.process.communicate(timeout=patience_s)
        return Ended(self.process.returncode, out, err)


@dataclass
class Shell:
    """Where children are started. `path` stands before the caller's PATH."""

    directory: Path
    state: Path
    path: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def arguments(self, *arguments: str) -> list[str]:
        return [*MAIN, *arguments]

    @property
    def variables(self) -> dict[str, str]:
        path = f"{self.path}:{os.environ['PATH']}" if self.path else os.environ["PATH"]
        # Unbuffered, Python takes a short write for a whole one, and says nothing of a reader that left.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        return {**inherited, "PATH": path, "RECONCILER_STATE": str(self.state), **self.environment}

    def run(self, *arguments: str, stdin: str | None = None, cwd: Path | None = None) -> Ended:
        """Runs one command line to its end."""
        done = subprocess.run(
            self.arguments(*arguments),
            cwd=cwd or self.directory,
            env=self.variables,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    @contextlib.contextmanager
    def started(self, *arguments: str) -> Iterator[Child]:
        """Starts one command line and leaves it running."""
        with subprocess.Popen(
            self.arguments(*arguments),
            cwd=self.directory,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield Child(process)
            finally:
                if process.poll() is None:
                    process.kill()

    @contextlib.contextmanager
    def at_terminal(self, *arguments: str) -> Iterator["Terminal"]:
        """Starts one command line as the foreground job of a terminal of its own."""
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            self.arguments(*arguments),
            cwd=self.directory,
            env={**self.variables, "TERM": "xterm-256color", "COLUMNS": "120"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        try:
            yield Terminal(process, ours)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            os.close(ours)


@dataclass
class Terminal:
    """The person's side of a terminal."""

    process: subprocess.Popen[bytes]
    descriptor: int
    shown: str = ""

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def read_until(self, text: str) -> None:
        """Waits until a text is shown."""
        eventually(lambda: text in self.shown or (self._read() and text in self.shown), f"{text!r} in {self.shown!r}")

    def ended(self) -> int:
        """Waits for the end of the command line, and reads what it showed."""
        eventually(lambda: not self._read() and self.process.poll() is not None, f"its end, after {self.shown!r}")
        while self._read():
            pass
        return self.process.returncode

    def _read(self) -> bool:
        """Whether something came; the kernel says EIO when nobody has the other side any more."""
        ready, _, _ = select.select([self.descriptor], [], [], 0.02)
        if not ready:
            return False
        try:
            new = os.read(self.descriptor, 65536)
        except OSError:
            return False
        self.shown += new.decode(errors="replace")
        return bool(new)
