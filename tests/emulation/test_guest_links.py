"""The VNICs of running guests: there in dladm while a guest runs, in its own namespace."""

from __future__ import annotations

import pytest

from reconciler.emulation import EmulatedHost
from reconciler.emulation.links import guest_links
from reconciler.emulation.links.errors import Refused
from reconciler.emulation.links.tags import tag_link, tag_names
from tests.emulation.console import must, run

_ONE, _TWO = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def host(smartos: EmulatedHost) -> EmulatedHost:
    """Two guests, each with net0; the first over igb1 in VLAN 5, the second over igb0."""
    with smartos._state.changing() as state:
        guest_links.attach(state, _ONE, "net0", "external", "02:08:20:0A:00:01", 5, None)
        guest_links.attach(state, _TWO, "net0", "admin", "2:8:20:0:0:2", 0, 1400)
        guest_links.set_properties(state, _ONE, "net0", {"allowed-ips": "10.0.0.5,10.0.0.6/32", "protection": "ip-nospoof"})
    return smartos


def test_the_global_zone_sees_the_links_of_all_zones(host: EmulatedHost) -> None:
    assert must(host, "dladm show-vnic -p -o link,over,macaddress,vid,zone").splitlines() == [
        rf"net0:igb1:2\:8\:20\:a\:0\:1:5:{_ONE}",
        rf"net0:igb0:2\:8\:20\:0\:0\:2:0:{_TWO}",
    ]
    assert must(host, "dladm show-link -p -o link,mtu,state,over").splitlines()[2:] == ["net0:1500:?:igb1", "net0:1400:?:igb0"]


def test_z_asks_for_one_zone(host: EmulatedHost) -> None:
    assert must(host, f"dladm show-vnic -z {_TWO} -p -o link,over") == "net0:igb0\n"
    assert must(host, f"dladm show-link -z {_TWO} -p -o link,state") == "net0:up\n"
    shown = must(host, f"dladm show-linkprop -z {_ONE} -c -o value -p allowed-ips,protection net0")
    assert shown == "10.0.0.5/32,10.0.0.6/32\nip-nospoof\n"
    must(host, f"dladm set-linkprop -t -z {_TWO} -p promisc-filtered=off net0")
    assert host.links.link("net0", _TWO).properties == {"promisc-filtered": "off"}
    assert run(host, "dladm show-vnic -z nobody").stderr == "dladm: invalid zone name 'nobody'\n"


def test_a_guest_s_link_is_out_of_reach_from_the_global_zone(host: EmulatedHost) -> None:
    assert run(host, "dladm delete-vnic net0").stderr == "dladm: invalid link name 'net0'\n"
    assert run(host, f"dladm delete-vnic -z {_ONE} net0").stderr == "dladm: vnic deletion failed: link busy\n"
    must(host, "dladm create-vnic -l igb1 net0")
    assert host.links.names() == ("igb0", "igb1", "net0")


def test_the_links_of_a_guest_vanish_when_it_halts(host: EmulatedHost) -> None:
    with host._state.changing() as state:
        guest_links.detach(state, _ONE)

    assert must(host, "dladm show-vnic -p -o link,zone") == f"net0:{_TWO}\n"
    host.reboot()
    assert must(host, "dladm show-vnic -p -o link") == ""


def test_an_etherstub_under_a_guest_is_busy(host: EmulatedHost) -> None:
    must(host, "nictagadm add -l stub0")
    with host._state.changing() as state:
        guest_links.attach(state, _ONE, "net1", "stub0", "2:8:20:0:0:3", 0, None)

    assert run(host, "dladm delete-etherstub stub0").stderr == "dladm: vnic deletion failed: link busy\n"
    assert host.links.link("net1", _ONE).mtu == 9000


def test_what_can_not_be_attached_says_why(host: EmulatedHost) -> None:
    for zone, name, tag, mac, why in (
        (_ONE, "net9", "nope", "2:8:20:0:0:9", "object not found"),
        (_ONE, "net0", "admin", "2:8:20:0:0:9", "object already exists"),
        (_ONE, "net9", "admin", "1:0:0:0:0:0", "invalid MAC address"),
        (_ONE, "net9", "admin", "2:8:20:0:0:2", "MAC address is already in use"),
    ):
        with pytest.raises(Refused, match=why), host._state.changing() as state:
            guest_links.attach(state, zone, name, tag, mac, 0, None)
    with pytest.raises(Refused, match="object not found"), host._state.changing() as state:
        guest_links.set_properties(state, _ONE, "net9", {"maxbw": "5"})
    with pytest.raises(Refused, match="invalid value"), host._state.changing() as state:
        guest_links.set_properties(state, _ONE, "net0", {"allowed-ips": "nonsense"})


def test_tags_name_links(host: EmulatedHost) -> None:
    with host._state.reading() as state:
        assert tag_names(state) == ("admin", "external")
        assert (tag_link(state, "external"), tag_link(state, "nope")) == ("igb1", None)
