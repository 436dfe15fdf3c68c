"""What a crash may interrupt: a table of what was wanted, what was done by hand since, and what is wanted now.

A new verb comes in as one more row. `verbs` is all that the plan must consist of, so that a row goes on telling what it says.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from reconciler.model.change import Verb
from reconciler.model.lifecycle import Adopt, Disruption, Lifecycle, Protect
from reconciler.model.plan import Reason
from reconciler.model.resource import Resource
from tests.crash.work import APPLY, PURGE, RESTORE, Work
from tests.passes.ground import Ground
from tests.planning.world import DELETE, GIB, MIB, ORPHAN, REPLACE, dataset, volume

SURE = replace(DELETE, delete_snapshots=True)
SURELY_REPLACED = replace(REPLACE, delete_snapshots=True)
KEPT = replace(DELETE, protect=Protect.REMOVAL)

Wish = Callable[[Ground], list[Resource]]


@dataclass(frozen=True)
class Scenario:
    """One row: `before` is applied, then `by_hand` is done, then `after` is applied (or other `work` done) and dies on the way.

    `without_ledger` are the reasons for which a pass may refuse to go on when the ledger is lost too: consent that is written
    nowhere else.
    """

    name: str
    verbs: frozenset[Verb]
    before: Wish
    after: Wish
    by_hand: Callable[[Ground], None] = lambda _ground: None
    without_ledger: frozenset[Reason] = frozenset()
    work: Work = APPLY


def nothing(_ground: Ground) -> list[Resource]:
    return []


def filled(*names: str, snapshots: Iterable[str] = ()) -> Callable[[Ground], None]:
    """Content in each of these, then two snapshots of some, then more content."""

    def work(ground: Ground) -> None:
        for name in names:
            ground.put_data(name)
        for name in snapshots:
            ground.zfs("snapshot", f"{ground.name(name)}@one")
            ground.put_data(name)
            ground.zfs("snapshot", f"{ground.name(name)}@two")

    return work


def made(ground: Ground) -> list[Resource]:
    wanted = [
        dataset(ground.name("a"), quota=GIB),
        dataset(ground.name("a/b"), atime="off", **{"properties.site:room": "b 1"}),
        dataset(ground.name("a/b/c")),
        dataset(ground.name("deep/er/still"), parents=True),
        dataset(ground.name("off"), canmount="off"),
    ]
    if ground.has_volumes:
        wanted.append(volume(ground.name("a/disk"), sparse=True))
    return wanted


def cloned(ground: Ground) -> list[Resource]:
    return [
        dataset(ground.name("clone"), origin=f"{ground.name('theirs')}@one", quota=GIB),
        dataset(ground.name("clone/in")),
    ]


def plain(ground: Ground) -> list[Resource]:
    wanted = [
        dataset(ground.name("a"), quota=GIB, compression=ground.compression, atime="off", mountpoint=ground.mountpoint("a")),
        dataset(ground.name("a/in"), **ground.apart("in")),
    ]
    return [*wanted, volume(ground.name("disk"), SURE)] if ground.has_volumes else wanted


def changed(ground: Ground) -> list[Resource]:
    wanted = [
        dataset(
            ground.name("a"), SURE, quota=None, compression=None, atime=None, mountpoint=ground.mountpoint("b"), reservation=MIB
        ),
        dataset(ground.name("a/in"), KEPT, **ground.apart("in"), **{"properties.site:room": "b 1"}),
    ]
    return [*wanted, volume(ground.name("disk"), SURE, size=2 * GIB)] if ground.has_volumes else wanted


def inside_by_hand(ground: Ground) -> None:
    place = [part for prop, value in ground.apart("handmade").items() for part in ("-o", f"{prop}={value}")]
    ground.zfs("create", "-o", "quota=1g", *place, ground.name("a/handmade"))
    filled("a", "a/in", "a/handmade", snapshots=["a"])(ground)


def protected(ground: Ground) -> list[Resource]:
    return [dataset(ground.name("a"), replace(SURE, protect=Protect.ALL)), dataset(ground.name("b"), ORPHAN)]


def unprotected(ground: Ground) -> list[Resource]:
    return [dataset(ground.name("a")), dataset(ground.name("b"), KEPT)]


def old_tree(ground: Ground) -> list[Resource]:
    return [dataset(ground.name(name), DELETE) for name in ("old", "old/c", "old/c/d", "old/gone", "old/away")]


def new_tree(ground: Ground) -> list[Resource]:
    return [
        dataset(ground.name("new"), DELETE, moved_from=ground.name("old"), quota=GIB),
        dataset(ground.name("new/c"), DELETE),
        dataset(ground.name("new/c/d"), DELETE, atime="off"),
        dataset(ground.name("away"), DELETE, moved_from=ground.name("old/away")),
    ]


def apart(ground: Ground) -> list[Resource]:
    wanted = [dataset(ground.name(name), quota=GIB) for name in ("a", "b", "b/in")]
    return [*wanted, volume(ground.name("disk"))] if ground.has_volumes else wanted


def brought_together(ground: Ground) -> list[Resource]:
    wanted = [
        dataset(ground.name("home"), atime="off"),
        dataset(ground.name("home/a"), moved_from=ground.name("a"), quota=2 * GIB),
        dataset(ground.name("home/b"), moved_from=ground.name("b"), quota=GIB),
        dataset(ground.name("home/b/in"), quota=GIB),
    ]
    return [*wanted, volume(ground.name("home/disk"), moved_from=ground.name("disk"))] if ground.has_volumes else wanted


def mixed_case(ground: Ground) -> list[Resource]:
    return [dataset(ground.name("a"), SURELY_REPLACED, casesensitivity="mixed", quota=GIB), dataset(ground.name("beside"))]


def sensitive(ground: Ground) -> list[Resource]:
    return [
        dataset(ground.name("a"), SURELY_REPLACED, casesensitivity="sensitive", quota=GIB),
        dataset(ground.name("a/b"), SURELY_REPLACED),
        dataset(ground.name("beside")),
    ]


def going(ground: Ground) -> list[Resource]:
    wanted = [dataset(ground.name(name), SURE) for name in ("a", "a/b", "a/b/c", "snapless")]
    return [*wanted, volume(ground.name("a/disk"), SURE)] if ground.has_volumes else wanted


def default_tree(ground: Ground) -> list[Resource]:
    shared = {"sharenfs": "ro"} if ground.can_share else {}
    wanted = [
        dataset(ground.name("a"), quota=4 * GIB, **shared),
        dataset(ground.name("a/b"), refreservation=2 * MIB, atime="off"),
        dataset(ground.name("a/b/c"), mountpoint=ground.mountpoint("c")),
        dataset(ground.name("beside"), canmount="noauto"),
    ]
    return [*wanted, volume(ground.name("a/disk"))] if ground.has_volumes else wanted


def in_the_trash(ground: Ground) -> None:
    """Content in the default tree, all of which then lost its manifests."""
    filled("a", "a/b", "beside", snapshots=["a/b", "a/b/c"])(ground)
    ground.converges()


def replaced_by_default(ground: Ground) -> list[Resource]:
    lifecycle = Lifecycle(disruption=Disruption.REPLACE)
    return [dataset(ground.name("a"), lifecycle, casesensitivity="mixed", quota=GIB), dataset(ground.name("beside"))]


def replacing_by_default(ground: Ground) -> list[Resource]:
    lifecycle = Lifecycle(disruption=Disruption.REPLACE)
    return [dataset(ground.name("a"), lifecycle, casesensitivity="sensitive", quota=GIB), dataset(ground.name("beside"))]


def made_by_hand(ground: Ground) -> None:
    ground.zfs("create", "-o", f"quota={GIB}", ground.name("a"))
    ground.zfs("create", "-o", "atime=off", ground.name("a/b"))
    filled("a", "a/b", snapshots=["a/b"])(ground)


def taken_over(ground: Ground) -> list[Resource]:
    return [
        dataset(ground.name("a"), replace(DELETE, adopt=Adopt.IF_EQUAL), quota=GIB),
        dataset(ground.name("a/b"), Lifecycle(adopt=Adopt.ONCE, protect=Protect.REMOVAL), atime="on", quota=2 * GIB),
    ]


def orphans(ground: Ground) -> list[Resource]:
    return [dataset(ground.name("a"), replace(ORPHAN, protect=Protect.REMOVAL), quota=GIB), dataset(ground.name("a/b"), ORPHAN)]


def everything(ground: Ground) -> list[Resource]:
    return [
        dataset(ground.name("keep"), quota=GIB),
        dataset(ground.name("change"), quota=GIB),
        dataset(ground.name("old"), quota=GIB),
        dataset(ground.name("old/inner")),
        dataset(ground.name("replace"), REPLACE, casesensitivity="sensitive"),
        dataset(ground.name("go"), SURE),
        dataset(ground.name("go/inner"), SURE),
        dataset(ground.name("left"), ORPHAN),
    ]


def everything_changed(ground: Ground) -> list[Resource]:
    return [
        dataset(ground.name("keep"), quota=GIB),
        dataset(ground.name("change"), quota=2 * GIB, compression=ground.compression),
        dataset(ground.name("renamed"), moved_from=ground.name("old"), quota=GIB),
        dataset(ground.name("renamed/inner")),
        dataset(ground.name("replace"), REPLACE, casesensitivity="mixed"),
        dataset(ground.name("made"), quota=GIB),
        dataset(ground.name("made/inner")),
    ]


CREATE, UPDATE, REPLACED, TRASHED, GONE, FORGET = (
    Verb.CREATE,
    Verb.UPDATE,
    Verb.REPLACE,
    Verb.TRASH,
    Verb.DELETE,
    Verb.FORGET,
)
UNSURE = frozenset({Reason.DATA_AT_RISK, Reason.DEPENDENTS, Reason.NOT_OURS})

SCENARIOS = (
    Scenario("create", frozenset({CREATE}), nothing, made),
    Scenario("clone", frozenset({CREATE}), nothing, cloned),
    Scenario("update", frozenset({UPDATE}), plain, changed, inside_by_hand),
    Scenario("update the mark", frozenset({UPDATE}), protected, unprotected, filled("a", "b", snapshots=["a"])),
    Scenario(
        "rename", frozenset({UPDATE, GONE}), old_tree, new_tree, filled("old", "old/c/d", "old/away", snapshots=["old/c"])
    ),
    Scenario(
        "rename into a new one", frozenset({CREATE, UPDATE}), apart, brought_together, filled("b", "b/in", snapshots=["a"])
    ),
    Scenario("replace", frozenset({REPLACED, CREATE}), mixed_case, sensitive, filled("a", "beside", snapshots=["a", "beside"])),
    Scenario("delete", frozenset({GONE}), going, nothing, filled("a/b", "snapless", snapshots=["a", "a/b"]), UNSURE),
    Scenario("trash", frozenset({TRASHED}), default_tree, nothing, filled("a", "a/b", "beside", snapshots=["a/b", "a/b/c"])),
    Scenario("restore", frozenset({Verb.RESTORE}), default_tree, default_tree, in_the_trash, work=RESTORE),
    Scenario("purge", frozenset({GONE}), default_tree, nothing, in_the_trash, work=PURGE),
    Scenario(
        "replace and keep",
        frozenset({REPLACED}),
        replaced_by_default,
        replacing_by_default,
        filled("a", "beside", snapshots=["a", "beside"]),
    ),
    Scenario("adopt", frozenset({Verb.ADOPT}), nothing, taken_over, made_by_hand),
    Scenario("forget", frozenset({FORGET}), orphans, nothing, filled("a", "a/b", snapshots=["a/b"])),
    Scenario(
        "all at once",
        frozenset({CREATE, UPDATE, REPLACED, GONE, FORGET}),
        everything,
        everything_changed,
        filled("keep", "change", "old/inner", "left", "go", snapshots=["old/inner", "go"]),
        UNSURE,
    ),
)
