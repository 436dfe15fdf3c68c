"""Disks, nics and consoles in a domain's definition: what it says of them, and how they are put in, changed and taken out."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from providers.tools import libvirt_storage as storage
from providers.tools.libvirt_xml import Tree, add, attribute, child, drop, text_at
from providers.tools.zfs_volume_files import volume_at
from reconciler.model.value import Fields, Value

BUSES: Mapping[str, str] = MappingProxyType({"virtio": "virtio", "ahci": "sata", "scsi": "scsi", "ide": "ide"})
"""The bus of libvirt for each model of disk."""

_MODELS = {bus: model for model, bus in BUSES.items()}
_PREFIXES = {"virtio": "vd", "sata": "sd", "scsi": "sd", "ide": "hd", "usb": "sd", "fdc": "fd", "xen": "xvd"}
_CDROM_BUS = "ide"
_VOLUMES = "/dev/zvol/"
OFF = -1
"""The port of a screen that nobody can reach."""


# Disks.


def disks(tree: Tree) -> dict[str, Tree]:
    """The disks by target, which no two of one domain share."""
    return {attribute(disk, "target", "dev"): disk for disk in tree.findall("devices/disk")}


def disk_path(disk: Tree) -> str:
    """The file or device behind a disk; empty for an empty drive, and for what is no path."""
    return attribute(disk, "source", "file") or attribute(disk, "source", "dev")


def read_disk(disk: Tree) -> dict[str, Value]:
    """What a definition says of a disk. `path` is no field of a manifest."""
    path, is_cdrom = disk_path(disk), disk.get("device") == "cdrom"
    bus = attribute(disk, "target", "bus")
    found: dict[str, Value] = {
        "model": _MODELS.get(bus, bus) or None,
        "media": "cdrom" if is_cdrom else "disk",
        "boot": disk.find("boot") is not None,
        "serial": text_at(disk, "serial") or None,
        "path": path or None,
    }
    if is_cdrom and path:
        found["iso"] = path
    if path.startswith(_VOLUMES):
        found["volume"] = path.removeprefix(_VOLUMES)
    elif volume := volume_at(path):
        found["volume"] = volume
    return found


def volume_device(name: str) -> str:
    """Where Linux shows a volume of ZFS."""
    return f"{_VOLUMES}{name}"


def add_disk(tree: Tree, fields: Fields, path: str) -> Tree:
    """A disk with what its manifest says of it, over a file or device."""
    is_cdrom = "iso" in fields or fields.get("media") == "cdrom"
    is_device = path.startswith("/dev/")
    devices = child(tree, "devices")
    made = add(devices, "disk", type="block" if is_device else "file", device="cdrom" if is_cdrom else "disk")
    add(made, "driver", name="qemu", type="raw", **({} if is_cdrom else {"discard": "unmap"}))
    add(made, "source", **{"dev" if is_device else "file": path})
    bus = BUSES.get(str(fields.get("model") or ""), _CDROM_BUS if is_cdrom else "virtio")
    add(made, "target", dev=_free_target(tree, bus), bus=bus)
    if is_cdrom:
        add(made, "readonly")
    elif bus == "scsi" and not any(one.get("type") == "scsi" for one in devices.findall("controller")):
        add(devices, "controller", type="scsi", model="virtio-scsi")
    if serial := fields.get("serial"):
        add(made, "serial", str(serial))
    if fields.get("boot") is True:
        set_boot(tree, made, boots=True)
    return made


def add_seed(tree: Tree, path: str) -> None:
    """What cloud-init reads, as a disk that can't be written: most guests see one of virtio before any CD-ROM drive."""
    made = add(child(tree, "devices"), "disk", type="file", device="disk")
    add(made, "driver", name="qemu", type="raw")
    add(made, "source", file=path)
    add(made, "target", dev=_free_target(tree, "virtio"), bus="virtio")
    add(made, "readonly")


def _free_target(tree: Tree, bus: str) -> str:
    taken, prefix = disks(tree), _PREFIXES[bus]
    names = (prefix + _letters(number) for number in range(26 * 27))
    return next(name for name in names if name not in taken)


def _letters(number: int) -> str:
    """a, b ... z, aa, ab ..."""
    head, last = divmod(number, 26)
    return (chr(ord("a") + head - 1) if head else "") + chr(ord("a") + last)


def change_disk(tree: Tree, disk: Tree, changed: Fields) -> None:
    """Gives a disk the values that change and that a definition holds."""
    if "iso" in changed:
        drop(disk, "source")
        source = add(disk, "source", file=str(changed["iso"]))
        disk.remove(source)
        disk.insert(1, source)
    if "serial" in changed:
        drop(disk, "serial")
        if changed["serial"] is not None:
            add(disk, "serial", str(changed["serial"]))
    if "media" in changed:
        disk.set("device", str(changed["media"]))
        if changed["media"] == "cdrom" and attribute(disk, "target", "bus") == "virtio" and "model" not in changed:
            changed = {**changed, "model": _CDROM_BUS}
        drop(disk, "readonly")
        if changed["media"] == "cdrom":
            add(disk, "readonly")
    if "model" in changed:
        bus = BUSES[str(changed["model"])]
        target = child(disk, "target")
        target.set("bus", bus)
        target.set("dev", "")
        target.set("dev", _free_target(tree, bus))
        drop(disk, "address")
        drop(disk, "alias")
    if isinstance(boots := changed.get("boot"), bool):
        set_boot(tree, disk, boots=boots)


def set_boot(tree: Tree, disk: Tree, *, boots: bool) -> None:
    """Boots from this disk first, or not. What the definition said of kinds of devices to boot from can't stand beside it."""
    drop(disk, "boot")
    if not boots:
        return
    for other in tree.findall("devices/*"):
        for found in other.findall("boot"):
            found.set("order", str(int(found.get("order") or "1") + 1))
    drop(child(tree, "os"), "boot")
    add(disk, "boot", order="1")


# Nics.


def nics(tree: Tree) -> dict[str, Tree]:
    """The nics by MAC, which libvirt gives to each."""
    return {attribute(nic, "mac", "address").lower(): nic for nic in tree.findall("devices/interface")}


def read_nic(nic: Tree) -> dict[str, Value]:
    """What a definition says of a nic. The link of one that libvirt plugs in is another one at each start."""
    source = nic.find("source")
    over = (
        next((source.get(name) for name in ("bridge", "network", "dev") if source.get(name)), None)
        if source is not None
        else None
    )
    return {
        "over": over,
        "link": (attribute(nic, "target", "dev") or None) if nic.get("type") == "ethernet" else None,
        "mac": attribute(nic, "mac", "address").lower(),
        "model": attribute(nic, "model", "type") or None,
        "mtu": int(size) if (size := attribute(nic, "mtu", "size")).isdecimal() else None,
    }


def add_nic(tree: Tree, fields: Fields, mac: str, port: str) -> Tree:
    """A nic on a port of ours, which libvirt only opens."""
    made = add(child(tree, "devices"), "interface", type="ethernet")
    add(made, "mac", address=mac)
    add(made, "target", dev=port, managed="no")
    add(made, "model", type=str(fields.get("model") or "virtio"))
    if (mtu := fields.get("mtu")) is not None:
        add(made, "mtu", size=str(mtu))
    return made


def change_nic(nic: Tree, changed: Fields, port: str) -> None:
    """Gives a nic the values that change and that a definition holds. One that libvirt plugged in comes to lie on our port."""
    if nic.get("type") != "ethernet":
        nic.set("type", "ethernet")
        for name in ("source", "target", "virtualport", "filterref", "bandwidth", "portgroup", "vlan"):
            drop(nic, name)
    target = child(nic, "target")
    target.set("dev", port)
    target.set("managed", "no")
    if "mac" in changed:
        child(nic, "mac").set("address", str(changed["mac"]))
    if "mtu" in changed:
        drop(nic, "mtu")
        if changed["mtu"] is not None:
            add(nic, "mtu", size=str(changed["mtu"]))
    if "model" in changed:
        child(nic, "model").set("type", str(changed["model"]))
        drop(nic, "address")


def without(tree: Tree, device: Tree) -> None:
    """Takes a device out."""
    child(tree, "devices").remove(device)


# Consoles.


def read_consoles(tree: Tree) -> Iterator[tuple[str, Value]]:
    yield "console.serial", "log" if tree.find("devices/serial/log") is not None else None
    screen = _screen(tree)
    if screen is None:
        yield "console.vnc.port", OFF
        yield "console.vnc.bind", None
        return
    automatic = screen.get("autoport") == "yes" or screen.get("port") in (None, str(OFF))
    yield "console.vnc.port", 0 if automatic else int(screen.get("port") or 0)
    yield "console.vnc.bind", screen.get("listen") or attribute(screen, "listen", "address") or None


def _screen(tree: Tree) -> Tree | None:
    return next((one for one in tree.findall("devices/graphics") if one.get("type") == "vnc"), None)


def set_serial_log(tree: Tree, machine: str, *, logs: bool) -> None:
    """Keeps what the guest writes to its first serial port in a file, or not. libvirt tells of one device by two elements."""
    devices = child(tree, "devices")
    if devices.find("serial") is None:
        add(add(devices, "serial", type="pty"), "target", port="0")
    for name in ("serial", "console"):
        device = devices.find(name)
        if device is not None:
            drop(device, "log")
            if logs:
                made = add(device, "log", file=storage.log(machine), append="on")
                device.remove(made)
                device.insert(0, made)


def set_screen(tree: Tree, port: int, bind: str | None) -> None:
    """0 is any port, OFF no screen at all."""
    devices = child(tree, "devices")
    screen = _screen(tree)
    if port == OFF:
        if screen is not None:
            devices.remove(screen)
            if devices.find("graphics") is None:
                drop(devices, "video")
        return
    if screen is None:
        screen = add(devices, "graphics", type="vnc")
    drop(screen, "listen")
    for name in ("socket", "websocket"):
        screen.attrib.pop(name, None)
    screen.set("port", str(port or OFF))
    screen.set("autoport", "no" if port else "yes")
    screen.set("listen", bind or "127.0.0.1")
