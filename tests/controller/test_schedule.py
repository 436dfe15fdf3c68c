"""When to look again."""

import itertools

import pytest

from reconciler.controller.schedule import FIRST_RETRY_S, Schedule


@pytest.mark.parametrize(("random", "share"), [(0.0, 0.9), (0.5, 1.0), (1.0, 1.1)])
def test_the_interval_is_spread_by_a_tenth(random: float, share: float) -> None:
    assert Schedule(60.0, lambda: random).next_look_s(0) == pytest.approx(60.0 * share)


def test_after_trouble_the_pause_begins_short_and_grows_to_the_interval() -> None:
    schedule = Schedule(60.0, lambda: 0.5)

    pauses = [schedule.next_look_s(failures) for failures in range(1, 12)]

    assert pauses[0] == FIRST_RETRY_S
    assert all(later == min(2 * earlier, 60.0) for earlier, later in itertools.pairwise(pauses))
    assert pauses[-1] == 60.0


def test_trouble_never_makes_the_pause_longer_than_the_interval() -> None:
    assert Schedule(0.5, lambda: 0.5).next_look_s(1) == 0.5


@pytest.mark.parametrize("failures", [1024, 1025, 10**6])
def test_trouble_may_last_for_ever(failures: int) -> None:
    assert Schedule(60.0, lambda: 0.5).next_look_s(failures) == 60.0
