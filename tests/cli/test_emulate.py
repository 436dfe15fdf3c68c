"""`reconciler emulate`: what a new host is called, how long its tools take, and how they are used."""

import subprocess
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.emulation import EmulatedHost


def test_the_host_keeps_the_latency_that_is_told(tmp_path: Path) -> None:
    state = tmp_path / "host.db"
    line = ["emulate", str(tmp_path / "bin"), "--system", "smartos", "--state", str(state)]
    assert run([*line, "--latency", "vmadm create=12", "--latency", "zfs=0.5"]) == 0
    # Tools that are made again say nothing about it.
    assert run(line) == 0

    with EmulatedHost.open(state) as host:
        assert host.run(["vmadm", "create"]).seconds == 12
        assert host.run(["zfs", "list"]).seconds == 0.5
        assert host.run(["vmadm", "list"]).seconds == 0


def test_a_new_host_calls_itself_what_it_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bin_dir, state = tmp_path / "bin", tmp_path / "host.db"
    assert run(["emulate", str(bin_dir), "--system", "omnios", "--state", str(state), "--hostname", "hv07"]) == 0

    assert f"use them with: PATH={bin_dir}:$PATH" in capsys.readouterr().out
    assert subprocess.run([bin_dir / "hostname"], check=True, capture_output=True, text=True).stdout == "hv07\n"


@pytest.mark.parametrize(
    ("text", "code", "complaint"),
    [
        ("zfs", 64, "--latency 'zfs': not COMMAND=SECONDS"),
        ("zfs=soon", 64, "--latency 'zfs=soon': not COMMAND=SECONDS"),
        ("zfs=-1", 1, "latency of 'zfs': -1.0 is no number of seconds"),
    ],
)
def test_what_is_no_latency_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, code: int, complaint: str
) -> None:
    line = ["emulate", str(tmp_path / "bin"), "--system", "smartos", "--state", str(tmp_path / "db"), "--latency", text]

    assert run(line) == code
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "bin").exists()
