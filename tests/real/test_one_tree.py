"""One tree of manifests on an emulated SmartOS host and on a real Linux host: what differs is what kinds.md lets differ."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.real.tree import HOST, Tree, manifest

pytestmark = pytest.mark.usefixtures("lxc", "libvirt")

SMARTOS = "hv01"
SHARED = """
apiVersion: reconciler/v1
kind: Dataset
metadata: {name: $(pool)/data, hosts: all}
lifecycle: {onRemoval: delete}
spec: {properties: {compression: gzip, atime: off}}
---
apiVersion: reconciler/v1
kind: Dataset
metadata: {name: $(pool)/data/pages, hosts: all}
lifecycle: {onRemoval: delete}
spec: {properties: {quota: 100MiB, "example:for": web1}}
---
apiVersion: reconciler/v1
kind: Etherstub
metadata: {name: lab0, hosts: all}
spec: {}
---
apiVersion: reconciler/v1
kind: VNIC
metadata: {name: lab1, hosts: all}
spec: {over: lab0, maxBandwidth: 100Mbps, allow: {ips: [10.77.0.1]}}
---
apiVersion: reconciler/v1
kind: Zone
metadata: {name: web1, hosts: all}
lifecycle: {onRemoval: delete}
spec:
  brand: $(brand)
  image: web
  state: running
  autoboot: true
  memory: 256MiB
  cpuCap: 50
  tags: {role: web}
  nics: [{name: net0, over: lab0, ips: [10.77.0.11/24]}]
---
apiVersion: reconciler/v1
kind: VirtualMachine
metadata: {name: vm1, hosts: all}
lifecycle: {onRemoval: delete}
spec:
  engine: $(engine)
  state: stopped
  cpus: 1
  memory: 256MiB
  nics: [{name: net0, over: lab0, model: virtio, ips: [10.77.0.21/24]}]
  disks: [{name: root, size: 64MiB, model: virtio, boot: true, onRemoval: delete}]
"""
"""What both hosts have; only their variables differ."""

ZONE_IMAGE = "2f1dc911-6401-4fa4-8e9d-67ea2e39c271"
"""One that the emulated image server offers."""

SAME = {
    "Dataset/data": ("properties.compression", "properties.atime"),
    "Dataset/data/pages": ("properties.quota", "properties.example:for"),
    "VNIC/lab1": ("over", "maxBandwidth", "allow.ips"),
    "Zone/web1": ("state", "autoboot", "memory", "cpuCap", "tags.role", "nics.net0.over", "nics.net0.ips"),
    "VirtualMachine/vm1": ("state", "cpus", "memory", "nics.net0.over", "nics.net0.ips", "disks.root.size"),
}
"""Objects (Datasets without their pool) and what of them must be found alike."""


@pytest.fixture
def both(tree: Tree, zone_tarball: Path) -> Tree:
    """A tree with an emulated SmartOS host beside this one."""
    variables = {"pool": "tank", "brand": "lxc", "engine": "qemu"}
    tree.state_host(vars=variables)
    tree.write(manifest("Image", "web", {"type": "zone", "source": {"path": str(zone_tarball)}}))
    other = {"transport": {"type": "emulated", "system": "smartos"}, "defaultPool": "zones"}
    other["vars"] = {"pool": "zones", "brand": "joyent-minimal", "engine": "bhyve"}
    there = tree.folder / "hosts" / SMARTOS
    there.mkdir()
    (there / "host.yaml").write_text(_document("Host", SMARTOS, other))
    (there / "images.yaml").write_text(_document("Image", "web", {"type": "zone", "uuid": ZONE_IMAGE}))
    (tree.folder / "shared").mkdir()
    (tree.folder / "shared/all.yaml").write_text(SHARED)
    return tree


def _document(kind: str, name: str, spec: dict[str, Any]) -> str:
    return json.dumps({"apiVersion": "reconciler/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})


def test_one_tree_gives_the_same_on_both(both: Tree) -> None:
    both.converges()

    linux, smartos = _observed(both, HOST, "tank"), _observed(both, SMARTOS, "zones")
    for key, names in SAME.items():
        assert {name: linux[key][name] for name in names} == {name: smartos[key][name] for name in names}, key
    assert {key for key in smartos if not key.startswith(("NicTag", "PhysicalLink", "Pool"))} >= SAME.keys()


def test_a_plan_of_both_names_the_same_objects_in_an_order_that_fits(both: Tree) -> None:
    said = both.plan().document
    planned = {
        host["host"]: [one["key"].partition("/")[2].replace("tank/", "").replace("zones/", "") for one in host["actions"]]
        for host in said["hosts"]
    }
    assert sorted(planned[HOST]) == sorted(planned[SMARTOS])
    for keys in planned.values():
        assert keys.index("Etherstub/lab0") < min(keys.index(key) for key in ("VNIC/lab1", "Zone/web1", "VirtualMachine/vm1"))
        assert keys.index("Image/web") < keys.index("Zone/web1")


@pytest.mark.parametrize(
    ("host", "kind", "fields"),
    [
        (HOST, "Zone", "brand: lxc, image: web, delegatedDataset: true"),
        (HOST, "Zone", "brand: joyent-minimal, image: web"),
        (HOST, "Zone", "brand: lxc, image: web, maxProcesses: 5"),
        (HOST, "VirtualMachine", "engine: bhyve"),
        (SMARTOS, "Zone", "brand: joyent-minimal, image: web, datasets: [{name: zones/data}]"),
        (SMARTOS, "Zone", "brand: lxc, image: web"),
        (SMARTOS, "VirtualMachine", "engine: qemu"),
    ],
)
def test_what_a_system_lacks_is_refused_with_the_line(both: Tree, host: str, kind: str, fields: str) -> None:
    text = f"apiVersion: reconciler/v1\nkind: {kind}\nmetadata: {{name: other}}\nspec: {{{fields}}}\n"
    (both.folder / "hosts" / host / "other.yaml").write_text(text)

    said = both.plan()

    assert said.exit_code == 3, said.out + said.err
    (blocked,) = [one for found in said.document["hosts"] for one in found["blocked"]]
    assert (blocked["key"], blocked["reason"]) == (f"{host}/{kind}/other", "unsupported")
    assert (blocked["origin"]["path"], blocked["origin"]["line"]) == (f"hosts/{host}/other.yaml", 4)
    assert blocked["cause"]
    assert blocked["remedy"]


def _observed(tree: Tree, host: str, pool: str) -> dict[str, dict[str, Any]]:
    """What is found on a host, by key without host and pool."""
    said = tree.reconciler("observe", "--host", host, "--output", "json")
    assert said.exit_code == 0, said.out + said.err
    return {one["key"].partition("/")[2].replace(f"{pool}/", ""): one["fields"] for one in said.document["observed"]}
