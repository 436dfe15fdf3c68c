"""One commit may not take away more than the repository allows; a limit trips when it is exceeded."""

from dataclasses import replace

import pytest

from reconciler.model.guardrails import Guardrails
from reconciler.model.lifecycle import Mode, Protect
from reconciler.model.observed import Observed, Removal
from reconciler.model.resource import Resource
from reconciler.planning.guardrail import Taken
from tests.planning.world import (
    DELETE,
    GIB,
    KIB,
    ORPHAN,
    REPLACE,
    TIB,
    HostView,
    changes,
    dataset,
    planned,
    refusals,
    row,
    standing,
    tree,
    view,
    volume,
)

FREE = Guardrails(removals_per_host=10_000, removals_share_percent=100, removals_total=10_000)


def gone(count: int, *, host: str = "hv01") -> list[Resource]:
    return [dataset(f"tank/gone{number:03}", DELETE, host=host) for number in range(count)]


def there(resources: list[Resource], size: int = KIB) -> list[Observed]:
    return [standing(each, removal=Removal(size)) for each in resources]


def a_host(name: str, leaving: int, *, size: int = KIB) -> HostView:
    left = gone(leaving, host=name)
    return view([], there(left, size), [row(each) for each in left], host=name)


@pytest.mark.parametrize(("leaving", "removed"), [(3, 3), (4, 0)])
def test_removals_on_one_host_trip_when_the_limit_is_exceeded(leaving: int, removed: int) -> None:
    left = gone(leaving)

    plan = planned([], there(left), guardrails=replace(FREE, removals_per_host=3))

    assert len(plan.actions) == removed
    assert set(refusals(plan).values()) == ({"guardrail"} if not removed else set())


def test_a_tripped_limit_blocks_all_removals_and_nothing_else() -> None:
    left, made, kept = gone(4), dataset("tank/new"), dataset("tank/orphan", ORPHAN)

    plan = planned([made], [*there(left), standing(kept)], guardrails=replace(FREE, removals_per_host=3))

    assert changes(plan) == ["forget Dataset/tank/orphan", "create Dataset/tank/new"]
    assert len(plan.blocked) == 4
    assert plan.blocked[0].cause == "4 removals on this host, allowed are 3"
    assert "spec.guardrails.removals.perHost.count in repository.yaml" in plan.blocked[0].remedy


@pytest.mark.parametrize(
    ("managed", "leaving", "trips", "reason"),
    [
        (9, 9, False, "below ten managed objects a share says nothing"),
        (10, 3, False, "3 of 10 is 30%"),
        (10, 4, True, "4 of 10 is more than 30%"),
        (20, 6, False, "6 of 20 is 30%"),
        (20, 7, True, "7 of 20 is more than 30%"),
    ],
)
def test_the_share_counts_from_ten_managed_objects_upward(managed: int, leaving: int, trips: bool, reason: str) -> None:
    left = gone(leaving)
    kept = [dataset(f"tank/kept{number:03}") for number in range(managed - leaving)]

    plan = planned(
        kept, [*there(left), *(standing(each) for each in kept)], guardrails=replace(FREE, removals_share_percent=30)
    )

    assert plan.managed == managed
    assert bool(plan.blocked) is trips, reason


def test_removals_are_counted_over_all_hosts() -> None:
    within = tree([a_host("hv01", 2), a_host("hv02", 2)], guardrails=replace(FREE, removals_total=4))
    beyond = tree([a_host("hv01", 2), a_host("hv02", 3)], guardrails=replace(FREE, removals_total=4))

    assert [len(host.actions) for host in within.hosts] == [2, 2]
    assert [len(host.actions) for host in beyond.hosts] == [0, 0]
    assert {item.reason for host in beyond.hosts for item in host.blocked} == {"guardrail"}
    assert beyond.hosts[0].blocked[0].cause == "5 removals over all hosts, allowed are 4"


def test_what_is_taken_elsewhere_counts_too() -> None:
    left = gone(2)
    rails = replace(FREE, removals_total=4)

    assert len(planned([], there(left), guardrails=rails, elsewhere=Taken(2)).actions) == 2
    assert len(planned([], there(left), guardrails=rails, elsewhere=Taken(3)).actions) == 0


def test_what_is_taken_elsewhere_trips_nothing_where_nothing_is_taken() -> None:
    plan = planned([dataset("tank/new")], guardrails=replace(FREE, removals_total=4), elsewhere=Taken(100, TIB))

    assert changes(plan) == ["create Dataset/tank/new"]


@pytest.mark.parametrize(("size", "elsewhere", "trips"), [(GIB, 0, False), (GIB + 1, 0, True), (GIB // 2, GIB // 2 + 1, True)])
def test_bytes_are_counted_over_all_hosts(size: int, elsewhere: int, trips: bool) -> None:
    rails = replace(FREE, removals_bytes=GIB)

    plan = planned([], there(gone(1), size), guardrails=rails, elsewhere=Taken(1, elsewhere))

    assert bool(plan.blocked) is trips


def test_one_host_over_its_limit_does_not_stop_the_removals_of_another() -> None:
    plan = tree([a_host("hv01", 4), a_host("hv02", 2)], guardrails=replace(FREE, removals_per_host=3))

    assert [len(host.actions) for host in plan.hosts] == [0, 2]


def test_a_replacement_counts_as_a_removal() -> None:
    wanted = [dataset(f"tank/r{number}", REPLACE, casesensitivity="sensitive") for number in range(3)]
    mixed = [standing(each, fields={"properties.casesensitivity": "mixed"}) for each in wanted]

    plan = planned(wanted, mixed, guardrails=replace(FREE, removals_per_host=2))

    assert set(refusals(plan).values()) == {"guardrail"}
    assert changes(plan) == []


def test_renames_and_forgetting_are_no_removals() -> None:
    moved = [dataset(f"tank/new{number}", moved_from=f"tank/old{number}") for number in range(4)]
    before = [standing(dataset(f"tank/old{number}")) for number in range(4)]
    orphans = [standing(dataset(f"tank/orphan{number}", ORPHAN)) for number in range(4)]

    plan = planned(moved, [*before, *orphans], guardrails=replace(FREE, removals_per_host=0, removals_total=0))

    assert len(plan.actions) == 8
    assert plan.blocked == ()


def test_a_removal_that_is_only_reported_does_not_count() -> None:
    shown = dataset("tank/shown", replace(DELETE, mode=Mode.REPORT))
    left = gone(1)

    plan = planned([], [standing(shown), *there(left)], [row(shown)], guardrails=replace(FREE, removals_per_host=1))

    assert [(action.key.name, action.report_only) for action in plan.actions] == [("tank/gone000", False), ("tank/shown", True)]


def test_a_removal_that_is_refused_anyway_does_not_count() -> None:
    kept = [dataset(f"tank/kept{number}", replace(DELETE, protect=Protect.REMOVAL)) for number in range(3)]
    left = gone(1)

    plan = planned([], [*(standing(each) for each in kept), *there(left)], guardrails=replace(FREE, removals_per_host=1))

    assert changes(plan) == ["delete Dataset/tank/gone000"]


def test_what_depends_on_blocked_removals_settles_again() -> None:
    """A rename waits for the removal of what lies inside; where removals trip, it may not carry that along."""
    left = [dataset("tank/old/c", DELETE), dataset("tank/x", DELETE)]
    old, new = dataset("tank/old", DELETE), dataset("tank/new", DELETE, moved_from="tank/old")

    plan = planned([new], [standing(old), *there(left)], guardrails=replace(FREE, removals_per_host=1))

    assert changes(plan) == []
    assert refusals(plan) == {
        "Dataset/tank/new": "dependents",
        "Dataset/tank/old/c": "guardrail",
        "Dataset/tank/x": "guardrail",
    }


@pytest.mark.parametrize(
    ("rails", "blocked"),
    [
        (replace(FREE, forbid_kinds=("Volume",)), set()),
        (replace(FREE, forbid_kinds=("Dataset",)), {"Dataset/tank/gone000", "Dataset/tank/new"}),
        (replace(FREE, forbid_verbs=("delete",)), {"Dataset/tank/gone000"}),
        (replace(FREE, forbid_verbs=("create", "delete")), {"Dataset/tank/gone000", "Dataset/tank/new"}),
    ],
)
def test_forbidden_kinds_and_verbs_are_refused_by_policy(rails: Guardrails, blocked: set[str]) -> None:
    plan = planned([dataset("tank/new")], there(gone(1)), guardrails=rails)

    assert refusals(plan) == dict.fromkeys(blocked, "policy")


def test_what_a_policy_refuses_blocks_what_needs_it() -> None:
    rails = replace(FREE, forbid_verbs=("create",))
    outer, inner = dataset("tank/a"), dataset("tank/a/b")

    plan = planned([outer, inner], guardrails=rails)

    assert changes(plan) == []
    assert set(refusals(plan).values()) == {"policy"}


def ceiling(**limits: object) -> Guardrails:
    """A controller's ceilings that limit nothing else."""
    return replace(FREE, removals_bytes=1 << 60, ceiling="/etc/ceilings.yaml", **limits)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("repository", "controller", "cause"),
    [
        (3, 2, "3 removals on this host, allowed are 2 by the controller's ceilings (/etc/ceilings.yaml)"),
        (2, 3, "3 removals on this host, allowed are 2"),
        (2, 1, "3 removals on this host, allowed are 1 by the controller's ceilings (/etc/ceilings.yaml)"),
    ],
)
def test_the_stricter_of_two_limits_wins_and_the_ceiling_is_named_where_a_commit_is_no_help(
    repository: int, controller: int, cause: str
) -> None:
    rails = replace(FREE, removals_per_host=repository)

    plan = planned([], there(gone(3)), guardrails=rails, ceilings=ceiling(removals_per_host=controller))

    assert {item.cause for item in plan.blocked} == {cause}
    (remedy,) = {item.remedy for item in plan.blocked}
    assert ("repository.yaml" in remedy) is ("controller" not in cause)
    assert ("/etc/ceilings.yaml" in remedy) is ("controller" in cause)


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({"removals_share_percent": 20}, "removals.perHost.share"),
        ({"removals_total": 2}, "removals.total.count"),
        ({"removals_bytes": 1}, "removals.bytes"),
    ],
)
def test_every_ceiling_holds_by_itself_and_names_its_place(limits: dict[str, int], named: str) -> None:
    kept = [dataset(f"tank/kept{number}") for number in range(9)]
    seen = [*there(gone(3)), *(standing(each) for each in kept)]

    free = planned(kept, seen, guardrails=FREE, ceilings=ceiling())
    held = planned(kept, seen, guardrails=FREE, ceilings=ceiling() if not limits else replace(ceiling(), **limits))

    assert len(free.actions) == 3
    assert held.actions == ()
    (remedy,) = {item.remedy for item in held.blocked}
    assert remedy == f"remove fewer things at a time, or raise {named} in /etc/ceilings.yaml on the controller (no commit can)"


def test_what_either_protects_or_forbids_is_refused() -> None:
    rails = replace(FREE, protect=("*/tank/gone000",), forbid_verbs=("create",))
    more = ceiling(protect=("*/tank/gone001",), forbid_kinds=("Volume",))

    plan = planned([dataset("tank/new"), volume("tank/vol")], there(gone(3)), guardrails=rails, ceilings=more)

    assert changes(plan) == ["delete Dataset/tank/gone002"]
    assert refusals(plan) == {
        "Dataset/tank/gone000": "protected",
        "Dataset/tank/gone001": "protected",
        "Dataset/tank/new": "policy",
        "Volume/tank/vol": "policy",
    }
    causes = {str(item.key.object): item.cause for item in plan.blocked}
    assert "the repository's guardrails protect" in causes["Dataset/tank/gone000"]
    assert "the controller's ceilings (/etc/ceilings.yaml) protect" in causes["Dataset/tank/gone001"]
    assert causes["Volume/tank/vol"] == "the controller's ceilings (/etc/ceilings.yaml) forbid kind Volume"
