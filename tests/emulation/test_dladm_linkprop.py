"""Link properties: what may be set, how it reads back, and what a call with several of them says."""

from __future__ import annotations

import pytest

from reconciler.emulation import EmulatedHost, Fault, FaultKind
from tests.emulation.console import must, run


@pytest.fixture
def host(omnios: EmulatedHost) -> EmulatedHost:
    """v0, a stored VNIC over igb0."""
    must(omnios, "dladm create-vnic -l igb0 v0")
    return omnios


def _value(host: EmulatedHost, name: str, link: str = "v0") -> str:
    return must(host, f"dladm show-linkprop -c -o value -p {name} {link}").rstrip("\n")


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("maxbw=100", "  100"),
        ("maxbw=100M", "  100"),
        ("maxbw=2g", " 2000"),
        ("maxbw=1500K", "    1.500"),
        ("maxbw=1200k", "    1.200"),
        ("maxbw=0", "    0"),
        ("priority=LOW", "low"),
        ("mtu=1400", "1400"),
        ("cpus=3,1", "1,3"),
        ("protection=dhcp-nospoof,MAC-nospoof", "mac-nospoof,dhcp-nospoof"),
        ("allowed-ips=10.0.0.5", "10.0.0.5/32"),
        ("allowed-ips=10.0.0.0/24,FE80:0:0::1", "10.0.0.0/24,fe80::1/128"),
        ("allowed-dhcp-cids=0x01,abc", "0x01,abc"),
        ("promisc-filtered=off", "off"),
        ("secondary-macs=2:8:20:0a:0b:0c", "2:8:20:a:b:c"),
        ("tagmode=normal", "normal"),
    ],
)
def test_a_value_reads_back_in_its_own_form(host: EmulatedHost, typed: str, shown: str) -> None:
    must(host, f"dladm set-linkprop -p {typed} v0")

    name, _, text = typed.partition("=")
    assert _value(host, name) == shown
    assert must(host, f"dladm show-linkprop -P -c -o value -p {name} v0") == f"{text}\n"
    must(host, f"dladm reset-linkprop -p {name} v0")
    assert must(host, f"dladm show-linkprop -P -c -o value -p {name} v0") == ""


@pytest.mark.parametrize(
    ("typed", "warning"),
    [
        ("foo=1", "invalid link property 'foo'"),
        ("maxbw", "no value specified for 'maxbw'"),
        ("mtu=", "no value specified for 'mtu'"),
        ("priority=urgent", "link property 'priority' must be one of: low,medium,high"),
        ("mtu=1501", "link property 'mtu' must be one of: 576-1500"),
        ("mtu=many", "link property 'mtu' must be one of: 576-1500"),
        ("promisc-filtered=maybe", "link property 'promisc-filtered' must be one of: off,on"),
        ("maxbw=1199K", "cannot set link property 'maxbw' on 'v0': minimum value for maxbw is 1200K"),
        ("maxbw=50%", "cannot set link property 'maxbw' on 'v0': invalid value"),
        ("maxbw=1,2", "cannot set link property 'maxbw' on 'v0': invalid number of values"),
        ("allowed-ips=10.0.0.300", "cannot set link property 'allowed-ips' on 'v0': invalid value"),
        ("allowed-ips=10.0.0.0/33", "cannot set link property 'allowed-ips' on 'v0': invalid value"),
        (
            "allowed-ips=" + ",".join(f"10.0.0.{number}" for number in range(33)),
            "cannot set link property 'allowed-ips' on 'v0': invalid number of values",
        ),
        ("cpus=8", "cannot set link property 'cpus' on 'v0': non-existent processor ID"),
        ("state=down", "cannot set link property 'state' on 'v0': read-only property"),
        ("flowctrl=no", "cannot set link property 'flowctrl' on 'v0': operation not supported"),
        ("zone=global", "cannot set link property 'zone' on 'v0': change cannot be persistent"),
    ],
)
def test_a_bad_value_only_warns_but_the_exit_code_tells(host: EmulatedHost, typed: str, warning: str) -> None:
    printed = run(host, f"dladm set-linkprop -p {typed} v0")

    assert (printed.exit_code, printed.stdout, printed.stderr) == (1, "", f"dladm: warning: {warning}\n")
    assert must(host, "dladm show-linkprop -P v0") == ""


def test_the_exit_code_of_several_properties_is_that_of_the_last(host: EmulatedHost) -> None:
    warning = "dladm: warning: link property 'priority' must be one of: low,medium,high\n"

    last_is_good = run(host, "dladm set-linkprop -p priority=urgent,maxbw=5 v0")
    last_is_bad = run(host, "dladm set-linkprop -p mtu=1400,priority=urgent v0")

    assert (last_is_good.exit_code, last_is_good.stderr) == (0, warning)
    assert (last_is_bad.exit_code, last_is_bad.stderr) == (1, warning)
    assert (_value(host, "maxbw"), _value(host, "mtu")) == ("    5", "1400")


def test_a_comma_list_goes_on_until_the_next_property(host: EmulatedHost) -> None:
    must(host, "dladm set-linkprop -p allowed-ips=1.2.3.4,1.2.3.5,mtu=1400 -p priority=low v0")

    assert (_value(host, "allowed-ips"), _value(host, "mtu"), _value(host, "priority")) == (
        "1.2.3.4/32,1.2.3.5/32",
        "1400",
        "low",
    )


def test_several_fields_escape_colons_in_values_and_one_field_does_not(host: EmulatedHost) -> None:
    must(host, "dladm set-linkprop -p allowed-ips=fe80::1 v0")

    assert _value(host, "allowed-ips") == "fe80::1/128"
    assert must(host, "dladm show-linkprop -c -o link,value -p allowed-ips v0") == r"v0:fe80\:\:1/128" + "\n"


def test_a_temporary_change_is_not_stored(host: EmulatedHost) -> None:
    must(host, "dladm set-linkprop -p maxbw=5 v0", "dladm set-linkprop -t -p maxbw=7 v0")
    assert _value(host, "maxbw") == "    7"

    host.reboot()

    assert _value(host, "maxbw") == "    5"


def test_what_is_set_on_a_temporary_link_is_only_active(host: EmulatedHost) -> None:
    must(host, "dladm create-vnic -t -l igb0 t0", "dladm set-linkprop -p maxbw=5 t0")

    assert _value(host, "maxbw", "t0") == "    5"
    assert must(host, "dladm show-linkprop -P -c -o value t0") == ""


def test_resetting_without_names_resets_all(host: EmulatedHost) -> None:
    must(host, "dladm set-linkprop -p maxbw=5,mtu=1400,priority=low v0", "dladm reset-linkprop v0")

    assert host.links.link("v0").properties == {}
    assert host.links.link("v0").mtu == 1500
    assert must(host, "dladm show-linkprop -P v0") == ""


def test_cpus_and_pool_exclude_each_other(host: EmulatedHost) -> None:
    must(host, "dladm set-linkprop -p cpus=1 v0")

    printed = run(host, "dladm set-linkprop -p pool=p v0")

    assert printed.stderr == (
        "dladm: warning: cannot set link property 'pool' on 'v0': pool and cpus property are mutually exclusive\n"
    )


def test_a_property_that_a_class_lacks_has_a_line_for_programs_only(host: EmulatedHost) -> None:
    assert must(host, "dladm show-linkprop -c -o link,property,perm,value -p flowctrl v0") == "v0:flowctrl::\n"
    assert must(host, "dladm show-linkprop -p flowctrl v0") == ""
    assert run(host, "dladm show-linkprop -p foo v0").stderr == "dladm: invalid link property 'foo'\n"


def test_setting_stops_between_properties_when_it_is_cut_off(host: EmulatedHost) -> None:
    host.inject(Fault(FaultKind.HALF, tool="dladm"))

    assert run(host, "dladm set-linkprop -p maxbw=5,mtu=1400 v0").exit_code == 1
    assert (_value(host, "maxbw"), _value(host, "mtu")) == ("    5", "1500")


def test_properties_of_an_absent_link_are_refused(host: EmulatedHost) -> None:
    assert run(host, "dladm set-linkprop -p mtu=1400 x0").stderr == "dladm: link x0 is not valid: object not found\n"
    assert run(host, "dladm set-linkprop v0").stderr == "dladm: link property must be specified\n"


def test_only_smartos_has_dynamic_methods(smartos: EmulatedHost, host: EmulatedHost) -> None:
    must(smartos, "dladm set-linkprop -p dynamic-methods=slaac,dhcpv4 igb1")

    assert _value(smartos, "dynamic-methods", "igb1") == "dhcpv4,slaac"
    assert run(host, "dladm set-linkprop -p dynamic-methods=slaac v0").exit_code == 1
