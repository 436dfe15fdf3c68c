"""Firewall rules: one form for each, what is refused, marks in descriptions."""

import pytest

from providers.crossbow.rules import FIREWALL_RULE
from providers.tools import fwadm
from providers.tools.fwadm_rules import parse_rule, rule_text
from reconciler.desired.fields import StatedFields, stated_fields
from reconciler.desired.problem import Problem
from reconciler.model.errors import InvalidValue
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.observed import Mark

GUEST = "8f1c0000-0000-4000-8000-000000000001"


def stated(**spec: object) -> StatedFields | list[Problem]:
    """A rule for ssh, with other values; one that is `...` is left out."""
    given = {"from": ["any"], "to": ["guests/all"], "action": "allow", "protocol": "tcp", "ports": [22]}
    given |= {name.removesuffix("_"): value for name, value in spec.items()}
    document = {name: value for name, value in given.items() if value is not ...}
    return stated_fields(FIREWALL_RULE, "ssh", document)  # type: ignore[arg-type]


def problem(**spec: object) -> str:
    found = stated(**spec)
    assert isinstance(found, list), found
    return "; ".join(f"{'.'.join(map(str, one.path))}: {one.cause}" for one in found)


def fields(**spec: object) -> dict[str, object]:
    found = stated(**spec)
    assert isinstance(found, StatedFields), found
    return dict(found.compared)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("from any to tag role=web allow tcp port 443", 'FROM any TO tag "role" = "web" ALLOW tcp PORT 443'),
        (
            "FROM (subnet 10.1.0.0/16 OR ip 10.0.0.1) TO all vms BLOCK tcp PORTS 8000-8100, 22,80",
            "FROM (ip 10.0.0.1 OR subnet 10.1.0.0/16) TO all vms BLOCK tcp PORTS 22, 80, 8000 - 8100",
        ),
        ("FROM any TO all vms ALLOW udp (PORT 54 AND PORT 53)", "FROM any TO all vms ALLOW udp (PORT 53 AND PORT 54)"),
        ("FROM any TO all vms ALLOW tcp PORT all", "FROM any TO all vms ALLOW tcp PORT all"),
        (
            f"FROM vm {GUEST.upper()} TO any ALLOW icmp (TYPE 8 AND TYPE 3 CODE 1) priority 5",
            f"FROM vm {GUEST} TO any ALLOW icmp (TYPE 3 CODE 1 AND TYPE 8) PRIORITY 5",
        ),
        (
            'FROM tag "a \\"b\\" \\\\" TO all vms ALLOW icmp6 TYPE 128 PRIORITY 0',
            'FROM tag "a \\"b\\" \\\\" TO all vms ALLOW icmp6 TYPE 128',
        ),
        ('FROM tag "or" TO (all vms OR tag "x" = "all") ALLOW tcp PORTS 1 - 9', None),
    ],
)
def test_a_rule_has_one_form_however_it_was_written(written: str, kept: str | None) -> None:
    text = rule_text(parse_rule(written))

    assert kept is None or text == kept
    assert rule_text(parse_rule(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "FROM any TO",
        "FROM x TO any ALLOW tcp PORT 1",
        "FROM any TO all vms ALLOW tcp",
        "FROM any TO all vms ALLOW tcp PORT 0",
        "FROM any TO all vms ALLOW tcp PORTS 9-1",
        "FROM any TO all vms ALLOW tcp PORT 1 extra",
        "FROM any TO all vms ALLOW tcp PORT 1 PRIORITY 101",
        "FROM any TO all vms ALLOW icmp TYPE 256",
        "FROM any TO all vms ALLOW gre PORT 1",
        "FROM ip 10.0.0.256 TO all vms ALLOW tcp PORT 1",
        "FROM vm web1 TO any ALLOW tcp PORT 1",
        'FROM any TO tag "x ALLOW tcp PORT 1',
        "FROM (any OR TO all vms ALLOW tcp PORT 1",
    ],
)
def test_what_is_no_rule_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        parse_rule(text)

    assert refused.value.remedy


def test_parts_are_kept_in_one_order_and_spelling() -> None:
    found = fields(from_=["tag/role=web", "10.0.0.1", "10.1.2.3/16", "2001:DB8::1"], ports=["8000-8100", 80, "22", 80])

    assert found["from"] == ("10.0.0.1", "10.1.0.0/16", "2001:db8::1", "tag/role=web")
    assert found["ports"] == ("22", "80", "8000-8100")


def test_guests_that_a_rule_names_are_references() -> None:
    found = stated(to=["guest/web1", "tag/x", "guests/all"], from_=["guest/db1"])

    assert isinstance(found, StatedFields)
    assert {(one.field, one.kinds, one.name) for one in found.references} == {
        ("spec.to", ("Zone", "VirtualMachine"), "web1"),
        ("spec.from", ("Zone", "VirtualMachine"), "db1"),
    }


@pytest.mark.parametrize(
    ("spec", "place", "cause"),
    [
        ({"to": ["any"]}, "from", "names no guest"),
        ({"to": ["10.0.0.0/24"], "from_": ["10.1.0.1"]}, "from", "names no guest"),
        ({"to": ["web1"]}, "to.0", "no target"),
        ({"to": ['tag/a"b']}, "to.0", "names no tag"),
        ({"to": ["tag/"]}, "to.0", "names no tag"),
        ({"to": ["guest/"]}, "to.0", "names no guest"),
        ({"to": []}, "to", "1 to 24 entries"),
        ({"to": [f"tag/t{number}" for number in range(25)]}, "to", "1 to 24 entries"),
        ({"from_": ["any", "10.0.0.1"]}, "from", "any beside"),
        ({"ports": [0]}, "ports.0", "no port"),
        ({"ports": [True]}, "ports.0", "no port"),
        ({"ports": ["9-1"]}, "ports.0", "no port"),
        ({"ports": ["all", 1]}, "ports", "all beside"),
        ({"ports": ...}, "", "needs ports"),
        ({"types": ["8"]}, "types", "tcp has no types"),
        ({"protocol": "icmp"}, "", "a rule for icmp needs types"),
        ({"protocol": "icmp", "types": ["8"]}, "ports", "icmp has no ports"),
        ({"rule": "FROM any TO all vms ALLOW tcp PORT 1"}, "from", "rule says what from says"),
        ({"priority": 101}, "priority", "100"),
        ({"action": "drop"}, "action", "allow"),
    ],
)
def test_what_can_be_no_rule_is_refused_at_its_place(spec: dict[str, object], place: str, cause: str) -> None:
    found = problem(**spec)

    assert found.startswith(f"{place}: ")
    assert cause in found


def test_a_rule_in_fwadms_own_words_is_brought_into_its_form_and_must_name_guests() -> None:
    ours = dict.fromkeys(("from_", "to", "action", "protocol", "ports"), ...)

    assert fields(**ours, rule="from any to all vms allow tcp port 1") == {"rule": "FROM any TO all vms ALLOW tcp PORT 1"}
    assert "rule: the rule names no guest" in problem(**ours, rule="FROM any TO ip 10.0.0.1 ALLOW tcp PORT 1")


@pytest.mark.parametrize("name", ["", "-x", "a b", "a/b", "x" * 65, "ä"])
def test_names_that_a_mark_could_not_hold_are_refused(name: str) -> None:
    assert FIREWALL_RULE.check_name is not None
    with pytest.raises(InvalidValue):
        FIREWALL_RULE.check_name(name)


@pytest.mark.parametrize("rest", ["", "allow ssh | for all", "two\nlines"])
@pytest.mark.parametrize(
    "mark",
    [
        Mark("acme", ObjectName("FirewallRule", "ssh")),
        Mark("acme", ObjectName("FirewallRule", "ssh"), "4a31", Protect.REMOVAL, OnRemoval.DELETE),
    ],
)
def test_a_mark_stands_before_what_somebody_wrote(mark: Mark, rest: str) -> None:
    assert fwadm.read_description(fwadm.description(mark, rest)) == (mark, rest)


@pytest.mark.parametrize(
    "text",
    ["", "by hand", "reconciler owner=acme", "reconciler owner=acme key=x", "reconciler owner=acme key=A/b protect=odd", "| x"],
)
def test_a_damaged_mark_is_none(text: str) -> None:
    assert fwadm.read_description(text) == (None, text)
