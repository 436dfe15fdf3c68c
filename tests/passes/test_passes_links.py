"""Links on emulated illumos and SmartOS hosts: made, changed, made anew and removed, also when each pass is cut short."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.crossbow import PROVIDER
from reconciler.desired.manifest import resource
from reconciler.emulation.faults import Fault, FaultKind
from reconciler.model.change import Verb
from reconciler.model.key import Key
from reconciler.model.origin import Origin
from reconciler.model.plan import HostPlan, Reason
from reconciler.model.resource import Resource
from reconciler.provider.derived import derived_mac
from reconciler.provider.registry import Registry
from tests.passes.ground import Ground

KINDS = Registry.of([PROVIDER]).kinds
GOES = {"onRemoval": "delete", "disruption": "replace"}


@pytest.fixture(params=["omnios", "smartos"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path, request.param, providers=(PROVIDER,))
    if request.param == "smartos" and not {"fwadm", "vmadm"} <= made.host.system.tools:
        pytest.skip("the emulated SmartOS host has no fwadm and vmadm")
    yield made
    made.host.close()


def wanted(kind: str, name: str, spec: dict[str, object], **lifecycle: str) -> Resource:
    document = {
        "apiVersion": "reconciler/v1",
        "kind": kind,
        "metadata": {"name": name},
        "lifecycle": {**GOES, **lifecycle},
        "spec": spec,
    }
    found = resource(document, "hv01", Origin("hosts/hv01/net.yaml", 1, 1), KINDS)  # type: ignore[arg-type]
    assert isinstance(found, Resource), found
    return found


def stub(**spec: object) -> Resource:
    return wanted("Etherstub", "stub0", spec)


def vnic(over: str = "stub0", **spec: object) -> Resource:
    return wanted("VNIC", "web0", {"over": over, **spec})


def do(host: Ground, *argv: str) -> str:
    answer = host.host.drift(argv)
    assert answer.exit_code == 0, answer.stderr.decode()
    return answer.stdout.decode()


def vnics(host: Ground) -> list[str]:
    return do(host, "dladm", "show-vnic", "-p", "-o", "link,over,vid").splitlines()


def verbs(plan: HostPlan) -> list[tuple[Verb, str]]:
    return [(action.change.verb, action.key.name) for action in plan.actions]


BEFORE = [stub(mtu=8000), vnic(mtu=1500, maxBandwidth="100Mbps", allow={"ips": ["10.0.0.5"]})]
AFTER = [stub(mtu=None), vnic(vlan=7, mtu=1400, maxBandwidth=None, priority="low", allow={"ips": [], "macSpoofing": True})]
CHANGED = [stub(mtu=7000), vnic(mtu=None, maxBandwidth="1500Kbps", priority="low", allow={"ips": [], "ipSpoofing": True})]
CASES: dict[str, tuple[list[Resource], list[Resource]]] = {
    "creation": ([], BEFORE),
    "change": (BEFORE, CHANGED),
    "replacement": (BEFORE, AFTER),
    "removal": (BEFORE, []),
}


@pytest.mark.parametrize("case", list(CASES))
def test_a_pass_that_is_cut_off_after_any_command_is_made_good_by_the_next(host: Ground, case: str) -> None:
    before, after = CASES[case]
    if before:
        host.converges(*before)
    plan = host.planned(*after)
    count = sum(len(action.steps) for action in plan.actions)
    assert count > 1

    for commands in range(count + 1):
        host.cut_off(host.planned(*after), commands)
        host.converges(*after)
        host.converges()
        assert vnics(host) == []
        if before:
            host.converges(*before)


def test_a_vnic_gets_an_address_of_ours_and_is_known_by_it_without_the_ledger(host: Ground) -> None:
    host.converges(vnic("igb1", priority="low"))
    host.lose_ledger()

    host.converges(vnic("igb1", priority="high"))

    shown = do(host, "dladm", "show-vnic", "-p", "-o", "macaddress", "web0").strip()
    mac = derived_mac("default", Key("hv01", "VNIC", "web0"))
    assert [int(part, 16) for part in shown.split(":")] == [int(part, 16) for part in mac.split(":")]


def test_a_stranger_of_the_same_name_is_left_alone_and_the_plan_says_how_to_take_it_over(host: Ground) -> None:
    do(host, "dladm", "create-vnic", "-l", "igb1", "web0")

    plan = host.planned(vnic("igb1", mtu=1400))

    assert [(item.reason, "adopt: ifEqual" in item.remedy) for item in plan.blocked] == [(Reason.NOT_OURS, True)]
    assert not plan.actions


def test_a_stranger_that_is_as_wanted_is_used_as_it_stands_and_never_removed(host: Ground) -> None:
    do(host, "dladm", "create-vnic", "-l", "igb1", "web0")
    host.converges(vnic("igb1"))

    assert host.planned().is_empty


def test_a_vnic_with_an_address_of_the_host_is_not_taken_away(host: Ground) -> None:
    host.converges(vnic("igb1"))
    host.host.links.plumb("web0", "10.0.9.1/24")

    removed, replaced = host.planned(), host.planned(vnic("igb1", vlan=9))

    for plan in (removed, replaced):
        assert [item.reason for item in plan.blocked] == [Reason.DEPENDENTS]
        assert "10.0.9.1/24" in plan.blocked[0].cause


def test_an_etherstub_stays_while_a_strangers_vnic_lies_on_it(host: Ground) -> None:
    host.converges(stub())
    do(host, "dladm", "create-vnic", "-l", "stub0", "other0")

    plan = host.planned()

    assert [(item.reason, "other0" in item.cause) for item in plan.blocked] == [(Reason.DEPENDENTS, True)]


def test_links_that_a_boot_takes_away_come_back(host: Ground) -> None:
    host.converges(*BEFORE)
    host.host.reboot()

    host.converges(*BEFORE)

    assert vnics(host) == ["web0:stub0:0"]


def test_what_lies_over_a_link_that_is_not_there_is_blocked(host: Ground) -> None:
    plan = host.planned(vnic("igb7"))

    assert [item.reason for item in plan.blocked] == [Reason.MISSING_REFERENCE]


def test_changed_behind_our_back_it_is_changed_back(host: Ground) -> None:
    host.converges(*BEFORE)
    do(host, "dladm", "set-linkprop", "-p", "maxbw=5M", "web0")
    do(host, "dladm", "reset-linkprop", "-p", "protection", "web0")

    plan = host.planned(*BEFORE)

    assert [field.name for action in plan.actions for field in action.change.fields] == ["maxBandwidth"], "allow is not stated"
    host.converges(*BEFORE)


CREATIONS = ("dladm create-etherstub", "nictagadm add")
LATER = ("dladm create-vnic", "dladm delete-vnic", "dladm set-linkprop", "dladm delete-etherstub", "nictagadm delete")
FAULTS = [(FaultKind.LOST_REPLY, command) for command in (*CREATIONS, *LATER)]
# Not half an etherstub: what a first command that says it failed has left behind can't be told from somebody else's.
FAULTS += [(FaultKind.HALF, command) for command in LATER]


@pytest.mark.parametrize(("kind", "command"), FAULTS)
def test_a_command_that_does_half_or_whose_answer_is_lost_is_made_good_by_the_next_pass(
    host: Ground, kind: FaultKind, command: str
) -> None:
    tool, argv = command.split()
    for wish in (BEFORE, AFTER, []):
        host.host.inject(Fault(kind, tool=tool, argv=argv))
        host.applied(*wish)
        host.host.clear_faults()
        host.applied(*wish)
        host.converges(*wish)

    assert vnics(host) == []
    assert "stub0" not in do(host, "dladm", "show-link", "-p", "-o", "link").split()


def test_links_whose_manifests_say_nothing_of_removal_go_with_them_for_they_have_no_trash(host: Ground) -> None:
    host.converges(
        wanted("Etherstub", "stub0", {}, onRemoval="trash"), wanted("VNIC", "web0", {"over": "stub0"}, onRemoval="trash")
    )

    assert verbs(host.planned()) == [(Verb.DELETE, "web0"), (Verb.DELETE, "stub0")]
    host.converges()
    assert vnics(host) == []
