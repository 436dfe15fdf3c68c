"""A hold refuses every change of its object until it ends; nothing else is kept from going on."""

from dataclasses import replace
from datetime import datetime, timedelta

from reconciler.model.guardrails import Guardrails
from reconciler.model.hold import Hold, active
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import Mode
from reconciler.model.observed import Observed
from reconciler.model.plan import HostPlan
from reconciler.model.resource import Resource
from reconciler.planning.render_json import plan_digest, plan_document
from reconciler.planning.render_text import plan_lines
from tests.planning.world import (
    DELETE,
    GIB,
    KINDS,
    NOW,
    ORPHAN,
    REPLACE,
    cause,
    changes,
    dataset,
    observed,
    refusals,
    row,
    standing,
    tree,
    view,
)

UNTIL = NOW + timedelta(hours=4)


def hold(name: str | None = None, kind: str = "Dataset", *, until: datetime = UNTIL) -> Hold:
    return Hold(ObjectName(kind, name) if name else None, "ops@desk", "restoring by hand", NOW, until)


def held(
    *holds: Hold, wanted: list[Resource], there: list[Observed], rows: list[Resource] | None = None, **options: object
) -> HostPlan:
    seen = replace(view(wanted, there, [row(each) for each in rows or []], **options), holds=holds)  # type: ignore[arg-type]
    return tree([seen]).hosts[0]


GONE = dataset("tank/gone", DELETE)
OTHER = dataset("tank/other", quota=2 * GIB)
MOVED = dataset("tank/new", moved_from="tank/old")
CHANGED = dataset("tank/a", quota=2 * GIB)
SMALLER = {"properties.quota": GIB}


def test_a_held_key_is_blocked_and_says_by_whom_until_when_why_and_how_to_release_it() -> None:
    plan = held(
        hold("tank/a"), wanted=[CHANGED, OTHER], there=[standing(CHANGED, fields=SMALLER), standing(OTHER, fields=SMALLER)]
    )

    assert changes(plan) == ["update Dataset/tank/other"]
    assert refusals(plan) == {"Dataset/tank/a": "held"}
    assert cause(plan) == (
        "it is held by ops@desk until 2026-01-02 07:04:05 UTC: restoring by hand; remedy: wait, or release it with "
        "`reconciler hold hv01/Dataset/tank/a --release`"
    )


def test_every_verb_is_refused_on_a_held_object() -> None:
    mixed = dataset("tank/mixed", REPLACE, casesensitivity="mixed")
    new, left = dataset("tank/made"), dataset("tank/left", ORPHAN)
    there = [
        standing(mixed, fields={"properties.casesensitivity": "sensitive"}),
        standing(GONE),
        standing(left),
        standing(CHANGED, fields=SMALLER),
    ]
    wanted = [mixed, new, CHANGED]

    assert len(changes(held(wanted=wanted, there=there, rows=[GONE, left]))) == 5
    names = ["tank/mixed", "tank/gone", "tank/left", "tank/a", "tank/made"]
    plan = held(*(hold(name) for name in names), wanted=wanted, there=there, rows=[GONE, left])

    assert changes(plan) == []
    assert refusals(plan) == {f"Dataset/{name}": "held" for name in names}


def test_a_held_host_is_left_alone_altogether() -> None:
    plan = held(hold(), wanted=[CHANGED, OTHER], there=[standing(CHANGED, fields=SMALLER), standing(GONE)], rows=[GONE])

    assert changes(plan) == []
    assert set(refusals(plan).values()) == {"held"}
    assert "its host is held by ops@desk" in plan.blocked[0].cause
    assert plan.blocked[0].remedy.endswith("`reconciler hold hv01 --release`")


def test_a_hold_under_the_old_name_or_the_new_keeps_a_rename_back() -> None:
    there = [standing(dataset("tank/old"))]

    for name in ("tank/old", "tank/new"):
        assert refusals(held(hold(name), wanted=[MOVED], there=there)) == {"Dataset/tank/new": "held"}


def test_a_held_object_is_not_carried_away_by_the_rename_of_its_container() -> None:
    there = [standing(dataset("tank/old")), standing(dataset("tank/old/db"))]

    for name in ("tank/old/db", "tank/new/db"):
        plan = held(hold(name), wanted=[MOVED, dataset("tank/new/db")], there=there)

        assert changes(plan) == []
        assert refusals(plan)["Dataset/tank/new/db"] == "held"
        assert refusals(plan)["Dataset/tank/new"] == "dependents"


def test_a_container_does_not_go_from_around_a_held_object() -> None:
    inner = dataset("tank/gone/inner", DELETE)

    plan = held(hold("tank/gone/inner"), wanted=[], there=[standing(GONE), standing(inner)], rows=[GONE, inner])

    assert refusals(plan) == {"Dataset/tank/gone": "dependents", "Dataset/tank/gone/inner": "held"}


def test_what_lies_in_a_held_container_goes_on() -> None:
    inner = dataset("tank/a/inner", quota=GIB)

    plan = held(hold("tank/a"), wanted=[dataset("tank/a"), inner], there=[standing(dataset("tank/a"))])

    assert changes(plan) == ["create Dataset/tank/a/inner"]


def test_a_hold_on_what_is_as_wanted_refuses_nothing() -> None:
    plan = held(hold("tank/a"), hold(), wanted=[CHANGED], there=[standing(CHANGED)], rows=[CHANGED])

    assert plan.is_empty
    assert len(plan.holds) == 2


def test_what_is_only_reported_stays_reported() -> None:
    plan = held(hold("tank/a"), wanted=[CHANGED], there=[standing(CHANGED, fields=SMALLER)], mode=Mode.REPORT)

    assert (changes(plan), refusals(plan)) == (["update Dataset/tank/a"], {})


def test_removals_that_are_held_do_not_count_against_the_guardrails() -> None:
    gone = [dataset(f"tank/gone{number}", DELETE) for number in range(3)]
    seen = view([], [standing(each) for each in gone], [row(each) for each in gone])
    plan = tree([replace(seen, holds=(hold("tank/gone0"),))], guardrails=Guardrails(removals_per_host=2)).hosts[0]

    assert len(changes(plan)) == 2


def test_what_waits_for_a_held_object_says_how_to_release_it() -> None:
    outer, inner = dataset("tank/old", DELETE), dataset("tank/old/in", DELETE)
    moved = [dataset("tank/new", moved_from="tank/old"), dataset("tank/new/in")]
    there = [standing(outer), standing(inner)]
    removed = held(hold("tank/old/in"), wanted=[], there=there, rows=[outer, inner])
    renamed = held(hold("tank/old/in"), wanted=moved, there=there, rows=[outer, inner])

    for plan, key in ((removed, "tank/old"), (renamed, "tank/new")):
        (waiting,) = (item for item in plan.blocked if item.key.name == key)
        assert "hold hv01/Dataset/tank/old/in --release" in waiting.remedy


def test_an_expired_hold_is_none() -> None:
    holds = [hold("tank/a", until=NOW), hold("tank/b", until=NOW + timedelta(seconds=1)), hold()]

    assert [item.name for item in active(holds, NOW)] == [None, ObjectName("Dataset", "tank/b")]


def test_holds_are_shown_in_the_plan_and_change_no_digest_by_themselves() -> None:
    free = view([CHANGED], [standing(CHANGED), observed("tank/x")])
    plan = tree([replace(free, holds=(hold(), hold("tank/a")))])

    text = "\n".join(line.text for line in plan_lines(plan, KINDS))
    assert "  # held  the whole host by ops@desk until 2026-01-02 07:04:05 UTC: restoring by hand\n" in text
    assert "  # held  Dataset/tank/a by ops@desk" in text
    assert [entry["target"] for entry in plan_document(plan)["hosts"][0]["holds"]] == ["hv01", "hv01/Dataset/tank/a"]
    assert plan_digest(plan) == plan_digest(tree([free]))
