"""Nics of running guests as dladm and nictagadm show them."""

from tests.emulation.console import must, run
from tests.emulation.guest_commands import NIC, OTHER, ZONE, Vmadm


def test_a_running_guest_s_nics_are_vnics_in_its_zone(vmadm: Vmadm) -> None:
    vmadm.zone(nics=[{**NIC, "vlan_id": 7}, {"nic_tag": "admin", "ips": ["dhcp"]}])

    shown = must(vmadm.host, "dladm show-vnic -p -o link,over,vid,zone").splitlines()
    assert shown == [f"net0:igb1:7:{ZONE}", f"net1:igb0:0:{ZONE}"]
    vmadm.do("stop", ZONE)
    assert must(vmadm.host, "dladm show-vnic -p -o link") == ""


def test_what_a_nic_may_do_is_a_property_of_its_link_and_changes_while_the_guest_runs(vmadm: Vmadm) -> None:
    vmadm.zone(nics=[NIC])
    read = f"dladm show-linkprop -z {ZONE} -c -o value -p protection,allowed-ips net0"
    assert must(vmadm.host, read).splitlines() == ["mac-nospoof,restricted,ip-nospoof,dhcp-nospoof", "10.0.0.5/32"]

    changed = {"mac": NIC["mac"], "allow_mac_spoofing": True, "allow_restricted_traffic": True, "allowed_ips": ["10.7.0.0/24"]}
    vmadm.do("update", ZONE, payload={"update_nics": [changed]})

    assert must(vmadm.host, read).splitlines() == ["ip-nospoof,dhcp-nospoof", "10.0.0.5/32,10.7.0.0/24"]
    assert vmadm.host.guests.guest(ZONE).boots == 1


def test_what_dladm_refuses_fails_the_update(vmadm: Vmadm) -> None:
    vmadm.zone(nics=[NIC])
    changed = {"mac": NIC["mac"], "allowed_ips": ["0.0.0.0/0"]}

    assert "dladm" in vmadm.refusal("update", ZONE, payload={"update_nics": [changed]})


def test_nics_go_over_an_etherstub_once_it_is_a_nic_tag(vmadm: Vmadm) -> None:
    payload = {"nics": [{"nic_tag": "stub0", "mtu": 1400}]}
    must(vmadm.host, "nictagadm add -l stub0")
    vmadm.zone(**payload)

    assert must(vmadm.host, "dladm show-vnic -p -o over,zone") == f"stub0:{ZONE}\n"
    assert must(vmadm.host, "nictagadm vms stub0") == f"{ZONE}\n"
    assert "in use" in run(vmadm.host, "nictagadm delete stub0").stderr


def test_a_small_mtu_is_refused_on_a_physical_tag(vmadm: Vmadm) -> None:
    vmadm.zone(OTHER, nics=[{"nic_tag": "admin", "mtu": 1500}])

    assert "mtu" in vmadm.refusal("update", OTHER, payload={"add_nics": [{"nic_tag": "admin", "mtu": 1400}]})
