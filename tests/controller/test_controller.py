"""The controller between source and hosts: which revision is in force, which hosts are woken, begun, and let go."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from reconciler.controller.controller import Controller
from reconciler.controller.host_loop import Current, HostLoop
from reconciler.model.errors import ReconcilerError
from reconciler.model.plan import PlanSource
from reconciler.provider.registry import Registry
from reconciler.source.errors import SourceAway
from reconciler.store.ledger import hosts_in_ledger
from tests.controller.inside import Inside, full_disk, inside, until
from tests.controller.running import HOST, REPOSITORY, dataset, host, objects

AWAY = SourceAway("the remote is away", remedy="wait", transient=True)
Files = dict[str, str | bytes | None]


@dataclass
class FakeLoop:
    """Notes what a controller asks of a host's loop."""

    host: str
    asked: list[str]
    leave: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self, *, newer: bool) -> None:
        self.asked.append(f"{self.host} {'newer' if newer else 'look'}")

    def try_all(self) -> None:
        self.asked.append(f"{self.host} all")

    def retire(self) -> None:
        self.asked.append(f"{self.host} retire")
        self.leave.set()

    async def run(self) -> None:
        self.asked.append(f"{self.host} begins")
        await self.leave.wait()
        self.asked.append(f"{self.host} ends")


@dataclass
class Watched(Controller):
    """A controller whose loops only note what is asked of them."""

    asked: list[str] = field(default_factory=list)

    def _start_loop(self, host: str) -> None:
        loop = cast("HostLoop", FakeLoop(host, self.asked))
        self._loops[host] = loop
        self._tasks[host] = asyncio.create_task(self._attend(host, loop, self._tasks.get(host)))
        self.asked.append(f"{host} start")

    def news(self) -> list[str]:
        """What was asked since the last time, without the loops' own words."""
        found = [asked for asked in self.asked if not asked.endswith((" begins", " ends"))]
        self.asked.clear()
        return found


TWO: Files = {**host("h"), **host("k"), **objects(dataset("tank/a"), of="h"), **objects(dataset("tank/a"), of="k")}


@pytest.fixture
def played(registry: Registry, tmp_path: Path) -> Callable[..., None]:
    """Plays a story with a watched controller over a source whose tip is `one`."""

    def play(story: Callable[[Inside, Watched], Coroutine[Any, Any, None]], files: Files = TWO, **more: Any) -> None:
        async def run() -> None:
            async with inside(registry, tmp_path / "state", files) as made:
                made.source.listed.clear()
                controller = made.controller(Watched, **more)
                assert isinstance(controller, Watched)
                try:
                    await story(made, controller)
                finally:
                    for task in controller._tasks.values():
                        task.cancel()
                    await asyncio.gather(*controller._tasks.values(), return_exceptions=True)

        asyncio.run(run())

    return play


def in_force(controller: Controller) -> str:
    return controller._current.source.revision if controller._current is not None else ""


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


def test_the_same_revision_again_wakes_nobody(played: Callable[..., None]) -> None:
    async def story(made: Inside, controller: Watched) -> None:
        await controller._poll_once()
        controller.news()
        polled = [await controller._poll_once() for _ in range(3)]

        assert polled == [True] * 3
        assert controller.news() == []
        assert made.source.listed == ["one"]

    played(story)


def test_an_invalid_revision_is_read_and_told_once_and_does_not_hurry_the_polls(played: Callable[..., None]) -> None:
    async def story(made: Inside, controller: Watched) -> None:
        await controller._poll_once()
        controller.news()
        made.put("bad", {**TWO, **objects(dataset("tank/a", "loads"), of="k")})
        polled = [await controller._poll_once() for _ in range(3)]

        assert polled == [True] * 3
        assert made.source.listed == ["one", "bad"]
        assert [said["place"] for said in made.log.said("invalid")] == ["hosts/k/objects.yaml:7:23"]
        assert made.log.said("invalid")[0]["subject"] == "Dataset tank/a"
        assert [said["cause"] for said in made.log.said("source")] == ["revision bad is invalid"]
        assert controller.news() == ["h look", "k look"]
        assert in_force(controller) == "one"
        assert controller._fetched == "bad"
        assert controller._stale.startswith("revision bad is invalid: hosts/k/objects.yaml:7:23  Dataset tank/a: ")

    played(story)


def test_the_next_good_revision_ends_that_and_wakes_all_to_say_so(played: Callable[..., None]) -> None:
    async def story(made: Inside, controller: Watched) -> None:
        await controller._poll_once()
        made.put("bad", {**TWO, **objects(dataset("tank/a", "loads"), of="k")})
        await controller._poll_once()
        controller.news()
        made.put("good", TWO)
        await controller._poll_once()

        assert controller._stale == ""
        assert controller.news() == ["h look", "k look"]
        assert in_force(controller) == "good"

    played(story)


def test_an_invalid_revision_that_comes_again_is_refused_again(played: Callable[..., None]) -> None:
    async def story(made: Inside, controller: Watched) -> None:
        await controller._poll_once()
        made.put("bad", {**TWO, **objects(dataset("tank/a", "loads"), of="k")})
        for tip in ("bad", "one", "bad"):
            made.source.tip = tip
            await controller._poll_once()

        assert in_force(controller) == "one"
        assert controller._stale.startswith("revision bad is invalid: hosts/k/objects.yaml:7:23  ")

    played(story)


def test_a_remote_that_is_away_is_told_once_and_tried_sooner(played: Callable[..., None]) -> None:
    async def story(made: Inside, controller: Watched) -> None:
        await controller._poll_once()
        controller.news()
        made.source.tip = AWAY
        away = [await controller._poll_once() for _ in range(3)]
        told = controller.news()
        made.source.tip = "one"
        back = await controller._poll_once()

        assert (away, back) == ([False] * 3, True)
        assert len(made.log.said("source")) == 1
        assert told == ["h look", "k look"]
        assert controller.news() == ["h look", "k look"]
        assert controller._stale == ""

    played(story)


def test_a_remote_that_is_away_at_the_start_leaves_the_last_good_revision_in_force_and_stale(
    played: Callable[..., None],
) -> None:
    async def story(made: Inside, controller: Watched) -> None:
        made.source.tip, made.source.accepted = AWAY, "one"
        polled = [await controller._poll_once() for _ in range(2)]

        assert polled == [False, False]
        assert in_force(controller) == "one"
        assert controller._fetched == "one"
        assert controller._stale == "the remote is away"
        assert made.source.listed == ["one"]

    played(story)


def test_a_remote_that_is_away_at_the_start_and_nothing_known_starts_nothing(played: Callable[..., None]) -> None:
    async def story(made: Inside, controller: Watched) -> None:
        made.source.tip = AWAY
        await controller._poll_once()

        assert controller._current is None
        assert controller.news() == []

    played(story)


def test_a_last_good_revision_that_is_invalid_is_read_once(played: Callable[..., None]) -> None:
    async def story(made: Inside, controller: Watched) -> None:
        made.put("bad", {**TWO, **objects(dataset("tank/a", "loads"), of="k")})
        made.source.tip, made.source.accepted = AWAY, "bad"
        for _ in range(3):
            await controller._poll_once()

        assert made.source.listed == ["bad"]
        assert controller._current is None

    played(story)


def test_a_revision_that_can_not_be_read_is_tried_again(played: Callable[..., None]) -> None:
    async def story(made: Inside, controller: Watched) -> None:
        await controller._poll_once()
        made.put("two", {**TWO, **host("m")})
        made.source.unreadable.add("two")
        first = await controller._poll_once()
        made.source.unreadable.clear()
        second = await controller._poll_once()

        assert (first, second) == (False, True)
        assert in_force(controller) == "two"
        assert controller._stale == ""

    played(story)


def test_another_revision_may_take_as_much_again(played: Callable[..., None]) -> None:
    from reconciler.model.key import Key

    async def story(made: Inside, controller: Watched) -> None:
        await controller._poll_once()
        controller._tally.add("h", {Key("h", "Dataset", "tank/a"): 1})
        await controller._poll_once()
        kept = controller._tally.elsewhere("k").count
        made.put("two", TWO)
        await controller._poll_once()

        assert kept == 1
        assert controller._tally.elsewhere("k").count == 0

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
