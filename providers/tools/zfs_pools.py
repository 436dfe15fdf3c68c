"""Argument lists of `zpool` and readers of what it prints."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from reconciler.model.command import probe
from reconciler.model.errors import ReadError
from reconciler.provider.readers import rows

NAMES = probe("zfs.pool-names", "zfs", "list", "-H", "-d", "0", "-o", "name")
"""A fact probe that every ZFS answers: the names of all pools, one a line."""

_HUMAN = re.compile(r"(\d+(?:\.\d+)?)([KMGTPE]?)")
_UNIT: Mapping[str, int] = MappingProxyType(
    {unit: 1024**power for power, unit in enumerate(("", "K", "M", "G", "T", "P", "E"))}
)
_EXACT_COLUMNS = ("name", "size", "free", "capacity", "health", "fragmentation")


@dataclass(frozen=True, slots=True)
class PoolFigures:
    """One line of `zpool list`: sizes in bytes, shares in percent; None where it prints `-` or has no such column."""

    name: str
    size: int | None
    free: int | None
    capacity: int | None
    health: str
    fragmentation: int | None


def list_pools(*, exact: bool) -> tuple[str, ...]:
    """All pools; `exact` where `-p` and FRAG exist."""
    return ("zpool", "list", "-Hp" if exact else "-H", "-o", ",".join(_columns(exact)))


def get_features() -> tuple[str, ...]:
    """All properties of all pools, feature flags among them."""
    return ("zpool", "get", "-Hp", "-o", "name,property,value", "all")


def read_pools(text: str, *, exact: bool) -> Iterator[PoolFigures]:
    """`tank<TAB>1.98G<TAB>1.98G<TAB>0%<TAB>ONLINE`; ReadError for any other shape."""
    for line, cells in enumerate(rows(text, _columns(exact)), start=1):
        cell = dict(zip(_columns(exact), cells, strict=True))
        if not cell["name"] or not cell["health"].isupper():
            raise ReadError(line, "a pool's name and its health in capitals", "\t".join(cells))
        yield PoolFigures(
            cell["name"],
            _size(cell["size"], line, "size"),
            _size(cell["free"], line, "free"),
            _share(cell["capacity"], line, "capacity"),
            cell["health"],
            _share(cell.get("fragmentation", "-"), line, "fragmentation"),
        )


def read_features(text: str) -> Mapping[str, tuple[str, ...]]:
    """Feature flags in use (enabled or active) by pool, from `tank<TAB>feature@lz4_compress<TAB>active`."""
    found: dict[str, list[str]] = {}
    for name, prop, value in rows(text, ("name", "property", "value")):
        features = found.setdefault(name, [])
        if prop.startswith("feature@") and value in ("enabled", "active"):
            features.append(prop.removeprefix("feature@"))
    return {name: tuple(sorted(features)) for name, features in found.items()}


def _columns(exact: bool) -> tuple[str, ...]:
    return _EXACT_COLUMNS if exact else _EXACT_COLUMNS[:-1]


def _size(text: str, line: int, name: str) -> int | None:
    """Bytes; three digits are all there is where `-p` does not exist."""
    if text == "-":
        return None
    match = _HUMAN.fullmatch(text)
    if match is None:
        raise ReadError(line, f"a size for {name}", text)
    return int(Decimal(match[1]) * _UNIT[match[2]])


def _share(text: str, line: int, name: str) -> int | None:
    if text == "-":
        return None
    digits = text.removesuffix("%")
    if not (digits.isascii() and digits.isdigit()):
        raise ReadError(line, f"a percentage for {name}", text)
    return int(digits)
