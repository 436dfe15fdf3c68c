"""Guests on an emulated SmartOS host, from their making to their removal, whole and cut short at each command."""

import pytest

from reconciler.model.change import Verb
from reconciler.model.key import ObjectName
from reconciler.model.value import Fields
from tests.providers.conftest import TryoutHost
from tests.providers.guest_ground import LX_IMAGE, GuestGround, vm_fields, zone_fields

GIB, MIB = 1 << 30, 1 << 20
ZONE, VM = ObjectName("Zone", "web1"), ObjectName("VirtualMachine", "db1")

NIC: Fields = {
    "nics": ("net0",),
    "nics.net0.over": "external",
    "nics.net0.ips": ("10.0.0.11/24",),
    "nics.net0.gateways": ("10.0.0.1",),
    "nics.net0.allow.macSpoofing": True,
    "nics.net0.allow.ips": ("10.9.0.0/24",),
}
EVERYTHING: Fields = {
    **zone_fields(
        swap=GIB,
        quota=20 * GIB,
        cpuCap=150,
        cpuShares=50,
        maxTasks=500,
        autoboot=False,
        hostname="web1",
        dnsDomain="example.org",
        delegatedDataset=True,
        firewallEnabled=True,
    ),
    **NIC,
    "resolvers": ("9.9.9.9", "1.1.1.1"),
    "routes": ("10.1.0.0/16 10.0.0.254", "10.2.0.9/32 10.0.0.253"),
    "metadata.user-script": '#!/bin/sh\necho "it\'s ü"\n',
    "internalMetadata.secret": "x",
    "tags.role": "web",
    "mounts": ("/mnt/opt",),
    "mounts./mnt/opt.source": "/opt",
    "mounts./mnt/opt.readOnly": True,
    "native.smartos.limit_priv": ("default", "dtrace_user"),
    "native.smartos.zfs_root_compression": "lz4",
}
MACHINE: Fields = {
    **vm_fields(),
    **NIC,
    "disks": ("data", "root"),
    "disks.data.size": GIB,
    "disks.data.properties.compression": "lz4",
    "cloudInit.userData": "#cloud-config\n",
    "cloudInit.sshKeys": ("ssh-ed25519 AAAA a", "ssh-ed25519 BBBB b"),
    "console.vnc.port": -1,
    "firmware": "uefi",
}
KVM: Fields = {**vm_fields(engine="kvm"), "disks": ("data", "root"), "disks.data.size": GIB}
LX: Fields = {**zone_fields(brand="lx", image=LX_IMAGE, kernelVersion="4.3.0"), **NIC}
GUESTS = {"zone": (ZONE, EVERYTHING), "lx": (ZONE, LX), "bhyve": (VM, MACHINE), "kvm": (VM, KVM)}


@pytest.fixture
def ground(smartos: TryoutHost) -> GuestGround:
    return GuestGround(smartos)


@pytest.mark.parametrize("guest", GUESTS)
def test_a_guest_with_every_field_is_made_and_nothing_is_left_to_do(ground: GuestGround, guest: str) -> None:
    name, fields = GUESTS[guest]

    ground.bring_about(name, fields)

    there = ground.here(name)
    assert there is not None
    assert there.mark == ground.mark(name)
    assert there.running


@pytest.mark.parametrize("guest", GUESTS)
def test_a_guest_goes_into_the_trash_and_comes_back_as_it_was(ground: GuestGround, guest: str) -> None:
    name, fields = GUESTS[guest]
    ground.bring_about(name, fields)
    before = ground.here(name)
    trashing = ground.removal(name, Verb.TRASH)
    assert trashing is not None

    ground.carry_out(trashing)

    assert ground.here(name) is None
    restoring = ground.restoration(name)
    assert restoring is not None
    assert restoring.observed is not None
    assert restoring.observed.fields["nics"] == ()
    assert not restoring.observed.running
    ground.carry_out(restoring)
    after = ground.here(name)
    assert before is not None
    assert after is not None
    assert (after.identity, after.mark, after.trashed, after.running) == (before.identity, before.mark, None, before.running)
    assert without_boot(after.fields) == without_boot(before.fields)
    assert ground.change(name, fields) is None


def without_boot(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if name != "bootTimestamp"}


@pytest.mark.parametrize("cut", range(5))
@pytest.mark.parametrize("guest", GUESTS)
def test_a_guest_that_was_cut_off_on_its_way_into_the_trash_gets_there(ground: GuestGround, guest: str, cut: int) -> None:
    name, fields = GUESTS[guest]
    ground.bring_about(name, fields)
    before = ground.here(name)
    first = ground.removal(name, Verb.TRASH)
    assert first is not None
    ground.carry_out(first, cut)

    if (second := ground.removal(name, Verb.TRASH)) is not None:
        ground.carry_out(second)

    back = ground.restoration(name)
    assert back is not None
    ground.carry_out(back)
    after = ground.here(name)
    assert before is not None
    assert after is not None
    assert without_boot(after.fields) == without_boot(before.fields)
    assert ground.change(name, fields) is None


@pytest.mark.parametrize("cut", range(7))
@pytest.mark.parametrize("guest", GUESTS)
def test_a_guest_that_was_cut_off_on_its_way_back_comes_back_whole(ground: GuestGround, guest: str, cut: int) -> None:
    name, fields = GUESTS[guest]
    ground.bring_about(name, fields)
    trashing = ground.removal(name, Verb.TRASH)
    assert trashing is not None
    ground.carry_out(trashing)
    first = ground.restoration(name)
    assert first is not None
    ground.carry_out(first, cut)

    if (second := ground.restoration(name)) is not None:
        ground.carry_out(second)

    assert ground.change(name, fields) is None
    there = ground.here(name)
    assert there is not None
    assert there.running
    assert there.trashed is None


@pytest.mark.parametrize("guest", GUESTS)
def test_a_guest_is_purged_from_the_trash(ground: GuestGround, guest: str) -> None:
    name, fields = GUESTS[guest]
    ground.bring_about(name, fields)
    trashing = ground.removal(name, Verb.TRASH)
    assert trashing is not None
    ground.carry_out(trashing)
    (kept,) = ground.see(name.kind)

    purging = ground.removal(kept.name, Verb.DELETE)
    assert purging is not None
    ground.carry_out(purging)

    assert ground.see(name.kind) == ()


@pytest.mark.parametrize("cut", range(4))
@pytest.mark.parametrize("guest", GUESTS)
def test_a_guest_that_was_cut_off_while_it_was_made_is_made_once(ground: GuestGround, guest: str, cut: int) -> None:
    name, fields = GUESTS[guest]
    first = ground.change(name, fields)
    assert first is not None
    ground.carry_out(first, cut)

    if (second := ground.change(name, fields)) is not None:
        ground.carry_out(second)

    assert ground.change(name, fields) is None
    assert len(ground.see(name.kind)) == 1
