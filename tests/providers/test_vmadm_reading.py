"""What `vmadm lookup -j` prints, read into canonical fields.

The text is written after the forms that smartos-live of March 2026 stores and shows (its VM.js and proptable.js).
"""

import json
from pathlib import Path

import pytest

from providers.tools.vmadm_guests import GUESTS, STORAGE, VOLUMES, guests_in, read_kind
from providers.tools.vmadm_objects import read_guests
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.errors import ReadError
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.observed import EVERY_FIELD, Mark, Observed
from reconciler.model.value import Fields

LOOKUP = (Path(__file__).parent / "output" / "smartos" / "lookup.json").read_text()
DATASETS = """\
zones\t1\t0\t-\t-
zones/4f2c9ad1-32a5-4a83-8e5c-0d3b2c7f1a01\t1000\t24\t-\tzones/2f1dc911-6401-4fa4-8e9d-67ea2e39c271@final
zones/4f2c9ad1-32a5-4a83-8e5c-0d3b2c7f1a01/data\t500\t0\t-\t-
zones/4f2c9ad1-32a5-4a83-8e5c-0d3b2c7f1a01@vmsnap-before\t-\t-\t1\t-
zones/copy\t10\t0\t-\tzones/4f2c9ad1-32a5-4a83-8e5c-0d3b2c7f1a01@vmsnap-before
"""
GIB, MIB = 1 << 30, 1 << 20


def guests(text: str = LOOKUP, *, storage: str | None = None, asked: tuple[str, ...] = ()) -> dict[str, Observed]:
    """All guests by name, as both providers read them."""
    texts = {GUESTS: text, VOLUMES: ""} | ({STORAGE: storage} if storage is not None else {})
    outputs = {name: Completed(Command(("vmadm",)), Ending.EXITED, 0, answer) for name, answer in texts.items()}
    found = [
        one
        for kind in ("Zone", "VirtualMachine")
        for one in read_kind(kind, guests_in(outputs), outputs, {kind: frozenset(asked)})
    ]
    return {one.name.name: one for one in found}


def some(fields: Fields, *names: str) -> Fields:
    return {name: fields[name] for name in names}


def test_each_guest_goes_by_its_alias_or_its_uuid_and_by_its_brand_s_kind() -> None:
    assert {str(one.name) for one in guests().values()} == {
        "Zone/web1",
        "Zone/old",
        "VirtualMachine/db1",
        "VirtualMachine/5d6e7f80-1111-4222-8333-944445555504",
        "Zone/odd",
    }


def test_sizes_are_bytes_and_limits_that_are_none_are_none() -> None:
    web, old = guests()["web1"].fields, guests()["old"].fields

    names = ("memory", "swap", "quota", "cpuCap", "cpuShares", "maxTasks")
    assert some(web, *names) == {
        "memory": 512 * MIB,
        "swap": GIB,
        "quota": 10 * GIB + GIB // 2,
        "cpuCap": 150,
        "cpuShares": 50,
        "maxTasks": 2000,
    }
    assert some(old, "quota", "cpuCap") == {"quota": None, "cpuCap": None}


def test_lists_that_come_as_one_text_are_lists() -> None:
    fields = guests()["web1"].fields

    assert fields["native.smartos.limit_priv"] == ("default", "dtrace_user")
    assert fields["native.smartos.fs_allowed"] == ("pcfs", "ufs")
    assert fields["resolvers"] == ("9.9.9.9", "1.1.1.1")
    assert guests()["old"].fields["resolvers"] is None


def test_a_nic_is_told_by_its_new_form_and_absent_flags_are_false() -> None:
    fields = guests()["web1"].fields

    assert {name.removeprefix("nics.lan."): value for name, value in fields.items() if name.startswith("nics.lan.")} == {
        "over": "external",
        "model": None,
        "mac": "02:08:20:0a:0b:0c",
        "vlan": None,
        "mtu": None,
        "ips": ("10.0.0.11/24", "addrconf"),
        "gateways": ("10.0.0.1",),
        "primary": True,
        "maxBandwidth": None,
        "allow.macSpoofing": True,
        "allow.ipSpoofing": False,
        "allow.dhcpSpoofing": False,
        "allow.restrictedTraffic": False,
        "allow.ips": ("10.8.0.7/32", "10.9.0.0/24"),
    }


def test_old_forms_of_a_nic_are_read_as_the_new_ones() -> None:
    web, old = guests()["web1"].fields, guests()["old"].fields

    assert some(web, "nics.net1.ips", "nics.net1.vlan", "nics.net1.mtu", "nics.net1.allow.dhcpSpoofing") == {
        "nics.net1.ips": ("dhcp",),
        "nics.net1.vlan": 7,
        "nics.net1.mtu": 1400,
        "nics.net1.allow.dhcpSpoofing": True,
    }
    assert some(old, "nics.eth0.ips", "nics.eth0.gateways", "nics.eth0.mac") == {
        "nics.eth0.ips": ("10.1.0.5/16",),
        "nics.eth0.gateways": ("10.1.0.1",),
        "nics.eth0.mac": "02:08:20:00:00:01",
    }


def test_only_what_the_notes_name_is_ours() -> None:
    found = guests()

    assert found["web1"].own_items == {"nics.lan", "mounts./mnt/opt.d"}
    assert found["web1"].fields["nics"] == ("lan", "net1")
    assert found["db1"].own_items == {"disks.root"}
    assert found["db1"].fields["disks"] == ("debian-12-iso", "precious", "root")


def test_an_item_that_is_not_ours_gives_way_to_one_of_ours_with_its_name() -> None:
    web = json.loads(LOOKUP)[0]
    web["internal_metadata"]["reconciler:nics"] = '{"net1":"02:08:20:0a:0b:0c"}'

    assert guests(json.dumps([web]))["web1"].fields["nics"] == ("net1", "net1-2")


def test_disks_are_told_by_what_they_are() -> None:
    fields = guests()["db1"].fields

    names = ("size", "image", "volume", "iso", "boot", "model", "sparse", "blockSize", "properties.compression")
    assert [fields[f"disks.root.{name}"] for name in names] == [
        20 * GIB, "d42a37a0-6d5c-4f5a-9d0c-3ea4d1e1f8b2", None, None, True, "virtio", False, 8192, "lz4",
    ]  # fmt: skip
    assert [fields[f"disks.precious.{name}"] for name in names] == [
        GIB, None, "zones/precious", None, False, "nvme", True, 16384, None,
    ]  # fmt: skip
    assert (fields["disks.debian-12-iso.iso"], fields["disks.debian-12-iso.size"]) == ("/opt/iso/debian-12.iso", None)


def test_a_machine_s_fields_have_the_names_of_a_manifest() -> None:
    fields = guests()["db1"].fields

    assert some(fields, "engine", "cpus", "memory", "firmware", "console.vnc.port", "cloudInit.userData") == {
        "engine": "bhyve",
        "cpus": 4,
        "memory": 2 * GIB,
        "firmware": "uefi",
        "console.vnc.port": 5901,
        "cloudInit.userData": "#cloud-config\n",
    }
    assert fields["cloudInit.sshKeys"] == ("ssh-ed25519 A a", "ssh-ed25519 B b")


def test_metadata_keeps_its_types_and_never_shows_what_is_ours() -> None:
    fields = guests()["web1"].fields

    assert some(
        fields, "metadata.user-script", "metadata.debug", "metadata.count", "internalMetadata.root_pw", "tags.role"
    ) == {
        "metadata.user-script": '#!/bin/sh\necho "ü"\n',
        "metadata.debug": True,
        "metadata.count": 3,
        "internalMetadata.root_pw": "secret",
        "tags.role": "web",
    }
    assert not [name for name in fields if "reconciler:" in name]


def test_an_entry_that_was_asked_for_and_is_not_there_is_none() -> None:
    assert guests(asked=("tags.absent",))["web1"].fields["tags.absent"] is None
    assert "tags.absent" not in guests()["web1"].fields


def test_routes_have_prefixes_and_one_order() -> None:
    assert guests()["web1"].fields["routes"] == ("10.1.0.9/32 nics[0]", "10.2.0.0/16 10.0.0.254")
    assert guests()["old"].fields["routes"] is None


def test_the_mark_says_whose_it_is_and_how_it_may_go() -> None:
    host = "44454c4c-0000-1000-8000-000000000000"
    found = guests()

    assert found["web1"].mark == Mark("example", ObjectName("Zone", "web1"), host, Protect.REMOVAL, OnRemoval.TRASH)
    assert found["db1"].mark is None
    garbled = found["5d6e7f80-1111-4222-8333-944445555504"].mark
    assert garbled == Mark("example", ObjectName("Unknown", "Nonsense"), "", Protect.ALL, None)


def test_changes_wait_for_the_boot_only_while_that_boot_lasts() -> None:
    found = guests()

    assert found["web1"].pending_restart == ("kernelVersion", "nics.lan.over")
    assert found["old"].pending_restart == ()


def test_a_guest_that_we_stopped_and_did_not_start_is_interrupted() -> None:
    found = guests()

    assert (found["old"].running, found["old"].interrupted) == (False, "running")
    assert (found["web1"].running, found["web1"].interrupted) == (True, "")


def test_a_resume_that_outlived_its_start_is_unfinished() -> None:
    old = json.loads(LOOKUP)[1] | {"state": "running"}

    assert guests(json.dumps([old]))["old"].fields["finished"] is False
    assert guests()["web1"].fields["finished"] is True


def test_brands_and_states_that_nobody_has_heard_of_survive() -> None:
    odd = guests()["odd"]

    assert some(odd.fields, "brand", "state") == {"brand": "someday", "state": "meditating"}
    assert odd.trashed is not None
    assert (odd.trashed.at, odd.trashed.ttl_s, odd.trashed.saved["state"]) == ("20260301T100000.000Z", 60, "running")


def test_a_removal_counts_what_belongs_to_the_guest_and_what_stands_against_it() -> None:
    removal = guests(storage=DATASETS)["web1"].removal

    assert removal is not None
    assert removal.bytes == 1524
    assert removal.snapshots == ("zones/4f2c9ad1-32a5-4a83-8e5c-0d3b2c7f1a01@vmsnap-before",)
    assert [obstacle.split(" (")[0] for obstacle in removal.obstacles] == [
        "snapshot zones/4f2c9ad1-32a5-4a83-8e5c-0d3b2c7f1a01@vmsnap-before is held",
        "zones/copy is a clone of zones/4f2c9ad1-32a5-4a83-8e5c-0d3b2c7f1a01",
    ]


def test_a_guest_that_somebody_made_indestructible_is_not_removed() -> None:
    old = json.loads(LOOKUP)[1] | {"indestructible_zoneroot": True}

    removal = guests(json.dumps([old]), storage=DATASETS)["old"].removal

    assert removal is not None
    assert len(removal.obstacles) == 1
    assert "indestructible_zoneroot is set on it" in removal.obstacles[0]


def test_references_name_what_must_stay() -> None:
    assert guests()["db1"].references == (
        ObjectName("Image", "d42a37a0-6d5c-4f5a-9d0c-3ea4d1e1f8b2"),
        ObjectName("Volume", "zones/precious"),
    )
    assert ObjectName("Etherstub", "external") in guests()["web1"].references


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no answer is not an empty one"),
        ("null", "not an array"),
        ("{}", "not an array"),
        ("[1]", "not a guest"),
        ('[{"uuid": "x", "brand": "lx", "state": "running"}]', "no uuid"),
        ('[{"uuid": "9b1e7c60-6cc6-4b4d-93a5-51ce1c1d5b02", "state": "running"}]', "no brand"),
        ('[{"uuid": "9b1e7c60-6cc6-4b4d-93a5-51ce1c1d5b02", "brand": "lx"}]', "no state"),
        ("[" * 100_000, "too deep"),
        (LOOKUP[:-10], "cut short"),
        (LOOKUP + "x", "more than one answer"),
    ],
)
def test_anything_but_a_whole_array_of_guests_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ReadError):
        read_guests(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_physical_memory", "much"),
        ("nics", {}),
        ("nics", [{"interface": "net0"}]),
        ("quota", []),
        ("autoboot", "perhaps"),
        ("tags", []),
        ("resolvers", 7),
        ("alias", 7),
    ],
)
def test_a_property_in_a_form_that_it_can_t_have_is_refused(name: str, value: object) -> None:
    guest = json.loads(LOOKUP)[1] | {name: value}

    with pytest.raises(ReadError, match=name):
        guests(json.dumps([guest]))


def test_every_field_is_one_of_the_kind_or_told_apart() -> None:
    """What a manifest can't state must not begin to look as if it could."""
    assert {name for name in guests(asked=(EVERY_FIELD,))["web1"].stated_here if "." not in name} == {
        "brand", "image", "uuid", "pool", "autoboot", "hostname", "resolvers", "quota", "firewallEnabled",
        "cpuCap", "cpuShares", "memory", "swap", "routes", "nics", "mounts", "delegatedDataset",
    }  # fmt: skip
