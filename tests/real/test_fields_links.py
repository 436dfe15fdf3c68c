"""Every field of Etherstub and VNIC on a Linux host: made with it, changed, left out, changed back, made null."""

import json
from typing import Any

import pytest

from reconciler.provider.registry import Registry
from tests.real.linux_host import LinuxHost
from tests.real.scene import Row, Scene, Told, missing
from tests.real.tree import Tree, manifest

MAC = "02:08:20:00:00:{n:02x}"
OTHER_MAC = "02:08:21:00:00:{n:02x}"


def link(name: str, end: str = "") -> Told:
    return lambda host, link: host.links()[link + end].get(name)


def limit(host: LinuxHost, name: str) -> Any:
    """Bits a second of what comes to the port, and of what it sends by way of its ifb: both must be the same."""
    rates = set()
    for device in (name, f"{name}i"):
        shown = json.loads(host.ask("tc", "-j", "qdisc", "show", "dev", device).stdout or "[]")
        rates.add(next((one["options"]["rate"] * 8 for one in shown if one["kind"] == "tbf"), None))
    return rates.pop() if len(rates) == 1 else rates


def drops(words: str) -> Told:
    """Whether a rule of the port drops what these words are about; one that only counts does not."""
    return lambda host, name: any(words in line and " drop" in line for line in rules(host, name).splitlines())


def rules(host: LinuxHost, name: str) -> str:
    """The port's own table, or chain, of the ruleset."""
    blocks = host.run("nft", "list", "ruleset", "netdev").split("\n\n")
    return "".join(block for whole in blocks for block in whole.split("chain ") if f'device "{name}"' in block)


ETHERSTUB = (Row("mtu", (1400, 1300), link("mtu"), (1400, 1300), 1500),)

VNIC = (
    Row("over", ("br0", "br1"), link("master"), ("br0", "br1"), required=True),
    Row("mac", (MAC, OTHER_MAC), link("address", "g"), (MAC, OTHER_MAC)),
    Row("mtu", (1400, 1300), link("mtu", "g"), (1400, 1300), 1500),
    Row("maxBandwidth", ("10Mbps", "200Mbps"), limit, (10_000_000, 200_000_000), None),
    Row("allow.macSpoofing", (True, False), drops("ether saddr != 02:"), (False, True)),
    Row("allow.ipSpoofing", (True, False), drops("ip saddr != "), (False, True), beside={"allow.ips": ["10.9.0.7"]}),
    Row("allow.dhcpSpoofing", (True, False), drops("udp sport 67 "), (False, True)),
    Row("allow.restrictedTraffic", (True, False), drops("meta protocol != "), (False, True)),
    Row("allow.ips", (["10.9.0.7"], ["10.9.1.0/24"]), lambda host, name: [one for one in ("10.9.0.7", "10.9.1.0/24") if
        f"ip saddr != {one}" in rules(host, name)], (["10.9.0.7"], ["10.9.1.0/24"])),
)  # fmt: skip

LACKING = {"vlan": 7, "priority": "low"}
"""Fields of a VNIC that this host has not got, each with a value that others take."""


@pytest.fixture
def bridges(host: LinuxHost) -> None:
    for name in ("br0", "br1"):
        host.run("ip", "link", "add", name, "type", "bridge")
        host.run("ip", "link", "set", name, "up")


def test_every_field_of_an_etherstub_acts_as_its_plan_promised(tree: Tree) -> None:
    scene = Scene.of(tree, "Etherstub", (ETHERSTUB,), {}, "es")

    scene.run()

    assert scene.findings == [], "\n".join(scene.findings)


@pytest.mark.usefixtures("bridges")
def test_every_field_of_a_vnic_acts_as_its_plan_promised(tree: Tree) -> None:
    scene = Scene.of(tree, "VNIC", tuple((row,) for row in VNIC), {"over": "br0"}, "vnic")

    scene.run()

    assert scene.findings == [], "\n".join(scene.findings)


@pytest.mark.usefixtures("bridges")
@pytest.mark.parametrize("field", LACKING)
def test_what_this_host_has_not_got_is_refused_in_the_plan(tree: Tree, field: str) -> None:
    tree.write(manifest("VNIC", "vnic0", {"over": "br0", field: LACKING[field]}))

    planned = tree.plan()

    assert planned.exit_code == 3
    assert planned.blocked == [("unsupported", "VNIC/vnic0")]
    (blocked,) = planned.document["hosts"][0]["blocked"]
    stated = (tree.folder / blocked["origin"]["path"]).read_text().splitlines()[blocked["origin"]["line"] - 1]
    assert f'"{field}"' in stated
    assert blocked["cause"]
    assert blocked["remedy"]


@pytest.mark.parametrize(("kind", "tabled"), [("Etherstub", ETHERSTUB), ("VNIC", VNIC)])
def test_no_field_is_missing_from_the_tables(registry: Registry, kind: str, tabled: tuple[Row, ...]) -> None:
    assert missing(registry.kinds[kind].every_rule, (row.field for row in tabled), LACKING if kind == "VNIC" else ()) == []
