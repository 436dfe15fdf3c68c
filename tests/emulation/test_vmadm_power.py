"""Guests that start and stop: by vmadm, by themselves, with the host."""

import pytest

from reconciler.emulation.links.usbkey import drop_key
from tests.emulation.console import must, run
from tests.emulation.guest_commands import NIC, OTHER, VM, ZONE, Vmadm


def test_stop_and_start_move_autoboot(vmadm: Vmadm) -> None:
    vmadm.zone()
    stopped = vmadm.say("stop", ZONE)
    after_stop = vmadm.get()
    started = vmadm.say("start", ZONE)

    assert (stopped.exit_code, stopped.stdout, stopped.stderr) == (0, "", f"Successfully completed stop for VM {ZONE}\n")
    assert (after_stop["state"], after_stop["zone_state"], after_stop["autoboot"]) == ("stopped", "installed", False)
    assert after_stop["exit_status"] == 0
    assert not {"zoneid", "pid"} & after_stop.keys()
    assert (started.exit_code, started.stdout, started.stderr) == (0, "", f"Successfully started VM {ZONE}\n")
    assert (vmadm.get()["state"], vmadm.get()["autoboot"]) == ("running", True)


def test_what_is_so_already_is_said_and_no_failure(vmadm: Vmadm) -> None:
    vmadm.zone()
    assert vmadm.say("start", ZONE).stderr == f"VM {ZONE} is already 'running'\n"
    vmadm.do("stop", ZONE)
    said = vmadm.say("stop", ZONE)

    assert (said.exit_code, said.stderr) == (0, f"VM {ZONE} is already not 'running' (currently: stopped)\n")
    assert vmadm.host.guests.guest(ZONE).boots == 1


def test_reboot_is_for_running_guests(vmadm: Vmadm) -> None:
    vmadm.zone()
    assert vmadm.say("reboot", ZONE, "-F").stderr == f"Successfully completed reboot for VM {ZONE}\n"
    assert vmadm.host.guests.guest(ZONE).boots == 2
    vmadm.do("stop", ZONE, "-F")

    assert 'from state "stopped"' in vmadm.refusal("reboot", ZONE)


def test_only_machines_can_be_given_time_to_stop(vmadm: Vmadm) -> None:
    vmadm.zone()
    vmadm.machine()

    words = "Timeout option is only supported for bhyve, KVM and docker containers."
    assert vmadm.refusal("stop", ZONE, "-t", "5") == words
    vmadm.do("stop", VM, "-t", "5")


def test_a_guest_whose_nic_tag_went_away_can_not_start(vmadm: Vmadm) -> None:
    vmadm.zone(nics=[{**NIC, "nic_tag": "external"}])
    vmadm.do("stop", ZONE)
    drop_key(vmadm.host._state, "external_nic")

    assert vmadm.refusal("start", ZONE) == f'Unable to start VM {ZONE}: Invalid nic tag "external"'


def test_start_arguments_are_for_machines(vmadm: Vmadm) -> None:
    vmadm.zone(autoboot=False)
    vmadm.machine(autoboot=False)

    assert "Start arguments" in vmadm.refusal("start", ZONE, "order=cd")
    vmadm.do("start", VM, "order=cd", "cdrom=/opt/x.iso,ide")


def test_signals_and_interrupts_are_confirmed(vmadm: Vmadm) -> None:
    vmadm.zone()
    vmadm.machine()

    assert vmadm.say("kill", "-s", "HUP", ZONE).stderr == f'Sent signal "HUP" to init process for VM {ZONE}\n'
    assert vmadm.say("sysrq", VM, "nmi").stderr == f"Sent NMI to VM {VM}\n"
    assert "bhyve" in vmadm.refusal("sysrq", VM, "screenshot")


def test_a_running_guest_s_datasets_are_busy(vmadm: Vmadm) -> None:
    vmadm.machine()
    assert "busy" in run(vmadm.host, f"zfs destroy zones/{VM}/disk1").stderr
    vmadm.do("stop", VM)

    must(vmadm.host, f"zfs destroy zones/{VM}/disk1")


def test_a_guest_that_ends_by_itself_keeps_autoboot(vmadm: Vmadm) -> None:
    vmadm.zone()
    vmadm.host.guests.halt(ZONE)

    assert (vmadm.get()["state"], vmadm.get()["autoboot"]) == ("stopped", True)


def test_a_boot_of_the_host_starts_guests_with_autoboot_from_what_is_stored(vmadm: Vmadm) -> None:
    vmadm.machine()
    vmadm.zone(nics=[NIC])
    vmadm.zone(OTHER)
    vmadm.do("update", VM, payload={"ram": 2048})
    vmadm.do("stop", OTHER)
    vmadm.host.guests.halt(ZONE)

    vmadm.host.reboot()

    assert [vmadm.get(uuid)["state"] for uuid in (VM, ZONE, OTHER)] == ["running", "running", "stopped"]
    assert vmadm.running(VM)["ram"] == 2048
    assert [vmadm.host.guests.guest(uuid).boots for uuid in (VM, ZONE, OTHER)] == [2, 2, 1]
    links = vmadm.host._state.rows("SELECT namespace, name FROM link WHERE namespace <> ''")
    assert links == [(ZONE, "net0")]


def test_a_guest_that_can_not_boot_with_the_host_stays_stopped(vmadm: Vmadm) -> None:
    vmadm.zone(filesystems=[{"source": "/opt/custom", "target": "/x", "type": "lofs"}])
    vmadm.do("update", ZONE, payload={"add_filesystems": [{"source": "/nowhere", "target": "/y", "type": "lofs"}]})

    vmadm.host.reboot()

    assert (vmadm.get()["state"], vmadm.get()["autoboot"]) == ("stopped", True)


@pytest.mark.parametrize("subcommand", ["boot", "halt", "destroy"])
def test_subcommands_have_other_names_too(vmadm: Vmadm, subcommand: str) -> None:
    vmadm.zone(autoboot=subcommand != "boot")

    vmadm.do(subcommand, ZONE)
