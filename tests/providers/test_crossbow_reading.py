"""What dladm, nictagadm, fwadm and vmadm print, read strictly."""

import json

import pytest

from providers.crossbow.illumos import FACTS, IllumosBackend
from providers.crossbow.smartos import SmartosBackend
from providers.tools import fwadm, nictagadm
from providers.tools.dladm import VNIC_COLUMNS
from providers.tools.dladm_rows import read_addresses, read_bandwidth, read_links, read_properties, read_vnics
from providers.tools.guest_names import read_names
from providers.tools.vmadm_guests import guest_probes
from reconciler.model.command import Completed, Ending
from reconciler.model.errors import ReadError
from reconciler.model.facts import HostFacts
from reconciler.model.key import ObjectName
from reconciler.model.observed import EVERY_FIELD, REMOVAL, Observed
from reconciler.provider.contract import Served

LINKS = "net0:phys:1500:up:\nstub0:etherstub:9000:unknown:\nweb0:vnic:1500:up:net0\naggr0:aggr:1500:up:net1,net2\n"
VNICS = "web0:net0:2\\:8\\:20\\:a\\:1\\:ff:20:\nint0:stub0:2\\:8\\:20\\:c4\\:0\\:9:0:web1\n"
PROPERTIES = """web0:zone::--
web0:mtu:1500:1500
web0:maxbw:  100:--
web0:priority:high:high
web0:protection:mac-nospoof,restricted:--
web0:allowed-ips:fe80\\:\\:1/128,10.0.0.5/32:--
int0:zone:web1:--
int0:mtu:9000:9000
int0:maxbw:    1.500:--
int0:priority:low:high
int0:protection::--
int0:allowed-ips::--
"""
TAGS = "admin|00:50:56:3d:a7:95|net0|normal\nstub0|-|-|etherstub\nlacp|-|aggr0|aggr\nsdc_overlay|-|-|overlay rule\n"
GUEST = "8f1c0000-0000-4000-8000-000000000001"
GUESTS = json.dumps([{"uuid": GUEST, "alias": "web1", "brand": "joyent-minimal", "state": "running"}]) + "\n"
MARK = "reconciler owner=acme key=FirewallRule/ssh host=4a31 on-removal=delete"
RULES = [
    {"uuid": "a", "rule": f"FROM ip 10.0.0.1 TO vm {GUEST} ALLOW tcp PORT 22", "enabled": True, "description": MARK},
    {"uuid": "b", "rule": 'FROM any TO tag "role" = "web" BLOCK icmp TYPE 8', "enabled": False, "log": True},
    {"uuid": "c", "rule": "FROM any TO all vms ALLOW ah", "enabled": True, "description": "by hand"},
]
ANSWERS = {
    "crossbow.links": LINKS,
    "crossbow.stored-links": "stub0:etherstub:\nweb0:vnic:net0\nint0:vnic:stub0\nold0:vnic:net0\nstub9:etherstub:\n",
    "crossbow.vnics": VNICS,
    "crossbow.link-properties": PROPERTIES,
    "crossbow.addresses": "lo0/v4:static:ok:127.0.0.1/8\nweb0/v6:addrconf:ok:fe80\\:\\:8/10\n",
    "crossbow.nic-tags": TAGS,
    "crossbow.rules": json.dumps(RULES) + "\n",
    "crossbow.guests": GUESTS,
}


def facts(version: str = "omnios-r151054", *, system: str = "SunOS", answer: Completed | None = None) -> HostFacts:
    told = answer or Completed(FACTS.command, Ending.EXITED, 0)
    return HostFacts(system, "5.11", version, "1", {}, {FACTS.name: told})


def seen(backend: IllumosBackend, *kinds: str, field: str = EVERY_FIELD) -> dict[ObjectName, Observed]:
    wanted = {kind: frozenset({field}) for kind in kinds}
    outputs = {probe.name: Completed(probe.command, Ending.EXITED, 0, ANSWERS[probe.name]) for probe in backend.probes(wanted)}
    return {observed.name: observed for observed in backend.read(outputs, wanted)}


def test_a_vnic_is_read_as_a_manifest_would_state_it() -> None:
    found = seen(IllumosBackend(facts()), "VNIC")

    web = found[ObjectName("VNIC", "web0")]
    assert web.fields == {
        "over": "net0",
        "mac": "02:08:20:0a:01:ff",
        "vlan": 20,
        "mtu": 1500,
        "maxBandwidth": 100_000_000,
        "priority": "high",
        "allow.macSpoofing": False,
        "allow.restrictedTraffic": False,
        "allow.ipSpoofing": True,
        "allow.dhcpSpoofing": True,
        "allow.ips": ("10.0.0.5/32", "fe80::1/128"),
    }
    assert web.references == (ObjectName("PhysicalLink", "net0"),)
    assert not {"mtu", "priority"} & web.stated_here, "those are defaults"
    assert found[ObjectName("VNIC", "int0")].fields["maxBandwidth"] == 1_500_000
    assert found[ObjectName("VNIC", "int0")].references == (ObjectName("Etherstub", "stub0"),)


def test_a_vnic_that_a_zone_runs_with_stays_a_vnic_of_the_host_on_illumos_and_is_the_guests_on_smartos() -> None:
    assert ObjectName("VNIC", "int0") in seen(IllumosBackend(facts()), "VNIC")
    assert ObjectName("VNIC", "int0") not in seen(SmartosBackend(facts("joyent_1")), "VNIC")


def test_guests_may_have_links_named_like_one_of_the_host() -> None:
    rows = "net0:zone::--\nnet0:mtu:1400:1500\nnet0:zone:z1:--\nnet0:mtu:1500:1500\nnet0:zone:z2:--\nnet0:mtu:1300:1500\n"

    found = read_properties(rows, ("mtu",))

    assert {zone: settings["mtu"].value for (_, zone), settings in found.items()} == {"": "1400", "z1": "1500", "z2": "1300"}


def test_a_vnic_that_is_only_stored_is_there_and_has_nothing() -> None:
    found = seen(IllumosBackend(facts()), "VNIC", "Etherstub")

    assert set(found[ObjectName("VNIC", "old0")].fields.values()) == {None}
    assert found[ObjectName("Etherstub", "stub9")].fields["missing"] == "link"
    assert found[ObjectName("Etherstub", "stub0")].fields == {"mtu": 9000, "missing": ""}


def test_what_stands_against_a_removal_is_told() -> None:
    found = seen(IllumosBackend(facts()), "VNIC", "Etherstub", field=REMOVAL)

    for name, obstacle in (("web0", "the host has the address fe80::8/10 (web0/v6) on it"), ("int0", "zone web1 runs with it")):
        removal = found[ObjectName("VNIC", name)].removal
        assert removal is not None
        assert (removal.obstacles, removal.holds_data) == ((obstacle,), False)


def test_on_smartos_an_etherstub_is_a_nic_tag_and_guests_keep_it() -> None:
    found = seen(SmartosBackend(facts("joyent_1")), "Etherstub", "NicTag", field=REMOVAL)

    stub = found[ObjectName("Etherstub", "stub0")]
    assert stub.fields["missing"] == ""
    assert stub.removal is not None
    assert stub.removal.obstacles == ("guests run with a nic on it: web1",)
    assert found[ObjectName("NicTag", "admin")].identity == "net0", "dladm knows it by its link"
    assert {name.name for name in found if name.kind == "NicTag"} == {"admin", "lacp", "sdc_overlay"}


def test_rules_have_the_names_in_their_marks_and_strangers_their_uuids() -> None:
    found = seen(SmartosBackend(facts("joyent_1")), "FirewallRule")

    ours = found[ObjectName("FirewallRule", "ssh")]
    assert ours.mark is not None
    assert (ours.mark.owner, ours.mark.host_id, ours.identity) == ("acme", "4a31", "a")
    assert ours.fields["to"] == ("guest/web1",)
    assert ours.references == (ObjectName("Zone", "web1"),)
    stranger = found[ObjectName("FirewallRule", "b")]
    assert (stranger.mark, stranger.fields["to"], stranger.fields["types"]) == (None, ("tag/role=web",), ("8",))
    assert (stranger.fields["enabled"], stranger.fields["log"]) == (False, True)


def test_a_rule_in_words_that_we_do_not_know_has_only_its_text() -> None:
    found = seen(SmartosBackend(facts("joyent_1")), "FirewallRule")[ObjectName("FirewallRule", "c")]

    assert found.fields["rule"] == "FROM any TO all vms ALLOW ah"
    assert "from" not in found.fields


def test_each_look_takes_the_same_few_commands() -> None:
    every = {kind: frozenset({EVERY_FIELD}) for kind in ("Etherstub", "VNIC", "FirewallRule", "PhysicalLink", "NicTag")}
    some = {"VNIC": frozenset({"over"}), "Etherstub": frozenset[str]()}

    assert [probe.command.argv[:2] for probe in SmartosBackend(facts("joyent_1")).probes(every)] == [
        ("dladm", "show-link"),
        ("dladm", "show-vnic"),
        ("dladm", "show-linkprop"),
        ("nictagadm", "list"),
        ("fwadm", "list"),
        ("vmadm", "lookup"),
    ]
    assert [probe.command.argv[1] for probe in IllumosBackend(facts()).probes(some)] == ["show-link", "show-link", "show-vnic"]
    assert IllumosBackend(facts()).probes({"FirewallRule": frozenset({"from"})}) == ()


def test_an_older_dladm_is_not_asked_for_zones() -> None:
    said = "dladm: unknown output field: `zone'\n"
    old = facts(answer=Completed(FACTS.command, Ending.EXITED, 1, stderr=said))

    assert IllumosBackend.serves(old).served is Served.YES
    (_, _, vnics) = IllumosBackend(old).probes({"VNIC": frozenset()})
    assert vnics.command.argv[-1] == "link,over,macaddress,vid"


@pytest.mark.parametrize(
    ("told", "served"),
    [
        (facts(), (Served.YES, Served.NO)),
        (facts("joyent_20250101T000000Z"), (Served.NO, Served.YES)),
        (facts(answer=Completed(FACTS.command, Ending.NOT_FOUND, None)), (Served.NO, Served.NO)),
        (facts(answer=Completed(FACTS.command, Ending.LOST, None)), (Served.UNREADABLE, Served.NO)),
    ],
)
def test_one_backend_serves_an_illumos_host(told: HostFacts, served: tuple[Served, Served]) -> None:
    assert (IllumosBackend.serves(told).served, SmartosBackend.serves(told).served) == served


@pytest.mark.parametrize(
    "text",
    ["net0:phys:1500:up\n", "net0:strange:1500:up:\n", "net0:phys:big:up:\n", "net0:phys:1500:up:", "9:phys:1500:up:\n"],
)
def test_links_of_another_shape_are_an_error(text: str) -> None:
    with pytest.raises(ReadError):
        read_links(text)


@pytest.mark.parametrize("text", ["web0:net0:nonsense:0:\n", "web0:net0:2\\:8\\:20\\:a\\:1\\:ff:x:\n", "web0\n"])
def test_vnics_of_another_shape_are_an_error(text: str) -> None:
    with pytest.raises(ReadError):
        read_vnics(text, VNIC_COLUMNS)


@pytest.mark.parametrize(
    "text", ["web0:zone::--\n", "web0:zone::--\nweb0:speed:1000:--\n", "web0:mtu:1500:1500\n", "web0:zone:--\n"]
)
def test_properties_that_are_not_all_there_are_an_error(text: str) -> None:
    with pytest.raises(ReadError):
        read_properties(text, ("mtu",))


@pytest.mark.parametrize(("text", "bits"), [("", None), ("0", None), ("100", 10**8), ("1.500", 1_500_000), ("0.512", 512_000)])
def test_a_limit_is_read_in_bits(text: str, bits: int | None) -> None:
    assert read_bandwidth(text) == bits


@pytest.mark.parametrize("text", ["x", "-1", "NaN", "1.2345678"])
def test_a_limit_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(ReadError):
        read_bandwidth(text)


@pytest.mark.parametrize("text", ["net0:static:ok:10.0.0.1/24\n", "net0/v4:odd:ok:10.0.0.1/24\n", "net0/v4:static:odd:x\n"])
def test_addresses_of_another_shape_are_an_error(text: str) -> None:
    with pytest.raises(ReadError):
        read_addresses(text)


@pytest.mark.parametrize(
    "text", ["admin|x|net0|normal\n", "admin|-|net0\n", "admin|-|net0|odd\n", "a|-|-|normal\na|-|-|normal\n", "a|-|-|normal"]
)
def test_nic_tags_of_another_shape_are_an_error(text: str) -> None:
    with pytest.raises(ReadError):
        tuple(nictagadm.read_tags(text))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}\n", "[1]\n", '[{"uuid": "a"}]\n', '[{"uuid": "a", "rule": "x", "enabled": "yes"}]\n', "[\n"]
)
def test_rules_of_another_shape_are_an_error(text: str) -> None:
    with pytest.raises(ReadError):
        tuple(fwadm.read_rules(text))


def guest(number: int, alias: str | None, brand: str, mark: str | None = None) -> dict[str, object]:
    found: dict[str, object] = {"uuid": f"{number:08x}-0000-4000-8000-000000000000", "brand": brand, "state": "stopped"}
    if mark is not None:
        found["internal_metadata"] = {"reconciler:owner": "acme", "reconciler:key": mark}
    return found if alias is None else found | {"alias": alias}


def test_guests_are_called_as_the_engine_calls_them() -> None:
    guests = [
        guest(1, "web", "lx"),
        guest(2, "web", "joyent-minimal", "Zone/web"),
        guest(3, "web", "kvm"),
        guest(4, "db", "lx"),
        guest(5, "db", "lx"),
        guest(6, None, "bhyve"),
    ]

    names = [str(name).replace("-0000-4000-8000-000000000000", "") for name in read_names(json.dumps(guests) + "\n").values()]

    assert names == [
        "Zone/web@00000001",
        "Zone/web",
        "VirtualMachine/web",
        "Zone/db@00000004",
        "Zone/db@00000005",
        "VirtualMachine/00000006",
    ]


def test_guests_are_looked_at_by_the_command_of_all_providers() -> None:
    (_, guests) = SmartosBackend(facts("joyent_1")).probes({"FirewallRule": frozenset()})

    assert guests.command in {probe.command for probe in guest_probes("Zone", {"Zone": frozenset()})}, "equal commands run once"
