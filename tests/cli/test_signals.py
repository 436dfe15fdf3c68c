"""SIGINT and SIGTERM to a real `reconciler` with real children: first a safe point, then the end; no child is left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.emulation.executables import write_executables
from reconciler.emulation.faults import Fault, FaultKind
from tests.cli.children import Shell, eventually, processes_naming
from tests.cli.hosts import break_host, commands_run, everything_on, host_in, mend_host
from tests.e2e.ground import HOST, Ground, dataset

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
both = pytest.mark.parametrize("sign", list(CODES), ids=lambda sign: sign.name)

SLOW = """#!/bin/sh
# Creating waits until the test lets it go on, and heeds no request to end.
case "$1" in
create) trap '' INT TERM; touch "{root}/began"; while [ ! -e "{root}/go-on" ]; do sleep 0.02; done ;;
esac
exec "{tools}/zfs" "$@"
"""


@pytest.fixture
def tools(ground: Ground) -> Path:
    """The tools of the emulated host `h` as programs; the tree's host is then this machine, with a PATH that has these."""
    folder = ground.root / "tools"
    write_executables(folder, system="omnios", state=ground.state / "hosts/h.sqlite", hostname="h")
    (ground.tree / "hosts/h/host.yaml").write_text(HOST.format(transport="{type: local}"))
    ground.write(dataset("tank/a"), dataset("tank/a/b"))
    return folder


@pytest.fixture
def shell(ground: Ground, tools: Path) -> Iterator[Shell]:
    yield Shell(ground.root, ground.state, path=str(tools))
    assert processes_naming(str(tools)) == {}


def hangs_in(ground: Ground, *tool: str) -> None:
    """Waits until a command that never answers is running."""

    def is_there() -> bool:
        with host_in(ground.state) as host:
            return any(call.hangs and call.argv[: len(tool)] == tool for call in host.transcript())

    eventually(is_there, f"{tool} hangs")


@both
def test_the_first_signal_lets_a_running_command_finish_and_starts_no_other(
    ground: Ground, tools: Path, sign: signal.Signals
) -> None:
    slow = ground.root / "slow"
    slow.mkdir()
    (slow / "zfs").write_text(SLOW.format(root=ground.root, tools=tools))
    (slow / "zfs").chmod(0o755)
    shell = Shell(ground.root, ground.state, path=f"{slow}:{tools}")

    with shell.started("apply", "tree", "--yes") as child:
        eventually((ground.root / "began").exists, "the first creation begins")
        child.send(sign)
        assert child.process.stderr is not None
        told = ""
        while "once more to end them" not in told:
            told += child.process.stderr.readline()
        (ground.root / "go-on").touch()
        ended = child.ended()

    assert ended.exit_code == CODES[sign]
    assert "h  succeeded  create Dataset/tank/a" in ended.err
    assert "h  cancelled  create Dataset/tank/a/b" in ended.err
    assert ended.out == "h: not converged: 1 cancelled, 1 still pending\n"
    assert ground.names() & {"tank/a", "tank/a/b"} == {"tank/a"}
    assert processes_naming(str(tools)) == {}
    assert shell.run("apply", "tree", "--yes").exit_code == 0
    assert ground.names() >= {"tank/a", "tank/a/b"}


@both
def test_the_second_signal_ends_a_command_that_hangs(ground: Ground, shell: Shell, sign: signal.Signals) -> None:
    ground.write(dataset("tank/a"), dataset("tank/b"))
    break_host(ground.state, Fault(FaultKind.HANG, "zfs", "^zfs create", times=None))

    with shell.started("apply", "tree", "--yes") as child:
        hangs_in(ground, "zfs", "create")
        child.send(sign)
        assert child.process.stderr is not None
        told = ""
        while "once more to end them" not in told:
            told += child.process.stderr.readline()
        assert child.is_running
        child.send(sign)
        ended = child.ended(10)

    assert ended.exit_code == CODES[sign]
    assert f"{sign.name}: ending what still runs" in ended.err
    mend_host(ground.state)
    assert shell.run("apply", "tree", "--yes").out == "h: converged (2 actions)\n"


LEFT_ALONE = """
import asyncio, os, signal
from reconciler.cli.signals import stopping

async def scene():
    stop = asyncio.Event()
    with stopping(stop.set, lambda text: None, "", lambda: print("the last words", flush=True)):
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()
    os.kill(os.getpid(), signal.SIGINT)
    print("not reached", flush=True)

asyncio.run(scene())
"""


def test_one_more_signal_when_only_we_are_left_says_the_last_words_and_ends_us_at_once() -> None:
    ended = subprocess.run([sys.executable, "-c", LEFT_ALONE], check=False, capture_output=True, text=True)

    assert (ended.returncode, ended.stdout, ended.stderr) == (143, "the last words\n", "")


def test_the_first_of_two_different_signals_decides_the_exit_code(ground: Ground, shell: Shell) -> None:
    break_host(ground.state, Fault(FaultKind.HANG, "zfs", "^zfs create", times=None))

    with shell.started("apply", "tree", "--yes") as child:
        hangs_in(ground, "zfs", "create")
        child.send(signal.SIGTERM)
        eventually(lambda: child.process.stderr is not None and "SIGTERM" in child.process.stderr.readline(), "it is told")
        child.send(signal.SIGINT)
        ended = child.ended(10)

    assert ended.exit_code == 143


@pytest.mark.parametrize(
    ("sign", "command"),
    [
        (signal.SIGINT, ("plan", "tree")),
        (signal.SIGTERM, ("apply", "tree", "--yes")),
        (signal.SIGTERM, ("observe", "tree", "--host", "h")),
    ],
)
def test_one_signal_ends_a_look_that_hangs(
    ground: Ground, shell: Shell, sign: signal.Signals, command: tuple[str, ...]
) -> None:
    break_host(ground.state, Fault(FaultKind.HANG, "zfs", "^zfs (get|list)", times=None))
    before = everything_on(ground.state)

    with shell.started(*command) as child:
        hangs_in(ground, "zfs")
        child.send(sign)
        ended = child.ended(10)

    assert ended.exit_code == CODES[sign]
    assert ended.out == ""
    assert "Traceback" not in ended.err
    assert everything_on(ground.state) == before


def test_no_probe_that_was_begun_early_is_left(ground: Ground, shell: Shell) -> None:
    """The second run of the same source begins its probes before it knows what it needs."""
    assert shell.run("apply", "tree", "--yes").exit_code == 0
    break_host(ground.state, Fault(FaultKind.HANG, "zfs", "^zfs get", times=None))

    with shell.started("plan", "tree") as child:
        hangs_in(ground, "zfs", "get")
        child.send(signal.SIGTERM)
        ended = child.ended(10)

    assert ended.exit_code == 143


def test_killed_outright_the_next_apply_converges(ground: Ground, shell: Shell) -> None:
    break_host(ground.state, Fault(FaultKind.HANG_AFTER, "zfs", "^zfs create"))

    with shell.started("apply", "tree", "--yes") as child:
        hangs_in(ground, "zfs", "create")
        child.send(signal.SIGKILL)
        ended = child.ended(10)
    left = processes_naming(str(shell.path))
    assert ["create" in line for line in left.values()] == [True]
    for process in left:
        os.kill(process, signal.SIGKILL)

    assert ended.exit_code == -signal.SIGKILL
    assert shell.run("apply", "tree", "--yes").exit_code == 0
    creations = [argv for argv in commands_run(ground.state) if argv[:2] == ("zfs", "create")]
    assert len(creations) == 2


@both
def test_a_signal_ends_a_fetch_from_a_remote_that_hangs(ground: Ground, sign: signal.Signals) -> None:
    folder = ground.root / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(f'#!/bin/sh\ntouch "{ground.root}/asked"\nwhile :; do sleep 0.1; done\n')
    (folder / "ssh").chmod(0o755)

    with Shell(ground.root, ground.state, path=str(folder)).started("plan", "--repo", "ssh://forge.example/infra.git") as child:
        eventually((ground.root / "asked").exists, "git asks the remote")
        child.send(sign)
        ended = child.ended(10)

    assert ended.exit_code == CODES[sign]
    assert "Traceback" not in ended.err
    eventually(lambda: processes_naming(str(folder)) == {}, "ssh ends", patience_s=5)
