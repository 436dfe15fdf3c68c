"""Odd input on an emulated SmartOS host: it arrives to the byte and stays without a diff, or is refused with its place."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler.desired.tree import InvalidTree, LoadedTree
from reconciler.model.change import Verb
from reconciler.model.plan import Reason
from tests.desired.trees import host as host_manifest
from tests.desired.trees import tree_of
from tests.passes.smartos import (
    LX_IMAGE,
    REGISTRY,
    VM_IMAGE,
    ZONE_IMAGE,
    SmartOs,
    machine,
    manifest,
    refused,
    resources,
    verbs,
    zone,
)

KIB = 1024
FILE = "hosts/hv01/odd.yaml"
NASTY = "#!/bin/sh\necho \"it's ü\" $(date) `id` \\n $HOME ${x} %s\n\ttab\r\n  - 'DESTROY'\n---\n...\n🥖\n"
TEXTS = (
    "",
    " ",
    "\n",
    "0123",
    "1e3",
    "true",
    "null",
    "~",
    "-rf",
    "$(name)",
    "$$(name)",
    '{"secret": "a"}',
    "a\\u0041\\",
    "'",
    '"',
    "\u00a0\u200b",
    "\u00e9",
    "e\u0301",
    "line\r\nline\r",
    "\ttab",
    "reconciler:owner",
)
odd_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60) | st.sampled_from(TEXTS)
few = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmartOs]:
    made = SmartOs(tmp_path_factory.mktemp("odd"))
    yield made
    made.host.close()


@pytest.fixture
def smartos(tmp_path: Path) -> Iterator[SmartOs]:
    made = SmartOs(tmp_path)
    yield made
    made.host.close()


def loaded(*texts: str) -> LoadedTree:
    repository = "apiVersion: reconciler/v1\nkind: Repository\nmetadata: {name: default}\n"
    files = {"repository.yaml": repository, "hosts/hv01/host.yaml": host_manifest("hv01"), FILE: "".join(texts)}
    return tree_of(files).load(REGISTRY)


def is_refused_with_a_place(*texts: str) -> bool:
    """Whether the tree is refused; every finding then names the file, a line in it, what is wrong and what to do."""
    found = loaded(*texts)
    if not isinstance(found, InvalidTree):
        return False
    lines = "".join(texts).count("\n") + 1
    for finding in found.findings:
        assert finding.path == FILE
        assert 1 < finding.line <= lines
        assert finding.cause
        assert finding.remedy
        assert all(sign.isprintable() or sign == "\n" for sign in str(finding)), finding
    return True


def q(value: Any) -> str:
    """A value as one flow scalar or mapping; JSON is YAML."""
    return json.dumps(value, ensure_ascii=False)


SCRIPTS = {
    "64 KiB": "#!/bin/sh\n" + "x" * (64 * KIB - 11) + "\n",
    "64 KiB of lines": 'echo "it\'s ü"\n' * (64 * KIB // 15),
    "64 KiB of letters from elsewhere": "ü🥖" * (64 * KIB // 6),
    "everything": NASTY,
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_user_script_arrives_to_the_byte_and_stays_as_it_is(smartos: SmartOs, name: str) -> None:
    script = SCRIPTS[name]
    before, after = (zone("web", f"metadata: {q({'user-script': text})}") for text in (script, script + "# more\n"))

    smartos.wants(before)
    assert smartos.guest("web")["customer_metadata"] == {"user-script": script}
    smartos.lose_ledger()
    smartos.wants(before)
    smartos.wants(after)
    assert smartos.guest("web")["customer_metadata"] == {"user-script": script + "# more\n"}
    assert smartos.boots("web") == 1


@pytest.mark.parametrize("style", ["|", "|-", "|+", ">-"])
def test_a_script_written_as_a_block_is_stored_as_yaml_means_it(smartos: SmartOs, style: str) -> None:
    block = f"metadata:\n  user-script: {style}\n    #!/bin/sh\n    echo 'a: b' # no comment\n      indented\n\n"
    meant = "#!/bin/sh\necho 'a: b' # no comment\n  indented\n"
    meant = {"|": meant, "|-": meant[:-1], "|+": meant + "\n", ">-": "#!/bin/sh echo 'a: b' # no comment\n  indented"}[style]

    smartos.wants(zone("web", block))

    assert smartos.guest("web")["customer_metadata"]["user-script"] == meant


@few
@given(
    entries=st.dictionaries(odd_text, odd_text, max_size=3),
    tags=st.dictionaries(odd_text, odd_text, max_size=3),
    internal=st.dictionaries(odd_text, odd_text, max_size=3),
)
@example({"reconciler:owner": "x"}, {"reconciler:": ""}, {})
@example(dict.fromkeys("abc", NASTY), {text: text for text in TEXTS if text.strip()}, {"k": NASTY})
def test_odd_entries_of_maps_arrive_to_the_byte_or_are_refused(
    shared: SmartOs, entries: dict[str, str], tags: dict[str, str], internal: dict[str, str]
) -> None:
    maps = f"metadata: {q(entries)}\ntags: {q(tags)}\ninternalMetadata: {q(internal)}"
    wanted = zone("maps", f"state: stopped\n{maps}", onRemoval="delete")
    if is_refused_with_a_place(wanted):
        return

    shared.wants(wanted)

    there = shared.guest("maps")
    assert there["customer_metadata"] == entries
    assert there["tags"] == tags
    assert {key: value for key, value in there["internal_metadata"].items() if not key.startswith("reconciler:")} == internal
    none = f"metadata: {q(dict.fromkeys(entries))}\ntags: {q(dict.fromkeys(tags))}"
    shared.wants(zone("maps", none, onRemoval="delete"))
    assert (shared.guest("maps")["customer_metadata"], shared.guest("maps")["tags"]) == ({}, {})
    shared.wants()


@few
@given(data=odd_text, other=odd_text)
@example(NASTY, "0123")
def test_odd_user_data_of_a_machine_arrives_to_the_byte_or_is_refused(shared: SmartOs, data: str, other: str) -> None:
    for text in (data, other):
        wanted = machine("seeded", f"cloudInit: {{userData: {q(text)}}}")
        if is_refused_with_a_place(wanted):
            continue
        shared.wants(wanted)
        assert shared.guest("seeded")["customer_metadata"].get("cloud-init:user-data", "") == text


@few
@given(name=odd_text.filter(bool))
@example("0123")
@example("1e3")
@example("-rf")
@example("a" * 189)
@example("a" * 190)
@example("trash.20260101T000000.000Z.web")
@example("web@00000000-0000-4000-8000-000000000000")
def test_an_odd_name_is_the_alias_to_the_letter_or_is_refused(shared: SmartOs, name: str) -> None:
    wanted = zone(name, "state: stopped", onRemoval="delete")
    if is_refused_with_a_place(wanted):
        return

    shared.wants(wanted)

    assert shared.guest(name)["alias"] == name
    shared.wants()


@few
@given(key=odd_text, value=odd_text)
@example("role", 'a" OR any TO all vms ALLOW tcp PORT all "')
@example("role", "a b")
@example("role=x", "=")
def test_a_tag_in_a_rule_reaches_that_tag_or_is_refused(shared: SmartOs, key: str, value: str) -> None:
    rule = {"from": ["any"], "to": [f"tag/{key}={value}"], "action": "allow", "protocol": "tcp", "ports": [22]}
    wanted = manifest("FirewallRule", "tagged", "".join(f"{name}: {q(one)}\n" for name, one in rule.items()))
    if is_refused_with_a_place(wanted):
        return

    shared.wants(wanted)

    (there,) = json.loads(shared.do("fwadm", "list", "-j"))
    assert there["rule"].startswith("FROM any TO tag ")
    assert there["rule"].endswith(" ALLOW tcp PORT 22")
    shared.lose_ledger()
    shared.wants(wanted)
    shared.wants()


RULES = (
    "from any to all vms allow tcp port 22",
    'FROM tag "a" = "b c" TO  all   vms BLOCK icmp TYPE 8 CODE 0',
    "FROM (ip 10.0.0.2 OR ip 10.0.0.1 OR subnet 10.1.0.0/16) TO all vms ALLOW udp (PORT 53 AND PORT 5353)",
    "FROM all vms TO any ALLOW tcp PORTS 80, 8000-8100 PRIORITY 7",
    "FROM ip 2001:DB8:0::5 TO all vms BLOCK icmp6 TYPE all",
)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_in_fwadms_own_words_stays_as_it_is(smartos: SmartOs, rule: str) -> None:
    smartos.wants(manifest("FirewallRule", "own", f"rule: {q(rule)}"))
    smartos.lose_ledger()
    smartos.wants(manifest("FirewallRule", "own", f"rule: {q(rule)}"))

    assert len(json.loads(smartos.do("fwadm", "list", "-j"))) == 1


@few
@given(rule=odd_text | st.sampled_from(RULES).flatmap(lambda rule: st.integers(0, len(rule)).map(lambda end: rule[:end])))
@example(f"{RULES[0]}\n{RULES[0]}")
@example(f"{RULES[0]} --delete")
def test_a_rule_that_fwadm_would_not_take_is_refused_with_its_place(shared: SmartOs, rule: str) -> None:
    wanted = manifest("FirewallRule", "own", f"rule: {q(rule)}")
    if is_refused_with_a_place(wanted):
        return

    shared.wants(wanted)
    shared.wants()


def test_the_order_of_nics_disks_and_addresses_means_nothing(smartos: SmartOs) -> None:
    nics = [
        {"name": "z", "over": "external", "ips": ["10.0.0.12/24", "10.0.0.11/24"], "primary": True},
        {"name": "a", "over": "admin", "ips": ["dhcp"]},
        {"name": "m", "over": "external", "vlan": 7, "ips": ["dhcp", "addrconf"]},
    ]
    disks = [
        {"name": "root", "image": VM_IMAGE, "model": "virtio", "boot": True},
        {"name": "b", "size": "1GiB", "model": "virtio"},
        {"name": "a", "size": "2GiB", "model": "virtio"},
    ]

    def both(step: int) -> list[str]:
        turned = [{**nic, "ips": nic["ips"][::step]} for nic in nics[::step]]  # type: ignore[index]
        return [
            zone("web", f"nics: {q(turned)}"),
            machine("vm", f"disks: {q(disks[::step])}"),
        ]

    smartos.wants(*both(1))

    assert smartos.plans(*both(-1)).is_empty
    smartos.lose_ledger()
    assert not smartos.plans(*both(-1)).blocked
    smartos.wants(*both(-1))
    assert (smartos.boots("web"), smartos.boots("vm")) == (1, 1)


def test_a_nic_that_somebody_added_first_in_line_does_not_mix_up_the_others(smartos: SmartOs) -> None:
    wanted = zone("web", "nics:\n- {name: net1, over: external, ips: [dhcp]}\n- {name: net0, over: admin, ips: [dhcp]}")
    smartos.wants(wanted)
    uuid = smartos.guest("web")["uuid"]
    payload = {"add_nics": [{"nic_tag": "external", "mac": "02:00:00:00:00:01", "ips": ["dhcp"], "vlan_id": 9}]}
    smartos.do("vmadm", "update", uuid, payload=payload)

    assert refused(smartos.plans(wanted)) == [("Zone/web", "unexpectedItem")]
    smartos.do("vmadm", "update", uuid, payload={"remove_nics": ["02:00:00:00:00:01"]})
    assert smartos.plans(wanted).is_empty


UUID = "ABCDEF01-2345-4678-9ABC-DEF012345678"


def test_upper_case_uuids_and_macs_in_any_spelling_are_no_difference(smartos: SmartOs) -> None:
    lines = f"uuid: {UUID}\nnics: [{{name: net0, over: external, ips: [dhcp], mac: 02-00-00-AA-BB-0C}}]"
    wanted = zone("web", lines).replace(ZONE_IMAGE, ZONE_IMAGE.upper())
    image = manifest("Image", "base", f"uuid: {ZONE_IMAGE.upper()}", adopt="ifEqual")

    smartos.wants(wanted, image)

    there = smartos.guest("web")
    assert (there["uuid"], there["nics"][0]["mac"]) == (UUID.lower(), "02:00:00:aa:bb:0c")
    smartos.lose_ledger()
    smartos.wants(wanted.replace(UUID, UUID.lower()), image)
    by_uuid = wanted.replace(f"image: {ZONE_IMAGE.upper()}", f"image: {{uuid: {ZONE_IMAGE.upper()}}}")
    assert smartos.plans(by_uuid, image).is_empty


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mac: '02:00:00:00:00:01', ips: [dhcp]", "mac: 02-0-0-0-0-1, ips: [dhcp]"),
        ("ips: [10.0.0.5/24]", "ips: [10.0.0.5/16]"),
        ("ips: ['2001:db8::5/64']", "ips: ['2001:DB8:0::5/64']"),
    ],
)
def test_one_address_for_two_guests_is_refused_where_it_is_written(one: str, other: str) -> None:
    texts = [
        zone("a", f"nics: [{{name: n, over: external, {one}}}]"),
        machine("b", f"nics: [{{name: n, over: external, {other}}}]"),
    ]

    assert is_refused_with_a_place(*texts)
    assert is_refused_with_a_place(
        zone("a", f"nics: [{{name: n, over: external, {one}}}, {{name: o, over: external, {other}}}]")
    )


def test_one_address_on_two_wires_is_two_addresses(smartos: SmartOs) -> None:
    smartos.wants(
        zone("a", "nics: [{name: n, over: external, ips: [10.0.0.5/24]}]"),
        zone("b", "nics: [{name: n, over: external, vlan: 7, ips: [10.0.0.5/24]}]"),
        zone("c", "nics: [{name: n, over: admin, ips: [10.0.0.5/24]}]"),
    )


@pytest.mark.parametrize("nic", ["mac: '02:00:00:00:00:01', ips: [dhcp]", "ips: [10.0.0.5/24]"])
def test_an_address_that_a_stranger_has_fails_with_command_cause_and_remedy(smartos: SmartOs, nic: str) -> None:
    smartos.create(
        brand="joyent-minimal",
        image_uuid=ZONE_IMAGE,
        alias="theirs",
        max_physical_memory=256,
        nics=[{"nic_tag": "external", "mac": "02:00:00:00:00:01", "ips": ["10.0.0.5/24"]}],
    )

    result = smartos.applied(*resources(zone("web", f"nics: [{{name: n, over: external, {nic}}}]")))

    (outcome,) = result.outcomes
    assert outcome.failure is not None
    assert "vmadm" in (outcome.command or "")
    assert "another guest of the host has the same MAC, address" in outcome.failure.cause
    assert "Conflict detected" in outcome.failure.cause
    assert "nics" in outcome.failure.remedy
    assert [view for view in smartos.host.guests.uuids() if smartos.host.guests.guest(view).alias == "web"] == []


def test_two_guests_of_one_alias_block_their_key_until_the_uuid_is_stated(smartos: SmartOs) -> None:
    small = {"brand": "joyent-minimal", "image_uuid": ZONE_IMAGE, "max_physical_memory": 256}
    first, second = (smartos.create(alias="web", **small) for _ in range(2))

    plan = smartos.plans(zone("web"))
    assert refused(plan) == [("Zone/web", Reason.AMBIGUOUS.value)]
    assert all(uuid in plan.blocked[0].cause for uuid in (first, second))
    assert "uuid" in plan.blocked[0].remedy

    smartos.wants(zone("web", f"uuid: {second.upper()}", adopt="ifEqual"))
    assert "reconciler:owner" in smartos.host.guests.guest(second).stored["internal_metadata"]  # type: ignore[operator]
    assert not smartos.host.guests.guest(first).stored.get("internal_metadata")
    smartos.wants(zone("web", f"uuid: {second}", adopt="ifEqual"))


def test_a_zone_and_a_machine_of_one_name_are_refused_where_they_are_written() -> None:
    assert is_refused_with_a_place(zone("web"), machine("web"))


NUMBERS = {
    "kernelVersion": ("'4.3'", "kernel_version", "4.3"),
    "hostname": ("'0123'", "hostname", "0123"),
    "dnsDomain": ("'10'", "dns_domain", "10"),
}


@pytest.mark.parametrize("field", NUMBERS)
def test_a_text_of_digits_stays_a_text(smartos: SmartOs, field: str) -> None:
    written, prop, stored = NUMBERS[field]
    lines = f"brand: lx\nimage: {LX_IMAGE}\nmemory: 256MiB\n"
    kernel = "" if field == "kernelVersion" else "kernelVersion: '5.10'\n"
    wanted = manifest("Zone", "0123", f"{lines}{kernel}{field}: {written}")

    smartos.wants(wanted)

    assert smartos.guest("0123")[prop] == stored
    smartos.lose_ledger()
    smartos.wants(wanted)


@pytest.mark.parametrize(
    "lines", ["metadata: {a: 5}", "metadata: {a: true}", "hostname: 5", "uuid: 5", "memory: 512", "nics: net0"]
)
def test_what_is_no_text_where_text_belongs_is_refused(lines: str) -> None:
    assert is_refused_with_a_place(manifest("Zone", "web", f"brand: joyent\nimage: {ZONE_IMAGE}\n{lines}"))


def test_a_null_entry_takes_the_odd_key_away_again(smartos: SmartOs) -> None:
    smartos.wants(zone("web", f"metadata: {q({NASTY.split()[0]: NASTY})}"))

    plan = smartos.plans(zone("web", f"metadata: {q({NASTY.split()[0]: None})}"))

    assert verbs(plan) == [(Verb.UPDATE, "Zone/web")]
    smartos.wants(zone("web", f"metadata: {q({NASTY.split()[0]: None})}"))
    assert smartos.guest("web")["customer_metadata"] == {}


def test_a_guest_that_could_lie_in_several_pools_is_blocked_alone_until_its_pool_is_stated(smartos: SmartOs) -> None:
    smartos.host.storage.create_pool("tank", 1 << 40)

    plan = smartos.plans(zone("web"), zone("other", "pool: zones"))

    assert refused(plan) == [("Zone/web", Reason.UNSUPPORTED.value)]
    assert "pools there: tank, zones" in plan.blocked[0].cause
    assert verbs(plan) == [(Verb.CREATE, "Zone/other")]
    smartos.wants(zone("web", "pool: zones"), zone("other", "pool: zones"))


def test_a_guest_is_replaced_in_the_pool_where_it_lies(smartos: SmartOs) -> None:
    smartos.wants(zone("web"))
    smartos.host.storage.create_pool("tank", 1 << 40)

    smartos.wants(zone("web", "delegatedDataset: true", disruption="replace"))

    assert smartos.guest("web")["zpool"] == "zones"
