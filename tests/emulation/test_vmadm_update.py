"""`vmadm update`: what is stored, what runs, and what is refused."""

from typing import Any

import pytest

from tests.emulation.console import must, value
from tests.emulation.guest_commands import NIC, OTHER, UBUNTU, VM, ZONE, Vmadm, disk

_MAC = str(NIC["mac"])


def test_an_update_is_confirmed_on_stderr(vmadm: Vmadm) -> None:
    vmadm.zone()
    said = vmadm.say("update", ZONE, payload={"alias": "web"})

    assert (said.exit_code, said.stdout, said.stderr) == (0, "", f"Successfully updated VM {ZONE}\n")
    assert vmadm.get()["alias"] == "web"


def test_values_can_stand_on_the_command_line(vmadm: Vmadm) -> None:
    vmadm.zone()
    vmadm.do("update", ZONE, "max_physical_memory=1024", "alias=a=b", "autoboot=false")

    found = vmadm.get()
    assert (found["max_physical_memory"], found["alias"], found["autoboot"]) == (1024, "a=b", False)


def test_an_unknown_property_or_one_of_another_brand_is_dropped_in_silence(vmadm: Vmadm) -> None:
    vmadm.zone()
    before = vmadm.get()
    vmadm.do("update", ZONE, payload={"vcpus": 4, "alais": "x", "tags": {"a": 1}, "nics": [], "uuid": OTHER})

    assert vmadm.get() == before


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"quota": "x"}, "Invalid value(s) for: quota"),
        ({"add_nics": {}}, "add_nics must be an array."),
        ({"remove_disks": "a"}, "remove_disks must be an array."),
    ],
)
def test_a_bad_value_is_refused(vmadm: Vmadm, payload: object, words: str) -> None:
    vmadm.machine()

    assert vmadm.refusal("update", VM, payload=payload) == words


def test_null_and_empty_text_take_a_value_away(vmadm: Vmadm) -> None:
    vmadm.zone(alias="web", cpu_cap=100, package_name="small")
    vmadm.do("update", ZONE, payload={"alias": None, "cpu_cap": 0, "package_name": ""})

    assert not {"alias", "cpu_cap", "package_name"} & vmadm.get().keys()


def test_maps_are_set_over_what_remains_after_removal(vmadm: Vmadm) -> None:
    vmadm.zone(tags={"a": 1, "b": 2}, customer_metadata={"x": "1"}, internal_metadata={"y": "1"})
    vmadm.do(
        "update",
        ZONE,
        payload={
            "set_tags": {"a": 3, "c": True},
            "remove_tags": ["a", "b"],
            "remove_customer_metadata": ["x"],
            "set_internal_metadata": {"z": "2"},
        },
    )

    found = vmadm.get()
    assert (found["tags"], found["customer_metadata"], found["internal_metadata"]) == (
        {"a": 3, "c": True},
        {},
        {"y": "1", "z": "2"},
    )


@pytest.mark.parametrize(
    ("made", "changed", "expected"),
    [
        ({"max_swap": 1024}, {"max_physical_memory": 1024}, {"max_swap": 1536, "max_locked_memory": 1024, "tmpfs": 1024}),
        ({"tmpfs": 256}, {"max_physical_memory": 1024}, {"tmpfs": 512}),
        ({}, {"ram": 1024}, {"max_physical_memory": 1024}),
        ({}, {"max_physical_memory": 1024, "max_swap": 1024, "tmpfs": 512}, {"max_swap": 1024, "tmpfs": 512}),
        ({}, {"max_swap": 300}, {"max_swap": 512}),
        ({}, {"max_locked_memory": 1024}, {"max_locked_memory": 512}),
        ({}, {"max_physical_memory": 128}, {"max_swap": 256, "max_locked_memory": 128, "tmpfs": 128, "max_shm_memory": 512}),
    ],
)
def test_memory_properties_move_together(vmadm: Vmadm, made: dict[str, Any], changed: object, expected: dict[str, int]) -> None:
    vmadm.zone(**made)
    vmadm.do("update", ZONE, payload=changed)

    assert expected.items() <= vmadm.get().items()


def test_memory_of_a_machine_keeps_its_distances(vmadm: Vmadm) -> None:
    vmadm.machine()
    vmadm.do("update", VM, payload={"ram": 2048})

    found = vmadm.get(VM)
    assert (found["ram"], found["max_physical_memory"], found["max_swap"]) == (2048, 3328, 3328)


def test_a_zone_s_memory_acts_at_once_and_a_machine_s_at_its_next_boot(vmadm: Vmadm) -> None:
    vmadm.zone()
    vmadm.machine()
    vmadm.do("update", ZONE, payload={"max_physical_memory": 1024, "cpu_cap": 200, "init_name": "/sbin/other"})
    vmadm.do("update", VM, payload={"ram": 2048, "vcpus": 4, "cpu_cap": 200})

    assert (vmadm.running()["max_physical_memory"], vmadm.running()["cpu_cap"]) == (1024, 200)
    assert "init_name" not in vmadm.running()
    assert (vmadm.running(VM)["ram"], vmadm.running(VM)["vcpus"]) == (1024, 2)
    assert "cpu_cap" not in vmadm.running(VM)
    assert vmadm.host.guests.guest(VM).boots == 1
    vmadm.do("reboot", VM)
    assert (vmadm.running(VM)["ram"], vmadm.running(VM)["vcpus"], vmadm.running(VM)["cpu_cap"]) == (2048, 4, 200)
    assert vmadm.host.guests.guest(VM).boots == 2


def test_a_zone_s_hostname_never_changes_again_and_a_machine_s_at_boot(vmadm: Vmadm) -> None:
    vmadm.zone(hostname="old")
    vmadm.machine(hostname="old")
    for uuid in (ZONE, VM):
        vmadm.do("update", uuid, payload={"hostname": "new"})
        vmadm.do("reboot", uuid)

    assert (vmadm.get()["hostname"], vmadm.running()["hostname"]) == ("new", "old")
    assert vmadm.running(VM)["hostname"] == "new"


def test_resolvers_reach_a_running_zone_only_when_they_are_maintained(vmadm: Vmadm) -> None:
    vmadm.zone(resolvers=["1.1.1.1"])
    vmadm.zone(OTHER, resolvers=["1.1.1.1"], maintain_resolvers=True)
    for uuid in (ZONE, OTHER):
        vmadm.do("update", uuid, payload={"resolvers": ["8.8.8.8"]})

    assert vmadm.running()["resolvers"] == ["1.1.1.1"]
    assert vmadm.running(OTHER)["resolvers"] == ["8.8.8.8"]


def test_what_zfs_keeps_is_set_there(vmadm: Vmadm) -> None:
    vmadm.zone(delegate_dataset=True)
    vmadm.do(
        "update", ZONE, payload={"quota": 20, "zfs_data_recsize": 4096, "zfs_root_compression": "lz4", "zfs_snapshot_limit": 5}
    )

    found = vmadm.get()
    assert (found["quota"], found["zfs_data_recsize"], found["zfs_root_compression"]) == (20, 4096, "lz4")
    assert found["zfs_snapshot_limit"] == 5
    assert value(vmadm.host, f"zones/{ZONE}", "quota")[0] == str(20 << 30)


def test_what_zfs_refuses_fails_the_update(vmadm: Vmadm) -> None:
    vmadm.zone(quota=20)
    vmadm.host.storage.write(f"zones/{ZONE}", 2 << 30)

    assert "size is less than current used or reserved space" in vmadm.refusal("update", ZONE, payload={"quota": 1})
    assert vmadm.get()["quota"] == 20


def test_nics_are_added_changed_and_removed_one_by_one(vmadm: Vmadm) -> None:
    vmadm.zone(nics=[NIC, {"nic_tag": "admin", "mac": "02:00:00:00:00:02"}])
    vmadm.do("update", ZONE, payload={
        "remove_nics": ["2:0:0:0:0:1", "02:00:00:00:00:99"],
        "update_nics": [{"mac": "2:0:0:0:0:2", "ips": ["10.0.5.5/24"], "allow_mac_spoofing": True}],
        "add_nics": [{"nic_tag": "external", "mac": "02:00:00:00:00:03", "vlan_id": 3}],
    })  # fmt: skip

    first, second = vmadm.get()["nics"]
    assert (first["mac"], first["interface"], first["vlan_id"]) == ("02:00:00:00:00:03", "net0", 3)
    assert (second["mac"], second["ip"], second["netmask"], second["primary"]) == (
        "02:00:00:00:00:02", "10.0.5.5", "255.255.255.0", True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"update_nics": [{"mac": "02:00:00:00:00:09"}]}, "There is no existing NIC with that mac address"),
        ({"update_nics": [{"ips": ["dhcp"]}]}, "NIC object needs a .mac property to update"),
        ({"update_nics": [{"mac": _MAC, "nic_tag": "overlay/1"}]}, 'Invalid nic tag "overlay/1"'),
        ({"update_nics": [{"mac": _MAC, "nic_tag": "none"}]}, 'Invalid nic tag "none"'),
        (
            {"add_nics": [{"nic_tag": "external", "ips": ["10.0.0.5/24"]}]},
            "Cannot add multiple NICs with the same IP: 10.0.0.5",
        ),
        (
            {"add_nics": [{"nic_tag": "external", "ips": ["10.0.0.9/24"]}]},
            "Conflict detected with another vm, please check the MAC, IP, and VRID",
        ),
        ({"set_routes": {"10.2.0.0/16": "nics[4]"}}, 'Route gateway: "nics[4]" refers to non-existent or DHCP nic'),
    ],
)
def test_nics_that_can_not_be_are_refused_and_nothing_changes(vmadm: Vmadm, payload: dict[str, Any], words: str) -> None:
    vmadm.zone(nics=[NIC])
    vmadm.zone(OTHER, nics=[{"nic_tag": "external", "ips": ["10.0.0.9/24"]}])
    before = vmadm.get()

    assert vmadm.refusal("update", ZONE, payload={"alias": "x", **payload}) == words
    assert vmadm.get() == before


def test_the_primary_nic_moves_and_is_never_none(vmadm: Vmadm) -> None:
    vmadm.zone(nics=[NIC, {"nic_tag": "admin", "mac": "02:00:00:00:00:02"}])
    vmadm.do("update", ZONE, payload={"update_nics": [{"mac": "02:00:00:00:00:02", "primary": True}]})
    assert [nic.get("primary") for nic in vmadm.get()["nics"]] == [None, True]

    vmadm.do("update", ZONE, payload={"remove_nics": ["02:00:00:00:00:02"]})
    assert [nic.get("primary") for nic in vmadm.get()["nics"]] == [True]


def test_a_running_guest_keeps_its_old_nics_until_it_boots_but_for_their_protection(vmadm: Vmadm) -> None:
    vmadm.zone(nics=[NIC])
    vmadm.do("update", ZONE, payload={
        "update_nics": [
            {"mac": _MAC, "nic_tag": "admin", "vlan_id": 5, "allow_ip_spoofing": True, "allowed_ips": ["10.9.0.0/24"]},
        ],
        "add_nics": [{"nic_tag": "external", "mac": "02:00:00:00:00:02"}],
    })  # fmt: skip

    (nic,) = vmadm.running()["nics"]
    assert (nic["nic_tag"], nic.get("vlan_id"), nic["allow_ip_spoofing"], nic["allowed_ips"]) == (
        "external",
        None,
        True,
        ["10.9.0.0/24"],
    )
    assert [(nic["nic_tag"], nic.get("vlan_id")) for nic in vmadm.get()["nics"]] == [("admin", 5), ("external", None)]
    assert _vids(vmadm) == [("net0", 0)]
    vmadm.do("reboot", ZONE)
    assert _vids(vmadm) == [("net0", 5), ("net1", 0)]


def _vids(vmadm: Vmadm) -> list[tuple[Any, ...]]:
    return vmadm.host._state.rows("SELECT name, vid FROM link WHERE namespace = ? ORDER BY name", ZONE)


def test_disks_are_only_added_and_removed_while_the_machine_is_stopped(vmadm: Vmadm) -> None:
    vmadm.machine()
    refused = 'updates to disks are only allowed when state is "stopped", currently: running (running)'

    assert vmadm.refusal("update", VM, payload={"remove_disks": [disk(1)]}) == refused
    assert vmadm.refusal("update", VM, payload={"add_disks": [{"size": 100, "model": "virtio"}]}) == refused
    grown = {"update_disks": [{"path": disk(1), "size": 2048}]}
    assert (
        vmadm.refusal("update", VM, payload=grown)
        == f"at least one specified {refused.replace('updates', 'update').replace(' are ', ' is ')}"
    )
    vmadm.do("update", VM, payload={"update_disks": [{"path": disk(1), "compression": "lz4", "refreservation": 0}]})
    assert (vmadm.get(VM)["disks"][1]["compression"], vmadm.get(VM)["disks"][1]["refreservation"]) == ("lz4", 0)


def test_removing_a_disk_destroys_its_volume_with_all_snapshots(vmadm: Vmadm) -> None:
    vmadm.machine(autoboot=False)
    must(vmadm.host, f"zfs snapshot zones/{VM}/disk1@kept")
    vmadm.do("update", VM, payload={"remove_disks": [disk(1)]})

    assert not vmadm.host.storage.exists(f"zones/{VM}/disk1")
    assert [one["path"] for one in vmadm.get(VM)["disks"]] == [disk(0)]


def test_removing_a_disk_whose_volume_was_moved_destroys_nothing(vmadm: Vmadm) -> None:
    vmadm.machine(autoboot=False)
    must(vmadm.host, f"zfs rename zones/{VM}/disk1 zones/kept")
    vmadm.do("update", VM, payload={"remove_disks": [disk(1)]})

    assert vmadm.host.storage.exists("zones/kept")
    assert len(vmadm.get(VM)["disks"]) == 1


def test_disks_grow_and_do_not_shrink_without_leave(vmadm: Vmadm) -> None:
    vmadm.machine(autoboot=False)
    vmadm.do("update", VM, payload={"update_disks": [{"path": disk(0), "size": 20480}]})
    assert vmadm.get(VM)["disks"][0]["size"] == 20480

    smaller = {"path": disk(0), "size": 10240}
    words = "cannot resize disk: new size must be greater than current size. (20480 > 10240)"
    assert vmadm.refusal("update", VM, payload={"update_disks": [smaller]}) == words
    vmadm.do("update", VM, payload={"update_disks": [{**smaller, "dangerous_allow_shrink": True}]})
    assert vmadm.get(VM)["disks"][0]["size"] == 10240
    assert "dangerous_allow_shrink" not in vmadm.get(VM)["disks"][0]


def test_a_new_disk_takes_the_lowest_free_number(vmadm: Vmadm) -> None:
    vmadm.machine(autoboot=False)
    vmadm.do("update", VM, payload={"remove_disks": [disk(0)]})
    vmadm.do("update", VM, payload={"add_disks": [{"image_uuid": UBUNTU, "model": "nvme", "boot": True}]})

    assert [(one["path"], one["pci_slot"], one["size"]) for one in vmadm.get(VM)["disks"]] == [
        (disk(1), "0:4:1", 1024), (disk(0), "0:4:0", 10240),
    ]  # fmt: skip


def test_an_existing_volume_can_be_taken_as_a_disk(vmadm: Vmadm) -> None:
    vmadm.machine(autoboot=False)
    must(vmadm.host, "zfs create -V 3G zones/mine")
    vmadm.do("update", VM, payload={"add_disks": [{"nocreate": True, "path": "/dev/zvol/rdsk/zones/mine", "model": "virtio"}]})

    added = vmadm.get(VM)["disks"][2]
    assert (added["zfs_filesystem"], added["size"]) == ("zones/mine", 3072)
    assert "nocreate" not in added


def test_filesystems_are_not_looked_at_before_the_zone_boots(vmadm: Vmadm) -> None:
    must(vmadm.host, "zfs create zones/shared")
    vmadm.zone(filesystems=[{"source": "/zones/shared", "target": "/data", "type": "lofs"}])
    vmadm.do("update", ZONE, payload={"add_filesystems": [{"source": "/nowhere", "target": "/x", "type": "lofs"}]})
    assert [one["target"] for one in vmadm.running()["filesystems"]] == ["/data"]

    assert "could not access /nowhere" in vmadm.refusal("reboot", ZONE)
    assert vmadm.get()["state"] == "stopped"
    vmadm.do("update", ZONE, payload={"remove_filesystems": ["/x"]})
    vmadm.do("start", ZONE)


def test_two_updates_of_nothing_change_nothing(vmadm: Vmadm) -> None:
    vmadm.zone(alias="web", nics=[NIC])
    before = vmadm.get()
    vmadm.do("update", ZONE, payload={})
    vmadm.do("update", ZONE, payload={"alias": "web", "update_nics": [{"mac": _MAC}]})

    assert vmadm.get() == before
