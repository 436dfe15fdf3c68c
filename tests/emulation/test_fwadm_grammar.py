"""The language of fwadm's rules: the one form in which they are kept, and what is no rule."""

import pytest

from reconciler.emulation.firewall.errors import FwadmError
from reconciler.emulation.firewall.grammar import parse

VM = "0f2e0d4e-83d2-4a9e-9c4b-4b7f0ad2b1c3"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("from any to all vms allow TCP port 22", "FROM any TO all vms ALLOW tcp PORT 22"),
        ("FROM tag b TO TAG a=x BLOCK udp PORT all", 'FROM tag "b" TO tag "a" = "x" BLOCK udp PORT all'),
        ('FROM any TO tag "role" = "web" ALLOW tcp PORT 80', 'FROM any TO tag "role" = "web" ALLOW tcp PORT 80'),
        (
            f"FROM (vm {VM.upper()} OR ip 10.0.0.9 OR ip 10.0.0.1) TO all vms ALLOW tcp (PORT 443 AND port 80 AND PORT 80)",
            f"FROM (ip 10.0.0.1 OR ip 10.0.0.9 OR vm {VM}) TO all vms ALLOW tcp (PORT 80 AND PORT 443)",
        ),
        (
            "FROM subnet 10.0.0.0/8 TO all vms ALLOW tcp PORTS 8000-8100,80, 22",
            "FROM subnet 10.0.0.0/8 TO all vms ALLOW tcp PORTS 22, 80, 8000 - 8100",
        ),
        ("FROM any TO all vms ALLOW tcp PORTS 80, 22", "FROM any TO all vms ALLOW tcp (PORT 22 AND PORT 80)"),
        ("FROM any TO all vms ALLOW tcp PORTS all", "FROM any TO all vms ALLOW tcp PORT all"),
        ("FROM any TO all vms ALLOW icmp TYPE 8 CODE 0", "FROM any TO all vms ALLOW icmp TYPE 8 CODE 0"),
        (
            "FROM any TO all vms ALLOW icmp6 (TYPE 129 AND TYPE 128)",
            "FROM any TO all vms ALLOW icmp6 (TYPE 128 AND TYPE 129)",
        ),
        ("FROM any TO all vms ALLOW icmp TYPE all", "FROM any TO all vms ALLOW icmp TYPE all"),
        ("FROM any TO all vms BLOCK tcp PORT 25 PRIORITY 10", "FROM any TO all vms BLOCK tcp PORT 25 PRIORITY 10"),
        ("FROM any TO all vms BLOCK tcp PORTS 1-9 priority 0", "FROM any TO all vms BLOCK tcp PORTS 1 - 9"),
        (r'FROM any TO tag "a \"b\" \\" ALLOW tcp PORT 1', r'FROM any TO tag "a \"b\" \\" ALLOW tcp PORT 1'),
        ("FROM ip fd00::1 TO (tag a OR tag a) ALLOW tcp PORT 1", 'FROM ip fd00::1 TO tag "a" ALLOW tcp PORT 1'),
    ],
)
def test_a_rule_is_kept_in_one_form_which_is_its_own(written: str, kept: str) -> None:
    assert parse(written).text == kept
    assert parse(kept).text == kept


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("FROM any TO any ALLOW tcp PORT 1", "rule does not affect VMs"),
        ("FROM ip 10.0.0.1 TO subnet 10.0.0.0/8 ALLOW tcp PORT 1", "rule does not affect VMs"),
        ("", "rule: Syntax error at end of input, expected: 'FROM'"),
        ("FROM any TO all vms ALLOW tcp", "rule: Syntax error at end of input, expected: 'PORT'"),
        ("FROM any TO all vms PERMIT tcp PORT 1", "rule: Syntax error at character 20: 'PERMIT', expected: 'ALLOW', 'BLOCK'"),
        ("FROM any TO all vms ALLOW tcp PORT 1 x", "rule: Syntax error at character 37: 'x', expected: the end of the rule"),
        ("FROM any TO vm nonsense ALLOW tcp PORT 1", 'rule: UUID "nonsense" is invalid'),
        ("FROM ip 10.0.0.300 TO all vms ALLOW tcp PORT 1", 'rule: IP address "10.0.0.300" is invalid'),
        ("FROM subnet 10.0.0.1 TO all vms ALLOW tcp PORT 1", 'rule: Subnet "10.0.0.1" is invalid (must be in CIDR format)'),
        ("FROM any TO all vms ALLOW tcp PORT 0", 'port: "0" must be between 1 and 65535'),
        ("FROM any TO all vms ALLOW tcp PORTS 9-1", 'ports: "9-1": ports must be between 1 and 65535'),
        ("FROM any TO all vms ALLOW tcp PORT ٣", 'port: "٣" must be between 1 and 65535'),
        (f"FROM any TO all vms ALLOW tcp PORT {'9' * 5000}", 'port: "999'),
        (f"FROM any TO all vms ALLOW tcp PORTS {'9' * 5000}", 'ports: "999'),
        ("FROM any TO all vms ALLOW tcp PORTS x", 'ports: "x" is no port or range of ports'),
        ("FROM any TO all vms ALLOW icmp TYPE 256", 'type: "256" must be between 0 and 255'),
        ("FROM any TO all vms ALLOW icmp PORT 1", "rule: Syntax error at character 31: 'PORT', expected: 'TYPE'"),
        (
            f"FROM ({' OR '.join(f'ip 10.0.0.{n}' for n in range(25))}) TO all vms ALLOW tcp PORT 1",
            "maximum of 24 targets allowed per side",
        ),
        (f"FROM any TO all vms ALLOW tcp PORTS {','.join(str(n) for n in range(1, 26))}", "maximum of 24 ports allowed"),
        ('FROM any TO tag "open ALLOW tcp PORT 1', "rule: Syntax error at character"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_place(written: str, complaint: str) -> None:
    with pytest.raises(FwadmError) as refused:
        parse(written)

    assert str(refused.value).startswith(complaint)


def test_as_many_targets_as_are_allowed_are_taken() -> None:
    ends = " OR ".join(f"ip 10.0.0.{number}" for number in range(24))

    assert parse(f"FROM ({ends}) TO all vms ALLOW tcp PORT 1").text.count("ip ") == 24
