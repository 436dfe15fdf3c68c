"""The emulated zfs-fuse against the real one: the same random commands, the same answers, the same state after.

RECONCILER_DIFFERENTIAL_COMMANDS sets how many commands a run takes, RECONCILER_DIFFERENTIAL_SEED where it begins.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from reconciler.emulation import Answer, EmulatedHost
from tests.emulation.zfs_commands import WITH_MOUNTS, CommandLines
from tests.zfs_fuse import RealPool

pytestmark = pytest.mark.real

_COMMANDS = int(os.environ.get("RECONCILER_DIFFERENTIAL_COMMANDS", "400"))
_SEED = int(os.environ.get("RECONCILER_DIFFERENTIAL_SEED", "1"))
_BUSY_TRIES = 60
_BUSY_PAUSE_S = 0.05
Comparable: TypeAlias = tuple[int, list[str], list[str]]
# What depends on how much metadata the real pool keeps, on its clock, or on nothing that we could know.
_INCOMPARABLE = frozenset(
    {"creation", "used", "available", "referenced", "usedbysnapshots", "usedbydataset", "usedbychildren",
     "usedbyrefreservation", "guid", "createtxg", "compressratio", "mlslabel"}
)  # fmt: skip
_STATE_EVERY = 25
_REMOUNTING = frozenset({"set", "inherit"})
_MOUNTED = ("list", "-Hr", "-o", "name,mounted")
_READ_BACK = ("get", "-rHp", "-o", "name,property,value,source,received", "all")


@pytest.fixture
def emulated(pool: RealPool, tmp_path: Path) -> Iterator[EmulatedHost]:
    """An emulated host with a pool of the same name, size and mountpoint as the real one."""
    with EmulatedHost.open(tmp_path / "host.db", system="linux-zfs-fuse", pools={pool.name: 1 << 30}) as host:
        host.run(["zfs", "set", f"mountpoint={pool.mountpoint}", pool.name])
        yield host


@pytest.mark.parametrize("part", range(4))
def test_unmounted_datasets_answer_and_end_as_the_real_ones_do(pool: RealPool, emulated: EmulatedHost, part: int) -> None:
    both = Both(pool, emulated, seed=_SEED * 1000 + part)
    both.run("set", "mountpoint=none", pool.name)

    both.run_many(command_lines(both.seed, pool, emulated), _COMMANDS // 5)

    both.compare_state()


def test_mounted_file_systems_answer_and_end_as_the_real_ones_do(pool: RealPool, emulated: EmulatedHost) -> None:
    both = Both(pool, emulated, seed=_SEED * 1000)

    both.run_many(mounting_lines(both.seed, pool, emulated), _COMMANDS // 5)

    both.compare_state()


def mounting_lines(seed: int, pool: RealPool, emulated: EmulatedHost) -> CommandLines:
    """Command lines about mounted file systems; a mountpoint hardly ever comes twice."""
    paths = tuple(f"{pool.mountpoint}-{number}" for number in range(10_000))
    lines = command_lines(seed, pool, emulated)
    lines.mountpoints = (*paths, *("none", "legacy", "relative") * 800)
    lines.weights = WITH_MOUNTS
    # What is mounted read-only has no room for the mountpoints of its children; directories are not emulated.
    lines.never_set = frozenset({"readonly"})
    lines.mounts_leaves_only = True
    return lines


def command_lines(seed: int, pool: RealPool, emulated: EmulatedHost) -> CommandLines:
    """Command lines about what there is on the emulated host."""

    def listed(*columns: str) -> list[list[str]]:
        text = emulated.drift(["zfs", "list", "-H", "-t", "all", "-o", ",".join(columns)]).stdout.decode()
        return [line.split("\t") for line in text.splitlines()]

    return CommandLines(
        random.Random(seed),
        pool.name,
        existing=emulated.storage.names,
        deferred=lambda: [name for name, deferred in listed("name", "defer_destroy") if deferred == "on"],
        cloned=lambda: [origin for (origin,) in listed("origin") if origin != "-"],
    )


class Both:
    """The real ZFS and the emulated one side by side."""

    def __init__(self, pool: RealPool, emulated: EmulatedHost, seed: int) -> None:
        self._pool = pool
        self._emulated = emulated
        self.seed = seed
        self._done: list[str] = []

    def run_many(self, lines: CommandLines, count: int) -> None:
        """Runs that many of the command lines and compares the state now and then."""
        for number in range(count):
            arguments = lines.next()
            self.run(*arguments)
            if arguments[0] in _REMOUNTING:
                self.settle_mounts()
            if number % _STATE_EVERY == 0:
                self.compare_state()

    def run(self, *arguments: str) -> None:
        """Runs a command on both; fails when they answer differently."""
        self._done.append(" ".join(["zfs", *map(repr, arguments)]))
        emulated = self._emulated.run(["zfs", *arguments])
        self.last_emulated = _comparable(arguments, emulated)
        self.last_real = self._real(arguments, self.last_emulated)

        assert self.last_emulated == self.last_real, self._story("answers differ")

    def settle_mounts(self) -> None:
        """Mounts what the real one has unmounted for a moment and then, racing with its daemon, forgotten."""
        mounted = {
            side: {line for line in text.decode().splitlines() if line.endswith("\tyes")}
            for side, text in (
                ("emulated", self._emulated.drift(["zfs", *_MOUNTED, self._pool.name]).stdout),
                ("real", self._pool.zfs(*_MOUNTED, self._pool.name).stdout),
            )
        }
        for line in sorted(mounted["emulated"] - mounted["real"]):
            self._pool.zfs("mount", line.partition("\t")[0])

    def compare_state(self) -> None:
        """Fails when the two pools do not hold the same."""
        real = _state_lines(self._pool.zfs(*_READ_BACK, self._pool.name).stdout)
        emulated = _state_lines(self._emulated.run(["zfs", *_READ_BACK, self._pool.name]).stdout)

        assert emulated == real, self._story("state differs")

    def _real(self, arguments: tuple[str, ...], expected: Comparable) -> Comparable:
        answer = self._real_once(arguments)
        for _ in range(_BUSY_TRIES):
            if answer == expected or not any("dataset is busy" in line for line in answer[2]):
                break
            # The daemon lets go of an unmounted file system a moment later (linux-host.md, "Busy").
            time.sleep(_BUSY_PAUSE_S)
            answer = self._real_once(arguments)
        return answer

    def _real_once(self, arguments: tuple[str, ...]) -> Comparable:
        done = self._pool.zfs(*arguments)
        return _comparable(arguments, Answer(done.returncode, done.stdout, done.stderr))

    def _story(self, what: str) -> str:
        commands = "\n".join(self._done)
        return f"{what}; RECONCILER_DIFFERENTIAL_SEED={self.seed // 1000}\n{commands}"


def _comparable(arguments: tuple[str, ...], answer: Answer) -> Comparable:
    """Exit code, lines of stdout, lines of stderr, without what can't be equal."""
    # The real program lists dependents in the order of its hash tables, and its usage text goes on for pages.
    complaint = re.sub(r"(?ms)^usage:.*", "", answer.stderr.decode(errors="replace"))
    if arguments[:1] in {("hold",), ("release",), ("snapshot",), ("rename",)} and "-r" in arguments:
        # Which of several snapshots is complained of depends on how the real one hashes their names.
        complaint = re.sub(r"'[^']*@[^']*'", "'SNAPSHOT'", complaint)
    return (answer.exit_code, _cells(answer.stdout.decode(errors="replace")), sorted(complaint.splitlines()))


def _cells(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not _INCOMPARABLE & set(line.split("\t")[1:2])]
    return sorted(lines)


def _state_lines(stdout: bytes) -> list[str]:
    return _cells(stdout.decode(errors="replace"))
