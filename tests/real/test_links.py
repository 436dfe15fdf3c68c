"""Etherstubs and VNICs on a whole Linux host: made, changed, drifted, renamed, removed, and after a boot."""

from typing import Any

from tests.real.linux_host import LinuxHost
from tests.real.tree import Tree, manifest

ETHERSTUB = manifest("Etherstub", "es0")


def vnic(name: str = "vnic0", over: str = "es0", **spec: Any) -> dict[str, Any]:
    return manifest("VNIC", name, {"over": over, **spec})


def test_links_are_made_and_removed_and_nothing_is_left(tree: Tree, host: LinuxHost, leaves_nothing: None) -> None:
    tree.converges(ETHERSTUB, vnic(), vnic("vnic1", mtu=1400, maxBandwidth="10Mbps", mac="02:08:20:00:00:01"))

    links = host.links()
    assert links["vnic0"]["master"] == "es0"
    assert links["vnic1"]["mtu"] == links["vnic1g"]["mtu"] == 1400
    assert links["vnic1g"]["address"] == "02:08:20:00:00:01"
    assert links["vnic0"]["ifalias"].startswith("reconciler:tests:VNIC/vnic0 ")

    tree.converges(manifest("Etherstub", "es0"))
    assert host.links().keys() == {"es0"}
    tree.write()
    tree.converges()
