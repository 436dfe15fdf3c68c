"""The plan as people read it, whole, in `golden/`; `RENEW_GOLDEN=1` writes these files anew for a reader to judge."""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.model.command import Command, Step
from reconciler.model.guardrails import Guardrails
from reconciler.model.hold import Hold
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import Disruption, Lifecycle, Mode, Protect
from reconciler.model.observed import Removal, Unreadable
from reconciler.model.plan import Plan
from reconciler.planning.render_text import Style, plan_lines, summary_text, work_lines
from tests.planning.plans_refused import REFUSED
from tests.planning.plans_that_run import RUNNING, destruction_among_changes
from tests.planning.world import (
    DELETE,
    EMPTY,
    GIB,
    KIB,
    KINDS,
    MIB,
    NOW,
    ORPHAN,
    REPLACE,
    SOURCE,
    TIB,
    TRASH,
    TRASH_PLACE,
    dataset,
    half_trashed,
    in_trash,
    mark,
    observed,
    resource,
    row,
    standing,
    tree,
    view,
    volume,
)

GOLDEN = Path(__file__).parent / "golden"
SURE = replace(DELETE, delete_snapshots=True)
BLIND = "`zfs get -Hp -r -t filesystem,volume -o name,property,value,source type` did not end within 60 s"


def first_plan() -> Plan:
    """A new host: everything is made, and one name is taken."""
    made = [
        dataset("tank/data", line=1, compression="lz4"),
        dataset("tank/data/web", line=9, quota=10 * GIB, mountpoint="/srv/web", **{"org.example:role": "web"}),
        volume("tank/data/disk", line=17, size=20 * GIB, sparse=True),
        dataset("tank/home", line=25),
    ]
    return tree([view(made, [observed("tank/home")])])


def change() -> Plan:
    """An ordinary commit: a change, a rename with what lies inside, a released line, a dataset that goes for good."""
    web = dataset("tank/web", line=3, quota=20 * GIB, compression=None)
    released = dataset("tank/logs", line=30)
    there = [
        standing(web, fields={"properties.quota": 10 * GIB, "properties.compression": "gzip-9"}),
        standing(dataset("tank/old", DELETE)),
        standing(dataset("tank/old/db", DELETE)),
        standing(dataset("tank/gone", SURE), removal=Removal(3 * GIB, ("tank/gone@monday", "tank/gone@tuesday"))),
        standing(dataset("tank/left", ORPHAN)),
        standing(released),
        observed("tank/strangers"),
    ]
    there[0] = replace(there[0], stated_here=frozenset({"properties.compression"}))
    renamed = [dataset("tank/new", DELETE, line=12, moved_from="tank/old"), dataset("tank/new/db", DELETE, line=20)]
    logs = dataset("tank/logs", quota=5 * GIB)
    return tree([view([web, released, *renamed], there, [row(logs), row(dataset("tank/gone", SURE))])])


def destruction() -> Plan:
    """What must not be overread: a replacement and a nested removal."""
    mixed = dataset("tank/share", replace(REPLACE, delete_snapshots=True), line=40, casesensitivity="mixed")
    there = [
        standing(mixed, fields={"properties.casesensitivity": "sensitive"}, removal=Removal(700 * MIB, ("tank/share@before",))),
        *(standing(dataset(f"tank/gone{tail}", DELETE), removal=Removal(2 * TIB)) for tail in ("", "/a", "/b")),
        standing(volume("tank/gone/disk", DELETE), removal=Removal(20 * GIB)),
    ]
    return tree([view([mixed], there)], guardrails=Guardrails(removals_bytes=100 * TIB))


def trash() -> Plan:
    """A removal of several objects and a replacement, both kept, and one object that was caught on its way."""
    gone = [dataset("tank/gone"), dataset("tank/gone/a", replace(TRASH, trash_ttl_s=None)), volume("tank/gone/disk")]
    mixed = dataset("tank/mixed", Lifecycle(disruption=Disruption.REPLACE), casesensitivity="mixed")
    caught = dataset("tank/caught")
    kept = Removal(20 * GIB, ("tank/gone/disk@one", "tank/gone/disk@two"), trash_place=TRASH_PLACE)
    home = replace(EMPTY, was_mounted=True, saved={"canmount": None, "sharenfs": "rw=@10.0.0.0/8"}, bytes=200 * GIB)
    there = [
        standing(gone[0], removal=home),
        standing(gone[1]),
        standing(gone[2], removal=replace(kept, saved={"refreservation": str(20 * GIB)})),
        standing(mixed, fields={"properties.casesensitivity": "sensitive"}, removal=replace(home, bytes=3 * MIB)),
        half_trashed(caught),
    ]
    rows = [row(each) for each in (*gone, mixed, caught)]
    return tree([view([mixed, caught], there, rows)])


def refusals() -> Plan:
    """Everything that can be refused, each with the way out."""
    protected, held = dataset("tank/p", replace(DELETE, protect=Protect.ALL)), dataset("tank/h", SURE)
    full = dataset("tank/s", DELETE)
    there = [
        standing(protected),
        standing(full, removal=Removal(GIB, tuple(f"tank/s@{day}" for day in range(1, 8)))),
        standing(held, removal=Removal(KIB, ("tank/h@x",), ("snapshot tank/h@x is held",))),
        in_trash(dataset("tank/t")),
        in_trash(dataset("tank/u"), 2),
        standing(dataset("tank/outer", DELETE)),
        observed("tank/outer/inner"),
        observed("tank/theirs", marked=mark("tank/theirs", owner="others")),
        standing(dataset("tank/moved"), name="tank/elsewhere"),
        standing(volume("tank/v"), fields={"size": 40 * GIB}),
        standing(dataset("tank/case"), fields={"properties.casesensitivity": "sensitive"}),
    ]
    wanted = [
        dataset("tank/theirs", line=2),
        dataset("tank/moved", line=4),
        volume("tank/v", line=6, size=20 * GIB),
        dataset("tank/case", line=8, casesensitivity="mixed"),
        dataset("tank/zstd", line=10, compression="zstd"),
        dataset("tank/zstd/inner", line=12),
        dataset("tank/no/where", line=14),
        dataset("tank/t", line=16),
        dataset("tank/t/inner", line=18),
        dataset("tank/now", line=20, moved_from="tank/u"),
    ]
    rows = [row(each) for each in (protected, full, held)]
    return tree([view(wanted, there, rows)])


def tripped() -> Plan:
    """A commit that would take too much."""
    left = [dataset(f"tank/site{number:02}", DELETE) for number in range(12)]
    return tree([view([dataset("tank/new", line=5)], [standing(each) for each in left])])


def unreadable() -> Plan:
    """One host that does not answer and one that is as wanted."""
    wanted = [dataset(f"tank/site{number}", line=number) for number in (1, 2, 3)]
    kept = dataset("tank/a", host="hv02")
    trouble = Unreadable("zfs", ("Pool", "Dataset", "Volume"), BLIND, "look at zpool status on the host")
    return tree([view(wanted, unreadable=[trouble]), view([kept], [standing(kept)], [row(kept)], host="hv02")], known=["hv00"])


def wrong_host() -> Plan:
    """The address leads to another machine."""
    return tree([view([dataset("tank/a", line=1)], wrong_host="the machine's hostname is hv02, and spec.identity says hv01")])


def report_only() -> Plan:
    """A host that is only watched."""
    wanted = dataset("tank/a", line=1, quota=GIB)
    missed = resource("Pool", "tank", line=9, **{"expect.health": "ONLINE"})
    pool = observed("tank", {"health": "DEGRADED", "size": TIB, "free": GIB}, kind="Pool")
    there = [standing(wanted, fields={"properties.quota": None}), standing(dataset("tank/z", DELETE)), pool]
    return tree([view([wanted, missed], there, mode=Mode.REPORT)])


def narrowed() -> Plan:
    """Only a part of the source was read."""
    return tree([view([dataset("tank/a", line=1)], whole=False)], source=replace(SOURCE, whole=False))


def as_wanted() -> Plan:
    """Nothing to do."""
    wanted = dataset("tank/a")
    return tree([view([wanted], [standing(wanted)], [row(wanted)])])


def held() -> Plan:
    """Somebody works by hand on one object, and on a whole host."""
    wanted = [dataset("tank/web", line=3, quota=2 * GIB), dataset("tank/log", line=9, quota=2 * GIB)]
    there = [standing(each, fields={"properties.quota": GIB}) for each in wanted]
    one = Hold(ObjectName("Dataset", "tank/web"), "ops@desk", "restoring by hand", NOW, NOW + timedelta(hours=4))
    whole = replace(one, name=None, who="dba@desk", why="disk swap")
    other = dataset("tank/a", host="hv02")
    return tree([replace(view(wanted, there), holds=(one,)), replace(view([other], host="hv02"), holds=(whole,))])


PLANS = (
    held,
    first_plan,
    change,
    destruction,
    trash,
    refusals,
    tripped,
    unreadable,
    wrong_host,
    report_only,
    narrowed,
    as_wanted,
    *RUNNING,
    *REFUSED,
)


@pytest.mark.parametrize("name", [made.__name__ for made in PLANS])
def test_a_plan_reads_as_its_golden_file(name: str) -> None:
    plan = next(made for made in PLANS if made.__name__ == name)()
    golden = GOLDEN / f"{name}.txt"

    text = "".join(f"{line.text}\n" for line in plan_lines(plan, KINDS))

    if os.environ.get("RENEW_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


def test_every_golden_file_has_its_plan() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == {made.__name__ for made in PLANS}


def test_only_what_destroys_is_painted_as_destruction() -> None:
    painted = [line.text for line in plan_lines(destruction(), KINDS) if line.style is Style.DESTROYS]
    above = painted[: painted.index("can't be brought back once this has run:")]

    assert {text.split()[1] for text in above} == {"REPLACE", "DESTROY", "LOSS:"}
    for harmless in (first_plan(), trash(), report_only()):
        assert [line for line in plan_lines(harmless, KINDS) if line.style is Style.DESTROYS] == []


def test_all_that_is_destroyed_is_named_once_more_before_the_summary() -> None:
    lines = [line.text for line in plan_lines(destruction_among_changes(), KINDS)]

    assert lines[-5:-1] == [
        "can't be brought back once this has run:",
        "  hv01/Dataset/tank/ledger  3.0 GiB and 1 snapshot",
        "  hv01/Volume/tank/till  20 GiB",
        "  hv02/Dataset/tank/ledger  3.0 GiB and 1 snapshot",
    ]


def test_a_host_among_several_is_headed_by_what_happens_to_it() -> None:
    several = [line.text for line in plan_lines(held(), KINDS) if line.style is Style.HEADING]
    alone = [line.text for line in plan_lines(tripped(), KINDS) if line.style is Style.HEADING]

    assert several[0] == "hv01 (2 managed, 1 unmanaged): 1 to update; 1 blocked"
    assert alone[0] == "hv01 (12 managed, 1 unmanaged)"


def test_what_a_host_says_cannot_forge_a_line_of_the_plan() -> None:
    name = "properties.org.example:note"
    wanted = dataset("tank/a", **{name: "calm"})
    forged = "x\n  - DESTROY  Dataset/tank\x1b[2J\udcff"

    lines = list(plan_lines(tree([view([wanted], [standing(wanted, fields={name: forged})])]), KINDS))

    assert all(line.text.isprintable() for line in lines)
    assert r"properties.org.example:note: x\n  - DESTROY  Dataset/tank\x1b[2J\udcff -> calm" in "\n".join(
        line.text for line in lines
    )


def test_the_summary_counts_what_runs_apart_from_what_is_only_reported() -> None:
    wanted = [dataset("tank/a"), dataset("tank/b", replace(DELETE, mode=Mode.REPORT))]

    assert summary_text(tree([view(wanted)])) == "1 to create; only reported: 1 to create"
    assert summary_text(tree([view(wanted[1:])])) == "nothing will be run; only reported: 1 to create"
    assert summary_text(tree([view([])])) == "nothing to do"


def test_a_new_object_is_shown_with_what_is_only_chosen_when_it_is_made() -> None:
    wanted = replace(dataset("tank/a", quota=GIB), created_with={"createParents": True})

    assert [line.text for line in work_lines(tree([view([wanted])]).hosts[0], KINDS)][:4] == [
        "  + create  Dataset/tank/a  [hosts/hv01/storage.yaml:1:1]",
        "      because it is not there",
        "      createParents: true",
        "      properties.quota: 1GiB",
    ]


def test_input_that_a_check_reads_first_is_shown_once() -> None:
    def step(word: str, text: str | None) -> Step:
        return Step(Command(("vmadm", word), stdin=text))

    (action,) = tree([view([dataset("tank/a")])]).hosts[0].actions
    steps = (step("validate", "{a}"), step("create", "{a}"), step("start", None), step("update", "{b}"), step("update", "{a}"))
    host = replace(tree([view()]).hosts[0], actions=(replace(action, steps=steps),))

    assert [line.text.strip() for line in work_lines(host, KINDS)][2:] == [
        "$ vmadm validate",
        "| {a}",
        "$ vmadm create",
        "| (the same input)",
        "$ vmadm start",
        "$ vmadm update",
        "| {b}",
        "$ vmadm update",
        "| {a}",
    ]
