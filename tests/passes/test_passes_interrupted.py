"""Killed between any two commands: the next pass looks, plans from there, and ends where the first would have."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.model.lifecycle import Adopt, Protect
from reconciler.model.resource import Resource
from tests.passes.ground import Ground
from tests.planning.world import DELETE, GIB, ORPHAN, REPLACE, dataset

SURE = replace(DELETE, delete_snapshots=True)
Wish = Callable[[Ground], list[Resource]]


def nothing(_ground: Ground) -> list[Resource]:
    return []


def before_creation(ground: Ground) -> list[Resource]:
    return [dataset(ground.name("a"), quota=GIB), dataset(ground.name("a/b"), atime="off"), dataset(ground.name("a/b/c"))]


def before_change(ground: Ground) -> list[Resource]:
    return [dataset(ground.name("a"), quota=GIB, compression=ground.compression, atime="off", mountpoint="/srv/a")]


def after_change(ground: Ground) -> list[Resource]:
    return [dataset(ground.name("a"), SURE, quota=None, compression=None, atime=None, mountpoint="/srv/b", reservation=1 << 20)]


def before_rename(ground: Ground) -> list[Resource]:
    return [dataset(ground.name(name), DELETE) for name in ("old", "old/c", "old/c/d", "old/gone", "old/away")]


def after_rename(ground: Ground) -> list[Resource]:
    return [
        dataset(ground.name("new"), DELETE, moved_from=ground.name("old"), quota=GIB),
        dataset(ground.name("new/c"), DELETE),
        dataset(ground.name("new/c/d"), DELETE, atime="off"),
        dataset(ground.name("away"), DELETE, moved_from=ground.name("old/away")),
    ]


def before_removal(ground: Ground) -> list[Resource]:
    return [dataset(ground.name(name), SURE) for name in ("a", "a/b", "a/b/c")] + [dataset(ground.name("left"), ORPHAN)]


def before_replacement(ground: Ground) -> list[Resource]:
    return [dataset(ground.name("a"), replace(REPLACE, delete_snapshots=True), casesensitivity="mixed", quota=GIB)]


def after_replacement(ground: Ground) -> list[Resource]:
    lifecycle = replace(REPLACE, delete_snapshots=True)
    return [
        dataset(ground.name("a"), lifecycle, casesensitivity="sensitive", quota=GIB),
        dataset(ground.name("a/b"), lifecycle),
    ]


def made_by_hand(ground: Ground) -> None:
    for name in ("a", "a/b"):
        ground.zfs("create", "-o", "quota=1g", ground.name(name))


def adopted(ground: Ground) -> list[Resource]:
    lifecycle = replace(SURE, protect=Protect.REMOVAL)
    return [
        dataset(ground.name("a"), replace(lifecycle, adopt=Adopt.IF_EQUAL), quota=GIB),
        dataset(ground.name("a/b"), replace(lifecycle, adopt=Adopt.ONCE), quota=2 * GIB, atime="off", mountpoint="/srv/b"),
    ]


CASES: dict[str, tuple[Wish, Wish]] = {
    "creation": (nothing, before_creation),
    "change": (before_change, after_change),
    "rename": (before_rename, after_rename),
    "removal": (before_removal, nothing),
    "replacement": (before_replacement, after_replacement),
    "adoption": (nothing, adopted),
}


KEPT: Mapping[str, tuple[str, ...]] = defaultdict(tuple, rename=("old", "old/c"), adoption=("a", "a/b"))
"""Objects that stay the same all the way, under a new name or the old one."""


def with_snapshots(ground: Ground) -> None:
    """Snapshots on what may go with them."""
    for name in ("a", "a/b"):
        if ground.host.storage.exists(ground.name(name)):
            ground.zfs("snapshot", f"{ground.name(name)}@one")
            ground.zfs("snapshot", f"{ground.name(name)}@two")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("system", ["omnios", "linux-zfs-fuse"])
@pytest.mark.parametrize("forgetful", [False, True], ids=["", "and the ledger is lost"])
def test_cut_off_after_any_command_the_next_pass_converges(tmp_path: Path, system: str, case: str, forgetful: bool) -> None:
    first, second = CASES[case]
    cut, total = 0, 1
    while cut < total:
        ground = Ground(tmp_path / f"{cut}", system)
        ground.converges(*first(ground))
        if case in ("removal", "replacement"):
            with_snapshots(ground)
        if case == "adoption":
            made_by_hand(ground)
        wanted = second(ground)
        plan = ground.planned(*wanted)
        assert plan.blocked == ()
        total = sum(len(action.steps) for action in plan.actions) + 1
        kept = {name: guid(ground, name) for name in KEPT[case] if ground.host.storage.exists(ground.name(name))}

        ground.cut_off(plan, cut)
        if forgetful:
            ground.lose_ledger()
        if forgetful and case == "removal":
            assert_left_alone_or_gone(ground, wanted)
        else:
            ground.converges(*wanted)
            assert ground.ours() == {resource.key.name for resource in wanted}
            assert ground.unfinished() == set()
            assert all(ground.is_mounted(resource.key.name.partition("/")[2]) for resource in wanted), f"cut after {cut}"
        for name, old in kept.items():
            assert guid(ground, name.replace("old", "new")) == old
        ground.host.close()
        cut += 1


def guid(ground: Ground, name: str) -> str:
    return ground.value(name, "guid")[0]


def assert_left_alone_or_gone(ground: Ground, wanted: list[Resource]) -> None:
    """Without a ledger nobody knows that snapshots may be deleted: what has any stays, with what contains it."""
    result = ground.applied(*wanted)
    assert {item.reason.value for item in result.final.blocked} <= {"dataAtRisk", "dependents", "notOurs"}
    assert result.final.runnable == ()
