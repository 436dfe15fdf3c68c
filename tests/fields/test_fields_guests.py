"""Every field of Zone and VirtualMachine of every brand: what a plan promises is what the host takes.

Guests that run and guests that are stopped, with restarts forbidden, permitted later, and permitted at once.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fields.ground import Fields
from tests.fields.rows import GUESTS, ROWS
from tests.fields.scene import FIRST, NULL, SECOND, scene


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Fields]:
    made = Fields(tmp_path, "smartos")
    yield made
    made.host.close()


@pytest.mark.parametrize("brand", sorted(GUESTS))
@pytest.mark.parametrize("way", ["running", "running, restarts permitted", "stopped"])
def test_every_field_acts_as_its_plan_promised(ground: Fields, brand: str, way: str) -> None:
    disruption = "restart" if "permitted" in way else "none"
    fields = scene(ground, brand, ROWS, stopped=way == "stopped")

    fields.create()
    fields.change(SECOND, disruption)
    fields.leave_out()
    fields.change(FIRST, disruption)
    fields.change(NULL, disruption)

    assert fields.findings == [], "\n".join(fields.findings)
