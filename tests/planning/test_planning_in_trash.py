"""What lies in the trash: the keys that wait with it, and its time."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reconciler.model.trash import Trashed
from reconciler.planning.trash import trash_entries
from tests.planning.world import (
    HOST,
    OWNER,
    cause,
    changes,
    dataset,
    in_trash,
    mark,
    planned,
    refusals,
    row,
    standing,
    view,
    volume,
)


def test_a_key_whose_object_lies_in_the_trash_is_not_made_anew() -> None:
    wanted = dataset("tank/a")

    plan = planned([wanted], [in_trash(wanted)])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/a": "inTrash"}
    assert f"`reconciler trash restore {HOST}/Dataset/tank/a`" in cause(plan)
    assert f"`reconciler trash purge {HOST}/Dataset/tank/a`" in cause(plan)


def test_what_lies_in_a_container_that_waits_in_the_trash_waits_with_it() -> None:
    wanted = [dataset("tank/a"), dataset("tank/a/b"), dataset("tank/a/new")]

    plan = planned(wanted, [in_trash(wanted[0], 1), in_trash(wanted[1], 2)])

    assert changes(plan) == []
    assert refusals(plan) == {
        "Dataset/tank/a": "inTrash",
        "Dataset/tank/a/b": "inTrash",
        "Dataset/tank/a/new": "missingReference",
    }


def test_a_rename_of_what_lies_in_the_trash_makes_nothing_new_either() -> None:
    wanted = dataset("tank/new", moved_from="tank/old")

    plan = planned([wanted], [in_trash(dataset("tank/old"))])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/new": "inTrash"}
    assert f"`reconciler trash restore {HOST}/Dataset/tank/old`" in cause(plan)


def test_another_kind_of_the_same_name_is_not_concerned() -> None:
    assert changes(planned([volume("tank/a")], [in_trash(dataset("tank/a"))])) == ["create Volume/tank/a"]


def test_what_made_way_for_its_successor_blocks_nothing() -> None:
    wanted = dataset("tank/a")

    assert changes(planned([wanted], [in_trash(wanted, replaced=True)])) == ["create Dataset/tank/a"]
    assert changes(planned([wanted], [standing(wanted), in_trash(wanted, replaced=True)], [row(wanted)])) == []


def test_a_successor_that_is_there_is_managed_whatever_lies_in_the_trash() -> None:
    wanted = dataset("tank/a", atime="off")
    there = standing(wanted, fields={"properties.atime": "on"})

    assert changes(planned([wanted], [there, in_trash(wanted)], [row(wanted)])) == ["update Dataset/tank/a"]


@pytest.mark.parametrize("changed", [{"owner": "others"}, {"host_id": "ffff0000"}])
def test_the_trash_of_another_owner_or_host_is_none_of_our_business(changed: dict[str, object]) -> None:
    wanted = dataset("tank/a")
    theirs = in_trash(wanted)

    plan = planned([wanted], [replace(theirs, mark=mark("tank/a", **changed))])

    assert changes(plan) == ["create Dataset/tank/a"]
    assert changes(planned([], [replace(theirs, mark=mark("tank/a", **changed))])) == []


def test_a_garbled_note_still_keeps_the_key() -> None:
    wanted = dataset("tank/a")
    garbled = replace(in_trash(wanted), trashed=Trashed("", "", None))

    assert refusals(planned([wanted], [garbled])) == {"Dataset/tank/a": "inTrash"}


@pytest.mark.parametrize(
    ("at", "ttl_s", "expires"),
    [
        ("20260101T000000.000Z", 60, datetime(2026, 1, 1, 0, 1, tzinfo=UTC)),
        ("20260101T000000.000Z", None, None),
        ("20260101T000000.000Z", 10_000_000 * 86400, None),
        ("20260101T000000.000Z", 10**20, None),
        ("", 60, None),
        ("yesterday", 60, None),
    ],
)
def test_an_entry_expires_when_its_time_has_run_out_and_never_by_a_garbled_note(
    at: str, ttl_s: int | None, expires: datetime | None
) -> None:
    there = replace(in_trash(dataset("tank/a")), trashed=Trashed(at, "group", ttl_s))

    (entry,) = trash_entries(view([], [there]), OWNER)

    assert entry.expires == expires


def test_a_rename_onto_a_key_that_lies_in_the_trash_is_blocked() -> None:
    old = dataset("tank/old")
    new = dataset("tank/new", moved_from="tank/old")

    plan = planned([new], [standing(old), in_trash(dataset("tank/new"))])

    assert changes(plan) == []
    assert refusals(plan) == {"Dataset/tank/new": "inTrash"}
