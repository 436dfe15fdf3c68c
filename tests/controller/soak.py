"""Passes without end, in short: `python -m tests.controller.soak [PASSES]` runs a controller in this process over emulated
hosts whose source and objects change all the time, and fails when memory, descriptors, threads, tasks or files grow.

Half of the passes correct drift, the others follow commits: valid and invalid ones, hosts that come and go, objects that fail
and are mended, a remote that is away. Memory is measured after a tenth of the passes and at the end.
"""

import asyncio
import gc
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconciler.controller.controller import Controller
from reconciler.controller.installed import installed_registry
from reconciler.emulation.faults import Fault, FaultKind
from reconciler.emulation.host import EmulatedHost
from reconciler.source.errors import SourceAway
from reconciler.store.database import FILE_NAME
from tests.controller.inside import Inside, inside, until
from tests.controller.running import dataset, host, objects

PASSES = 10_000
MOST_GROWTH_BYTES = 4 << 20
"""What RSS may grow from a tenth of the passes to their end; the allocator's own slack is about a half of it."""
JOURNAL_ROW_BYTES = 1 << 10
"""What one journal row may take of the state file, indexes included."""
MOST_WAL_BYTES = 8 << 20
"""SQLite writes the log anew after 1000 pages, 4 MiB, unless a reader keeps it from doing so."""

AWAY = SourceAway("the remote is away", remedy="wait", transient=True)


@dataclass(frozen=True)
class Measured:
    """What may not grow."""

    rss: int
    descriptors: int
    threads: int
    tasks: int
    state_file: int
    wal: int
    rows: int

    @classmethod
    def now(cls, made: Inside) -> "Measured":
        gc.collect()
        assert made.setting.database is not None
        place = made.setting.state / FILE_NAME
        return cls(
            rss=int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
            descriptors=len(os.listdir("/proc/self/fd")),
            threads=threading.active_count(),
            tasks=len(asyncio.all_tasks()),
            state_file=place.stat().st_size,
            wal=place.with_name(f"{FILE_NAME}-wal").stat().st_size,
            rows=int(str(next(made.setting.database.rows("SELECT count(*) FROM journal"))[0])),
        )


class _Counting(list[object]):
    """Counts passes; the log itself must not be what grows."""

    def __init__(self) -> None:
        super().__init__()
        self.passes = 0

    def append(self, said: object) -> None:
        if isinstance(said, dict) and said["event"] in {"converged", "not converged", "pass failed"}:
            self.passes += 1


async def soak(state: Path, passes: int, say: Callable[[str], None]) -> list[str]:
    """What grew, as complaints."""
    async with inside(installed_registry(), state, _files(0)) as made:
        counting = _Counting()
        made.log.events = counting  # type: ignore[assignment]
        controller = made.controller()
        try:
            warm = await _passes(made, controller, counting, state, passes // 10)
            say(f"after {counting.passes} passes: {warm}")
            end = await _passes(made, controller, counting, state, passes)
            say(f"after {counting.passes} passes: {end}")
        finally:
            controller.stop()
            await controller._end_all(3.0, *controller._tasks.values())
    return _growth(warm, end)


async def _passes(made: Inside, controller: Controller, counting: _Counting, state: Path, passes: int) -> Measured:
    """Rounds until so many passes have been made in all, ended on a round that leaves both hosts alike."""
    number = 0
    while counting.passes < passes or number % _ROUNDS:
        await _round(made, controller, state, number)
        number += 1
    return Measured.now(made)


_ROUNDS = 12


async def _round(made: Inside, controller: Controller, state: Path, number: int) -> None:
    loops = controller._loops

    async def quiet() -> None:
        await until(
            lambda: len(asyncio.all_tasks()) == 1 + len(loops) and not any(loop._wake.is_set() for loop in loops.values()),
            "all loops wait to be woken",
        )

    old = set(made.source.revisions) - {made.source.tip, controller._fetched, made.source.accepted}
    for revision in old:
        del made.source.revisions[revision]
    made.source.listed.clear()
    if number % _ROUNDS == 5:
        good, made.source.tip = made.source.tip, AWAY
        await controller._poll_once()
        made.source.tip = good
    else:
        made.put(f"r{time.monotonic_ns()}", _files(number))
    await controller._poll_once()
    await quiet()
    with EmulatedHost.open(state / "hosts/h.sqlite", system="omnios", hostname="h") as emulated:
        emulated.drift(("zfs", "set", f"quota={9 + number % 7}M", "tank/a"))
        if number % _ROUNDS == 2:
            emulated.drift(("zfs", "destroy", "tank/b"))
            emulated.inject(Fault(FaultKind.FAIL, "zfs", "^zfs create", stderr="out of space\n"))
        if number % _ROUNDS == 7:
            emulated.inject(Fault(FaultKind.FAIL, "zfs", "^zfs (get|list)", stderr="internal error\n"))
        emulated.clear_transcript()
    controller.look_now()
    await quiet()


def _files(number: int) -> dict[str, str | bytes | None]:
    quota = "loads" if number % _ROUNDS == 9 else f"{1 + number % 7}MiB"
    more = host("k") | objects(dataset("tank/k", quota), of="k") if number % _ROUNDS in {3, 4, 10} else {}
    return {**host(), **objects(dataset("tank/a", quota), dataset("tank/b"), dataset(f"tank/c{number % 3}")), **more}


def _growth(warm: Measured, end: Measured) -> list[str]:
    found = []
    if end.rss - warm.rss > MOST_GROWTH_BYTES:
        found.append(f"memory grew by {(end.rss - warm.rss) / (1 << 20):.1f} MiB")
    for name in ("descriptors", "threads", "tasks"):
        before, after = getattr(warm, name), getattr(end, name)
        if after > before:
            found.append(f"{name} grew from {before} to {after}")
    if end.state_file - warm.state_file > max(1 << 18, (end.rows - warm.rows) * JOURNAL_ROW_BYTES):
        found.append(f"the state file grew from {warm.state_file} to {end.state_file} bytes")
    if end.wal > MOST_WAL_BYTES:
        found.append(f"the write-ahead log grew to {end.wal} bytes")
    return found


def main() -> int:
    passes = int(sys.argv[1]) if len(sys.argv) > 1 else PASSES
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(soak(Path(folder) / "state", passes, lambda text: print(text, flush=True)))
    for complaint in found:
        print(complaint, file=sys.stderr)
    print(f"{passes} passes in {time.monotonic() - began:.0f} s: {'flat' if not found else 'NOT flat'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
