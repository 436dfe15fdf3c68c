"""Provider crossbow against the contract, on emulated illumos and SmartOS hosts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from providers.crossbow import PROVIDER
from reconciler.emulation.host import EmulatedHost
from reconciler.model.command import Command
from reconciler.model.key import ObjectName
from reconciler.model.value import Fields
from reconciler.provider.checks import (
    backend_for,
    check_explanations,
    check_kinds,
    check_probes,
    check_reading,
    look,
)
from reconciler.provider.contract import Backend
from reconciler.provider.life import Sample, check_life
from tests.providers.conftest import TryoutHost

CUTS = (None, 0, 1, 2)
TEXT_RULE = {"rule": "FROM any TO all vms ALLOW udp (PORT 53 AND PORT 54)"}


@pytest.fixture(params=["omnios", "smartos"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TryoutHost]:
    with EmulatedHost.open(tmp_path / "host", system=request.param) as emulated:
        if request.param == "smartos":
            needs_rules(emulated)
        yield TryoutHost(emulated)


def needs_rules(emulated: EmulatedHost) -> None:
    if not {"fwadm", "vmadm"} <= emulated.system.tools:
        pytest.skip("the emulated SmartOS host has no fwadm and vmadm")


def backend_of(host: TryoutHost) -> Backend:
    return backend_for(PROVIDER, host.facts, host.run)


def stub(fields: Fields, changed: Fields) -> Sample:
    return Sample(ObjectName("Etherstub", "stub0"), fields, changed)


def vnic(fields: Fields, changed: Fields) -> Sample:
    return Sample(ObjectName("VNIC", "web0"), {"over": "igb1", **fields}, changed)


def rule(fields: Fields, changed: Fields) -> Sample:
    return Sample(ObjectName("FirewallRule", "ssh"), fields, changed)


LINKS = {
    "stub": stub({}, {"mtu": 8000}),
    "stub with mtu": stub({"mtu": 1500}, {"mtu": None}),
    "vnic": vnic({}, {"mtu": 1300}),
    "vnic with everything": vnic(
        {
            "mac": "02:08:20:00:01:0a",
            "vlan": 20,
            "mtu": 1400,
            "maxBandwidth": 100_000_000,
            "priority": "low",
            "allow.macSpoofing": True,
            "allow.ips": ("10.0.0.5/32", "2001:db8::/64"),
        },
        {
            "mtu": None,
            "maxBandwidth": None,
            "priority": "medium",
            "allow.macSpoofing": False,
            "allow.ipSpoofing": True,
            "allow.ips": (),
        },
    ),
    "vnic that may do anything": vnic(
        {
            "vlan": None,
            "maxBandwidth": 1_500_000,
            "allow.macSpoofing": True,
            "allow.ipSpoofing": True,
            "allow.dhcpSpoofing": True,
            "allow.restrictedTraffic": True,
        },
        {
            "maxBandwidth": 2_000_000_000,
            "allow.ips": ("10.0.0.0/24",),
            "allow.ipSpoofing": False,
            "allow.restrictedTraffic": False,
        },
    ),
    "vnic with many addresses": vnic({"allow.ips": tuple(sorted(f"10.0.{number}.5/32" for number in range(32)))}, {}),
}
RULES = {
    "of ports": rule(
        {"from": ("any",), "to": ("tag/role=web",), "action": "allow", "protocol": "tcp", "ports": ("22", "80", "8000-8100")},
        {"ports": ("all",), "enabled": False, "log": True, "priority": 7, "action": "block", "to": ("guests/all",)},
    ),
    "of types": rule(
        {
            "from": ("10.0.0.0/24", "10.0.0.1", "2001:db8::1", "tag/a b"),
            "to": ("guests/all",),
            "action": "block",
            "protocol": "icmp",
            "types": ("3:1", "8"),
            "enabled": True,
        },
        {"types": ("8",), "priority": 3, "log": False},
    ),
    "in its own words": rule(TEXT_RULE, {"rule": 'FROM any TO tag "x" ALLOW udp PORTS 1 - 9, 22 PRIORITY 5'}),
}


def test_every_field_is_described_and_judges_any_value() -> None:
    check_kinds(PROVIDER)


def test_probes_keep_the_contract(host: TryoutHost) -> None:
    check_probes(PROVIDER, backend_of(host))


def test_answers_are_read_strictly(host: TryoutHost) -> None:
    for argv in (("create-etherstub", "stub0"), ("create-vnic", "-l", "stub0", "int0"), ("create-aggr", "-l", "igb1", "aggr0")):
        assert host.do("dladm", *argv).succeeded

    check_reading(PROVIDER, backend_of(host), host.run)


@pytest.mark.parametrize("tool", ["dladm", "nictagadm", "fwadm", "vmadm"])
def test_failures_are_explained(host: TryoutHost, tool: str) -> None:
    check_explanations(PROVIDER, backend_of(host), Command((tool, "x")))


@pytest.mark.parametrize("stop_after", CUTS)
@pytest.mark.parametrize("name", list(LINKS))
def test_a_link_lives_as_stated_even_when_each_change_is_cut_short(host: TryoutHost, name: str, stop_after: int | None) -> None:
    check_life(PROVIDER, backend_of(host), host.run, LINKS[name], stop_after=stop_after)


@pytest.mark.parametrize("stop_after", CUTS)
@pytest.mark.parametrize("name", list(RULES))
def test_a_rule_lives_as_stated_even_when_each_change_is_cut_short(
    smartos: TryoutHost, name: str, stop_after: int | None
) -> None:
    needs_rules(smartos.emulated)

    check_life(PROVIDER, backend_of(smartos), smartos.run, RULES[name], stop_after=stop_after)


def test_the_number_of_commands_does_not_grow_with_the_number_of_links(host: TryoutHost) -> None:
    look(backend_of(host), host.run, PROVIDER.kinds)
    before = len(host.emulated.transcript())
    for number in range(20):
        host.emulated.drift(["dladm", "create-vnic", "-l", "igb1", f"v{number}"])
    host.emulated.clear_transcript()

    found = look(backend_of(host), host.run, PROVIDER.kinds)

    assert len(host.emulated.transcript()) == before
    assert sum(1 for observed in found if observed.name.kind == "VNIC") == 20
