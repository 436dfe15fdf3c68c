"""Disks of virtual machines: what never changes, what vmadm has not got, and how they go.

Fields that change are in the table of rows.py.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.plan import Reason
from tests.e2e.test_fields import DATASET_VALUES
from tests.fields.ground import IMAGES, KINDS, Fields, least, wanted
from tests.fields.rows import MACHINES

MIB = 1 << 20
UEFI_IMAGE = "c8b1ca70-b4e6-4a5e-96d5-5c4c4e0e9b21"

FIXED: dict[str, tuple[Any, Any]] = {
    "volume": ("zones/one", "zones/two"),
    "image": (IMAGES["kvm"], UEFI_IMAGE),
    "pool": ("zones", "pond"),
    "blockSize": ("8KiB", "16KiB"),
    "sparse": (True, False),
}
"""Fields that never change, and two values each."""

HELD = {"disks[].properties.compression", "disks[].properties.refreservation"}
PROPERTIES = {
    name: DATASET_VALUES[name.rpartition(".")[2]][0]
    for name in KINDS["VirtualMachine"].every_rule
    if name.startswith("disks[].properties.") and name not in HELD
}
LACKING: dict[str, Any] = {"disks[].serial": "ABC", **PROPERTIES}
"""Fields that vmadm has not got, with a value each."""

DISK_FIELDS = {*(f"disks[].{name}" for name in FIXED), *LACKING, "disks[].onRemoval"}


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Fields]:
    made = Fields(tmp_path, "smartos")
    yield made
    made.host.close()


def machine(brand: str, disks: list[dict[str, Any]], disruption: str = "none", **spec: Any) -> Any:
    return wanted("VirtualMachine", "db1", {**least(brand), "pool": "zones", **spec, "disks": disks}, disruption=disruption)


@pytest.mark.parametrize("brand", sorted(MACHINES))
@pytest.mark.parametrize("field", FIXED)
def test_what_never_changes_of_a_disk_is_blocked_with_its_remedy(ground: Fields, brand: str, field: str) -> None:
    ground.host.storage.create_pool("pond", 1 << 40)
    for name in ("zones/one", "zones/two"):
        ground.do("zfs", "create", "-V", "64M", name)
    ground.do("imgadm", "import", "-q", "-P", "zones", UEFI_IMAGE)
    sized = {} if field in ("volume", "image") else {"size": "64MiB"}
    first, second = ([{"name": "root", field: value, **sized}] for value in FIXED[field])
    ground.converges(machine(brand, first))
    before = ground.guest("db1")

    plan = ground.planned(machine(brand, second, "replace"))

    assert [item.reason for item in plan.blocked] == [Reason.IMMUTABLE]
    assert f"disks.root.{field}" in plan.blocked[0].cause
    assert plan.blocked[0].remedy
    assert plan.actions == ()
    if sized:
        assert [one.field for one in ground.planned(machine(brand, [{"name": "root", **sized}])).released] == [
            f"disks.root.{field}"
        ]
    assert ground.guest("db1") == before


@pytest.mark.parametrize("brand", sorted(MACHINES))
def test_what_vmadm_has_not_got_is_blocked_with_its_remedy(ground: Fields, brand: str) -> None:
    resources = []
    for number, (field, value) in enumerate(LACKING.items()):
        name = field.removeprefix("disks[].")
        extra = {"properties": {name.removeprefix("properties."): value}} if name != "serial" else {name: value}
        spec = {**least(brand), "disks": [{"name": "root", "size": "64MiB", **extra}]}
        resources.append(wanted("VirtualMachine", f"g{number}", spec))

    plan = ground.planned(*resources)

    assert {item.key.name: item.reason for item in plan.blocked} == {one.key.name: Reason.UNSUPPORTED for one in resources}
    assert all(item.cause and item.remedy for item in plan.blocked)


@pytest.mark.parametrize("brand", sorted(MACHINES))
@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize("on_removal", [None, "detach", "trash", "delete"])
def test_a_disk_that_is_left_out_goes_as_it_was_said(ground: Fields, brand: str, running: bool, on_removal: str | None) -> None:
    state = {} if running else {"state": "stopped"}
    root = {"name": "root", "size": "64MiB"}
    data = {"name": "data", "size": "32MiB"} | ({"onRemoval": on_removal} if on_removal else {})
    ground.converges(machine(brand, [root, data], **state))
    before = ground.guest("db1")
    volume = next(disk["zfs_filesystem"] for disk in before.stored["disks"] if disk["size"] == 32)  # type: ignore[attr-defined]
    guid = ground.host.storage.dataset(volume).guid

    if running:
        refused = ground.planned(machine(brand, [root]))
        assert [item.reason for item in refused.blocked] == [Reason.DISRUPTION]
        assert "disks.data" in refused.blocked[0].cause
        assert ground.guest("db1") == before
    plan = ground.planned(machine(brand, [root], "restart" if running else "none", **state))
    (action,) = plan.actions
    assert action.effect is not None
    assert action.effect.value == ("restart" if running else "inPlace")
    assert action.at_risk.bytes == (32 * MIB if on_removal in ("trash", "delete") else 0), "what is set aside is not at risk"
    assert any(step.destructive for step in action.steps) is (on_removal == "delete")
    ground.converges(machine(brand, [root], "restart" if running else "none", **state))

    after = ground.guest("db1")
    assert after.boots == before.boots + running
    assert [disk["size"] for disk in after.stored["disks"]] == [64]  # type: ignore[attr-defined]
    assert (after.running is not None) is running
    found = set(ground.do("zfs", "list", "-H", "-t", "volume", "-o", "name").split())
    kept = {name for name in found if ground.host.storage.dataset(name).guid == guid}
    if on_removal == "delete":
        assert kept == set()
    elif on_removal == "trash":
        assert [name.startswith("zones/.reconciler-trash/") for name in kept] == [True]
    else:
        assert kept == {f"zones/.reconciler-detached/{after.uuid}-data"}


@pytest.mark.parametrize("brand", sorted(MACHINES))
@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_a_disk_never_shrinks(ground: Fields, brand: str, running: bool) -> None:
    state = {} if running else {"state": "stopped"}
    ground.converges(machine(brand, [{"name": "root", "size": "64MiB"}], **state))

    plan = ground.planned(machine(brand, [{"name": "root", "size": "32MiB"}], "replace", **state))

    assert [item.reason for item in plan.blocked] == [Reason.DATA_AT_RISK]
    assert plan.actions == ()


@pytest.mark.parametrize("brand", sorted(MACHINES))
def test_disks_come_go_and_change_with_one_restart_for_all(ground: Fields, brand: str) -> None:
    root, data = {"name": "root", "size": "64MiB", "boot": True}, {"name": "data", "size": "32MiB"}
    ground.converges(machine(brand, [root, data]))
    more = [{**root, "size": "96MiB"}, {"name": "cd", "iso": "/opt/one.iso"}, {"name": "logs", "size": "16MiB"}]

    ground.converges(machine(brand, more, "restart", memory="2GiB"))

    after = ground.guest("db1")
    assert after.boots == 2
    assert after.running is not None
    assert sorted(disk.get("size", 0) for disk in after.running["disks"]) == [0, 16, 96]  # type: ignore[attr-defined]
    assert after.running["ram"] == 2048
