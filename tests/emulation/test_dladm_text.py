"""What dladm prints, for people and for programs, and what it complains of."""

from __future__ import annotations

import pytest

from reconciler.emulation import EmulatedHost
from tests.emulation.console import must, run

_USAGE = "usage: dladm <subcommand> <args> ...\n"


@pytest.fixture
def host(omnios: EmulatedHost) -> EmulatedHost:
    """igb0 and igb1; stub0 with int0 over it; web0 over igb0 with VLAN 20."""
    must(
        omnios,
        "dladm create-etherstub stub0",
        "dladm create-vnic -l stub0 -m 2:8:20:c4:0:9 int0",
        "dladm create-vnic -l igb0 -v 20 -m 02:08:20:0a:01:ff -p maxbw=100M web0",
    )
    return omnios


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "show-vnic -p -o link,over,speed,macaddress,macaddrtype,vid,zone web0",
            r"web0:igb0:1000:2\:8\:20\:a\:1\:ff:fixed:20:",
        ),
        ("show-vnic -p -o macaddress web0", "2:8:20:a:1:ff"),
        ("show-vnic -p -o VID,Link web0", "20:web0"),
        ("show-vnic -p -o link,speed -l stub0", "int0:0"),
        ("show-link -p -o link,class,mtu,state,bridge,over web0", "web0:vnic:1500:up::igb0"),
        ("show-link -p -o link,class,mtu,state,bridge,over stub0", "stub0:etherstub:9000:unknown::"),
        ("show-link -p -o link,class,mtu,state,bridge,over igb0", "igb0:phys:1500:up::"),
        ("show-link -P -p -o link,class,mtu,over web0", "web0:vnic::igb0"),
        ("show-etherstub -p", "stub0"),
        ("show-phys -p -o link,media,state,speed,duplex,device igb1", "igb1:Ethernet:up:1000:full:igb1"),
        ("show-linkprop -c -o link,property,perm,value,default -p maxbw web0", "web0:maxbw:rw:  100:--"),
        ("show-linkprop -c -o link,property,perm,value,default -p priority web0", "web0:priority:rw:high:high"),
        ("show-linkprop -c -o link,property,perm,value,default -p mtu web0", "web0:mtu:rw:1500:1500"),
        ("show-linkprop -c -o link,property,perm,value,default -p allowed-ips web0", "web0:allowed-ips:rw::--"),
        ("show-linkprop -P -c -o link,property,value", "web0:maxbw:100M"),
        ("show-overlay -p -o link", ""),
        ("show-bridge -p -o bridge", ""),
        ("show-aggr -p -o link", ""),
    ],
)
def test_parsable_output_is_to_the_byte(host: EmulatedHost, line: str, expected: str) -> None:
    assert must(host, f"dladm {line}") == (f"{expected}\n" if expected else "")


def test_people_see_a_header_and_dashes_for_nothing(host: EmulatedHost) -> None:
    assert must(host, "dladm show-link").splitlines()[:4] == [
        "LINK        CLASS     MTU    STATE    BRIDGE     OVER",
        "igb0        phys      1500   up       --         --",
        "igb1        phys      1500   up       --         --",
        "stub0       etherstub 9000   unknown  --         --",
    ]
    assert must(host, "dladm show-vnic web0").splitlines() == [
        "LINK         OVER         SPEED  MACADDRESS        MACADDRTYPE  VID   ZONE",
        "web0         igb0         1000   2:8:20:a:1:ff     fixed        20    --",
    ]


def test_an_unknown_field_is_left_out_for_people_with_a_warning(host: EmulatedHost) -> None:
    printed = run(host, "dladm show-vnic -o foo,link web0")

    assert (printed.exit_code, printed.stderr) == (0, "dladm: warning: ignoring unknown output field: `foo'\n")
    assert printed.stdout == "LINK\nweb0\n"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        # The output engine.
        ("show-vnic -p", "output fields must be specified in parsable mode"),
        ("show-linkprop -c", "output fields must be specified in parsable mode"),
        ("show-aggr -p", "output fields must be specified in parsable mode"),
        ("show-link -p", "-p requires -o"),
        ("show-phys -p", "-p requires -o"),
        ("show-link -p -o all", '"-o all" is invalid with -p'),
        ("show-vnic -p -o all", "output field `all' invalid in parsable mode"),
        ("show-vnic -p -o link,foo", "unknown output field: `foo'"),
        ("show-vnic -p -o foo,link,bar", "unknown output fields: `foo' `bar'"),
        ("show-vnic -o foo", "no valid output fields"),
        # Absent links and wrong classes.
        ("show-link x0", "link x0 is not valid: object not found"),
        ("show-linkprop x0", "link x0 is not valid: object not found"),
        ("show-vnic x0", "invalid vnic name 'x0': object not found"),
        ("delete-vnic x0", "invalid link name 'x0'"),
        ("delete-etherstub x0", "invalid link name 'x0'"),
        ("delete-vlan x0", "delete operation failed: object not found"),
        ("delete-aggr x0", "delete operation failed: object not found"),
        ("delete-vnic stub0", "'stub0' is not a vnic"),
        ("delete-etherstub web0", "'web0' is not an etherstub"),
        # Names.
        ("create-etherstub vnic", "invalid link name 'vnic'"),
        ("create-etherstub v01", "invalid link name 'v01'"),
        ("create-etherstub 0v1", "invalid link name '0v1'"),
        ("create-etherstub a-b0", "invalid link name 'a-b0'"),
        ("create-etherstub v4294967296", "invalid link name 'v4294967296'"),
        (f"create-etherstub {'x' * 31}0", f"link name too long '{'x' * 31}0'"),
        # What is there already.
        ("create-etherstub stub0", "etherstub creation failed: object already exists"),
        ("create-etherstub web0", "etherstub creation failed: object already exists"),
        ("create-vnic -l igb0 web0", "vnic creation over igb0 failed: object already exists"),
        ("create-vlan -l igb1 -v 7 web0", "create operation failed: object already exists"),
        # What the VNIC is to stand on, and be.
        ("create-vnic -l nope0 x0", "invalid link name 'nope0'"),
        ("create-vnic -l web0 x0", "vnic creation over web0 failed: operation not supported"),
        ("create-vnic -l igb0 -v 5000 x0", "invalid VLAN identifier '5000'"),
        ("create-vnic -l igb0 -v 0 x0", "invalid VLAN identifier '0'"),
        ("create-vnic -l igb0 -m foo x0", "invalid MAC address"),
        ("create-vnic -l igb0 -m 1:2:3:4:5:6 x0", "invalid MAC address"),
        ("create-vnic -l igb0 -v 20 -m 2:8:20:a:1:ff x0", "vnic creation over igb0 failed: MAC address is already in use"),
        ("create-vnic -l igb0 -p maxbw x0", "invalid vnic property"),
        ("create-vnic -l igb0 -p foo=1 x0", "vnic creation over igb0 failed: object not found"),
        ("create-vnic -l igb0 -p priority=urgent x0", "vnic creation over igb0 failed: invalid value"),
        ("create-vnic -l igb0 -p mtu=1501 x0", "vnic creation over igb0 failed: invalid value"),
        ("create-vnic -l igb0 -p maxbw=1K x0", "vnic creation over igb0 failed: minimum value for maxbw is 1200K"),
        (
            f"create-vnic -l igb0 -p allowed-dhcp-cids={'x' * 2048} x0",
            f"property list too long 'allowed-dhcp-cids={'x' * 2048}'",
        ),
        # Busy.
        ("delete-etherstub stub0", "vnic deletion failed: link busy"),
        ("rename-link igb0 net0", "rename operation failed: link busy"),
        ("create-aggr -l igb0 aggr0", "create operation failed: link busy"),
        # Renaming.
        ("rename-link x0 y0", "rename operation failed: object not found"),
        ("rename-link web0 int0", "rename operation failed: object already exists"),
        ("rename-link web0 bad", "invalid link name 'bad'"),
    ],
)
def test_what_can_not_be_is_complained_of_and_changes_nothing(host: EmulatedHost, line: str, complaint: str) -> None:
    before = must(host, "dladm show-link")
    host.clear_transcript()

    printed = run(host, f"dladm {line}")

    assert (printed.exit_code, printed.stdout, printed.stderr) == (1, "", f"dladm: {complaint}\n")
    assert must(host, "dladm show-link") == before


@pytest.mark.parametrize("line", ["", "create-vnic", "create-vnic x0", "show-link a0 b0", "set-linkprop", "create-aggr aggr0"])
def test_an_incomplete_command_line_gets_the_usage(host: EmulatedHost, line: str) -> None:
    printed = run(host, f"dladm {line}")

    assert (printed.exit_code, printed.stdout) == (1, "")
    assert printed.stderr.startswith(_USAGE)


def test_an_unknown_subcommand_or_option_is_named(host: EmulatedHost) -> None:
    assert run(host, "dladm modify-vnic web0").stderr.startswith(f"dladm: unknown subcommand 'modify-vnic'\n{_USAGE}")
    assert run(host, "dladm create-vnic -Q").stderr.startswith("dladm: unrecognized option '-Q'\nusage: dladm create-vnic")
    assert run(host, "dladm create-vnic -l").stderr.startswith("dladm: option '-l' requires a value\nusage: dladm create-vnic")


def test_options_may_follow_operands_and_be_spelled_out(host: EmulatedHost) -> None:
    must(host, "dladm create-vnic x0 --link=igb1 --temporary -v3")

    assert must(host, "dladm show-vnic x0 -po over,vid") == "igb1:3\n"


@pytest.mark.parametrize(
    "argv",
    [
        ["show-link", "\udcff"],
        ["show-vnic", "-l", "\udcff"],
        ["create-etherstub", "é0"],
        ["create-vnic", "-l", "igb0", "-m", "²:8:20:1:2:3", "x0"],
        ["create-vnic", "-l", "igb0", "-v", "²", "x0"],
        ["set-linkprop", "-p", "pool=\udcff", "web0"],
        ["set-linkprop", "-p", "maxbw=²", "web0"],
        ["set-linkprop", "-p", "\udcff=1", "web0"],
        ["show-linkprop", "-p", "", "web0"],
        ["rename-link", "web0", ""],
        ["show-link", "-o", ""],
        ["create-vnic", "-l", "", "x0"],
    ],
)
def test_odd_bytes_are_refused_like_any_other_name(host: EmulatedHost, argv: list[str]) -> None:
    answer = host.run(["dladm", *argv])

    assert (answer.exit_code, answer.stderr[:7]) == (1, b"dladm: ")
