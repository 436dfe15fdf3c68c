"""`reconciler run` as a child process, known by what it logs."""

import contextlib
import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cli.children import PATIENCE_S, Shell
from tests.source.git_remote import Remote

Event = dict[str, Any]
HOST = "apiVersion: reconciler/v1\nkind: Host\nmetadata: {{name: {name}}}\nspec:\n  transport: {transport}\n"
EMULATED = "{type: emulated, system: omnios}"
REPOSITORY = "apiVersion: reconciler/v1\nkind: Repository\nmetadata: {name: tests}\n"
LONG, SHORT = "600", "0.5"


def dataset(name: str, quota: str = "", lifecycle: str = "{onRemoval: delete}") -> str:
    properties = f"{{quota: {quota}}}" if quota else "{}"
    return (
        f"apiVersion: reconciler/v1\nkind: Dataset\nmetadata:\n  name: {name}\nlifecycle: {lifecycle}\n"
        f"spec:\n  properties: {properties}\n"
    )


def host(name: str = "h", transport: str = EMULATED) -> dict[str, str | bytes | None]:
    return {f"hosts/{name}/host.yaml": HOST.format(name=name, transport=transport)}


def objects(*manifests: str, of: str = "h") -> dict[str, str | bytes | None]:
    return {f"hosts/{of}/objects.yaml": "---\n".join(manifests) or "# nothing\n"}


class Controller:
    """A running controller. Lines are read by a thread as they come; a test waits for events in their order."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._seen = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    @property
    def events(self) -> list[Event]:
        return [json.loads(line) for line in list(self.lines)]

    def comes(self, event: str, within_s: float = PATIENCE_S, **fields: object) -> bool:
        """Whether such an event comes in time, after those that were waited for before."""
        return self._comes(event, within_s, fields)

    def _comes(self, event: str, patience_s: float, fields: Mapping[str, object]) -> bool:
        deadline = time.monotonic() + patience_s
        while True:
            for number, said in enumerate(self.events[self._seen :], start=self._seen):
                if said["event"] == event and fields.items() <= said.items():
                    self._seen = number + 1
                    return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)

    def wait_for(self, event: str, **fields: object) -> Event:
        """The next such event after those that were waited for before."""
        assert self._comes(event, PATIENCE_S, fields), f"no {event} {fields} came:\n{''.join(self.lines[self._seen :])}"
        return self.events[self._seen - 1]

    def send(self, sign: signal.Signals) -> None:
        self.process.send_signal(sign)

    def ended(self, patience_s: float = PATIENCE_S) -> int:
        """Waits for its end, and for the last of its lines."""
        code = self.process.wait(patience_s)
        self._reader.join(patience_s)
        return code


@dataclass
class Site:
    """A repository on this machine, a state directory, and controllers over them."""

    root: Path
    path: str = ""
    remote: Remote = field(init=False)
    state: Path = field(init=False)

    def __post_init__(self) -> None:
        self.state = self.root / "state"
        self.remote = Remote(self.root / "infra")
        self.remote.commit({"repository.yaml": REPOSITORY, **host()})

    @property
    def shell(self) -> Shell:
        return Shell(self.root, self.state, path=self.path)

    @property
    def source(self) -> tuple[str, ...]:
        return ("--repo", str(self.remote.path), "--ref", "main")

    @contextlib.contextmanager
    def running(self, *more: str, poll: str = SHORT, interval: str = LONG) -> Iterator[Controller]:
        """A controller, killed at the end if it still runs."""
        shell = self.shell
        arguments = ("run", *self.source, "--poll", poll, "--interval", interval, *more)
        process = subprocess.Popen(
            shell.arguments(*arguments),
            cwd=self.root,
            env=shell.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        controller = Controller(process)
        try:
            yield controller
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            controller.ended()
            assert process.stderr is not None
            process.stderr.close()

    def status(self) -> dict[str, dict[str, Any]]:
        """What `reconciler status` says, by host."""
        from reconciler.store.database import Database
        from reconciler.store.status import statuses

        database = Database.open_existing(self.state)
        if database is None:
            return {}
        try:
            return {entry["host"]: entry for entry in statuses(database)}
        finally:
            database.close()

    def condition(self, name: str, of: str = "h") -> dict[str, Any] | None:
        """A condition of a host as it is now; None before the first pass."""
        known = self.status().get(of)
        if known is None:
            return None
        found: dict[str, Any] = next(condition for condition in known["conditions"] if condition["type"] == name)
        return found

    def has(self, name: str, status: str, of: str = "h") -> bool:
        found = self.condition(name, of)
        return found is not None and found["status"] == status
