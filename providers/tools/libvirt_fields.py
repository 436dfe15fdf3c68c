"""Fields of machines on Linux: when a change acts on one that runs, and what libvirt or the host can't hold."""

from collections.abc import Mapping

from providers.tools import libvirt_domain
from providers.tools.libvirt_devices import BUSES
from providers.tools.libvirt_facts import LibvirtHost
from providers.tools.libvirt_reading import MOST_CPUS, MOST_MEMORY
from providers.tools.libvirt_seed import TOOLS
from providers.tools.linux_kernel import VLAN_FILTERING
from providers.tools.linux_ports import LONGEST_NAME
from reconciler.model.change import FieldChange
from reconciler.model.errors import InvalidValue
from reconciler.model.observed import Observed
from reconciler.model.quantity import format_size
from reconciler.model.value import Value
from reconciler.provider.field import Acts

_SECTOR = 512
_NIC_MODELS = ("virtio", "e1000", "e1000e", "rtl8139", "vmxnet3", "ne2k_pci", "pcnet")

_LIVE_OF_NICS = ("over", "vlan", "maxBandwidth")
_FIRST_OF_NICS = ("gateways", "primary")
_ACTS: Mapping[str, Acts] = {
    "hostname": Acts.FIRST_BOOT,
    "dnsDomain": Acts.FIRST_BOOT,
    "resolvers": Acts.FIRST_BOOT,
    "routes": Acts.FIRST_BOOT,
}


def acts(change: FieldChange, observed: Observed) -> Acts | None:
    """When a change of a field acts on a machine that runs; None where it is as the kind's table says."""
    head, _, rest = change.name.partition(".")
    item, _, field = rest.partition(".")
    if head == "nics":
        return _nic_acts(item, field, observed)
    if head == "disks":
        return _disk_acts(change, item, field, observed)
    most = {"memory": MOST_MEMORY, "cpus": MOST_CPUS}.get(change.name)
    if most is not None:
        bound, now, after = observed.fields.get(most), change.before, change.after
        fits = isinstance(bound, int) and isinstance(after, int) and after <= bound
        if change.name == "cpus":
            # What it booted with can't be taken out.
            fits = fits and isinstance(now, int) and isinstance(after, int) and after > now
        return Acts.LIVE if fits else Acts.STAGED
    return _ACTS.get(change.name)


def _nic_acts(item: str, field: str, observed: Observed) -> Acts:
    if not field or f"nics.{item}.mac" not in observed.fields:
        return Acts.LIVE
    if observed.fields.get(f"nics.{item}.link") is None:
        # libvirt plugged it in, and it comes to lie on a port of ours.
        return Acts.STAGED
    if field in _FIRST_OF_NICS or field == "ips":
        return Acts.FIRST_BOOT
    if field == "mac":
        # Its port lets the old one through until then, and only that.
        return Acts.RESTART
    return Acts.LIVE if field in _LIVE_OF_NICS or field.startswith("allow.") else Acts.STAGED


def _disk_acts(change: FieldChange, item: str, field: str, observed: Observed) -> Acts:
    if not field and change.after is None:
        # What runs must let go of its data, and only a guest that is stopped is sure to have done so.
        return Acts.RESTART
    if f"disks.{item}.target" not in observed.fields:
        # Only disks of virtio can be plugged in.
        slow = (
            field == "iso" or (field == "model" and change.after != "virtio") or (field == "media" and change.after == "cdrom")
        )
        return Acts.STAGED if slow else Acts.LIVE
    if field in ("size", "iso") or field.startswith("properties."):
        return Acts.LIVE
    return Acts.STAGED


def check(host: LibvirtHost, field: str, value: Value) -> None:
    """InvalidValue for a stated field that libvirt or this host does not have, or can't hold at that value."""
    head, _, rest = field.partition(".")
    inner = rest.partition(".")[2]
    if head == "nics" and inner:
        _check_nic(host, inner, value)
    elif head == "disks" and inner:
        _check_disk(inner, value)
    elif head == "native":
        raise InvalidValue("machines of libvirt have no native settings", remedy=f"remove {field} for this host")
    else:
        _check_setting(host, field, value)


def _check_setting(host: LibvirtHost, field: str, value: Value) -> None:
    match field:
        case "metadata.name" if isinstance(value, str) and len(value.encode()) > 128:
            raise InvalidValue("libvirt takes names of at most 128 bytes for files beside it", remedy="choose a shorter name")
        case "memory" if isinstance(value, int) and value % libvirt_domain.KIB:
            raise InvalidValue(f"libvirt keeps memory in whole KiB, and {format_size(value)} is none", remedy="write whole KiB")
        case "engine" if value == "bhyve":
            raise InvalidValue("Linux has no bhyve", remedy="write kvm or qemu, or remove engine: the host chooses")
        case "engine" if value == "kvm" and host.why_no_kvm:
            raise InvalidValue(
                f"kvm does not work on this host: {host.why_no_kvm}", remedy="write engine: qemu, or remove the line"
            )
        case "firmware" if value == libvirt_domain.UEFI and not host.has_uefi:
            told = "libvirt did not answer" if host.has_uefi is None else "libvirt finds no UEFI firmware"
            raise InvalidValue(f"{told} on this host", remedy="install it (Debian: ovmf), or write firmware: bios")
        case _ if field.startswith("cloudInit.") and not host.has_seed_tool:
            raise _no_seed_tool()
        case "hostname" | "dnsDomain" | "resolvers" | "routes" if value is not None and not host.has_seed_tool:
            raise _no_seed_tool()
        case "console.vnc.port" if isinstance(value, int) and 0 < value < 5900:
            raise InvalidValue(f"libvirt has no screen at port {value}", remedy="write 5900 or more, 0 for any, -1 for none")
        case _:
            pass


def _no_seed_tool() -> InvalidValue:
    return InvalidValue(
        f"a guest learns of it from a CD, and the host has no tool that makes one ({', '.join(TOOLS)})",
        remedy="install one (Debian: genisoimage)",
    )


def _check_nic(host: LibvirtHost, field: str, value: Value) -> None:
    match field:
        case "vnic":
            raise InvalidValue(
                "a machine of libvirt can't take over a VNIC: it has a port of its own",
                remedy="state over: the VNIC's etherstub or bridge",
            )
        case "link" if isinstance(value, str) and len(value.encode()) > LONGEST_NAME:
            raise InvalidValue(f"a port has a name of at most {LONGEST_NAME} bytes", remedy="choose a shorter link")
        case "vlan" if value == 1:
            raise InvalidValue(
                "VLAN 1 is what a bridge of Linux gives to ports without one", remedy="state vlan: 0, or another id"
            )
        case "over" if host.links.missing:
            missing = ", ".join(host.links.missing)
            raise InvalidValue(f"the host has no {missing}, which nics need", remedy="install iproute2 and nftables")
        case "vlan" if value and (why := host.links.why_not(VLAN_FILTERING)):
            remedy = "use an etherstub or bridge for each VLAN, or another kernel"
            raise InvalidValue(f"a bridge here can't keep VLANs apart: {why}", remedy=remedy)
        case "maxBandwidth" if isinstance(value, int) and value % 8:
            raise InvalidValue("tc holds a limit in whole bytes a second", remedy="state maxBandwidth in whole Kbps")
        case "model" if value not in _NIC_MODELS:
            raise InvalidValue(f"QEMU has no nics of model {value}", remedy=f"write one of {', '.join(_NIC_MODELS)}")
        case "gateways" if value is not None and not host.has_seed_tool:
            raise _no_seed_tool()
        case _:
            pass


def _check_disk(field: str, value: Value) -> None:
    match field:
        case "model" if value not in BUSES:
            raise InvalidValue(f"libvirt has no disks of model {value}", remedy=f"write one of {', '.join(BUSES)}")
        case "size" if isinstance(value, int) and value % _SECTOR:
            raise InvalidValue(
                f"a disk has whole sectors of {_SECTOR} bytes, and {format_size(value)} has not", remedy="write whole KiB"
            )
        case _:
            pass
