"""The brands of guest that SmartOS makes (smartos-vmadm.md 4) and in what they differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Brand:
    """One brand."""

    name: str
    type: str
    """As `lookup` and `list` print it: cut to four letters."""
    hvm: bool = False
    """It has hardware of its own: memory, processors, disks."""
    interface: str = "net"
    """What its nics' names begin with."""
    root_images: frozenset[str] = frozenset({"zone-dataset"})
    """Types of image that a root can be made from."""
    nic_models: frozenset[str] = frozenset()
    disk_models: frozenset[str] = frozenset()
    memory_overhead: int = 0
    """MiB that max_physical_memory has beyond ram by default."""
    quota: int = 10
    """GiB by default."""


BRANDS: Mapping[str, Brand] = MappingProxyType(
    {
        brand.name: brand
        for brand in (
            Brand("joyent", "OS"),
            Brand("joyent-minimal", "OS"),
            Brand("builder", "OS"),
            Brand("lx", "LX", interface="eth", root_images=frozenset({"lx-dataset", "docker"})),
            Brand(
                "kvm", "KVM", hvm=True, nic_models=frozenset({"virtio", "e1000", "rtl8139"}),
                disk_models=frozenset({"virtio", "scsi", "ide"}), memory_overhead=1024,
            ),
            Brand(
                "bhyve", "BHYV", hvm=True, nic_models=frozenset({"virtio"}),
                disk_models=frozenset({"virtio", "ahci", "nvme"}), memory_overhead=1280, quota=1,
            ),
        )
    }
)  # fmt: skip

ALL = frozenset(BRANDS)
HVM = frozenset(name for name, brand in BRANDS.items() if brand.hvm)
OS = ALL - HVM
BHYVE = frozenset({"bhyve"})
KVM = frozenset({"kvm"})
