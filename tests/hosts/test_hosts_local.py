"""Commands on this machine: their environment, their ends, and that nothing of them outlives their deadline."""

import asyncio
import os
import select
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from reconciler.hosts import child
from reconciler.hosts.local import LocalTransport
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.host import Elevation

LONG_S = 30.0
SHORT_S = 0.3


def ran(*argv: str, stdin: str | None = None, deadline_s: float = LONG_S, transport: LocalTransport | None = None) -> Completed:
    return asyncio.run((transport or LocalTransport()).run(Command(argv, stdin, deadline_s=deadline_s)))


def shell(script: str, **options: float) -> Completed:
    return ran("sh", "-c", script, **options)  # type: ignore[arg-type]


def is_alive(pid: int) -> bool:
    """Whether a process still runs; one that was just killed is given the time to die."""
    try:
        watch = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        return not select.select([watch], [], [], 5.0)[0]
    finally:
        os.close(watch)


def test_a_command_ends_with_its_exit_code_and_both_outputs() -> None:
    done = shell("echo out; echo err >&2; exit 3")

    assert (done.ending, done.exit_code, done.stdout, done.stderr) == (Ending.EXITED, 3, "out\n", "err\n")
    assert not done.succeeded


def test_arguments_reach_the_command_as_they_are() -> None:
    done = ran("printf", "%s|", "a b", "*", "$HOME", "é", "", "-n")

    assert done.stdout == "a b|*|$HOME|é||-n|"


def test_commands_speak_c_and_live_in_utc() -> None:
    assert shell('echo "$LC_ALL $TZ"').stdout == "C UTC\n"


def test_without_stdin_a_command_reads_nothing() -> None:
    assert ran("cat").stdout == ""


def test_stdin_reaches_the_command_whole() -> None:
    text = "zeile\n" * 200_000

    assert ran("cat", stdin=text).stdout == text


def test_a_command_that_does_not_read_its_stdin_ends_all_the_same() -> None:
    assert ran("true", stdin="x" * 1_000_000).succeeded


def test_path_replaces_the_callers(tmp_path: Path) -> None:
    tool = tmp_path / "zfs"
    tool.write_text("#!/bin/sh\necho mine\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)

    assert ran("zfs", transport=LocalTransport(path=str(tmp_path))).stdout == "mine\n"


def test_a_tool_that_is_not_on_the_path_is_not_found(tmp_path: Path) -> None:
    done = ran("zfs", transport=LocalTransport(path=str(tmp_path)))

    assert (done.ending, done.exit_code, done.stderr) == (Ending.NOT_FOUND, 127, "zfs: No such file or directory")


def test_a_file_that_is_no_program_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "zfs").write_text("no program")

    assert ran("zfs", transport=LocalTransport(path=str(tmp_path))).ending is Ending.NOT_FOUND


def test_what_cannot_even_be_started_is_lost_and_raises_nothing() -> None:
    assert ran("true", "a\0b").ending is Ending.LOST


@pytest.mark.parametrize(("elevate", "tool"), [(Elevation.PFEXEC, "pfexec"), (Elevation.SUDO, "sudo")])
def test_elevation_goes_before_the_command(tmp_path: Path, elevate: Elevation, tool: str) -> None:
    stand_in = tmp_path / tool
    stand_in.write_text('#!/bin/sh\necho "$0" "$@"\n')
    stand_in.chmod(0o755)

    done = ran("zfs", "list", transport=LocalTransport(path=f"{tmp_path}:/usr/bin:/bin", elevate=elevate))

    flags = " -n --" if elevate is Elevation.SUDO else ""
    assert done.stdout == f"{stand_in}{flags} zfs list\n"


def test_a_command_that_ends_by_a_signal_has_no_exit_code() -> None:
    done = shell("echo before; kill -KILL $$")

    assert (done.ending, done.exit_code, done.stdout) == (Ending.SIGNALLED, None, "before\n")


def test_output_that_is_no_text_keeps_its_bytes() -> None:
    done = shell(r"printf 'a\377b'; printf 'c\377d' >&2")

    assert done.stdout.encode("utf-8", "surrogateescape") == b"a\xffb"
    assert done.stderr == "c\ufffdd"


def test_more_output_than_a_listing_can_be_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "MOST_OUTPUT_BYTES", 100_000)

    done = ran("yes")

    assert (done.ending, done.exit_code, done.stdout) == (Ending.TOO_MUCH, None, "")


def test_a_deadline_ends_the_command() -> None:
    done = ran("sleep", "600", deadline_s=SHORT_S)

    assert (done.ending, done.exit_code) == (Ending.DEADLINE, None)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("sleep 600 & echo $! > {pids}; wait", "the command waits for its child"),
        ("(sleep 600 & echo $! > {pids}; wait) ", "a grandchild"),
        ("sh -c 'trap \"\" TERM; echo $$ > {pids}; while :; do sleep 600; done' & wait", "a child that ignores SIGTERM"),
        ("sleep 600 & echo $! > {pids}; exit 0", "the command has ended, and its child holds the output"),
    ],
)
def test_a_deadline_ends_the_whole_group(tmp_path: Path, script: str, reason: str) -> None:
    pids = tmp_path / "pids"

    done = shell(script.format(pids=pids), deadline_s=SHORT_S)

    assert done.ending is Ending.DEADLINE
    assert not is_alive(int(pids.read_text())), reason


def test_a_child_that_left_the_group_does_not_hold_us_up(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    done = shell(f"setsid sleep 600 & echo $! > {pids}; exit 0", deadline_s=SHORT_S)

    os.kill(int(pids.read_text()), signal.SIGKILL)
    assert done.ending is Ending.DEADLINE


@pytest.mark.parametrize("turns", range(12))
def test_cancelled_while_it_starts_a_command_is_ended_as_well(turns: int) -> None:
    async def scene() -> None:
        task = asyncio.create_task(LocalTransport().run(Command(("sleep", "600"), deadline_s=LONG_S)))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())


@pytest.mark.parametrize("turns", range(12))
def test_cancelled_again_while_it_is_being_ended_a_command_is_ended_all_the_same(turns: int) -> None:
    """A second signal comes while the first one's work is under way."""
    mark = f"{600 + turns}.{os.getpid()}"

    async def scene() -> None:
        task = asyncio.create_task(LocalTransport().run(Command(("sleep", mark), deadline_s=LONG_S)))
        for _ in range(turns):
            await asyncio.sleep(0)
        while not task.done():
            task.cancel()
            await asyncio.sleep(0)
        assert task.cancelled()
        if rest := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(rest, timeout=LONG_S)

    asyncio.run(scene())

    assert subprocess.run(["pgrep", "-f", f"^sleep {mark}$"], capture_output=True, check=False).stdout == b""


def test_a_command_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "GRACE_S", 0.1)

    done = shell("trap '' TERM; while :; do sleep 1; done", deadline_s=SHORT_S)

    assert done.ending is Ending.DEADLINE


def test_cancelling_ends_the_whole_group(tmp_path: Path) -> None:
    told = tmp_path / "told"
    os.mkfifo(told)
    script = f"sleep 600 & echo $$ $! > {told}; wait"

    async def scene() -> list[int]:
        task = asyncio.create_task(LocalTransport().run(Command(("sh", "-c", script), deadline_s=LONG_S)))
        pids = [int(pid) for pid in (await asyncio.to_thread(told.read_text)).split()]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return pids

    pids = asyncio.run(scene())

    assert len(pids) == 2
    assert [pid for pid in pids if is_alive(pid)] == []


def test_where_a_process_has_no_descriptor_its_end_is_noticed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")

    done, late = shell("echo out; exit 3"), ran("sleep", "600", deadline_s=SHORT_S)

    assert (done.ending, done.exit_code, done.stdout) == (Ending.EXITED, 3, "out\n")
    assert late.ending is Ending.DEADLINE


def test_a_command_leaves_no_descriptor_behind() -> None:
    async def scene() -> tuple[int, int]:
        transport = LocalTransport()
        before = len(os.listdir("/proc/self/fd"))
        for command in (
            Command(("echo", "a")),
            Command(("cat",), "b"),
            Command(("sleep", "600"), "c" * 1_000_000, deadline_s=SHORT_S),
            Command(("no-such-tool",), "d"),
        ):
            await transport.run(command)
        return before, len(os.listdir("/proc/self/fd"))

    before, after = asyncio.run(scene())

    assert after == before


def test_a_command_has_a_process_group_of_its_own() -> None:
    group = int(shell("ps -o pgid= -p $$").stdout)

    assert group != os.getpgid(0)
