"""Our fields of guests on SmartOS: when a change acts on one that runs, and what vmadm can't hold (smartos-vmadm.md 5 to 5b).

A field that is not named here acts as the kind's own table says.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from providers.tools import vmadm_native
from providers.tools.vmadm_native import VM_BRANDS
from reconciler.model.change import FieldChange
from reconciler.model.errors import InvalidValue
from reconciler.model.quantity import format_size
from reconciler.model.value import Fields, Value
from reconciler.provider.field import Acts
from reconciler.provider.guest import route_parts

ZONE_BRANDS = ("joyent-minimal", "joyent", "lx")
ENGINES = ("bhyve", "kvm")
NIC_MODELS = ("virtio", "e1000", "rtl8139")

CLOUD_INIT: Mapping[str, str] = MappingProxyType({"userData": "cloud-init:user-data", "sshKeys": "root_authorized_keys"})
"""Fields of cloudInit that a guest reads from its metadata, with the key there; sshKeys as one line each."""

_MIB, _GIB = 1 << 20, 1 << 30
_LEAST_SWAP = 256 * _MIB
_MOST_IPS, _MOST_ALLOWED_IPS = 20, 13
_COMPRESSION = vmadm_native.NATIVE["zfs_root_compression"].words
_MAINTAINED = f"{vmadm_native.PREFIX}maintain_resolvers"
_LIVE_OF_DISK = ("properties.compression", "properties.refreservation")


def acts(change: FieldChange, brand: str, observed: Fields, pending: tuple[str, ...] = ()) -> Acts | None:
    """When a change of a field acts on a running guest of that brand; None where it is as the kind's table says.

    `observed` are the guest's fields as read, `pending` those that wait for its next boot.
    """
    field = change.name
    head, _, rest = field.partition(".")
    if head == "nics":
        return Acts.LIVE if _is_protection(rest) else Acts.STAGED
    if head == "disks":
        return Acts.LIVE if rest.endswith(_LIVE_OF_DISK) else Acts.RESTART
    if field.startswith(vmadm_native.PREFIX):
        return _native_acts(field.removeprefix(vmadm_native.PREFIX), brand, change)
    return _ACTS_ON_VMS.get(field) if brand in VM_BRANDS else _zone_acts(field, observed, pending)


def _is_protection(rest: str) -> bool:
    """Whether a field below `nics.` is about what the nic may do, which is changed on the link itself."""
    return ".allow." in rest


def _native_acts(name: str, brand: str, change: FieldChange) -> Acts | None:
    if name not in vmadm_native.NATIVE:
        return None
    return vmadm_native.acts(name, brand, change.before, change.after)


_ACTS_ON_VMS: Mapping[str, Acts] = MappingProxyType(
    {
        "hostname": Acts.STAGED,
        "memory": Acts.STAGED,
        "cpus": Acts.STAGED,
        "resolvers": Acts.STAGED,
        # The listener alone is started anew.
        "console.vnc.port": Acts.LIVE,
    }
)


def _zone_acts(field: str, observed: Fields, pending: tuple[str, ...]) -> Acts | None:
    """Resolvers reach a zone that was told to keep them; another has them from its first boot and never again."""
    if field != "resolvers":
        return None
    kept = observed.get(_MAINTAINED) is True
    if _MAINTAINED in pending:
        # What is stored of that waits for the next boot itself: what runs does the opposite.
        return Acts.STAGED if kept else Acts.LIVE
    return Acts.LIVE if kept else Acts.FIRST_BOOT


def check(kind: str, field: str, value: Value) -> None:
    """InvalidValue for a stated field of a Zone or VirtualMachine that vmadm does not have, or can't hold at that value."""
    head, _, rest = field.partition(".")
    if head == "nics" and rest:
        _check_nic(kind, rest, value)
    elif head == "disks" and rest:
        _check_disk(rest, value)
    elif (refuse := _CHECKS.get(field)) is not None:
        refuse(kind, field, value)


def _whole(unit: int, field: str, value: Value) -> None:
    """InvalidValue with the nearest two for a size that is no multiple of the unit."""
    if not isinstance(value, int) or value % unit == 0:
        return
    below, above = value // unit * unit, (value // unit + 1) * unit
    nearest = [format_size(size) for size in (below, above) if size]
    cause = f"vmadm keeps {field} in whole {format_size(unit)[1:]}, and {format_size(value)} is none"
    raise InvalidValue(cause, remedy=f"write {' or '.join(nearest)}")


def _check_memory(_kind: str, field: str, value: Value) -> None:
    _whole(_MIB, field, value)


def _check_swap(_kind: str, field: str, value: Value) -> None:
    _whole(_MIB, field, value)
    if isinstance(value, int) and value < _LEAST_SWAP:
        raise InvalidValue(
            f"vmadm has no swap below {format_size(_LEAST_SWAP)}", remedy=f"write {format_size(_LEAST_SWAP)} or more"
        )


def _check_quota(_kind: str, field: str, value: Value) -> None:
    _whole(_GIB, field, value)


def _lacks(what: str, remedy: str) -> Callable[[str, str, Value], None]:
    def refuse(_kind: str, field: str, _value: Value) -> None:
        raise InvalidValue(f"SmartOS has no {what or field}", remedy=remedy)

    return refuse


def _one_of(words: tuple[str, ...]) -> Callable[[str, str, Value], None]:
    def refuse(_kind: str, field: str, value: Value) -> None:
        if value not in words:
            raise InvalidValue(f"SmartOS has no {field} {value}", remedy=f"write one of {', '.join(words)}")

    return refuse


def _check_routes(_kind: str, _field: str, value: Value) -> None:
    for route in value if isinstance(value, tuple) else ():
        if ":" in route:
            to, via = route_parts(route)
            raise InvalidValue(f"vmadm has routes of IPv4 only, not to {to} by {via}", remedy="set it inside the guest")


def _check_domain(kind: str, _field: str, value: Value) -> None:
    if kind == "VirtualMachine":
        raise InvalidValue("vmadm gives virtual machines no dnsDomain", remedy="state it in cloudInit.userData, or remove it")
    if value is None:
        raise InvalidValue("vmadm has no zone without a dnsDomain: it is local where nobody gave one", remedy="write local")


_HERE = "remove it for this host"

_CHECKS: Mapping[str, Callable[[str, str, Value], None]] = MappingProxyType(
    {
        "memory": _check_memory,
        "swap": _check_swap,
        "quota": _check_quota,
        "routes": _check_routes,
        "dnsDomain": _check_domain,
        "brand": _one_of(ZONE_BRANDS),
        "engine": _one_of(ENGINES),
        "zonePath": _lacks("choice of zonePath: a zone lies in its pool", "state pool"),
        "maxProcesses": _lacks("limit of processes", "state maxTasks, the limit of threads"),
        "datasets": _lacks("way to delegate datasets by name", "state delegatedDataset: true, or mounts"),
        "console.serial": _lacks("log of the serial console", "state native.smartos com1"),
        "console.vnc.bind": _lacks("choice of address for VNC", _HERE),
        "cloudInit.networkConfig": _lacks("way to carry network-config: the guest learns of its nics from vmadm", _HERE),
        "cloudInit.instanceId": _lacks("choice of instance id: it is the guest's uuid", _HERE),
    }
)


def _check_nic(kind: str, rest: str, value: Value) -> None:
    """As `check`, for `NAME.FIELD` of a nic."""
    name, _, field = rest.partition(".")
    match field:
        case "vnic":
            raise InvalidValue("a guest of SmartOS can't take over a VNIC: vmadm makes one", remedy="state over: the nic tag")
        case "link":
            raise InvalidValue("vmadm names the links of guests itself", remedy="remove link")
        case "maxBandwidth" if value is not None:
            raise InvalidValue("vmadm limits no bandwidth", remedy="remove maxBandwidth")
        case "model" if kind == "Zone":
            raise InvalidValue("the nics of a zone have no model", remedy="remove model")
        case "model" if value not in NIC_MODELS:
            raise InvalidValue(f"SmartOS has no nics of model {value}", remedy=f"write one of {', '.join(NIC_MODELS)}")
        case "primary" if value is False:
            raise InvalidValue(
                f"vmadm can only make a nic primary, not take it from {name}",
                remedy="state primary: true at the nic that shall be it, and nothing here",
            )
        case "over":
            _check_tag(str(value))
        case "gateways" if isinstance(value, tuple) and any(":" in address for address in value):
            raise InvalidValue("vmadm has gateways of IPv4 only", remedy="write addrconf among the ips for IPv6")
        case "ips" if isinstance(value, tuple) and len(value) > _MOST_IPS:
            raise InvalidValue(f"{len(value)} addresses, and vmadm takes {_MOST_IPS} a nic", remedy="add another nic")
        case "allow.ips" if isinstance(value, tuple) and len(value) > _MOST_ALLOWED_IPS:
            cause = f"{len(value)} networks, and vmadm takes {_MOST_ALLOWED_IPS} a nic"
            raise InvalidValue(cause, remedy="put them together into larger networks")
        case _:
            pass


def _check_tag(tag: str) -> None:
    if not tag.replace("_", "").replace("/", "").isalnum() or not tag.isascii():
        raise InvalidValue(f"{tag!r} can't be a nic tag", remedy="write the name of a nic tag or etherstub")


def _check_disk(rest: str, value: Value) -> None:
    """As `check`, for `NAME.FIELD` of a disk."""
    field = rest.partition(".")[2]
    match field:
        case "size":
            _whole(_MIB, "size", value)
        case "serial":
            raise InvalidValue("vmadm gives disks no serial number", remedy="remove serial")
        case "properties.compression" if value not in (*_COMPRESSION, None):
            raise InvalidValue(f"vmadm has no compression {value}", remedy=f"write one of {', '.join(_COMPRESSION)}")
        case "properties.refreservation":
            _whole(_MIB, "refreservation", value)
        case _ if field.startswith("properties.") and field not in _LIVE_OF_DISK:
            cause = f"vmadm sets no {field.removeprefix('properties.')} on disks"
            raise InvalidValue(cause, remedy="remove it, or make a Volume with it and state volume")
        case _:
            pass
