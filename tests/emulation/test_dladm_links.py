"""How links come and go: temporary and stored ones, what is busy, what a reboot leaves."""

from __future__ import annotations

import re

import pytest

from reconciler.emulation import EmulatedHost, Fault, FaultKind
from tests.emulation.console import must, run

_BUSY = "dladm: vnic deletion failed: link busy\n"


def _names(host: EmulatedHost, line: str = "dladm show-link -p -o link") -> list[str]:
    return must(host, line).split()


def test_a_temporary_link_is_gone_after_a_reboot_and_a_stored_one_comes_back(omnios: EmulatedHost) -> None:
    must(
        omnios,
        "dladm create-etherstub stub0",
        "dladm create-etherstub -t stub1",
        "dladm create-vnic -l stub0 -m 2:8:20:1:2:3 -p mtu=1400,maxbw=10M v0",
        "dladm create-vnic -t -l stub0 v1",
        "dladm set-linkprop -t -p priority=low v0",
    )

    omnios.reboot()

    assert _names(omnios) == ["igb0", "igb1", "stub0", "v0"]
    assert must(omnios, "dladm show-vnic -p -o link,over,macaddress") == r"v0:stub0:2\:8\:20\:1\:2\:3" + "\n"
    shown = must(omnios, "dladm show-linkprop -c -o property,value -p mtu,maxbw,priority v0")
    assert shown == "mtu:1400\nmaxbw:   10\npriority:high\n"


def test_nothing_that_dladm_stores_survives_on_smartos(smartos: EmulatedHost) -> None:
    must(smartos, "dladm create-etherstub stub0", "dladm create-vnic -l igb1 v0", "dladm set-linkprop -p maxbw=5 igb1")

    smartos.reboot()

    assert _names(smartos) == ["igb0", "igb1"]
    assert must(smartos, "dladm show-linkprop -c -o value -p maxbw igb1") == "\n"


def test_deleting_with_t_leaves_the_stored_link(omnios: EmulatedHost) -> None:
    must(omnios, "dladm create-vnic -l igb1 v0", "dladm delete-vnic -t v0")

    assert _names(omnios) == ["igb0", "igb1"]
    assert _names(omnios, "dladm show-vnic -P -p -o link") == ["v0"]
    refused = run(omnios, "dladm create-vnic -l igb1 v0")
    assert refused.stderr == "dladm: vnic creation over igb1 failed: object already exists\n"
    must(omnios, "dladm delete-vnic v0")
    assert _names(omnios, "dladm show-vnic -P -p -o link") == []


def test_a_temporary_link_is_not_listed_as_stored(omnios: EmulatedHost) -> None:
    must(omnios, "dladm create-etherstub -t stub0")

    assert _names(omnios, "dladm show-etherstub -p") == ["stub0"]
    assert _names(omnios, "dladm show-etherstub -P -p") == []


def test_an_etherstub_with_vnics_is_busy_until_they_are_gone(omnios: EmulatedHost) -> None:
    must(omnios, "dladm create-etherstub stub0", "dladm create-vnic -l stub0 v0")

    assert run(omnios, "dladm delete-etherstub stub0").stderr == _BUSY
    must(omnios, "dladm delete-vnic v0", "dladm delete-etherstub stub0")
    assert _names(omnios) == ["igb0", "igb1"]


def test_a_vnic_with_an_address_is_busy(omnios: EmulatedHost) -> None:
    must(omnios, "dladm create-vnic -l igb0 v0")
    omnios.links.plumb("v0", "10.0.0.9/24")

    assert run(omnios, "dladm delete-vnic v0").stderr == _BUSY
    assert run(omnios, "dladm rename-link v0 w0").stderr == "dladm: rename operation failed: link busy\n"
    printed = run(omnios, "dladm set-linkprop -p mtu=1400 v0")
    assert printed.stderr == "dladm: warning: cannot set link property 'mtu' on 'v0': link busy\n"
    omnios.links.unplumb("v0")
    must(omnios, "dladm rename-link v0 w0", "dladm delete-vnic w0")


def test_a_vnic_of_a_running_zone_is_busy_and_says_whose_it_is(omnios: EmulatedHost) -> None:
    must(omnios, "dladm create-vnic -l igb0 v0", "dladm create-vnic -l igb0 v1")
    omnios.links.lend("v0", "web1")

    assert run(omnios, "dladm delete-vnic v0").stderr == _BUSY
    assert must(omnios, "dladm show-vnic -p -o link,zone") == "v0:web1\nv1:\n"
    must(omnios, "dladm set-linkprop -t -p zone=web1 v1", "dladm reset-linkprop -t -p zone v0", "dladm delete-vnic v0")
    assert must(omnios, "dladm show-vnic -p -o link,zone") == "v1:web1\n"


def test_a_renamed_link_keeps_what_stands_on_it(omnios: EmulatedHost) -> None:
    must(omnios, "dladm create-etherstub stub0", "dladm create-vnic -l stub0 v0", "dladm rename-link stub0 lan0")

    assert must(omnios, "dladm show-vnic -p -o link,over") == "v0:lan0\n"


def test_two_vnics_may_share_an_address_in_different_vlans_only(omnios: EmulatedHost) -> None:
    must(omnios, "dladm create-vnic -l igb0 -m 2:8:20:1:2:3 v0", "dladm create-vnic -l igb0 -m 2:8:20:1:2:3 -v 5 v1")

    refused = run(omnios, "dladm create-vnic -l igb0 -m 2:8:20:1:2:3 v2")

    assert refused.stderr == "dladm: vnic creation over igb0 failed: MAC address is already in use\n"
    own = must(omnios, "dladm show-phys -m -p -o address igb0").strip()
    refused = run(omnios, f"dladm create-vnic -l igb0 -m {own} v3")
    assert refused.stderr == "dladm: vnic creation over igb0 failed: MAC address reserved for use by underlying data-link\n"


def test_an_address_made_up_begins_as_asked_and_differs_each_time(omnios: EmulatedHost) -> None:
    must(omnios, "dladm create-vnic -l igb0 v0", "dladm create-vnic -l igb0 -m random -r 2:8:21 v1")

    first, second = (omnios.links.link(name).mac for name in ("v0", "v1"))
    assert re.fullmatch(r"02:08:20(:[0-9a-f]{2}){3}", first)
    assert re.fullmatch(r"02:08:21(:[0-9a-f]{2}){3}", second)
    assert first[9:] != second[9:]


def test_a_vlan_is_named_after_its_link_and_id(omnios: EmulatedHost) -> None:
    must(omnios, "dladm create-vlan -l igb1 -v 7", "dladm create-vlan -l igb1 -v 8 lan0")

    assert must(omnios, "dladm show-vlan -p -o link,vid,over") == "igb7001:7:igb1\nlan0:8:igb1\n"
    must(omnios, "dladm delete-vlan igb7001", "dladm delete-vlan lan0")


def test_an_aggregation_takes_free_ports_and_gives_them_back(omnios: EmulatedHost) -> None:
    must(omnios, "dladm create-aggr -P L4,l3 -L active -l igb1 aggr0", "dladm create-vnic -l aggr0 v0")

    assert (
        must(omnios, "dladm show-aggr -p -o link,policy,addrpolicy,lacpactivity,lacptimer") == "aggr0:L3,L4:auto:active:short\n"
    )
    assert must(omnios, "dladm show-link -p -o link,over aggr0") == "aggr0:igb1\n"
    assert must(omnios, "dladm show-aggr -x -p -o port,portstate aggr0") == ":\nigb1:attached\n"
    assert run(omnios, "dladm create-vnic -l igb1 w0").stderr == "dladm: vnic creation over igb1 failed: link busy\n"
    assert run(omnios, "dladm add-aggr -l igb0 aggr0").stderr == "dladm: add operation failed: link busy\n"
    assert run(omnios, "dladm delete-aggr aggr0").stderr == "dladm: delete operation failed: link busy\n"
    must(omnios, "dladm modify-aggr -L off -u 2:8:20:0:0:1 aggr0")
    assert omnios.links.link("aggr0").mac == "02:08:20:00:00:01"
    omnios.links.unplumb("igb0")
    must(omnios, "dladm add-aggr -l igb0 aggr0", "dladm remove-aggr -l igb1 aggr0")
    omnios.reboot()
    assert omnios.links.link("aggr0").over == ("igb0",)
    must(omnios, "dladm delete-vnic v0", "dladm delete-aggr aggr0")
    assert omnios.links.names() == ("igb0", "igb1")


def test_a_stored_link_whose_lower_link_is_gone_does_not_come_up(omnios: EmulatedHost) -> None:
    must(omnios, "dladm create-etherstub -t stub0", "dladm create-vnic -l stub0 v0")

    omnios.reboot()

    assert _names(omnios) == ["igb0", "igb1"]
    assert _names(omnios, "dladm show-vnic -P -p -o link") == ["v0"]


def test_a_half_made_vnic_is_there_but_not_stored(omnios: EmulatedHost) -> None:
    omnios.inject(Fault(FaultKind.HALF, tool="dladm", argv="create-vnic", stderr="dladm: Killed\n"))

    printed = run(omnios, "dladm create-vnic -l igb0 -p maxbw=10M v0")

    assert (printed.exit_code, printed.stderr) == (1, "dladm: Killed\n")
    assert _names(omnios) == ["igb0", "igb1", "v0"]
    assert _names(omnios, "dladm show-vnic -P -p -o link") == []


def test_a_half_deleted_vnic_is_stored_still(omnios: EmulatedHost) -> None:
    must(omnios, "dladm create-vnic -l igb0 v0")
    omnios.inject(Fault(FaultKind.HALF, tool="dladm", argv="delete-vnic"))

    assert run(omnios, "dladm delete-vnic v0").exit_code == 1
    assert (omnios.links.link("v0").active, omnios.links.link("v0").persistent) == (False, True)


@pytest.mark.parametrize("line", ["dladm show-link", "dladm show-linkprop -c -o link,property,value", "dladm show-vnic -P"])
def test_reading_changes_nothing(omnios: EmulatedHost, line: str) -> None:
    must(omnios, line)

    assert not omnios.transcript()[-1].changed
