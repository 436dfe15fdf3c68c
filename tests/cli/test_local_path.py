"""A Host with transport local and an emulated host's tools on PATH behaves as the same host with transport emulated."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.emulation.faults import Fault, FaultKind
from tests.cli.hosts import break_host, everything_on
from tests.e2e.ground import HOST, Ground, dataset

DELETE = "{onRemoval: delete}"


@pytest.fixture(params=["omnios", "smartos", "linux-zfs-fuse"])
def system(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tools(ground: Ground, system: str) -> Path:
    """Tools made by `reconciler emulate` over the very state that transport emulated uses."""
    folder = ground.root / "tools"
    ground.capture.readouterr()
    assert run(["emulate", str(folder), "--system", system, "--state", str(ground.state / "hosts/h.sqlite")]) == 0
    assert f"PATH={folder}:$PATH" in ground.capture.readouterr().out
    return folder


@pytest.fixture
def on_path(tools: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tools stand first on our own PATH."""
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    return tools


def transport(ground: Ground, text: str) -> None:
    (ground.tree / "hosts/h/host.yaml").write_text(HOST.format(transport=text))


def plan_of_host(ground: Ground) -> dict[str, object]:
    planned = ground.reconciler("plan", "--output", "json")
    assert planned.exit_code == 0, planned.err
    host: dict[str, object] = json.loads(planned.out)["hosts"][0]
    del host["observedAt"]
    return host


@pytest.mark.parametrize("system", ["omnios", "smartos"], indirect=True)
def test_both_transports_see_plan_and_do_the_same(ground: Ground, system: str, on_path: Path) -> None:
    pool = "zones" if system == "smartos" else "tank"
    ground.write(dataset(f"{pool}/a", DELETE, atime="off"), dataset(f"{pool}/a/b", quota="64MiB"))
    transport(ground, "{type: local}")
    local = plan_of_host(ground)

    transport(ground, f"{{type: emulated, system: {system}}}")
    emulated = plan_of_host(ground)
    applied = ground.apply()
    transport(ground, "{type: local}")
    again = ground.apply()

    assert local == emulated
    assert applied.out == "h: converged (2 actions)\n"
    assert again.out == "h: converged\n"
    assert on_path.exists()


def test_apply_over_path_makes_what_the_manifest_says(ground: Ground, tools: Path, system: str) -> None:
    pool = "zones" if system == "smartos" else "tank"
    transport(ground, f'{{type: local, path: "{tools}:/usr/bin:/bin"}}')
    ground.write(dataset(f"{pool}/a", quota="64MiB"))

    applied = ground.apply()

    assert applied.out == "h: converged (1 action)\n", applied.err
    shown = subprocess.run(
        ["zfs", "get", "-Hp", "-o", "value,source", "quota", f"{pool}/a"],
        env={"PATH": f"{tools}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == f"{64 << 20}\tlocal\n"


@pytest.mark.parametrize("system", ["omnios"], indirect=True)
@pytest.mark.parametrize("kind", [FaultKind.FAIL, FaultKind.GARBAGE, FaultKind.TRUNCATE, FaultKind.LOST_REPLY])
def test_over_path_too_an_unreadable_host_is_left_alone(ground: Ground, on_path: Path, kind: FaultKind) -> None:
    transport(ground, "{type: local}")
    ground.write(dataset("tank/a"))
    break_host(ground.state, Fault(kind, "zfs", "^zfs (list|get) ", times=None))
    before = everything_on(ground.state)

    applied = ground.apply()

    assert applied.exit_code == 7, applied.err
    assert everything_on(ground.state) == before
    assert on_path.exists()


@pytest.mark.parametrize("system", ["omnios"], indirect=True)
def test_tools_are_not_made_over_the_state_of_another_system(ground: Ground, tools: Path, system: str) -> None:
    state = str(ground.state / "hosts/h.sqlite")
    ground.capture.readouterr()
    code = run(["emulate", str(ground.root / "other"), "--system", "smartos", "--state", state])

    told = ground.capture.readouterr().err
    assert code == 1
    assert f"this host is an emulated {system}, not smartos" in told
    assert "\n  remedy: " in told
    assert tools.exists()
    assert not (ground.root / "other").exists()
