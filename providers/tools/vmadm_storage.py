"""The datasets of guests, as `zfs list` shows those of the whole host."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from providers.tools.vmadm_disks import DETACHED
from reconciler.model.errors import ReadError
from reconciler.provider.readers import number, rows, whole_lines

_COLUMNS = ("name", "usedbydataset", "usedbysnapshots", "userrefs", "origin")
LIST_STORAGE = ("zfs", "list", "-Hp", "-t", "filesystem,volume,snapshot", "-o", ",".join(_COLUMNS))
LIST_VOLUMES = ("zfs", "list", "-H", "-t", "volume", "-o", "name")

_OF_GUEST = re.compile(r"[^/@]+/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?:/.*|-disk[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes used (snapshots included), snapshots (with whether each is held) and clones made of them, by dataset; and the
    datasets that vmadm made, by the uuid of their guest."""

    used: Mapping[str, int] = field(default_factory=dict)
    snapshots: Mapping[str, tuple[tuple[str, bool], ...]] = field(default_factory=dict)
    clones: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    by_guest: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Volumes:
    """The names of all volumes of the host; `detached` are those kept aside, in their order."""

    names: frozenset[str]
    detached: tuple[str, ...]


def read_storage(text: str) -> Storage:
    """ReadError for anything but a list of datasets and snapshots."""
    used, by_guest = dict[str, int](), dict[str, list[str]]()
    snapshots, clones = dict[str, list[tuple[str, bool]]](), dict[str, list[str]]()
    for line, (name, own, of_snapshots, holds, origin) in enumerate(rows(text, _COLUMNS), start=1):
        dataset, at, _ = name.partition("@")
        if at:
            snapshots.setdefault(dataset, []).append((name, number(holds, line, "userrefs") > 0))
            continue
        used[name] = number(own, line, "usedbydataset") + number(of_snapshots, line, "usedbysnapshots")
        if match := _OF_GUEST.fullmatch(name):
            by_guest.setdefault(match[1], []).append(name)
        if origin != "-":
            clones.setdefault(origin.partition("@")[0], []).append(name)
    return Storage(
        used,
        {name: tuple(found) for name, found in snapshots.items()},
        {name: tuple(found) for name, found in clones.items()},
        {guest: tuple(sorted(found)) for guest, found in by_guest.items()},
    )


def read_volumes(text: str) -> Volumes:
    """ReadError for anything but a list of names."""
    names = whole_lines(text)
    for line, name in enumerate(names, start=1):
        if "/" not in name or not name.isprintable() or "\t" in name:
            raise ReadError(line, "the name of a volume", name)
    return Volumes(frozenset(names), tuple(sorted(name for name in names if f"/{DETACHED}/" in name)))
