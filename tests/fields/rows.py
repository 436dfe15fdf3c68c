"""What vmadm must show for each field of a guest: the judge's own table, made from the reference to vmadm.

It shares nothing with the provider's tables, so that an error there can't hide here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Shown = Mapping[str, Any]
"""A guest as `vmadm get` prints it, or what it runs with."""

ZONES = frozenset({"joyent-minimal", "joyent", "lx"})
MACHINES = frozenset({"bhyve", "kvm"})
GUESTS = ZONES | MACHINES
LX, BHYVE, KVM = frozenset({"lx"}), frozenset({"bhyve"}), frozenset({"kvm"})

UNCHANGED = object()
"""The second value of a field that never changes, or that has only one."""

KEPT = object()
"""null is refused for the field."""

NIC_MAC = "02:00:00:00:00:{n:02x}"


@dataclass(frozen=True)
class Row:
    """One field: two values as a manifest states them, and what vmadm shows for each.

    `{n}` in a text is the number of the guest, for what no two guests may share. `cleared` is what is shown after null.
    `beside` is what must be stated along, by field. A `required` field can't be left out, a `one_way` one not changed back.
    """

    field: str
    values: tuple[Any, Any]
    told: Callable[[Shown], Any]
    shown: tuple[Any, Any]
    cleared: Any = KEPT
    brands: frozenset[str] = GUESTS
    beside: Mapping[str, Any] = field(default_factory=dict)
    required: bool = False
    one_way: bool = False


def prop(name: str, absent: Any = None) -> Callable[[Shown], Any]:
    return lambda shown: shown.get(name, absent)


def entry(map_name: str, key: str) -> Callable[[Shown], Any]:
    return lambda shown: shown.get(map_name, {}).get(key)


def nic(name: str, absent: Any = None) -> Callable[[Shown], Any]:
    """Of the guest's last nic, which is the one that the row is about."""
    return lambda shown: shown["nics"][-1].get(name, absent) if shown["nics"] else None


def disk(name: str, absent: Any = None) -> Callable[[Shown], Any]:
    """Of the guest's last disk."""
    return lambda shown: shown["disks"][-1].get(name, absent)


def mount(name: str) -> Callable[[Shown], Any]:
    return lambda shown: (shown.get("filesystems") or [{}])[0].get(name)


def _native(
    name: str,
    values: tuple[Any, Any],
    brands: frozenset[str] = GUESTS,
    *,
    cleared: Any = KEPT,
    shown: tuple[Any, Any] | None = None,
    absent: Any = None,
    **beside: Any,
) -> Row:
    return Row(f"native.smartos.{name}", values, prop(name, absent), shown or values, cleared, brands, beside)


def _nic(name: str, told: str, values: tuple[Any, Any], shown: tuple[Any, Any], cleared: Any = KEPT, **more: Any) -> Row:
    return Row(f"nics[].{name}", values, nic(told, more.pop("absent", None)), shown, cleared, **more)


GIB = 1 << 30
NOBODY = "00000000-0000-0000-0000-000000000000"
_KEYS = ["ssh-ed25519 AAAA a", "ssh-ed25519 BBBB b"]
_PCI = "/devices/pci@0/pci8086@{n}"

ROWS = (
    Row("autoboot", (False, True), prop("autoboot"), (False, True)),
    Row("hostname", ("one.example", "two.example"), prop("hostname"), ("one.example", "two.example")),
    Row("dnsDomain", ("one.example", "two.example"), prop("dns_domain"), ("one.example", "two.example"), brands=ZONES),
    Row("memory", ("512MiB", "768MiB"), prop("max_physical_memory"), (512, 768), brands=ZONES),
    Row("memory", ("2GiB", "1GiB"), prop("ram"), (2048, 1024), brands=MACHINES),
    Row("quota", ("20GiB", "30GiB"), prop("quota"), (20, 30), 0),
    Row("resolvers", (["9.9.9.9", "1.1.1.1"], ["1.1.1.1"]), prop("resolvers"), (["9.9.9.9", "1.1.1.1"], ["1.1.1.1"]), []),
    Row(
        "routes",
        ([{"to": "10.7.0.0/16", "via": "10.0.0.7"}], [{"to": "10.8.0.9", "via": "10.0.0.8"}]),
        prop("routes"),
        ({"10.7.0.0/16": "10.0.0.7"}, {"10.8.0.9/32": "10.0.0.8"}),
        {},
    ),
    Row("firewallEnabled", (True, False), prop("firewall_enabled"), (True, False)),
    Row("metadata", ({"key": "one"}, {"key": "two\nlines"}), entry("customer_metadata", "key"), ("one", "two\nlines"), None),
    Row("internalMetadata", ({"key": "one"}, {"key": "two"}), entry("internal_metadata", "key"), ("one", "two"), None),
    Row("tags", ({"key": "one"}, {"key": "2"}), entry("tags", "key"), ("one", "2"), None),
    Row("kernelVersion", ("4.3.0", "5.4.0"), prop("kernel_version"), ("4.3.0", "5.4.0"), brands=LX, required=True),
    Row("swap", ("1GiB", "2GiB"), prop("max_swap"), (1024, 2048), brands=ZONES),
    Row("cpuCap", (150, 250), prop("cpu_cap"), (150, 250), None, ZONES),
    Row("cpuShares", (50, 70), prop("cpu_shares"), (50, 70), brands=ZONES),
    Row("maxTasks", (500, 700), prop("max_lwps"), (500, 700), brands=ZONES),
    Row("mounts[]", (["/mnt/a"], ["/mnt/a", "/mnt/b"]), lambda shown: [one["target"] for one in shown.get("filesystems", ())],
        (["/mnt/a"], ["/mnt/a", "/mnt/b"]), brands=ZONES),
    Row("mounts[].source", ("/opt", "/var/tmp"), mount("source"), ("/opt", "/var/tmp"), brands=ZONES, required=True),
    Row("mounts[].readOnly", (True, False), mount("options"), (["ro"], []), brands=ZONES),
    Row("cpus", (2, 3), prop("vcpus"), (2, 3), brands=MACHINES),
    Row("firmware", ("bios", "uefi"), prop("bootrom"), ("bios", "uefi"), brands=BHYVE),
    Row("cloudInit.userData", ("#cloud-config\n", "#cloud-config\na: 1\n"), entry("customer_metadata", "cloud-init:user-data"),
        ("#cloud-config\n", "#cloud-config\na: 1\n"), brands=MACHINES),
    Row("cloudInit.sshKeys", (_KEYS[:1], _KEYS), entry("customer_metadata", "root_authorized_keys"),
        (_KEYS[0], "\n".join(_KEYS)), brands=MACHINES),
    Row("console.vnc.port", (-1, 0), prop("vnc_port"), (-1, 0), brands=MACHINES),
    # Nics.
    Row("nics[]", (["net0"], ["net0", "net1"]), lambda shown: len(shown["nics"]), (1, 2)),
    _nic("over", "nic_tag", ("external", "admin"), ("external", "admin"), required=True),
    _nic("mac", "mac", (NIC_MAC, f"{NIC_MAC[:3]}1{NIC_MAC[4:]}"), (NIC_MAC, f"{NIC_MAC[:3]}1{NIC_MAC[4:]}")),
    _nic("vlan", "vlan_id", (7, 8), (7, 8), 0, absent=0),
    _nic("mtu", "mtu", (1500, 1600), (1500, 1600), None),
    _nic("model", "model", ("virtio", "virtio"), ("virtio", "virtio"), brands=BHYVE),
    _nic("model", "model", ("virtio", "e1000"), ("virtio", "e1000"), brands=KVM),
    _nic("ips", "ips", (["10.2.{n}.1/24"], ["10.2.{n}.2/24", "dhcp"]), (["10.2.{n}.1/24"], ["10.2.{n}.2/24", "dhcp"])),
    _nic("gateways", "gateways", (["10.0.0.1"], ["10.0.0.2"]), (["10.0.0.1"], ["10.0.0.2"]), None),
    _nic("primary", "primary", (True, True), (True, True)),
    _nic("allow.macSpoofing", "allow_mac_spoofing", (True, False), (True, False), absent=False),
    _nic("allow.ipSpoofing", "allow_ip_spoofing", (True, False), (True, False), absent=False),
    _nic("allow.dhcpSpoofing", "allow_dhcp_spoofing", (True, False), (True, False), absent=False),
    _nic("allow.restrictedTraffic", "allow_restricted_traffic", (True, False), (True, False), absent=False),
    _nic("allow.ips", "allowed_ips", (["10.9.0.0/24"], ["10.9.1.0/24"]), (["10.9.0.0/24"], ["10.9.1.0/24"])),
    # Disks.
    Row("disks[]", (["root"], ["root", "data"]), lambda shown: len(shown["disks"]), (1, 2), brands=MACHINES),
    Row("disks[].size", ("64MiB", "96MiB"), disk("size"), (64, 96), brands=MACHINES, one_way=True, required=True),
    Row("disks[].model", ("virtio", "nvme"), disk("model"), ("virtio", "nvme"), brands=BHYVE),
    Row("disks[].model", ("virtio", "ide"), disk("model"), ("virtio", "ide"), brands=KVM),
    Row("disks[].boot", (True, False), disk("boot"), (True, False), brands=MACHINES),
    Row("disks[].media", ("disk", "cdrom"), disk("media"), ("disk", "cdrom"), brands=MACHINES),
    Row(
        "disks[].iso",
        ("/opt/one.iso", "/opt/two.iso"),
        disk("path"),
        ("/opt/one.iso", "/opt/two.iso"),
        brands=MACHINES,
        beside={"disks": [{"name": "root", "size": "64MiB"}, {"name": "cd"}]},
        required=True,
    ),
    Row("disks[].properties.compression", ("lz4", "gzip"), disk("compression"), ("lz4", "gzip"), "off", MACHINES),
    Row("disks[].properties.refreservation", ("32MiB", "16MiB"), disk("refreservation"), (32, 16), 0, MACHINES),
    # What has no field of ours.
    _native("owner_uuid", ("11111111-0000-0000-0000-000000000000", "someone"), cleared=NOBODY),
    _native("billing_id", ("11111111-0000-0000-0000-000000000000", "someone"), cleared=NOBODY),
    _native("package_name", ("small", "large"), GUESTS - BHYVE, cleared=None),
    _native("package_version", ("1.0", "2.0"), GUESTS - BHYVE, cleared=None),
    _native("do_not_inventory", (True, False), absent=False),
    _native("archive_on_delete", (True, False), absent=False),
    _native("maintain_resolvers", (True, False), ZONES, absent=False),
    _native("internal_metadata_namespaces", (["a", "b"], ["c"]), cleared=[], absent=[]),
    _native("zfs_io_priority", (50, 70)),
    _native("max_locked_memory", (300, 400)),
    _native("max_shm_memory", (300, 400)),
    _native("max_msg_ids", (3000, 2000)),
    _native("max_sem_ids", (3000, 2000)),
    _native("max_shm_ids", (3000, 2000)),
    _native("cpu_cap", (150, 250), MACHINES, cleared=None),
    _native("cpu_shares", (50, 70), MACHINES),
    _native("max_physical_memory", (3072, 4096), MACHINES),
    _native("max_swap", (8192, 9216), MACHINES),
    _native("max_lwps", (3000, 4000), MACHINES),
    _native("tmpfs", (256, 300), ZONES),
    _native("init_name", ("/sbin/one", "/sbin/two"), ZONES, cleared=None),
    _native("restart_init", (False, True), ZONES, absent=True),
    _native("docker", (True, False), frozenset({"lx", "joyent-minimal"}), absent=False),
    _native("zfs_root_compression", ("lz4", "gzip"), absent="off"),
    _native("zfs_data_compression", ("lz4", "gzip"), ZONES, absent="off", delegatedDataset=True),
    _native("zfs_root_recsize", (65536, 32768)),
    _native("zfs_data_recsize", (65536, 32768), ZONES, delegatedDataset=True),
    _native("zfs_filesystem_limit", (10, 20), cleared=None),
    _native("zfs_snapshot_limit", (10, 20), cleared=None),
    _native("limit_priv", ("default,dtrace_user", "default,dtrace_proc"), shown=("default,dtrace_user", "default,dtrace_proc")),
    _native("fs_allowed", (["ufs", "pcfs"], ["ufs"]), ZONES, cleared="", shown=("pcfs,ufs", "ufs"), absent=""),
    _native("zlog_max_size", (100000, 200000), ZONES),
    _native("flexible_disk_size", (300, 400), BHYVE, cleared=None),
    _native("bhyve_extra_opts", ("-x", "-y"), BHYVE, cleared=None),
    _native("com1", ("/dev/one", "/dev/two"), BHYVE),
    _native("com2", ("/dev/one", "/dev/two"), BHYVE),
    _native(
        "pci_devices",
        ([{"path": _PCI, "pci_slot": "0:8:0"}], [{"path": _PCI, "pci_slot": "0:9:0"}]),
        BHYVE,
        cleared=None,
        shown=(
            [{"path": _PCI, "pci_slot": "0:8:0", "model": "passthru"}],
            [{"path": _PCI, "pci_slot": "0:9:0", "model": "passthru"}],
        ),
    ),
    _native("boot", ("order=cd", "order=dc"), MACHINES, cleared=None),
    _native("cpu_type", ("host", "qemu64"), KVM),
    _native("vga", ("cirrus", "std"), KVM),
    *(
        _native(name, ("-one", "-two"), KVM, cleared=None)
        for name in ("qemu_opts", "qemu_extra_opts", "spice_opts", "spice_password")
    ),
    _native("spice_port", (-1, 5000), KVM),
    _native("virtio_txtimer", (100, 300), KVM),
    _native("virtio_txburst", (100, 300), KVM),
    _native("vnc_password", ("secret", "other"), MACHINES, cleared=None),
    _native("disk_driver", ("virtio", "ahci"), BHYVE, cleared=None),
    _native("disk_driver", ("virtio", "ide"), KVM, cleared=None),
    _native("nic_driver", ("virtio", "e1000"), MACHINES, cleared=None),
)  # fmt: skip
"""Fields that change while the guest stays, on the host's side."""
