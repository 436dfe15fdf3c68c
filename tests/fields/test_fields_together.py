"""Many fields of one guest changed in one plan: each acts as it was promised, whatever changes beside it."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulation.guests.view import GuestView
from reconciler.model.plan import Action, HostPlan
from tests.fields.ground import Fields, concrete, failures, kind_of, least, left_over, numbered, placed, wanted
from tests.fields.rows import GUESTS, KEPT, ROWS, Row

ENTRIES = ("metadata", "internalMetadata", "tags")
ALONE = {
    *("nics[]", "disks[]", "disks[].iso", "disks[].size", "mounts[]"),
    *("autoboot", "native.smartos.maintain_resolvers", "native.smartos.docker"),
}
"""Fields that say which items there are, can't go back, or decide about others."""

STATED = {"memory", "kernelVersion", "nics[].over", "mounts[].source", "disks[].boot"}
"""What the guest of these tests states anyway."""

FOLLOWS = {f"native.smartos.max_{name}" for name in ("physical_memory", "locked_memory", "swap")} | {"swap"}
"""What moves with the memory unless it is stated."""

NOT_RUN_WITH = (
    *("quota", "disks[].properties.", "native.smartos.zfs_root", "native.smartos.zfs_data", "native.smartos.zfs_snapshot"),
    *("native.smartos.zfs_filesystem", "native.smartos.do_not_inventory", "native.smartos.archive_on_delete"),
)
"""What only vmadm and zfs know: nobody can tell whether it reached what runs."""

STEPS, SEEDS = 8, 3


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Fields]:
    made = Fields(tmp_path, "smartos")
    yield made
    made.host.close()


class Guest:
    """One guest, what is stated of it, and what must be there: what is left out stays as it was."""

    def __init__(self, brand: str, seed: int) -> None:
        self.brand = brand
        self.chance = random.Random(seed)
        self.rows = {row.field: row for row in ROWS if brand in row.brands and row.field not in ALONE}
        self.stated: dict[str, Any] = {}
        self.there: dict[str, Any] = {}
        self.stopped = False
        self.disruption = "none"

    def step(self) -> None:
        """Some fields change, some are stated for the first time or again, some are left out."""
        self.stopped = self.chance.random() < 0.2
        self.disruption = self.chance.choice(["none", "restart"])
        for name, row in self.rows.items():
            if self.chance.random() < 0.75:
                continue
            choice = self.chance.choice([0, 1, "null", "out"] if name not in STATED else [0, 1])
            if choice == "out":
                self.stated.pop(name, None)
                if name in FOLLOWS:
                    self.there.pop(name, None)
            elif choice != "null":
                self.stated[name] = row.values[choice]
                self.there[name] = row.shown[choice]
            elif row.cleared is not KEPT:
                self.stated[name] = {"key": None} if name in ENTRIES else None
                self.there[name] = row.cleared

    def resource(self, disruption: str) -> Any:
        spec: dict[str, Any] = {**least(self.brand), "state": "stopped" if self.stopped else "running"}
        spec["nics"] = [{"name": "net0", "over": "external"}]
        if kind_of(self.brand) == "Zone":
            spec |= {"delegatedDataset": True, "mounts": [{"target": "/mnt/a", "source": "/opt"}]}
        for name, value in self.stated.items():
            spec = placed(spec, name, value)
        return wanted(kind_of(self.brand), "web1", numbered(spec, 1), disruption=disruption)

    def differing(self, shown: Any) -> dict[str, tuple[Any, Any]]:
        """What a guest shows otherwise than it must, by field."""
        found = {name: (self.rows[name].told(shown), numbered(value, 1)) for name, value in self.there.items()}
        return {name: pair for name, pair in found.items() if pair[0] != pair[1]}


def changed(row: Row, action: Action) -> set[str]:
    """The effects that the plan promises for the fields of a row."""
    path = concrete(row.field, {"nics": [{"name": "net0"}], "mounts": [{"target": "/mnt/a"}], "disks": [{"name": "root"}]})
    entries = [one for one in action.change.fields if one.name == path or one.name.startswith(f"{path}.")]
    return {"firstBoot" if one.first_boot_only else one.effect.value for one in entries}


def judged(guest: Guest, action: Action, before: GuestView, after: GuestView, second: HostPlan) -> Iterator[str]:
    effects = {name: changed(row, action) for name, row in guest.rows.items()}
    assert action.effect is not None
    restarts = after.boots - before.boots
    was, runs = before.running is not None, after.running is not None
    if was and runs and restarts != (action.effect.value == "restart"):
        yield f"promised {action.effect}, restarted {restarts} times"
    if was and runs and (action.effect.value == "restart") is not any("restart" in one for one in effects.values()):
        named = [one.name for one in action.change.fields]
        if "pendingRestart" not in named:
            yield f"a restart, and no field says so: {named}"
    pending = {name for _, names in second.pending_restart for name in names}
    for name, promised in effects.items():
        if not promised or not (was and runs) or after.running is None:
            continue
        row = guest.rows[name]
        reached = row.told(after.running) == row.told(after.stored)
        tells = not name.startswith(NOT_RUN_WITH) and row.told(after.running) is not None
        # What was changed and is changed back before any boot waits by the note, and nobody can tell that it need not.
        is_back = before.running is not None and row.told(before.running) == row.told(after.stored)
        is_back = is_back or name.startswith("nics[].allow")
        if "staged" in promised and tells and reached and not is_back:
            yield f"{name} was promised for the next boot, and is there"
        if promised & {"inPlace", "restart"} and tells and not reached:
            yield f"{name} was promised {promised}, and it runs with {row.told(after.running)!r}"
        is_pending = any(one.startswith(_pattern(name)) for one in pending)
        if ("staged" in promised) and not is_pending:
            yield f"{name} waits, and is not among {sorted(pending)}"
    if restarts and pending:
        yield f"restarted, and still pending: {sorted(pending)}"


def _pattern(name: str) -> str:
    return name.replace("nics[]", "nics.net0").replace("mounts[]", "mounts./mnt/a").replace("disks[]", "disks.root")


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("brand", sorted(GUESTS))
def test_fields_changed_together_act_as_promised(ground: Fields, brand: str, seed: int) -> None:
    guest = Guest(brand, seed)
    ground.converges(guest.resource("none"))
    for step in range(STEPS):
        guest.step()
        resource = guest.resource(guest.disruption)
        before, plan = ground.guest("web1"), ground.planned(resource)
        findings = list(failures(ground.applied(resource)))
        after, second = ground.guest("web1"), ground.planned(resource)
        if plan.blocked:
            # A disk can't change while the machine runs: nothing is done by halves, and with permission all of it.
            assert [item.reason for item in plan.blocked] == ["disruption"], plan.blocked
            assert after == before
            resource = guest.resource("restart")
            plan = ground.planned(resource)
            findings += failures(ground.applied(resource))
            after, second = ground.guest("web1"), ground.planned(resource)
        for action in plan.actions:
            findings += judged(guest, action, before, after, second)
        findings += left_over(second)
        findings += [f"{name}: {is_there!r}, not {must!r}" for name, (is_there, must) in guest.differing(after.stored).items()]
        assert (after.running is None) is guest.stopped
        assert findings == [], f"step {step}: " + "\n".join(findings)
