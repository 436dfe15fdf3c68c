"""vmadm commands that are cut off after one of their parts, or whose reply is lost: what they leave."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.emulation import EmulatedHost, EmulationError, Fault, FaultKind
from reconciler.emulation.executables import write_executables
from tests.emulation.guest_commands import BASE, NIC, OLDER_BASE, OTHER, VM, ZONE, Vmadm, disk, machine, zone


def _cut(vmadm: Vmadm, parts: int, argv: str = "vmadm") -> None:
    vmadm.host.inject(Fault(FaultKind.HALF, tool="vmadm", argv=argv, parts=parts))


@pytest.mark.parametrize(
    ("parts", "datasets", "state"),
    [(1, 1, None), (2, 3, None), (3, 3, "provisioning"), (4, 3, "failed"), (5, 3, "running")],
)
def test_a_create_that_is_cut_off_may_leave_a_guest(vmadm: Vmadm, parts: int, datasets: int, state: str | None) -> None:
    before = len(vmadm.host.storage.names())
    _cut(vmadm, parts)

    said = vmadm.say("create", payload=machine())

    assert said.exit_code == 1
    assert len(vmadm.host.storage.names()) == before + datasets
    assert vmadm.host.guests.uuids() == (() if state is None else (VM,))
    if state is not None:
        assert vmadm.get(VM)["state"] == state
        assert vmadm.refusal("create", payload=machine()) == f"VM with UUID {VM} already exists"
        vmadm.do("delete", VM)
    else:
        assert "dataset already exists" in vmadm.refusal("create", payload=machine())


def test_a_guest_whose_provisioning_never_ends_is_failed_and_says_so(vmadm: Vmadm) -> None:
    _cut(vmadm, 4)

    assert f"timed out waiting for /var/svc/provisioning to move for {ZONE}" in vmadm.say("create", payload=zone()).stderr
    assert (vmadm.get()["state"], vmadm.get()["zone_state"]) == ("failed", "running")
    assert vmadm.refusal("start", ZONE) == f'Unable to start VM {ZONE}: Cannot start vm from state "failed", must be "stopped".'
    vmadm.host.reboot()
    assert (vmadm.get()["state"], vmadm.get()["zone_state"]) == ("failed", "installed")


def test_a_failed_guest_that_is_halted_stays_failed(vmadm: Vmadm) -> None:
    _cut(vmadm, 4)
    vmadm.say("create", payload=zone())
    vmadm.do("stop", ZONE, "-F")

    assert (vmadm.get()["state"], vmadm.get()["zone_state"]) == ("failed", "installed")


def test_a_guest_that_can_not_boot_after_it_was_made_is_failed(vmadm: Vmadm) -> None:
    payload = zone(filesystems=[{"source": "/nowhere", "target": "/x", "type": "lofs"}])

    assert "could not access /nowhere" in vmadm.refusal("create", payload=payload)
    assert (vmadm.get()["state"], vmadm.get()["zone_state"]) == ("failed", "installed")


def test_an_update_that_is_cut_off_leaves_some_of_its_parts(vmadm: Vmadm) -> None:
    vmadm.machine(autoboot=False)
    _cut(vmadm, 2)

    payload = {"remove_disks": [disk(1)], "quota": 5, "set_tags": {"a": 1}, "ram": 2048}
    assert vmadm.say("update", VM, payload=payload).exit_code == 1

    found = vmadm.get(VM)
    assert (len(found["disks"]), found["quota"], found["tags"], found["ram"]) == (1, 5, {}, 1024)
    vmadm.do("update", VM, payload=payload)
    assert (vmadm.get(VM)["tags"], vmadm.get(VM)["ram"]) == ({"a": 1}, 2048)


def test_a_machine_that_was_only_asked_to_stop_is_stopping(vmadm: Vmadm) -> None:
    vmadm.machine()
    _cut(vmadm, 1)
    vmadm.say("stop", VM)

    assert (vmadm.get(VM)["state"], vmadm.get(VM)["zone_state"]) == ("stopping", "running")
    assert 'from state "stopping"' in vmadm.refusal("start", VM)
    assert vmadm.say("stop", VM).stderr == f"VM {VM} is already not 'running' (currently: stopping)\n"
    vmadm.do("stop", VM, "-F")
    assert vmadm.get(VM)["state"] == "stopped"


def test_a_start_that_is_cut_off_has_moved_autoboot_only(vmadm: Vmadm) -> None:
    vmadm.zone(autoboot=False)
    _cut(vmadm, 1)
    vmadm.say("start", ZONE)

    assert (vmadm.get()["state"], vmadm.get()["autoboot"]) == ("stopped", True)


@pytest.mark.parametrize("parts", [1, 2])
def test_a_delete_that_is_cut_off_can_be_repeated(vmadm: Vmadm, parts: int) -> None:
    before = vmadm.host.storage.names()
    vmadm.zone(nics=[NIC])
    _cut(vmadm, parts)
    vmadm.say("delete", ZONE)

    assert vmadm.get()["state"] == "stopped"
    assert vmadm.host.storage.exists(f"zones/{ZONE}") == (parts == 1)
    vmadm.do("delete", ZONE)
    assert vmadm.host.storage.names() == before


@pytest.mark.parametrize("parts", [1, 2])
def test_a_reprovision_that_is_cut_off_leaves_a_failed_guest_that_can_be_reprovisioned(vmadm: Vmadm, parts: int) -> None:
    vmadm.zone(delegate_dataset=True)
    _cut(vmadm, parts)
    vmadm.say("reprovision", ZONE, payload={"image_uuid": OLDER_BASE})
    assert vmadm.get()["state"] == "failed"

    vmadm.do("reprovision", ZONE, payload={"image_uuid": OLDER_BASE})

    assert (vmadm.get()["state"], vmadm.get()["image_uuid"]) == ("running", OLDER_BASE)
    assert "missing" not in vmadm.get()


def test_an_update_may_fail_after_it_worked(vmadm: Vmadm) -> None:
    vmadm.zone()
    words = 'vminfod watchForChanges "alias" timeout exceeded\n'
    vmadm.host.inject(Fault(FaultKind.LOST_REPLY, tool="vmadm", argv="update", exit_code=1, stderr=words))

    said = vmadm.say("update", ZONE, payload={"alias": "web"})

    assert (said.exit_code, said.stderr) == (1, words)
    assert vmadm.get()["alias"] == "web"


def test_a_fault_lets_at_least_one_part_be_done() -> None:
    with pytest.raises(EmulationError, match="parts >= 1"):
        Fault(FaultKind.HALF, parts=0)


def test_the_parts_of_a_fault_are_kept_with_the_host(smartos: EmulatedHost) -> None:
    fault = Fault(FaultKind.HALF, tool="vmadm", parts=3)
    smartos.inject(fault)

    assert smartos.faults() == (fault,)


def test_programs_of_several_processes_act_on_the_same_guests(tmp_path: Path) -> None:
    """Ten programs at once make a guest each, five of them the same one: nobody loses a guest, one wins."""
    state = tmp_path / "host.db"
    write_executables(tmp_path / "bin", system="smartos", state=state, python=sys.executable)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    subprocess.run(["imgadm", "import", "-q", "-P", "zones", BASE], env={"PATH": path}, check=True, timeout=60)
    uuids = [f"0000000{number}-0000-4000-8000-000000000000" for number in range(4)] + [ZONE] * 4
    begun = []
    for number, uuid in enumerate(uuids):
        payload = json.dumps(zone(uuid=uuid, autoboot=False))
        file = tmp_path / f"{number}.json"
        file.write_text(payload)
        begun.append(
            subprocess.Popen(["vmadm", "create", "-f", str(file)], env={"PATH": path}, stderr=subprocess.PIPE, text=True)
        )
    ended = [(one.wait(timeout=60), one.communicate()[1]) for one in begun]

    assert [code for code, _ in ended[:4]] == [0] * 4
    assert sorted(code for code, _ in ended[4:]) == [0, 1, 1, 1]
    assert {text for code, text in ended if code} == {f"VM with UUID {ZONE} already exists\n"}
    piped = subprocess.run(
        ["vmadm", "update", ZONE],
        env={"PATH": path},
        input='{"alias": "web"}',
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (piped.returncode, piped.stdout, piped.stderr) == (0, "", f"Successfully updated VM {ZONE}\n")
    listed = subprocess.run(["vmadm", "lookup", "alias=web"], env={"PATH": path}, capture_output=True, text=True, check=True)
    assert listed.stdout == f"{ZONE}\n"
    with EmulatedHost.open(state) as host:
        assert len(host.guests.uuids()) == 5
        assert OTHER not in host.guests.uuids()
