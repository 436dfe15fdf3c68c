"""`vmadm delete`, `reprovision` and the snapshots: what becomes of datasets."""

import pytest

from tests.emulation.console import must, run, value
from tests.emulation.guest_commands import BASE, LX, NIC, OLDER_BASE, UBUNTU, VM, ZONE, Vmadm


def test_delete_destroys_all_storage_and_asks_nobody(vmadm: Vmadm) -> None:
    before = vmadm.host.storage.names()
    vmadm.zone(delegate_dataset=True, nics=[NIC])
    vmadm.machine()
    must(vmadm.host, f"zfs snapshot -r zones/{ZONE}@by-hand")

    said = vmadm.say("delete", ZONE)
    vmadm.do("delete", VM)

    assert (said.exit_code, said.stdout, said.stderr) == (0, "", f"Successfully deleted VM {ZONE}\n")
    assert vmadm.host.storage.names() == before
    assert vmadm.host._state.rows("SELECT name FROM link WHERE namespace <> ''") == []


@pytest.mark.parametrize(("flag", "dataset"), [("indestructible_zoneroot", ""), ("indestructible_delegated", "/data")])
def test_what_is_indestructible_is_kept_from_vmadm_and_from_zfs(vmadm: Vmadm, flag: str, dataset: str) -> None:
    vmadm.zone(delegate_dataset=True, autoboot=False)
    vmadm.do("update", ZONE, payload={flag: True})

    assert vmadm.get()[flag] is True
    assert vmadm.get()["snapshots"] == []
    assert vmadm.refusal("delete", ZONE) == f"Failed to delete VM {ZONE}: {flag} is set, cannot delete"
    assert "busy" in run(vmadm.host, f"zfs destroy -r zones/{ZONE}{dataset}").stderr
    vmadm.do("update", ZONE, payload={flag: False})
    assert flag not in vmadm.get()
    vmadm.do("delete", ZONE)


def test_a_dataset_with_a_clone_elsewhere_makes_delete_give_up(vmadm: Vmadm) -> None:
    vmadm.zone()
    must(vmadm.host, f"zfs snapshot zones/{ZONE}@s", f"zfs clone zones/{ZONE}@s zones/copy")

    assert vmadm.refusal("delete", ZONE).startswith(f"Failed to delete VM {ZONE}: delete failed after ")
    assert vmadm.get()["state"] == "stopped"


def test_reprovision_replaces_the_root_and_keeps_the_rest(vmadm: Vmadm) -> None:
    vmadm.zone(delegate_dataset=True, nics=[NIC], tags={"a": 1}, quota=30)
    must(vmadm.host, f"zfs set org.ex:kept=yes zones/{ZONE}/data")
    before = vmadm.get()
    vmadm.host.storage.write(f"zones/{ZONE}", 1 << 30)

    said = vmadm.say("reprovision", ZONE, payload={"image_uuid": OLDER_BASE})

    after = vmadm.get()
    assert (said.exit_code, said.stderr) == (0, f"Successfully reprovisioned VM {ZONE}\n")
    assert value(vmadm.host, f"zones/{ZONE}", "origin")[0] == f"zones/{OLDER_BASE}@final"
    assert value(vmadm.host, f"zones/{ZONE}/data", "org.ex:kept")[0] == "yes"
    assert value(vmadm.host, f"zones/{ZONE}/data", "zoned")[0] == "on"
    assert (after["image_uuid"], after["state"], after["quota"]) == (OLDER_BASE, "running", 30)
    assert (after["nics"], after["tags"], after["datasets"]) == (before["nics"], before["tags"], before["datasets"])
    assert vmadm.host.storage.dataset(f"zones/{ZONE}").referenced < 1 << 30


def test_reprovision_of_a_machine_replaces_its_first_disk(vmadm: Vmadm) -> None:
    vmadm.machine()
    vmadm.do("reprovision", VM, payload={"image_uuid": UBUNTU})

    assert value(vmadm.host, f"zones/{VM}/disk0", "origin")[0] == f"zones/{UBUNTU}@final"
    assert [one["size"] for one in vmadm.get(VM)["disks"]] == [10240, 1024]
    assert vmadm.get(VM)["disks"][0]["image_uuid"] == UBUNTU


def test_reprovision_refuses_what_it_can_not_do(vmadm: Vmadm) -> None:
    vmadm.zone(indestructible_zoneroot=True)
    vmadm.do("create", payload={"brand": "kvm", "uuid": VM})
    start = f"Failed to reprovision VM {ZONE}: "

    assert vmadm.refusal("reprovision", ZONE, payload={"image_uuid": BASE}).startswith(f"{start}indestructible_zoneroot")
    vmadm.do("update", ZONE, payload={"indestructible_zoneroot": False})
    assert vmadm.refusal("reprovision", ZONE, payload={"image_uuid": LX}) == f"{start}Invalid value(s) for: image_uuid"
    words = f'Failed to reprovision VM {VM}: brand "kvm" does not yet support reprovision'
    assert vmadm.refusal("reprovision", VM, payload={"image_uuid": UBUNTU}) == words


def test_snapshots_are_made_listed_rolled_back_and_deleted(vmadm: Vmadm) -> None:
    vmadm.zone()
    said = [vmadm.say("create-snapshot", ZONE, name).stderr for name in ("one", "two", "three")]
    assert said[0] == f"Created snapshot one for VM {ZONE}\n"
    assert [one["name"] for one in vmadm.get()["snapshots"]] == ["three", "two", "one"]
    assert vmadm.host.storage.exists(f"zones/{ZONE}@vmsnap-one")
    must(vmadm.host, f"zfs snapshot zones/{ZONE}@by-hand")

    assert vmadm.say("rollback-snapshot", ZONE, "two").stderr == f"Rolled back snapshot two for VM {ZONE}\n"
    assert [one["name"] for one in vmadm.get()["snapshots"]] == ["two", "one"]
    assert (vmadm.get()["state"], vmadm.host.guests.guest(ZONE).boots) == ("running", 2)
    assert vmadm.say("delete-snapshot", ZONE, "one").stderr == f"Deleted snapshot one for VM {ZONE}\n"
    assert [one["name"] for one in vmadm.get()["snapshots"]] == ["two"]


def test_snapshots_that_can_not_be_are_refused(vmadm: Vmadm) -> None:
    vmadm.zone()
    vmadm.do("create-snapshot", ZONE, "s")
    vmadm.do("create", payload={"brand": "kvm", "uuid": VM})

    assert vmadm.refusal("create-snapshot", ZONE, "s") == 'snapshot with name "s" already exists.'
    assert "Invalid snapshot name" in vmadm.refusal("create-snapshot", ZONE, "a/b")
    assert "Invalid snapshot name" in vmadm.refusal("create-snapshot", ZONE, "x" * 65)
    assert "none" in vmadm.refusal("rollback-snapshot", ZONE, "none")
    assert vmadm.refusal("create-snapshot", VM, "s") == "snapshots for kvm VMs currently unsupported"


def test_delegated_data_rules_snapshots_out(vmadm: Vmadm) -> None:
    vmadm.zone(delegate_dataset=True)

    assert vmadm.refusal("create-snapshot", ZONE, "s") == "Cannot currently snapshot zones that have datasets"


def test_a_machine_s_snapshots_need_room_that_was_set_aside(vmadm: Vmadm) -> None:
    vmadm.machine()
    assert "out of space" in vmadm.refusal("create-snapshot", VM, "s")
    vmadm.do("update", VM, payload={"flexible_disk_size": 20480})
    assert vmadm.get(VM)["free_space"] == 20480 - 10240 - 1024

    vmadm.do("create-snapshot", VM, "s")
    assert vmadm.host.storage.exists(f"zones/{VM}/disk1@vmsnap-s")
    vmadm.do("rollback-snapshot", VM, "s")
    vmadm.do("delete-snapshot", VM, "s")
    assert not vmadm.host.storage.exists(f"zones/{VM}/disk1@vmsnap-s")
