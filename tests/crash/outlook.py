"""What a crash may cost, said before it, and compared with what is there after it."""

import re
from dataclasses import dataclass

from reconciler.model.change import Verb
from reconciler.model.plan import HostPlan
from tests.passes.ground import Ground

FILESYSTEM = "filesystem"
MARK = "dev.reconciler:"
TRASH = ".reconciler-trash"


@dataclass(frozen=True)
class Found:
    """A dataset, volume or snapshot as the host's own tool shows it."""

    name: str
    kind: str
    mounted: str
    holds: str
    own: frozenset[tuple[str, str]]
    """Properties that are set on it itself."""
    data: object


def found_on(ground: Ground) -> dict[str, Found]:
    """Everything in the pool, by guid: what no rename changes."""
    cells: dict[str, dict[str, str]] = {}
    told = ground.zfs("get", "-Hp", "-r", "-o", "name,property,value", "type,guid,mounted,userrefs", ground.pool)
    for line in told.splitlines():
        name, prop, value = line.split("\t")
        cells.setdefault(name, {})[prop] = value
    own: dict[str, set[tuple[str, str]]] = {}
    for line in ground.zfs("get", "-Hp", "-r", "-s", "local", "-o", "name,property,value", "all", ground.pool).splitlines():
        name, prop, value = line.split("\t")
        own.setdefault(name, set()).add((prop, value))
    return {
        of["guid"]: Found(
            name, of["type"], of["mounted"], of.get("userrefs", "-"), frozenset(own.get(name, ())), ground.data(name)
        )
        for name, of in cells.items()
    }


@dataclass(frozen=True)
class Outlook:
    """Everything before a plan is run, and by guid what the plan says of it: destroyed, or under which name afterwards."""

    before: dict[str, Found]
    destroyed: frozenset[str]
    names: dict[str, str]
    adopted: frozenset[str]

    @classmethod
    def of(cls, ground: Ground, plan: HostPlan) -> "Outlook":
        before = found_on(ground)
        guids = {there.name: guid for guid, there in before.items()}
        destroyed = {guids[step.command.argv[-1]] for action in plan.actions for step in action.steps if step.destructive}
        commands = [step.command.argv for action in plan.actions for step in action.steps]
        moves = {argv[-2]: argv[-1] for argv in commands if argv[:2] == ("zfs", "rename")}
        names = {guid: _moved(there.name, moves) for guid, there in before.items()}
        adopted = frozenset(guids[action.key.name] for action in plan.actions if action.verb is Verb.ADOPT)
        return cls(before, frozenset(destroyed), names, adopted)

    def check_kept(self, ground: Ground) -> dict[str, Found]:
        """What the plan did not say is destroyed is there, with its content; what nobody manages is as it was. Gives all."""
        after = found_on(ground)
        for guid, there in self.before.items():
            if guid in self.destroyed:
                continue
            assert guid in after, f"{there.name} is gone"
            # Nobody can look into a volume, or into a dataset that we did not fill and that is mounted nowhere.
            if there.data is not None and after[guid].data is not None:
                assert after[guid].data == there.data, f"{there.name} has lost content"
            assert after[guid].holds == there.holds, there.name
            if guid in self.adopted:
                continue
            if not any(prop.startswith(MARK) for prop, _ in there.own) or (f"{MARK}owner", "others") in there.own:
                assert after[guid].own == there.own, f"{there.name} is nobody's business"
        return after

    def check_done(self, ground: Ground) -> None:
        """All that the plan says has come about."""
        after = self.check_kept(ground)
        # The empty container of a trash may stay behind: it goes with the last purge that finds something.
        left = [after[guid].name for guid in self.destroyed & after.keys() if not after[guid].name.endswith(TRASH)]
        assert not left, left
        assert {guid: timeless(after[guid].name) for guid in self.names if guid in after} == {
            guid: timeless(name) for guid, name in self.names.items() if guid in after
        }


def timeless(name: str) -> str:
    """The name without what a later plan writes differently in the trash: its time and its numbers."""
    return re.sub(rf"/{re.escape(TRASH)}/[^/@]+", f"/{TRASH}/*", name)


def _moved(name: str, moves: dict[str, str]) -> str:
    """The name after the renames: of the nearest renamed dataset that contains it, or is it."""
    dataset, at, snapshot = name.partition("@")
    above = [old for old in moves if dataset == old or dataset.startswith(f"{old}/")]
    if not above:
        return name
    nearest = max(above, key=len)
    return f"{moves[nearest]}{dataset.removeprefix(nearest)}{at}{snapshot}"
