"""Ports on Linux: what was made is read back as it was wanted, and what somebody changed by hand is told."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from providers.tools import linux_filters, linux_ports
from providers.tools.linux_filters import SHOW_FILTERS, Filter, read_filters, stand
from providers.tools.linux_kernel import EGRESS, FACTS, VLAN_FILTERING, read_links_facts
from providers.tools.linux_limits import SHOW_LIMITS, read_limits
from providers.tools.linux_link_errors import explain
from providers.tools.linux_links import SHOW_LINKS, read_default_routes, read_links
from providers.tools.linux_marks import LONGEST, LinkMark, read_alias
from providers.tools.linux_ports import Port, Style, alter, differs, make, port_name, port_of_nic, read_ports, unmake
from providers.tools.linux_vlans import SHOW_VLANS, read_vlans
from reconciler.model.command import Command, Completed, Ending, Outputs, Probe, RetryClass
from reconciler.model.errors import ReadError
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.observed import Mark
from reconciler.model.value import Fields
from tests.providers.links_ground import MACVLAN0, PORTS, VM1, VNIC0, VNIC1, WEB1, of_nic

_FOLDER = Path(__file__).parent / "output" / "iproute2-6.1.0"
FILES: Mapping[str, Probe] = {
    "links.json": SHOW_LINKS,
    "filters.json": SHOW_FILTERS,
    "limits.json": SHOW_LIMITS,
    "vlans.json": SHOW_VLANS,
}
RECORDED = {name: (_FOLDER / name).read_text() for name in FILES}


def outputs(**texts: str) -> Outputs:
    """The recorded answers, with some in place of theirs (`links`, `filters`, `limits`, `vlans`)."""
    return {
        probe.name: Completed(probe.command, Ending.EXITED, 0, texts.get(name.partition(".")[0], RECORDED[name]))
        for name, probe in FILES.items()
    }


def edited(name: str, edit: Callable[[Any], object]) -> str:
    document = json.loads(RECORDED[f"{name}.json"])
    edit(document)
    return json.dumps(document) + "\n"


def link(links: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(one for one in links if one["ifname"] == name)


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.name)
def test_a_port_that_we_made_is_read_back_as_it_was_wanted(port: Port) -> None:
    brought_down = ("up",) if port is WEB1 else ()

    assert differs(port, read_ports(outputs())[port.name]) == brought_down


def test_what_the_guests_end_tells_comes_from_the_mark_when_it_is_in_the_guest() -> None:
    seen = read_ports(outputs())["web1_0"]

    assert (seen.guest_end_here, seen.mac, seen.mtu) == (False, WEB1.mac, 1400)
    assert seen.of is not None
    assert (seen.of.mark.name, seen.of.nic) == (ObjectName("Zone", "web1"), "net0")


@pytest.mark.parametrize(
    ("wanted", "fields"),
    [
        (replace(VNIC0, over="br0"), ("over", "mark")),
        (replace(VNIC0, mac="02:08:20:00:00:99"), ("mac", "filter", "mark")),
        (replace(VNIC0, mtu=1300), ("mtu", "mark")),
        (replace(VNIC0, mtu=None), ("mark",)),
        (replace(VNIC0, vlan=5), ("vlan",)),
        (replace(VNIC0, max_bandwidth=20_000_000), ("maxBandwidth",)),
        (replace(VNIC0, max_bandwidth=None), ("maxBandwidth", "filter")),
        (replace(VNIC0, allow=frozenset()), ("filter", "mark")),
        (replace(VNIC0, ips=VNIC0.ips[:-1]), ("filter",)),
        (replace(VNIC0, style=Style.TAP), ("style",)),
        (replace(VNIC0, mark=of_nic("Zone", "other")), ("mark",)),
    ],
)
def test_what_is_not_as_wanted_is_named(wanted: Port, fields: tuple[str, ...]) -> None:
    assert differs(wanted, read_ports(outputs())["vnic0"]) == fields


def _without_rules(chain: str, comment: str) -> Callable[[Any], object]:
    def edit(document: Any) -> None:
        document["nftables"] = [
            entry
            for entry in document["nftables"]
            if not (entry.get("rule", {}).get("chain") == chain and entry["rule"].get("comment") == comment)
        ]

    return edit


def _limit(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    options: dict[str, Any] = next(one["options"] for one in found if one["dev"] == name)
    return options


def _accepting(document: Any) -> None:
    """Somebody made a rule that drops into one that accepts."""
    rule = next(entry["rule"] for entry in document["nftables"] if entry.get("rule", {}).get("chain") == "sent/vnic0")
    rule["expr"] = [*(part for part in rule["expr"] if "drop" not in part), {"accept": None}]


@pytest.mark.parametrize(
    ("texts", "fields"),
    [
        ({"filters": '{"nftables": []}'}, ("maxBandwidth", "filter")),
        ({"filters": edited("filters", _without_rules("sent/vnic0", "mac"))}, ("filter",)),
        ({"filters": edited("filters", _without_rules("sent/vnic0", "limit"))}, ("maxBandwidth", "filter")),
        ({"filters": edited("filters", _accepting)}, ("filter",)),
        ({"limits": "[]\n"}, ("maxBandwidth",)),
        ({"limits": edited("limits", lambda found: _limit(found, "vnic0i").update(rate=1))}, ("maxBandwidth",)),
        ({"limits": edited("limits", lambda found: _limit(found, "vnic0").update(rate=1))}, ("maxBandwidth",)),
        ({"links": edited("links", lambda found: link(found, "vnic0").update(mtu=1280))}, ("mtu",)),
        ({"links": edited("links", lambda found: link(found, "vnic0").pop("master"))}, ("over",)),
        ({"links": edited("links", lambda found: link(found, "vnic0g").update(address="02:08:20:00:00:99"))}, ("mac",)),
        ({"links": edited("links", lambda found: found.remove(link(found, "vnic0i")))}, ("maxBandwidth",)),
    ],
)
def test_what_was_changed_by_hand_is_named(texts: dict[str, str], fields: tuple[str, ...]) -> None:
    assert differs(VNIC0, read_ports(outputs(**texts))["vnic0"]) == fields


def test_the_addresses_of_a_port_are_read_back_as_they_were_given() -> None:
    filters = read_filters(RECORDED["filters.json"])

    assert {name: found.ips for name, found in filters.items()} == {
        "vnic0": VNIC0.ips,
        "vnic1": (),
        "mac0": (),
        "web1_0": ("10.0.0.6/32",),
        "vm1_0": (),
    }


def test_addresses_that_are_stated_and_not_enforced_are_kept_in_mind() -> None:
    counted = Filter("02:08:20:00:00:01", frozenset({linux_filters.IP}), ("10.0.0.5/32",))

    rules = [str(rule) for rule in counted.rules if rule.comment == linux_filters.IP]
    assert rules[1] == 'ip saddr != 0.0.0.0 ip saddr != 10.0.0.5 counter comment "ip"'
    assert not any("drop" in rule for rule in rules)


def test_who_gets_addresses_from_the_wire_may_use_what_nobody_knows() -> None:
    def families(*ips: str) -> set[str]:
        rules = Filter("02:08:20:00:00:01", ips=ips).rules
        return {rule.matches[0].left.split(" ")[0] for rule in rules if rule.comment == linux_filters.IP}

    assert families() == set()
    assert families("10.0.0.5/32") == {"arp", "ip", "ip6"}
    assert families("dhcp", "2001:db8::5/128") == {"ip6"}
    assert families("10.0.0.5/32", "addrconf") == {"arp", "ip"}
    assert families("dhcp", "addrconf") == set()


def test_a_filter_is_replaced_whole_in_one_transaction() -> None:
    lines = stand("web1_0", Filter("02:08:20:00:00:01"), "x" * 300)

    *before, chain = lines[:9]
    assert before == [
        "add table netdev reconciler",
        "add chain netdev reconciler in-use",
        "add chain netdev reconciler sent/web1_0",
        "flush chain netdev reconciler sent/web1_0",
        "delete chain netdev reconciler sent/web1_0",
        "add chain netdev reconciler received/web1_0",
        "flush chain netdev reconciler received/web1_0",
        "delete chain netdev reconciler received/web1_0",
    ]
    assert chain.startswith("add chain netdev reconciler sent/web1_0 { type filter hook ingress device")
    assert len(chain.split('"')[3]) == 127, "nft takes no longer comment"
    assert all(line.startswith("add rule netdev reconciler sent/web1_0 ") for line in lines[9:])


def texts(commands: tuple[Command, ...]) -> list[str]:
    return [command.argv[-1] if command.stdin is None else f"{command} <<< {command.stdin}" for command in commands]


@pytest.mark.parametrize("port", PORTS, ids=lambda port: port.name)
def test_a_port_goes_up_last_and_when_its_filter_stands(port: Port) -> None:
    made = texts(make(port))
    up = [number for number, text in enumerate(made) if f"set dev {port.name} " in text and text.rstrip().endswith(" up")]

    assert up == [len(made) - 1]
    assert any("add chain netdev" in text for text in made[:-1])


def test_a_port_without_limit_needs_no_tc() -> None:
    assert not any("tc " in text for text in texts(make(VNIC1)))
    assert [command.argv[0] for command in make(VNIC0)] == ["sh", "sh", "tc", *(command.argv[0] for command in make(VNIC1)[1:])]


def test_a_port_is_in_its_vlan_before_it_is_up_and_only_where_the_bridge_keeps_them_apart() -> None:
    *_, plug, vlan, up = make(replace(WEB1, vlan=10))

    assert plug.argv[-1].endswith("master es0")
    assert vlan.argv[3:] == ("set-vlan", "es0")
    assert vlan.stdin == "vlan del dev web1_0 vid 1-4094\nvlan add dev web1_0 vid 10 pvid untagged\n"
    assert up.stdin == "link set dev web1_0 up\n"


def test_what_is_altered_is_what_differs() -> None:
    def altered(port: Port, *fields: str) -> list[str]:
        return [" ".join(command.argv[3:4] or command.argv) for command in alter(port, fields, guest_end_here=True)]

    assert altered(VNIC0) == []
    assert altered(VNIC0, "mtu") == ["set-link", "plug-port"]
    assert altered(VNIC0, "maxBandwidth") == ["make-link", "tc -batch -", altered(VNIC0, "filter")[0]]
    assert altered(replace(VNIC0, max_bandwidth=None), "maxBandwidth")[1:] == ["tc -batch -", "remove-links"]
    assert altered(VNIC0, "mark") == altered(VNIC0, "up") == altered(VNIC0, "over") == ["plug-port"]


def test_a_port_goes_with_all_its_parts_and_its_filter_goes_last() -> None:
    links, rules, tidy = unmake("web1_0")

    assert links.argv[3:] == ("remove-links", "web1_0", "web1_0i")
    assert "delete chain netdev reconciler sent/web1_0" in str(rules.stdin)
    assert tidy.argv[3] == "tidy-filters"


def test_the_names_of_ports_are_short_and_differ() -> None:
    guests = ("web1", "a" * 12, "a" * 13, "a" * 40, "a" * 39 + "b", "web-server-in-front.example")
    names = [port_name(guest, number) for guest in guests for number in (0, 1, 11)]

    assert names[:3] == ["web1_0", "web1_1", "web1_11"]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) == linux_ports.LONGEST_NAME


def test_a_nic_gives_its_port_all_its_addresses() -> None:
    nic: Fields = {
        "over": "es0",
        "mac": "02:08:20:00:00:04",
        "ips": ("10.0.0.6/24", "2001:db8::6/64", "dhcp"),
        "vlan": 0,
        "allow.ips": ("10.9.0.0/16",),
        "allow.macSpoofing": True,
        "allow.ipSpoofing": False,
    }
    port = port_of_nic("web1_0", of_nic("Zone", "web1"), Style.VETH, nic)

    assert port.ips == ("10.0.0.6/32", "2001:db8::6/128", "dhcp", "10.9.0.0/16")
    assert (port.vlan, port.mtu, port.allow) == (None, None, frozenset({"mac"}))


@pytest.mark.parametrize(
    "mark",
    [
        LinkMark(Mark("lab", ObjectName("VNIC", "vnic0"), "4c4c4544", Protect.ALL, OnRemoval.ORPHAN), mac="02:08:20:00:00:01"),
        LinkMark(
            Mark("lab", ObjectName("Zone", "web1.a-b")), "net0", "02:08:20:00:00:01", "es0", 1400, frozenset({"ip", "mac"})
        ),
    ],
)
def test_a_mark_is_read_back_as_it_was_written(mark: LinkMark) -> None:
    assert read_alias(str(mark)) == mark
    assert "#" not in str(mark), "ip -batch would take it for a comment"


def test_a_mark_that_is_too_long_leaves_out_what_has_no_room() -> None:
    mark = LinkMark(Mark("o" * 32, ObjectName("VirtualMachine", "g" * 150)), "n" * 30, "02:08:20:00:00:01", "e" * 15, 9000)

    read = read_alias(str(mark))
    assert len(str(mark)) <= LONGEST
    assert read is not None
    assert (read.mark.name, read.nic) == (mark.mark.name, mark.nic)


def test_what_a_mark_does_not_say_right_stays_on_the_safe_side() -> None:
    read = read_alias("reconciler:lab:VNIC/vnic0 protect=everything on-removal=burn mtu=many more")

    assert read is not None
    assert (read.mark.protect, read.mark.on_removal, read.mtu) == (Protect.ALL, None, 0)
    assert read_alias("uplink of rack 3") is None
    garbled = read_alias("reconciler:lab")
    assert garbled is not None
    assert garbled.mark.name.kind == "Unknown"


def test_a_host_without_any_link_can_not_be() -> None:
    for text in ("", "[]\n", "[{}]\n"):
        with pytest.raises(ReadError):
            read_links(text)


@pytest.mark.parametrize(("read", "name"), [(read_links, "links"), (read_limits, "limits"), (read_filters, "filters")])
def test_output_that_was_cut_short_is_an_error(read: Callable[[str], object], name: str) -> None:
    text = RECORDED[f"{name}.json"]
    for end in range(1, len(text), len(text) // 7):
        with pytest.raises(ReadError):
            read(text[:end])


def test_a_default_route_with_several_hops_leaves_by_each() -> None:
    several = '[{"dst":"default","nexthops":[{"gateway":"10.0.0.1","dev":"eth0"},{"gateway":"10.0.1.1","dev":"eth1"}]}]\n'
    one = (_FOLDER / "default-routes.json").read_text()

    assert read_default_routes(one, (_FOLDER / "default-routes6.json").read_text()) == {"br0"}
    assert read_default_routes(several, "[ ]\n", "") == {"eth0", "eth1"}


def test_a_port_is_in_the_vlan_of_its_untagged_frames() -> None:
    # As iproute2 6.1 writes it (bridge/vlan.c); the kernel that the rest was recorded on keeps no VLANs apart.
    shown = [
        {"ifname": "es0", "vlans": [{"vlan": 1, "flags": ["PVID", "Egress Untagged"]}]},
        {"ifname": "web1_0", "vlans": [{"vlan": 10, "flags": ["PVID", "Egress Untagged"]}]},
        {"ifname": "trunk0", "vlans": [{"vlan": 1, "flags": ["PVID", "Egress Untagged"]}, {"vlan": 20}]},
    ]

    assert read_vlans(json.dumps(shown) + "\n") == {"web1_0": 10}
    seen = read_ports(outputs(vlans=json.dumps(shown) + "\n"))["web1_0"]
    assert differs(replace(WEB1, vlan=10), seen) == ("up",)
    assert differs(WEB1, seen) == ("vlan", "up")


def facts(text: str) -> Completed:
    return Completed(FACTS.command, Ending.EXITED, 0, text)


def test_a_kernel_that_does_not_tell_is_taken_to_have_nothing() -> None:
    told = read_links_facts(facts((_FOLDER / "facts.txt").read_text()))
    silent = read_links_facts(facts("tool ip\ntool tc\n"))

    assert told.missing == ()
    assert told.why_not(EGRESS) == ""
    assert told.why_not(VLAN_FILTERING) == "this host's kernel is made without CONFIG_BRIDGE_VLAN_FILTERING"
    assert silent.missing == ("bridge", "nft")
    assert "does not tell" in silent.why_not(VLAN_FILTERING)


SAID = [
    ('Error: argument "averyveryverylongname" is wrong: "name" not a valid ifname', 255, RetryClass.NEVER),
    ("RTNETLINK answers: Operation not supported", 255, RetryClass.LATER),
    ("RTNETLINK answers: File exists", 2, RetryClass.LOOK_AGAIN),
    ('Cannot find device "vnic0"\nCommand failed -:1', 1, RetryClass.LOOK_AGAIN),
    ("Error: Unknown device type.", 2, RetryClass.LATER),
    ("RTNETLINK answers: Operation not permitted", 2, RetryClass.NEVER),
    ("link vnic0 is there, and it is not ours", 1, RetryClass.NEVER),
    ("bridge es0 has ports: 4: vnic0@vnic0g: <BROADCAST>", 1, RetryClass.LATER),
    ("bridge br0 does not filter VLANs", 1, RetryClass.LATER),
    ("cat: /sys/class/net/es9/mtu: No such file or directory", 1, RetryClass.LOOK_AGAIN),
    ("Error: mtu greater than device maximum.", 2, RetryClass.NEVER),
    ("Error: Specified qdisc kind is unknown.\nCommand failed -:1", 1, RetryClass.LATER),
    ("/dev/stdin:5:1-9: Error: syntax error, unexpected string", 1, RetryClass.NEVER),
]


@pytest.mark.parametrize(("stderr", "exit_code", "retry"), SAID)
def test_what_the_tools_say_is_explained(stderr: str, exit_code: int, retry: RetryClass) -> None:
    failed = Completed(Command(("ip", "-batch", "-")), Ending.EXITED, exit_code, "", stderr)

    assert explain(failed).retry is retry
    assert explain(failed).remedy


def test_the_names_in_the_recorded_output_are_those_of_the_ground() -> None:
    ours = {name for name, seen in read_ports(outputs()).items() if seen.of is not None and seen.style != "ifb"}

    assert ours == {"es0", *(port.name for port in PORTS)}
    assert {VM1.name, MACVLAN0.name} <= ours
