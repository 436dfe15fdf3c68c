"""`vmadm create`: what becomes of a payload, in what vmadm shows, in zfs and in dladm."""

import json
from typing import Any

import pytest

from reconciler.emulation import EmulatedHost
from tests.emulation.console import must, value
from tests.emulation.guest_commands import BASE, DEBIAN, LX, NIC, OTHER, UBUNTU, VM, ZONE, Vmadm, machine, zone


def test_a_guest_is_said_to_be_made_on_stderr_and_runs(vmadm: Vmadm) -> None:
    said = vmadm.say("create", payload=zone())

    assert (said.exit_code, said.stdout, said.stderr) == (0, "", f"Successfully created VM {ZONE}\n")
    assert (vmadm.get()["state"], vmadm.get()["zone_state"], vmadm.get()["autoboot"]) == ("running", "running", True)


def test_a_guest_without_a_uuid_gets_one(vmadm: Vmadm) -> None:
    payload = zone()
    del payload["uuid"]
    vmadm.do("create", payload=payload)

    (uuid,) = vmadm.host.guests.uuids()
    assert vmadm.get(uuid)["zonename"] == uuid


def test_a_guest_without_autoboot_stays_stopped(vmadm: Vmadm) -> None:
    vmadm.zone(autoboot=False)

    assert (vmadm.get()["state"], vmadm.get()["zone_state"]) == ("stopped", "installed")
    assert vmadm.host.guests.guest(ZONE).boots == 0


def test_a_uuid_that_is_taken_is_refused(vmadm: Vmadm) -> None:
    vmadm.zone()

    assert vmadm.refusal("create", payload=zone()) == f"VM with UUID {ZONE} already exists"


def test_a_zone_has_the_defaults_of_its_brand(vmadm: Vmadm) -> None:
    vmadm.do("create", payload={"brand": "joyent", "image_uuid": BASE, "uuid": ZONE})

    found = vmadm.get()
    expected: dict[str, Any] = {
        "max_physical_memory": 256, "max_swap": 256, "max_locked_memory": 256, "tmpfs": 256, "max_shm_memory": 256,
        "cpu_shares": 100, "zfs_io_priority": 100, "max_lwps": 2000, "max_msg_ids": 4096, "quota": 10,
        "zfs_root_recsize": 131072, "hostname": ZONE, "dns_domain": "local", "resolvers": [], "nics": [],
        "limit_priv": "default", "firewall_enabled": False, "tags": {}, "customer_metadata": {}, "internal_metadata": {},
        "routes": {}, "snapshots": [], "owner_uuid": "00000000-0000-0000-0000-000000000000", "hvm": False, "zpool": "zones",
        "zonepath": f"/zones/{ZONE}", "zfs_filesystem": f"zones/{ZONE}", "v": 1,
    }  # fmt: skip
    assert expected.items() <= found.items()
    assert not {"ram", "type", "disks", "cpu_cap", "restart_init", "docker", "zfs_root_compression", "missing"} & found.keys()


@pytest.mark.parametrize(("brand", "physical"), [("bhyve", 2304), ("kvm", 2048)])
def test_a_machine_has_the_defaults_of_its_brand(vmadm: Vmadm, brand: str, physical: int) -> None:
    vmadm.do("create", payload={"brand": brand, "uuid": VM, "ram": 1024})

    found = vmadm.get(VM)
    assert (found["max_physical_memory"], found["ram"], found["vcpus"], found["disks"]) == (physical, 1024, 1, [])
    assert found["limit_priv"] == "default,-file_link_any,-net_access,-proc_fork,-proc_info,-proc_session"
    assert found["quota"] == {"bhyve": 1, "kvm": 10}[brand]
    assert not {"tmpfs", "dns_domain", "type"} & found.keys()


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (zone(ram=1024, max_physical_memory=None), {"max_physical_memory": 1024, "max_swap": 1024}),
        (zone(max_swap=300), {"max_swap": 512}),
        (zone(max_locked_memory=1024, tmpfs=1024), {"max_locked_memory": 512, "tmpfs": 512}),
        (zone(cpu_shares=100000), {"cpu_shares": 65535}),
        (zone(max_physical_memory="768", quota="20", autoboot="true"), {"max_physical_memory": 768, "quota": 20}),
        (
            zone(limit_priv=["default", "dtrace_user"], fs_allowed="ufs,pcfs"),
            {"limit_priv": "default,dtrace_user", "fs_allowed": "ufs,pcfs"},
        ),
        (zone(resolvers="1.1.1.1,8.8.8.8"), {"resolvers": ["1.1.1.1", "8.8.8.8"]}),
        (zone(dataset_uuid=BASE, image_uuid=BASE), {"image_uuid": BASE}),
        (zone(tags={"yes": True, "one": 1, "text": "x"}), {"tags": {"yes": True, "one": 1, "text": "x"}}),
    ],
)
def test_values_come_back_in_the_host_s_own_form(vmadm: Vmadm, payload: object, expected: dict[str, object]) -> None:
    vmadm.do("create", payload=payload)

    assert expected.items() <= vmadm.get().items()


def test_flags_come_back_only_when_they_differ_from_the_default(vmadm: Vmadm) -> None:
    off = {"archive_on_delete": False, "docker": False, "do_not_inventory": False, "maintain_resolvers": False}
    vmadm.zone(**off, restart_init=True, indestructible_zoneroot=False, cpu_cap=0)
    vmadm.zone(OTHER, archive_on_delete=True, maintain_resolvers=True, restart_init=False)

    assert not {*off, "restart_init", "indestructible_zoneroot", "cpu_cap"} & vmadm.get().keys()
    found = vmadm.get(OTHER)
    assert (found["archive_on_delete"], found["maintain_resolvers"], found["restart_init"]) == (True, True, False)


def test_memory_that_is_too_small_for_a_machine_is_raised(vmadm: Vmadm) -> None:
    vmadm.machine(max_physical_memory=512)

    assert vmadm.get(VM)["max_physical_memory"] == 1280


def test_the_root_is_a_clone_of_its_image_with_the_quota(vmadm: Vmadm) -> None:
    vmadm.zone(quota=25, zfs_root_compression="lz4")

    assert value(vmadm.host, f"zones/{ZONE}", "origin")[0] == f"zones/{BASE}@final"
    assert value(vmadm.host, f"zones/{ZONE}", "quota")[0] == str(25 << 30)
    assert vmadm.get()["zfs_root_compression"] == "lz4"


def test_a_quota_set_by_hand_is_what_vmadm_shows(vmadm: Vmadm) -> None:
    vmadm.zone()

    must(vmadm.host, f"zfs set quota=1536M zones/{ZONE}")
    assert vmadm.get()["quota"] == 1.5
    must(vmadm.host, f"zfs set quota=none zones/{ZONE}")
    assert vmadm.get()["quota"] == 0


def test_delegated_data_is_a_zoned_dataset_and_not_a_flag(vmadm: Vmadm) -> None:
    vmadm.zone(delegate_dataset=True, zfs_data_compression="lz4")

    found = vmadm.get()
    assert found["datasets"] == [f"zones/{ZONE}/data"]
    assert "delegate_dataset" not in found
    assert found["zfs_data_compression"] == "lz4"
    assert value(vmadm.host, f"zones/{ZONE}/data", "zoned")[0] == "on"


def test_disks_are_volumes_one_of_them_a_clone_of_its_image(vmadm: Vmadm) -> None:
    vmadm.machine()

    first, second = vmadm.get(VM)["disks"]
    assert value(vmadm.host, f"zones/{VM}/disk0", "origin")[0] == f"zones/{DEBIAN}@final"
    assert value(vmadm.host, f"zones/{VM}/disk1", "volsize")[0] == str(1 << 30)
    assert (first["path"], first["size"], first["image_size"], first["boot"]) == (
        f"/dev/zvol/rdsk/zones/{VM}/disk0", 10240, 10240, True,
    )  # fmt: skip
    assert (second["pci_slot"], second["boot"], second["media"], second["block_size"]) == ("0:4:1", False, "disk", 8192)
    assert second["refreservation"] > 1024
    assert len(second["uuid"]) == 36


def test_disks_of_kvm_lie_beside_the_root(vmadm: Vmadm) -> None:
    vmadm.do("create", payload={"brand": "kvm", "uuid": VM, "disks": [{"size": 100, "model": "ide"}]})

    (disk,) = vmadm.get(VM)["disks"]
    assert (disk["path"], disk["zfs_filesystem"]) == (f"/dev/zvol/rdsk/zones/{VM}-disk0", f"zones/{VM}-disk0")
    assert not {"uuid", "pci_slot"} & disk.keys()


def test_an_image_says_how_to_boot_and_where_cloud_init_looks(vmadm: Vmadm) -> None:
    vmadm.machine(disks=[{"image_uuid": UBUNTU, "boot": True, "model": "virtio"}])

    assert vmadm.get(VM)["bootrom"] == "uefi"
    assert vmadm.get(VM)["internal_metadata"] == {"cloudinit_datasource": "nocloud"}


def test_a_docker_zone_has_an_id_and_a_namespace(vmadm: Vmadm) -> None:
    vmadm.do("create", payload={"brand": "lx", "uuid": ZONE, "image_uuid": LX, "kernel_version": "4.3", "docker": True})

    found = vmadm.get()
    assert len(found["internal_metadata"]["docker:id"]) == 64
    assert found["internal_metadata_namespaces"] == ["docker"]


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (machine(disks=[{"size": 10}]), "missing .model option for disk: {"),
        (machine(disks=[{"size": 10, "model": "scsi"}]), "is not a valid disk model"),
        (machine(nics=[NIC]), "missing .model option for NIC: {"),
        (machine(nics=[{**NIC, "model": "e1000"}]), "is not a valid NIC model"),
        (machine(vnc_password="123456789"), "VNC password is too long"),
        (machine(flexible_disk_size=1024), "flexible_disk_size (1024) must be at least"),
        (zone(nics=[{**NIC, "nic_tag": "storage"}]), 'Invalid nic tag "storage"'),
        (zone(nics=[{**NIC, "ips": ["10.0.0.300/24"]}]), "Invalid IP for NIC: 10.0.0.300/24"),
        (zone(nics=[{**NIC, "ips": ["10.0.0.3"]}]), "Invalid IP for NIC: 10.0.0.3"),
        (zone(nics=[{**NIC, "gateways": ["fe80::1"]}]), "Static gateways must be IPv4 addresses"),
        (zone(nics=[{"nic_tag": "admin", "ip": "10.0.0.3"}]), "Missing .netmask option for NIC"),
        (
            zone(nics=[{**NIC, "primary": True}, {"nic_tag": "admin", "primary": True}]),
            "payload specifies more than 1 primary NIC",
        ),
        (zone(nics=[NIC, {**NIC, "ips": ["dhcp"]}]), "Cannot add multiple NICs with the same MAC: 02:00:00:00:00:01"),
        (zone(nics=[NIC, {**NIC, "mac": "02:00:00:00:00:02"}]), "Cannot add multiple NICs with the same IP: 10.0.0.5"),
        (zone(nics=[{**NIC, "mac": "nonsense"}]), "mac-addr"),
        (zone(routes={"10.1.0.0/16": "nics[1]"}, nics=[NIC]), 'Route gateway: "nics[1]" refers to non-existent or DHCP nic'),
        (zone(zfs_root_recsize=1000), "recsize"),
        (zone(zfs_root_compression="best"), "compression"),
        ({"brand": "hyperv"}, "Unsupported brand"),
    ],
)
def test_what_only_create_checks_is_refused_and_leaves_nothing(vmadm: Vmadm, payload: Any, words: str) -> None:
    before = vmadm.host.storage.names()

    assert words in vmadm.refusal("create", payload=payload)

    assert vmadm.host.guests.uuids() == ()
    assert vmadm.host.storage.names() == before


@pytest.mark.parametrize(
    ("nic", "clashes"),
    [
        ({**NIC, "ips": ["10.9.9.9/24"]}, True),
        ({**NIC, "mac": "2:0:0:0:0:1", "ips": ["dhcp"]}, True),
        ({**NIC, "mac": "02:00:00:00:00:02", "ips": ["10.0.0.5/16"]}, True),
        ({**NIC, "mac": "02:00:00:00:00:02", "nic_tag": "admin"}, False),
        ({**NIC, "mac": "02:00:00:00:00:02", "vlan_id": 0}, False),
        ({**NIC, "mac": "02:00:00:00:00:02", "ips": ["dhcp"]}, False),
    ],
)
def test_a_mac_or_address_of_another_guest_is_refused(vmadm: Vmadm, nic: dict[str, object], clashes: bool) -> None:
    vmadm.zone(nics=[NIC])

    said = vmadm.say("create", payload=zone(uuid=OTHER, nics=[nic]))

    expected = "Conflict detected with another vm, please check the MAC, IP, and VRID\n"
    assert (said.exit_code, said.stderr) == ((1, expected) if clashes else (0, f"Successfully created VM {OTHER}\n"))


def test_nics_come_back_in_both_forms(vmadm: Vmadm) -> None:
    vmadm.zone(
        nics=[
            {"nic_tag": "admin", "mac": "2:0:0:0:0:A", "ip": "10.0.1.5", "netmask": "255.255.0.0", "gateway": "10.0.1.1"},
            {"nic_tag": "external", "ips": ["addrconf", "dhcp"], "allow_ip_spoofing": "true"},
        ]
    )

    first, second = vmadm.get()["nics"]
    assert first == {
        "interface": "net0", "mac": "02:00:00:00:00:0a", "nic_tag": "admin", "gateway": "10.0.1.1", "gateways": ["10.0.1.1"],
        "netmask": "255.255.0.0", "ip": "10.0.1.5", "ips": ["10.0.1.5/16"], "primary": True,
    }  # fmt: skip
    assert (second["interface"], second["ip"], second["ips"]) == ("net1", "dhcp", ["addrconf", "dhcp"])
    assert second["mac"][1] == "2"
    assert second["allow_ip_spoofing"] is True
    assert "primary" not in second


def test_a_running_guest_s_nics_are_links_of_the_host_until_it_halts(vmadm: Vmadm) -> None:
    vmadm.zone(nics=[{**NIC, "vlan_id": 7, "allow_mac_spoofing": True}])
    links = _links(vmadm.host)
    vmadm.do("stop", ZONE)

    assert links == [(ZONE, "net0", "02:00:00:00:00:01", 7)]
    assert _links(vmadm.host) == []


def _links(host: EmulatedHost) -> list[tuple[Any, ...]]:
    return host._state.rows("SELECT namespace, name, mac, vid FROM link WHERE namespace <> ''")


def test_odd_text_survives(vmadm: Vmadm) -> None:
    script = "#!/bin/sh\n\t\"quotes\" 'and' $(such) ünïcode 漢字 \u2028 \\ " + "x" * 65536
    vmadm.zone(alias="ä b'c\"", customer_metadata={"user-script": script, "": "empty key"})

    assert vmadm.get()["customer_metadata"] == {"user-script": script, "": "empty key"}
    assert vmadm.get()["alias"] == "ä b'c\""


def test_bytes_that_are_no_text_are_replaced(vmadm: Vmadm) -> None:
    payload = json.dumps(zone(alias="A\ud800B")).encode().replace(b'"A', b'"\xff')
    vmadm.do("create", payload=payload)

    assert vmadm.get()["alias"] == "\ufffd\ufffdB"


def test_a_whole_number_has_no_fraction_when_it_comes_back(vmadm: Vmadm) -> None:
    vmadm.zone(tags={"whole": 2.0, "half": 0.5, "small": -3})

    assert '"whole": 2,' in vmadm.say("get", ZONE).stdout
    assert vmadm.get()["tags"] == {"whole": 2, "half": 0.5, "small": -3}


def test_a_vnc_port_and_a_vrid_belong_to_one_guest(vmadm: Vmadm) -> None:
    words = "Conflict detected with another vm, please check the MAC, IP, and VRID"
    virtual = {"nic_tag": "external", "vrrp_vrid": 10, "vrrp_primary_ip": "10.0.0.5", "ips": ["10.0.0.99/24"]}
    vmadm.machine(vnc_port=5901)
    vmadm.zone(nics=[NIC, virtual])

    assert vmadm.get()["nics"][1]["mac"] == "00:00:5e:00:01:0a"
    assert vmadm.refusal("create", payload=machine(uuid=OTHER, vnc_port=5901)) == words
    other = {**virtual, "ips": ["10.0.0.98/24"]}
    assert vmadm.refusal("create", payload=zone(uuid=OTHER, nics=[{"nic_tag": "external"}, other])) == words
    assert "non-VRRP" in vmadm.refusal("create", payload=zone(uuid=OTHER, nics=[{**virtual, "vrrp_vrid": 11}]))
    vmadm.do("create", payload=machine(uuid=OTHER, vnc_port=0))
