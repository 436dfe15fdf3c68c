"""The reason of an update: who moved, the manifest or the host."""

from dataclasses import replace

import pytest

from reconciler.model.resource import Resource
from tests.planning.world import DELETE, GIB, dataset, planned, row, standing

APPLIED = dataset("tank/a", quota=GIB, compression="lz4")


@pytest.mark.parametrize(
    ("applied", "there", "why"),
    [
        (None, (2 * GIB, "lz4"), "it differs from its manifest (what was applied last is not recorded)"),
        (APPLIED, (2 * GIB, "lz4"), "it drifted on the host; its manifest did not change"),
        (dataset("tank/a", quota=2 * GIB, compression="lz4"), (2 * GIB, "lz4"), "its manifest changed"),
        (
            dataset("tank/a", quota=2 * GIB, compression="lz4"),
            (2 * GIB, "gzip"),
            "its manifest changed, and properties.compression drifted on the host",
        ),
    ],
    ids=["nothing known", "drift", "edit", "both"],
)
def test_an_update_says_who_moved(applied: Resource | None, there: tuple[int, str], why: str) -> None:
    found = standing(APPLIED, fields={"properties.quota": there[0], "properties.compression": there[1]})

    plan = planned([APPLIED], [found], [row(applied)] if applied is not None else [])

    assert [action.why for action in plan.actions] == [why]


def test_what_was_applied_and_is_not_there_is_said_to_have_vanished() -> None:
    new, vanished = planned([APPLIED]), planned([APPLIED], [], [row(APPLIED)])

    assert [action.why for action in new.actions] == ["it is not there"]
    assert [action.why for action in vanished.actions] == ["it was applied before and has vanished from the host"]


def test_what_a_removal_will_cost_from_now_on_is_said_when_its_manifest_consents() -> None:
    riskier = replace(APPLIED, lifecycle=DELETE)
    plan = planned([riskier], [standing(APPLIED)], [row(APPLIED)])

    assert [action.why for action in plan.actions] == [
        "its mark says lifecycle.onRemoval: trash (from now on a removal destroys it)"
    ]
