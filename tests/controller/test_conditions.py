"""Conditions: which may hold together, since when, and what they say."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.controller.conditions import NO_ATTEMPTS, Attempt, Attempts, drifted, host_status
from reconciler.controller.passes import HostResult
from reconciler.model.change import Verb
from reconciler.model.command import Failure, RetryClass
from reconciler.model.lifecycle import Lifecycle, Mode
from reconciler.model.observed import Unreadable
from reconciler.model.outcome import Outcome, OutcomeState
from reconciler.model.plan import Action, Blocked, HostPlan, Miss, Reason
from reconciler.planning.view import HostView
from tests.planning.world import NOW, dataset, observed, planned, row, standing, view

ORDER = ("Ready", "Drifted", "Blocked", "Unreadable", "PendingRestart", "SourceStale")
BLIND = Unreadable("zfs", ("Dataset", "Volume"), "`zfs get` exited with 1", "look")
WANTED = dataset("tank/a", quota=1 << 20)
REPORTED = dataset("tank/a", Lifecycle(mode=Mode.REPORT), quota=1 << 20)
BLOCKED = Blocked(WANTED.key, Verb.UPDATE, Reason.NOT_OURS, "it is not ours", "adopt it")


SOON = Attempt(NOW + timedelta(seconds=4), "failed twice: no")


def drifting(wanted: Any = WANTED) -> tuple[HostView, HostPlan]:
    """An object that was applied as wanted, and whose quota is another now."""
    there = standing(wanted, fields={"properties.quota": 2 << 20})
    return view([wanted], [there], [row(wanted)]), planned([wanted], [there], [row(wanted)])


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in document["conditions"]}


def said(document: dict[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(condition for condition in document["conditions"] if condition["type"] == kind)
    return found


def status(
    plan: HostPlan,
    outcomes: Sequence[Outcome] = (),
    *,
    seen: HostView | None = None,
    stale: str = "",
    before: Any = None,
    now: Any = NOW,
    attempts: Attempts = NO_ATTEMPTS,
) -> dict[str, Any]:
    return host_status(seen or view(), HostResult("hv01", tuple(outcomes), plan), "one", "two", stale, now, before, attempts)


def outcome(action: Action, state: OutcomeState) -> Outcome:
    failure = None if state is OutcomeState.SUCCEEDED else Failure("it went wrong", "look", RetryClass.NEVER)
    return Outcome(action.id, action.key, state, 1, failure=failure)


def illegal(document: dict[str, Any]) -> list[str]:
    """Which rules a host's conditions break."""
    holds = statuses(document)
    rules = {
        "each type once, in order": tuple(condition["type"] for condition in document["conditions"]) == ORDER,
        "ready is not blocked": holds["Ready"] == "False" or holds["Blocked"] == "False",
        "ready is readable": holds["Ready"] == "False" or holds["Unreadable"] == "False",
        "ready is nothing known of drift that we correct": holds["Ready"] == "False" or holds["Drifted"] != "Unknown",
        "what could not be looked at may have drifted": holds["Unreadable"] == "False" or holds["Drifted"] != "False",
        "what is bad says why": all(
            condition["message"]
            for condition in document["conditions"]
            if condition["status"] == ("False" if condition["type"] == "Ready" else "True")
        ),
        "every reason is one word": all(condition["reason"].isalpha() for condition in document["conditions"]),
    }
    return [rule for rule, kept in rules.items() if not kept]


@pytest.mark.parametrize("final", ["empty", "drift", "reported", "created"])
@pytest.mark.parametrize("state", [None, *OutcomeState])
@pytest.mark.parametrize("waits", [False, True])
def test_only_legal_combinations_come_of_any_pass(final: str, state: OutcomeState | None, waits: bool) -> None:
    """Every mixture of what a final plan may hold, with each way in which the actions before it can have ended."""
    seen, pending = {
        "empty": (view(), planned()),
        "drift": drifting(),
        "reported": drifting(REPORTED),
        "created": (view([WANTED]), planned([WANTED])),
    }[final]
    outcomes = [] if state is None else [outcome(action, state) for action in pending.actions]
    attempts = Attempts({action.key: SOON for action in pending.runnable}, SOON.at) if waits else NO_ATTEMPTS
    for blocked, blind, wrong, stale in itertools.product((False, True), repeat=4):
        plan = replace(
            pending,
            blocked=(BLOCKED,) if blocked else (),
            unreadable=(BLIND,) if blind else (),
            wrong_host="the machine's hostname is x" if wrong else "",
        )
        document = status(plan, outcomes, seen=seen, stale="the remote is away" if stale else "", attempts=attempts)

        assert illegal(document) == [], (blocked, blind, wrong, stale)
        assert statuses(document)["SourceStale"] == str(stale)
        assert (statuses(document)["Ready"] == "True") == (not (blocked or blind or wrong or plan.runnable))


def test_the_rules_see_an_illegal_combination() -> None:
    document = status(planned())
    said(document, "Blocked").update(status="True")

    assert illegal(document) == ["ready is not blocked", "what is bad says why"]


def test_a_time_is_kept_while_the_status_stays_and_moves_when_it_changes() -> None:
    seen, plan = drifting()
    first = status(planned())
    same = status(planned(), before=first, now=NOW + timedelta(minutes=1))
    changed = status(plan, seen=seen, before=same, now=NOW + timedelta(minutes=2))
    back = status(planned(), before=changed, now=NOW + timedelta(minutes=3))

    times = [[said(document, kind)["since"][14:16] for kind in ORDER] for document in (first, same, changed, back)]
    assert times == [
        ["04", "04", "04", "04", "04", "04"],
        ["04", "04", "04", "04", "04", "04"],
        ["06", "06", "04", "04", "04", "04"],
        ["07", "07", "04", "04", "04", "04"],
    ]


def test_a_time_is_kept_though_reason_and_message_change() -> None:
    first = status(planned([WANTED]), seen=view([WANTED]))
    second = status(replace(planned(), blocked=(BLOCKED,)), before=first, now=NOW + timedelta(minutes=1))

    assert (said(first, "Ready")["reason"], said(second, "Ready")["reason"]) == ("Pending", "Blocked")
    assert said(first, "Ready")["since"] == said(second, "Ready")["since"]


def test_the_time_of_an_object_is_its_own() -> None:
    blocked = replace(planned(), blocked=(BLOCKED,))
    first = status(blocked)
    second = status(blocked, before=first, now=NOW + timedelta(minutes=1))
    gone = status(planned(), before=second, now=NOW + timedelta(minutes=2))
    again = status(blocked, before=gone, now=NOW + timedelta(minutes=3))

    sinces = [document["resources"][0]["conditions"][0]["since"] for document in (first, second, again)]
    assert sinces[0] == sinces[1] != sinces[2]
    assert gone["resources"] == []


READY = [
    ({}, "Converged", "nothing is left"),
    ({"blocked": (BLOCKED,)}, "Blocked", "something is refused"),
    ({"wrong_host": "x"}, "WrongHost", "it is another machine"),
    ({"unreadable": (BLIND,), "blocked": (BLOCKED,), "wrong_host": "x"}, "Unreadable", "what could not be seen comes first"),
    ({"blocked": (BLOCKED,), "wrong_host": "x"}, "WrongHost", "then which machine it is"),
]


@pytest.mark.parametrize(("parts", "word", "reason"), READY)
def test_ready_names_the_gravest_reason(parts: dict[str, Any], word: str, reason: str) -> None:
    assert said(status(replace(planned(), **parts)), "Ready")["reason"] == word, reason


def test_a_failed_action_is_the_reason_and_names_the_object_while_it_is_pending() -> None:
    plan = planned([WANTED])
    failed = [outcome(plan.actions[0], OutcomeState.FAILED)]

    pending, mended = status(plan, failed, seen=view([WANTED])), status(planned(), failed)

    assert said(pending, "Ready")["message"] == "hv01/Dataset/tank/a: it went wrong"
    assert [entry["key"] for entry in pending["resources"]] == ["hv01/Dataset/tank/a"]
    assert said(mended, "Ready")["status"] == "True"
    assert mended["resources"] == []


def test_an_object_that_waits_backs_off_and_the_host_says_so_before_what_is_refused() -> None:
    plan = replace(planned([WANTED]), blocked=(replace(BLOCKED, key=dataset("tank/z").key),))

    document = status(plan, seen=view([WANTED]), attempts=Attempts({WANTED.key: SOON}, SOON.at))

    assert said(document, "Ready")["reason"] == "BackingOff"
    assert said(document, "Ready")["message"] == (
        "hv01/Dataset/tank/a: next attempt at 2026-01-02T03:04:09.000Z: failed twice: no"
    )
    assert document["nextAttempt"] == "2026-01-02T03:04:09.000Z"
    waiting, refused = document["resources"]
    assert (waiting["key"], waiting["nextAttempt"]) == ("hv01/Dataset/tank/a", "2026-01-02T03:04:09.000Z")
    assert waiting["conditions"][0]["reason"] == "BackingOff"
    assert "nextAttempt" not in refused


def test_an_object_that_failed_just_now_says_how_and_when_it_is_tried_again() -> None:
    plan = planned([WANTED])

    document = status(
        plan,
        [outcome(plan.actions[0], OutcomeState.FAILED)],
        seen=view([WANTED]),
        attempts=Attempts({WANTED.key: SOON}, SOON.at),
    )

    (only,) = document["resources"]
    assert [condition["reason"] for condition in only["conditions"]] == ["ActionFailed"]
    assert only["nextAttempt"] == "2026-01-02T03:04:09.000Z"


def test_a_difference_that_is_only_reported_drifts_and_is_ready() -> None:
    seen, plan = drifting(REPORTED)

    document = status(plan, seen=seen)

    assert statuses(document)["Ready"] == "True"
    assert statuses(document)["Drifted"] == "True"
    assert document["resources"][0]["conditions"][0]["type"] == "Drifted"


def test_a_changed_manifest_is_no_drift() -> None:
    seen, plan = drifting()
    newer = replace(seen, ledger={WANTED.key: row(dataset("tank/a", quota=2 << 20))})

    assert [action.key.name for action in drifted(seen, plan)] == ["tank/a"]
    assert drifted(newer, plan) == ()


def test_a_changed_lifecycle_is_no_drift() -> None:
    seen, plan = drifting()
    newer = replace(seen, ledger={WANTED.key: row(WANTED, Lifecycle(mode=Mode.REPORT))})

    assert drifted(newer, plan) == ()


def test_something_new_is_no_drift() -> None:
    assert drifted(view([WANTED]), planned([WANTED])) == ()


def test_what_was_there_and_is_gone_has_drifted() -> None:
    assert len(drifted(view([WANTED], [], [row(WANTED)]), planned([WANTED], [], [row(WANTED)]))) == 1


def test_a_missed_expectation_is_told_of_the_object_and_leaves_the_host_ready() -> None:
    plan = replace(planned([], [observed("tank/x")]), misses=(Miss(WANTED.key, "health", "it is DEGRADED"),))

    document = status(plan)

    assert statuses(document)["Ready"] == "True"
    assert document["resources"] == [
        {
            "key": "hv01/Dataset/tank/a",
            "conditions": [
                {
                    "type": "Ready", "status": "False", "reason": "ExpectationMissed", "message": "it is DEGRADED",
                    "since": "2026-01-02T03:04:05.000Z",
                }
            ],
        }
    ]  # fmt: skip


def test_revisions_are_told_as_they_were_given() -> None:
    assert status(planned())["revision"] == {"applied": "one", "fetched": "two"}


def test_what_waits_for_a_boot_is_named_with_the_way_to_have_it_now() -> None:
    document = status(replace(planned(), pending_restart=((WANTED.key, ("cpus", "memory")),)))

    assert said(document, "PendingRestart")["message"] == "Dataset/tank/a"
    assert document["resources"][0]["conditions"][0]["message"] == (
        "cpus, memory act at its next boot; reboot it, or permit that with lifecycle.disruption: restart"
    )
