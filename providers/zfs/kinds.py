"""Pool, Dataset and Volume: their fields, names and rules."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from providers.tools.zfs_properties import (
    PROPERTIES,
    Clearing,
    On,
    Property,
    check_user_property,
    is_user_property,
    native_property,
)
from providers.tools.zfs_values import KIB, block_size, user_value
from reconciler.model.errors import InvalidValue
from reconciler.model.quantity import approximate_size, format_size, parse_share, parse_size
from reconciler.model.value import Fields, Scalar, Value
from reconciler.provider.field import Changing, Entries, FieldRule, Null
from reconciler.provider.kind import Kind, Size, Spec
from reconciler.provider.pydantic_errors import raising_custom

NAME_BYTES = 255
DEPTH = 50
DEFAULT_BLOCK_SIZE = 16 * KIB
"""The largest default of any ZFS; a size that is a multiple of it fits the others too."""

HEALTH = ("ONLINE", "DEGRADED", "FAULTED", "OFFLINE", "UNAVAIL", "REMOVED", "SUSPENDED")
MOUNTED = "mounted"
"""Completion field of a Dataset: mounted, or there is no need to be."""

_COMPONENT = re.compile(r"[A-Za-z0-9_.:\-][A-Za-z0-9_.:\- ]*")
_DISK = re.compile(r"c\d")


_NULL: Mapping[Clearing, Null] = MappingProxyType(
    {Clearing.INHERIT: Null.UNSET, Clearing.NONE: Null.NONE, Clearing.IMPOSSIBLE: Null.REFUSED}
)


def _property_rule(known: Property) -> FieldRule:
    changing = Changing.REPLACE if known.create_only else Changing.GROWS if known.name == "version" else Changing.LIVE
    return FieldRule(changing, _NULL[known.clearing], known.stated, is_size=known.is_size, summary=known.summary)


_RULES = MappingProxyType({name: _property_rule(known) for name, known in PROPERTIES.items()})
_USER_RULE = FieldRule(Changing.LIVE, Null.UNSET, user_value, summary="a property of your own; the name holds a colon")


def _rule(on: On, name: str) -> FieldRule:
    if is_user_property(name):
        check_user_property(name)
        return _USER_RULE
    return _RULES[native_property(name, on).name]


def _properties(on: On) -> Entries:
    known = tuple(name for name, entry in PROPERTIES.items() if entry.on & on)
    return Entries(partial(_rule, on), known)


def _leaf(value: object) -> object:
    if value is not None and not isinstance(value, (bool, int, float, str)):
        raise InvalidValue("a value here is one word, number or text", remedy="write one value per line")
    return value


Leaf = Annotated[bool | int | float | str | None, BeforeValidator(raising_custom(_leaf))]


def _share(value: Scalar) -> Value:
    return f"{parse_share(str(value))}%"


def _health(value: Scalar) -> Value:
    if value not in HEALTH:
        raise InvalidValue(f"a pool's health is never {value!r}", remedy=f"write one of {', '.join(HEALTH)}")
    return value


_EXPECTATIONS = MappingProxyType(
    {
        "minFree": FieldRule(canonical=_share, summary="least share of the pool that must be free, 20%"),
        "health": FieldRule(canonical=_health, summary="the health the pool must have, ONLINE"),
    }
)


def _expectation(name: str) -> FieldRule:
    rule = _EXPECTATIONS.get(name)
    if rule is None:
        raise InvalidValue(f"a pool can't be expected to have {name!r}", remedy=f"write {' or '.join(_EXPECTATIONS)}")
    return rule


def _snapshot(value: Scalar) -> Value:
    text = str(value)
    dataset, at, snapshot = text.partition("@")
    check_dataset_name(dataset)
    if at and not _COMPONENT.fullmatch(snapshot):
        raise InvalidValue(f"{text!r} is no snapshot's name", remedy="write dataset@snapshot")
    return text


def before_at(origin: str) -> str:
    """The dataset of a snapshot's name."""
    return origin.partition("@")[0]


_ORIGIN = FieldRule(
    Changing.REPLACE,
    canonical=_snapshot,
    refers_to=("Dataset", "Volume", "Image"),
    target=before_at,
    summary="the snapshot to clone from, dataset@snapshot",
)


def _volume_block_size(value: int | str) -> int:
    return block_size(parse_size(value), name="blockSize", most=128 * KIB)


class PoolSpec(Spec):
    """What is expected of a pool; a miss is a condition, never a change."""

    expect: Annotated[dict[str, Leaf], Entries(_expectation, tuple(_EXPECTATIONS))] = Field(default_factory=dict)


class DatasetSpec(Spec):
    """A ZFS file system."""

    properties: Annotated[dict[str, Leaf], _properties(On.FILESYSTEM)] = Field(default_factory=dict)
    origin: Annotated[str, _ORIGIN] = Field(default_factory=str)
    createParents: Annotated[
        bool,
        FieldRule(Changing.AT_CREATION, summary="make missing parents too; they stay unmanaged"),
    ] = False


class VolumeSpec(Spec):
    """A ZFS volume."""

    size: Annotated[Size, FieldRule(Changing.GROWS, is_size=True, summary="the size of the volume")] = Field(
        default_factory=int
    )
    sparse: Annotated[bool, FieldRule(Changing.NEVER, summary="no space is set aside for it")] = False
    blockSize: Annotated[
        int,
        BeforeValidator(raising_custom(_volume_block_size)),
        Field(json_schema_extra={"type": "string", "examples": ["8KiB", "16KiB"]}),
        FieldRule(Changing.NEVER, is_size=True, summary="the size of its blocks, a power of two"),
    ] = Field(default_factory=int)
    backing: Annotated[
        Literal["zvol", "file"] | None,
        FieldRule(Changing.NEVER, summary="what holds the data: a zvol, or a file in a dataset; else as the host's ZFS has it"),
    ] = None
    properties: Annotated[dict[str, Leaf], _properties(On.VOLUME)] = Field(default_factory=dict)
    origin: Annotated[str, _ORIGIN] = Field(default_factory=str)


def check_dataset_name(name: str) -> None:
    """InvalidValue for a name that some ZFS refuses (illumos-cli.md 1.3) or that is reserved for our own use."""
    parts = name.split("/")
    for part in parts:
        if not part:
            raise InvalidValue(f"the name {name!r} has an empty component", remedy="write pool/part/part without extra slashes")
        if not _COMPONENT.fullmatch(part) or part.endswith(" "):
            raise InvalidValue(f"{part!r} can't be part of a name", remedy="use letters, digits and - _ . : only")
        if part in (".", ".."):
            raise InvalidValue(f"the name {name!r} holds {part}", remedy="write the name without it")
        if part.startswith((".reconciler-trash", ".reconciler-detached")):
            raise InvalidValue(f"{part} is reserved for removed objects", remedy="choose another name")
    if len(name) > NAME_BYTES or len(parts) > DEPTH:
        raise InvalidValue(f"the name is longer than {NAME_BYTES} characters or {DEPTH} parts", remedy="shorten it")
    check_pool_name(parts[0])


def check_pool_name(name: str) -> None:
    """InvalidValue for a name that no pool can have."""
    refused = name == "log" or name.startswith(("mirror", "raidz", "draid", "spare")) or _DISK.match(name)
    if refused or not name[:1].isalpha() or not name.isascii() or not _COMPONENT.fullmatch(name):
        raise InvalidValue(f"{name!r} can't be a pool's name", remedy="begin with the name of a pool, for example tank")


def _check_volume_name(name: str) -> None:
    check_dataset_name(name)
    if "/" not in name:
        raise InvalidValue(f"{name!r} is a pool, not a volume in it", remedy=f"write {name}/NAME")


def _check_dataset(fields: Fields) -> None:
    if "origin" in fields:
        _refuse_with_origin(fields, {f"properties.{name}": name for name, known in PROPERTIES.items() if known.create_only})


def _check_volume(fields: Fields) -> None:
    if "origin" in fields:
        _refuse_with_origin(fields, {"blockSize": "blockSize"})
        if fields.get("sparse") is False:
            raise InvalidValue(
                "a clone is sparse: sparse: false can't hold with origin",
                remedy="state properties.refreservation instead",
                field="sparse",
            )
    elif "size" not in fields:
        raise InvalidValue("a volume needs a size", remedy="state spec.size, or spec.origin for a clone")
    size, block = fields.get("size"), fields.get("blockSize", DEFAULT_BLOCK_SIZE)
    assert isinstance(block, int)
    if isinstance(size, int) and (size == 0 or size % block):
        because = "blockSize" if "blockSize" in fields else "the default block size"
        raise InvalidValue(
            f"size {format_size(size)} is not a multiple of {because}, {format_size(block)}",
            remedy=f"write {format_size(max(1, -(-size // block)) * block)}",
            field="size",
        )
    _check_sparse(fields, size)


def _check_sparse(fields: Fields, size: Value) -> None:
    """`sparse` says whether less than the size is set aside; a stated refreservation must not say the opposite."""
    if not {"sparse", "properties.refreservation"} <= fields.keys() or not isinstance(size, int):
        return
    reserved = fields["properties.refreservation"]
    is_sparse = not isinstance(reserved, int) or reserved < size
    if is_sparse is not fields["sparse"]:
        less = "less" if is_sparse else "no less"
        cause = f"properties.refreservation sets {less} aside than the size, and sparse says otherwise"
        raise InvalidValue(cause, remedy="state one of the two", field="properties.refreservation")


def _refuse_with_origin(fields: Fields, names: dict[str, str]) -> None:
    for field, shown in names.items():
        if field in fields:
            cause = f"a clone has its origin's {shown}"
            raise InvalidValue(cause, remedy=f"remove {field}, or remove origin", field=field)


def _missed(stated: Fields, observed: Fields) -> Iterator[tuple[str, str]]:
    """The expectations that a pool does not meet, each with the reason."""
    wanted, health = stated.get("expect.health"), observed.get("health")
    if wanted is not None and health != wanted:
        yield "expect.health", f"health is {health}, expected {wanted}"
    least, size, free = stated.get("expect.minFree"), observed.get("size"), observed.get("free")
    if least is None:
        return
    if not isinstance(size, int) or not isinstance(free, int):
        yield "expect.minFree", "the pool's free space could not be read"
    elif free * 100 < parse_share(str(least)) * size:
        yield "expect.minFree", f"{free * 100 // size}% is free, expected {least} or more"


def _told(fields: Fields) -> Iterator[str]:
    used, mountpoint = fields.get("properties.used"), fields.get("properties.mountpoint")
    if isinstance(used, int):
        yield f"{approximate_size(used)} used"
    if fields.get("properties.mounted") == "yes":
        yield f"mounted at {mountpoint}"
    elif mountpoint is not None:
        yield "not mounted"


def _set_by_zone(fields: Fields) -> Mapping[str, str]:
    """While a zone manages a file system, its mountpoint and sharing are the zone's."""
    names = ("mountpoint", "sharenfs", "sharesmb") if fields.get("properties.zoned") == "on" else ()
    return {f"properties.{name}": "it belongs to the zone while zoned is on" for name in names}


POOL = Kind(
    "Pool",
    PoolSpec,
    "a ZFS pool; only observed",
    carries_mark=False,
    observed_only=True,
    check_name=check_pool_name,
    expectations=_missed,
)
DATASET = Kind(
    "Dataset",
    DatasetSpec,
    "a ZFS file system",
    contained_in=("Dataset",),
    shares_names_with=("Volume",),
    has_trash=True,
    completion=MappingProxyType({MOUNTED: True}),
    check_name=check_dataset_name,
    check_spec=_check_dataset,
    told=_told,
    set_by_others=_set_by_zone,
)
VOLUME = Kind(
    "Volume",
    VolumeSpec,
    "a ZFS volume",
    contained_in=("Dataset",),
    shares_names_with=("Dataset",),
    has_trash=True,
    check_name=_check_volume_name,
    check_spec=_check_volume,
    told=_told,
)
