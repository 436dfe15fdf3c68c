"""Plans to be read as text, of what runs: renames, drift, trash and destruction, adoption, odd names and long lists."""

from dataclasses import replace

from reconciler.model.guardrails import Guardrails
from reconciler.model.lifecycle import Adopt, Disruption, Lifecycle, Mode, Protect
from reconciler.model.observed import Removal
from reconciler.model.plan import Plan
from tests.planning.world import (
    DELETE,
    EMPTY,
    GIB,
    MIB,
    REPLACE,
    SOURCE,
    TIB,
    TRASH_PLACE,
    dataset,
    half_trashed,
    mark,
    observed,
    resource,
    row,
    standing,
    tree,
    view,
    volume,
)

SURE = replace(DELETE, delete_snapshots=True)
ONCE = Lifecycle(adopt=Adopt.ONCE)
EQUAL = Lifecycle(adopt=Adopt.IF_EQUAL)


def rename_and_grow() -> Plan:
    """One commit gives a volume another name and more room, and moves a tree of datasets with what lies in it."""
    disk, home = volume("tank/disk", size=20 * GIB), dataset("tank/home")
    inner = [dataset("tank/home/ann", quota=10 * GIB), dataset("tank/home/bob"), volume("tank/home/swap")]
    there = [standing(each) for each in (disk, home, *inner)]
    wanted = [
        volume("tank/till", line=3, size=40 * GIB, moved_from="tank/disk"),
        dataset("tank/people", line=9, moved_from="tank/home"),
        dataset("tank/people/ann", line=15, quota=20 * GIB),
        dataset("tank/people/bob", line=21),
        volume("tank/people/swap", line=27),
    ]
    return tree([view(wanted, there, [row(each) for each in (disk, home, *inner)])])


def drift() -> Plan:
    """Somebody changed things on the host: enforced, only reported, changed in the manifest too, and gone altogether."""
    shop = dataset("tank/shop", line=3, quota=10 * GIB, compression="lz4")
    both = dataset("tank/both", line=9, quota=30 * GIB, readonly="on")
    watched = dataset("tank/watched", Lifecycle(mode=Mode.REPORT), line=15, atime="off")
    there = [
        standing(shop, fields={"properties.quota": None, "properties.compression": "lz4"}),
        standing(both, fields={"properties.quota": 20 * GIB, "properties.readonly": "off"}),
        standing(watched, fields={"properties.atime": "on"}),
    ]
    before = dataset("tank/both", quota=20 * GIB, readonly="on")
    vanished = dataset("tank/vanished", line=21)
    rows = [row(shop), row(before), row(watched), row(vanished)]
    return tree([view([shop, both, watched, vanished], there, rows)])


def trash_over_hosts() -> Plan:
    """One commit takes a site away on two hosts; all of it is kept, with its snapshots."""
    views = []
    for host, size in (("hv01", 200 * GIB), ("hv02", 3 * TIB)):
        gone = [dataset("tank/site", host=host), dataset("tank/site/db", host=host), volume("tank/site/disk", host=host)]
        kept = Removal(size, ("tank/site/db@mon", "tank/site/db@tue"), trash_place=TRASH_PLACE, has_trash_place=host == "hv02")
        there = [
            standing(gone[0]),
            standing(gone[1], removal=kept),
            standing(gone[2], removal=replace(kept, bytes=40 * GIB, snapshots=())),
        ]
        views.append(view([], there, [row(each) for each in gone], host=host))
    return tree(views, guardrails=Guardrails(removals_bytes=10 * TIB))


def half_trashed_restore() -> Plan:
    """A pass was cut off on its way into the trash, and the manifest is back, with another quota."""
    caught = dataset("tank/caught", line=3, quota=2 * GIB)
    there = half_trashed(caught, fields={"properties.quota": GIB}, removal=replace(EMPTY, was_mounted=False))
    return tree([view([caught], [there], [row(dataset("tank/caught", quota=GIB))])])


def replacements() -> Plan:
    """One replacement that keeps the old object, and one that destroys it with its snapshots."""
    kept = dataset("tank/kept", Lifecycle(disruption=Disruption.REPLACE), line=3, casesensitivity="mixed")
    lost = dataset("tank/lost", replace(REPLACE, delete_snapshots=True), line=9, casesensitivity="mixed")
    cost = Removal(700 * MIB, ("tank/lost@before",), trash_place=TRASH_PLACE, has_trash_place=True)
    before = {"properties.casesensitivity": "sensitive"}
    there = [
        standing(kept, fields=before, removal=replace(cost, snapshots=("tank/kept@before",))),
        standing(lost, fields=before, removal=cost),
    ]
    earlier = [row(dataset(name, casesensitivity="sensitive")) for name in ("tank/kept", "tank/lost")]
    return tree([view([kept, lost], there, earlier)])


def adoptions() -> Plan:
    """Objects that were there before us: taken over, changed and taken over, and refused for what differs."""
    wanted = [
        dataset("tank/equal", EQUAL, line=3, compression="lz4"),
        dataset("tank/once", ONCE, line=9, quota=20 * GIB, compression="lz4"),
        dataset("tank/differs", EQUAL, line=15, quota=20 * GIB, compression="lz4", readonly="on"),
        dataset("tank/case", ONCE, line=21, casesensitivity="mixed"),
        volume("tank/disk", ONCE, line=27, size=20 * GIB),
        dataset("tank/never", line=33),
    ]
    lz4 = {"properties.compression": "lz4"}
    there = [
        observed("tank/equal", lz4),
        observed("tank/once", {"properties.quota": None, "properties.compression": "off"}),
        observed("tank/differs", {"properties.quota": 10 * GIB, "properties.readonly": "off", **lz4}),
        observed("tank/case", {"properties.casesensitivity": "sensitive"}),
        observed("tank/disk", {"size": 40 * GIB}, kind="Volume"),
        observed("tank/never"),
    ]
    return tree([view(wanted, there)])


def released_and_null() -> Plan:
    """Lines that were taken out of manifests, and values that are explicitly none."""
    was = dataset("tank/web", quota=5 * GIB, compression="lz4", **{"org.example:role": "web"})
    wanted = dataset("tank/web", line=3, quota=None, compression=None)
    logs = dataset("tank/logs", line=9)
    there = [
        standing(was),
        standing(logs, fields={"properties.quota": 5 * GIB}),
    ]
    return tree([view([wanted, logs], there, [row(was), row(dataset("tank/logs", quota=5 * GIB))])])


def lifecycle_changes() -> Plan:
    """Only what is written on the objects changes: protection comes and goes, another way to go, orphan."""
    rows, there, wanted = [], [], []
    for line, (name, before, after) in enumerate(
        (
            ("guarded", Lifecycle(), Lifecycle(protect=Protect.ALL)),
            ("lifted", Lifecycle(protect=Protect.ALL), Lifecycle()),
            ("riskier", Lifecycle(), DELETE),
        )
    ):
        old = dataset(f"tank/{name}", before)
        wanted.append(dataset(f"tank/{name}", after, line=line * 6 + 3))
        there.append(standing(old))
        rows.append(row(old))
    return tree([view(wanted, there, rows)])


def unfinished() -> Plan:
    """What a pass that was cut off left behind: a mark with the old name, a dataset that is not mounted."""
    moved = dataset("tank/new", line=3, moved_from="tank/old")
    made = dataset("tank/made", line=9)
    there = [
        standing(moved, mark=mark("tank/old")),
        standing(made, fields={"mounted": False}),
    ]
    return tree([view([moved, made], there, [row(made)], unfinished=[made])])


def destruction_among_changes() -> Plan:
    """Between dozens of harmless lines three things go for good, on two of three hosts."""
    views = []
    for host in ("hv01", "hv02", "hv03"):
        fresh = [dataset(f"tank/site{number:02}", line=number * 6 + 1, host=host, quota=GIB) for number in range(8)]
        there = []
        if host != "hv03":
            there.append(standing(dataset("tank/ledger", SURE, host=host), removal=Removal(3 * GIB, ("tank/ledger@eve",))))
        if host == "hv01":
            there.append(standing(volume("tank/till", DELETE, host=host), removal=Removal(20 * GIB)))
        rows = [row(dataset("tank/ledger", SURE, host=host)), row(volume("tank/till", DELETE, host=host))]
        views.append(view(fresh, there, rows, host=host))
    return tree(views)


def long_list() -> Plan:
    """A new host with a hundred datasets."""
    return tree([view([dataset(f"tank/site{number:03}", line=number * 4 + 1, quota=GIB) for number in range(100)])])


def odd_names() -> Plan:
    """Spaces, quotes, newlines and letters from elsewhere in names and values."""
    note = "properties.org.example:note"
    web = dataset("tank/web", line=3, mountpoint="/srv/Grüße aus Köln", **{note: 'it\'s "fine"\n  - DESTROY  tank'})
    there = standing(web, fields={"properties.mountpoint": "/srv/old place", note: "  "})
    gone = standing(dataset("tank/gone", SURE), removal=Removal(GIB, ("tank/gone@two words",)))
    return tree(
        [view([web], [there, gone, observed("tank/a b")], [row(dataset("tank/web")), row(dataset("tank/gone", SURE))])],
        source=ODD_SOURCE,
    )


ODD_SOURCE = replace(SOURCE, path="/home/ann/my infra")


def pool_missed() -> Plan:
    """A pool that is not as expected, one that is not there, and nothing else to do."""
    health = resource("Pool", "tank", line=3, **{"expect.health": "ONLINE", "expect.minFree": "10%"})
    absent = resource("Pool", "zones", line=9, **{"expect.health": "ONLINE"})
    pool = observed("tank", {"health": "DEGRADED", "size": TIB, "free": GIB}, kind="Pool")
    kept = dataset("tank/a", line=15)
    return tree([view([health, absent, kept], [pool, standing(kept)], [row(kept)])])


def forgotten_hosts() -> Plan:
    """Host manifests went away; another host is new and has nothing yet."""
    return tree([view([], host="hv09")], known=["hv01", "hv02"])


RUNNING = (
    rename_and_grow,
    drift,
    trash_over_hosts,
    half_trashed_restore,
    replacements,
    adoptions,
    released_and_null,
    lifecycle_changes,
    unfinished,
    destruction_among_changes,
    long_list,
    odd_names,
    pool_missed,
    forgotten_hosts,
)
