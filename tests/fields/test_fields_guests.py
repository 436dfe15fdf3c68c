"""Every field of Zone and VirtualMachine of every brand: what a plan promises is what the host takes.

Guests that run and guests that are stopped, with restarts forbidden, permitted later, and permitted at once.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fields.ground import Fields, least, wanted
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


@pytest.mark.parametrize("brand", ["joyent-minimal", "lx"])
def test_resolvers_reach_a_zone_as_promised_whatever_waits_beside(ground: Fields, brand: str) -> None:
    """Whether a zone keeps them is itself decided at a boot."""

    def zone(resolver: str, disruption: str = "none", *, kept: bool) -> Any:
        spec = {**least(brand), "resolvers": [resolver], "native": {"smartos": {"maintain_resolvers": kept}}}
        return wanted("Zone", "web1", spec, disruption=disruption)

    def steps(resource: Any) -> tuple[dict[str, str], Any]:
        actions = ground.planned(resource).actions
        found = {
            one.name: "firstBoot" if one.first_boot_only else one.effect.value
            for action in actions
            for one in action.change.fields
        }
        ground.converges(resource)
        runs = ground.guest("web1").running
        assert runs is not None
        return found, runs["resolvers"]

    flag = "native.smartos.maintain_resolvers"
    ground.converges(zone("10.0.0.1", kept=False))
    assert steps(zone("10.0.0.2", kept=False)) == ({"resolvers": "firstBoot"}, ["10.0.0.1"])
    assert steps(zone("10.0.0.2", kept=True)) == ({flag: "staged"}, ["10.0.0.1"])
    assert steps(zone("10.0.0.3", kept=True)) == ({"resolvers": "staged"}, ["10.0.0.1"])
    assert steps(zone("10.0.0.3", "restart", kept=True)) == ({"pendingRestart": "restart"}, ["10.0.0.3"])
    assert steps(zone("10.0.0.4", kept=True)) == ({"resolvers": "inPlace"}, ["10.0.0.4"])
    assert steps(zone("10.0.0.4", kept=False)) == ({flag: "staged"}, ["10.0.0.4"])
    assert steps(zone("10.0.0.5", kept=False)) == ({"resolvers": "inPlace"}, ["10.0.0.5"])
    assert steps(zone("10.0.0.5", "restart", kept=False)) == ({"pendingRestart": "restart"}, ["10.0.0.5"])
    assert steps(zone("10.0.0.6", "restart", kept=False)) == ({"resolvers": "firstBoot"}, ["10.0.0.5"])
