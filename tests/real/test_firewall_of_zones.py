"""Firewall rules and the zones that they name: real containers, known by their names and tags."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.real.linux_host import LinuxHost, until
from tests.real.tree import Tree, manifest

pytestmark = pytest.mark.usefixtures("lxc")

TABLE = "table bridge reconciler"


@pytest.fixture
def image(host: LinuxHost, zone_root: Path) -> str:
    """A golden root, by hand."""
    host.run("zfs", "create", "-p", "-o", f"mountpoint={host.scratch}/bb", "tank/images/bb")
    host.run("cp", "-a", f"{zone_root}/.", f"{host.scratch}/bb/")
    host.run("zfs", "snapshot", "tank/images/bb@image")
    return "bb"


def zone(name: str, number: int, **spec: Any) -> dict[str, Any]:
    nic = {"name": "net0", "over": "es0", "ips": [f"10.8.0.{number}/24"]}
    return manifest("Zone", name, {"image": "bb", "nics": [nic], **spec})


def let_in(**spec: Any) -> dict[str, Any]:
    given = {"from": ["guest/db1"], "to": ["tag/role=web"], "action": "allow", "protocol": "tcp", "ports": [80]}
    return manifest("FirewallRule", "web", given | {name.removesuffix("_"): value for name, value in spec.items()})


STUB = manifest("Etherstub", "es0")
WEB = zone("web1", 1, firewallEnabled=True, tags={"role": "web"})
DB, OTHER = zone("db1", 2, tags={"role": "db"}), zone("db2", 3)


def hears(host: LinuxHost, name: str, address: str = "10.8.0.1") -> bool:
    """Whether a zone is answered by the server of another."""
    return host.in_container(name, "timeout", "1", "wget", "-O", "-", f"http://{address}/").returncode == 0


def ready(host: LinuxHost, *names: str) -> None:
    for name in names:
        until(partial(hears, host, name, "127.0.0.1"), f"{name} is not ready".__str__)


@pytest.mark.usefixtures("image")
def test_zones_are_let_in_by_name_and_tag_and_a_deleted_table_is_mended_in_one_pass(tree: Tree) -> None:
    host = tree.host
    tree.converges(STUB, WEB, DB, OTHER, let_in())
    ready(host, "web1", "db1", "db2")
    assert hears(host, "db1")
    assert not hears(host, "db2"), "nobody lets this one in"
    assert hears(host, "web1", "10.8.0.3"), "what is firewalled is answered"

    host.run("nft", "delete", *TABLE.split())
    assert hears(host, "db2"), "nothing acts any more"
    tree.is_repaired("FirewallRule/web", "Zone/web1", "Zone/db1", "Zone/db2")
    assert hears(host, "db1")
    assert not hears(host, "db2")

    host.run("nft", "flush", *TABLE.split())
    assert hears(host, "db2")
    tree.is_repaired("FirewallRule/web", "Zone/web1")
    assert hears(host, "db1")
    assert not hears(host, "db2")

    host.run("nft", "delete", "element", *TABLE.split()[1:], "firewalled", "{ web1_0 }")
    assert hears(host, "db2")
    tree.is_repaired("Zone/web1")
    assert not hears(host, "db2")


@pytest.mark.usefixtures("image")
def test_tags_and_firewall_enabled_change_while_the_zone_runs_and_nothing_stays_behind(tree: Tree) -> None:
    host = tree.host
    tree.converges(STUB, WEB, DB, let_in())
    ready(host, "web1", "db1")
    first = host.run("lxc-info", "-n", "web1", "-pH")

    tree.converges(STUB, zone("web1", 1, firewallEnabled=True, tags={"role": "other"}), DB, let_in())
    assert not hears(host, "db1")
    tree.converges(STUB, zone("web1", 1, firewallEnabled=False, tags={"role": "other"}), DB, let_in())
    assert hears(host, "db1")
    tree.converges(STUB, WEB, DB, let_in(from_=["tag/role=db"]))
    assert hears(host, "db1")
    tree.converges(STUB, WEB, zone("db1", 2, tags={"role": None}), let_in(from_=["tag/role=db"]))
    assert not hears(host, "db1")
    assert host.run("lxc-info", "-n", "web1", "-pH") == first

    tree.converges("# nothing")
    assert host.tables() == ()
    assert host.links() == {}
