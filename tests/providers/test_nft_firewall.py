"""The firewall of Linux guests in nft: what was written is read back, and what somebody changed by hand is told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from providers.tools import nft_rules
from providers.tools.fwadm_rules import Rule
from providers.tools.nft_firewall import (
    FIREWALLED,
    MEMBERS,
    RULESET,
    Membership,
    Memberships,
    guest_set,
    is_member,
    joining,
    read_memberships,
    sets_of,
    tag_set,
)
from reconciler.model.command import Command, Completed, Ending, Outputs
from reconciler.model.errors import ReadError
from tests.providers import nft_ground
from tests.providers.nft_ground import written

_FOLDER = Path(__file__).parent / "output" / "nftables-1.0.6"
_RULESET, _SETS, _NOTHING = ((_FOLDER / f"{name}.json").read_text() for name in ("ruleset", "sets", "nothing"))

Entries = list[dict[str, Any]]


def outputs(ruleset: str = _RULESET, members: str = _SETS) -> Outputs:
    def answer(command: Command, text: str) -> Completed:
        return Completed(command, Ending.EXITED, 0, text)

    return {RULESET.name: answer(RULESET.command, ruleset), MEMBERS.name: answer(MEMBERS.command, members)}


def edited(edit: Callable[[Entries], object], text: str = _RULESET) -> str:
    document = json.loads(text)
    edit(document["nftables"])
    return json.dumps(document)


def rules_of(entries: Entries, chain: str) -> Entries:
    return [entry["rule"] for entry in entries if entry.get("rule", {}).get("chain") == chain]


def without(chain: str, *, rules_only: bool = False) -> Callable[[Entries], object]:
    def edit(entries: Entries) -> None:
        entries[:] = [
            entry
            for entry in entries
            if entry.get("rule", {}).get("chain") != chain and (rules_only or entry.get("chain", {}).get("name") != chain)
        ]

    return edit


def broken(text: str) -> dict[str, str]:
    return {seen.name: seen.broken for seen in nft_rules.read_rules(text) if seen.broken}


def test_every_rule_is_read_back_as_it_was_written() -> None:
    seen = {one.name: one for one in nft_rules.read_rules(_RULESET)}

    assert {name: one.written for name, one in seen.items()} == {rule.name: rule for rule in nft_ground.RULES}
    assert not broken(_RULESET)
    assert all(one.mark == one.written.mark for one in seen.values() if one.written is not None)


def test_a_host_without_the_table_has_no_rule() -> None:
    assert list(nft_rules.read_rules(_NOTHING)) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"nftables": [{"rule": {"family": "bridge", "table": "reconciler"}}]}'])
def test_what_is_no_ruleset_is_never_taken_for_one(text: str) -> None:
    with pytest.raises(ReadError):
        list(nft_rules.read_rules(text))


def _another_port(entries: Entries) -> None:
    rule = rules_of(entries, "in/000/allow/ssh")[0]
    next(one["match"] for one in rule["expr"] if "tcp" in str(one))["right"] = 23


def _other_mark(entries: Entries) -> None:
    rules_of(entries, "in/000/allow/ssh")[0]["comment"] = "reconciler:other:FirewallRule/ssh"


def _one_more(entries: Entries) -> None:
    rule = rules_of(entries, "in/000/allow/ssh")[0]
    entries.append({"rule": {**rule, "expr": [{"accept": None}], "comment": "by hand"}})


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (_another_port, {"ssh": "chain in/000/allow/ssh"}),
        (_other_mark, {"ssh": "chain in/000/allow/ssh"}),
        (_one_more, {"ssh": "chain in/000/allow/ssh"}),
        (without("in/000/allow/ssh"), {"ssh": "chain in/000/allow/ssh"}),
        (without("in/000/allow/ssh", rules_only=True), {"ssh": "chain in/000/allow/ssh"}),
        (without("rule/ssh", rules_only=True), {"ssh": "chain rule/ssh"}),
        (lambda entries: rules_of(entries, "rule/ssh")[2].update(comment="port 23"), {"ssh": "chain rule/ssh"}),
    ],
)
def test_a_rule_that_was_edited_by_hand_is_told_with_its_chain(edit: Callable[[Entries], object], told: dict[str, str]) -> None:
    text = edited(edit)
    of_chains = {name: where for name, where in broken(text).items() if not where.startswith("chain rules/")}

    assert of_chains == told
    assert all(seen.mark is not None for seen in nft_rules.read_rules(text)), "whose it is can still be told"


def _swapped(entries: Entries) -> None:
    jumps = rules_of(entries, "rules/in")
    jumps[0]["expr"], jumps[1]["expr"] = jumps[1]["expr"], jumps[0]["expr"]


@pytest.mark.parametrize("edit", [without("rules/in", rules_only=True), _swapped])
def test_rules_that_nobody_jumps_to_in_their_order_are_told(edit: Callable[[Entries], object]) -> None:
    found = broken(edited(edit))

    assert set(found.values()) == {"chain rules/in"}
    assert set(found) == {"ssh", "web.a-b", "all-udp", "ping", "ping6", "noted"}, "those that decide of what comes in"


@pytest.mark.parametrize(
    ("edit", "where"),
    [
        (without("inbound", rules_only=True), "inbound"),
        (without("forward/in"), "forward/in"),
        (lambda entries: rules_of(entries, "inbound")[-1].update(expr=[{"accept": None}]), "inbound"),
        (without("opened", rules_only=True), "opened"),
        (without("in-use"), "in-use"),
    ],
)
def test_damage_to_what_all_share_is_told_of_every_rule_and_port(edit: Callable[[Entries], object], where: str) -> None:
    text = edited(edit)
    seen = read_memberships(outputs(text))

    assert set(broken(text).values()) == {f"{where} of table bridge reconciler"}
    assert not seen.is_whole
    assert not is_member("web1_0", nft_ground.MEMBERS["web1_0"], seen)
    assert is_member("db1_0", nft_ground.MEMBERS["db1_0"], seen), "it is not firewalled: nothing acts on it anyway"


def test_ports_are_read_back_as_members_of_what_they_joined() -> None:
    seen = read_memberships(outputs())

    assert seen == Memberships({port: sets_of(member) for port, member in nft_ground.MEMBERS.items()}, is_whole=True)
    assert all(is_member(port, member, seen) for port, member in nft_ground.MEMBERS.items())
    assert not is_member("web1_0", None, seen)
    assert is_member("vnic0", None, seen)


@pytest.mark.parametrize(
    "other",
    [
        Membership("web1", (("role", "web"), ("a b", "ä=1"))),
        Membership("web1", (("role", "db"), ("a b", "ä=1")), is_firewalled=True),
        Membership("web1", (("role", "web"),), is_firewalled=True),
        Membership("web2", (("role", "web"), ("a b", "ä=1")), is_firewalled=True),
    ],
)
def test_a_port_in_other_sets_than_wanted_is_no_member(other: Membership) -> None:
    assert not is_member("web1_0", other, read_memberships(outputs()))


def test_without_the_table_no_port_is_a_member() -> None:
    seen = read_memberships(outputs(_NOTHING, _NOTHING))

    assert not any(is_member(port, member, seen) for port, member in nft_ground.MEMBERS.items())
    assert is_member("vnic0", None, seen)


def test_no_two_guests_or_tags_share_a_set() -> None:
    names = [tag_set("a", "b"), tag_set("a"), tag_set("a=b"), tag_set("a/b"), tag_set("a", ""), tag_set("a//b"), guest_set("a")]
    names += [tag_set("ä"), tag_set("a b"), tag_set("a_b"), tag_set("A"), tag_set('a"b'), tag_set("a", "/")]

    assert len(set(names)) == len(names)
    assert tag_set("k", "v" * 250) == "", "nft has no names so long"
    assert sets_of(Membership("g", (("k", "v" * 250),))) == {"guests", "guest/g", "tag/k"}


def test_a_port_joins_with_the_lines_of_its_filter_in_one_transaction() -> None:
    command = joining("p0", Membership("g", is_firewalled=True), ("add table netdev x",))

    assert command.argv[3:] == ("join-firewall", "p0")
    assert command.stdin is not None
    assert command.stdin.startswith("add table netdev x\n")
    assert f'add element bridge reconciler {FIREWALLED} {{ "p0" }}\n' in command.stdin


def test_only_a_port_of_a_firewalled_guest_brings_what_acts_on_ports() -> None:
    acting, member = (joining("p0", Membership("g", is_firewalled=yes)).argv[2] for yes in (True, False))

    assert "hook forward" in acting
    assert "hook" not in member


def lines(rule: Rule, *, is_logged: bool = False) -> dict[str, list[str]]:
    """The rules of nft by chain, without the comments."""
    found = nft_rules.chains(written("r", rule, is_logged=is_logged))
    return {chain: [line for line, _ in rules] for chain, rules in found.items() if not chain.startswith("rule/")}


def test_a_rule_acts_on_the_guests_that_it_names_and_on_no_others() -> None:
    out = lines(Rule(("guest/a",), ("10.0.0.0/8",), "block", "tcp", ("80",)))
    into = lines(Rule(("10.0.0.0/8",), ("guest/a",), "allow", "tcp", ("80",), priority=5))
    both = lines(Rule(("guest/a", "10.0.0.1"), ("guest/b", "10.0.0.2"), "allow", "udp", ("all",)))

    assert out == {"out/000/block/r": ["iifname @guest/a ip daddr 10.0.0.0/8 tcp dport 80 drop"]}
    assert into == {"in/005/allow/r": ["ip saddr 10.0.0.0/8 oifname @guest/a tcp dport 80 goto served"]}
    assert both == {
        "out/000/allow/r": [
            "iifname @guest/a oifname @guest/b meta l4proto 17 goto opened",
            "iifname @guest/a ip daddr 10.0.0.2 meta l4proto 17 goto opened",
        ],
        "in/000/allow/r": [
            "iifname @guest/a oifname @guest/b meta l4proto 17 goto served",
            "ip saddr 10.0.0.1 oifname @guest/b meta l4proto 17 goto served",
        ],
    }


def test_addresses_and_types_of_different_versions_of_ip_never_stand_in_one_line() -> None:
    assert lines(Rule(("fd00::1", "10.0.0.1"), ("guest/a",), "allow", "icmp", types=("8",))) == {
        "in/000/allow/r": ["ip saddr 10.0.0.1 oifname @guest/a icmp type 8 goto served"]
    }
    assert lines(Rule(("guest/a",), ("fd00::1", "10.0.0.1"), "block", "icmp6", types=("1:0", "128"))) == {
        "out/000/block/r": [
            "iifname @guest/a ip6 daddr fd00::1 icmpv6 type 128 drop",
            "iifname @guest/a ip6 daddr fd00::1 icmpv6 type . icmpv6 code { 1 . 0 } drop",
        ]
    }


def test_what_is_allowed_and_logged_is_logged_when_it_begins() -> None:
    logged = lines(Rule(("10.0.0.1",), ("guest/a",), "allow", "tcp", ("all",)), is_logged=True)

    known = "oifname . ip daddr . tcp dport . ip saddr . tcp sport != @served/tcp4"
    assert logged["in/000/allow/r"] == [
        f'ip saddr 10.0.0.1 oifname @guest/a {known} log prefix "reconciler allow r: "',
        "ip saddr 10.0.0.1 oifname @guest/a meta l4proto 6 goto served",
    ]
    blocked = lines(Rule(("10.0.0.1",), ("guest/a",), "block", "tcp", ("all",)), is_logged=True)
    assert blocked["in/000/block/r"] == [
        'ip saddr 10.0.0.1 oifname @guest/a meta l4proto 6 log prefix "reconciler block r: " drop'
    ]


@pytest.mark.parametrize("target", ['tag/a"b', "tag/a\nb", "tag/" + "k" * 130, "tag/" + "ä" * 60, "guest/" + "g" * 130])
def test_a_target_that_nft_can_not_name_is_told(target: str) -> None:
    assert nft_rules.unspeakable(target)


@pytest.mark.parametrize("target", ["any", "guests/all", "tag/a b=ä=1", "10.0.0.0/8", "guest/" + "g" * 100])
def test_a_target_that_nft_can_name_is_not_refused(target: str) -> None:
    assert not nft_rules.unspeakable(target)
