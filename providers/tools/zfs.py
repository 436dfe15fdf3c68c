"""Argument lists of `zfs`."""

from collections.abc import Mapping, Sequence

from providers.tools.zfs_values import argument
from reconciler.model.value import Value

Properties = Mapping[str, Value]
"""Property name to canonical value; None is an explicit none."""


def get(properties: Sequence[str], *, types: Sequence[str] | None = None) -> tuple[str, ...]:
    """All datasets with these properties; `types` None where `-t` does not exist."""
    return (*_GET, "-r", *_types(types), *_COLUMNS, ",".join(properties))


def get_one(
    name: str, properties: Sequence[str], *, below: bool = False, types: Sequence[str] | None = None
) -> tuple[str, ...]:
    """One dataset with these properties; with `below` also its snapshots and children."""
    depth = ("-d", "1", *_types(types)) if below else ()
    return (*_GET, *depth, *_COLUMNS, ",".join(properties), name)


def get_set_here(*, types: Sequence[str] | None = None) -> tuple[str, ...]:
    """Everything that is set on any dataset itself, user properties of any name among it."""
    return (*_GET, "-r", *_types(types), "-s", "local,received", *_COLUMNS, "all")


def list_snapshots() -> tuple[str, ...]:
    """All snapshots with their count of holds."""
    return ("zfs", "list", "-H", "-t", "snapshot", "-o", "name,userrefs")


def create(name: str, properties: Properties, *, parents: bool = False) -> tuple[str, ...]:
    return ("zfs", "create", *_flag("-p", parents), *_options(properties), name)


def create_container(name: str) -> tuple[str, ...]:
    """A file system that is never mounted and holds others; no error when it is there (illumos-cli.md 1.5, `create -p`)."""
    return ("zfs", "create", "-p", "-o", "canmount=off", "-o", "mountpoint=none", name)


def create_volume(
    name: str,
    size_bytes: int,
    properties: Properties,
    *,
    block_size: int | None = None,
    sparse: bool = False,
) -> tuple[str, ...]:
    block = ("-b", str(block_size)) if block_size is not None else ()
    return ("zfs", "create", *_flag("-s", sparse), *block, *_options(properties), "-V", str(size_bytes), name)


def clone(snapshot: str, name: str, properties: Properties, *, parents: bool = False) -> tuple[str, ...]:
    return ("zfs", "clone", *_flag("-p", parents), *_options(properties), snapshot, name)


def set_properties(name: str, properties: Properties) -> tuple[str, ...]:
    return ("zfs", "set", *_pairs(properties), name)


def inherit(name: str, prop: str) -> tuple[str, ...]:
    return ("zfs", "inherit", prop, name)


def revert(name: str, prop: str) -> tuple[str, ...]:
    """As if the property had never been set on the dataset: what was received counts again, else what is inherited."""
    return ("zfs", "inherit", "-S", prop, name)


def set_text(name: str, values: Mapping[str, str]) -> tuple[str, ...]:
    """Sets properties to texts as ZFS itself has printed them."""
    return ("zfs", "set", *(f"{prop}={value}" for prop, value in sorted(values.items())), name)


def rename(old: str, new: str) -> tuple[str, ...]:
    return ("zfs", "rename", old, new)


def mount(name: str) -> tuple[str, ...]:
    return ("zfs", "mount", name)


def unmount(name: str) -> tuple[str, ...]:
    return ("zfs", "unmount", name)


def snapshot(name: str) -> tuple[str, ...]:
    """One snapshot, `dataset@name`."""
    return ("zfs", "snapshot", name)


def hold(tag: str, name: str) -> tuple[str, ...]:
    return ("zfs", "hold", tag, name)


def release(tag: str, name: str) -> tuple[str, ...]:
    return ("zfs", "release", tag, name)


def destroy(name: str) -> tuple[str, ...]:
    """One dataset or one snapshot; never what lies below it, never by force."""
    return ("zfs", "destroy", name)


_GET = ("zfs", "get", "-Hp")
_COLUMNS = ("-o", "name,property,value,source")


def _types(types: Sequence[str] | None) -> tuple[str, ...]:
    return ("-t", ",".join(types)) if types is not None else ()


def _pairs(properties: Properties) -> tuple[str, ...]:
    return tuple(f"{name}={argument(value)}" for name, value in sorted(properties.items()))


def _options(properties: Properties) -> tuple[str, ...]:
    return tuple(part for pair in _pairs(properties) for part in ("-o", pair))


def _flag(flag: str, given: bool) -> tuple[str, ...]:
    return (flag,) if given else ()
