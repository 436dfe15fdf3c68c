"""Back-off per object: what of a plan waits after a failure, until when, and what ends the wait."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from reconciler.controller.backoff import RETRIES, RETRIES_WITHIN_S, Backoff, Turn
from reconciler.controller.schedule import FIRST_RETRY_S, Schedule
from reconciler.model.command import Failure, RetryClass
from reconciler.model.lifecycle import Lifecycle, Protect
from reconciler.model.observed import Unreadable
from reconciler.model.outcome import Outcome, OutcomeState
from reconciler.model.plan import HostPlan
from reconciler.model.resource import Resource
from tests.planning.world import dataset, planned, standing

A, B, CHILD = dataset("tank/a"), dataset("tank/b"), dataset("tank/a/child")
INTERVAL_S = 60.0
BLIND = Unreadable("zfs", ("Dataset", "Volume"), "`zfs get` exited with 1", "look")


def backoff(random: float = 0.5) -> Backoff:
    return Backoff(Schedule(INTERVAL_S, lambda: random))


def names(turn: Turn) -> list[str]:
    """What may run."""
    return [action.key.name for action in turn.plan.runnable]


def outcomes(
    plan: HostPlan,
    failed: Iterable[Resource] = (),
    retry: RetryClass = RetryClass.LATER,
    state: OutcomeState = OutcomeState.FAILED,
) -> list[Outcome]:
    bad = {resource.key for resource in failed}
    skipped = {action.id for action in plan.runnable if action.key in bad}
    ended = []
    for action in plan.runnable:
        if action.key in bad:
            ended.append(Outcome(action.id, action.key, state, 1, failure=Failure("no", "look", retry)))
        elif skipped & set(action.after):
            skipped.add(action.id)
            ended.append(Outcome(action.id, action.key, OutcomeState.SKIPPED))
        else:
            ended.append(Outcome(action.id, action.key, OutcomeState.SUCCEEDED, 1))
    return ended


def one_pass(
    backing: Backoff,
    wanted: Sequence[Resource],
    now: float,
    failed: Iterable[Resource] = (),
    retry: RetryClass = RetryClass.LATER,
    *,
    revision: str = "one",
    state: OutcomeState = OutcomeState.FAILED,
) -> list[str]:
    """A pass in which `failed` fail, and what was tried in it."""
    turn = backing.turn(planned(wanted), revision, now)
    ended = outcomes(turn.plan, failed, retry, state)
    done = {outcome.key for outcome in ended if outcome.state is OutcomeState.SUCCEEDED}
    backing.note(turn.plan, ended, planned([one for one in wanted if one.key not in done]), revision, now)
    return names(turn)


def test_without_failures_a_plan_is_left_as_it_is() -> None:
    plan = planned([A, B, CHILD])

    assert backoff().turn(plan, "one", 0.0) == Turn(plan, {})


def test_what_failed_waits_and_nothing_else_does() -> None:
    backing = backoff()

    assert one_pass(backing, [A, B], 0.0, [A]) == ["tank/a", "tank/b"]
    turn = backing.turn(planned([A, B]), "one", 1.0)

    assert names(turn) == ["tank/b"]
    assert [(key, wait.until, wait.failures) for key, wait in turn.waits.items()] == [(A.key, FIRST_RETRY_S, 1)]
    assert turn.next_attempt == FIRST_RETRY_S


def test_what_depends_on_it_waits_as_long_and_says_for_whom() -> None:
    backing = backoff()
    one_pass(backing, [A, CHILD, B], 0.0, [A])

    turn = backing.turn(planned([A, CHILD, B]), "one", 1.0)

    assert names(turn) == ["tank/b"]
    assert turn.waits[CHILD.key] == turn.waits[A.key]
    assert turn.waits[CHILD.key].told(CHILD.key) == "waits for hv01/Dataset/tank/a, which failed once: no"
    assert turn.waits[A.key].told(A.key) == "failed once: no"


def test_pauses_grow_to_the_interval_and_end_with_a_success() -> None:
    backing, now, pauses = backoff(), 0.0, []
    for _ in range(9):
        assert one_pass(backing, [A], now, [A]) == ["tank/a"]
        after = backing.turn(planned([A]), "one", now).next_attempt
        assert after is not None
        pauses.append(after - now)
        now = after

    assert pauses[0] == FIRST_RETRY_S
    assert all(later == min(2 * earlier, INTERVAL_S) for earlier, later in itertools.pairwise(pauses))
    assert one_pass(backing, [A], now) == ["tank/a"]
    assert one_pass(backing, [A], now + 0.1, [A]) == ["tank/a"]
    assert backing.turn(planned([A]), "one", now + 0.1).waits[A.key].failures == 1


@pytest.mark.parametrize(("random", "share"), [(0.0, 0.9), (1.0, 1.1)])
def test_pauses_are_spread_by_a_tenth(random: float, share: float) -> None:
    backing = backoff(random)
    one_pass(backing, [A], 0.0, [A])

    assert backing.turn(planned([A]), "one", 0.0).next_attempt == pytest.approx(FIRST_RETRY_S * share)


def test_each_object_has_jitter_of_its_own() -> None:
    numbers = iter((0.0, 1.0))
    backing = Backoff(Schedule(INTERVAL_S, lambda: next(numbers)))
    one_pass(backing, [A, B], 0.0, [A, B])

    waits = backing.turn(planned([A, B]), "one", 0.0).waits

    assert [wait.until for wait in waits.values()] == pytest.approx([0.9 * FIRST_RETRY_S, 1.1 * FIRST_RETRY_S])


@pytest.mark.parametrize("retry", RetryClass)
@pytest.mark.parametrize("state", [OutcomeState.FAILED, OutcomeState.UNKNOWN])
def test_only_a_certain_failure_that_needs_a_person_waits_without_end(retry: RetryClass, state: OutcomeState) -> None:
    backing = backoff()
    one_pass(backing, [A], 0.0, [A], retry, state=state)

    for_ever = retry is RetryClass.NEVER and state is OutcomeState.FAILED
    assert (names(backing.turn(planned([A]), "one", 1e9)) == []) == for_ever
    assert (backing.turn(planned([A]), "one", 0.0).next_attempt is None) == for_ever


def test_what_needs_a_person_is_tried_again_in_another_revision() -> None:
    backing = backoff()
    one_pass(backing, [A], 0.0, [A], RetryClass.NEVER)

    assert names(backing.turn(planned([A]), "two", 1.0)) == ["tank/a"]


def test_another_revision_alone_does_not_end_a_pause() -> None:
    backing = backoff()
    one_pass(backing, [A], 0.0, [A])

    assert names(backing.turn(planned([A]), "two", 1.0)) == []


@pytest.mark.parametrize("retry", [RetryClass.LATER, RetryClass.NEVER])
@pytest.mark.parametrize(
    ("newer", "reason"),
    [
        (dataset("tank/a", quota=1 << 20), "another value"),
        (dataset("tank/a", Lifecycle(protect=Protect.REMOVAL)), "another lifecycle"),
    ],
)
def test_a_manifest_that_wants_something_else_begins_anew(retry: RetryClass, newer: Resource, reason: str) -> None:
    backing = backoff()
    for now in (0.0, 10.0, 30.0):
        one_pass(backing, [A], now, [A], retry)

    assert one_pass(backing, [newer], 31.0, [newer], revision="two") == ["tank/a"], reason
    assert backing.turn(planned([newer]), "two", 31.0).waits[A.key].failures == 1


def test_a_manifest_that_only_moved_in_its_file_wants_nothing_else() -> None:
    backing = backoff()
    one_pass(backing, [A], 0.0, [A])
    moved = replace(A, origin=A.origin._replace(line=A.origin.line + 7))

    assert names(backing.turn(planned([moved]), "two", 1.0)) == []


@pytest.mark.parametrize("retry", [RetryClass.LATER, RetryClass.NEVER])
def test_an_action_that_became_another_one_does_not_wait_and_its_failures_still_count(retry: RetryClass) -> None:
    backing = backoff()
    wanted = dataset("tank/a", quota=1 << 20)
    one_pass(backing, [wanted], 0.0, [wanted], retry)
    there = planned([wanted], [standing(wanted, fields={"properties.quota": 2 << 20})])

    turn = backing.turn(there, "one", 1.0)
    backing.note(turn.plan, outcomes(turn.plan, [wanted]), there, "one", 1.0)

    assert names(turn) == ["tank/a"]
    assert backing.turn(there, "one", 1.0).waits[A.key].failures == 2


def test_what_is_left_to_do_after_half_of_an_action_waits_too() -> None:
    """Else an object whose every try gets a step further, or seems to, would be tried in each pass."""
    backing = backoff()
    wanted = dataset("tank/a", quota=1 << 20)
    turn = backing.turn(planned([wanted]), "one", 0.0)
    half = planned([wanted], [standing(wanted, fields={"properties.quota": None})])
    assert half.runnable[0].id != turn.plan.runnable[0].id
    backing.note(turn.plan, outcomes(turn.plan, [wanted]), half, "one", 0.0)

    assert names(backing.turn(half, "one", 1.0)) == []


def test_a_success_that_the_look_after_it_does_not_bear_out_is_a_failure() -> None:
    backing = backoff()
    turn = backing.turn(planned([A]), "one", 0.0)
    backing.note(turn.plan, outcomes(turn.plan), planned([A]), "one", 0.0)

    wait = backing.turn(planned([A]), "one", 1.0).waits[A.key]

    assert wait.told(A.key) == "failed once: its commands ended well, and the host is still not as wanted"
    assert wait.until == FIRST_RETRY_S


def test_a_failure_of_something_that_is_as_wanted_after_all_is_none() -> None:
    backing = backoff()
    turn = backing.turn(planned([A]), "one", 0.0)
    backing.note(turn.plan, outcomes(turn.plan, [A]), planned(), "one", 0.0)

    assert names(backing.turn(planned([A]), "one", 0.0)) == ["tank/a"]


def test_what_was_cancelled_or_skipped_has_not_failed() -> None:
    backing = backoff()
    plan = planned([A, CHILD])
    ended = [Outcome(action.id, action.key, OutcomeState.CANCELLED) for action in plan.runnable]
    backing.note(plan, ended, plan, "one", 0.0)
    cancelled = names(backing.turn(plan, "one", 0.0))
    one_pass(backing, [A, CHILD], 0.0, [A])
    one_pass(backing, [A, CHILD], FIRST_RETRY_S)

    assert cancelled == ["tank/a", "tank/a/child"]
    assert backing.turn(plan, "one", FIRST_RETRY_S).waits == {}


def test_a_retry_that_was_cancelled_is_still_due_and_costs_nothing() -> None:
    backing = backoff()
    one_pass(backing, [A], 0.0, [A])
    plan = planned([A])
    ended = [Outcome(plan.runnable[0].id, A.key, OutcomeState.CANCELLED)]
    backing.note(plan, ended, plan, "one", FIRST_RETRY_S)

    assert names(backing.turn(plan, "one", FIRST_RETRY_S)) == ["tank/a"]
    assert backing.budget.left(FIRST_RETRY_S) == RETRIES


def test_a_look_that_could_not_see_forgets_no_failure() -> None:
    backing = backoff()
    one_pass(backing, [A], 0.0, [A])
    backing.note(planned(), [], replace(planned(), unreadable=(BLIND,)), "one", 1.0)
    remembered = names(backing.turn(planned([A]), "one", 1.0))
    backing.note(planned(), [], planned(), "one", 1.0)

    assert remembered == []
    assert names(backing.turn(planned([A]), "one", 1.0)) == ["tank/a"]


def test_a_failure_whose_end_could_not_be_seen_waits() -> None:
    backing = backoff()
    turn = backing.turn(planned([A, B]), "one", 0.0)
    blind = replace(planned(), unreadable=(BLIND,))
    backing.note(turn.plan, outcomes(turn.plan, [A]), blind, "one", 0.0)

    assert names(backing.turn(planned([A, B]), "one", 1.0)) == ["tank/b"]


def test_asked_to_forget_it_tries_everything_with_a_full_budget() -> None:
    backing = backoff()
    one_pass(backing, [A], 0.0, [A], RetryClass.NEVER)
    backing.budget.spend(RETRIES, 0.0)
    backing.forget()

    assert names(backing.turn(planned([A]), "one", 0.0)) == ["tank/a"]
    assert backing.budget.left(0.0) == RETRIES


MANY = [dataset(f"tank/{number:03}") for number in range(RETRIES + 10)]


def test_first_attempts_are_free_and_retries_are_not() -> None:
    backing = backoff()

    assert len(one_pass(backing, MANY, 0.0, MANY)) == len(MANY)
    assert backing.budget.left(0.0) == RETRIES
    assert len(one_pass(backing, MANY, FIRST_RETRY_S, MANY)) == RETRIES
    assert one_pass(backing, MANY, FIRST_RETRY_S, MANY) == []


def test_what_the_budget_has_no_room_for_waits_for_its_turn_and_says_so() -> None:
    backing = backoff()
    one_pass(backing, MANY, 0.0, MANY)
    one_pass(backing, MANY, FIRST_RETRY_S, MANY)

    starved = [wait for wait in backing.turn(planned(MANY), "one", FIRST_RETRY_S).waits.values() if wait.is_over_budget]

    one_more = RETRIES_WITHIN_S / RETRIES
    expected = [FIRST_RETRY_S + number * one_more for number in range(1, 11)]
    assert [wait.until for wait in starved] == pytest.approx(expected)
    assert "30 retries in 10 minutes are used up" in starved[0].told(starved[0].failed)


def test_the_budget_bounds_what_a_host_is_asked_for_and_leaves_nobody_out() -> None:
    backing, now, tried = backoff(), 0.0, []
    one_pass(backing, MANY, now, MANY)
    while now < 2 * RETRIES_WITHIN_S:
        after = backing.turn(planned(MANY), "one", now).next_attempt
        assert after is not None
        now = max(now, after)
        tried += [(now, name) for name in one_pass(backing, MANY, now, MANY)]

    in_time = [name for at, name in tried if at <= RETRIES_WITHIN_S]
    assert RETRIES < len(in_time) <= 2 * RETRIES
    assert {name for _, name in tried} == {resource.key.name for resource in MANY}


def test_a_spent_budget_delays_no_first_attempt() -> None:
    backing = backoff()
    one_pass(backing, MANY, 0.0, MANY)
    one_pass(backing, MANY, FIRST_RETRY_S, MANY)

    assert names(backing.turn(planned([*MANY, A]), "one", FIRST_RETRY_S)) == ["tank/a"]
