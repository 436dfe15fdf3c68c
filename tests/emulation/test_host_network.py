"""Which link carries the host's own address and its default route, as ipadm, route, netstat and sysinfo tell."""

from __future__ import annotations

import json

import pytest

from reconciler.emulation import EmulatedHost
from tests.emulation.console import must, run


def test_the_host_has_its_address_on_its_first_link(smartos: EmulatedHost, omnios: EmulatedHost) -> None:
    shown = "ipadm show-addr -p -o addrobj,type,state,addr"

    assert must(smartos, shown) == "lo0/v4:static:ok:127.0.0.1/8\nlo0/v6:static:ok:\\:\\:1/128\nigb0/_a:static:ok:10.0.0.2/24\n"
    assert must(omnios, shown).splitlines()[-1] == "igb0/v4:static:ok:10.0.0.2/24"
    assert must(omnios, "ipadm show-addr -p -o addr lo0/v6") == "::1/128\n"
    assert must(omnios, "ipadm show-if -p -o ifname,state") == "lo0:ok\nigb0:ok\n"
    assert must(omnios, "ipadm show-addr igb0/v4").splitlines()[0].split() == ["ADDROBJ", "TYPE", "STATE", "ADDR"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("show-addr -p", "-p requires -o"),
        ("show-if -p -o all", '"-o all" is invalid with -p'),
        ("show-addr -p -o foo", "unknown output field: `foo'"),
        ("show-addr igb0/", "invalid address object name: igb0/"),
        ("show-addr igb0/v9", "Could not get address object information: Object not found"),
        ("show-if net9", "cannot get information for interface net9: Interface does not exist"),
    ],
)
def test_ipadm_complains(omnios: EmulatedHost, line: str, complaint: str) -> None:
    printed = run(omnios, f"ipadm {line}")

    assert (printed.exit_code, printed.stdout, printed.stderr) == (1, "", f"ipadm: {complaint}\n")


def test_the_default_route_names_its_link(omnios: EmulatedHost) -> None:
    told = dict(line.strip().split(": ") for line in must(omnios, "route -n get default").splitlines() if ": " in line)

    assert (told["gateway"], told["interface"]) == ("10.0.0.1", "igb0")
    assert "interface: igb0" in must(omnios, "route -n get 10.0.0.77")
    assert ["default", "10.0.0.1", "UG", "2", "0"] in [
        line.split() for line in must(omnios, "netstat -rn -f inet").splitlines()
    ]


def test_the_default_route_may_go_elsewhere(omnios: EmulatedHost) -> None:
    must(omnios, "dladm create-vnic -l igb1 v0")
    omnios.links.set_default_route("v0", "10.9.0.1")

    assert "interface: v0\n" in must(omnios, "route -n get default")


def test_a_host_without_links_has_no_default_route(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("bare") / "host.db"
    with EmulatedHost.open(path, system="smartos", links=[]) as host:
        printed = run(host, "route -n get default")

        assert (printed.exit_code, printed.stderr) == (1, "default: not in table\n")
        assert must(host, "nictagadm list -p") == ""
        assert json.loads(must(host, "sysinfo"))["Admin IP"] == ""


def test_the_address_and_route_outlive_a_reboot(smartos: EmulatedHost) -> None:
    before = must(smartos, "ipadm show-addr"), must(smartos, "route -n get default")
    must(smartos, "dladm create-vnic -l igb1 v0")
    smartos.links.plumb("v0", "10.9.0.2/24", persistent=True)

    smartos.reboot()

    assert (must(smartos, "ipadm show-addr"), must(smartos, "route -n get default")) == before


def test_sysinfo_follows_links_and_tags(smartos: EmulatedHost) -> None:
    must(
        smartos,
        "dladm create-vnic -t -l igb0 -v 7 -m 2:8:20:1:2:3 v0",
        f"nictagadm add lan {smartos.links.link('igb0').mac}",
        "dladm create-aggr -t -L passive -l igb1 aggr0",
    )
    smartos.links.set_up("igb1", is_up=False)

    told = json.loads(must(smartos, "sysinfo"))

    assert told["Network Interfaces"]["igb0"] == {
        "MAC Address": smartos.links.link("igb0").mac,
        "ip4addr": "10.0.0.2",
        "Link Status": "up",
        "NIC Names": ["admin", "lan"],
    }
    assert told["Network Interfaces"]["igb1"]["Link Status"] == "down"
    assert told["Virtual Network Interfaces"]["v0"]["Host Interface"] == "igb0"
    assert told["Virtual Network Interfaces"]["v0"]["VLAN"] == "7"
    assert told["Link Aggregations"] == {"aggr0": {"LACP mode": "passive", "Interfaces": ["igb1"]}}
