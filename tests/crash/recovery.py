"""A scenario made ready, and what must hold after its apply has died on the way."""

from reconciler.controller.passes import Connections, Setting
from reconciler.model.plan import HostPlan
from reconciler.model.resource import Resource
from reconciler.store.journal import Journal
from tests.crash.outlook import TRASH, Outlook
from tests.crash.scenarios import Scenario
from tests.crash.work import APPLY
from tests.passes.ground import Ground

MOST_APPLIES = 2


def unmanaged(ground: Ground) -> None:
    """Things that are none of our business, beside what is."""
    theirs = ground.name("theirs")
    ground.zfs("create", "-o", "quota=1g", "-o", "org.example:note=mine", theirs)
    ground.zfs("create", "-o", f"mountpoint={ground.mountpoint('theirs')}", f"{theirs}/c")
    marked = ground.name("marked")
    ground.zfs("create", "-o", "dev.reconciler:owner=others", "-o", f"dev.reconciler:key=Dataset/{marked}", marked)
    for name in ("theirs", "theirs/c", "marked"):
        ground.put_data(name)
    ground.zfs("snapshot", f"{theirs}@one")
    ground.zfs("hold", "keep", f"{theirs}@one")
    if ground.has_volumes:
        ground.zfs("create", "-V", "1g", ground.name("their-disk"))
        ground.put_data("their-disk")


def prepared(ground: Ground, scenario: Scenario) -> tuple[list[Resource], Outlook]:
    """The host before, what is wanted now, and what the plan for that says."""
    unmanaged(ground)
    before = scenario.before(ground)
    if before:
        ground.converges(*before)
    scenario.by_hand(ground)
    wanted = scenario.after(ground)
    plan = planned(ground, wanted, scenario)
    assert plan.blocked == ()
    assert {action.verb for action in plan.actions} == scenario.verbs
    return wanted, Outlook.of(ground, plan)


def planned(ground: Ground, wanted: list[Resource], scenario: Scenario) -> HostPlan:
    """What the scenario's work is going to do."""
    desired = ground.desired(wanted)

    async def scene(setting: Setting, connections: Connections, _journal: Journal) -> HostPlan:
        return await scenario.work.plan(setting, desired, connections)

    return ground.with_state(scene)


def done_again(ground: Ground, wanted: list[Resource], scenario: Scenario) -> None:
    """Work that is more than an apply, asked for once more by the person whose first try died."""
    desired = ground.desired(wanted)

    async def scene(setting: Setting, connections: Connections, journal: Journal) -> None:
        await scenario.work.run(setting, desired, connections, journal)

    if scenario.work is not APPLY:
        ground.with_state(scene)


def recovers(ground: Ground, scenario: Scenario, wanted: list[Resource], outlook: Outlook) -> None:
    """At most two applies converge, the plan after them is empty, and everything is what and where it must be."""
    for _ in range(MOST_APPLIES):
        # What a killed command asked of the daemon may still go on, and then the first look is out of date.
        done_again(ground, wanted, scenario)
    for _ in range(MOST_APPLIES):
        result = ground.applied(*wanted)
        if result.is_converged:
            break
    failures = [f"{one.key.object}: {one.failure.cause}" for one in result.outcomes if one.failure is not None]
    refused = [f"{item.key.object}: {item.reason}: {item.cause}" for item in result.final.blocked]
    assert result.is_converged, (failures, refused)
    assert ground.planned(*wanted).is_empty
    outlook.check_done(ground)
    ours = {name for name in ground.ours() if f"/{TRASH}/" not in name}
    assert ours - {ground.name("marked")} == {resource.key.name for resource in wanted}
    assert ground.unfinished() == set()
    assert not unmounted(ground, wanted)


def stays_whole(ground: Ground, scenario: Scenario, wanted: list[Resource], outlook: Outlook) -> None:
    """What nobody remembers the consent to is refused for that reason alone, and is all there."""
    for _ in range(MOST_APPLIES):
        result = ground.applied(*wanted)
    assert result.final.runnable == ()
    assert {item.reason for item in result.final.blocked} <= scenario.without_ledger
    outlook.check_kept(ground)


def unmounted(ground: Ground, wanted: list[Resource]) -> list[str]:
    """Datasets of ours that should be mounted and are not."""
    names = {
        resource.key.name
        for resource in wanted
        if resource.key.kind == "Dataset" and resource.fields.get("properties.canmount", "on") == "on"
    }
    told = ground.zfs("get", "-Hp", "-r", "-o", "name,value", "mounted", ground.pool)
    return [line for line in told.splitlines() if line.split("\t")[0] in names and not line.endswith("\tyes")]
