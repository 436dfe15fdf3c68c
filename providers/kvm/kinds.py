"""VirtualMachine: its fields, names and rules."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from providers.tools import vmadm_native
from providers.tools.vmadm_fields import CLOUD_INIT
from providers.tools.zfs_properties import PROPERTIES, Clearing, On, native_property
from providers.tools.zfs_values import KIB, block_size
from reconciler.model.errors import InvalidValue
from reconciler.model.key import Key
from reconciler.model.quantity import parse_size
from reconciler.model.value import Fields, Scalar, Value
from reconciler.provider.field import Acts, Changing, Entries, FieldRule, Group, Items, Null
from reconciler.provider.guest import (
    FINISHED,
    GuestSpec,
    ImageReference,
    Path,
    check_guest,
    check_guest_name,
    claims_of_guest,
    items_of,
    told_of_guest,
)
from reconciler.provider.kind import Claim, Kind, Size, Spec
from reconciler.provider.nic import ItemName
from reconciler.provider.pydantic_errors import raising_custom

PORTS_STAND = "portsStand"
"""A completion that lasts: whether the ports of its nics are there and whole, where those are links of their own."""

_SERIAL = re.compile(r"[A-Za-z0-9_-]{1,20}")
_NEVER, _RESTART, _STAGED, _FIRST = Changing.NEVER, Acts.RESTART, Acts.STAGED, Acts.FIRST_BOOT

NativeLeaf: TypeAlias = Annotated[
    bool | int | float | str | None,
    BeforeValidator(raising_custom(vmadm_native.leaf)),
    Field(json_schema_extra={"type": ["boolean", "number", "string", "array", "null"]}),
]
Leaf: TypeAlias = bool | int | float | str | None


def _block_size(value: int | str) -> int:
    return block_size(parse_size(value), name="blockSize", most=128 * KIB)


def _serial(value: Scalar) -> Value:
    text = str(value)
    if not _SERIAL.fullmatch(text):
        raise InvalidValue(f"{text!r} is not a serial number", remedy="write up to 20 letters, digits, - and _")
    return text


def _compression(value: Scalar) -> Value:
    """Off is none: what is shown of a disk does not tell whether somebody chose it there."""
    found = PROPERTIES["compression"].stated(value)
    return None if found == "off" else found


_NULL = {Clearing.INHERIT: Null.UNSET, Clearing.NONE: Null.NONE, Clearing.IMPOSSIBLE: Null.REFUSED}
_PROPERTY_RULES = {
    name: FieldRule(Changing.LIVE, _NULL[known.clearing], known.stated, is_size=known.is_size, summary=known.summary)
    for name, known in PROPERTIES.items()
    if known.on & On.VOLUME and not known.create_only
} | {"compression": FieldRule(null=Null.NONE, canonical=_compression, summary=PROPERTIES["compression"].summary)}


def _property(name: str) -> FieldRule:
    if (rule := _PROPERTY_RULES.get(name)) is not None:
        return rule
    native_property(name, On.VOLUME)
    raise InvalidValue(f"a disk's {name} is chosen when it is made", remedy="remove the line")


class Disk(Spec):
    """One disk of a virtual machine, known by its name."""

    name: ItemName
    volume: Annotated[str | None, FieldRule(_NEVER, refers_to=("Volume",), acts=_RESTART, summary="a Volume that it takes")] = (
        None
    )
    iso: Annotated[Path | None, FieldRule(acts=_RESTART, summary="a file on the host that it reads as a CD")] = None
    image: Annotated[
        ImageReference | None,
        FieldRule(_NEVER, refers_to=("Image",), by_identity=True, summary="an Image's name or uuid: what the disk is made of"),
    ] = None
    size: Annotated[
        Size | None, Field(gt=0), FieldRule(Changing.GROWS, acts=_RESTART, is_size=True, summary="grows; shrinking is refused")
    ] = None
    pool: Annotated[str | None, FieldRule(_NEVER, refers_to=("Pool",), summary="where it lies; else where the guest lies")] = (
        None
    )
    model: Annotated[
        Literal["virtio", "nvme", "ahci", "scsi", "ide"] | None,
        FieldRule(acts=_RESTART, summary="the hardware that the guest sees"),
    ] = None
    media: Annotated[Literal["disk", "cdrom"] | None, FieldRule(acts=_RESTART, summary="what it looks like")] = None
    boot: Annotated[bool | None, FieldRule(acts=_RESTART, summary="whether the guest boots from it")] = None
    blockSize: Annotated[
        int | None,
        BeforeValidator(raising_custom(_block_size)),
        Field(json_schema_extra={"type": "string", "examples": ["8KiB", "16KiB"]}),
        FieldRule(_NEVER, is_size=True, summary="the size of its blocks, a power of two"),
    ] = None
    sparse: Annotated[bool | None, FieldRule(_NEVER, summary="no space is set aside for it")] = None
    serial: Annotated[
        str | None, FieldRule(canonical=_serial, acts=_RESTART, summary="the serial number that the guest sees")
    ] = None
    properties: Annotated[dict[str, Leaf], Entries(_property, tuple(_PROPERTY_RULES))] = Field(default_factory=dict)
    onRemoval: Annotated[
        Literal["detach", "trash", "delete"] | None,
        FieldRule(Changing.REMEMBERED, summary="what becomes of its data when it is left out: detach keeps it aside"),
    ] = None


def _known_by_volume(_owner: str, _key: Key, _name: str, stated: Fields) -> str:
    return str(stated.get("volume") or "")


DISKS = Items(
    Disk,
    told_by="volume",
    known_by=_known_by_volume,
    rule=FieldRule(acts=_RESTART, summary="its disks, each known by a name of yours"),
    holds_data=True,
)


class CloudInit(Spec):
    """What the guest reads at its first boot."""

    userData: Annotated[str | None, FieldRule(acts=_FIRST, summary="the text of user-data: #cloud-config ...")] = None
    networkConfig: Annotated[str | None, FieldRule(acts=_FIRST, summary="the text of network-config")] = None
    sshKeys: Annotated[list[str] | None, FieldRule(acts=_FIRST, summary="public keys that may log in")] = None
    instanceId: Annotated[str | None, FieldRule(acts=_FIRST, summary="another one makes the guest read all this again")] = None


class Vnc(Spec):
    """The screen, by network."""

    port: Annotated[int | None, Field(ge=-1, le=65535), FieldRule(acts=_STAGED, summary="0: any, -1: off")] = None
    bind: Annotated[str | None, FieldRule(acts=_STAGED, summary="the host's address that it listens on")] = None


class Console(Spec):
    """How a person reaches the guest's consoles."""

    serial: Annotated[Literal["log"] | None, FieldRule(acts=_STAGED, summary="log: kept on the host")] = None
    vnc: Annotated[Vnc | None, Group()] = None


class Native(Spec):
    """What has no field here, in the tool's own names and units."""

    smartos: Annotated[dict[str, NativeLeaf], vmadm_native.VM_ENTRIES] = Field(default_factory=dict)


class VirtualMachineSpec(GuestSpec):
    """A hardware-virtualised guest."""

    engine: Annotated[Literal["bhyve", "kvm", "qemu"] | None, FieldRule(_NEVER, summary="what runs it")] = None
    cpus: Annotated[int | None, Field(ge=1), FieldRule(acts=_STAGED, summary="how many CPUs it sees")] = None
    disks: Annotated[list[Disk], DISKS] = Field(default_factory=list)
    firmware: Annotated[Literal["bios", "uefi"] | None, FieldRule(acts=_STAGED, summary="what boots it")] = None
    cloudInit: Annotated[CloudInit | None, Group()] = None
    console: Annotated[Console | None, Group()] = None
    native: Annotated[Native | None, Group()] = None


def _check_machine(fields: Fields) -> None:
    check_guest(fields)
    engine = fields.get("engine")
    disks = items_of(fields, "disks")
    for name, disk in disks.items():
        _check_disk(f"disks.{name}", disk, str(engine or ""))
    boot = [name for name, disk in disks.items() if disk.get("boot")]
    if len(boot) > 1:
        cause = f"{' and '.join(boot)} are both booted from"
        raise InvalidValue(cause, remedy="leave boot: true at one", field=f"disks.{boot[1]}.boot")
    volumes: dict[Value, str] = {}
    for name, disk in disks.items():
        if (volume := disk.get("volume")) is not None and volumes.setdefault(volume, name) != name:
            cause = f"{name} and {volumes[volume]} take the same volume {volume}"
            raise InvalidValue(cause, remedy="give each its own", field=f"disks.{name}.volume")
    for field, key in CLOUD_INIT.items():
        if {f"cloudInit.{field}", f"metadata.{key}"} <= fields.keys():
            cause = f"metadata {key} is what carries cloudInit.{field}"
            raise InvalidValue(cause, remedy="state one of the two", field=f"metadata.{key}")
    vmadm_native.check_kept(fields, is_vm=True)
    if isinstance(engine, str) and engine in vmadm_native.VM_BRANDS:
        vmadm_native.check_brand(fields, engine)


_MODELS = {"bhyve": ("virtio", "ahci", "nvme")}
"""Of engines that are alike wherever they are; kvm is one thing on SmartOS and another on Linux."""


def _check_disk(path: str, disk: Fields, engine: str) -> None:
    """InvalidValue for a disk that is none or several things at once, or that the engine can't have."""
    made = [name for name in ("volume", "iso") if name in disk]
    made += [next(name for name in ("image", "size") if name in disk)] if disk.keys() & {"image", "size"} else []
    if len(made) != 1:
        cause = f"a disk can't be {' and '.join(made)} at once" if made else "nothing says what the disk is"
        remedy = "keep one" if made else "state volume, iso, or image and/or size"
        raise InvalidValue(cause, remedy=remedy, field=f"{path}.{made[1]}" if made else path)
    if made == ["iso"] and disk.get("media") == "disk":
        raise InvalidValue("what is read from an iso is a cdrom", remedy="write media: cdrom", field=f"{path}.media")
    if made != ["size"] and "blockSize" in disk:
        cause = f"a disk has the block size of its {made[0]}"
        raise InvalidValue(cause, remedy="remove blockSize", field=f"{path}.blockSize")
    if made[0] in ("volume", "iso"):
        for name in ("pool", "sparse"):
            if name in disk:
                raise InvalidValue(f"{made[0]} says where the disk lies", remedy=f"remove {name}", field=f"{path}.{name}")
    model = disk.get("model")
    if model is not None and model not in _MODELS.get(engine, (model,)):
        remedy = f"write one of {', '.join(_MODELS[engine])}"
        raise InvalidValue(f"{engine} has no disks of model {model}", remedy=remedy, field=f"{path}.model")


def _claims(name: str, fields: Fields) -> Iterator[Claim]:
    """What no other guest may have too: two that write to one volume would spoil it."""
    yield from claims_of_guest(name, fields)
    for disk_name, disk in items_of(fields, "disks").items():
        if (volume := disk.get("volume")) is not None:
            yield Claim(f"spec.disks.{disk_name}.volume", f"volume {volume}")


def _told_of_machine(fields: Fields) -> Iterator[str]:
    if (engine := fields.get("engine")) is not None:
        yield str(engine)
    yield from told_of_guest(fields)


VIRTUAL_MACHINE = Kind(
    "VirtualMachine",
    VirtualMachineSpec,
    "a hardware-virtualised guest",
    chooses_identity=True,
    has_trash=True,
    completion={FINISHED: True, PORTS_STAND: True},
    lasting=frozenset({PORTS_STAND}),
    check_name=check_guest_name,
    check_spec=_check_machine,
    claims=_claims,
    told=_told_of_machine,
)
