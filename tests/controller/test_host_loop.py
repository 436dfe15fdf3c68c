"""One host's loop: what a pass does, what ends it, what it tells."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from reconciler.emulation.faults import Fault, FaultKind
from reconciler.model.command import Command
from reconciler.provider.registry import Registry
from reconciler.store.status import status_of
from tests.cli.hosts import break_host, commands_run, everything_on, host_in, mend_host
from tests.controller.inside import Inside, until
from tests.controller.one_host import one_pass, player, ready
from tests.controller.running import dataset, host, objects

DOWN = Fault(FaultKind.FAIL, "zfs", times=None, stderr="internal error: failed to initialize ZFS library\n")


@pytest.fixture
def played(registry: Registry, tmp_path: Path) -> Callable[..., None]:
    """Plays a story on one host `h` with these manifests."""
    return player(registry, tmp_path / "state")


def test_a_pass_converges_and_tells_and_keeps_it(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        await one_pass(made.loop())

        assert [said["event"] for said in made.log.events] == ["action ended", "converged"]
        assert made.log.said("converged")[0]["revision"] == "one"
        assert ready(made) == "Converged"
        assert "tank/a\t" in everything_on(made.setting.state)

    played(story, dataset("tank/a"))


def test_a_pass_with_nothing_to_do_is_quiet(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        await one_pass(loop)
        made.log.events.clear()
        await one_pass(loop)

        assert made.log.events == [{"level": "info", "event": "converged", "host": "h", "revision": "one"}]

    played(story, dataset("tank/a"))


def test_failures_count_up_until_a_pass_goes_well(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        break_host(made.setting.state, DOWN)
        counts = []
        for _ in range(3):
            await one_pass(loop)
            counts.append(loop._failures)
        mend_host(made.setting.state)
        await one_pass(loop)

        assert counts == [1, 2, 3]
        assert loop._failures == 0
        assert [said["provider"] for said in made.log.said("unreadable")] == ["zfs"] * 3
        assert ready(made) == "Converged"

    played(story, dataset("tank/a"))


def test_what_needs_a_person_is_not_tried_again_soon(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        with host_in(made.setting.state) as emulated:
            emulated.drift(("zfs", "create", "tank/a"))
        loop = made.loop()
        await one_pass(loop)

        assert loop._failures == 0
        assert made.log.said("blocked")[0]["key"] == "h/Dataset/tank/a"

    played(story, dataset("tank/a"))


def test_drift_is_told_before_it_is_corrected(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        await one_pass(loop)
        with host_in(made.setting.state) as emulated:
            emulated.drift(("zfs", "set", "quota=1M", "tank/a"))
        made.log.events.clear()
        await one_pass(loop)

        assert [said["event"] for said in made.log.events] == ["drift", "action ended", "converged"]

    played(story, dataset("tank/a", "64MiB"))


def test_drift_in_mode_report_is_told_and_left(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        await one_pass(loop)
        with host_in(made.setting.state) as emulated:
            emulated.drift(("zfs", "set", "quota=1M", "tank/a"))
        made.put("two", {**host(), **objects(dataset("tank/a", "64MiB", "{mode: report, onRemoval: delete}"))})
        made.enforce("two")
        await one_pass(loop)
        made.log.events.clear()
        await one_pass(loop)

        assert "tank/a\tquota\t1048576\tlocal" in everything_on(made.setting.state)
        assert made.log.said("action ended") == []
        assert ready(made) == "Converged"

    played(story, dataset("tank/a", "64MiB"))


def test_a_newer_revision_ends_a_pass_at_a_safe_point_and_the_next_one_works_towards_it(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()

        def before(_: str, command: Command) -> None:
            if command.changes and made.current is not None and made.current.source.revision == "one":
                made.put("two", {**host(), **objects(dataset("tank/a"), dataset("tank/c"))})
                made.enforce("two")
                loop.wake(newer=True)

        made.connections.before = before
        running = asyncio.create_task(loop.run())
        await until(lambda: made.log.said("converged"), "the newer revision holds")
        made.shutdown.set()
        loop.wake(newer=False)
        await running

        states = [(said["key"], said["state"]) for said in made.log.said("action ended")]
        assert states == [
            ("h/Dataset/tank/a", "succeeded"),
            ("h/Dataset/tank/b", "cancelled"),
            ("h/Dataset/tank/c", "succeeded"),
        ]
        assert "tank/b" not in everything_on(made.setting.state)

    played(story, dataset("tank/a"), dataset("tank/b"), lines="  limits: {parallel: 1}\n")


def test_a_plan_for_a_revision_that_is_out_of_date_is_never_begun(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()

        def before(_: str, command: Command) -> None:
            if command.argv[0] == "zfs" and made.current is not None and made.current.source.revision == "one":
                made.put("two", {**host(), **objects(dataset("tank/b"))})
                made.enforce("two")

        made.connections.before = before
        running = asyncio.create_task(loop.run())
        await until(lambda: made.log.said("converged"), "the newer revision holds")
        made.shutdown.set()
        loop.wake(newer=False)
        await running

        assert [argv[-1] for argv in commands_run(made.setting.state) if argv[:2] == ("zfs", "create")] == ["tank/b"]

    played(story, dataset("tank/a"))


def test_a_retired_loop_ends_and_does_nothing_more(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        made.connections.before = lambda host, command: loop.retire()
        await loop.run()

        assert made.log.said("action ended") == []
        assert "tank/a" not in everything_on(made.setting.state)

    played(story, dataset("tank/a"))


def test_a_loop_that_was_retired_before_it_began_asks_the_host_nothing(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        loop.retire()
        await loop.run()

        assert not (made.setting.state / "hosts").exists()

    played(story, dataset("tank/a"))


def test_being_woken_during_a_pass_makes_another_one(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        woken: list[Command] = []

        def before(_: str, command: Command) -> None:
            if not woken:
                woken.append(command)
                loop.wake(newer=False)

        made.connections.before = before
        running = asyncio.create_task(loop.run())
        await until(lambda: len(made.log.said("converged")) == 2, "a second pass")
        made.shutdown.set()
        loop.wake(newer=False)
        await running

        assert len(made.log.said("converged")) == 2

    played(story, dataset("tank/a"))


def test_a_host_in_mode_ignore_is_asked_nothing(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        await one_pass(made.loop())

        assert made.log.events == []
        assert not (made.setting.state / "hosts").exists()

    played(story, dataset("tank/a"), lines="  mode: ignore\n")


def test_the_status_says_that_the_source_is_stale_and_why(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        await one_pass(made.loop(stale="the remote is away"))

        assert made.setting.database is not None
        document = status_of(made.setting.database, "h")
        assert document is not None
        assert document["conditions"][-1] | {"since": ""} == {
            "type": "SourceStale", "status": "True", "reason": "Unavailable", "message": "the remote is away", "since": "",
        }  # fmt: skip

    played(story)


def test_the_applied_revision_moves_only_when_the_host_is_as_it_says(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        def revisions() -> object:
            assert made.setting.database is not None
            document = status_of(made.setting.database, "h")
            assert document is not None
            return document["revision"]

        loop = made.loop()
        await one_pass(loop)
        first = revisions()
        made.put("two", {**host(), **objects(dataset("tank/b"))})
        made.enforce("two")
        break_host(made.setting.state, DOWN)
        await one_pass(loop)
        blind = revisions()
        mend_host(made.setting.state)
        await one_pass(loop)

        assert first == {"fetched": "one", "applied": "one"}
        assert blind == {"fetched": "two", "applied": "one"}
        assert revisions() == {"fetched": "two", "applied": "two"}

    played(story, dataset("tank/a"))


def test_the_status_says_when_the_next_pass_comes(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        await one_pass(made.loop())
        assert made.setting.database is not None
        document = status_of(made.setting.database, "h")
        assert document is not None
        last, upcoming = (datetime.fromisoformat(text) for text in (document["lastPass"]["at"], document["nextAttempt"]))
        assert (upcoming - last).total_seconds() == pytest.approx(made.loop().schedule.next_look_s(0), abs=60.01)

    played(story, dataset("tank/a"))
