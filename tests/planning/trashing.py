"""What plans with a trash in them are made of and told by."""

from dataclasses import replace

from reconciler.model.lifecycle import Disruption, Lifecycle
from reconciler.model.observed import Observed, Removal
from reconciler.model.plan import HostPlan
from reconciler.model.resource import Resource
from tests.planning.world import GIB, KIB, TRASH_PLACE, commands, dataset, standing

KEEP_AND_REPLACE = Lifecycle(disruption=Disruption.REPLACE)
AT = "20260102T030405.000Z"
CONTAINER = f"zfs create -p -o canmount=off -o mountpoint=none {TRASH_PLACE}"


def cost(size: int = 24 * KIB, *snapshots: str, obstacles: tuple[str, ...] = (), **changed: object) -> Removal:
    made = Removal(size, snapshots, obstacles, trash_place=TRASH_PLACE, has_trash_place=True)
    return replace(made, **changed)  # type: ignore[arg-type]


def renames(plan: HostPlan) -> list[str]:
    return [command for command in commands(plan) if " rename " in command]


def replacing(**changed: object) -> tuple[Resource, Observed]:
    wanted = dataset("tank/a", KEEP_AND_REPLACE, normalization="formD")
    return wanted, standing(
        wanted, fields={"properties.normalization": "none"}, **{"removal": cost(GIB, "tank/a@s"), **changed}
    )
