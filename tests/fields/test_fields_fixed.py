"""Fields that never change, that matter only when a guest is made, that replace it, or that SmartOS has not got.

With the table of fields that change (rows.py) and that of disks (test_fields_disks.py) these are all that a manifest can state.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.tools import vmadm_native
from reconciler.emulation.guests.view import GuestView
from reconciler.model.change import Verb
from reconciler.model.plan import HostPlan, Reason
from tests.fields.ground import IMAGES, KINDS, OTHER_IMAGE, Fields, judged, kind_of, least, placed, wanted
from tests.fields.rows import GUESTS, MACHINES, ROWS, ZONES
from tests.fields.test_fields_disks import DISK_FIELDS

UUID = "4f2c9ad1-32a5-4a83-8e5c-0d3b2c7f1a01"
OTHER_UUID = "4f2c9ad1-32a5-4a83-8e5c-0d3b2c7f1a02"

FIXED: dict[str, tuple[Any, Any]] = {
    "uuid": (UUID, OTHER_UUID),
    "pool": ("zones", "pond"),
    "brand": ("joyent-minimal", "joyent"),
    "engine": ("bhyve", "kvm"),
}
"""Fields that never change: what is made, and what is refused then."""

ONCE = {
    "imageUpdate": ("never", "never"),
    "native.smartos.mdata_exec_timeout": (100, 200),
    "native.smartos.nowait": (False, True),
}
"""Fields that are read when a guest is made, and never compared."""

POWER = {"state", "image", "delegatedDataset"}
"""Fields with a test of their own below."""

LACKING: dict[str, Any] = {
    "zonePath": "/zones/web1",
    "maxProcesses": 100,
    "datasets[]": ["zones/data"],
    "cloudInit.networkConfig": "version: 2\n",
    "cloudInit.instanceId": "one",
    "console.serial": "log",
    "console.vnc.bind": "10.0.0.2",
    "nics[].vnic": "web0",
    "nics[].link": "web0",
    "nics[].maxBandwidth": "100Mbps",
}
"""Fields that SmartOS has not got, each with a value that other systems take."""

LACKING_ON_ZONES: dict[str, Any] = {"nics[].model": "virtio"}
LACKING_ON_MACHINES: dict[str, Any] = {"dnsDomain": "example.org"}


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Fields]:
    made = Fields(tmp_path, "smartos")

    yield made
    made.host.close()


def lacking(kind: str) -> dict[str, Any]:
    return LACKING | (LACKING_ON_MACHINES if kind == "VirtualMachine" else LACKING_ON_ZONES)


def fields_of(kind: str) -> set[str]:
    """All that a manifest of the kind can state but another system's own names; maps with free keys by their name."""
    return {name.removesuffix(".KEY") for name in KINDS[kind].every_rule if not name.startswith("native.lxc.")}


@pytest.mark.parametrize(("kind", "brands"), [("Zone", ZONES), ("VirtualMachine", MACHINES)])
def test_no_field_is_missing_from_the_tables(kind: str, brands: frozenset[str]) -> None:
    tabled = {row.field for row in ROWS if row.brands & brands} | POWER | FIXED.keys() | ONCE.keys() | DISK_FIELDS
    tabled |= lacking(kind).keys()

    assert sorted(fields_of(kind) - tabled) == []
    assert sorted(tabled - fields_of("Zone") - fields_of("VirtualMachine")) == []


@pytest.mark.parametrize("brand", sorted(GUESTS))
def test_every_native_property_of_a_brand_is_in_the_table(brand: str) -> None:
    tabled = {row.field for row in ROWS if brand in row.brands} | ONCE.keys()
    known = {f"native.smartos.{name}" for name, one in vmadm_native.NATIVE.items() if brand in one.brands}

    assert known - tabled == set()


@pytest.mark.parametrize("brand", sorted(GUESTS))
def test_native_properties_of_other_brands_are_refused_with_their_place(brand: str) -> None:
    mine = {row.field for row in ROWS if brand in row.brands} | ONCE.keys()
    others = {row.field: row for row in ROWS if row.field.startswith("native.") and row.field not in mine}

    for field, row in others.items():
        refused = judged(kind_of(brand), "web1", placed(least(brand), field, row.values[0]))
        assert isinstance(refused, list), field
        assert ["/".join(map(str, one.path)) for one in refused] == [f"spec/{field.replace('.', '/')}"]
        assert all(one.cause and one.remedy for one in refused)


def only(ground: Fields) -> GuestView:
    (view,) = ground.guests().values()
    return view


def reasons(plan: HostPlan) -> list[tuple[Reason, str]]:
    return [(item.reason, item.cause) for item in plan.blocked]


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
@pytest.mark.parametrize("field", FIXED)
def test_what_never_changes_is_blocked_with_its_remedy_and_released_when_left_out(
    ground: Fields, field: str, stopped: bool
) -> None:
    first, second = FIXED[field]
    brand = first if field in ("brand", "engine") else "joyent"
    base = least(brand) | ({"state": "stopped"} if stopped else {})
    if field == "engine":
        base["disks"] = [{"name": "root", "size": "64MiB"}]
    kind = kind_of(brand)
    ground.converges(wanted(kind, "web1", placed(base, field, first)))
    before = only(ground)

    plan = ground.planned(wanted(kind, "web1", placed(base, field, second), disruption="replace"))

    assert [reason for reason, _ in reasons(plan)] == [Reason.IMMUTABLE]
    assert plan.blocked[0].cause.startswith(f"{field} is {first} and can't change")
    assert plan.blocked[0].remedy
    assert plan.actions == ()
    left_out = wanted(kind, "web1", {name: value for name, value in base.items() if name != field})
    released = ground.planned(left_out)
    assert [(one.field, one.value) for one in released.released] == [(field, first)]
    ground.converges(left_out)
    assert only(ground) == before


@pytest.mark.parametrize("field", ONCE)
def test_what_matters_only_at_creation_is_never_compared(ground: Fields, field: str) -> None:
    first, second = ONCE[field]
    ground.converges(wanted("Zone", "web1", placed(least("joyent"), field, first)))
    before = only(ground)

    ground.converges(wanted("Zone", "web1", placed(least("joyent"), field, second)))
    ground.converges(wanted("Zone", "web1", least("joyent")))

    assert only(ground) == before


@pytest.mark.parametrize("brand", ["joyent-minimal", "lx", "bhyve", "kvm"])
def test_what_smartos_has_not_got_is_blocked_with_its_remedy(ground: Fields, brand: str) -> None:
    kind = kind_of(brand)
    stated = {field: value for field, value in lacking(kind).items() if field in fields_of(kind)}
    resources = []
    for number, (field, value) in enumerate(stated.items()):
        spec = {**least(brand), "nics": [{"name": "net0", "over": "external"}]} if field.startswith("nics") else least(brand)
        if field == "nics[].vnic":
            spec["nics"] = [{"name": "net0"}]
        spec = {**spec, "datasets": [{"name": one} for one in value]} if field == "datasets[]" else placed(spec, field, value)
        resources.append(wanted(kind, f"g{number}", spec))

    plan = ground.planned(*resources)

    assert {item.key.name: item.reason for item in plan.blocked} == {one.key.name: Reason.UNSUPPORTED for one in resources}
    assert all(item.cause and item.remedy for item in plan.blocked)
    assert plan.actions == ()


def test_no_limit_is_what_smartos_has(ground: Fields) -> None:
    """null is allowed where only a limit is lacking."""
    ground.converges(wanted("Zone", "web1", placed(least("joyent"), "nics[].maxBandwidth", None)))


@pytest.mark.parametrize("brand", sorted(GUESTS))
def test_power_is_switched_without_a_permission_and_counted(ground: Fields, brand: str) -> None:
    def at(state: str | None) -> Any:
        return wanted(kind_of(brand), "web1", least(brand) | ({"state": state} if state else {}))

    ground.converges(at(None))
    assert (only(ground).state, only(ground).boots, only(ground).stored["autoboot"]) == ("running", 1, True)
    ground.converges(at("stopped"))
    assert (only(ground).state, only(ground).boots, only(ground).stored["autoboot"]) == ("stopped", 1, False)
    plan = ground.planned(at(None))
    assert [one.field for one in plan.released] == ["state"]
    ground.converges(at(None))
    assert only(ground).state == "stopped", "left out it is not ours"
    ground.converges(at("running"))
    assert (only(ground).state, only(ground).boots, only(ground).stored["autoboot"]) == ("running", 2, True)


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_another_image_counts_only_where_it_may_make_the_root_anew(ground: Fields, stopped: bool) -> None:
    base = least("joyent-minimal") | ({"state": "stopped"} if stopped else {})
    other = base | {"image": OTHER_IMAGE}
    ground.converges(wanted("Zone", "web1", base))
    before = only(ground)

    ground.converges(wanted("Zone", "web1", other, disruption="replace"))
    assert only(ground) == before
    anew = other | {"imageUpdate": "reprovision"}
    refused = ground.planned(wanted("Zone", "web1", anew, disruption="restart"))
    assert [reason for reason, _ in reasons(refused)] == [Reason.DISRUPTION]
    plan = ground.planned(wanted("Zone", "web1", anew, disruption="replace"))
    assert [(action.verb, [one.name for one in action.change.fields]) for action in plan.actions] == [(Verb.REPLACE, ["image"])]
    ground.converges(wanted("Zone", "web1", anew, disruption="replace"))

    after = only(ground)
    assert (after.uuid, after.stored["image_uuid"], after.state) == (before.uuid, OTHER_IMAGE, before.state)
    assert before.stored["image_uuid"] == IMAGES["joyent-minimal"]


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_a_delegated_dataset_comes_and_goes_with_a_new_guest_alone(ground: Fields, stopped: bool) -> None:
    base = least("joyent") | ({"state": "stopped"} if stopped else {})
    ground.converges(wanted("Zone", "web1", base))
    before = only(ground)
    with_data = base | {"delegatedDataset": True}

    refused = ground.planned(wanted("Zone", "web1", with_data, disruption="restart"))
    assert [reason for reason, _ in reasons(refused)] == [Reason.DISRUPTION]
    ground.converges(wanted("Zone", "web1", with_data, disruption="replace"))
    made = only(ground)
    assert made.stored["datasets"] == [f"zones/{made.uuid}/data"]
    assert made.state == before.state
    released = ground.planned(wanted("Zone", "web1", base, disruption="replace"))
    assert [(one.field, one.value) for one in released.released] == [("delegatedDataset", True)]
    ground.converges(wanted("Zone", "web1", base | {"delegatedDataset": False}, disruption="replace"))
    assert "datasets" not in only(ground).stored
