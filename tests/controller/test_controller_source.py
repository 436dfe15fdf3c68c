"""A controller and its source: revisions that are the same, invalid, unreadable, or not to be had."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.provider.registry import Registry
from reconciler.source.errors import SourceAway
from tests.controller.inside import Inside
from tests.controller.running import dataset, host, objects
from tests.controller.watched import TWO, Watched, in_force, player

AWAY = SourceAway("the remote is away", remedy="wait", transient=True)


@pytest.fixture
def played(registry: Registry, tmp_path: Path) -> Callable[..., None]:
    """Plays a story with a watched controller over a source whose tip is `one`."""
    return player(registry, tmp_path / "state")


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
