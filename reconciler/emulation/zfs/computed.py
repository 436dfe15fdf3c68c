"""The properties that nobody sets: they follow from the dataset itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reconciler.emulation.zfs import space
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.properties import NO_LIMIT
from reconciler.emulation.zfs.values import Inherited, Stored


@dataclass(frozen=True, slots=True)
class Known:
    """One dataset with all that its properties follow from."""

    dataset: Dataset
    own: Mapping[str, Stored]
    above: Mapping[str, Inherited]
    """What it inherits."""
    room: int
    """How many bytes it and its children may still take."""


def _mounted(known: Known) -> str:
    return "yes" if known.dataset.mounted else "no"


def _refreservation(known: Known) -> int:
    own = known.own.get("refreservation")
    return int(own.value or 0) if own is not None else 0


def _ratio(known: Known) -> str:
    del known
    return "1.00x"


def _written(known: Known) -> str:
    return str(known.dataset.used if known.dataset.is_snapshot else known.dataset.head)


COMPUTED: Mapping[str, Callable[[Known], str | None]] = {
    "type": lambda known: known.dataset.kind,
    "name": lambda known: known.dataset.name,
    "creation": lambda known: str(known.dataset.creation),
    "createtxg": lambda known: str(known.dataset.createtxg),
    "guid": lambda known: known.dataset.guid,
    "objsetid": lambda known: str(known.dataset.id + 20),
    "used": lambda known: str(known.dataset.used),
    "available": lambda known: str(space.own_room(known.dataset, known.own, known.room)),
    "referenced": lambda known: str(known.dataset.referenced),
    "compressratio": _ratio,
    "refcompressratio": _ratio,
    "mounted": _mounted,
    "usedbysnapshots": lambda known: str(known.dataset.held),
    "usedbydataset": lambda known: str(known.dataset.head + known.dataset.kept),
    "usedbychildren": lambda known: str(known.dataset.below),
    "usedbyrefreservation": lambda known: str(space.used_by_refreservation(known.dataset, _refreservation(known))),
    "defer_destroy": lambda known: "on" if known.dataset.deferred else "off",
    "written": _written,
    "logicalused": lambda known: str(known.dataset.used),
    "logicalreferenced": lambda known: str(known.dataset.referenced),
    "filesystem_count": lambda known: NO_LIMIT,
    "snapshot_count": lambda known: NO_LIMIT,
    "keystatus": lambda known: None,
    "encryptionroot": lambda known: None,
    "receive_resume_token": lambda known: None,
}
