"""The properties of guests: form, brands, when they may be given and when a change acts (smartos-vmadm.md 5)."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from reconciler.emulation.guests.brands import ALL, BHYVE, HVM, KVM, OS
from reconciler.emulation.guests.forms import Form


class Acts(enum.Enum):
    """When a stored value is what runs."""

    LIVE = "at once"
    BOOT = "at the next boot"
    FIRST_BOOT = "at the first boot only"
    RECORD = "never: it is only kept"
    DATASET = "at once, by zfs, which also keeps it"


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a payload."""

    name: str
    form: Form
    brands: frozenset[str] = ALL
    actions: str = "cu"
    """`c`: may be created with; `u`: may be updated."""
    os: Acts = Acts.BOOT
    hvm: Acts = Acts.BOOT
    default: Any = None
    """What a new guest has when the payload has none; None is nothing at all."""
    minimum: int = 0
    maximum: int | None = None
    kept_unless: bool | None = None
    """A boolean is not shown while it has this value."""


def _strings(brands: frozenset[str], acts: Acts, *names: str) -> list[Property]:
    return [Property(name, Form.STRING, brands, os=acts, hvm=acts) for name in names]


def _numbers(*names: str, default: int | None = None) -> list[Property]:
    """Resource controls: pushed into a running zone, but not into a virtual machine."""
    return [Property(name, Form.INTEGER, os=Acts.LIVE, default=default) for name in names]


def _flags(brands: frozenset[str], acts: Acts, *names: str) -> list[Property]:
    return [Property(name, Form.BOOLEAN, brands, os=acts, hvm=acts, kept_unless=False) for name in names]


def _objects(name: str, acts: Acts = Acts.LIVE) -> list[Property]:
    return [
        Property(name, Form.FLAT, actions="c", os=acts, hvm=acts),
        Property(f"set_{name}", Form.FLAT, actions="u"),
        Property(f"remove_{name}", Form.LIST, actions="u"),
    ]


def _items(name: str, brands: frozenset[str], plain: str = "c") -> list[Property]:
    return [
        Property(name, Form.ITEMS, brands, plain),
        Property(f"add_{name}", Form.ITEMS, brands, "u"),
        Property(f"update_{name}", Form.ITEMS, brands, "u"),
        Property(f"remove_{name}", Form.LIST, brands, "u"),
    ]


def _datasets(form: Form, brands: frozenset[str], *names: str) -> list[Property]:
    return [Property(name, form, brands, os=Acts.DATASET, hvm=Acts.DATASET) for name in names]


_HVM_PRIVILEGES = "default,-file_link_any,-net_access,-proc_fork,-proc_info,-proc_session"
_RECORD = Acts.RECORD
NOBODY = "00000000-0000-0000-0000-000000000000"

PROPERTIES: Mapping[str, Property] = MappingProxyType(
    {
        one.name: one
        for one in (
            Property("uuid", Form.UUID, actions="c"),
            Property("brand", Form.STRING, actions="c"),
            Property("zonename", Form.STRING, actions="c"),
            Property("image_uuid", Form.UUID, actions="c"),
            Property("zpool", Form.POOL, actions="c", default="zones"),
            Property("autoboot", Form.BOOLEAN, os=_RECORD, hvm=_RECORD, default=True),
            Property("owner_uuid", Form.ANYTHING, os=_RECORD, hvm=_RECORD, default=NOBODY),
            Property("billing_id", Form.ANYTHING, os=_RECORD, hvm=_RECORD, default=NOBODY),
            *_strings(ALL, _RECORD, "alias"),
            *_strings(ALL - BHYVE, _RECORD, "package_name", "package_version"),
            Property("hostname", Form.STRING, os=Acts.FIRST_BOOT),
            Property("dns_domain", Form.STRING, OS, os=Acts.FIRST_BOOT, default="local"),
            Property("resolvers", Form.ADDRESSES, os=Acts.FIRST_BOOT),
            Property("maintain_resolvers", Form.BOOLEAN, OS, kept_unless=False),
            *_objects("routes", Acts.BOOT),
            *_objects("customer_metadata"),
            *_objects("internal_metadata"),
            *_objects("tags"),
            Property("internal_metadata_namespaces", Form.LIST, os=Acts.LIVE, hvm=Acts.LIVE),
            *_datasets(Form.INTEGER, ALL, "quota", "zfs_root_recsize", "zfs_filesystem_limit", "zfs_snapshot_limit"),
            *_datasets(Form.STRING, ALL, "zfs_root_compression"),
            *_datasets(Form.INTEGER, OS, "zfs_data_recsize"),
            *_datasets(Form.STRING, OS, "zfs_data_compression"),
            *_numbers("cpu_shares", "zfs_io_priority", default=100),
            *_numbers("cpu_cap"),
            *_numbers("max_lwps", default=2000),
            *_numbers("max_msg_ids", "max_sem_ids", "max_shm_ids", default=4096),
            *_numbers("max_physical_memory", "max_locked_memory", "max_shm_memory"),
            Property("max_swap", Form.INTEGER, os=Acts.LIVE, minimum=256),
            Property("tmpfs", Form.INTEGER, OS, os=Acts.LIVE),
            Property("ram", Form.INTEGER),
            Property("vcpus", Form.INTEGER, HVM, minimum=1, default=1),
            Property("kernel_version", Form.STRING, frozenset({"lx"})),
            Property("init_name", Form.STRING, OS),
            Property("restart_init", Form.BOOLEAN, OS, kept_unless=True),
            *_flags(frozenset({"lx", "joyent-minimal"}), Acts.BOOT, "docker"),
            Property("delegate_dataset", Form.BOOLEAN, OS, "c"),
            *_flags(ALL, Acts.LIVE, "indestructible_zoneroot", "indestructible_delegated"),
            *_flags(ALL, _RECORD, "archive_on_delete", "do_not_inventory"),
            Property("firewall_enabled", Form.BOOLEAN, os=Acts.LIVE, hvm=Acts.LIVE, default=False),
            Property("limit_priv", Form.JOINED),
            Property("fs_allowed", Form.JOINED, OS),
            *_items("filesystems", OS),
            Property("mdata_exec_timeout", Form.INTEGER, OS, "c"),
            Property("nowait", Form.BOOLEAN, OS, "c"),
            Property("bootrom", Form.STRING, BHYVE),
            Property("flexible_disk_size", Form.INTEGER, BHYVE, hvm=_RECORD),
            Property("bhyve_extra_opts", Form.STRING, BHYVE),
            Property("com1", Form.STRING, BHYVE, default="/dev/zconsole"),
            Property("com2", Form.STRING, BHYVE, default="socket,/tmp/vm.ttyb"),
            *_items("pci_devices", BHYVE),
            *_strings(HVM, Acts.BOOT, "boot"),
            Property("cpu_type", Form.STRING, KVM, default="qemu64"),
            Property("vga", Form.STRING, KVM, default="std"),
            *_strings(KVM, Acts.BOOT, "qemu_opts", "qemu_extra_opts", "spice_opts", "spice_password"),
            Property("spice_port", Form.INTEGER, KVM, minimum=-1),
            Property("virtio_txtimer", Form.INTEGER, KVM, default=200000),
            Property("virtio_txburst", Form.INTEGER, KVM, default=128),
            Property("vnc_port", Form.INTEGER, HVM, hvm=Acts.LIVE, minimum=-1),
            *_strings(HVM, Acts.BOOT, "vnc_password"),
            *_strings(HVM, _RECORD, "disk_driver", "nic_driver"),
            Property("zlog_max_size", Form.INTEGER, OS),
            *_items("nics", ALL),
            *_items("disks", HVM),
        )
    }
)

OLD_NAMES: Mapping[str, str] = MappingProxyType(
    {"dataset_uuid": "image_uuid", "zone_dataset_uuid": "image_uuid", "zfs_storage_pool_name": "zpool"}
)


def default_privileges(brand: str) -> str:
    """The limit_priv of a guest that was given none."""
    return _HVM_PRIVILEGES if brand in HVM else "default"
