"""The git program with a closed environment, a deadline, and one place that kills what runs."""

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.source.errors import SourceError

_PASSED = frozenset(
    {
        "GIT_ASKPASS",
        "GIT_EXEC_PATH",
        "GIT_PROXY_SSL_CAINFO",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
        "GIT_SSL_CERT",
        "GIT_SSL_KEY",
    }
)
"""How the user reaches a remote. Every other GIT_ variable (a hook that calls us has several) would point git elsewhere."""

_SETTINGS = (
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("protocol.ext.allow", "never"),
    ("protocol.version", "2"),
    ("fetch.recurseSubmodules", "false"),
    ("submodule.recurse", "false"),
    ("maintenance.auto", "false"),
    ("gc.autoDetach", "false"),
)

_CLOSED_REMEDY = "begin again: what was fetched so far is kept"

NOWHERE = Path(os.devnull)
"""Given as git directory where none is needed, so that git does not look for one around the working directory."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended; `code` is None when its deadline passed."""

    argv: tuple[str, ...]
    code: int | None
    out: bytes
    err: str

    def __str__(self) -> str:
        ending = "took too long" if self.code is None else f"exit {self.code}"
        return f"`{shlex.join(self.argv)}`: {ending}{': ' if self.err else ''}{self.err}"


def environment(environ: Mapping[str, str], *, settings_file: Path = NOWHERE) -> dict[str, str]:
    """The whole environment of a git command; `settings_file` stands in for the user's configuration."""
    kept = {name: value for name, value in environ.items() if not name.startswith("GIT_") or name in _PASSED}
    kept.setdefault("GIT_ASKPASS", "")
    if "GIT_SSH" not in kept:
        kept.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    numbered = list(enumerate(_SETTINGS))
    return kept | {
        "LC_ALL": "C",
        "LANGUAGE": "C",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_ALLOW_PROTOCOL": "file:https:ssh",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": str(len(numbered)),
        "GIT_CONFIG_GLOBAL": str(settings_file),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        **{f"GIT_CONFIG_KEY_{at}": key for at, (key, _) in numbered},
        **{f"GIT_CONFIG_VALUE_{at}": value for at, (_, value) in numbered},
    }


class GitProgram:
    """Runs git. Every command has its own process group, so that a kill reaches ssh and the packers too.

    After `stop`, from any thread, what runs is killed and nothing can be started.
    """

    def __init__(self, env: Mapping[str, str], *, command_s: float) -> None:
        self.env = dict(env)
        self.command_s = command_s
        self._guard = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def run(self, git_dir: Path, *arguments: str, stdin: bytes = b"") -> Ended:
        argv = command(git_dir, *arguments)
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self.env,
                start_new_session=True,
            )
        except OSError as error:
            raise unstartable(error) from error
        return self.ended(process, argv, stdin)

    def spawn(self, git_dir: Path, *arguments: str) -> subprocess.Popen[bytes]:
        """A command that is kept; `finish` ends it."""
        try:
            process = subprocess.Popen(
                command(git_dir, *arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self.env,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise unstartable(error) from error
        self._admit(process)
        return process

    def ended(self, process: subprocess.Popen[bytes], argv: tuple[str, ...], stdin: bytes = b"") -> Ended:
        """Waits for a started process, and kills it with all its children when its deadline passes."""
        self._admit(process)
        try:
            out, err = process.communicate(stdin if process.stdin else None, timeout=self.command_s)
        except subprocess.TimeoutExpired:
            return Ended(argv, None, b"", f"killed after {self.command_s:g} s")
        finally:
            self.finish(process)
        if self._stopped:
            raise SourceError("the source was closed while git was running", remedy=_CLOSED_REMEDY)
        return Ended(argv, process.returncode, out, _one_line(err))

    def finish(self, process: subprocess.Popen[bytes]) -> None:
        with self._guard:
            self._running.discard(process)
        _kill(process)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def stop(self) -> None:
        with self._guard:
            self._stopped = True
            running = list(self._running)
        for process in running:
            _kill(process)

    def _admit(self, process: subprocess.Popen[bytes]) -> None:
        with self._guard:
            stopped = self._stopped
            self._running.add(process)
        if stopped:
            self.finish(process)
            raise SourceError("the source is closed", remedy=_CLOSED_REMEDY)


def command(git_dir: Path, *arguments: str) -> tuple[str, ...]:
    return ("git", f"--git-dir={git_dir}", *arguments)


def unstartable(error: OSError) -> SourceError:
    why = (error.strerror or str(error)).lower()
    return SourceError(f"git can't be started: {why}", remedy="install git 2.32 or newer on PATH")


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _one_line(err: bytes) -> str:
    """What git said, without its advice: hints, and the lines that follow from the first one."""
    lines = (line.strip() for line in err.decode("utf-8", "replace").splitlines())
    return "; ".join(line.removeprefix("fatal: ") for line in lines if line and not line.startswith(_NOISE))


_NOISE = (
    "hint:",
    "warning: redirecting",
    "To add an exception for this directory",
    "git config --global --add safe.directory",
    "fatal: Could not read from remote repository",
    "Please make sure you have the correct access rights",
    "and the repository exists",
)
