"""A change that its provider has no commands for is refused with its cause; the rest of the plan stands."""

from dataclasses import replace

from reconciler.model.key import ObjectName
from reconciler.model.plan import Reason
from tests.planning.guests import IMPOSSIBLE, guest, planned


def test_it_is_blocked_and_the_others_are_made() -> None:
    made = planned([guest(name=IMPOSSIBLE), guest(name="web1")])

    assert [(item.key.name, item.reason, item.cause, item.remedy) for item in made.blocked] == [
        (IMPOSSIBLE, Reason.UNSUPPORTED, "no machine can be that", "wish for another")
    ]
    assert [action.key.name for action in made.actions] == ["web1"]


def test_what_depends_on_it_is_blocked_too() -> None:
    first, second = guest(name=IMPOSSIBLE), guest(name="web1")
    made = planned([first, replace(second, depends_on=(ObjectName("Guest", IMPOSSIBLE),))])

    assert sorted(item.key.name for item in made.blocked) == [IMPOSSIBLE, "web1"]
    assert made.actions == ()
