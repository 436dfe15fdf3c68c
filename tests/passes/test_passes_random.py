"""Whatever an author makes of a tree, the plan for it can be run as it stands, and running it is enough."""

from dataclasses import replace
from pathlib import Path

import pytest

from providers.tools.zfs_trash import TRASH, note
from reconciler.model.lifecycle import Protect
from reconciler.model.observed import Mark, Observed
from reconciler.model.outcome import OutcomeState
from reconciler.model.resource import Resource
from tests.passes.ground import Ground
from tests.planning.random_world import random_host
from tests.planning.world import HOST_ID, OWNER


def mark_options(mark: Mark, host_id: str) -> dict[str, str]:
    """A mark as user properties; the machine that the random world knows is this one."""
    found = {"owner": mark.owner, "key": str(mark.name), "host": mark.host_id.replace(HOST_ID, host_id)}
    if mark.protect is not Protect.NONE:
        found["protect"] = mark.protect.value
    if mark.on_removal is not None:
        found["on-removal"] = mark.on_removal.value
    return {f"dev.reconciler:{name}": value for name, value in found.items() if value}


def put(ground: Ground, there: Observed, host_id: str) -> None:
    """Makes an object of the random world on the host, with its snapshots and holds."""
    name = there.name.name
    options = {} if there.mark is None else mark_options(there.mark, host_id)
    for field in ("quota", "compression"):
        value = there.fields.get(f"properties.{field}")
        if value is not None and there.name.kind == "Dataset":
            options[field] = str(value)
    if there.trashed is not None:
        options[TRASH] = note(there.trashed)
    pairs = [part for prop, value in options.items() for part in ("-o", f"{prop}={value}")]
    size = ["-V", str(there.fields["size"])] if there.name.kind == "Volume" else []
    ground.zfs("create", "-p", *pairs, *size, name)
    for snapshot in there.removal.snapshots if there.removal is not None else ():
        ground.zfs("snapshot", snapshot)
    if there.removal is not None and there.removal.obstacles:
        ground.zfs("hold", "keep", there.removal.snapshots[0])


def without_origin(resource: Resource) -> Resource:
    """The resource without a clone's origin: its snapshot is in no inventory, and so may be missing."""
    fields = {name: value for name, value in resource.fields.items() if name != "origin"}
    references = tuple(each for each in resource.references if each.field != "spec.origin")
    return replace(resource, fields=fields, references=references)


def own_state(ground: Ground, names: list[str]) -> dict[str, object]:
    """What is set on these objects themselves; what they inherit may change with what contains them."""
    found: dict[str, object] = {}
    for name in names:
        view = ground.host.storage.dataset(name)
        local = {prop: cell.value for prop, cell in view.properties.items() if cell.source == "local"}
        found[name] = (view.kind, view.guid, view.origin, view.holds, local)
    return found


def guids(ground: Ground) -> set[str]:
    return {ground.host.storage.dataset(name).guid for name in ground.host.storage.names()}


@pytest.mark.parametrize("seed", range(60))
def test_a_plan_can_be_run_as_it_stands_and_is_enough(tmp_path: Path, seed: int) -> None:
    world = random_host(seed)
    ground = Ground(tmp_path, "omnios")
    host_id = ground.host.run(["hostid"]).stdout.decode().strip()
    objects = sorted(world.inventory.objects.values(), key=lambda one: one.name.name)[1:]
    for there in objects:
        put(ground, there, host_id)
    strangers = [one.name.name for one in objects if is_strange(one)]
    before = own_state(ground, strangers)
    protected = [one.name.name for one in objects if one.mark is not None and one.mark.protect is not Protect.NONE]
    guarded = {ground.host.storage.dataset(name).guid for name in protected}
    wanted = [without_origin(resource) for resource in world.resources.values()]

    result = ground.applied(*wanted)

    failures = [f"{one.key.object}: {one.failure.cause}" for one in result.outcomes if one.failure is not None]
    assert failures == []
    assert {one.state for one in result.outcomes} <= {OutcomeState.SUCCEEDED}
    assert [f"{action.verb} {action.key.object}" for action in result.final.runnable] == []
    assert own_state(ground, strangers) == before
    assert guarded <= guids(ground)
    ground.host.close()


def is_strange(there: Observed) -> bool:
    return there.mark is None or there.mark.owner != OWNER or there.mark.host_id not in (HOST_ID, "")
