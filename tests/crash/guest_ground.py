"""An emulated SmartOS host with guests of ours and of others, and all that can be seen on it afterwards."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from providers.crossbow import PROVIDER as CROSSBOW
from providers.kvm import PROVIDER as KVM
from providers.zfs import PROVIDER as ZFS
from providers.zones import PROVIDER as ZONES
from reconciler.desired.manifest import resource
from reconciler.desired.yaml_documents import documents
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.provider.contract import Provider
from reconciler.provider.registry import Registry
from tests.passes.ground import Ground

PROVIDERS = (ZFS, CROSSBOW, ZONES, KVM)
KINDS = Registry.of(PROVIDERS).kinds

ZONE_IMAGE = "2f1dc911-6401-4fa4-8e9d-67ea2e39c271"
OTHER_ZONE_IMAGE = "8adac45a-1f3c-4b7f-a5a2-6d2c9f5e1b64"
LX_IMAGE = "e1faace4-e19b-11e5-928b-83849e2fd94a"
VM_IMAGE = "d42a37a0-6d5c-4f5a-9d0c-3ea4d1e1f8b2"

Json = dict[str, Any]

_VOLATILE = (
    "boot_timestamp",
    "create_timestamp",
    "last_modified",
    "exit_timestamp",
    "exit_status",
    "pid",
    "zonedid",
    "zoneid",
    "snapshots",
    "hvm_boots",
)
_TIME = re.compile(r"\d{8}T\d{6}\.\d{3}Z(-\d+)?")
_PROPERTIES = "type,volsize,quota,refquota,reservation,refreservation,zoned,mountpoint,compression"
_LINK_PROPERTIES = "mtu,maxbw,priority,protection,allowed-ips"


@dataclass
class GuestGround(Ground):
    """hv01 as a SmartOS host."""

    system: str = field(default="smartos", init=False)
    providers: tuple[Provider, ...] = PROVIDERS

    def do(self, *argv: str, stdin: object = None) -> str:
        """A command behind our back, which must succeed; `stdin` goes as JSON."""
        answer = self.host.drift(argv, None if stdin is None else json.dumps(stdin).encode())
        assert answer.exit_code == 0, (argv, answer.stderr.decode())
        return answer.stdout.decode()

    def guests(self) -> list[Json]:
        """All guests as vmadm prints them."""
        found: list[Json] = json.loads(self.do("vmadm", "lookup", "-j"))
        return found

    def guest(self, alias: str) -> Json:
        (found,) = [guest for guest in self.guests() if guest.get("alias") == alias]
        return found

    def guids(self) -> dict[str, str]:
        """Names of all datasets, volumes and snapshots, by guid."""
        told = self.zfs("get", "-Hp", "-r", "-o", "name,value", "guid", self.pool)
        return {guid: name for name, guid in (line.split("\t") for line in told.splitlines())}


def wanted(*manifests: str) -> list[Resource]:
    """The resources of manifests, written as `Kind name {lifecycle} {spec}` in `manifest`."""
    found = []
    for text in manifests:
        (document,) = documents(text.encode())
        made = resource(document.value, "hv01", Origin("hosts/hv01/all.yaml", 1, 1), KINDS)
        assert isinstance(made, Resource), (text, made)
        found.append(made)
    return found


def manifest(kind: str, name: str, spec: str = "", lifecycle: str = "", metadata: str = "") -> str:
    """One manifest; spec, lifecycle and further metadata in flow style without the outer braces."""
    more = f", {metadata}" if metadata else ""
    head = f"apiVersion: reconciler/v1\nkind: {kind}\nmetadata: {{name: {name}{more}}}\n"
    return f"{head}lifecycle: {{{lifecycle}}}\nspec: {{{spec}}}\n"


STRANGERS = ("stranger", "theirs", "idle", "their-vm")


def strangers(ground: GuestGround) -> None:
    """What is none of our business: guests that nobody marked, or somebody else, with data, a volume, a link, a rule."""
    for image in (ZONE_IMAGE, LX_IMAGE, VM_IMAGE):
        ground.do("imgadm", "import", "-q", "-P", "zones", image)
    zone: Json = {"brand": "joyent-minimal", "image_uuid": ZONE_IMAGE, "max_physical_memory": 256}
    nic = {"nic_tag": "admin", "ips": ["dhcp"]}
    ground.do("vmadm", "create", stdin={**zone, "alias": "stranger", "delegate_dataset": True, "nics": [nic]})
    others = {"reconciler:owner": "others", "reconciler:key": "Zone/theirs", "reconciler:on-removal": "delete"}
    ground.do("vmadm", "create", stdin={**zone, "alias": "theirs", "internal_metadata": others})
    ground.do("vmadm", "create", stdin={**zone, "alias": "idle", "autoboot": False})
    ground.zfs("create", "-V", "1g", "zones/their-disk")
    disks: list[Json] = [
        {"size": 1024, "model": "virtio", "boot": True},
        {"path": "/dev/zvol/rdsk/zones/their-disk", "nocreate": True, "model": "virtio"},
    ]
    ground.do("vmadm", "create", stdin={"brand": "bhyve", "alias": "their-vm", "ram": 512, "vcpus": 1, "disks": disks})
    ground.put_data("their-disk")
    for guest in ground.guests():
        ground.put_data(guest["uuid"])
        for disk in guest.get("disks", ()):
            ground.host.storage.write(disk["zfs_filesystem"], 1 << 20)
    ground.do("nictagadm", "add", "-l", "theirs0")
    ground.do("fwadm", "add", stdin={"rule": "FROM any TO all vms BLOCK tcp PORT 23", "enabled": True, "global": True})


def of_strangers(ground: GuestGround) -> object:
    """All about guests that are not ours, how often they were started included."""
    theirs = [ground.guest(alias) for alias in STRANGERS]
    return [(guest, ground.host.guests.guest(guest["uuid"]).boots) for guest in theirs]


def portrait(ground: GuestGround, before: Mapping[str, str]) -> Json:
    """All that the host is, but for times and ids; a guest's uuid is shown as its alias, for it depends on those that are
    taken. `before` are datasets by the guid that they keep."""
    guids = ground.guids()
    found = json.dumps(
        {
            "guests": _by(map(_timeless_guest, ground.guests()), "uuid"),
            "datasets": _datasets(ground),
            "kept": {name: _timeless(guids[guid]) for guid, name in before.items() if guid in guids},
            "images": sorted(one["manifest"]["uuid"] for one in json.loads(ground.do("imgadm", "list", "-j"))),
            "tags": sorted(ground.do("nictagadm", "list", "-p", "-d", "|").splitlines()),
            "links": sorted(ground.do("dladm", "show-vnic", "-p", "-o", "link,over,vid,macaddress").splitlines()),
            "link properties": sorted(
                ground.do("dladm", "show-linkprop", "-c", "-o", "link,property,value", "-p", _LINK_PROPERTIES).splitlines()
            ),
            "rules": sorted(
                (rule["rule"], rule["enabled"], rule.get("description", ""))
                for rule in json.loads(ground.do("fwadm", "list", "-j"))
            ),
        }
    )
    for guest in ground.guests():
        found = found.replace(guest["uuid"], _timeless(f"<{guest['alias']}>"))
    shown: Json = json.loads(found)
    return shown


def _by(rows: Iterable[Json], name: str) -> Json:
    return {row[name]: row for row in rows}


def _timeless(text: str) -> str:
    return _TIME.sub("*", text)


def _timeless_guest(guest: Json) -> Json:
    told = {name: value for name, value in guest.items() if name not in _VOLATILE}
    if "disks" in told:
        told["disks"] = [{name: value for name, value in disk.items() if name != "uuid"} for disk in told["disks"]]
    notes = dict(told.get("internal_metadata", {}))
    if "reconciler:disks" in notes:
        notes["reconciler:disks"] = sorted(json.loads(notes["reconciler:disks"]))
    notes = {name: value for name, value in notes.items() if value not in ("{}", "[]")}
    if "reconciler:trash" in notes:
        trash = json.loads(notes["reconciler:trash"])
        notes["reconciler:trash"] = {name: value for name, value in trash.items() if name != "at"}
    if "reconciler:staged" in notes:
        notes["reconciler:staged"] = json.loads(notes["reconciler:staged"])["fields"]
    return {**told, "alias": _timeless(str(told.get("alias"))), "internal_metadata": notes}


def _datasets(ground: GuestGround) -> Json:
    found: Json = {}
    told = ground.zfs("get", "-Hp", "-r", "-o", "name,property,value", _PROPERTIES, ground.pool)
    for line in told.splitlines():
        name, prop, value = line.split("\t")
        found.setdefault(_timeless(name), {})[prop] = value
    return found


def differences(before: Json, after: Json) -> list[str]:
    """What differs between two portraits, one line each."""
    found = []
    for part in before:
        old, new = before[part], after[part]
        if not isinstance(old, dict):
            found += [f"{part}: {old} -> {new}"] if old != new else []
            continue
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                found.append(f"{part} {name}: {_changed(old.get(name), new.get(name))}")
    return found


def _changed(old: object, new: object) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        names = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
        return "; ".join(f"{name} {old.get(name)!r} -> {new.get(name)!r}" for name in names)
    return f"{old!r} -> {new!r}"
