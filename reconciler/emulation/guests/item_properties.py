"""The properties of nics, disks, filesystems and PCI devices (smartos-vmadm.md 5a-5c)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reconciler.emulation.guests.brands import ALL, BHYVE, HVM, KVM, OS
from reconciler.emulation.guests.forms import Form


@dataclass(frozen=True, slots=True)
class ItemProperty:
    """One property of an item."""

    name: str
    form: Form
    brands: frozenset[str] = ALL
    actions: str = "au"
    """`a`: an item may be made with it; `u`: an item that is there may be given it."""
    updatable: frozenset[str] = ALL
    """The brands whose items may be given it later."""
    minimum: int = 0
    maximum: int | None = None


def _table(rows: Iterable[ItemProperty]) -> Mapping[str, ItemProperty]:
    return MappingProxyType({row.name: row for row in rows})


NIC_PROPERTIES = _table(
    (
        ItemProperty("mac", Form.STRING),
        *(ItemProperty(name, Form.STRING) for name in ("nic_tag", "ip", "netmask", "gateway", "vrrp_primary_ip")),
        *(ItemProperty(name, Form.LIST) for name in ("ips", "gateways", "allowed_ips", "blocked_outgoing_ports")),
        ItemProperty("allowed_dhcp_cids", Form.LIST, ALL - BHYVE),
        ItemProperty("primary", Form.ONLY_TRUE),
        ItemProperty("vlan_id", Form.INTEGER, maximum=4095),
        ItemProperty("mtu", Form.INTEGER, minimum=576, maximum=9000),
        ItemProperty("model", Form.STRING, HVM),
        ItemProperty("interface", Form.STRING, actions="a"),
        *(
            ItemProperty(name, Form.BOOLEAN)
            for name in (
                "allow_ip_spoofing", "allow_mac_spoofing", "allow_dhcp_spoofing", "allow_restricted_traffic",
                "dhcp_server",
            )
        ),
        ItemProperty("allow_unfiltered_promisc", Form.BOOLEAN, HVM),
        ItemProperty("network_uuid", Form.UUID),
        ItemProperty("vrrp_vrid", Form.INTEGER, maximum=255),
    )
)  # fmt: skip

DISK_PROPERTIES = _table(
    (
        ItemProperty("path", Form.STRING),
        ItemProperty("size", Form.INTEGER, updatable=BHYVE),
        ItemProperty("image_uuid", Form.UUID, actions="a"),
        ItemProperty("image_size", Form.INTEGER, actions="a"),
        ItemProperty("image_name", Form.STRING, KVM),
        ItemProperty("block_size", Form.INTEGER, actions="a", minimum=512, maximum=131072),
        ItemProperty("model", Form.STRING),
        ItemProperty("media", Form.STRING),
        ItemProperty("boot", Form.BOOLEAN),
        ItemProperty("compression", Form.STRING),
        ItemProperty("refreservation", Form.SIZE_OR_AUTO),
        ItemProperty("nocreate", Form.BOOLEAN, actions="a"),
        ItemProperty("zpool", Form.POOL, actions="a"),
        ItemProperty("pci_slot", Form.STRING, BHYVE),
        ItemProperty("uuid", Form.UUID, BHYVE),
        ItemProperty("guest_block_size", Form.STRING, BHYVE),
        ItemProperty("notrim", Form.BOOLEAN, BHYVE),
        ItemProperty("dangerous_allow_shrink", Form.BOOLEAN, BHYVE, actions="u"),
    )
)

FILESYSTEM_PROPERTIES = _table(
    (
        *(ItemProperty(name, Form.STRING, OS) for name in ("source", "target", "type", "raw")),
        ItemProperty("options", Form.LIST, OS),
    )
)

DEVICE_PROPERTIES = _table(ItemProperty(name, Form.STRING, BHYVE) for name in ("path", "pci_slot", "model"))

ITEMS: Mapping[str, Mapping[str, ItemProperty]] = MappingProxyType(
    {
        "nics": NIC_PROPERTIES,
        "disks": DISK_PROPERTIES,
        "filesystems": FILESYSTEM_PROPERTIES,
        "pci_devices": DEVICE_PROPERTIES,
    }
)
