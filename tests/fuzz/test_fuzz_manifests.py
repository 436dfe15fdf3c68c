"""Valid trees, damaged at random: each is read, or told what is wrong with it and where. Nothing is raised."""

import contextlib
import random
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.desired.cache import LoadMemory
from reconciler.desired.tree import InvalidTree, LoadedTree, ValidTree
from reconciler.desired.yaml_documents import documents
from reconciler.model.desired import Finding
from reconciler.model.errors import ReconcilerError
from reconciler.planning.planner import plan
from reconciler.planning.render_json import plan_document
from reconciler.planning.render_text import plan_lines
from reconciler.provider.registry import Registry
from tests.company import NOW, RecordedHost, recorded, seen
from tests.desired.trees import Tree, tree_of
from tests.fuzz.mutations import DAMAGES, damaged_documents
from tests.fuzz.seeds import MANIFESTS, SEED
from tests.planning.world import SOURCE

EXAMPLE = Path(__file__).parents[2] / "desired-state"
EVERYTHING = """\
apiVersion: reconciler/v1
kind: Dataset
metadata:
  name: tank/web
  host: hv03
  labels: {app: web}
  dependsOn: [Dataset/tank/base, Volume/tank/vol]
  movedFrom: tank/old-web
lifecycle:
  onRemoval: delete
  trashTtl: 14d
  deleteSnapshots: true
  protect: removal
  disruption: replace
  mode: enforce
  ignore: [properties.atime]
spec:
  createParents: false
  origin: tank/base@golden
  properties: {quota: 10GiB, "com.example:note": "text", compression: null, mountpoint: /srv/web}
---
apiVersion: reconciler/v1
kind: Dataset
metadata: {name: tank/base}
spec: {}
---
apiVersion: reconciler/v1
kind: Volume
metadata: {name: tank/vol}
spec: {size: 1GiB, sparse: true, blockSize: 8KiB, properties: {refreservation: null}}
"""
GUESTS = """\
apiVersion: reconciler/v1
kind: Zone
metadata: {name: every, dependsOn: [Etherstub/every0]}
lifecycle: {ignore: [nics.net1, tags], disruption: restart}
spec:
  brand: lx
  uuid: ABCDEF01-2345-4678-9ABC-DEF012345678
  image: {uuid: e1faace4-e19b-11e5-928b-83849e2fd94a}
  imageUpdate: reprovision
  pool: zones
  state: running
  autoboot: true
  hostname: every
  dnsDomain: example.org
  kernelVersion: "5.10"
  cpuCap: 150
  cpuShares: 50
  memory: 1GiB
  swap: 2GiB
  maxTasks: 1000
  quota: 10GiB
  nics:
    - name: net0
      over: every0
      mac: 02:00:00:00:00:09
      vlan: 7
      mtu: 1500
      ips: [10.0.0.9/24, addrconf]
      gateways: [10.0.0.1]
      primary: true
      allow: {macSpoofing: true, ipSpoofing: false, dhcpSpoofing: true, restrictedTraffic: false, ips: [10.9.0.0/24]}
    - {name: net1, over: external, ips: [dhcp]}
  resolvers: [9.9.9.9, "2620:fe::fe"]
  routes: [{to: 10.1.0.0/16, via: 10.0.0.254}, {to: default, via: 10.0.0.1}]
  delegatedDataset: true
  mounts: [{target: /mnt/opt, source: /opt, readOnly: true}]
  firewallEnabled: true
  metadata: {user-script: "#!/bin/sh\necho $(name)", gone: null}
  internalMetadata: {a: "1"}
  tags: {role: web, "odd key": ""}
  native: {smartos: {zfs_io_priority: 30, tmpfs: 128, limit_priv: [default, dtrace_user]}}
---
apiVersion: reconciler/v1
kind: VirtualMachine
metadata: {name: everyvm, movedFrom: oldvm}
lifecycle: {disruption: replace, protect: removal}
spec:
  engine: bhyve
  cpus: 2
  memory: 2GiB
  disks:
    - {name: root, image: debian-12-vm, size: 20GiB, model: virtio, boot: true}
    - {name: data, size: 1GiB, model: nvme, blockSize: 8KiB, sparse: true, onRemoval: trash, properties: {compression: lz4}}
    - {name: cd, iso: /zones/iso/x.iso, media: cdrom, model: ahci}
    - {name: own, volume: zones/everyvol, model: virtio}
  firmware: uefi
  cloudInit: {userData: "#cloud-config", sshKeys: [ssh-ed25519 A]}
  console: {vnc: {port: 5999}}
  nics: [{name: net0, over: admin, model: virtio, ips: [dhcp]}]
  native: {smartos: {bhyve_extra_opts: "-x"}}
---
apiVersion: reconciler/v1
kind: Volume
metadata: {name: zones/everyvol}
spec: {size: 1GiB}
---
apiVersion: reconciler/v1
kind: Etherstub
metadata: {name: every0}
spec: {mtu: 9000}
---
apiVersion: reconciler/v1
kind: VNIC
metadata: {name: vevery0}
spec:
  over: every0
  mac: 2:0:0:0:0:a
  vlan: 5
  mtu: 1400
  maxBandwidth: 100Mbps
  priority: high
  allow: {ips: [10.0.0.7], macSpoofing: true}
---
apiVersion: reconciler/v1
kind: Image
metadata: {name: everyimage}
spec: {uuid: 8adac45a-1f3c-4b7f-a5a2-6d2c9f5e1b64, type: zone, os: smartos}
---
apiVersion: reconciler/v1
kind: FirewallRule
metadata: {name: everyrule}
spec:
  from: [tag/role=web, 10.0.0.0/8, "2001:db8::5"]
  to: [guest/every, guest/everyvm]
  action: block
  protocol: tcp
  ports: [22, "8000-8100"]
  priority: 7
  enabled: false
  log: true
---
apiVersion: reconciler/v1
kind: FirewallRule
metadata: {name: ownwords}
spec: {rule: 'FROM any TO tag "role" = "web" ALLOW icmp TYPE 8 CODE 0'}
"""
HOST = """\
apiVersion: reconciler/v1
kind: Host
metadata: {name: hv03, labels: {role: compute}}
spec:
  transport: {type: local, path: "/opt/bin:/usr/bin"}
  identity: {hostname: hv03, hostId: "0000abcd"}
  elevate: none
  mode: enforce
  vars:
    {pool: tank, backupQuota: 1GiB, backupAddress: 10.20.0.3, monitorAddress: 10.0.0.43/24, guestNetwork: igb0,
     guestMonitorAddress: 10.77.0.43/24}
  limits: {parallel: 4, perPool: 4, perKind: {Volume: 2}}
"""


def company_tree(**more: str) -> Tree:
    files = {path.relative_to(EXAMPLE).as_posix(): path.read_bytes() for path in sorted(EXAMPLE.rglob("*.yaml"))}
    return tree_of({**files, **more})


def whole_tree() -> Tree:
    return company_tree(**{"hosts/hv03/host.yaml": HOST, "hosts/hv03/all.yaml": EVERYTHING, "hosts/hv01/every.yaml": GUESTS})


def damaged(chance: random.Random, tree: Tree) -> Tree:
    """The tree with one file damaged, now and then two, or one moved to where it does not belong."""
    made = Tree(list(tree.entries), dict(tree.blobs))
    for _ in range(chance.choice([1, 1, 1, 2])):
        entry = chance.choice(tree.entries)
        data = tree.blobs[entry.blob]
        draw = chance.random()
        if draw < 0.35:
            changed = damaged_documents(chance, [document.value for document in documents(data)])
        else:
            changed = chance.choice(DAMAGES)(chance, data)
        path = chance.choice([other.path for other in tree.entries]) if draw > 0.95 else entry.path
        made.add(path, changed)
    return made


def check_finding(finding: Finding, tree: Tree) -> None:
    """It names a file of the tree, a place in it, a cause and a remedy, and can be shown on any terminal."""
    blobs = {entry.path: tree.blobs[entry.blob] for entry in tree.entries}
    folders = {path[:end] for path in blobs for end in range(len(path)) if path[end] == "/"}
    assert finding.path in blobs or finding.path in folders or finding.path == "repository.yaml", finding
    lines = blobs.get(finding.path, b"").decode("utf-8", "replace").count("\n") + blobs.get(finding.path, b"").count(b"\r") + 2
    assert 1 <= finding.line <= lines + blobs.get(finding.path, b"").count(b"\xe2\x80\xa8"), finding
    assert finding.column >= 1, finding
    assert finding.cause, finding
    assert finding.remedy, finding
    shown = str(finding).encode().decode()
    assert not [sign for sign in shown if unicodedata.category(sign) == "Cc" and sign != "\n"], finding


def check_planned(loaded: ValidTree, hosts: Mapping[str, RecordedHost], registry: Registry) -> None:
    """What is read can be planned and shown, against hosts that have some of it."""
    for name, manifest in loaded.desired.hosts.items():
        one = seen(hosts.get(name, hosts["hv01"]), manifest, loaded.desired)
        made = plan(loaded.desired, (one,), registry.kinds, SOURCE, NOW, frozenset())
        assert plan_document(made)
        assert list(plan_lines(made, registry.kinds))


def check(loaded: LoadedTree, tree: Tree, hosts: Mapping[str, RecordedHost], registry: Registry) -> None:
    for finding in loaded.findings if isinstance(loaded, InvalidTree) else loaded.warnings:
        check_finding(finding, tree)
    if isinstance(loaded, ValidTree):
        # References that go round can only be seen with what is there.
        with contextlib.suppress(ReconcilerError):
            check_planned(loaded, hosts, registry)


@pytest.mark.timeout(600)
def test_damaged_manifests_are_read_or_told_where_they_are_wrong(registry: Registry, tmp_path: Path) -> None:
    tree = whole_tree()
    assert isinstance(tree.load(registry), ValidTree)
    company = company_tree().load(registry)
    assert isinstance(company, ValidTree)
    hosts = recorded(EXAMPLE, company.desired, registry, tmp_path)
    memory, read = LoadMemory(), 0

    for number in range(MANIFESTS):
        made = damaged(random.Random(f"{SEED}/manifest/{number}"), tree)
        try:
            loaded = made.load(registry, memory=memory)
            check(loaded, made, hosts, registry)
        except Exception as trouble:
            trouble.add_note(f"RECONCILER_FUZZ_SEED={SEED}, manifest {number}")
            raise
        read += isinstance(loaded, ValidTree)

    assert 0.05 * MANIFESTS < read < 0.7 * MANIFESTS, "the damage is neither nothing nor everything"
