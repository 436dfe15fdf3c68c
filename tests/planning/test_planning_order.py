"""Equal inputs give equal plans: in whatever order they come, on any machine, at any time."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.model.observed import Removal
from reconciler.model.plan import Plan, PlanSource
from reconciler.planning.graph import CycleError, ordered
from reconciler.planning.render_json import plan_digest
from tests.planning.world import (
    DELETE,
    GIB,
    KIB,
    NOW,
    SOURCE,
    HostView,
    dataset,
    observed,
    resource,
    row,
    standing,
    tree,
    view,
    volume,
)


def a_host(name: str) -> HostView:
    """A host with something of everything: made, changed, renamed, removed, released, missed, refused."""
    data = [dataset(f"tank/made{number}", host=name, quota=GIB, compression="lz4") for number in range(4)]
    changed = dataset("tank/changed", host=name, quota=GIB, compression="lz4", atime="off")
    new = [dataset("tank/new", DELETE, host=name, moved_from="tank/old"), dataset("tank/new/c", DELETE, host=name)]
    old = [dataset("tank/old", DELETE, host=name), dataset("tank/old/c", DELETE, host=name)]
    gone = [
        dataset(each, replace(DELETE, delete_snapshots=True), host=name) for each in ("tank/gone", "tank/gone/c", "tank/bye")
    ]
    missed = [resource("Pool", each, host=name, **{"expect.health": "ONLINE"}) for each in ("pond", "lake")]
    released = dataset("tank/kept", host=name)
    there = [
        standing(changed, fields={f"properties.{field}": None for field in ("quota", "compression", "atime")}),
        *(standing(each) for each in old),
        *(standing(each, removal=Removal(KIB, (f"{each.key.name}@x",))) for each in gone),
        standing(released),
        observed("tank/stranger"),
        observed("tank/old/c2", belongs_to="a guest"),
    ]
    before = dataset("tank/kept", host=name, quota=GIB, compression="lz4")
    wanted = [*data, changed, *new, *missed, released, volume("tank/stranger2", host=name), dataset("tank/no/where", host=name)]
    return view(wanted, there, [row(before), *(row(each) for each in gone)], host=name)


def shuffled(one: HostView, chance: random.Random) -> HostView:
    """The same host with every mapping in another order."""

    def mixed(mapping: object) -> dict[object, object]:
        items = list(dict(mapping).items())  # type: ignore[call-overload]
        chance.shuffle(items)
        return dict(items)

    resources = {key: replace(item, fields=mixed(item.fields)) for key, item in mixed(one.resources).items()}  # type: ignore[type-var]
    objects = {name: replace(item, fields=mixed(item.fields)) for name, item in mixed(one.inventory.objects).items()}  # type: ignore[type-var]
    return replace(
        one,
        resources=resources,  # type: ignore[arg-type]
        inventory=replace(one.inventory, objects=objects),  # type: ignore[arg-type]
        ledger=mixed(one.ledger),  # type: ignore[arg-type]
        backends=mixed(one.backends),  # type: ignore[arg-type]
    )


def ids(plan: Plan) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(action.id, str(action.key), action.after) for host in plan.hosts for action in host.actions]


@pytest.mark.parametrize("seed", range(20))
def test_shuffled_inputs_give_the_same_plan(seed: int) -> None:
    chance = random.Random(seed)
    hosts = [a_host(name) for name in ("hv01", "hv02", "hv03")]
    plan = tree(hosts)

    mixed = [shuffled(host, chance) for host in hosts]
    chance.shuffle(mixed)
    again = tree(mixed)

    assert ids(again) == ids(plan)
    assert plan_digest(again) == plan_digest(plan)


def test_times_and_the_place_of_the_source_do_not_enter_the_digest() -> None:
    host = a_host("hv01")
    later = replace(host, inventory=replace(host.inventory, observed_at=NOW + timedelta(hours=1)))

    plan = tree([host])
    again = tree([later], now=NOW + timedelta(days=1), source=replace(SOURCE, path="elsewhere"))

    assert ids(again) == ids(plan)
    assert plan_digest(again) == plan_digest(plan)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (replace(SOURCE, revision="f" * 40), "another revision"),
        (replace(SOURCE, whole=False), "a narrowed read"),
    ],
)
def test_what_was_read_enters_the_digest(source: PlanSource, reason: str) -> None:
    host = view([dataset("tank/a")])

    assert plan_digest(tree([host], source=source)) != plan_digest(tree([host])), reason


def test_a_digest_is_sha256() -> None:
    digest = plan_digest(tree([a_host("hv01")]))

    assert digest.startswith("sha256:")
    assert len(digest) == len("sha256:") + 64


def test_an_action_is_named_by_what_it_does() -> None:
    def id_of(host: HostView) -> str:
        (action,) = tree([host]).hosts[0].actions
        return action.id

    plain = id_of(view([dataset("tank/a")]))
    names = {
        id_of(view([dataset("tank/b")])),
        id_of(view([dataset("tank/a", DELETE)])),
        id_of(view([dataset("tank/a", quota=GIB)])),
        id_of(view([dataset("tank/a", host="hv02")], host="hv02")),
    }

    assert id_of(view([dataset("tank/a", line=99)], now=NOW + timedelta(days=1))) == plain
    assert len(names | {plain}) == 5
    assert all(len(name) == 16 and int(name, 16) >= 0 for name in names)


def test_nodes_come_after_what_they_name_and_else_in_the_given_order() -> None:
    before = {"d": frozenset[str](), "a": frozenset({"c"}), "b": frozenset[str](), "c": frozenset({"d", "elsewhere"})}

    assert ordered(before) == ["d", "b", "c", "a"]


def test_a_cycle_is_shown_as_a_path_that_closes() -> None:
    before = {"a": frozenset({"b"}), "b": frozenset({"c"}), "c": frozenset({"b"}), "d": frozenset({"a"})}

    with pytest.raises(CycleError) as failed:
        ordered(before)

    assert failed.value.path == ("b", "c", "b")
