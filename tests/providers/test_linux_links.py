"""Links of a Linux host as crossbow sees and changes them, on real output: `output/iproute2-6.1.0`."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from providers.crossbow.linux import CONFIRM, LinuxBackend
from providers.tools.linux_filters import SHOW_FILTERS
from providers.tools.linux_kernel import FACTS
from providers.tools.linux_limits import SHOW_LIMITS
from providers.tools.linux_links import SHOW_DEFAULT_ROUTES, SHOW_LINKS
from providers.tools.linux_vlans import SHOW_VLANS
from reconciler.model.change import Change, FieldChange, Verb
from reconciler.model.command import Completed, Ending
from reconciler.model.errors import ReadError, ReconcilerError
from reconciler.model.facts import HostFacts
from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.observed import REMOVAL, Mark, Observed
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.model.value import Fields, Value
from reconciler.provider.contract import Served

_FOLDER = Path(__file__).parent / "output" / "iproute2-6.1.0"
_FILES = {
    "links.json": SHOW_LINKS,
    "filters.json": SHOW_FILTERS,
    "limits.json": SHOW_LIMITS,
    "vlans.json": SHOW_VLANS,
    "default-routes.json": SHOW_DEFAULT_ROUTES[0],
    "default-routes6.json": SHOW_DEFAULT_ROUTES[1],
}
_ASKED = {
    kind: frozenset({REMOVAL})
    for kind in ("Etherstub", "VNIC", "Bridge", "PhysicalLink", "Aggregation", "Vlan", "Overlay")
}  # fmt: skip


def backend(facts: str = (_FOLDER / "facts.txt").read_text()) -> LinuxBackend:
    probed = {FACTS.name: Completed(FACTS.command, Ending.EXITED, 0, facts)}
    return LinuxBackend(HostFacts("Linux", "6.1.0", "#1 SMP", "boot", {}, probed))


@pytest.fixture(scope="module")
def seen() -> Mapping[ObjectName, Observed]:
    outputs = {
        probe.name: Completed(probe.command, Ending.EXITED, 0, (_FOLDER / name).read_text()) for name, probe in _FILES.items()
    }
    return {observed.name: observed for observed in backend().read(outputs, _ASKED)}


def test_each_link_is_of_the_kind_that_stands_for_it(seen: Mapping[ObjectName, Observed]) -> None:
    assert sorted(map(str, seen)) == [
        "Bridge/br0",
        "Bridge/docker0",
        "Etherstub/es0",
        "Overlay/far0",
        "Overlay/vx0",
        "VNIC/mac0",
        "VNIC/plain0",
        "VNIC/vm1_0",
        "VNIC/vnic0",
        "VNIC/vnic1",
        "VNIC/web1_0",
    ]


def test_a_vnic_is_read_as_its_manifest_would_state_it(seen: Mapping[ObjectName, Observed]) -> None:
    vnic = seen[ObjectName("VNIC", "vnic0")]

    assert vnic.fields == {
        "over": "es0",
        "mac": "02:08:20:00:00:01",
        "vlan": None,
        "mtu": 1400,
        "maxBandwidth": 10_000_000,
        "allow.macSpoofing": False,
        "allow.ipSpoofing": False,
        "allow.dhcpSpoofing": True,
        "allow.restrictedTraffic": False,
        "allow.ips": ("10.0.0.0/24", "10.0.0.5/32", "2001:db8::5/128", "fe80::/10"),
        "broken": "",
    }
    assert vnic.stated_here == vnic.fields.keys() - {"vlan", "broken"}
    assert vnic.references == (ObjectName("Etherstub", "es0"),)
    assert vnic.mark == Mark("lab", vnic.name, "4c4c4544-0042", Protect.REMOVAL, OnRemoval.DELETE)


def test_a_vnic_that_nobody_filters_may_forge_anything(seen: Mapping[ObjectName, Observed]) -> None:
    plain, own = seen[ObjectName("VNIC", "plain0")], seen[ObjectName("VNIC", "vnic1")]

    assert plain.mark is None
    for vnic in (plain, own):
        assert {value for name, value in vnic.fields.items() if name.endswith(("Spoofing", "Traffic"))} == {True}
        assert vnic.fields["broken"] == ""


def test_a_macvlan_lies_over_the_link_below(seen: Mapping[ObjectName, Observed]) -> None:
    vnic = seen[ObjectName("VNIC", "mac0")]

    assert (vnic.fields["over"], vnic.fields["mac"]) == ("far0", "02:08:20:00:00:03")
    assert vnic.references == (ObjectName("Overlay", "far0"),)


def test_the_port_of_a_guests_nic_belongs_to_the_guest(seen: Mapping[ObjectName, Observed]) -> None:
    owners = {name.name: observed.belongs_to for name, observed in seen.items() if observed.belongs_to}

    assert owners == {"web1_0": "Zone/web1", "vm1_0": "VirtualMachine/vm1"}


def test_a_bridge_shows_what_is_plugged_in(seen: Mapping[ObjectName, Observed]) -> None:
    assert seen[ObjectName("Bridge", "br0")].fields["over"] == ("vx0", "vnic1", "vm1_0")


def test_what_the_host_needs_stands_against_a_removal(seen: Mapping[ObjectName, Observed]) -> None:
    obstacles = {str(name): one.removal.obstacles for name, one in seen.items() if one.removal is not None}

    assert obstacles == {
        "Etherstub/es0": (),
        "VNIC/mac0": (),
        "VNIC/plain0": (),
        "VNIC/vnic0": ("the host has the address 192.0.2.77/32 on vnic0g",),
        "VNIC/vnic1": (),
    }


def test_links_alone_tell_whether_one_may_go() -> None:
    def confirmed(kind: str, name: str, links: str = (_FOLDER / "links.json").read_text()) -> Observed | None:
        key = Key("lab1", kind, name)
        change = Change(key, Verb.DELETE, observed=Observed(key.object, {}, identity=name))
        probe = backend().confirm(change)
        assert probe.name == CONFIRM
        return backend().confirmed(change, Completed(probe.command, Ending.EXITED, 0, links))

    vnic = confirmed("VNIC", "vnic0")
    assert vnic is not None
    assert vnic.removal is not None
    assert vnic.removal.obstacles
    assert not {"broken", "maxBandwidth", "allow.ips", "vlan"} & vnic.fields.keys(), "nobody looked"
    assert confirmed("Etherstub", "es0") is not None
    assert confirmed("Etherstub", "br0") is None, "it is a bridge"
    assert confirmed("VNIC", "gone0") is None
    with pytest.raises(ReadError):
        confirmed("VNIC", "vnic0", "")


@pytest.mark.parametrize(
    ("kind", "field", "value", "words"),
    [
        ("VNIC", "metadata.name", "averyverylong10", "too long"),
        ("Etherstub", "metadata.name", "averyverylong10", "too long"),
        ("VNIC", "priority", "low", "weighs no links"),
        ("VNIC", "maxBandwidth", 1_000_001, "whole bytes"),
        ("VNIC", "vlan", 1, "VLAN 1"),
        ("VNIC", "vlan", 10, "CONFIG_BRIDGE_VLAN_FILTERING"),
        ("VNIC", "allow.ips", tuple(f"10.0.{n}.0/24" for n in range(33)), "33 are stated"),
    ],
)
def test_what_linux_lacks_is_refused(kind: str, field: str, value: Value, words: str) -> None:
    refusal = backend().refusal(kind, field, value)

    assert refusal is not None
    assert words in refusal.cause
    assert refusal.remedy


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("VNIC", "metadata.name", "averylongname0"),
        ("VNIC", "priority", None),
        ("VNIC", "maxBandwidth", None),
        ("VNIC", "maxBandwidth", 1_000),
        ("VNIC", "vlan", None),
        ("Etherstub", "mtu", 9000),
        ("Bridge", "metadata.name", "a-very-long-name-of-another"),
    ],
)
def test_what_linux_has_is_not_refused(kind: str, field: str, value: Value) -> None:
    assert backend().refusal(kind, field, value) is None


def test_a_host_without_the_tools_is_told_which() -> None:
    facts = backend_facts("tool ip\ntool tc\nkernel known\n")

    support = LinuxBackend.serves(facts)
    assert (support.served, support.cause) == (Served.NO, "the host has no bridge, nft")
    assert LinuxBackend.serves(HostFacts("Linux", "6", "", "boot", {})).served is Served.UNREADABLE


def backend_facts(text: str) -> HostFacts:
    return HostFacts("Linux", "6", "", "boot", {}, {FACTS.name: Completed(FACTS.command, Ending.EXITED, 0, text)})


def created(name: str, fields: Fields, identities: Mapping[ObjectName, str] | None = None) -> Change:
    key = Key("lab1", "VNIC" if "over" in fields else "Etherstub", name)
    resource = Resource(key, fields, Origin("a.yaml", 1, 1))
    made = tuple(FieldChange(field, None, value) for field, value in fields.items())
    mark = Mark("lab", key.object)
    return Change(key, Verb.CREATE, made, resource, mark=mark, identities=identities or {}, owner="lab")


def test_a_vnic_is_a_macvlan_only_over_what_is_no_bridge() -> None:
    card = {ObjectName("PhysicalLink", "eth0"): "eth0"}

    over_card = str(backend().steps(created("vnic0", {"over": "eth0"}, card))[0].command)
    over_bridge = str(backend().steps(created("vnic0", {"over": "br0"}, card))[0].command)
    assert "link add link eth0 name vnic0" in over_card
    assert "type macvlan mode bridge" in over_card
    assert "type veth peer name vnic0g" in over_bridge


def test_a_vnic_that_nothing_keeps_from_forging_is_refused() -> None:
    card = {ObjectName("PhysicalLink", "eth0"): "eth0"}

    with pytest.raises(ReconcilerError, match="CONFIG_NETFILTER_EGRESS"):
        backend("tool ip\ntool tc\ntool bridge\ntool nft\nkernel known\n").steps(created("vnic0", {"over": "eth0"}, card))
    with pytest.raises(ReconcilerError, match="no VLAN of its own"):
        backend().steps(created("vnic0", {"over": "eth0", "vlan": 5}, card))


def test_an_etherstub_keeps_vlans_apart_where_the_kernel_can() -> None:
    able = backend("tool ip\ntool tc\ntool bridge\ntool nft\nkernel known\nkernel BRIDGE_VLAN_FILTERING\n")

    assert "vlan_filtering 1" in str(able.steps(created("es0", {}))[0].command)
    assert "vlan_filtering" not in str(backend().steps(created("es0", {}))[0].command)
    assert able.refusal("VNIC", "vlan", 10) is None


def test_the_mac_of_a_vnic_is_derived_and_that_of_the_hosts_end_after_it() -> None:
    (make, *_) = backend().steps(created("vnic0", {"over": "es0"}))

    words = make.command.argv
    own, peer = words[words.index("address") + 1], words[-1]
    assert peer.startswith("02:")
    assert own == f"fe{peer[2:]}", "so that it is known as ours before it bears our mark"
