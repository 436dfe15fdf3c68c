"""Changes of guests on an emulated SmartOS host: what each costs, what it leaves alone, and what a cut leaves to do."""

import json

import pytest

from reconciler.model.change import NAME, Change, FieldChange, Verb
from reconciler.model.errors import ReconcilerError
from reconciler.model.key import Key, ObjectName
from reconciler.model.observed import Mark
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.model.value import Fields, Value
from tests.providers.conftest import TryoutHost
from tests.providers.guest_ground import VM_IMAGE, GuestGround, vm_fields, zone_fields
from tests.providers.test_vmadm_life import EVERYTHING, GIB, KVM, MACHINE, MIB, NIC, VM, ZONE


@pytest.fixture
def ground(smartos: TryoutHost) -> GuestGround:
    return GuestGround(smartos)


def vmadm_get(ground: GuestGround, name: ObjectName) -> dict[str, object]:
    there = ground.here(name)
    assert there is not None
    found = json.loads(ground.do("vmadm", "get", there.identity).stdout)
    assert isinstance(found, dict)
    return found


def words(commands: list[str]) -> list[str]:
    """What vmadm and zfs were told to do, in one word each."""
    return [command.split()[1] for command in commands]


SECOND_NIC: Fields = {
    **NIC,
    "nics": ("lan", "net0"),
    "nics.lan.over": "admin",
    "nics.lan.ips": ("dhcp",),
}

ZONE_CHANGES: dict[str, Fields] = {
    "memory": {"memory": GIB, "swap": 2 * GIB},
    "less memory": {"memory": 256 * MIB, "swap": 256 * MIB},
    "no caps": {"cpuCap": None, "quota": None},
    "names": {"hostname": "other", "dnsDomain": "local", "resolvers": None},
    "routes": {"routes": ("10.2.0.9/32 10.0.0.252", "10.3.0.0/16 10.0.0.254")},
    "no routes": {"routes": None},
    "entries": {"metadata.user-script": None, "metadata.other": "a\nb", "tags.role": "db", "internalMetadata.secret": None},
    "firewall": {"firewallEnabled": False, "autoboot": True},
    "mount": {"mounts./mnt/opt.readOnly": False, "mounts./mnt/opt.source": "/var/tmp"},
    "mounts": {"mounts": ("/mnt/a.b",), "mounts./mnt/a.b.source": "/opt"},
    "second nic": SECOND_NIC,
    "no nic": {"nics": ()},
    "nic": {"nics.net0.over": "admin", "nics.net0.vlan": 7, "nics.net0.ips": ("10.0.0.12/24", "10.0.0.13/24")},
    "mac": {"nics.net0.mac": "02:08:20:01:02:03"},
    "protection": {"nics.net0.allow.macSpoofing": False, "nics.net0.allow.ips": ()},
    "native": {"native.smartos.limit_priv": ("default",), "native.smartos.zfs_root_compression": "off"},
    "tmpfs": {"native.smartos.tmpfs": 64},
    "stop": {"state": "stopped"},
    "stop but boot": {"state": "stopped", "autoboot": True},
}  # fmt: skip


def changed(fields: Fields, changes: Fields) -> dict[str, Value]:
    """The fields with others; of items that are gone nothing is stated."""
    merged = {**fields, **changes}
    for head in ("nics", "mounts", "disks"):
        names = merged.get(head, ())
        assert isinstance(names, tuple)
        for one in list(merged):
            if one.startswith(f"{head}.") and not any(one.startswith(f"{head}.{name}.") for name in names):
                del merged[one]
    return merged


@pytest.mark.parametrize("what", ZONE_CHANGES)
def test_a_zone_is_changed_and_nothing_is_left_to_do(ground: GuestGround, what: str) -> None:
    ground.bring_about(ZONE, EVERYTHING)

    ground.bring_about(ZONE, changed(EVERYTHING, ZONE_CHANGES[what]))

    if ground.change(ZONE, EVERYTHING) is not None:
        ground.bring_about(ZONE, EVERYTHING)


@pytest.mark.parametrize("cut", range(1, 6))
@pytest.mark.parametrize("what", ZONE_CHANGES)
def test_a_change_of_a_zone_that_was_cut_off_is_finished_by_the_next(ground: GuestGround, what: str, cut: int) -> None:
    ground.bring_about(ZONE, EVERYTHING)
    wanted = changed(EVERYTHING, ZONE_CHANGES[what])
    first = ground.change(ZONE, wanted)
    assert first is not None
    ground.carry_out(first, cut)

    if (second := ground.change(ZONE, wanted)) is not None:
        ground.carry_out(second)

    assert ground.change(ZONE, wanted) is None


MACHINE_CHANGES: dict[str, Fields] = {
    "memory": {"memory": 2 * GIB},
    "cpus": {"cpus": 4},
    "grow": {"disks.data.size": 2 * GIB},
    "grow an image's": {"disks.root.size": 20 * GIB},
    "compression": {"disks.data.properties.compression": "gzip"},
    "detach": {"disks": ("root",)},
    "add": {"disks": ("data", "logs", "root"), "disks.logs.size": GIB, "disks.logs.sparse": True},
    "swap disks": {"disks": ("logs", "root"), "disks.logs.size": GIB},
    "iso": {"disks": ("cd", "data", "root"), "disks.cd.iso": "/opt/a.iso"},
    "user data": {"cloudInit.userData": "#cloud-config\nusers: []\n", "cloudInit.sshKeys": ("ssh-ed25519 CCCC c",)},
    "vnc": {"console.vnc.port": 5901},
    "firmware": {"firmware": "bios"},
    "nic": {"nics.net0.over": "admin"},
    "mac": {"nics.net0.mac": "02:08:20:01:02:03"},
    "several": {"memory": 2 * GIB, "disks.data.size": 3 * GIB, "metadata.a": "b"},
    "stop and detach": {"state": "stopped", "disks": ("root",)},
}


@pytest.mark.parametrize("what", MACHINE_CHANGES)
def test_a_machine_is_changed_and_nothing_is_left_to_do(ground: GuestGround, what: str) -> None:
    ground.bring_about(VM, MACHINE)

    ground.bring_about(VM, changed(MACHINE, MACHINE_CHANGES[what]))

    there = ground.here(VM)
    assert there is not None
    assert there.running is (MACHINE_CHANGES[what].get("state") != "stopped")
    assert there.pending_restart == ()
    assert there.fields["autoboot"] is there.running


@pytest.mark.parametrize("cut", range(1, 8))
@pytest.mark.parametrize("what", MACHINE_CHANGES)
def test_a_change_of_a_machine_that_was_cut_off_is_finished_by_the_next(ground: GuestGround, what: str, cut: int) -> None:
    ground.bring_about(VM, MACHINE)
    wanted = changed(MACHINE, MACHINE_CHANGES[what])
    first = ground.change(VM, wanted)
    assert first is not None
    ground.carry_out(first, cut)

    if (second := ground.change(VM, wanted)) is not None:
        ground.carry_out(second)

    assert ground.change(VM, wanted) is None
    there = ground.here(VM)
    assert there is not None
    assert there.running is (MACHINE_CHANGES[what].get("state") != "stopped")
    assert len(ground.see(VM.kind)) == 1


def test_growing_memory_leaves_swap_locked_memory_and_tmpfs_alone(ground: GuestGround) -> None:
    fields = {**zone_fields(), "swap": 2 * GIB, "native.smartos.tmpfs": 100}
    ground.bring_about(ZONE, fields)

    ground.bring_about(ZONE, {**fields, "memory": GIB})

    found = vmadm_get(ground, ZONE)
    names = ("max_physical_memory", "max_swap", "max_locked_memory", "tmpfs")
    assert {name: found[name] for name in names} == {
        "max_physical_memory": 1024,
        "max_swap": 2048,
        "max_locked_memory": 512,
        "tmpfs": 100,
    }


def test_memory_of_a_machine_takes_its_overhead_along(ground: GuestGround) -> None:
    ground.bring_about(VM, MACHINE)
    before = vmadm_get(ground, VM)["max_physical_memory"]

    ground.bring_about(VM, {**MACHINE, "memory": 2 * GIB})

    after = vmadm_get(ground, VM)
    assert isinstance(before, int)
    assert (after["ram"], after["max_physical_memory"]) == (2048, before + 1024)


def test_what_acts_at_the_next_boot_is_noted_until_the_guest_has_booted(ground: GuestGround) -> None:
    ground.bring_about(VM, MACHINE, restarts=True)
    ground.bring_about(VM, {**MACHINE, "cpus": 4}, restarts=False)
    ground.bring_about(VM, {**MACHINE, "cpus": 4, "memory": 2 * GIB}, restarts=False)
    waiting = ground.here(VM)
    assert waiting is not None
    assert waiting.pending_restart == ("cpus", "memory")

    commands = ground.bring_about(VM, {**MACHINE, "cpus": 4, "memory": 2 * GIB})

    assert words(commands) == ["validate", "update", "reboot", "update"]
    after = ground.here(VM)
    assert after is not None
    assert after.pending_restart == ()


def test_disks_change_between_one_stop_and_one_start_with_all_else(ground: GuestGround) -> None:
    ground.bring_about(VM, MACHINE)

    commands = ground.bring_about(VM, changed(MACHINE, MACHINE_CHANGES["several"]))

    assert words(commands) == ["validate", "update", "stop", "update", "start", "update"]


def test_a_disk_of_kvm_is_grown_by_zfs_because_vmadm_can_t(ground: GuestGround) -> None:
    ground.bring_about(VM, KVM)

    commands = ground.bring_about(VM, {**KVM, "disks.data.size": 2 * GIB})

    assert words(commands) == ["update", "stop", "set", "start", "update"]


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"firmware": "uefi"}, "no choice of firmware"),
        ({"disks": ("a",), "disks.a.size": GIB, "disks.a.model": "nvme"}, "disk a: kvm has no disks of model nvme"),
        ({"disks": ("a",), "disks.a.image": VM_IMAGE, "disks.a.size": GIB}, "disk a: kvm can't grow a disk made of an image"),
    ],
)
def test_what_only_another_engine_has_is_refused_of_kvm(ground: GuestGround, fields: Fields, cause: str) -> None:
    resource = Resource(Key("h", *VM), {"engine": "kvm", **fields}, Origin("a.yaml", 1, 1))
    mark = Mark("tests", VM)
    made = Change(resource.key, Verb.CREATE, (), resource, None, mark, identity="i", default_pool="zones", owner="tests")

    with pytest.raises(ReconcilerError, match=cause):
        ground.backends[VM.kind].steps(made)


def test_a_detached_disk_keeps_its_data_beside_the_guests(ground: GuestGround) -> None:
    ground.bring_about(VM, MACHINE)
    there = ground.here(VM)
    assert there is not None
    volume = str(there.fields["disks.data.path"]).removeprefix("/dev/zvol/rdsk/")
    ground.do("zfs", "set", "org.example:data=precious", volume)

    ground.bring_about(VM, changed(MACHINE, {"disks": ("root",)}))

    kept = f"zones/.reconciler-detached/{there.identity}-data"
    assert ground.do("zfs", "get", "-H", "-o", "value", "org.example:data", kept).stdout == "precious\n"


def test_two_disks_of_one_name_are_detached_side_by_side(ground: GuestGround) -> None:
    without = changed(MACHINE, {"disks": ("root",)})
    for fields in (MACHINE, without, MACHINE, without):
        ground.bring_about(VM, fields)

    listed = ground.do("zfs", "list", "-H", "-t", "volume", "-o", "name").stdout.split()
    assert len([name for name in listed if ".reconciler-detached/" in name]) == 2


@pytest.mark.parametrize(("on_removal", "place"), [("trash", "zones/.reconciler-trash/"), ("delete", None)])
def test_a_disk_that_is_left_out_goes_as_was_said_when_it_was_stated(
    ground: GuestGround, on_removal: str, place: str | None
) -> None:
    ground.bring_about(VM, MACHINE)
    remembered = {"disks.data.onRemoval": on_removal}
    change = ground.change(VM, changed(MACHINE, {"disks": ("root",)}), remembered=remembered)
    assert change is not None

    ground.carry_out(change)

    listed = ground.do("zfs", "list", "-H", "-t", "volume", "-o", "name").stdout.split()
    aside = [name for name in listed if "/.reconciler-" in name]
    assert [name.startswith(place) for name in aside] == [True] if place else aside == []
    assert any(step.destructive for step in ground.steps(change)) is (place is None)


VOLUME: Fields = {**vm_fields(), "disks": ("data", "root"), "disks.data.volume": "zones/precious"}


@pytest.mark.parametrize("cut", [None, *range(1, 9)])
def test_a_volume_of_its_own_outlives_every_disk_that_it_was(ground: GuestGround, cut: int | None) -> None:
    ground.do("zfs", "create", "-V", "1G", "zones/precious")
    ground.do("zfs", "set", "org.example:data=precious", "zones/precious")
    ground.bring_about(VM, VOLUME)
    without = changed(VOLUME, {"disks": ("root",)})
    first = ground.change(VM, without)
    assert first is not None

    ground.carry_out(first, cut)
    if (second := ground.change(VM, without)) is not None:
        ground.carry_out(second)

    assert ground.change(VM, without) is None
    assert ground.do("zfs", "get", "-H", "-o", "value", "org.example:data", "zones/precious").stdout == "precious\n"


@pytest.mark.parametrize("cut", [None, *range(1, 7)])
@pytest.mark.parametrize("by_trash", [False, True])
def test_a_volume_of_its_own_outlives_the_guest(ground: GuestGround, cut: int | None, by_trash: bool) -> None:
    ground.do("zfs", "create", "-V", "1G", "zones/precious")
    ground.do("zfs", "set", "org.example:data=precious", "zones/precious")
    ground.bring_about(VM, VOLUME)
    if by_trash:
        trashing = ground.removal(VM, Verb.TRASH)
        assert trashing is not None
        ground.carry_out(trashing)
    (there,) = ground.see(VM.kind)
    first = ground.removal(there.name, Verb.DELETE)
    assert first is not None

    ground.carry_out(first, cut)
    if (second := ground.removal(there.name, Verb.DELETE)) is not None:
        ground.carry_out(second)

    assert ground.see(VM.kind) == ()
    assert ground.do("zfs", "get", "-H", "-o", "value", "org.example:data", "zones/precious").stdout == "precious\n"


def test_a_rename_is_one_update_of_alias_and_mark(ground: GuestGround) -> None:
    ground.bring_about(ZONE, EVERYTHING)
    there = ground.here(ZONE)
    new = ObjectName("Zone", "web2")
    resource = ground.resource(new, EVERYTHING)
    renaming = Change(Key("hv01", *new), Verb.UPDATE, (FieldChange(NAME, "web1", "web2"),), resource, there, ground.mark(new))

    ground.carry_out(renaming)

    after = ground.here(new)
    assert there is not None
    assert after is not None
    assert (after.identity, after.mark, after.own_items) == (there.identity, ground.mark(new), there.own_items)
    assert words([str(step.command) for step in ground.steps(renaming)]) == ["validate", "update"]


def test_a_stranger_s_guest_is_taken_over_by_marks_alone(ground: GuestGround) -> None:
    ground.bring_about(ZONE, EVERYTHING)
    there = ground.here(ZONE)
    assert there is not None
    ground.carry_out(Change(Key("hv01", *ZONE), Verb.FORGET, observed=there))
    forgotten = ground.here(ZONE)
    assert forgotten is not None
    assert (forgotten.mark, forgotten.own_items) == (None, frozenset())
    before = vmadm_get(ground, ZONE)

    ground.carry_out(
        Change(Key("hv01", *ZONE), Verb.ADOPT, (), ground.resource(ZONE, EVERYTHING), forgotten, ground.mark(ZONE))
    )

    after = vmadm_get(ground, ZONE)
    adopted = ground.here(ZONE)
    assert adopted is not None
    assert (adopted.mark, adopted.own_items) == (ground.mark(ZONE), there.own_items)
    differing = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert differing - {"last_modified"} == {"internal_metadata"}


def test_locked_memory_that_holds_no_memory_of_the_machine_stays(ground: GuestGround) -> None:
    """Were it moved along with the memory that shrinks, nothing would be left of it."""
    limited = {**MACHINE, "memory": 2 * GIB, "native.smartos.max_locked_memory": 300}
    ground.bring_about(VM, limited)

    ground.bring_about(VM, {**MACHINE, "memory": GIB})

    assert vmadm_get(ground, VM)["max_locked_memory"] == 300
