"""`protect` keeps an object from being taken away: said by the mark, the ledger, the manifest, or the guardrails."""

from dataclasses import replace

import pytest

from reconciler.model.guardrails import Guardrails
from reconciler.model.lifecycle import Lifecycle, Protect
from tests.planning.world import (
    DELETE,
    REPLACE,
    cause,
    changed_fields,
    changes,
    commands,
    dataset,
    mark,
    planned,
    refusals,
    row,
    standing,
)

PROTECTED = replace(DELETE, protect=Protect.REMOVAL)
MIXED = {"properties.casesensitivity": "mixed"}


@pytest.mark.parametrize("protect", [Protect.REMOVAL, Protect.ALL])
def test_a_protected_object_is_not_removed(protect: Protect) -> None:
    gone = dataset("tank/a", replace(DELETE, protect=protect))

    plan = planned([], [standing(gone)], [row(gone)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "protected"}
    assert "lifecycle.protect: none" in cause(plan)


def test_the_mark_protects_where_the_ledger_is_lost_or_says_otherwise() -> None:
    gone = dataset("tank/a", PROTECTED)

    assert refusals(planned([], [standing(gone)])) == {"Dataset/tank/a": "protected"}
    assert refusals(planned([], [standing(gone)], [row(gone, DELETE)])) == {"Dataset/tank/a": "protected"}


def test_the_ledger_protects_where_the_mark_was_cleared_by_hand() -> None:
    gone = dataset("tank/a", PROTECTED)
    there = standing(gone, mark=mark("tank/a", DELETE))

    assert refusals(planned([], [there], [row(gone)])) == {"Dataset/tank/a": "protected"}


def test_a_protection_is_written_to_the_host() -> None:
    wanted = dataset("tank/a", PROTECTED)

    plan = planned([wanted], [standing(wanted, mark=mark("tank/a", DELETE))])

    assert commands(plan) == ["zfs set dev.reconciler:protect=removal tank/a"]
    assert changed_fields(plan) == {"lifecycle.protect": ("none", "removal")}


def test_a_new_object_is_protected_from_the_first_command_on() -> None:
    assert "-o dev.reconciler:protect=removal" in commands(planned([dataset("tank/a", PROTECTED)]))[0]


def test_lifting_a_protection_only_lifts_the_mark() -> None:
    before, after = dataset("tank/a", PROTECTED), dataset("tank/a", DELETE)

    plan = planned([after], [standing(before)], [row(before)])

    assert commands(plan) == ["zfs inherit dev.reconciler:protect tank/a"]


def test_a_protection_lifted_together_with_a_replacement_still_protects() -> None:
    before = dataset("tank/a", replace(REPLACE, protect=Protect.REMOVAL), casesensitivity="sensitive")
    after = dataset("tank/a", REPLACE, casesensitivity="mixed")

    plan = planned([after], [standing(before)], [row(before)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "protected"}


@pytest.mark.parametrize(
    ("marked", "applied", "stated", "reason"),
    [
        (Protect.ALL, Protect.NONE, Protect.NONE, "the mark alone protects"),
        (Protect.NONE, Protect.ALL, Protect.NONE, "the ledger alone protects: the mark was cleared by hand"),
        (Protect.NONE, Protect.NONE, Protect.ALL, "the manifest alone protects: it came in the same revision"),
    ],
)
def test_whatever_protects_stops_a_replacement(marked: Protect, applied: Protect, stated: Protect, reason: str) -> None:
    wanted = dataset("tank/a", replace(REPLACE, protect=stated), casesensitivity="sensitive")
    there = standing(wanted, fields=MIXED, mark=mark("tank/a", REPLACE, protect=marked))

    plan = planned([wanted], [there], [row(wanted, replace(REPLACE, protect=applied))])

    assert changes(plan) == [], reason
    assert refusals(plan) == {"Dataset/tank/a": "protected"}, reason


def test_a_protected_object_is_still_changed_in_place() -> None:
    wanted = dataset("tank/a", Lifecycle(protect=Protect.ALL), compression="lz4")

    plan = planned([wanted], [standing(wanted, fields={"properties.compression": "off"})])

    assert commands(plan) == ["zfs set compression=lz4 tank/a"]


def test_a_protected_object_is_still_renamed() -> None:
    before = dataset("tank/a", Lifecycle(protect=Protect.ALL))
    after = dataset("tank/b", Lifecycle(protect=Protect.ALL), moved_from="tank/a")

    assert commands(planned([after], [standing(before)]))[0] == "zfs rename tank/a tank/b"


@pytest.mark.parametrize("pattern", ["hv01/Dataset/tank/a", "*/tank/*", "hv01/*"])
def test_a_glob_of_the_guardrails_protects_from_removal(pattern: str) -> None:
    gone = dataset("tank/a", DELETE)

    plan = planned([], [standing(gone)], [row(gone)], guardrails=Guardrails(protect=(pattern,)))

    assert refusals(plan) == {"Dataset/tank/a": "protected"}
    assert f"guardrails protect {pattern}" in cause(plan)
    assert "spec.guardrails.protect" in cause(plan)


def test_a_glob_of_the_guardrails_protects_from_replacement() -> None:
    wanted = dataset("tank/a", REPLACE, casesensitivity="sensitive")

    plan = planned([wanted], [standing(wanted, fields=MIXED)], guardrails=Guardrails(protect=("*/tank/a",)))

    assert refusals(plan) == {"Dataset/tank/a": "protected"}
    assert "spec.guardrails.protect" in cause(plan)


def test_a_glob_that_does_not_match_protects_nothing() -> None:
    gone = dataset("tank/a", DELETE)

    plan = planned([], [standing(gone)], [row(gone)], guardrails=Guardrails(protect=("*/Volume/*", "hv02/*")))

    assert changes(plan) == ["delete Dataset/tank/a"]
