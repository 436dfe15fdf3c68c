"""The exact commands of changes to links and rules."""

import json

import pytest

from providers.crossbow.illumos import IllumosBackend
from providers.crossbow.kinds import ETHERSTUB, VNIC
from providers.crossbow.smartos import SmartosBackend
from reconciler.desired.fields import StatedFields, stated_fields
from reconciler.model.change import NAME, Change, FieldChange, Verb
from reconciler.model.errors import InvalidValue
from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import OnRemoval
from reconciler.model.observed import Mark, Observed
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.model.value import Fields, Value
from reconciler.provider.derived import derived_mac, derived_uuid
from tests.providers.test_crossbow_reading import facts

GUEST = "8f1c0000-0000-4000-8000-000000000001"
ILLUMOS, SMARTOS = IllumosBackend(facts()), SmartosBackend(facts("joyent_1"))
KEY, STUB, RULE = (Key("hv01", *name) for name in (("VNIC", "web0"), ("Etherstub", "stub0"), ("FirewallRule", "ssh")))
MAC = derived_mac("acme", KEY)
GUARDED = "protection=mac-nospoof,restricted,ip-nospoof,dhcp-nospoof"
THERE: Fields = {
    "over": "net0",
    "mac": "02:08:20:0a:01:ff",
    "vlan": None,
    "mtu": 1400,
    "maxBandwidth": 10**8,
    "priority": "high",
    "allow.macSpoofing": False,
    "allow.restrictedTraffic": True,
    "allow.ipSpoofing": False,
    "allow.dhcpSpoofing": True,
    "allow.ips": ("10.0.0.5/32",),
}
WEB = Observed(ObjectName("VNIC", "web0"), THERE, frozenset({"mtu", "maxBandwidth", "allow.ips"}))


def resource(key: Key, fields: Fields) -> Resource:
    return Resource(key, fields, Origin("net.yaml", 1, 1))


def created(key: Key, fields: Fields, backend: IllumosBackend = ILLUMOS, **more: object) -> list[str]:
    return run(backend, Change(key, Verb.CREATE, (), resource(key, fields), owner="acme", **more))  # type: ignore[arg-type]


def updated(observed: Observed, backend: IllumosBackend = ILLUMOS, **fields: Value) -> list[str]:
    changes = tuple(
        FieldChange(name.replace("_", "."), observed.fields.get(name.replace("_", ".")), value)
        for name, value in fields.items()
    )
    stated = {change.name: change.after for change in changes if change.name != NAME}
    key = Key("hv01", *observed.name)
    return run(backend, Change(key, Verb.UPDATE, changes, resource(key, stated), observed, owner="acme"))


def run(backend: IllumosBackend, change: Change) -> list[str]:
    steps = backend.steps(change)
    assert all(
        step.destructive is (step.command.argv[1].startswith("delete")) for step in steps if change.verb is not Verb.UPDATE
    )
    return [" ".join(step.command.argv) for step in steps]


def test_what_could_be_forged_is_forbidden_when_nothing_is_said() -> None:
    assert created(KEY, {"over": "net0"}) == [f"dladm create-vnic -l net0 -m {MAC} -p {GUARDED} web0"]


def test_a_vnic_has_its_properties_from_the_first_moment() -> None:
    stated: Fields = {**THERE, "vlan": 20, "maxBandwidth": 1_500_000, "priority": "low"}

    assert created(KEY, stated) == [
        (
            "dladm create-vnic -l net0 -m 02:08:20:0a:01:ff -v 20 -p mtu=1400 -p maxbw=1500K -p priority=low "
            "-p protection=mac-nospoof,ip-nospoof -p allowed-ips=10.0.0.5/32 web0"
        )
    ]


def test_a_vnic_of_smartos_is_not_stored_and_lies_on_the_link_that_a_nic_tag_names() -> None:
    known = {ObjectName("NicTag", "external"): "igb1"}

    assert created(KEY, {"over": "external"}, SMARTOS, identities=known) == [
        f"dladm create-vnic -t -l igb1 -m {MAC} -p {GUARDED} web0"
    ]


def test_addresses_that_make_the_command_too_long_get_one_of_their_own() -> None:
    ips = tuple(f"10.0.{number}.5/32" for number in range(30))

    first, second = created(KEY, {"over": "net0", "allow.ips": ips})

    assert "allowed-ips" not in first
    assert second == f"dladm set-linkprop -p allowed-ips={','.join(ips)} web0"


def test_each_link_property_changes_by_a_command_of_its_own() -> None:
    assert updated(WEB, mtu=None, maxBandwidth=None, priority="low", allow_macSpoofing=True) == [
        "dladm reset-linkprop -p mtu web0",
        "dladm reset-linkprop -p maxbw web0",
        "dladm set-linkprop -p priority=low web0",
        "dladm set-linkprop -p protection=ip-nospoof web0",
    ]


def test_nobody_is_cut_off_between_two_commands() -> None:
    tighter = updated(WEB, allow_ips=("10.0.0.6/32",), allow_dhcpSpoofing=False)
    looser = updated(WEB, allow_ips=(), allow_ipSpoofing=True)

    assert tighter == [
        "dladm set-linkprop -p allowed-ips=10.0.0.6/32 web0",
        "dladm set-linkprop -p protection=mac-nospoof,ip-nospoof,dhcp-nospoof web0",
    ]
    assert looser == ["dladm set-linkprop -p protection=mac-nospoof web0", "dladm reset-linkprop -p allowed-ips web0"]


def test_what_is_allowed_altogether_is_protected_by_nothing() -> None:
    assert updated(WEB, allow_macSpoofing=True, allow_ipSpoofing=True) == ["dladm reset-linkprop -p protection web0"]


def test_made_anew_it_keeps_what_is_not_stated() -> None:
    stated = resource(KEY, {"over": "net0", "vlan": 7, "mtu": 1300})
    change = Change(KEY, Verb.REPLACE, (FieldChange("vlan", None, 7),), stated, WEB, owner="acme")

    assert run(ILLUMOS, change) == [
        "dladm delete-vnic web0",
        (
            "dladm create-vnic -l net0 -m 02:08:20:0a:01:ff -v 7 -p mtu=1300 -p maxbw=100M "
            "-p protection=mac-nospoof,ip-nospoof -p allowed-ips=10.0.0.5/32 web0"
        ),
    ]


def test_links_are_renamed() -> None:
    renamed = FieldChange(NAME, "old0", "web0")

    change = Change(KEY, Verb.UPDATE, (renamed,), resource(KEY, {}), WEB)

    assert run(ILLUMOS, change) == ["dladm rename-link old0 web0"]


@pytest.mark.parametrize(
    ("backend", "make", "take"),
    [
        (ILLUMOS, "dladm create-etherstub stub0", "dladm delete-etherstub stub0"),
        (SMARTOS, "nictagadm add -l stub0", "nictagadm delete stub0"),
    ],
)
def test_an_etherstub_is_made_in_the_way_of_its_system(backend: IllumosBackend, make: str, take: str) -> None:
    there = Observed(STUB.object, {"mtu": 9000, "missing": ""})

    assert created(STUB, {"mtu": 1500}, backend) == [make, "dladm set-linkprop -p mtu=1500 stub0"]
    assert created(STUB, {"mtu": None}, backend) == [make]
    assert updated(there, backend, mtu=None) == ["dladm reset-linkprop -p mtu stub0"]
    assert run(backend, Change(STUB, Verb.DELETE, observed=there)) == [take]


@pytest.mark.parametrize(
    ("backend", "missing", "commands"),
    [
        (ILLUMOS, "store", ["dladm delete-etherstub stub0", "dladm create-etherstub stub0"]),
        (SMARTOS, "link", ["dladm create-etherstub -t stub0"]),
        (SMARTOS, "nic tag", ["dladm delete-etherstub stub0", "nictagadm add -l stub0"]),
    ],
)
def test_half_an_etherstub_is_made_whole(backend: IllumosBackend, missing: str, commands: list[str]) -> None:
    assert updated(Observed(STUB.object, {"mtu": 9000, "missing": missing}), backend, missing="") == commands


def test_an_etherstub_that_nictagadm_does_not_know_is_taken_away_by_dladm() -> None:
    there = Observed(STUB.object, {"mtu": 9000, "missing": "nic tag"})

    assert run(SMARTOS, Change(STUB, Verb.DELETE, observed=there)) == ["dladm delete-etherstub stub0"]


def rule_payload(change: Change) -> dict[str, object]:
    (step,) = SMARTOS.steps(change)
    assert step.command.argv == ("fwadm", "add" if change.verb is Verb.CREATE else "update", "-f", "-")
    assert step.command.stdin is not None
    found: dict[str, object] = json.loads(step.command.stdin)
    assert step.command.stdin == json.dumps(found, sort_keys=True, separators=(",", ":"))
    return found


SSH: Fields = {
    "from": ("any",),
    "to": ("guest/web1", "tag/role=web"),
    "action": "allow",
    "protocol": "tcp",
    "ports": ("22", "8000-8100"),
}
MARK = Mark("acme", RULE.object, "4a31", on_removal=OnRemoval.DELETE)
DESCRIBED = "reconciler owner=acme key=FirewallRule/ssh host=4a31 on-removal=delete"


def test_a_rule_is_made_with_our_mark_and_the_uuids_of_the_guests_that_it_names() -> None:
    known = {ObjectName("Zone", "web1"): GUEST}

    payload = rule_payload(Change(RULE, Verb.CREATE, (), resource(RULE, SSH), mark=MARK, identity="a", identities=known))

    assert payload == {
        "uuid": "a",
        "rule": f'FROM any TO (tag "role" = "web" OR vm {GUEST}) ALLOW tcp PORTS 22, 8000 - 8100',
        "enabled": True,
        "global": True,
        "description": DESCRIBED,
    }


def test_a_rule_has_the_uuid_that_follows_from_owner_and_key() -> None:
    payload = rule_payload(Change(RULE, Verb.CREATE, (), resource(RULE, SSH), mark=MARK, owner="acme"))

    assert payload["uuid"] == derived_uuid("acme", RULE)


def test_a_rule_keeps_what_is_not_stated_and_what_somebody_wrote() -> None:
    there = Observed(RULE.object, {**SSH, "to": ("guests/all",), "priority": 9, "enabled": True, "description": "by hand"},
                     mark=MARK, identity="a")  # fmt: skip
    stated = resource(RULE, {**SSH, "to": ("guests/all",), "ports": ("443",)})
    changes = (FieldChange("ports", ("22",), ("443",)), FieldChange("enabled", True, False))

    assert rule_payload(Change(RULE, Verb.UPDATE, changes, stated, there, MARK)) == {
        "uuid": "a",
        "rule": "FROM any TO all vms ALLOW tcp PORT 443 PRIORITY 9",
        "enabled": False,
        "description": f"{DESCRIBED} | by hand",
    }
    assert rule_payload(Change(RULE, Verb.FORGET, observed=there)) == {"uuid": "a", "description": "by hand"}
    assert rule_payload(Change(RULE, Verb.ADOPT, (), stated, there, MARK)).keys() == {"uuid", "description"}


@pytest.mark.parametrize(
    ("field", "value", "cause"),
    [
        ("maxBandwidth", 1_000_000, "1200Kbps"),
        ("maxBandwidth", 1_500_500, "whole kilobits"),
        ("allow.ips", tuple(f"10.0.0.{number}/32" for number in range(33)), "33 are stated"),
    ],
)
def test_what_dladm_can_not_hold_is_refused(field: str, value: Value, cause: str) -> None:
    refused = ILLUMOS.refusal("VNIC", field, value)

    assert refused is not None
    assert cause in refused.cause
    assert refused.remedy


def test_plain_illumos_has_no_firewall_rules_and_says_so() -> None:
    refused = ILLUMOS.refusal("FirewallRule", "metadata.name", "ssh")

    assert refused is not None
    assert "only SmartOS" in refused.cause
    assert SMARTOS.refusal("FirewallRule", "metadata.name", "ssh") is None


@pytest.mark.parametrize(("name", "fits"), [("stub0", True), ("my_stub12", True), ("my.stub0", False), ("s" * 30 + "0", False)])
def test_an_etherstub_of_smartos_has_the_name_of_a_nic_tag(name: str, fits: bool) -> None:
    assert (SMARTOS.refusal("Etherstub", "metadata.name", name) is None) is fits
    assert ILLUMOS.refusal("Etherstub", "metadata.name", name) is None


@pytest.mark.parametrize(
    "name", ["", "web", "0web0", "_web0", "web01", "we b0", "web-0", "wéb0", "web4294967295", "w" * 31 + "0"]
)
def test_what_is_no_name_of_a_link_is_refused(name: str) -> None:
    for kind in (ETHERSTUB, VNIC):
        assert kind.check_name is not None
        with pytest.raises(InvalidValue):
            kind.check_name(name)


@pytest.mark.parametrize("name", ["web0", "web10", "net.a_1", "a0b1", "w" * 30 + "0", "web4294967294"])
def test_names_of_links_are_taken(name: str) -> None:
    assert VNIC.check_name is not None
    VNIC.check_name(name)


def test_a_vnic_is_stated_in_one_form() -> None:
    spec = {"over": "net0", "mac": "2:8:20:A:1:FF", "vlan": 0, "maxBandwidth": "1.5Mbps", "mtu": None,
            "allow": {"ips": ["10.0.0.5", "10.0.0.0/24", "10.0.0.5/32"], "ipSpoofing": True}}  # fmt: skip

    found = stated_fields(VNIC, "web0", spec)

    assert isinstance(found, StatedFields)
    assert found.compared == {
        "over": "net0",
        "mac": "02:08:20:0a:01:ff",
        "vlan": None,
        "maxBandwidth": 1_500_000,
        "mtu": None,
        "allow.ips": ("10.0.0.0/24", "10.0.0.5/32"),
        "allow.ipSpoofing": True,
    }


def test_a_vnic_without_a_link_to_lie_on_is_refused() -> None:
    found = stated_fields(VNIC, "web0", {"vlan": 3})

    assert isinstance(found, list)
    assert "needs a link" in found[0].cause


def test_two_links_of_a_host_can_not_have_one_name_or_one_address_on_one_wire() -> None:
    assert ETHERSTUB.claims is not None
    assert VNIC.claims is not None
    stated: Fields = {"over": "net0", "mac": "02:08:20:0a:01:ff"}

    assert set(ETHERSTUB.claims("web0", {})) <= set(VNIC.claims("web0", stated))
    assert not set(VNIC.claims("a0", stated)) & set(VNIC.claims("b0", {**stated, "vlan": 7}))
    assert set(VNIC.claims("a0", stated)) & set(VNIC.claims("b0", stated))
