"""What may cross VNICs of a whole Linux host, and how much of it: measured, not assumed."""

from collections.abc import Mapping
from typing import Any

import pytest

from providers.tools import linux_filters
from providers.tools.linux_filters import read_filters
from tests.real import frames
from tests.real.frames import arrived
from tests.real.linux_host import LinuxHost, Peer
from tests.real.traffic import rate, stream
from tests.real.tree import Tree, manifest

MAC, OTHER_MAC = "02:08:20:00:00:01", "02:08:20:00:00:99"
ADDRESS, OTHER_ADDRESS = "10.0.0.1", "10.0.0.99"
LINK_LOCAL = "fe80::8:20ff:fe00:1"


def vnic(**spec: Any) -> dict[str, Any]:
    return manifest("VNIC", "vnic0", {"over": "es0", "mac": MAC, **spec})


@pytest.fixture
def guest(host: LinuxHost) -> Peer:
    """A machine that has the VNIC's end; made by the test once that is there."""
    host.run("ip", "netns", "add", "guest")
    return Peer(host, "guest")


def plugged(guest: Peer) -> None:
    """The VNIC's end is the guest's."""
    guest.host.run("ip", "link", "set", "vnic0g", "netns", "guest")
    guest.run("ip", "addr", "add", f"{ADDRESS}/24", "dev", "vnic0g")
    guest.run("ip", "link", "set", "vnic0g", "up")


def dropped(host: LinuxHost) -> Mapping[str, int]:
    """How many packets each kind of rule has dropped."""
    return read_filters(host.run("nft", "-j", "list", "ruleset", "netdev"))["vnic0"].drops


FORGED = {
    "mac": frames.udp4(OTHER_MAC, ADDRESS),
    "arp-mac": frames.arp(MAC, OTHER_MAC, ADDRESS),
    "arp": frames.arp(MAC, MAC, OTHER_ADDRESS),
    "ip": frames.udp4(MAC, OTHER_ADDRESS),
    "ip6": frames.udp6(MAC, "2001:db8::99"),
    "dhcp": frames.udp4(MAC, ADDRESS, port=67),
    "dhcp6": frames.udp6(MAC, LINK_LOCAL, port=547),
    "ra": frames.router_advertisement(MAC, LINK_LOCAL),
    "other": frames.other(MAC),
    "tagged": frames.tagged(frames.udp4(MAC, ADDRESS)),
}
HONEST = {
    "honest-arp": frames.arp(MAC, MAC, ADDRESS),
    "honest-no-address-yet": frames.udp4(MAC, "0.0.0.0"),
    "honest-ip6": frames.udp6(MAC, LINK_LOCAL),
    "honest": frames.udp4(MAC, ADDRESS),
}
ALL_DROPPED = {"mac": 2, "ip": 3, "dhcp": 3, "other": 2}


def test_what_is_forged_is_dropped_and_counted_and_nothing_else(tree: Tree, host: LinuxHost, guest: Peer) -> None:
    tree.converges(manifest("Etherstub", "es0"), vnic(allow={"ips": [ADDRESS]}))
    plugged(guest)
    peer = host.peer("es0", "10.0.0.2/24")
    before = dropped(host)

    assert arrived(guest, "vnic0g", peer, {**FORGED, **HONEST}) == HONEST.keys()
    assert {kind: count - before[kind] for kind, count in dropped(host).items()} == ALL_DROPPED
    assert guest.reaches("10.0.0.2")


def test_a_rule_change_that_fails_half_way_leaves_the_old_filter(tree: Tree, host: LinuxHost, guest: Peer) -> None:
    tree.converges(manifest("Etherstub", "es0"), vnic(allow={"ips": [ADDRESS]}))
    plugged(guest)
    peer = host.peer("es0", "10.0.0.2/24")
    loose = linux_filters.stand("vnic0", linux_filters.Filter(MAC, linux_filters.FORGERIES), "x")

    failed = host.ask(
        "nft", "-f", "-", stdin="\n".join([*loose, "add rule netdev reconciler sent/vnic0 fwd to nowhere at all"])
    )
    assert failed.returncode != 0
    failed = host.ask("nft", "-f", "-", stdin="\n".join([*loose, "add rule netdev reconciler gone drop"]) + "\n")
    assert failed.returncode != 0

    assert arrived(guest, "vnic0g", peer, {**FORGED, **HONEST}) == HONEST.keys()
    assert dropped(host).items() >= ALL_DROPPED.items()
    assert tree.plan().exit_code == 0


@pytest.mark.parametrize(
    ("allow", "arriving"),
    [
        ("macSpoofing", {"mac", "arp-mac"}),
        ("ipSpoofing", {"arp", "ip", "ip6"}),
        ("dhcpSpoofing", {"dhcp", "dhcp6", "ra"}),
        ("restrictedTraffic", {"other", "tagged"}),
    ],
)
def test_what_is_allowed_passes_and_nothing_else(
    tree: Tree, host: LinuxHost, guest: Peer, allow: str, arriving: set[str]
) -> None:
    tree.converges(manifest("Etherstub", "es0"), vnic(allow={"ips": [ADDRESS], allow: True}))
    plugged(guest)
    peer = host.peer("es0")

    assert arrived(guest, "vnic0g", peer, {**FORGED, **HONEST}) == {*arriving, *HONEST}


def test_a_limit_lets_nothing_forged_pass(tree: Tree, host: LinuxHost, guest: Peer) -> None:
    tree.converges(manifest("Etherstub", "es0"), vnic(maxBandwidth="100Mbps", allow={"ips": [ADDRESS]}))
    plugged(guest)
    peer = host.peer("es0")

    assert arrived(guest, "vnic0g", peer, {**FORGED, **HONEST}) == HONEST.keys()


@pytest.mark.parametrize("sends", [True, False], ids=["sending", "receiving"])
def test_a_limit_holds_and_changes_under_a_running_stream(tree: Tree, host: LinuxHost, guest: Peer, sends: bool) -> None:
    stub = manifest("Etherstub", "es0")
    tree.converges(stub, vnic(maxBandwidth="10Mbps"))
    plugged(guest)
    peer = host.peer("es0", "10.0.0.2/24")
    source, target, address, link = (guest, peer, "10.0.0.2", "eth0") if sends else (peer, guest, ADDRESS, "vnic0g")

    with stream(source, target, address):
        slow = rate(target, link, 10e6)
        tree.converges(stub, vnic(maxBandwidth="100Mbps"))
        fast = rate(target, link, 100e6)
        tree.converges(stub, vnic(maxBandwidth=None))
        free = rate(target, link, 200e6)

    assert slow == pytest.approx(10e6, rel=0.1)
    assert fast == pytest.approx(100e6, rel=0.1)
    assert free > 200e6


def test_the_host_has_no_part_in_an_etherstub(tree: Tree, host: LinuxHost, guest: Peer) -> None:
    tree.converges(manifest("Etherstub", "es0"), vnic())
    plugged(guest)
    host.run("ip", "link", "add", "br0", "type", "bridge")
    host.run("ip", "link", "set", "br0", "up")
    host.run("ip", "addr", "add", "192.0.2.1/24", "dev", "br0")
    guest.run("ip", "route", "add", "192.0.2.1", "dev", "vnic0g")

    def answers() -> bool:
        asked = guest.ask("busybox", "arping", "-c", "1", "-w", "1", "-I", "vnic0g", "192.0.2.1")
        return "Received 1 " in asked.stdout

    assert not answers()
    assert "inet6" not in host.run("ip", "addr", "show", "dev", "es0")
    host.run("sh", "-c", "echo 0 >/proc/sys/net/ipv4/conf/es0/rp_filter")
    assert answers(), "that is what would happen otherwise"


def test_two_etherstubs_do_not_reach_each_other(tree: Tree, host: LinuxHost, guest: Peer) -> None:
    tree.converges(manifest("Etherstub", "es0"), manifest("Etherstub", "es1"), vnic())
    plugged(guest)
    host.peer("es0", "10.0.0.2/24")
    peer = host.peer("es1", "10.0.0.3/24", name="other")

    assert guest.reaches("10.0.0.2")
    assert not guest.reaches("10.0.0.3", tries=1)
    assert not peer.reaches(ADDRESS, tries=1)
