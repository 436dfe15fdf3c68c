"""Provider crossbow against the contract on a whole Linux host: each change may be cut off after any of its commands."""

import os
import platform
import shutil
from collections.abc import Callable

import pytest

from providers.crossbow import PROVIDER
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.facts import HostFacts
from reconciler.model.key import ObjectName
from reconciler.model.value import Fields
from reconciler.provider.checks import backend_for, check_explanations, check_probes, check_reading, look
from reconciler.provider.contract import Backend
from reconciler.provider.life import Sample, check_life
from tests.real.linux_host import LinuxHost

CUTS = (None, 0, 1, 2, 3, 4)
Run = Callable[[Command], Completed]


@pytest.fixture
def run(host: LinuxHost) -> Run:
    host.run("ip", "link", "add", "br0", "type", "bridge")
    host.run("ip", "link", "add", "vx0", "type", "vxlan", "id", "7", "dstport", "4789", "local", "127.0.0.1")
    host.run("ip", "link", "set", "vx0", "up")

    def ran(command: Command) -> Completed:
        if shutil.which(command.argv[0]) is None:
            return Completed(command, Ending.NOT_FOUND, None)
        done = host.ask(*command.argv, stdin=command.stdin)
        return Completed(command, Ending.EXITED, done.returncode, done.stdout, done.stderr)

    return ran


@pytest.fixture
def backend(run: Run) -> Backend:
    system = platform.uname()
    facts = HostFacts(system.system, system.release, system.version, "boot", {"hostname": os.uname().nodename})
    return backend_for(PROVIDER, facts, run)


def vnic(fields: Fields, changed: Fields) -> Sample:
    over = {ObjectName("Overlay", "vx0"): "vx0"}
    return Sample(ObjectName("VNIC", "vnic0"), {"over": "br0", **fields}, changed, system="Linux", identities=over)


LIVES = {
    "etherstub": Sample(ObjectName("Etherstub", "es0"), {}, {"mtu": 8000}, system="Linux"),
    "etherstub with mtu": Sample(ObjectName("Etherstub", "es0"), {"mtu": 1400}, {"mtu": None}, system="Linux"),
    "vnic": vnic({}, {"mtu": 1300}),
    "vnic with everything": vnic(
        {
            "mac": "02:08:20:00:01:0a",
            "mtu": 1400,
            "maxBandwidth": 100_000_000,
            "allow.macSpoofing": True,
            "allow.ips": ("10.0.0.5/32", "2001:db8::/64", "fe80::/10"),
        },
        {"mtu": None, "maxBandwidth": None, "allow.macSpoofing": False, "allow.ipSpoofing": True, "allow.ips": ()},
    ),
    "vnic that may do anything": vnic(
        {
            "maxBandwidth": 500_000,
            "allow.macSpoofing": True,
            "allow.ipSpoofing": True,
            "allow.dhcpSpoofing": True,
            "allow.restrictedTraffic": True,
        },
        {
            "maxBandwidth": 2_000_000_000,
            "allow.ips": ("10.0.0.0/24", "10.0.0.0/25", "10.0.0.5/32"),
            "allow.ipSpoofing": False,
            "allow.restrictedTraffic": False,
        },
    ),
    "vnic with many addresses": vnic(
        {"allow.ips": tuple(sorted([*(f"10.0.{n}.5/32" for n in range(16)), *(f"2001:db8::{n:x}/128" for n in range(1, 17))]))},
        {"allow.ips": tuple(sorted(f"10.0.{number}.0/24" for number in range(32)))},
    ),
    "vnic over a link that is no bridge": vnic(
        {"over": "vx0", "mtu": 1400, "maxBandwidth": 10_000_000}, {"mtu": 1300, "maxBandwidth": None, "allow.ipSpoofing": True}
    ),
    "firewall rule": Sample(
        ObjectName("FirewallRule", "web"),
        {"from": ("any",), "to": ("tag/role=web",), "action": "allow", "protocol": "tcp", "ports": ("80",), "log": True},
        {"from": ("10.0.0.0/8", "guests/all"), "ports": ("443", "8000-8100"), "priority": 10, "enabled": False, "log": False},
        system="Linux",
    ),
    "firewall rule in fwadm's words": Sample(
        ObjectName("FirewallRule", "web"),
        {"rule": 'FROM any TO tag "role" = "web" ALLOW icmp TYPE 8'},
        {"rule": 'FROM tag "role" TO ip 10.0.0.1 BLOCK udp PORT all PRIORITY 9'},
        system="Linux",
    ),
}


def test_probes_keep_the_contract(backend: Backend) -> None:
    check_probes(PROVIDER, backend)


def test_answers_are_read_strictly(backend: Backend, run: Run, host: LinuxHost) -> None:
    host.run("ip", "link", "add", "vnic0", "type", "veth", "peer", "name", "vnic0g")
    host.run("ip", "link", "set", "vnic0", "alias", "reconciler:tests:VNIC/vnic0 mac=02:08:20:00:00:01", "master", "br0")

    check_reading(PROVIDER, backend, run)


def test_failures_are_explained(backend: Backend) -> None:
    for tool in ("ip", "tc", "bridge", "nft", "sh"):
        check_explanations(PROVIDER, backend, Command((tool, "x")))


@pytest.mark.parametrize("name", list(LIVES))
def test_a_link_lives_as_stated_even_when_each_change_is_cut_short(backend: Backend, run: Run, name: str) -> None:
    for stop_after in CUTS:
        check_life(PROVIDER, backend, run, LIVES[name], stop_after=stop_after)


def test_the_number_of_commands_does_not_grow_with_the_number_of_links(backend: Backend, run: Run, host: LinuxHost) -> None:
    ran: list[Command] = []

    def counted(command: Command) -> Completed:
        ran.append(command)
        return run(command)

    look(backend, counted, PROVIDER.kinds)
    before = len(ran)
    for number in range(20):
        host.run("ip", "link", "add", f"v{number}", "type", "veth", "peer", "name", f"v{number}g")
        host.run("ip", "link", "set", f"v{number}", "master", "br0")

    found = look(backend, counted, PROVIDER.kinds)

    assert len(ran) == 2 * before
    assert sum(1 for observed in found if observed.name.kind == "VNIC") == 20
