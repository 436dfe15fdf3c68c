"""The fields of a guest that are one property of vmadm each: how they are read and told (smartos-vmadm.md 5, 7)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType

from providers.tools.vmadm_native import Json
from providers.tools.vmadm_objects import JsonObject
from reconciler.model.value import Value

MIB, GIB = 1 << 20, 1 << 30

HVM = frozenset({"bhyve", "kvm"})
"""The brands of virtual machines. All others, the unknown ones too, share the host's kernel."""


class Form(Enum):
    """How vmadm holds a value."""

    TEXT = auto()
    COUNT = auto()
    COUNT_OR_NONE = auto()
    """Told as 0 for none, and not shown then."""
    FLAG = auto()
    MIB = auto()
    GIB_OR_NONE = auto()
    """0 for none; may be shown with a fraction."""
    LIST = auto()
    """In its order; an empty one is none."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One field, the property behind it, and whether only a create can have it."""

    prop: str
    form: Form
    is_for_create: bool = False

    def read(self, found: JsonObject) -> Value:
        """The canonical value; None where there is none."""
        match self.form:
            case Form.TEXT:
                return found.text(self.prop)
            case Form.COUNT:
                return found.number(self.prop)
            case Form.COUNT_OR_NONE:
                return found.number(self.prop) or None
            case Form.FLAG:
                return found.flag(self.prop)
            case Form.MIB:
                return found.scaled(self.prop, MIB)
            case Form.GIB_OR_NONE:
                return found.scaled(self.prop, GIB) or None
            case Form.LIST:
                return found.texts(self.prop) or None

    def told(self, value: Value) -> Json:
        """A canonical value as it stands in a payload."""
        match self.form:
            case Form.COUNT_OR_NONE:
                return value if isinstance(value, int) else 0
            case Form.MIB:
                return value // MIB if isinstance(value, int) else None
            case Form.GIB_OR_NONE:
                return value // GIB if isinstance(value, int) else 0
            case Form.LIST:
                return list(value) if isinstance(value, tuple) else []
            case Form.TEXT | Form.COUNT | Form.FLAG:
                return list(value) if isinstance(value, tuple) else value


_BOTH = {
    "uuid": Setting("uuid", Form.TEXT, is_for_create=True),
    "pool": Setting("zpool", Form.TEXT, is_for_create=True),
    "autoboot": Setting("autoboot", Form.FLAG),
    "hostname": Setting("hostname", Form.TEXT),
    "dnsDomain": Setting("dns_domain", Form.TEXT),
    "resolvers": Setting("resolvers", Form.LIST),
    "quota": Setting("quota", Form.GIB_OR_NONE),
    "firewallEnabled": Setting("firewall_enabled", Form.FLAG),
}

ZONE: Mapping[str, Setting] = MappingProxyType(
    {
        **_BOTH,
        "brand": Setting("brand", Form.TEXT, is_for_create=True),
        "image": Setting("image_uuid", Form.TEXT, is_for_create=True),
        "kernelVersion": Setting("kernel_version", Form.TEXT),
        "cpuCap": Setting("cpu_cap", Form.COUNT_OR_NONE),
        "cpuShares": Setting("cpu_shares", Form.COUNT),
        "memory": Setting("max_physical_memory", Form.MIB),
        "swap": Setting("max_swap", Form.MIB),
        "maxTasks": Setting("max_lwps", Form.COUNT),
    }
)
"""Fields of a Zone."""

VM: Mapping[str, Setting] = MappingProxyType(
    {
        **_BOTH,
        "engine": Setting("brand", Form.TEXT, is_for_create=True),
        "cpus": Setting("vcpus", Form.COUNT),
        "memory": Setting("ram", Form.MIB),
        "firmware": Setting("bootrom", Form.TEXT),
        "console.vnc.port": Setting("vnc_port", Form.COUNT),
    }
)
"""Fields of a VirtualMachine."""

SETTINGS: Mapping[str, Mapping[str, Setting]] = MappingProxyType({"Zone": ZONE, "VirtualMachine": VM})
"""By kind."""

MAPS: Mapping[str, str] = MappingProxyType(
    {"metadata": "customer_metadata", "internalMetadata": "internal_metadata", "tags": "tags"}
)
"""Fields whose entries are ours one by one, and the property behind each."""
