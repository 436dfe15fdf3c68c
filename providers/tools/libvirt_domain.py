"""A domain's definition as a whole: made for a new machine, read, and changed field by field."""

from collections.abc import Iterator

from providers.tools import libvirt_devices as devices
from providers.tools.libvirt_xml import Tree, add, attribute, bytes_at, child, drop, text_at
from reconciler.model.errors import ReadError
from reconciler.model.value import Fields, Value

KIB = 1 << 10
DEFAULT_MEMORY = 1 << 30
UEFI, BIOS = "uefi", "bios"


def new_domain(name: str, uuid: str, engine: str, fields: Fields) -> Tree:
    """A machine without disks and nics, with what its manifest says of the rest."""
    tree = Tree("domain", {"type": engine})
    add(tree, "name", name)
    add(tree, "uuid", uuid)
    child(tree, "metadata")
    memory, cpus = fields.get("memory"), fields.get("cpus")
    set_memory(tree, memory if isinstance(memory, int) else DEFAULT_MEMORY)
    set_cpus(tree, cpus if isinstance(cpus, int) else 1)
    add(child(tree, "os"), "type", "hvm")
    features = child(tree, "features")
    add(features, "acpi")
    add(features, "apic")
    if engine == "kvm":
        add(tree, "cpu", mode="host-passthrough")
    add(add(tree, "clock", offset="utc"), "timer", name="hpet", present="no")
    inside = child(tree, "devices")
    add(inside, "controller", type="usb", model="none")
    add(add(inside, "serial", type="pty"), "target", port="0")
    add(add(inside, "rng", model="virtio"), "backend", "/dev/urandom", model="random")
    add(inside, "memballoon", model="virtio")
    set_settings(tree, name, {key: value for key, value in fields.items() if key not in ("memory", "cpus")})
    return tree


def set_settings(tree: Tree, machine: str, changed: Fields) -> None:
    """Gives the definition the values of these fields, of those that it holds and that are no item of a list."""
    if isinstance(memory := changed.get("memory"), int):
        set_memory(tree, memory)
    if isinstance(cpus := changed.get("cpus"), int):
        set_cpus(tree, cpus)
    if (firmware := changed.get("firmware")) is not None:
        set_firmware(tree, str(firmware))
    if "console.serial" in changed:
        devices.set_serial_log(tree, machine, logs=changed["console.serial"] == "log")
    if not changed.keys().isdisjoint(("console.vnc.port", "console.vnc.bind")):
        now = dict(devices.read_consoles(tree))
        # Whoever states where it listens wants one.
        there = 0 if now["console.vnc.port"] == devices.OFF else now["console.vnc.port"]
        port, bind = changed.get("console.vnc.port", there), changed.get("console.vnc.bind", now["console.vnc.bind"])
        devices.set_screen(tree, port if isinstance(port, int) else 0, str(bind) if bind else None)


def set_memory(tree: Tree, size: int) -> None:
    """What it starts with, which is also the most that it may get while it runs."""
    for name in ("memory", "currentMemory"):
        found = child(tree, name)
        found.attrib.pop("dumpCore", None)
        found.set("unit", "KiB")
        found.text = str(size // KIB)


def set_cpus(tree: Tree, count: int) -> None:
    """Where somebody laid the CPUs out, those that it may have stay, and only how many are on changes."""
    found = child(tree, "vcpu")
    drop(tree, "vcpus")
    found.attrib.pop("current", None)
    if _has_topology(tree) and count < most_cpus(tree):
        found.set("current", str(count))
    elif not _has_topology(tree) or count > most_cpus(tree):
        found.text = str(count)


def _has_topology(tree: Tree) -> bool:
    return tree.find("cpu/topology") is not None


def set_firmware(tree: Tree, firmware: str) -> None:
    """uefi: libvirt chooses the files when the definition is stored."""
    place = child(tree, "os")
    for name in ("loader", "nvram", "firmware"):
        drop(place, name)
    if firmware == UEFI:
        place.set("firmware", "efi")
    else:
        place.attrib.pop("firmware", None)


def read_settings(tree: Tree) -> Iterator[tuple[str, Value]]:
    """What the definition says beside its items. ReadError for a size or number in a form that libvirt never writes."""
    yield "engine", tree.get("type")
    memory = bytes_at(tree, "currentMemory")
    yield "memory", memory if memory is not None else bytes_at(tree, "memory")
    yield "cpus", cpus_of(tree)
    yield "firmware", UEFI if uses_uefi(tree) else BIOS
    yield from devices.read_consoles(tree)


def uses_uefi(tree: Tree) -> bool:
    return attribute(tree, "os", "firmware") == "efi" or attribute(tree, "os/loader", "type") == "pflash"


def cpus_of(tree: Tree) -> int:
    """How many are on."""
    found = tree.find("vcpu")
    count = _number(found.get("current") or found.text) if found is not None else 1
    if count is None:
        raise ReadError(0, "a number of CPUs", text_at(tree, "vcpu"))
    return count


def most_cpus(tree: Tree) -> int:
    return _number(tree.findtext("vcpu")) or 1


def most_memory(tree: Tree) -> int:
    return bytes_at(tree, "memory") or 0


def _number(text: str | None) -> int | None:
    stripped = (text or "").strip()
    return int(stripped) if stripped.isascii() and stripped.isdigit() else None
