"""Properties of vmadm that have no field of ours, as a closed table (smartos-vmadm.md 5 and 7).

A manifest states them under `native.smartos`, in vmadm's names and units.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from functools import partial
from types import MappingProxyType
from typing import NoReturn, TypeAlias

from reconciler.model.errors import InvalidValue
from reconciler.model.value import Fields, Scalar, Value, Written
from reconciler.provider.field import Acts, Changing, Entries, FieldRule, Null

PREFIX = "native.smartos."

ZONE_BRANDS = frozenset({"joyent-minimal", "joyent", "lx", "builder"})
VM_BRANDS = frozenset({"bhyve", "kvm"})
_ALL = ZONE_BRANDS | VM_BRANDS
_BHYVE, _KVM, _LX = frozenset({"bhyve"}), frozenset({"kvm"}), frozenset({"lx"})

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

NO_OWNER = "00000000-0000-0000-0000-000000000000"
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/+-]*")
_SLOT = re.compile(r"[0-9]{1,3}(:[0-9]{1,2}(:[0-7])?)?")
_GZIP = ("gzip", *(f"gzip-{level}" for level in range(1, 10)))
_COMPRESSION = ("on", "off", *_GZIP, "lz4", "lzjb", "zle")
_LARGEST = 2**53 - 1
_MIB = 1 << 20
_NAMESPACES = "internal_metadata_namespaces"
_HYPERVISOR_MIB = 256
"""What a virtual machine needs at least beside its memory."""


class Form(Enum):
    """What a property holds."""

    TEXT = "text"
    NUMBER = "a whole number"
    SWITCH = "true or false"
    WORDS = "one of some words"
    LIST = "a list of words, whose order means nothing"
    DEVICES = "a list of devices"


@dataclass(frozen=True, slots=True)
class NativeProperty:
    """One property: what it holds, for which brands, and when a change acts.

    `acts` holds for the brands of zones, `acts_on_vms` for bhyve and kvm. `absent` is the canonical value when the host shows
    none. `clearable` ones can be null; `cleared` is then what vmadm is told. `is_once` ones are for create alone and are
    never read back. `least` and `most` limit a number, `longest` a text.
    """

    name: str
    form: Form
    summary: str
    brands: frozenset[str] = _ALL
    acts: Acts = Acts.LIVE
    acts_on_vms: Acts = Acts.LIVE
    words: tuple[str, ...] = ()
    absent: Value = None
    clearable: bool = False
    cleared: Json = None
    is_once: bool = False
    is_power_of_two: bool = False
    least: int = 0
    most: int = _LARGEST
    longest: int = 0

    def canonical(self, value: Scalar) -> Value:
        """A stated value in canonical form; InvalidValue with what may stand there. None where it means unset."""
        if value == "" and self.clearable:
            return None
        return _CANONICAL[self.form](self, value)

    def acts_for(self, brand: str) -> Acts:
        return self.acts_on_vms if brand in VM_BRANDS else self.acts


def _refuse(known: NativeProperty, value: object, remedy: str) -> InvalidValue:
    return InvalidValue(f"{known.name} can't be {value!r}", remedy=remedy)


def _text(known: NativeProperty, value: Scalar) -> Value:
    text = str(value)
    if isinstance(value, bool) or not text or not text.isprintable():
        raise _refuse(known, value, "write printable text")
    if known.longest and len(text) > known.longest:
        raise _refuse(known, value, f"write at most {known.longest} characters")
    return text


def _number(known: NativeProperty, value: Scalar) -> Value:
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,16}", text):
        raise _refuse(known, value, "write a whole number, without a unit")
    number = int(text)
    if not known.least <= number <= known.most:
        up_to = f" to {known.most}" if known.most != _LARGEST else " or more"
        raise _refuse(known, value, f"write {known.least}{up_to}")
    if known.is_power_of_two and number & (number - 1):
        raise _refuse(known, value, "write a power of two")
    return number


def _switch(known: NativeProperty, value: Scalar) -> Value:
    if value in (True, "true", "1"):
        return True
    if value in (False, "false", "0"):
        return False
    raise _refuse(known, value, "write true or false")


def _word_of(known: NativeProperty, value: Scalar) -> Value:
    if isinstance(value, bool) and {"on", "off"} <= set(known.words):
        return "on" if value else "off"
    if value not in known.words:
        raise _refuse(known, value, f"write one of {', '.join(known.words)}")
    return value


def _list(known: NativeProperty, value: Scalar) -> Value:
    items = {item.strip() for item in str(value).split(",")}
    if isinstance(value, bool) or not all(_WORD.fullmatch(item.removeprefix("!").removeprefix("-")) for item in items):
        raise _refuse(known, value, "write a list of words")
    return tuple(sorted(items))


def _devices(known: NativeProperty, value: Scalar) -> Value:
    try:
        devices = json.loads(str(value))
    except ValueError:
        devices = None
    if not isinstance(devices, list):
        raise _refuse(known, value, "write a list of {path, pci_slot}")
    found = [_device(known, device) for device in devices]
    if len(set(found)) < len(found):
        raise _refuse(known, value, "name each device once")
    return tuple(sorted(found))


def _device(known: NativeProperty, device: object) -> str:
    """One device as `PATH` or `PATH pci_slot=SLOT`."""
    if not isinstance(device, dict) or not {"path"} <= device.keys() <= {"path", "pci_slot", "model"}:
        raise _refuse(known, device, "write {path: /devices/..., pci_slot: 0:8:0}")
    path, slot = str(device["path"]), str(device.get("pci_slot", ""))
    if not path.startswith("/devices/") or not path.isprintable() or " " in path:
        raise _refuse(known, path, "begin the path with /devices/")
    if slot and not _SLOT.fullmatch(slot):
        raise _refuse(known, slot, "write pci_slot as bus:device:function")
    if device.get("model", "passthru") != "passthru":
        raise _refuse(known, device["model"], "write model: passthru, or leave it out")
    return f"{path} pci_slot={slot}" if slot else path


_CANONICAL: Mapping[Form, Callable[[NativeProperty, Scalar], Value]] = MappingProxyType(
    {
        Form.TEXT: _text,
        Form.NUMBER: _number,
        Form.SWITCH: _switch,
        Form.WORDS: _word_of,
        Form.LIST: _list,
        Form.DEVICES: _devices,
    }
)

_TEXT, _NUMBER, _SWITCH, _LIST = Form.TEXT, Form.NUMBER, Form.SWITCH, Form.LIST
_STAGED, _RESTART = Acts.STAGED, Acts.RESTART


_at_boot = partial(NativeProperty, acts=_STAGED, acts_on_vms=_STAGED)


def _option(name: str, summary: str, brands: frozenset[str]) -> NativeProperty:
    """A text that the hypervisor is started with."""
    return _at_boot(name, _TEXT, summary, brands, clearable=True)


def _resource(
    name: str, summary: str, brands: frozenset[str] = _ALL, *, least: int = 0, clearable: bool = False
) -> NativeProperty:
    """A limit that is pushed into a running zone, and read by a virtual machine at its boot."""
    cleared = 0 if clearable else None
    return NativeProperty(name, _NUMBER, summary, brands, Acts.LIVE, _STAGED, least=least, clearable=clearable, cleared=cleared)


_TABLE = (
    NativeProperty("owner_uuid", _TEXT, "whom it belongs to; a free label", clearable=True, cleared=NO_OWNER),
    NativeProperty("billing_id", _TEXT, "a free label", clearable=True, cleared=NO_OWNER),
    NativeProperty("package_name", _TEXT, "a free label", _ALL - _BHYVE, clearable=True),
    NativeProperty("package_version", _TEXT, "a free label", _ALL - _BHYVE, clearable=True),
    NativeProperty("do_not_inventory", _SWITCH, "hide it from inventories", absent=False),
    NativeProperty("archive_on_delete", _SWITCH, "keep its metadata and snapshot when it is deleted", absent=False),
    _at_boot("maintain_resolvers", _SWITCH, "write changed resolvers into the running zone", ZONE_BRANDS, absent=False),
    NativeProperty(_NAMESPACES, _LIST, "namespaces served from internal metadata", clearable=True, cleared=[]),
    _resource("zfs_io_priority", "share of disk I/O beside other guests"),
    _resource("max_locked_memory", "MiB that it may lock"),
    _resource("max_shm_memory", "MiB of shared memory"),
    _resource("max_msg_ids", "message queues"),
    _resource("max_sem_ids", "semaphore ids"),
    _resource("max_shm_ids", "shared memory ids"),
    _resource("cpu_cap", "percent of one CPU; null is none", VM_BRANDS, clearable=True),
    _resource("cpu_shares", "share of the CPUs beside other guests", VM_BRANDS),
    _resource("max_physical_memory", "MiB for guest and hypervisor together", VM_BRANDS),
    _resource("max_swap", "MiB of anonymous memory", VM_BRANDS, least=256),
    _resource("max_lwps", "threads of the hypervisor", VM_BRANDS),
    NativeProperty("tmpfs", _NUMBER, "MiB of /tmp; 0 is none", ZONE_BRANDS),
    _at_boot("init_name", _TEXT, "the first program", ZONE_BRANDS, clearable=True),
    _at_boot("restart_init", _SWITCH, "start the first program again when it ends", ZONE_BRANDS, absent=True),
    _at_boot("docker", _SWITCH, "behave as a docker container", frozenset({"lx", "joyent-minimal"}), absent=False),
    NativeProperty("zfs_root_compression", Form.WORDS, "of new blocks of the root", words=_COMPRESSION, absent="off"),
    NativeProperty(
        "zfs_data_compression",
        Form.WORDS,
        "of new blocks of the delegated dataset",
        ZONE_BRANDS,
        words=_COMPRESSION,
        absent="off",
    ),
    NativeProperty(
        "zfs_root_recsize", _NUMBER, "bytes, of new files of the root", least=512, most=131072, is_power_of_two=True
    ),
    NativeProperty(
        "zfs_data_recsize",
        _NUMBER,
        "bytes, of new files of the delegated dataset",
        ZONE_BRANDS,
        least=512,
        most=131072,
        is_power_of_two=True,
    ),
    NativeProperty("zfs_filesystem_limit", _NUMBER, "file systems below its root; null is none", clearable=True),
    NativeProperty("zfs_snapshot_limit", _NUMBER, "snapshots of its root; null is none", clearable=True),
    _at_boot("limit_priv", _LIST, "privileges: default, names, !names", _ALL),
    _at_boot("fs_allowed", _LIST, "file systems that may be mounted inside", ZONE_BRANDS, clearable=True, cleared=[]),
    _at_boot("zlog_max_size", _NUMBER, "bytes of the console's log", ZONE_BRANDS),
    NativeProperty("mdata_exec_timeout", _NUMBER, "seconds for the user-script", ZONE_BRANDS, is_once=True),
    NativeProperty("nowait", _SWITCH, "don't wait until it is provisioned", ZONE_BRANDS, is_once=True),
    NativeProperty("flexible_disk_size", _NUMBER, "MiB for disks and snapshots together", _BHYVE, clearable=True),
    _option("bhyve_extra_opts", "further arguments of bhyve", _BHYVE),
    _at_boot("com1", _TEXT, "where the first serial port goes", _BHYVE),
    _at_boot("com2", _TEXT, "where the second serial port goes", _BHYVE),
    NativeProperty(
        "pci_devices",
        Form.DEVICES,
        "devices passed through: {path, pci_slot}",
        _BHYVE,
        acts_on_vms=_RESTART,
        clearable=True,
        cleared=[],
    ),
    _option("boot", "order of boot devices: order=cd", VM_BRANDS),
    _at_boot("cpu_type", Form.WORDS, "the CPU that it sees", _KVM, words=("qemu64", "host"), absent="qemu64"),
    _at_boot(
        "vga",
        Form.WORDS,
        "the graphics card that it sees",
        _KVM,
        words=("std", "cirrus", "vmware", "qxl", "xenfb"),
        absent="std",
    ),
    _option("qemu_opts", "all arguments of qemu", _KVM),
    _option("qemu_extra_opts", "further arguments of qemu", _KVM),
    _option("spice_opts", "arguments of spice", _KVM),
    _option("spice_password", "in plain text", _KVM),
    _at_boot("spice_port", _NUMBER, "0: any, -1: off", _KVM, least=-1, most=65535),
    _at_boot("virtio_txtimer", _NUMBER, "nanoseconds", _KVM),
    _at_boot("virtio_txburst", _NUMBER, "packets", _KVM),
    _at_boot("vnc_password", _TEXT, "in plain text", VM_BRANDS, longest=8, clearable=True),
    NativeProperty("disk_driver", _TEXT, "the model of disks that state none", VM_BRANDS, clearable=True),
    NativeProperty("nic_driver", _TEXT, "the model of nics that state none", VM_BRANDS, clearable=True),
)

NATIVE: Mapping[str, NativeProperty] = MappingProxyType({known.name: known for known in _TABLE})
"""Every property that may stand under `native.smartos`, by name."""

_OURS_ON_BOTH = {
    "uuid": "uuid",
    "alias": "metadata.name",
    "zpool": "pool",
    "zfs_storage_pool_name": "pool",
    "autoboot": "autoboot",
    "state": "state",
    "hostname": "hostname",
    "dns_domain": "dnsDomain",
    "resolvers": "resolvers",
    "routes": "routes",
    "set_routes": "routes",
    "remove_routes": "routes",
    "customer_metadata": "metadata",
    "set_customer_metadata": "metadata",
    "remove_customer_metadata": "metadata",
    "internal_metadata": "internalMetadata",
    "set_internal_metadata": "internalMetadata",
    "remove_internal_metadata": "internalMetadata",
    "tags": "tags",
    "set_tags": "tags",
    "remove_tags": "tags",
    "quota": "quota",
    "ram": "memory",
    "firewall_enabled": "firewallEnabled",
    "nics": "nics",
    "add_nics": "nics",
    "update_nics": "nics",
    "remove_nics": "nics",
    "indestructible_zoneroot": "lifecycle.protect",
    "indestructible_delegated": "lifecycle.protect",
}

OURS_ON_ZONES: Mapping[str, str] = MappingProxyType(
    {
        **_OURS_ON_BOTH,
        "brand": "brand",
        "image_uuid": "image",
        "dataset_uuid": "image",
        "zone_dataset_uuid": "image",
        "max_physical_memory": "memory",
        "max_swap": "swap",
        "max_lwps": "maxTasks",
        "cpu_cap": "cpuCap",
        "cpu_shares": "cpuShares",
        "kernel_version": "kernelVersion",
        "delegate_dataset": "delegatedDataset",
        "datasets": "delegatedDataset",
        "filesystems": "mounts",
        "add_filesystems": "mounts",
        "update_filesystems": "mounts",
        "remove_filesystems": "mounts",
        "zonepath": "zonePath",
    }
)
"""Properties that have a field here, with its name, on a Zone."""

OURS_ON_VMS: Mapping[str, str] = MappingProxyType(
    {
        **_OURS_ON_BOTH,
        "brand": "engine",
        "vcpus": "cpus",
        "image_uuid": "disks[].image",
        "disks": "disks",
        "add_disks": "disks",
        "update_disks": "disks",
        "remove_disks": "disks",
        "bootrom": "firmware",
        "vnc_port": "console.vnc.port",
    }
)
"""The same on a VirtualMachine."""

READ_ONLY = frozenset(
    {
        "boot_timestamp", "create_timestamp", "datacenter_name", "datasets", "exit_status", "exit_timestamp", "free_space",
        "headnode_id", "hvm", "init_restarts", "last_modified", "missing", "pid", "platform_buildstamp", "server_uuid",
        "snapshots", "state", "transition_expire", "transition_to", "type", "v", "zfs_filesystem", "zlog_mode", "zlog_name",
        "zone_state", "zonedid", "zoneid", "zonename", "zonepath",
    }
)  # fmt: skip
"""What vmadm tells and never takes, the zone's name among them: it is the uuid."""


def _property(of: str, brands: frozenset[str], ours: Mapping[str, str], name: str) -> NativeProperty:
    """The property of that name on a kind; InvalidValue with the way out for any other name."""
    if (field := ours.get(name)) is not None:
        raise InvalidValue(f"{name} has a field of its own", remedy=f"state {field} instead")
    if name in READ_ONLY:
        raise InvalidValue(f"{name} is read-only", remedy="remove the line")
    known = NATIVE.get(name)
    if known is None:
        near = get_close_matches(name, [known.name for known in _TABLE if known.brands & brands], n=1)
        remedy = f"did you mean {near[0]}?" if near else f"`reconciler providers {of}` lists those that have no field here"
        raise InvalidValue(f"vmadm has no property {name!r}", remedy=remedy)
    if not known.brands & brands:
        raise InvalidValue(f"{name} is nothing that a {of} has", remedy="remove the line")
    return known


def _rule(known: NativeProperty, brands: frozenset[str]) -> FieldRule:
    return FieldRule(
        Changing.AT_CREATION if known.is_once else Changing.LIVE,
        Null.NONE if known.clearable else Null.REFUSED,
        known.canonical,
        summary=known.summary,
        acts=known.acts_on_vms if brands <= VM_BRANDS else known.acts,
        written=_written_devices if known.form is Form.DEVICES else None,
    )


def _written_devices(value: Value) -> Written:
    assert isinstance(value, tuple)
    return [_device_fields(device) for device in value]


def _device_fields(device: str) -> dict[str, str]:
    path, _, slot = device.partition(" pci_slot=")
    return {"path": path, "pci_slot": slot} if slot else {"path": path}


def _rule_of(of: str, brands: frozenset[str], ours: Mapping[str, str], name: str) -> FieldRule:
    return _rule(_property(of, brands, ours, name), brands)


def _entries(of: str, brands: frozenset[str], ours: Mapping[str, str]) -> Entries:
    rules = {known.name: _rule(known, brands) for known in _TABLE if known.brands & brands}

    def rule(name: str) -> FieldRule:
        return rules[name] if name in rules else _rule_of(of, brands, ours, name)

    return Entries(rule, tuple(rules))


ZONE_ENTRIES = _entries("Zone", ZONE_BRANDS, OURS_ON_ZONES)
VM_ENTRIES = _entries("VirtualMachine", VM_BRANDS, OURS_ON_VMS)


def leaf(value: object) -> object:
    """A value as it stands in a manifest as one word, number or text; a list becomes the text that its rule reads."""
    if isinstance(value, list):
        if all(isinstance(item, dict) for item in value):
            return json.dumps(value, sort_keys=True, separators=(",", ":")) if value else ""
        if not all(isinstance(item, str) and "," not in item for item in value):
            raise InvalidValue("a list here holds words", remedy="write words without commas, quoted where they are numbers")
        return ",".join(value)
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise InvalidValue("a value here is one word, number or text, or a list", remedy="write one value per line")
    return value


def check_brand(fields: Fields, brand: str) -> None:
    """InvalidValue for a property that other brands have."""
    for field in fields:
        if field.startswith(PREFIX):
            known = NATIVE[field.removeprefix(PREFIX)]
            if brand not in known.brands:
                has = ", ".join(sorted(known.brands))
                raise InvalidValue(f"{brand} has no {known.name}; these have it: {has}", remedy="remove the line", field=field)


def check_kept(fields: Fields, *, is_vm: bool) -> None:
    """InvalidValue for what vmadm would silently change (section 7), above all limits to fit the memory: drift for ever."""
    namespaces = fields.get(f"{PREFIX}{_NAMESPACES}")
    if fields.get(f"{PREFIX}docker") is True and isinstance(namespaces, tuple) and "docker" not in namespaces:
        cause = "a docker zone has the namespace docker"
        raise InvalidValue(cause, remedy="add docker to the list", field=f"{PREFIX}{_NAMESPACES}")
    memory = fields.get("memory")
    memory_mib = memory // _MIB if isinstance(memory, int) else None
    physical = _stated(fields, "max_physical_memory") if is_vm else memory_mib
    if is_vm and physical is not None and memory_mib is not None and physical < memory_mib + _HYPERVISOR_MIB:
        _refuse_limit(
            "max_physical_memory", physical, f"{memory_mib + _HYPERVISOR_MIB} or more: memory and the hypervisor's own"
        )
    if physical is None:
        return
    what = "max_physical_memory" if is_vm else "memory"
    for name in ("max_locked_memory", "tmpfs"):
        if (limit := _stated(fields, name)) is not None and limit > physical:
            _refuse_limit(name, limit, f"at most {physical}, which is {what}")
    if (swap := _stated(fields, "max_swap")) is not None and swap < physical:
        _refuse_limit("max_swap", swap, f"{physical} or more, which is {what}")


def _stated(fields: Fields, name: str) -> int | None:
    value = fields.get(PREFIX + name)
    return value if isinstance(value, int) else None


def _refuse_limit(name: str, value: int, remedy: str) -> NoReturn:
    raise InvalidValue(f"vmadm would not keep {name} at {value}", remedy=f"write {remedy}", field=PREFIX + name)


def acts(name: str, brand: str, before: Value, after: Value) -> Acts:
    """When a change of a property (its name alone) acts on a running guest."""
    if name == "tmpfs" and not (before and after):
        return Acts.STAGED
    return NATIVE[name].acts_for(brand)


def told_value(name: str, value: Value) -> Json:
    """A canonical value as it stands in a payload for vmadm."""
    known = NATIVE[name]
    if value is None:
        return known.cleared
    if known.form is Form.DEVICES:
        return [_with_model(_device_fields(device)) for device in value] if isinstance(value, tuple) else []
    return list(value) if isinstance(value, tuple) else value


def _with_model(device: dict[str, str]) -> Json:
    return {**device, "model": "passthru"}


def created_with(name: str, value: Value) -> dict[str, Json]:
    """The keys of a create payload for a stated property."""
    return {} if value is None else {name: told_value(name, value)}


def updated_with(name: str, before: Value, after: Value) -> dict[str, Json]:
    """The keys of an update payload for a property that changes; `before` as observed, canonical."""
    if NATIVE[name].form is not Form.DEVICES:
        return {name: told_value(name, after)}
    old = {_device_fields(device)["path"]: device for device in before} if isinstance(before, tuple) else {}
    new = {_device_fields(device)["path"]: device for device in after} if isinstance(after, tuple) else {}
    changes: dict[str, list[Json]] = {
        "add_pci_devices": [_with_model(_device_fields(new[path])) for path in sorted(new.keys() - old.keys())],
        "update_pci_devices": [
            _with_model(_device_fields(new[path])) for path in sorted(new.keys() & old.keys()) if new[path] != old[path]
        ],
        "remove_pci_devices": [*sorted(old.keys() - new.keys())],
    }
    return {key: value for key, value in changes.items() if value}


def read(vm: Mapping[str, object], brand: str) -> Iterator[tuple[str, Value]]:
    """Every property that the brand has, under its field's name, as `vmadm get` shows it, in canonical form.

    A value that is none of those which a manifest may state is shown as the text that the host gives.
    """
    for known in _TABLE:
        if brand in known.brands and not known.is_once:
            yield PREFIX + known.name, _read(known, vm.get(known.name))


def _read(known: NativeProperty, value: object) -> Value:
    if value is None or value in ("", [], NO_OWNER):
        return known.absent
    if isinstance(value, list):
        value = json.dumps(value) if known.form is Form.DEVICES else ",".join(map(str, value))
    if not isinstance(value, (bool, int, str)):
        return json.dumps(value, sort_keys=True)
    try:
        return known.canonical(value)
    except InvalidValue:
        return value
