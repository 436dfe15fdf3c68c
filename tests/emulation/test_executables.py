"""Emulated tools as programs on PATH."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.emulation import EmulatedHost, EmulationError, Fault, FaultKind
from reconciler.emulation.executables import write_executables
from reconciler.emulation.systems import SYSTEMS

_DEADLINE_S = 30


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH on which an emulated OmniOS host comes first."""
    write_executables(tmp_path / "bin", system="omnios", state=tmp_path / "host.db")
    return f"{tmp_path / 'bin'}:/usr/bin:/bin"


@pytest.fixture
def host(path: str, tmp_path: Path) -> Iterator[EmulatedHost]:
    """The host behind the programs."""
    with EmulatedHost.open(tmp_path / "host.db") as opened:
        yield opened


def _run(path: str, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, env={"PATH": path}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_DEADLINE_S, check=False
    )


def test_there_is_a_program_for_each_tool(tmp_path: Path) -> None:
    made = write_executables(tmp_path / "bin", system="smartos", state=tmp_path / "host.db")

    assert [one.name for one in made] == sorted(SYSTEMS["smartos"].tools)
    assert {"zfs", "dladm", "nictagadm", "sysinfo"} <= {one.name for one in made}
    assert all(os.access(one, os.X_OK) for one in made)


def test_a_program_answers_as_the_host_does(path: str, host: EmulatedHost) -> None:
    made = _run(path, "zfs", "create", "-o", "org.ex:owner=two words", "tank/a")
    read = _run(path, "zfs", "get", "-H", "-o", "value", "org.ex:owner", "tank/a")
    refused = _run(path, "zfs", "create", "tank/a")

    assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
    assert read.stdout == "two words\n"
    assert (refused.returncode, refused.stderr) == (1, "cannot create 'tank/a': dataset already exists\n")
    assert [call.argv[:2] for call in host.transcript()] == [("zfs", "create"), ("zfs", "get"), ("zfs", "create")]


def test_programs_obey_faults(path: str, host: EmulatedHost) -> None:
    host.inject(Fault(FaultKind.FAIL, tool="zpool", exit_code=3, stderr="no\n"))
    host.inject(Fault(FaultKind.LOST_REPLY, tool="zfs", exit_code=-signal.SIGKILL))

    failed = _run(path, "zpool", "list")
    killed = _run(path, "zfs", "create", "tank/a")

    assert (failed.returncode, failed.stderr) == (3, "no\n")
    assert killed.returncode == -signal.SIGKILL
    assert host.storage.exists("tank/a")


def test_a_hanging_program_runs_until_it_is_killed(path: str, host: EmulatedHost) -> None:
    host.inject(Fault(FaultKind.HANG))
    hanging = subprocess.Popen(["zfs", "list"], env={"PATH": path}, stdout=subprocess.PIPE)

    with pytest.raises(subprocess.TimeoutExpired):
        hanging.communicate(timeout=0.5)

    hanging.kill()
    assert hanging.communicate()[0] == b""


def test_programs_may_run_side_by_side(path: str, host: EmulatedHost) -> None:
    running = [
        subprocess.Popen(["zfs", "create", f"tank/a{number % 8}"], env={"PATH": path}, stderr=subprocess.PIPE)
        for number in range(16)
    ]
    for process in running:
        process.communicate(timeout=_DEADLINE_S)
    ended = [process.returncode for process in running]

    assert sorted(ended) == [0] * 8 + [1] * 8
    assert len(host.transcript()) == 16
    assert host.storage.names()[-9:] == ("tank", *(f"tank/a{number}" for number in range(8)))


def test_only_a_tool_that_reads_its_input_waits_for_it(path: str) -> None:
    reading, writing = os.pipe()
    try:
        done = subprocess.run(
            ["zfs", "list", "-H", "-o", "name", "tank"],
            env={"PATH": path}, stdin=reading, capture_output=True, timeout=_DEADLINE_S, check=True,
        )  # fmt: skip
    finally:
        os.close(reading)
        os.close(writing)
    copied = subprocess.run(["cat"], env={"PATH": path}, input=b"hi", capture_output=True, timeout=_DEADLINE_S, check=True)

    assert done.stdout == b"tank\n"
    assert copied.stdout == b"hi"


def test_a_program_takes_nothing_from_the_environment_of_its_caller(path: str, tmp_path: Path) -> None:
    (tmp_path / "sqlite3.py").write_text("raise SystemExit('taken from PYTHONPATH')\n")

    done = subprocess.run(
        ["zfs", "list", "-H", "-o", "name", "tank"],
        env={"PATH": path, "PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": "x"},
        cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_DEADLINE_S, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (0, "tank\n", "")


def test_an_interpreter_with_blanks_in_its_path_is_found(tmp_path: Path) -> None:
    odd = tmp_path / "it's a python"
    odd.symlink_to(sys.executable)
    write_executables(tmp_path / "bin", system="omnios", state=tmp_path / "host.db", python=str(odd))

    done = _run(f"{tmp_path / 'bin'}:/usr/bin:/bin", "zfs", "list", "-H", "-o", "name", "tank")

    assert (done.returncode, done.stdout, done.stderr) == (0, "tank\n", "")


def test_a_program_whose_state_is_gone_says_so(path: str, tmp_path: Path) -> None:
    for leftover in tmp_path.glob("host.db*"):
        leftover.unlink()

    done = _run(path, "zfs", "list")

    assert done.returncode == 70
    assert "there is no emulated host yet" in done.stderr


def test_programs_are_not_written_over_a_host_of_another_system(path: str, tmp_path: Path) -> None:
    with pytest.raises(EmulationError, match="this host is an emulated omnios, not smartos"):
        write_executables(tmp_path / "bin", system="smartos", state=tmp_path / "host.db")


def test_a_program_loads_nothing_but_the_emulation_and_the_standard_library(path: str, tmp_path: Path) -> None:
    script = (tmp_path / "bin" / "zfs").read_text()
    probe = tmp_path / "probe.py"
    probe.write_text(
        script.replace("main(", "import atexit\natexit.register(lambda: print(*sorted(sys.modules)))\nmain(").split("\n", 1)[1]
    )

    done = _run(path, sys.executable, "-IS", str(probe), "list", "-H", "-o", "name", "tank")

    loaded = set(done.stdout.split()) - {"tank"}
    assert "reconciler.emulation.host" in loaded
    foreign = {
        name.partition(".")[0] for name in loaded if name.partition(".")[0] not in {*sys.stdlib_module_names, "reconciler"}
    }
    assert foreign <= {"__main__", "__mp_main__"}
    assert {name for name in loaded if name.startswith("reconciler.") and not name.startswith("reconciler.emulation")} == set()


def test_of_many_programs_that_make_one_link_one_succeeds(tmp_path: Path) -> None:
    bin_dir = tmp_path / "bin"
    write_executables(bin_dir, system="smartos", state=tmp_path / "host.db")
    argv = ["dladm", "create-vnic", "-t", "-l", "igb1", "web0"]
    started = [subprocess.Popen(argv, env={"PATH": str(bin_dir)}, stderr=subprocess.PIPE, text=True) for _ in range(4)]

    ended = sorted((one.communicate(timeout=_DEADLINE_S)[1], one.returncode) for one in started)

    refused = ("dladm: vnic creation over igb1 failed: object already exists\n", 1)
    assert ended == [("", 0), refused, refused, refused]
