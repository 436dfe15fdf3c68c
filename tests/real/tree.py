"""A desired state for the host that the tests run on, and the command line pointed at it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from tests.real.linux_host import POOL, LinuxHost

HOST = "linux01"
OWNER = "tests"
_REPOSITORY = {
    "guardrails": {
        "removals": {"perHost": {"count": 1000, "share": "100%"}, "total": {"count": 1000}, "bytes": "1PiB"},
        "restarts": {"perHost": 1000},
    }
}


def manifest(kind: str, name: str, spec: Mapping[str, Any] | None = None, **envelope: Any) -> dict[str, Any]:
    """A manifest; `lifecycle` and other parts of the envelope by name. What is removed is deleted, unless said otherwise."""
    return {
        "apiVersion": "reconciler/v1",
        "kind": kind,
        "metadata": {"name": name, **envelope.pop("metadata", {})},
        "lifecycle": {"onRemoval": "delete", **envelope.pop("lifecycle", {})},
        "spec": dict(spec or {}),
        **envelope,
    }


@dataclass(frozen=True)
class Said:
    """The end of one command line."""

    exit_code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What was printed as JSON."""
        return json.loads(self.out)

    @property
    def actions(self) -> list[tuple[str, str]]:
        """Verb and key (without the host) of every action of a plan."""
        return [
            (one["verb"], one["key"].partition("/")[2]) for host in self.document["hosts"] for one in host.get("actions", ())
        ]

    @property
    def blocked(self) -> list[tuple[str, str]]:
        """Reason and key (without the host) of all that a plan or result says is blocked."""
        return [(one["reason"], one["key"].partition("/")[2]) for host in self.document["hosts"] for one in host["blocked"]]

    @property
    def trouble(self) -> str:
        """What went wrong, in short: what failed or was blocked, what is left to do, or else what was said."""
        try:
            hosts = self.document["hosts"]
        except ValueError:
            return f"exit code {self.exit_code}: {self.out[-2000:]}{self.err[-2000:]}"
        failed = [
            f"{one['key']} {one['state']}: {one['failure']}"
            for host in hosts
            for one in host.get("outcomes", ())
            if one.get("failure")
        ]
        blocked = [f"{one['key']} blocked: {one['reason']}: {one['cause']}" for host in hosts for one in host["blocked"]]
        left = [f"{verb} {key}: {self.changes(key)}" for verb, key in self.actions]
        unreadable = [str(one) for host in hosts for one in host.get("unreadable", ())]
        return "\n".join((f"exit code {self.exit_code}", *failed, *blocked, *left, *unreadable))

    def changes(self, key: str) -> dict[str, tuple[Any, Any]]:
        """Before and after of each field that a plan changes of the object `Kind/name`."""
        actions = [one for host in self.document["hosts"] for one in host.get("actions", ())]
        return {
            entry["name"]: (entry["before"], entry["after"])
            for action in actions
            if action["key"].partition("/")[2] == key
            for entry in action["fields"]
        }


@dataclass(frozen=True)
class Tree:
    """A desired state with one host, this machine; each command opens everything anew, as a new process would."""

    host: LinuxHost
    root: Path
    capture: pytest.CaptureFixture[str]

    def __post_init__(self) -> None:
        (self.folder / "hosts" / HOST).mkdir(parents=True)
        repository = {"apiVersion": "reconciler/v1", "kind": "Repository", "metadata": {"name": OWNER}, "spec": _REPOSITORY}
        (self.folder / "repository.yaml").write_text(json.dumps(repository))
        self.state_host()
        self.write()

    @property
    def folder(self) -> Path:
        return self.root / "desired-state"

    @property
    def state(self) -> Path:
        return self.root / "state"

    def state_host(self, **spec: Any) -> None:
        """States the Host itself, with more in its spec."""
        whole = {"transport": {"type": "local"}, "defaultPool": POOL, **spec}
        document = {"apiVersion": "reconciler/v1", "kind": "Host", "metadata": {"name": HOST}, "spec": whole}
        (self.folder / "hosts" / HOST / "host.yaml").write_text(json.dumps(document))

    def write(self, *manifests: Mapping[str, Any] | str) -> None:
        """The host's manifests, all of them; YAML or what `manifest` gives."""
        texts = [one if isinstance(one, str) else json.dumps(one, indent=1) for one in manifests]
        (self.folder / "hosts" / HOST / "objects.yaml").write_text("\n---\n".join(texts) or "# nothing\n")

    def command(self, command: str, *arguments: str) -> list[str]:
        """A command line over the tree, for a process of its own."""
        return [command, str(self.folder), "--state", str(self.state), *arguments]

    def reconciler(self, command: str, *arguments: str) -> Said:
        """Runs one command line over the tree, in this process."""
        return self._said(self.command(command, *arguments))

    def plan(self, *arguments: str) -> Said:
        return self.reconciler("plan", "--output", "json", "--exit-code", *arguments)

    def apply(self, *arguments: str) -> Said:
        return self.reconciler("apply", "--yes", "--output", "json", *arguments)

    def observe(self) -> dict[str, dict[str, Any]]:
        """All that is found on the host, by `Kind/name`."""
        said = self.reconciler("observe", "--host", HOST, "--output", "json")
        assert said.exit_code == 0, said.out[-2000:] + said.err[-2000:]
        return {one["key"].partition("/")[2]: one for one in said.document["observed"]}

    def converges(self, *manifests: Mapping[str, Any] | str) -> Said:
        """One apply (of these manifests, where any are given) ends with 0, and the plan after it is empty."""
        if manifests:
            self.write(*manifests)
        applied = self.apply()
        after = self.plan()
        assert applied.exit_code == 0, f"{applied.trouble}\nleft to do: {after.trouble}"
        assert after.exit_code == 0, f"the second plan is not empty: {after.trouble}"
        return applied

    def is_repaired(self, *drifted: str) -> Said:
        """The plan names exactly these objects (`Kind/name`) as drifted, one apply mends them, and nothing is left to do."""
        found = self.plan()
        assert found.exit_code == 2, found.trouble
        assert sorted(key for _, key in found.actions) == sorted(drifted), found.trouble
        self.converges()
        return found

    def purge(self) -> Said:
        """Destroys what lies in the host's trash."""
        return self._said(["trash", "purge", "--all", str(self.folder), "--state", str(self.state), "--host", HOST, "--yes"])

    def _said(self, argv: list[str]) -> Said:
        self.capture.readouterr()
        code = run(argv)
        shown = self.capture.readouterr()
        return Said(code, shown.out, shown.err)
