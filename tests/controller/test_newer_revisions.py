"""A newer revision ends what the older one wanted at a safe point, wherever it is met, and the next pass goes on from there."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulation.faults import Fault, FaultKind
from reconciler.model.command import Command
from reconciler.provider.registry import Registry
from reconciler.store.journal import unfinished_keys
from tests.cli.hosts import break_host, commands_run, everything_on
from tests.controller.inside import Inside, inside, until
from tests.controller.running import dataset, host, objects

NEWER = objects(dataset("tank/new"))
NAMES = ("tank/a", "tank/b", "tank/c")
BUSY = "cannot create 'tank/a': dataset is busy\n"


@pytest.fixture
def played(registry: Registry, tmp_path: Path) -> Callable[..., None]:
    """Plays a story on one host `h` that is to have three datasets."""

    def play(story: Callable[[Inside], Coroutine[Any, Any, None]], limits: str = "") -> None:
        async def run() -> None:
            files = {**host(), **objects(*(dataset(name) for name in NAMES))}
            files["hosts/h/host.yaml"] = str(files["hosts/h/host.yaml"]) + limits
            async with inside(registry, tmp_path / "state", files) as made:
                await story(made)

        asyncio.run(run())

    return play


async def overtaken(made: Inside, at: Callable[[Command], bool]) -> list[tuple[str, str]]:
    """A running loop, to which the newer revision comes at that command; how all actions ended until it held."""
    loop = made.loop()

    def before(_: str, command: Command) -> None:
        if made.current is not None and made.current.source.revision == "one" and at(command):
            made.put("two", {**host(), **NEWER})
            made.enforce("two")
            loop.wake(newer=True)

    made.connections.before = before
    running = asyncio.create_task(loop.run())
    await until(lambda: made.log.said("converged"), "the newer revision holds")
    made.shutdown.set()
    loop.wake(newer=False)
    await running
    return [(said["key"].removeprefix("h/Dataset/"), said["state"]) for said in made.log.said("action ended")]


def journalled(made: Inside) -> list[tuple[object, ...]]:
    assert made.setting.database is not None
    return list(made.setting.database.rows("SELECT name, revision, state FROM journal ORDER BY id"))


LIMITS = [
    ("", "in a lane"),
    ("  limits: {parallel: 1}\n", "for the host"),
    ("  limits: {perPool: 1}\n", "for the pool"),
    ("  limits: {perKind: {Dataset: 1}}\n", "for the kind"),
]


@pytest.mark.parametrize(("limits", "where"), LIMITS, ids=[where for _, where in LIMITS])
def test_what_waits_its_turn_is_cancelled_and_the_command_that_runs_is_not(
    played: Callable[..., None], limits: str, where: str
) -> None:
    async def story(made: Inside) -> None:
        ended = await overtaken(made, lambda command: command.changes)

        made_on_host = [argv[-1] for argv in commands_run(made.setting.state) if argv[:2] == ("zfs", "create")]
        assert made_on_host == ["tank/a", "tank/new"], where
        assert sorted(ended) == sorted(
            [
                ("tank/a", "succeeded"),
                ("tank/b", "cancelled"),
                ("tank/c", "cancelled"),
                ("tank/new", "succeeded"),
                # Removed again, for the newer revision does not want it.
                ("tank/a", "succeeded"),
            ]
        )
        assert "tank/a\t" not in everything_on(made.setting.state)
        assert ("tank/a", "one", "succeeded") in journalled(made)
        assert {state for _, _, state in journalled(made)} <= {"succeeded", "cancelled"}
        assert made.setting.database is not None
        assert unfinished_keys(made.setting.database, "h") == frozenset()

    played(story, limits)


def test_the_pause_before_a_command_is_repeated_is_cut_short(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        break_host(made.setting.state, Fault(FaultKind.FAIL, "zfs", "^zfs create.* tank/a$", times=None, stderr=BUSY))
        tries: list[Command] = []

        def at(command: Command) -> bool:
            if command.argv[:2] == ("zfs", "create") and command.argv[-1] == "tank/a":
                tries.append(command)
            return len(tries) == 3

        ended = await overtaken(made, at)

        assert ("tank/a", "cancelled") in ended
        assert len(tries) == 3
        assert ("tank/a", "one", "cancelled") in journalled(made)
        assert "tank/new\t" in everything_on(made.setting.state)

    played(story)


def test_a_newer_revision_during_the_first_look_lets_nothing_of_the_older_begin(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        ended = await overtaken(made, lambda command: command.argv[0] == "zfs")

        assert ended == [("tank/new", "succeeded")]
        assert [revision for _, revision, _ in journalled(made)] == ["two"]

    played(story)


def test_a_newer_revision_during_the_last_look_is_worked_towards_next(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        changed: list[Command] = []

        def at(command: Command) -> bool:
            changed.extend([command] if command.changes else [])
            return len(changed) == len(NAMES) and not command.changes

        ended = await overtaken(made, at)

        assert [key for key, _ in ended[:3]] == list(NAMES)
        assert {state for _, state in ended} == {"succeeded"}
        assert all(f"{name}\t" not in everything_on(made.setting.state) for name in NAMES)

    played(story)
