"""Nic tags of SmartOS: the file that holds them, the links that they name, what keeps them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reconciler.emulation import EmulatedHost, EmulationError, Fault, FaultKind
from reconciler.emulation.guests.rows import Guest, save
from tests.emulation.console import must, run


def _mac(host: EmulatedHost, link: str) -> str:
    return host.links.link(link).mac


def _config(host: EmulatedHost) -> Mapping[str, str]:
    lines = must(host, "cat /usbkey/config").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _put_guest(host: EmulatedHost, uuid: str, tag: str) -> None:
    state = host._state
    with state.changing():
        save(
            state,
            Guest(
                uuid,
                {
                    "uuid": uuid,
                    "brand": "joyent-minimal",
                    "zpool": "zones",
                    "nics": [{"nic_tag": tag, "interface": "net0"}],
                    **{name: {} for name in ("customer_metadata", "internal_metadata", "routes", "tags")},
                },
                {"state": "stopped", "zone_state": "installed", "boots": 0, "zonedid": 1},
            ),
        )


def test_a_host_begins_with_two_tags(smartos: EmulatedHost) -> None:
    admin, external = _mac(smartos, "igb0"), _mac(smartos, "igb1")

    assert must(smartos, "nictagadm list -p -d '|'") == f"admin|{admin}|igb0|normal\nexternal|{external}|igb1|normal\n"
    escaped = admin.replace(":", "\\:")
    assert must(smartos, "nictagadm list -p").splitlines()[0] == f"admin:{escaped}:igb0:normal"
    assert [line.split() for line in must(smartos, "nictagadm list").splitlines()] == [
        ["NAME", "MACADDRESS", "LINK", "TYPE"],
        ["admin", admin, "igb0", "normal"],
        ["external", external, "igb1", "normal"],
    ]
    assert (_config(smartos)["admin_nic"], _config(smartos)["admin_ip"]) == (admin, "10.0.0.2")


def test_an_etherstub_tag_is_a_link_that_comes_back_at_boot(smartos: EmulatedHost) -> None:
    must(smartos, "nictagadm add -l stub0", "nictagadm add -l stub1", "dladm create-etherstub stub2")

    assert must(smartos, "dladm show-etherstub -p") == "stub0\nstub1\nstub2\n"
    assert must(smartos, "dladm show-etherstub -P -p") == "stub2\n"
    assert _config(smartos)["etherstub"] == "stub0,stub1"
    smartos.reboot()
    assert must(smartos, "dladm show-etherstub -p") == "stub0\nstub1\n"
    assert must(smartos, "nictagadm list -p -l") == "stub0:-:-:etherstub\nstub1:-:-:etherstub\n"
    assert "stub0" not in must(smartos, "nictagadm list -p -L")


def test_deleting_an_etherstub_tag_takes_the_link_away(smartos: EmulatedHost) -> None:
    must(smartos, "nictagadm add -l stub0", "nictagadm delete stub0")

    assert not smartos.links.exists("stub0")
    assert "etherstub" not in _config(smartos)


def test_an_etherstub_with_vnics_is_not_deleted_even_by_force(smartos: EmulatedHost) -> None:
    must(smartos, "nictagadm add -l stub0", "dladm create-vnic -t -l stub0 v0")

    printed = run(smartos, "nictagadm delete -f stub0")

    assert (printed.exit_code, printed.stderr) == (
        1,
        "Error: could not delete etherstub 'stub0': vnic deletion failed: link busy\n",
    )
    assert must(smartos, "nictagadm exists stub0") == ""


def test_a_tag_may_be_one_more_name_of_a_link(smartos: EmulatedHost) -> None:
    must(smartos, f"nictagadm add storage {_mac(smartos, 'igb1')}", "nictagadm add -p mac=" + _mac(smartos, "igb0") + " lan")

    assert [(tag.name, tag.link) for tag in smartos.links.tags()] == [
        ("admin", "igb0"),
        ("external", "igb1"),
        ("storage", "igb1"),
        ("lan", "igb0"),
    ]
    must(smartos, "nictagadm delete storage")
    assert "storage_nic" not in _config(smartos)


def test_a_tag_of_an_aggregation_has_no_address(smartos: EmulatedHost) -> None:
    must(smartos, "nictagadm delete external", "dladm create-aggr -t -l igb1 aggr0", "nictagadm add bulk aggr0")

    assert must(smartos, "nictagadm list -p -d '|'").splitlines()[-1] == "bulk|-|aggr0|aggr"
    assert _config(smartos)["bulk_nic"] == "aggr0"


def test_the_mtu_of_a_tag_counts_after_a_reboot(smartos: EmulatedHost) -> None:
    printed = run(smartos, "nictagadm update -p mtu=9000 external")

    assert (printed.exit_code, printed.stdout) == (0, "")
    assert "next reboot" in printed.stderr
    assert smartos.links.link("igb1").mtu == 1500
    smartos.reboot()
    assert smartos.links.link("igb1").mtu == 9000


@pytest.mark.parametrize(
    ("line", "code", "complaint"),
    [
        ("exists admin foo bar", 1, "invalid tag: foo\ninvalid tag: bar\n"),
        ("exists -l admin foo bar", 1, "foo\nbar\n"),
        ("exists admin external", 0, ""),
        ("add admin 2:8:20:1:2:3", 1, "Error: nic tag 'admin' already exists\n"),
        ("add -l admin", 1, "Error: etherstub names must end in a number\n"),
        ("add foo 2:8:20:1:2:3", 1, "Error: No physical nic found with MAC address '2:8:20:1:2:3'\n"),
        ("delete foo", 1, "Error: nic tag 'foo' does not exist\n"),
        ("update -p mtu=9000 foo", 1, "Error: nic tag 'foo' does not exist\n"),
        ("vms foo", 1, "Error: nic tag 'foo' does not exist\n"),
        ("delete admin", 1, "Error: nic tag 'admin' is in use\n"),
    ],
)
def test_an_answer_has_its_exit_code_and_text_on_stderr(smartos: EmulatedHost, line: str, code: int, complaint: str) -> None:
    printed = run(smartos, f"nictagadm {line}")

    assert (printed.exit_code, printed.stdout, printed.stderr) == (code, "", complaint)


@pytest.mark.parametrize("line", ["", "frob", "add", "add foo", "delete", "exists", "list -l -L", "list -d x", "update admin"])
def test_misuse_exits_with_2_and_the_usage(smartos: EmulatedHost, line: str) -> None:
    printed = run(smartos, f"nictagadm {line}")

    assert printed.exit_code == 2
    assert "Usage:\n" in printed.stderr


@pytest.mark.parametrize(
    "line", ["add a-b {mac}", "add {long} {mac}", "add -p mtu=9001 foo {mac}", "add -p mtu=1499 foo {mac}"]
)
def test_a_name_or_mtu_out_of_range_is_refused(smartos: EmulatedHost, line: str) -> None:
    printed = run(smartos, "nictagadm " + line.format(mac=_mac(smartos, "igb1"), long="x" * 31))

    assert printed.exit_code == 1
    assert [tag.name for tag in smartos.links.tags()] == ["admin", "external"]


def test_a_tag_of_a_guest_is_in_use_though_the_guest_is_stopped(smartos: EmulatedHost) -> None:
    _put_guest(smartos, "11111111-1111-4111-8111-111111111111", "external")

    assert must(smartos, "nictagadm vms external") == "11111111-1111-4111-8111-111111111111\n"
    assert must(smartos, "nictagadm vms admin") == ""
    assert run(smartos, "nictagadm delete external").stderr == "Error: nic tag 'external' is in use\n"
    must(smartos, "nictagadm delete -f external")


def test_an_etherstub_tag_that_was_cut_off_is_a_link_without_a_tag(smartos: EmulatedHost) -> None:
    smartos.inject(Fault(FaultKind.HALF, tool="nictagadm"))

    assert run(smartos, "nictagadm add -l stub0").exit_code == 1
    assert smartos.links.exists("stub0")
    assert run(smartos, "nictagadm exists stub0").exit_code == 1
    must(smartos, "nictagadm add -l stub0", "nictagadm exists stub0")


def test_other_systems_have_no_nic_tags(omnios: EmulatedHost) -> None:
    assert run(omnios, "nictagadm list").exit_code == 127
    assert run(omnios, "cat /usbkey/config").exit_code == 2
    with pytest.raises(EmulationError, match="no link 'x0'"):
        omnios.links.link("x0")
