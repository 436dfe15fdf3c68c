"""A controller runs for months: passes leave no descriptors, threads, objects or tasks behind."""

import asyncio
import gc
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reconciler.emulation.host import EmulatedHost
from reconciler.provider.registry import Registry
from tests.controller.inside import Inside, inside, until
from tests.controller.running import dataset, host, objects

PASSES = 600
"""Caches of a few hundred objects fill at times; what grows with passes grows by more than one object each."""

WARM = 60


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def living_objects() -> int:
    gc.collect()
    return len(gc.get_objects())


def measured(repeat: Callable[[int], Any]) -> Callable[[], Any]:
    """Repeats, and asserts that from the first repetitions to the last ones nothing grows."""

    async def run() -> None:
        for number in range(WARM):
            await repeat(number)
        descriptors, threads, tasks, objects_before = (
            open_descriptors(), threading.active_count(), len(asyncio.all_tasks()), living_objects(),
        )  # fmt: skip
        for number in range(WARM, PASSES):
            await repeat(number)
        assert open_descriptors() == descriptors
        await until(lambda: threading.active_count() <= threads, "threads have ended")
        assert len(asyncio.all_tasks()) == tasks
        assert living_objects() - objects_before < PASSES

    return run


def played(registry: Registry, state: Path, story: Callable[[Inside], Any]) -> None:
    async def run() -> None:
        files = {**host(), **objects(dataset("tank/a", "64MiB"), dataset("tank/b"))}
        async with inside(registry, state, files) as made:
            made.log.events = _Forgetful()
            await story(made)

    asyncio.run(run())


class _Forgetful(list[Any]):
    def append(self, _: object) -> None:
        """The test's own log must not be what grows."""


def test_passes_that_correct_drift_leave_nothing_behind(registry: Registry, tmp_path: Path) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        with EmulatedHost.open(tmp_path / "hosts/h.sqlite", system="omnios", hostname="h") as emulated:

            async def once(number: int) -> None:
                await loop._pass()
                emulated.drift(("zfs", "set", f"quota={1 + number % 7}M", "tank/a"))

            await measured(once)()

    played(registry, tmp_path, story)


def test_polls_and_revisions_leave_nothing_behind(registry: Registry, tmp_path: Path) -> None:
    async def story(made: Inside) -> None:
        controller = made.controller()

        def is_quiet() -> bool:
            """Whether each host's loop waits to be woken, and nothing else goes on."""
            loops = controller._loops.values()
            return len(asyncio.all_tasks()) == 1 + len(loops) and not any(loop._wake.is_set() for loop in loops)

        async def once(number: int) -> None:
            made.source.revisions.pop(f"r{number - 1}", None)
            manifests = [dataset("tank/a", "loads" if number % 5 == 4 else f"{1 + number % 7}MiB")]
            made.put(f"r{number}", {**host(), **objects(*manifests), **(host("k") if number % 2 else {})})
            made.source.listed.clear()
            await controller._poll_once()
            await until(is_quiet, "all loops wait to be woken")

        try:
            await measured(once)()
        finally:
            controller.stop()
            await controller._end_all(3.0, *controller._tasks.values())

    played(registry, tmp_path, story)
