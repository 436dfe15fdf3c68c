"""Guests that are there, as manifests that take them over."""

from reconciler.desired.importing import Imported, imported
from reconciler.desired.manifest import resource
from reconciler.desired.yaml_documents import documents
from reconciler.model.key import Key, ObjectName
from reconciler.model.observed import Observed
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.model.value import Fields, Value
from reconciler.provider.contract import Refusal
from tests.desired.guests import GUESTS

UUID = "01234567-89ab-cdef-0123-456789abcdef"

ZONE: Fields = {
    "uuid": UUID,
    "brand": "joyent-minimal",
    "image": "11111111-89ab-cdef-0123-456789abcdef",
    "pool": "zones",
    "state": "running",
    "memory": 1 << 30,
    "swap": 2 << 30,
    "cpuCap": None,
    "quota": 10 << 30,
    "nics": ("net0", "net1"),
    "nics.net0.over": "admin",
    "nics.net0.mac": "02:00:00:00:00:01",
    "nics.net0.ips": ("10.0.0.5/24",),
    "nics.net0.allow.macSpoofing": True,
    "nics.net0.primary": True,
    "nics.net1.over": "external",
    "nics.net1.mac": "02:00:00:00:00:02",
    "nics.net1.ips": ("dhcp",),
    "routes": ("10.1.0.0/16 10.0.0.1",),
    "metadata.user-script": "#!/bin/sh\n",
    "tags.backup": True,
    "mounts": ("/data",),
    "mounts./data.source": "/opt",
    "native.smartos.tmpfs": 256,
    "native.smartos.fs_allowed": ("nfs", "ufs"),
}
MACHINE: Fields = {
    "uuid": UUID,
    "engine": "kvm",
    "memory": 1 << 30,
    "disks": ("disk0", "disk1"),
    "disks.disk0.image": "11111111-89ab-cdef-0123-456789abcdef",
    "disks.disk0.size": 10 << 30,
    "disks.disk0.pool": "zones",
    "disks.disk0.boot": True,
    "disks.disk1.volume": "zones/shared",
    "disks.disk1.size": 5 << 30,
    "cloudInit.sshKeys": ("a",),
    "metadata.root_authorized_keys": "a\n",
}


def written(kind: str, fields: Fields) -> tuple[Imported, Resource]:
    observed = Observed(ObjectName(kind, "web1"), fields, stated_here=frozenset(fields), identity=UUID)
    found = imported(Key("hv01", kind, "web1"), observed, GUESTS.kinds, no_refusal)
    (document,) = documents(found.text.encode())
    read = resource(document.value, "hv01", Origin("a.yaml", 1, 1), GUESTS.kinds)
    assert isinstance(read, Resource), read
    return found, read


def no_refusal(_field: str, _value: Value) -> Refusal | None:
    return None


def test_a_zone_is_written_with_nics_mounts_maps_and_native_settings() -> None:
    found, read = written("Zone", ZONE)

    left_out = {"cpuCap", "tags.backup", "image"}
    assert read.fields == {name: value for name, value in ZONE.items() if name not in left_out}
    assert read.created_with == {"image": ZONE["image"]}
    assert "# On hv01: brand joyent-minimal; running; 1.0 GiB of memory.\n" in found.text
    assert "# Not stated: tags.backup, for expected text, got true.\n" in found.text


def test_what_the_items_of_a_machine_can_not_say_together_is_left_out_by_name() -> None:
    found, read = written("VirtualMachine", MACHINE)

    left_out = {"disks.disk1.size", "metadata.root_authorized_keys"}
    assert read.fields == {name: value for name, value in MACHINE.items() if name not in left_out}
    assert "# Not stated: disks.disk1.size, for a disk can't be volume and size at once.\n" in found.text


def test_a_list_of_which_one_entry_can_not_be_stated_is_left_out_whole() -> None:
    found, read = written("Zone", {"uuid": UUID, "routes": ("10.1.0.0/16 10.0.0.1", "10.2.0.0/16 nics[0]"), "pool": "zones"})

    assert read.fields == {"uuid": UUID, "pool": "zones"}
    assert "# Not stated: routes, for 'nics[0]' is not an address.\n" in found.text


def test_what_was_chosen_for_a_disk_when_it_was_made_is_stated() -> None:
    observed = Observed(
        ObjectName("VirtualMachine", "web1"), {**MACHINE, "engine": "bhyve"}, frozenset({"disks"}), identity=UUID
    )
    found = imported(Key("hv01", "VirtualMachine", "web1"), observed, GUESTS.kinds, no_refusal)

    assert '      image: "11111111-89ab-cdef-0123-456789abcdef"\n' in found.text
    assert "      volume: zones/shared\n" in found.text
