"""Writing as the only writer: what a lost lock, an earlier writer and a hold mean for a pass under way."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.controller.host_loop import HostLoop
from reconciler.hosts import emulated_lease
from reconciler.hosts.emulated_lease import lock_text
from reconciler.hosts.lease import this_process
from reconciler.hosts.own_names import lock_name
from reconciler.model.command import Command
from reconciler.provider.registry import Registry
from reconciler.store.status import status_of
from tests.cli.hosts import commands_run, host_in
from tests.controller.inside import Inside, inside
from tests.controller.running import dataset, host, objects

FILES = {**host(), **objects(*(dataset(f"tank/d{number}") for number in range(9)))}
OTHER = replace(this_process(Path("/elsewhere")), since=1.0)


async def one_pass(loop: HostLoop) -> None:
    running = asyncio.create_task(loop.run())
    await asyncio.sleep(0)
    loop.shutdown.set()
    loop.wake(newer=False)
    await running
    loop.shutdown.clear()


def created(made: Inside) -> list[tuple[str, ...]]:
    return [argv for argv in commands_run(made.setting.state) if argv[:2] == ("zfs", "create")]


def lock_of(made: Inside) -> str:
    with host_in(made.setting.state) as emulated:
        host_id = emulated.drift(("hostid",)).stdout.decode().strip()
    return lock_name("tests", host_id, "h")


def test_a_pass_whose_lock_was_broken_ends_at_a_safe_point(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulated_lease, "_RENEWAL_S", 0.0)

    async def story() -> None:
        async with inside(registry, tmp_path / "state", FILES) as made:

            def before(_: str, command: Command) -> None:
                if command.argv[:2] == ("zfs", "create") and not created(made):
                    with host_in(made.setting.state) as emulated:
                        emulated.change_note(lock_of(made), lambda _: lock_text(OTHER, time.time() + 20))

            made.connections.before = before
            await one_pass(made.loop())

            assert 0 < len(created(made)) < 9
            with host_in(made.setting.state) as emulated:
                assert '\\"since\\": 1.0' in emulated.note(lock_of(made)), "the other's lock is left alone"

    asyncio.run(story())


def test_a_pass_on_a_locked_host_does_nothing_tells_it_once_and_is_tried_again(registry: Registry, tmp_path: Path) -> None:
    async def story() -> None:
        async with inside(registry, tmp_path / "state", FILES) as made:
            loop = made.loop()
            with host_in(made.setting.state) as emulated:
                emulated.change_note(lock_of(made), lambda _: lock_text(OTHER, time.time() + 600))
            for _ in range(3):
                await one_pass(loop)

            assert created(made) == []
            assert loop._failures == 3
            assert len(made.log.said("not applied")) == 1
            assert made.setting.database is not None
            document = status_of(made.setting.database, "h")
            assert document is not None
            ready = document["conditions"][0]
            assert (ready["status"], ready["reason"]) == ("False", "Locked")
            assert "another writer holds the host: pid" in ready["message"]

            with host_in(made.setting.state) as emulated:
                emulated.change_note(lock_of(made), lambda _: "")
            await one_pass(loop)

            assert len(created(made)) == 9
            assert loop._failures == 0

    asyncio.run(story())


def test_a_plan_is_made_anew_where_another_wrote_between_the_look_and_the_lock(registry: Registry, tmp_path: Path) -> None:
    async def story() -> None:
        async with inside(registry, tmp_path / "state", FILES) as made:
            done = False

            def before(_: str, command: Command) -> None:
                # While we look at the datasets, another makes one of ours and goes.
                nonlocal done
                if command.argv[:2] == ("zfs", "get") and not done:
                    done = True
                    ended = replace(this_process(Path("/elsewhere")), ended=time.time(), uptime=time.monotonic() + 1)
                    with host_in(made.setting.state) as emulated:
                        emulated.change_note(lock_of(made), lambda _: lock_text(ended, 0.0))

            made.connections.before = before
            await one_pass(made.loop())

            looks = [argv for argv in commands_run(made.setting.state) if argv[:2] == ("zfs", "get") and "-r" in argv]
            assert len(looks) >= 3, "the first, one under the lock, and the final one"
            assert len(created(made)) == 9

    asyncio.run(story())
