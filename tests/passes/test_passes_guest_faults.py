"""What vmadm says, true or not, on its way to the user; and volumes that outlive the guests that take them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.emulation.faults import Fault, FaultKind
from reconciler.model.outcome import OutcomeState
from reconciler.model.plan import Reason
from tests.crash.guest_ground import GuestGround, strangers, wanted
from tests.crash.guest_scenarios import BASE, GOES, RESTARTS, VOLUME_DISK, vm, zone
from tests.crash.work import PURGE

WAITED_IN_VAIN = 'vminfod watchForChanges "wait for zone update" timeout exceeded\n'


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GuestGround]:
    made = GuestGround(tmp_path)
    strangers(made)
    yield made
    made.host.close()


def updates(host: GuestGround) -> int:
    return sum(call.startswith("vmadm update") for call in (" ".join(one.argv) for one in host.host.transcript()))


def guid(host: GuestGround, name: str) -> str:
    return host.zfs("get", "-Hp", "-o", "value", "guid", name).strip()


def test_an_update_that_worked_and_says_that_it_did_not_is_noticed_as_done(host: GuestGround) -> None:
    host.converges(*wanted(*BASE, zone()))
    host.host.inject(Fault(FaultKind.LOST_REPLY, argv="^vmadm update", exit_code=1, stderr=WAITED_IN_VAIN))

    result = host.applied(*wanted(*BASE, zone(memory="1GiB")))

    assert [(outcome.state, outcome.failure) for outcome in result.outcomes] == [(OutcomeState.SUCCEEDED, None)]
    assert result.is_converged


def test_an_update_that_was_not_made_and_says_so_in_the_same_words_is_no_success(host: GuestGround) -> None:
    host.converges(*wanted(*BASE, zone()))
    host.host.inject(Fault(FaultKind.FAIL, argv="^vmadm update", stderr=WAITED_IN_VAIN))

    result = host.applied(*wanted(*BASE, zone(memory="1GiB")))

    assert not result.is_converged
    host.converges(*wanted(*BASE, zone(memory="1GiB")))


@pytest.mark.parametrize(
    "said", ["Unable to tell vmadmd to start VM", "connect ECONNREFUSED 127.0.0.1:9090", "VminfodEventStream ready timeout"]
)
def test_what_passes_is_tried_again_at_once(host: GuestGround, said: str) -> None:
    host.converges(*wanted(*BASE, zone()))
    host.host.inject(Fault(FaultKind.FAIL, argv="^vmadm update", stderr=said + "\n", times=2))

    result = host.applied(*wanted(*BASE, zone(memory="1GiB")))

    assert result.is_converged
    assert updates(host) == 3


@pytest.mark.parametrize(
    "said",
    [
        "Invalid value(s) for: quota",
        "Conflict detected with another vm, please check the MAC, IP, and VRID",
        'Invalid nic tag "x"',
    ],
)
def test_what_does_not_pass_is_tried_once_and_told_whole(host: GuestGround, said: str) -> None:
    host.converges(*wanted(*BASE, zone()))
    host.host.inject(Fault(FaultKind.FAIL, argv="^vmadm update", stderr=said + "\n", times=None))

    (outcome,) = host.applied(*wanted(*BASE, zone(memory="1GiB"))).outcomes

    assert updates(host) == 1
    assert outcome.state is OutcomeState.FAILED
    assert outcome.failure is not None
    assert outcome.command == f"vmadm update {host.guest('web')['uuid']}"
    assert f"exit code 1: {said}" in outcome.failure.cause
    assert not outcome.failure.cause.startswith("exit code")
    assert outcome.failure.remedy


@pytest.mark.parametrize("volume", ["zones/vols/db", "zones/their-own"])
@pytest.mark.parametrize("way", [GOES, "onRemoval: trash"])
def test_a_volume_that_a_guest_took_stays_when_the_guest_is_destroyed(host: GuestGround, volume: str, way: str) -> None:
    host.zfs("create", "-V", "1g", "zones/their-own")
    host.converges(*wanted(*BASE, vm(disks=f"{{name: taken, volume: {volume}}}", lifecycle=way)))
    host.host.storage.write(volume, 1 << 20)
    before = guid(host, volume)

    host.converges(*wanted(*BASE))
    if way != GOES:
        purge(host)

    assert [guest["alias"] for guest in host.guests() if guest["alias"].endswith("db")] == []
    assert guid(host, volume) == before
    assert host.host.storage.dataset(volume).referenced > 1 << 20


def purge(host: GuestGround) -> None:
    desired = host.desired(wanted(*BASE))
    host.with_state(lambda setting, connections, journal: PURGE.run(setting, desired, connections, journal))


def test_who_follows_the_remedy_for_a_guest_that_failed_loses_no_volume_that_it_took(host: GuestGround) -> None:
    host.converges(*wanted(*BASE))
    before = guid(host, "zones/vols/db")
    host.host.inject(Fault(FaultKind.HALF, argv="^vmadm create", parts=4))
    host.applied(*wanted(*BASE, vm(disks=VOLUME_DISK)))

    (refused,) = host.planned(*wanted(*BASE, vm(disks=VOLUME_DISK))).blocked

    aside = re.search(r"`zfs rename (\S+) (\S+)`", refused.remedy)
    delete = re.search(r"`vmadm delete (\S+)`", refused.remedy)
    assert aside is not None
    assert delete is not None
    host.zfs("rename", aside[1], aside[2])
    host.do("vmadm", "delete", delete[1])
    host.zfs("rename", aside[2], aside[1])
    host.converges(*wanted(*BASE, vm(disks=VOLUME_DISK)))
    assert guid(host, "zones/vols/db") == before


def test_a_disk_may_be_added_that_is_a_volume(host: GuestGround) -> None:
    host.converges(*wanted(*BASE, vm(lifecycle=RESTARTS)))

    host.converges(*wanted(*BASE, vm(disks=VOLUME_DISK, lifecycle=RESTARTS)))

    assert len(host.guest("db")["disks"]) == 2


def test_an_etherstub_stays_until_the_guest_that_leaves_it_has_booted(host: GuestGround) -> None:
    old = "nics: [{name: net0, over: stub0, ips: [10.0.0.11/24]}]"
    new, left = old.replace("stub0", "stub1"), [one for one in BASE if "name: stub0" not in one]
    host.converges(*wanted(*BASE, zone(more=old)))

    before = host.planned(*wanted(*left, zone(more=new)))
    staged = host.applied(*wanted(*left, zone(more=new)))
    waiting = host.planned(*wanted(*left, zone(more=new)))

    assert [item.reason for item in before.blocked] == [Reason.DEPENDENTS]
    assert not staged.is_converged
    assert [item.reason for item in waiting.blocked] == [Reason.DEPENDENTS]
    assert "run with a nic on it" in waiting.blocked[0].cause
    host.applied(*wanted(*left, zone(more=new, lifecycle=RESTARTS)))
    host.converges(*wanted(*left, zone(more=new, lifecycle=RESTARTS)))


def test_a_guest_that_a_cut_off_reboot_left_stopped_is_started_again(host: GuestGround) -> None:
    host.converges(*wanted(*BASE, vm(lifecycle=RESTARTS)))
    host.host.inject(Fault(FaultKind.HALF, argv="^vmadm reboot"))
    host.applied(*wanted(*BASE, vm(memory="2GiB", lifecycle=RESTARTS)))
    assert host.guest("db")["state"] == "stopped"

    host.converges(*wanted(*BASE, vm(memory="2GiB", lifecycle=RESTARTS)))

    assert host.guest("db")["state"] == "running"
    assert "reconciler:resume" not in host.guest("db")["internal_metadata"]
