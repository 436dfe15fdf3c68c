"""The controller and its hosts: which are woken by a revision, begun, let go, and ended."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from reconciler.controller.host_loop import Current
from reconciler.model.errors import ReconcilerError
from reconciler.model.plan import PlanSource
from reconciler.provider.registry import Registry
from reconciler.store.ledger import hosts_in_ledger
from tests.controller.inside import Inside, full_disk, until
from tests.controller.running import HOST, REPOSITORY, dataset, host, objects
from tests.controller.watched import TWO, FakeLoop, Files, Watched, in_force, player


@pytest.fixture
def played(registry: Registry, tmp_path: Path) -> Callable[..., None]:
    """Plays a story with a watched controller over a source whose tip is `one`."""
    return player(registry, tmp_path / "state")


CHANGES = [
    ({**TWO}, [], "nothing"),
    ({**TWO, **objects(dataset("tank/b"), of="k")}, ["k newer"], "an object of one host"),
    ({**TWO, **objects(dataset("tank/a", lifecycle="{}"), of="k")}, ["k newer"], "a lifecycle"),
    ({**TWO, "hosts/k/host.yaml": HOST.format(name="k", transport="{type: local}")}, ["k newer"], "a transport"),
    ({**TWO, **host("m")}, ["m start"], "a new host"),
    ({**host("h"), **objects(dataset("tank/a"))}, ["k retire"], "a host that went"),
    ({**TWO, "hosts/k/more.yaml": "# a comment\n"}, [], "a comment"),
    (
        {**TWO, "repository.yaml": REPOSITORY + "spec: {guardrails: {removals: {perHost: {count: 1}}}}\n"},
        ["h newer", "k newer"],
        "guardrails",
    ),
    ({**TWO, "repository.yaml": REPOSITORY.replace("tests", "others")}, ["h newer", "k newer"], "the owner"),
]


@pytest.mark.parametrize(("files", "asked", "reason"), CHANGES, ids=[reason for *_, reason in CHANGES])
def test_a_revision_wakes_the_hosts_that_it_concerns(
    played: Callable[..., None], files: Files, asked: list[str], reason: str
) -> None:
    async def story(made: Inside, controller: Watched) -> None:
        await controller._poll_once()
        assert controller.news() == ["h start", "k start"]
        made.put("two", files)
        await controller._poll_once()

        assert controller.news() == asked, reason
        assert in_force(controller) == "two"

    played(story)


def test_only_the_named_hosts_have_loops_and_the_others_are_not_forgotten(played: Callable[..., None]) -> None:
    async def story(made: Inside, controller: Watched) -> None:
        await controller._poll_once()

        assert controller.news() == ["k start"]
        assert [said["host"] for said in made.log.said("no such host")] == ["z"]
        assert made.log.said("forgotten") == []

    played(story, only_hosts=frozenset({"k", "z"}))


def test_a_host_that_went_is_forgotten_when_its_loop_has_ended(played: Callable[..., None]) -> None:
    async def story(made: Inside, controller: Watched) -> None:
        database = made.setting.database
        assert database is not None
        await one_apply(made)
        await controller._poll_once()
        made.put("two", {**host("h")})
        await controller._poll_once()
        assert made.log.said("forgotten") == []
        await until(lambda: made.log.said("forgotten"), "k is forgotten")
        await made.journal.flushed()

        assert controller.asked[-1] == "k ends"
        assert hosts_in_ledger(database) == {"h"}
        assert controller._tasks.keys() == {"h"}

    played(story)


def test_a_host_that_comes_back_while_its_loop_still_ends_gets_the_next_loop_after_it(played: Callable[..., None]) -> None:
    async def story(made: Inside, controller: Watched) -> None:
        await controller._poll_once()
        held = cast("FakeLoop", controller._loops["k"])
        held.retire = lambda: None  # type: ignore[method-assign]
        await asyncio.sleep(0)
        made.put("two", {**host("h")})
        await controller._poll_once()
        made.put("three", TWO)
        await controller._poll_once()
        await asyncio.sleep(0)
        begun_early = controller.asked.count("k begins")
        held.leave.set()
        await until(lambda: controller.asked.count("k begins") == 2, "the second loop begins")

        assert begun_early == 1
        assert controller.asked.index("k ends") < len(controller.asked) - 1
        assert made.log.said("forgotten") == []
        assert controller._tasks.keys() == {"h", "k"}

    played(story)


def test_a_host_that_comes_and_goes_while_its_first_loop_still_ends_is_forgotten_once(played: Callable[..., None]) -> None:
    async def story(made: Inside, controller: Watched) -> None:
        await controller._poll_once()
        await asyncio.sleep(0)
        held = cast("FakeLoop", controller._loops["k"])
        held.retire = lambda: None  # type: ignore[method-assign]
        for number, files in enumerate(({**host("h")}, TWO, {**host("h")})):
            made.put(f"later{number}", files)
            await controller._poll_once()
        held.leave.set()
        await until(lambda: made.log.said("forgotten"), "k is forgotten")
        await asyncio.sleep(0.01)

        assert len(made.log.said("forgotten")) == 1
        assert controller._tasks.keys() == {"h"}

    played(story)


async def one_apply(made: Inside) -> None:
    """Both hosts are applied to once, so that the ledger knows them."""
    for name in ("h", "k"):
        await made.loop(name)._pass()


def test_hosts_of_the_ledger_without_a_manifest_are_forgotten_at_the_start(played: Callable[..., None]) -> None:
    async def story(made: Inside, controller: Watched) -> None:
        await one_apply(made)
        made.put("two", {**host("h"), **objects(dataset("tank/a"))})
        await controller._poll_once()
        await made.journal.flushed()

        assert [said["host"] for said in made.log.said("forgotten")] == ["k"]
        assert made.setting.database is not None
        assert hosts_in_ledger(made.setting.database) == {"h"}

    played(story)


def test_a_host_that_can_not_be_forgotten_for_want_of_room_ends_nothing_and_is_forgotten_later(
    played: Callable[..., None],
) -> None:
    async def story(made: Inside, controller: Watched) -> None:
        database = made.setting.database
        assert database is not None
        await one_apply(made)
        await controller._poll_once()
        with full_disk(database, "DELETE ON facts"):
            made.put("two", {**host("h"), **objects(dataset("tank/a"))})
            await controller._poll_once()
            await until(lambda: made.log.said("not forgotten"), "that is told")
        made.put("three", {**host("h"), **objects(dataset("tank/b"))})
        await controller._poll_once()
        await made.journal.flushed()

        assert made.log.said("not forgotten")[0]["remedy"]
        assert [said["host"] for said in made.log.said("forgotten")] == ["k"]
        assert hosts_in_ledger(database) <= {"h"}

    played(story)


def test_look_now_polls_and_has_all_hosts_try_everything_without_ending_what_they_do(played: Callable[..., None]) -> None:
    async def story(_: Inside, controller: Watched) -> None:
        await controller._poll_once()
        controller.news()
        controller.look_now()

        assert controller.news() == ["h all", "k all"]
        assert controller._look_now.is_set()

    played(story)


def test_stop_asks_all_to_end_at_a_safe_point(played: Callable[..., None]) -> None:
    async def story(_: Inside, controller: Watched) -> None:
        await controller._poll_once()
        controller.news()
        controller.stop()

        assert controller.news() == ["h newer", "k newer"]
        assert controller.shutdown.is_set()

    played(story)


def test_loops_that_do_not_end_in_their_grace_are_ended(played: Callable[..., None]) -> None:
    async def story(_: Inside, controller: Watched) -> None:
        running = asyncio.create_task(controller.run())
        await until(lambda: controller.asked.count("h begins"), "the loops run")
        controller.stop()
        await running

        assert all(task.cancelled() for task in controller._tasks.values())
        assert controller.asked.count("h ends") == 0

    played(story, grace_s=0.01)


def test_a_bug_in_following_the_source_ends_the_loops_too(played: Callable[..., None]) -> None:
    """Hosts that are kept as an old revision says, by a controller that follows nothing any more, would be worse."""

    async def story(made: Inside, controller: Watched) -> None:
        running = asyncio.create_task(controller.run())
        await until(lambda: controller.asked.count("h begins"), "the loops run")
        made.source.tip = cast("ReconcilerError", "unknown to the source")
        controller.look_now()
        with pytest.raises(KeyError):
            await running

        assert controller.shutdown.is_set()
        assert all(task.done() for task in controller._tasks.values())

    played(story, grace_s=0.01)


def test_two_plan_sources_are_compared_by_what_they_say() -> None:
    """A loop goes on with its plan while the revision in force is the one that it planned."""
    assert PlanSource("x", "one") == PlanSource("x", "one") != PlanSource("x", "two")
    assert Current.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_a_second_request_to_end_ends_the_loops_at_whatever_point_it_comes(played: Callable[..., None]) -> None:
    async def story(_: Inside, controller: Watched) -> None:
        for turns in range(20):
            controller.shutdown.clear()
            running = asyncio.create_task(controller.run())
            await until(lambda: controller.asked.count("h begins") == 1, "the loops run")
            controller.stop()
            for _turn in range(turns):
                await asyncio.sleep(0)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

            assert all(task.done() for task in controller._tasks.values()), turns
            controller._tasks.clear()
            controller._loops.clear()
            controller._current = None
            controller.asked.clear()

    played(story, grace_s=600.0)
