"""Plans to be read as text, of what is refused: ownership, protection, guardrails, ceilings, holds, references, blindness."""

from dataclasses import replace
from datetime import timedelta

from reconciler.model.guardrails import Guardrails
from reconciler.model.hold import Hold
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import Lifecycle, Mode, Protect
from reconciler.model.observed import Removal, Unreadable
from reconciler.model.plan import Plan
from tests.planning.world import (
    DELETE,
    EMPTY,
    GIB,
    NOW,
    REPLACE,
    TIB,
    TRASH_PLACE,
    dataset,
    half_trashed,
    in_trash,
    mark,
    observed,
    row,
    standing,
    tree,
    view,
    volume,
)

CEILINGS = Guardrails(
    removals_per_host=2, protect=("*/Volume/*",), forbid_verbs=("delete",), ceiling="/etc/reconciler/ceilings.yaml"
)


def ownership() -> Plan:
    """Objects that are not ours to change, or not any more."""
    lost = dataset("tank/lost", line=13)
    wanted = [
        dataset("tank/theirs", line=3),
        dataset("tank/copy", line=8),
        lost,
        dataset("tank/stranger", line=18),
        dataset("tank/renamed", line=23),
        dataset("tank/taken", line=28),
    ]
    there = [
        observed("tank/theirs", marked=mark("tank/theirs", owner="others")),
        observed("tank/copy", marked=mark("tank/copy", host_id="0000beef")),
        observed("tank/old-copy", marked=mark("tank/old-copy", host_id="0000beef")),
        observed("tank/lost"),
        observed("tank/stranger"),
        observed("tank/elsewhere", marked=mark("tank/renamed")),
        observed("tank/taken", marked=mark("tank/before")),
        observed("tank/half", marked=mark("tank/half", on_removal=None)),
    ]
    return tree([view(wanted, there, [row(lost)])])


def protected() -> Plan:
    """Removals and a replacement that something protects: the host's mark, our ledger, the repository's guardrails."""
    marked = dataset("tank/marked", Lifecycle(protect=Protect.REMOVAL))
    known = dataset("tank/known")
    guarded = [dataset("tank/db"), dataset("tank/db/live")]
    case = dataset("tank/case", replace(REPLACE, protect=Protect.ALL), line=3, casesensitivity="mixed")
    there = [
        standing(marked),
        standing(known),
        *(standing(each) for each in guarded),
        standing(case, fields={"properties.casesensitivity": "sensitive"}),
    ]
    rows = [row(marked), row(known, Lifecycle(protect=Protect.ALL)), *(row(each) for each in guarded)]
    return tree([view([case], there, rows)], guardrails=Guardrails(protect=("hv01/Dataset/tank/db*",)))


def share_tripped() -> Plan:
    """A commit that would take four of ten."""
    all_of_it = [dataset(f"tank/site{number}", line=number * 4 + 1) for number in range(10)]
    return tree([view(all_of_it[4:], [standing(each) for each in all_of_it], [row(each) for each in all_of_it])])


def total_tripped() -> Plan:
    """Few removals on each host, and too many over all of them."""
    views = []
    for host in ("hv01", "hv02", "hv03"):
        gone = [dataset(f"tank/site{number}", host=host) for number in range(3)]
        views.append(view([], [standing(each) for each in gone], [row(each) for each in gone], host=host))
    return tree(views, guardrails=Guardrails(removals_total=8))


def bytes_tripped() -> Plan:
    """One removal that takes too much, beside one that takes nothing."""
    big, small = dataset("tank/big"), dataset("tank/small")
    there = [standing(big, removal=Removal(3 * TIB, trash_place=TRASH_PLACE)), standing(small)]
    return tree([view([], there, [row(big), row(small)])])


def ceilings() -> Plan:
    """What no commit can permit: the controller's ceilings."""
    gone = [dataset(f"tank/site{number}") for number in range(3)]
    disk, scratch = volume("tank/disk"), dataset("tank/scratch", DELETE)
    there = [standing(each) for each in (*gone, disk, scratch)]
    return tree([view([], there, [row(each) for each in (*gone, disk, scratch)])], ceilings=CEILINGS)


def references() -> Plan:
    """Things that need things that are not there, are blocked, are removed, are renamed or are only reported."""
    wanted = [
        dataset("tank/zstd", line=3, compression="zstd"),
        dataset("tank/zstd/a", line=8),
        dataset("tank/zstd/a/b", line=13),
        dataset("tank/zstd/a/c", line=18),
        dataset("tank/none/a", line=23),
        dataset("tank/going/a", line=28),
        dataset("tank/report", Lifecycle(mode=Mode.REPORT), line=33),
        dataset("tank/report/a", line=38),
        dataset("tank/needs", line=43, depends_on=["Dataset/tank/zstd"]),
        dataset("tank/wants", line=48, depends_on=["Dataset/tank/nowhere"]),
    ]
    gone = dataset("tank/going")
    return tree([view(wanted, [standing(gone)], [row(gone)])])


def dependents() -> Plan:
    """Removals that snapshots, holds, clones, zones or what lies inside stand against."""
    full, held, base = dataset("tank/full", DELETE), dataset("tank/held"), dataset("tank/base")
    zoned, outer = dataset("tank/zoned"), dataset("tank/outer")
    days = tuple(f"tank/full@2025-12-{day:02}" for day in range(1, 31))
    place = replace(EMPTY, holds_data=True, bytes=GIB)
    obstacles = ("snapshot tank/held@keep is held (see `zfs holds tank/held@keep`)",)
    there = [
        standing(full, removal=Removal(GIB, days)),
        standing(held, removal=replace(place, snapshots=("tank/held@keep", "tank/held@more"), obstacles=obstacles)),
        standing(base, removal=replace(place, snapshots=("tank/base@gold",))),
        observed("tank/vm1", origin="tank/base@gold"),
        observed("tank/vm2", origin="tank/base@gold"),
        standing(zoned, removal=replace(place, obstacles=("tank/zoned is delegated to a zone (zoned is on)",))),
        standing(outer),
        *(observed(f"tank/outer/{name}") for name in ("a", "b", "c", "d", "e")),
    ]
    return tree([view([], there, [row(each) for each in (full, held, base, zoned, outer)])])


def held_host_and_key() -> Plan:
    """A removal and a rename of what is held, and a whole host in which much was to change."""
    gone, old = dataset("tank/gone"), dataset("tank/old")
    one = Hold(ObjectName("Dataset", "tank/gone"), "ops@desk", "is being copied", NOW, NOW + timedelta(hours=4))
    two = replace(one, name=ObjectName("Dataset", "tank/old"), why="don't touch, ask Ann")
    whole = replace(one, name=None, who="dba@desk", why="disk swap")
    renamed = dataset("tank/new", line=3, moved_from="tank/old")
    first = replace(view([renamed], [standing(gone), standing(old)], [row(gone), row(old)]), holds=(one, two))
    many = [dataset(f"tank/site{number}", line=number * 4 + 1, host="hv02") for number in range(6)]
    return tree([first, replace(view(many, host="hv02"), holds=(whole,))])


def unreadable_in_part() -> Plan:
    """One provider could not look at volumes; datasets are planned, and what is in the dark stays."""
    wanted = [dataset("tank/a", line=1), *(volume(f"tank/disk{number}", line=number * 5 + 6) for number in range(6))]
    cause = "`zfs list -Hp -t volume` answered with exit code 1: cannot open 'tank/disk3': I/O error"
    seen = view(wanted, unreadable=[Unreadable("zfs", ("Volume",), cause, "run that on the host, and look at zpool status")])
    objects = {item.name: item for item in (observed("tank"), observed("tank/notes"))}
    return tree([replace(seen, inventory=replace(seen.inventory, objects=objects))])


def partly_back() -> Plan:
    """Part of a group was restored; the manifests of all are back, and something else has the name of one."""
    site = dataset("tank/site", line=3)
    inside = [dataset(f"tank/site/{name}", line=line) for name, line in (("a", 9), ("b", 15), ("c", 21))]
    lost = Removal(3 * GIB, ("x@y",))
    there = [
        standing(site),
        half_trashed(inside[0]),
        *(replace(in_trash(each, number), removal=lost) for number, each in enumerate(inside[1:], start=2)),
        in_trash(dataset("tank/site/d"), 4, replaced=True),
    ]
    inner = dataset("tank/site/b/inner", line=27)
    return tree([view([site, *inside, dataset("tank/site/d", line=33), inner], there, [row(site)])])


def renames_refused() -> Plan:
    """Renames that can't be done as they are written."""
    two = [dataset("tank/left", line=3, moved_from="tank/one"), dataset("tank/right", line=8, moved_from="tank/one")]
    both = dataset("tank/both", line=13, moved_from="tank/also")
    outer = dataset("tank/after", line=18, moved_from="tank/before")
    there = [
        standing(dataset("tank/one")),
        standing(dataset("tank/both")),
        standing(dataset("tank/also")),
        standing(dataset("tank/before")),
        observed("tank/before/notes"),
        observed("tank/stranger"),
    ]
    return tree([view([*two, both, outer, dataset("tank/mine", line=23, moved_from="tank/stranger")], there)])


REFUSED = (
    ownership,
    protected,
    share_tripped,
    total_tripped,
    bytes_tripped,
    ceilings,
    references,
    dependents,
    held_host_and_key,
    unreadable_in_part,
    partly_back,
    renames_refused,
)
