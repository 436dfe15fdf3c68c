"""The reason of an update: who moved, the manifest or the host."""

import pytest

from reconciler.model.resource import Resource
from tests.planning.world import GIB, dataset, planned, row, standing

APPLIED = dataset("tank/a", quota=GIB, compression="lz4")


@pytest.mark.parametrize(
    ("applied", "there", "why"),
    [
        (None, (2 * GIB, "lz4"), "it differs from its manifest"),
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
