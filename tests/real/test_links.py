"""Etherstubs and VNICs on a whole Linux host: made, changed, drifted, renamed, removed, adopted, and after a boot."""

from typing import Any

import pytest

from tests.real.linux_host import LinuxHost
from tests.real.tree import Tree, manifest

STUB = manifest("Etherstub", "es0")
MAC = "02:08:20:00:00:01"


def vnic(name: str = "vnic0", over: str = "es0", **spec: Any) -> dict[str, Any]:
    return manifest("VNIC", name, {"over": over, **spec})


def limits(host: LinuxHost) -> str:
    return host.run("tc", "qdisc", "show")


def test_links_are_made_and_removed_and_nothing_is_left(tree: Tree, host: LinuxHost, leaves_nothing: None) -> None:
    tree.converges(STUB, vnic(), vnic("vnic1", mtu=1400, maxBandwidth="10Mbps", mac=MAC))

    links = host.links()
    assert links["vnic0"]["master"] == links["vnic1"]["master"] == "es0"
    assert links["vnic1g"]["mtu"] == tree.observe()["VNIC/vnic1"]["fields"]["mtu"] == 1400
    assert links["es0"]["mtu"] == 1500, "the bridge takes no notice"
    assert links["vnic1g"]["address"] == MAC
    assert links["vnic0"]["ifalias"].startswith("reconciler:tests:VNIC/vnic0 ")
    assert "UP" in links["vnic0"]["flags"]
    assert "UP" in links["es0"]["flags"]

    tree.converges(STUB)
    assert host.links().keys() == {"es0"}
    tree.write()
    tree.converges()


def test_each_field_changes_in_place_and_goes_back_with_null(tree: Tree, host: LinuxHost) -> None:
    tree.converges(STUB, vnic())
    changes: dict[str, tuple[Any, Any, Any]] = {
        "mtu": (1400, None, 1500),
        "maxBandwidth": ("100Mbps", None, None),
        "allow": ({"macSpoofing": True, "ips": ["10.0.0.1", "fe80::/10"]}, {"macSpoofing": False, "ips": []}, False),
    }
    number = host.links()["vnic0"]["ifindex"]
    for field, (stated, taken_back, _) in changes.items():
        for value in (stated, taken_back):
            tree.converges(STUB, vnic(**{field: value}))

    fields = tree.observe()["VNIC/vnic0"]["fields"]
    assert (fields["mtu"], fields["maxBandwidth"], fields["allow.macSpoofing"], fields["allow.ips"]) == (1500, None, False, [])
    assert host.links()["vnic0"]["ifindex"] == number, "it was never made anew"
    tree.converges(manifest("Etherstub", "es0", {"mtu": 1400}), vnic())
    assert host.links()["es0"]["mtu"] == 1400
    tree.converges(manifest("Etherstub", "es0", {"mtu": None}), vnic())
    assert host.links()["es0"]["mtu"] == 1500


DRIFT = {
    "filter flushed": ("nft", "flush", "ruleset"),
    "a rule deleted": ("nft", "flush", "chain", "netdev", "reconciler", "sent/vnic0"),
    "limit deleted": ("tc", "qdisc", "del", "dev", "vnic0", "root"),
    "other limit": (
        "tc",
        "qdisc",
        "replace",
        "dev",
        "vnic0i",
        "root",
        "tbf",
        "rate",
        "1mbit",
        "burst",
        "16kb",
        "latency",
        "50ms",
    ),
    "ifb deleted": ("ip", "link", "del", "vnic0i"),
    "mtu": ("ip", "link", "set", "vnic0", "mtu", "1280"),
    "down": ("ip", "link", "set", "vnic0", "down"),
    "unplugged": ("ip", "link", "set", "vnic0", "nomaster"),
    "address of the end": ("ip", "link", "set", "vnic0g", "address", "02:08:20:00:00:99"),
    "deleted": ("ip", "link", "del", "vnic0"),
}


def test_drift_by_hand_is_found_and_mended_in_one_pass(tree: Tree, host: LinuxHost) -> None:
    tree.converges(STUB, vnic(mtu=1400, maxBandwidth="10Mbps", mac=MAC, allow={"ips": ["10.0.0.1"]}))
    whole = _shown(host)

    for drift in DRIFT.values():
        host.run(*drift)
        tree.is_repaired("VNIC/vnic0")
        assert _shown(host) == whole, drift

    host.run("ip", "link", "set", "es0", "down")
    tree.is_repaired("Etherstub/es0")


def test_what_is_broken_is_named(tree: Tree, host: LinuxHost) -> None:
    tree.converges(STUB, vnic())
    host.run("nft", "flush", "ruleset")
    host.run("ip", "link", "set", "vnic0", "down")

    assert tree.plan().changes("VNIC/vnic0") == {"broken": ("down, filter", "")}


def _shown(host: LinuxHost) -> tuple[object, ...]:
    """All of the host's links, rules and limits that we set."""
    links = {
        name: (link.get("address"), link["mtu"], link.get("master"), link.get("ifalias"), "UP" in link["flags"])
        for name, link in host.links().items()
    }
    return links, host.run("nft", "-s", "list", "ruleset"), sorted(line for line in limits(host).splitlines() if "tbf" in line)


def test_after_a_boot_the_links_are_made_again(tree: Tree, host: LinuxHost) -> None:
    tree.converges(STUB, vnic(maxBandwidth="10Mbps", allow={"ips": ["10.0.0.1"]}))
    whole = _shown(host)
    host.reboot()
    assert not host.links()

    found = tree.plan()
    assert found.actions == [("create", "Etherstub/es0"), ("create", "VNIC/vnic0")]
    tree.converges()
    assert _shown(host) == whole


def test_a_lost_ledger_forgets_nothing(tree: Tree, host: LinuxHost, leaves_nothing: None) -> None:
    tree.converges(STUB, vnic(maxBandwidth="10Mbps"))
    for file in tree.state.iterdir():
        file.unlink()

    assert tree.plan().exit_code == 0
    tree.write()
    tree.converges()


def test_links_are_renamed_while_they_are_in_use(tree: Tree, host: LinuxHost) -> None:
    spec: dict[str, Any] = {"maxBandwidth": "10Mbps", "allow": {"ips": ["10.0.0.1"]}}
    tree.converges(STUB, vnic(**spec))
    before = {name: link["ifindex"] for name, link in host.links().items()}

    tree.converges(STUB, manifest("VNIC", "net9", {"over": "es0", **spec}, metadata={"movedFrom": "vnic0"}))

    after = {name: link["ifindex"] for name, link in host.links().items()}
    assert after == {"es0": before["es0"], "net9": before["vnic0"], "net9g": before["vnic0g"], "net9i": before["vnic0i"]}
    assert host.tables() == ("table netdev reconciler",)
    stub = manifest("Etherstub", "es9", metadata={"movedFrom": "es0"})
    tree.write(stub, manifest("VNIC", "net9", {"over": "es9", **spec}))
    tree.apply()
    assert tree.plan().exit_code == 0, "what lies on it moved with it"
    assert host.links()["es9"]["ifindex"] == before["es0"]


def test_an_equal_bridge_and_vnic_are_taken_over_as_they_are(tree: Tree, host: LinuxHost) -> None:
    host.run("ip", "link", "add", "es0", "type", "bridge")
    host.run("ip", "link", "set", "es0", "up")
    host.run("ip", "link", "add", "vnic0", "type", "veth", "peer", "name", "vnic0g", "address", MAC)
    numbers = {name: link["ifindex"] for name, link in host.links().items()}
    host.run("ip", "link", "set", "vnic0", "master", "es0", "up")
    tree.write(STUB, vnic())
    assert ("notOurs", "VNIC/vnic0") in tree.plan().blocked

    taken = {"lifecycle": {"adopt": "ifEqual"}}
    tree.converges(manifest("VNIC", "vnic0", {"over": "es0", "mac": MAC}, **taken), manifest("Etherstub", "es0", **taken))

    assert {name: link["ifindex"] for name, link in host.links().items()} == numbers
    assert host.links()["es0"]["ifalias"].startswith("reconciler:tests:Etherstub/es0 ")
    assert not host.tables(), "only marks were written"
    tree.converges(STUB, vnic(mac=MAC, allow={"macSpoofing": False}))
    assert host.tables() == ("table netdev reconciler",)


def test_what_is_let_go_stays_without_our_mark(tree: Tree, host: LinuxHost) -> None:
    stub = manifest("Etherstub", "es0", lifecycle={"onRemoval": "orphan"})
    tree.converges(stub, manifest("VNIC", "vnic0", {"over": "es0"}, lifecycle={"onRemoval": "orphan"}))
    tree.write()
    tree.converges()

    assert {"es0", "vnic0"} <= host.links().keys()
    assert not any("ifalias" in link for link in host.links().values())


def test_a_link_that_is_not_ours_is_never_touched(tree: Tree, host: LinuxHost) -> None:
    host.run("ip", "link", "add", "up0", "type", "vxlan", "id", "7", "dstport", "4789", "local", "127.0.0.1")
    host.run("ip", "link", "add", "br0", "type", "bridge")
    host.run("ip", "link", "set", "up0", "master", "br0", "up")
    host.run("ip", "link", "set", "br0", "up")
    host.run("ip", "addr", "add", "192.0.2.1/24", "dev", "br0")
    host.run("ip", "-6", "route", "add", "default", "dev", "br0")
    host.run("ip", "link", "add", "theirs0", "type", "veth", "peer", "name", "theirs1")
    before = _of_others(host)

    tree.write(
        manifest("Etherstub", "br0", lifecycle={"adopt": "once"}),
        vnic("up0", "br0"),
        vnic("theirs0", "br0"),
        vnic("vnic0", "br0", mtu=1400),
    )
    assert tree.apply().exit_code != 0
    assert _of_others(host) == before
    tree.converges(vnic("vnic0", "br0"))
    assert host.links()["vnic0"]["master"] == "br0"
    assert tree.observe()["Bridge/br0"]["fields"]["over"] == ["up0", "vnic0"]
    tree.write()
    tree.converges()

    assert _of_others(host) == before


def _of_others(host: LinuxHost) -> object:
    ours = {"vnic0", "vnic0g"}
    links = {name: {**link, "linkinfo": None} for name, link in host.links().items() if name not in ours}
    for link in links.values():
        link.pop("operstate", None)
    return links, host.run("ip", "-o", "-4", "addr"), host.run("ip", "-6", "route", "show", "default")


@pytest.mark.parametrize("link", ["es0", "vnic0g"])
def test_what_carries_an_address_of_the_host_is_not_removed(tree: Tree, host: LinuxHost, link: str) -> None:
    tree.converges(STUB, vnic())
    host.run("ip", "addr", "add", "192.0.2.1/24", "dev", link)
    tree.write()

    kept = {"es0": "Etherstub/es0", "vnic0g": "VNIC/vnic0"}[link]
    assert ("dependents", kept) in tree.plan().blocked
    tree.apply()
    assert link in host.links()


def test_an_etherstub_with_a_port_is_not_removed(tree: Tree, host: LinuxHost) -> None:
    tree.converges(STUB, vnic())
    host.peer("es0")
    tree.write()
    said = tree.apply()

    assert said.exit_code != 0
    assert "es0" in host.links()
    assert "vnic0" not in host.links()


def test_an_etherstub_that_leads_out_of_the_host_is_blocked_until_it_does_not(tree: Tree, host: LinuxHost) -> None:
    tree.converges(STUB, vnic())
    host.run("ip", "link", "add", "up0", "type", "vxlan", "id", "7", "dstport", "4789", "local", "127.0.0.1")
    host.run("ip", "link", "set", "up0", "master", "es0")
    assert ("nameTaken", "Etherstub/es0") in tree.plan().blocked
    assert "Bridge/es0" in tree.observe()

    host.run("ip", "link", "set", "up0", "nomaster")
    assert tree.plan().exit_code == 0


def test_the_port_of_a_guests_nic_belongs_to_that_guest(tree: Tree, host: LinuxHost) -> None:
    tree.converges(STUB)
    host.run("ip", "link", "add", "web1_0", "type", "veth", "peer", "name", "web1_0g")
    host.run("ip", "link", "set", "web1_0", "master", "es0", "alias", "reconciler:tests:Zone/web1:net0 mac=02:08:20:00:00:01")

    plan = tree.plan()
    assert plan.exit_code == 0
    assert plan.document["hosts"][0]["unmanaged"] == 1, "the pool's own dataset"
    tree.write(STUB, vnic("web1_0"))
    assert tree.plan().blocked == [("belongsTo", "VNIC/web1_0")]


def test_what_linux_lacks_is_refused_with_the_line(tree: Tree) -> None:
    tree.write(
        STUB,
        vnic("vnic0", priority="low"),
        vnic("vnic1", vlan=1),
        vnic("averylongname0"),
        vnic("averyverylong0"),
        vnic("averyverylong10"),
    )
    blocked = {one["key"].rpartition("/")[2]: one for host in tree.plan().document["hosts"] for one in host["blocked"]}

    assert blocked.keys() == {"vnic0", "vnic1", "averyverylong10"}
    assert "priority" in blocked["vnic0"]["remedy"]
    assert blocked["averyverylong10"]["remedy"] == "use at most 14"
    assert all(one["reason"] == "unsupported" and one["origin"]["line"] > 1 for one in blocked.values())


def test_a_vlan_needs_a_kernel_that_keeps_them_apart(tree: Tree, host: LinuxHost) -> None:
    knows = "BRIDGE_VLAN_FILTERING=y" in host.ask("zcat", "/proc/config.gz").stdout
    tree.write(STUB, vnic("vnic0", vlan=10))
    said = tree.plan()

    if knows:
        assert not said.blocked
        tree.converges()
    else:
        assert said.blocked == [("unsupported", "VNIC/vnic0")]
        assert "CONFIG_BRIDGE_VLAN_FILTERING" in said.out


def test_a_vnic_over_a_link_that_is_no_bridge_is_a_macvlan(tree: Tree, host: LinuxHost) -> None:
    host.run("ip", "link", "add", "up0", "type", "vxlan", "id", "7", "dstport", "4789", "local", "127.0.0.1")
    host.run("ip", "link", "set", "up0", "up")
    before = _of_others(host)
    tree.converges(vnic("vnic0", "up0", mac=MAC, maxBandwidth="10Mbps", allow={"ips": ["10.0.0.1"]}))

    link = host.links()["vnic0"]
    assert (link["linkinfo"]["info_kind"], link["address"], link["link"]) == ("macvlan", MAC, "up0")
    for drift in (("nft", "flush", "ruleset"), ("ip", "link", "set", "vnic0", "address", "02:08:20:00:00:99")):
        host.run(*drift)
        tree.is_repaired("VNIC/vnic0")
    tree.write()
    tree.converges()
    assert _of_others(host) == before
