"""Kinds whose tool has no room for a mark: the ledger says what is ours; what is as wanted is used as it stands."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from reconciler.model.change import Change, Verb
from reconciler.model.command import Command, Step
from reconciler.model.desired import Desired
from reconciler.model.key import Key, ObjectName
from reconciler.model.ledger import LedgerRow
from reconciler.model.lifecycle import Adopt, Lifecycle, OnRemoval, Protect
from reconciler.model.observed import Inventory, Observed, Removal
from reconciler.model.origin import Origin
from reconciler.model.plan import HostPlan
from reconciler.model.resource import Resource
from reconciler.model.value import Value
from reconciler.planning.goal import is_reached, movement
from reconciler.planning.planner import plan
from reconciler.planning.view import HostView
from reconciler.provider.field import FieldRule
from reconciler.provider.kind import Kind, Spec
from tests.planning.world import DELETE, NOW, SOURCE, changes, commands, facts, refusals, view

KEY = Key("hv01", "Stub", "s0")


class StubSpec(Spec):
    """A switch."""

    mtu: Annotated[int, FieldRule()] = 1500


STUB = Kind("Stub", StubSpec, "a switch without room for a mark", carries_mark=False)


class Switches:
    """A backend as far as planning asks it."""

    def refusal(self, _kind: str, _field: str, _value: Value) -> None:
        return None

    def steps(self, change: Change) -> tuple[Step, ...]:
        fields = [f"{field.name}={field.after}" for field in change.fields]
        if change.verb in (Verb.ADOPT, Verb.FORGET) and not fields:
            return ()
        return (Step(Command(("stub", change.verb.value, *fields, change.key.name)), None, change.verb is Verb.DELETE),)

    def pool(self, _name: str) -> str:
        return ""


def stub(lifecycle: Lifecycle = DELETE, **fields: Value) -> Resource:
    return Resource(KEY, fields, Origin("hosts/hv01/net.yaml", 1, 1), lifecycle)


def planned(
    wanted: Resource | None,
    mtu: int | None,
    row: Resource | None = None,
    kind: Kind = STUB,
    there: Mapping[ObjectName, Observed] | None = None,
) -> HostPlan:
    """The plan where the switch is there with that MTU (None: it is not there); `row` is what was applied last."""
    name = KEY.object
    if there is None:
        there = {} if mtu is None else {name: Observed(name, {"mtu": mtu}, removal=Removal(0, holds_data=False))}
    seen = HostView(
        manifest=view().manifest,
        resources={KEY: wanted} if wanted is not None else {},
        inventory=Inventory("hv01", NOW, facts(), there),
        backends={"Stub": Switches()},  # type: ignore[dict-item]
        ledger={KEY: LedgerRow(KEY, row.fields, row.lifecycle)} if row is not None else {},
    )
    desired = Desired(SOURCE.revision, hosts={"hv01": seen.manifest}, resources={"hv01": seen.resources})
    return plan(desired, (seen,), {"Stub": kind}, SOURCE, NOW).hosts[0]


def test_what_is_as_wanted_is_used_as_it_stands_and_does_not_become_ours() -> None:
    plan = planned(stub(mtu=9000), 9000)

    assert plan.is_empty
    assert plan.settled == (), "the ledger does not learn of it"
    assert planned(None, 9000).is_empty, "so it is not removed either"


def test_what_differs_is_not_ours() -> None:
    assert refusals(planned(stub(mtu=9000), 1500)) == {"Stub/s0": "notOurs"}


def test_where_the_kind_has_room_for_a_mark_what_bears_none_is_not_ours() -> None:
    here, elsewhere = (replace(STUB, carries_mark_on=frozenset({system})) for system in (facts().system, "Elsewhere"))

    assert refusals(planned(stub(mtu=9000), 9000, stub(mtu=9000), here)) == {"Stub/s0": "notOurs"}
    assert planned(stub(mtu=9000), 9000, stub(mtu=9000), elsewhere).is_empty
    (made,) = planned(stub(mtu=9000), None, None, here).actions
    assert made.change.mark is not None, "and what we make there bears one"


def test_what_must_hold_at_any_time_is_mended_when_it_is_lost_long_after() -> None:
    whole = replace(STUB, completion={"missing": ""})
    lasting, name = replace(whole, lasting=frozenset({"missing"})), KEY.object
    lost = {name: Observed(name, {"mtu": 9000, "missing": "filter"}, removal=Removal(0, holds_data=False))}

    assert planned(stub(mtu=9000), 9000, stub(mtu=9000), whole, lost).is_empty
    assert changes(planned(stub(mtu=9000), 9000, stub(mtu=9000), lasting, lost)) == ["update Stub/s0"]


def test_adoption_needs_no_command_and_makes_it_ours() -> None:
    equal = planned(stub(replace(DELETE, adopt=Adopt.IF_EQUAL), mtu=9000), 9000)
    once = planned(stub(replace(DELETE, adopt=Adopt.ONCE), mtu=9000), 1500)

    assert (changes(equal), commands(equal)) == (["adopt Stub/s0"], [])
    assert (changes(once), commands(once)) == (["adopt Stub/s0"], ["stub adopt mtu=9000 s0"])


def test_what_the_ledger_knows_is_ours_to_keep_and_to_remove() -> None:
    wanted = stub(mtu=9000)

    assert planned(wanted, 9000, wanted).settled == (KEY,)
    assert commands(planned(wanted, 1500, wanted)) == ["stub update mtu=9000 s0"]
    assert commands(planned(None, 9000, wanted)) == ["stub delete s0"]
    assert changes(planned(None, 9000, stub(Lifecycle(on_removal=OnRemoval.ORPHAN)))) == ["forget Stub/s0"]
    assert refusals(planned(None, 9000, stub(replace(DELETE, protect=Protect.ALL)))) == {"Stub/s0": "protected"}


def test_adopted_once_it_stays_adopted() -> None:
    wanted = stub(replace(DELETE, adopt=Adopt.IF_EQUAL), mtu=9000)

    assert planned(wanted, 9000, wanted).is_empty


def test_one_look_tells_whether_a_change_is_done() -> None:
    (made,) = planned(stub(mtu=9000), None).actions
    (gone,) = planned(None, 9000, stub(mtu=9000)).actions
    there = Observed(ObjectName("Stub", "s0"), {"mtu": 9000}, removal=Removal(0, holds_data=False))

    assert is_reached(STUB, made.change, there)
    assert not is_reached(STUB, made.change, replace(there, fields={"mtu": 1500}))
    assert movement(gone.change, there) == ""
