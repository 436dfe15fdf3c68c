"""What a change costs a guest that runs, and what its manifest permits."""

from dataclasses import replace

import pytest

from reconciler.model.change import Change, Verb
from reconciler.model.guardrails import Guardrails
from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import Disruption, Lifecycle, Protect
from reconciler.model.observed import Mark, Observed
from reconciler.model.plan import HostPlan, Plan, Reason
from reconciler.model.value import Value
from reconciler.planning.goal import is_reached
from reconciler.planning.render_text import plan_lines
from tests.planning.guests import KINDS, WEB, also, fields_of, guest, only, planned, there
from tests.planning.world import NOW, SOURCE, refusals

MIB = 1 << 20
RESTART = Lifecycle(disruption=Disruption.RESTART)
DISK: dict[str, Value] = {"disks": ("root",), "disks__root__size": 5000}


def text(made: HostPlan) -> str:
    return "\n".join(line.text for line in plan_lines(Plan(SOURCE, NOW, (made,)), KINDS))


def test_what_acts_at_once_is_changed_in_place() -> None:
    assert fields_of(planned(guest(memory=1024 * MIB), there())) == {"memory": (512 * MIB, 1024 * MIB, "inPlace")}


def test_what_acts_at_the_next_boot_is_staged_for_a_guest_that_runs() -> None:
    made = planned(guest(cpus=4), there())
    assert (only(made).effect, made.actions[0].effect) == ("staged", "staged")
    assert "cpus: 1 -> 4  (at its next boot)" in text(made)


def test_nothing_waits_for_a_boot_of_a_guest_that_does_not_run() -> None:
    assert only(planned(guest(cpus=4), there(running=False))).effect == "inPlace"


def test_a_guest_that_is_to_stop_anyway_takes_every_change_in_place() -> None:
    found = there(own=["disks.root"], **DISK)
    made = planned(guest(state="stopped", cpus=4, disks=("root",), disks__root__size=6000), found)
    assert {effect for _, _, effect in fields_of(made).values()} == {"inPlace"}


def test_disruption_restart_lets_a_staged_change_restart_the_guest_once() -> None:
    made = planned(guest(RESTART, cpus=4, memory=1024 * MIB), there())
    assert fields_of(made) == {"cpus": (1, 4, "restart"), "memory": (512 * MIB, 1024 * MIB, "inPlace")}
    assert made.actions[0].effect == "restart"
    assert "RESTARTS Guest/web1, which runs" in text(made)


def test_what_needs_a_stopped_guest_is_blocked_without_consent() -> None:
    found = there(own=["disks.root"], **DISK)
    grown: dict[str, Value] = {"disks": ("root",), "disks__root__size": 6000}
    assert refusals(planned(guest(**grown), found)) == {"Guest/web1": Reason.DISRUPTION}
    assert only(planned(guest(RESTART, **grown), found)).effect == "restart"


def test_protect_all_forbids_restarts_and_leaves_staging() -> None:
    lifecycle = replace(RESTART, protect=Protect.ALL)
    mark = Mark("default", WEB.object, "0000abcd", Protect.ALL, lifecycle.on_removal)
    found = also(there(own=["disks.root"], **DISK), mark=mark)
    assert only(planned(guest(lifecycle, cpus=4), found)).effect == "staged"
    grown = guest(lifecycle, disks=("root",), disks__root__size=6000)
    assert refusals(planned(grown, found)) == {"Guest/web1": Reason.PROTECTED}


def test_a_first_boot_field_is_stored_and_restarts_nothing() -> None:
    made = planned(guest(RESTART, seed="b"), there())
    assert (only(made).effect, only(made).first_boot_only) == ("inPlace", True)
    assert "(only a first boot reads it)" in text(made)


def test_a_field_of_a_nic_may_act_earlier_than_the_nic() -> None:
    found = there(nics=("net0",), own=["nics.net0"], nics__net0__over="a", nics__net0__allow__ipSpoofing=False)
    made = planned(guest(nics=("net0",), nics__net0__over="b", nics__net0__allow__ipSpoofing=True), found)
    assert {name: effect for name, (_, _, effect) in fields_of(made).items()} == {
        "nics.net0.over": "staged",
        "nics.net0.allow.ipSpoofing": "inPlace",
    }


@pytest.mark.parametrize("waiting", [(), ("nics.net0",), ("nics.net0.mac", "nics.net0.over"), ("nics.net1",)])
def test_what_a_nic_may_do_waits_where_the_nic_waits(waiting: tuple[str, ...]) -> None:
    """What runs has no nic of that address yet on which it could change."""
    fields = {"nics__net0__mac": "02:00:00:00:00:01", "nics__net0__allow__ipSpoofing": False}
    found = also(there(nics=("net0",), own=["nics.net0"], **fields), pending_restart=waiting)
    made = planned(guest(nics=("net0",), nics__net0__allow__ipSpoofing=True), found)
    assert only(made).effect == ("staged" if any("net0" in name for name in waiting) else "inPlace")


def test_what_a_nic_may_do_waits_with_its_new_address() -> None:
    fields = {"nics__net0__mac": "02:00:00:00:00:01", "nics__net0__allow__ipSpoofing": False}
    found = there(nics=("net0",), own=["nics.net0"], **fields)
    wanted = guest(nics=("net0",), nics__net0__mac="02:00:00:00:00:02", nics__net0__allow__ipSpoofing=True)
    assert {effect for _, _, effect in fields_of(planned(wanted, found)).values()} == {"staged"}


def test_changes_that_wait_for_a_boot_are_told_and_made_once_a_restart_is_permitted() -> None:
    waiting = also(there(cpus=4), pending_restart=("cpus",))
    told = planned(guest(cpus=4), waiting)
    assert (told.is_empty, told.pending_restart) == (True, ((WEB, ("cpus",)),))
    assert "pending restart  Guest/web1  cpus acts at its next boot" in text(told)
    made = planned(guest(RESTART, cpus=4), waiting)
    assert fields_of(made) == {"pendingRestart": ("cpus", None, "restart")}


def test_a_guest_that_one_of_our_changes_stopped_is_started_again() -> None:
    stopped = also(there(running=False), interrupted="running")
    assert fields_of(planned(guest(memory=512 * MIB), stopped)) == {"state": ("stopped", "running", "inPlace")}
    assert planned(guest(state="stopped"), stopped).is_empty


def test_too_many_restarts_trip_the_guardrail() -> None:
    names = [f"web{number}" for number in range(3)]
    wanted = [guest(RESTART, name=name, cpus=4) for name in names]
    found = [there(name, identity=name) for name in names]
    blocked = planned(wanted, found, rails=Guardrails(restarts_per_host=2)).blocked
    assert {item.key: item.reason for item in blocked} == {Key("hv01", "Guest", name): Reason.GUARDRAIL for name in names}


@pytest.mark.parametrize("mode", [Disruption.NONE, Disruption.RESTART])
def test_a_new_image_remakes_a_guest_only_with_consent_to_replace(mode: Disruption) -> None:
    wanted = guest(Lifecycle(disruption=mode), image="i-2")
    found = [there(), *_images("i-2")]
    assert refusals(planned(wanted, found)) == {"Guest/web1": Reason.DISRUPTION}


def test_remaking_keeps_the_guest_and_counts_as_a_replacement() -> None:
    (action,) = planned(guest(Lifecycle(disruption=Disruption.REPLACE), image="i-2"), [there(), *_images("i-2")]).actions
    assert (action.verb, action.effect, action.change.trashing, action.reversible) == ("replace", "replace", None, False)
    assert action.at_risk.bytes == 1000


def _images(*identities: str) -> list[Observed]:
    return [Observed(ObjectName("Image", one), {"uuid": one}, identity=one) for one in identities]


def test_what_its_tool_lets_nobody_change_is_blocked_with_a_way_out() -> None:
    found = also(there(), stuck="it is on its way to another state", unsticking="wait")
    made = planned(guest(memory=1 << 30), found)
    (refused,) = made.blocked
    assert (refused.reason, refused.cause, refused.remedy) == (
        Reason.UNSUPPORTED, "it is on its way to another state", "wait",
    )  # fmt: skip
    assert not made.actions


def test_what_a_stated_state_frees_is_blocked_only_where_none_is_stated() -> None:
    found = also(there(state="dead"), stuck="it lost its root", unsticking="state its state", state_unsticks=True)

    (refused,) = planned(guest(memory=1 << 30), found).blocked
    assert (refused.reason, refused.remedy) == (Reason.UNSUPPORTED, "state its state")
    freed = planned(guest(state="running"), found)
    assert not freed.blocked
    (action,) = freed.actions
    assert [(field.name, field.before, field.after) for field in action.change.fields] == [("state", "dead", "running")]


def test_a_stranger_s_guest_is_somebody_s_whatever_state_it_is_in() -> None:
    made = planned(guest(memory=1 << 30), also(there(marked=False), stuck="it failed", unsticking="look"))
    (refused,) = made.blocked
    assert refused.reason is Reason.NOT_OURS


def test_a_change_that_left_its_object_stuck_is_not_done() -> None:
    wanted, found = guest(memory=512 * MIB), there()
    change = Change(WEB, Verb.CREATE, resource=wanted, mark=found.mark)
    assert is_reached(KINDS["Guest"], change, found)
    assert not is_reached(KINDS["Guest"], change, also(found, stuck="it failed"))
