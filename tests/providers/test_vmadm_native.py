"""The closed table of vmadm's own properties under native.smartos."""

import pytest

from providers.tools import vmadm_native
from providers.tools.vmadm_native import NATIVE, PREFIX, VM_BRANDS, ZONE_BRANDS
from reconciler.model.value import Value
from reconciler.provider.field import Acts
from tests.desired.guests import again, made, refused

DEVICE = "/devices/pci@0/a"

EVERY_PROPERTY = """
uuid brand zonename alias image_uuid zpool autoboot owner_uuid billing_id package_name package_version hostname
dns_domain resolvers maintain_resolvers routes set_routes remove_routes customer_metadata internal_metadata tags
internal_metadata_namespaces quota cpu_shares cpu_cap zfs_io_priority max_lwps max_physical_memory max_locked_memory
max_swap max_shm_memory max_msg_ids max_sem_ids max_shm_ids tmpfs ram vcpus kernel_version init_name restart_init docker
delegate_dataset zfs_root_compression zfs_data_compression zfs_root_recsize zfs_data_recsize zfs_filesystem_limit
zfs_snapshot_limit indestructible_zoneroot indestructible_delegated archive_on_delete do_not_inventory firewall_enabled
limit_priv fs_allowed filesystems mdata_exec_timeout nowait bootrom flexible_disk_size bhyve_extra_opts com1 com2
pci_devices boot cpu_type vga qemu_opts qemu_extra_opts spice_opts spice_password spice_port virtio_txtimer
virtio_txburst vnc_port vnc_password disk_driver nic_driver zlog_max_size nics disks
"""
"""Every row of the reference's table of properties (smartos-vmadm.md 5)."""


def native(kind: str, text: str) -> dict[str, Value]:
    """The native fields of a spec by their own names."""
    fields = made(kind, f"native: {{smartos: {{{text}}}}}").fields
    return {name.removeprefix(PREFIX): value for name, value in fields.items()}


def only_refusal(kind: str, text: str) -> tuple[str, str, str]:
    (found,) = refused(kind, f"native: {{smartos: {{{text}}}}}")
    return found


@pytest.mark.parametrize("name", sorted(EVERY_PROPERTY.split()))
def test_every_property_of_vmadm_is_native_or_has_a_field_here_on_one_kind_at_least(name: str) -> None:
    ours = {*vmadm_native.OURS_ON_ZONES, *vmadm_native.OURS_ON_VMS}

    assert name in NATIVE or name in ours or name in vmadm_native.READ_ONLY


def test_no_property_is_native_and_a_field_of_the_same_kind() -> None:
    zones = {name for name, known in NATIVE.items() if known.brands & ZONE_BRANDS}
    machines = {name for name, known in NATIVE.items() if known.brands & VM_BRANDS}

    assert not zones & vmadm_native.OURS_ON_ZONES.keys()
    assert not machines & vmadm_native.OURS_ON_VMS.keys()
    assert not (zones | machines) & vmadm_native.READ_ONLY


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("Zone", "zfs_io_priority: 50", 50),
        ("Zone", "zfs_io_priority: '50'", 50),
        ("Zone", "do_not_inventory: 'true'", True),
        ("Zone", "limit_priv: 'default,!proc_info'", ("!proc_info", "default")),
        ("Zone", "limit_priv: ['!proc_info', default, default]", ("!proc_info", "default")),
        ("Zone", "zfs_root_compression: off", "off"),
        ("Zone", "zfs_root_compression: false", "off"),
        ("Zone", "owner_uuid: ''", None),
        ("Zone", "fs_allowed: null", None),
        ("Zone", "fs_allowed: []", None),
        ("VirtualMachine", "spice_port: -1", -1),
        (
            "VirtualMachine",
            f"pci_devices: [{{pci_slot: '0:8:0', path: {DEVICE}, model: passthru}}]",
            (f"{DEVICE} pci_slot=0:8:0",),
        ),
        ("VirtualMachine", "pci_devices: null", None),
    ],
)
def test_values_have_one_canonical_form(kind: str, text: str, value: Value) -> None:
    assert list(native(kind, text).values()) == [value]


@pytest.mark.parametrize(
    ("kind", "text", "cause", "remedy"),
    [
        ("Zone", "cpu_cap: 100", "cpu_cap has a field of its own", "state cpuCap instead"),
        ("Zone", "ram: 100", "ram has a field of its own", "state memory instead"),
        ("VirtualMachine", "vnc_port: 1", "vnc_port has a field of its own", "state console.vnc.port instead"),
        ("VirtualMachine", "add_disks: []", "add_disks has a field of its own", "state disks instead"),
        (
            "Zone",
            "indestructible_zoneroot: true",
            "indestructible_zoneroot has a field of its own",
            "state lifecycle.protect instead",
        ),
        ("Zone", "pid: 1", "pid is read-only", "remove the line"),
        ("Zone", "zfs_io_prioritty: 1", "vmadm has no property 'zfs_io_prioritty'", "did you mean zfs_io_priority?"),
        ("Zone", "com1: a", "com1 is nothing that a Zone has", "remove the line"),
        ("VirtualMachine", "tmpfs: 1", "tmpfs is nothing that a VirtualMachine has", "remove the line"),
        ("Zone", "zfs_io_priority: 1.5", "zfs_io_priority can't be 1.5", "write a whole number, without a unit"),
        ("Zone", "zfs_io_priority: true", "zfs_io_priority can't be True", "write a whole number, without a unit"),
        ("Zone", "zfs_io_priority: -1", "zfs_io_priority can't be -1", "write 0 or more"),
        ("Zone", "zfs_root_recsize: 1000", "zfs_root_recsize can't be 1000", "write a power of two"),
        ("Zone", "zfs_root_recsize: 256", "zfs_root_recsize can't be 256", "write 512 to 131072"),
        ("VirtualMachine", "vnc_password: 123456789", "vnc_password can't be 123456789", "write at most 8 characters"),
        ("VirtualMachine", 'qemu_opts: "a\\nb"', "qemu_opts can't be 'a\\nb'", "write printable text"),
        ("VirtualMachine", "vga: fine", "vga can't be 'fine'", "write one of std, cirrus, vmware, qxl, xenfb"),
        ("VirtualMachine", "pci_devices: [{path: /x}]", "pci_devices can't be '/x'", "begin the path with /devices/"),
        ("Zone", "limit_priv: [{a: b}]", 'limit_priv can\'t be \'[{"a":"b"}]\'', "write a list of words"),
    ],
)
def test_what_vmadm_would_drop_or_spoil_is_refused(kind: str, text: str, cause: str, remedy: str) -> None:
    assert only_refusal(kind, text)[1:] == (cause, remedy)
    assert only_refusal(kind, text)[0].startswith("spec.native.smartos.")


@pytest.mark.parametrize(
    ("kind", "spec", "path"),
    [
        ("Zone", "brand: joyent-minimal, image: a, native: {smartos: {zlog_max_size: 1, docker: true}}", ""),
        ("Zone", "brand: joyent, image: a, native: {smartos: {docker: true}}", "docker"),
        ("VirtualMachine", "engine: bhyve, native: {smartos: {vga: std}}", "vga"),
        ("VirtualMachine", "engine: bhyve, native: {smartos: {package_name: a}}", "package_name"),
        ("VirtualMachine", "engine: kvm, native: {smartos: {com1: a}}", "com1"),
        ("VirtualMachine", "native: {smartos: {com1: a, vga: std}}", ""),
    ],
)
def test_a_property_of_another_brand_is_refused_where_the_brand_is_stated(kind: str, spec: str, path: str) -> None:
    if not path:
        made(kind, spec)
    else:
        ((at, _, _),) = refused(kind, spec)
        assert at == f"spec.{PREFIX}{path}"


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Zone", "memory: 1GiB, native: {smartos: {tmpfs: 1025}}"),
        ("Zone", "memory: 1GiB, native: {smartos: {max_locked_memory: 1025}}"),
        ("VirtualMachine", "memory: 1GiB, native: {smartos: {max_physical_memory: 1279}}"),
        ("VirtualMachine", "native: {smartos: {max_physical_memory: 2048, max_swap: 2047}}"),
    ],
)
def test_a_limit_that_vmadm_would_clamp_is_refused(kind: str, spec: str) -> None:
    ((_, cause, remedy),) = refused(kind, spec)

    assert cause.startswith("vmadm would not keep ")
    assert remedy


def test_a_docker_zone_keeps_its_namespace() -> None:
    ((at, _, remedy),) = refused("Zone", "native: {smartos: {docker: true, internal_metadata_namespaces: [a]}}")

    assert (at, remedy) == ("spec.native.smartos.internal_metadata_namespaces", "add docker to the list")
    made("Zone", "native: {smartos: {docker: true, internal_metadata_namespaces: [a, docker]}}")


def test_limits_that_fit_are_taken() -> None:
    made("Zone", "memory: 1GiB, native: {smartos: {tmpfs: 1024, max_locked_memory: 1024}}")
    made("VirtualMachine", "memory: 1GiB, native: {smartos: {max_physical_memory: 1280, max_swap: 1280}}")


@pytest.mark.parametrize(
    ("name", "brand", "before", "after", "when"),
    [
        ("zfs_io_priority", "lx", 100, 50, Acts.LIVE),
        ("zfs_io_priority", "bhyve", 100, 50, Acts.STAGED),
        ("tmpfs", "joyent", 100, 50, Acts.LIVE),
        ("tmpfs", "joyent", 100, 0, Acts.STAGED),
        ("tmpfs", "joyent", 0, 100, Acts.STAGED),
        ("limit_priv", "joyent", (), (), Acts.STAGED),
        ("zfs_root_compression", "kvm", "off", "lz4", Acts.LIVE),
        ("pci_devices", "bhyve", (), (), Acts.RESTART),
        ("com1", "bhyve", "a", "b", Acts.STAGED),
        ("owner_uuid", "kvm", None, "a", Acts.LIVE),
    ],
)
def test_when_a_change_acts(name: str, brand: str, before: Value, after: Value, when: Acts) -> None:
    assert vmadm_native.acts(name, brand, before, after) is when


def test_what_vmadm_is_told() -> None:
    assert vmadm_native.created_with("limit_priv", ("!a", "b")) == {"limit_priv": ["!a", "b"]}
    assert vmadm_native.created_with("owner_uuid", None) == {}
    assert vmadm_native.updated_with("fs_allowed", ("ufs",), None) == {"fs_allowed": []}
    assert vmadm_native.updated_with("owner_uuid", "x", None) == {"owner_uuid": vmadm_native.NO_OWNER}
    assert vmadm_native.updated_with("zfs_snapshot_limit", 5, None) == {"zfs_snapshot_limit": None}
    assert vmadm_native.updated_with("cpu_cap", 5, None) == {"cpu_cap": 0}
    assert vmadm_native.updated_with("docker", False, True) == {"docker": True}


def test_devices_come_and_go_one_by_one() -> None:
    before = (f"{DEVICE}1 pci_slot=0:7:0", f"{DEVICE}2", f"{DEVICE}3")
    after = (f"{DEVICE}1 pci_slot=0:8:0", f"{DEVICE}2", f"{DEVICE}4")

    assert vmadm_native.updated_with("pci_devices", before, after) == {
        "add_pci_devices": [{"path": f"{DEVICE}4", "model": "passthru"}],
        "update_pci_devices": [{"path": f"{DEVICE}1", "pci_slot": "0:8:0", "model": "passthru"}],
        "remove_pci_devices": [f"{DEVICE}3"],
    }
    assert vmadm_native.updated_with("pci_devices", None, ()) == {}


def test_what_the_host_shows_is_read_as_a_manifest_would_state_it() -> None:
    vm = {
        "limit_priv": "default,!proc_info",
        "zfs_io_priority": 50,
        "tmpfs": "256",
        "internal_metadata_namespaces": ["docker"],
        "restart_init": False,
        "owner_uuid": vmadm_native.NO_OWNER,
        "nowait": True,
    }
    found = {name.removeprefix(PREFIX): value for name, value in vmadm_native.read(vm, "joyent-minimal")}

    assert found["limit_priv"] == ("!proc_info", "default")
    assert (found["zfs_io_priority"], found["tmpfs"]) == (50, 256)
    assert found["internal_metadata_namespaces"] == ("docker",)
    assert (found["restart_init"], found["docker"], found["do_not_inventory"]) == (False, False, False)
    assert (found["owner_uuid"], found["fs_allowed"]) == (None, None)
    assert found["zfs_root_compression"] == "off"
    assert not {"nowait", "mdata_exec_timeout", "com1", "vga"} & found.keys()


def test_devices_of_the_host_are_read_and_written_as_stated() -> None:
    vm = {"pci_devices": [{"path": DEVICE, "pci_slot": "0:8:0", "model": "passthru"}]}
    found = dict(vmadm_native.read(vm, "bhyve"))

    stated = made("VirtualMachine", f"native: {{smartos: {{pci_devices: [{{path: {DEVICE}, pci_slot: '0:8:0'}}]}}}}")
    assert found[f"{PREFIX}pci_devices"] == stated.fields[f"{PREFIX}pci_devices"]
    assert again(stated) == stated


@pytest.mark.parametrize("value", [{"a": 1}, [1, {"b": 2}], 1.5, [], "ä\n", [[]]])
def test_odd_values_of_the_host_are_shown_and_never_an_error(value: object) -> None:
    for brand in (*ZONE_BRANDS, *VM_BRANDS):
        for name, known in NATIVE.items():
            if brand in known.brands:
                dict(vmadm_native.read({name: value}, brand))
