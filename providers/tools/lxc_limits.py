"""Limits of a container, as fields of ours and as control groups have them, in either version.

cpuShares are on the scale where 100 is what a container has when nobody says otherwise: 1024 cpu.shares, or a cpu.weight of
100.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconciler.model.errors import InvalidValue
from reconciler.model.quantity import format_size
from reconciler.model.value import Fields, Value

LIMITS = ("memory", "swap", "cpuCap", "cpuShares", "maxTasks")
"""The fields, in the order in which they are written: swap includes memory."""

PAGE = 4096
_PERIOD = 100_000
_PER_CENT = _PERIOD // 100
_UNLIMITED = 1 << 60
"""Version 1 says no limit by the largest number of whole pages."""

_USUAL = 100
_SHARES, _LEAST_SHARES, _MOST_SHARES, _MOST_WEIGHT = 1024, 2, 262_144, 10_000

_PERIOD_V1, _QUOTA_V1 = "cpu.cfs_period_us", "cpu.cfs_quota_us"
_MEMORY_V1, _SWAP_V1 = "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"


@dataclass(frozen=True, slots=True)
class Cgroups:
    """How the host limits its containers: `version` 1 or 2; `counts_swap` is false where it can't limit memory and swap."""

    version: int = 1
    counts_swap: bool = True

    @property
    def prefix(self) -> str:
        """What the keys of a config file begin with; those of the other version LXC passes over without a word."""
        return "lxc.cgroup." if self.version == 1 else "lxc.cgroup2."

    def check(self, field: str, value: Value) -> None:
        """InvalidValue for a limit that this host can't hold."""
        if field == "swap" and not self.counts_swap:
            raise InvalidValue(
                "the kernel of this host does not limit memory and swap together (no memory.memsw.limit_in_bytes)",
                remedy="remove swap, or boot the host with swapaccount=1",
            )
        if field in ("memory", "swap") and isinstance(value, int) and value % PAGE:
            below = value // PAGE * PAGE
            raise InvalidValue(
                f"memory is counted in pages of {PAGE} bytes, and {value} bytes are no whole number of them",
                remedy=f"write {' or '.join(format_size(size) for size in (below, below + PAGE) if size)}",
            )
        most = _MOST_SHARES * _USUAL // _SHARES if self.version == 1 else _MOST_WEIGHT
        if field == "cpuShares" and isinstance(value, int) and value > most:
            raise InvalidValue(f"this host has no more than {most} shares", remedy=f"write {most} or less; 100 is usual")

    def told(self, fields: Fields) -> tuple[tuple[str, str], ...]:
        """The files of the control group, each with what it must hold for these limits; None is no limit.

        In the order in which a config file must name them. Where swap is among them memory must be, too.
        """
        return tuple(self._told_v1(fields) if self.version == 1 else self._told_v2(fields))

    def _told_v1(self, fields: Fields) -> Iterator[tuple[str, str]]:
        for field, file in (("memory", _MEMORY_V1), ("swap", _SWAP_V1)):
            if field in fields:
                yield file, str(fields[field]) if isinstance(fields[field], int) else "-1"
        if "cpuCap" in fields:
            cap = fields["cpuCap"]
            yield _PERIOD_V1, str(_PERIOD)
            yield _QUOTA_V1, str(cap * _PER_CENT) if isinstance(cap, int) else "-1"
        if isinstance(shares := fields.get("cpuShares"), int):
            yield "cpu.shares", str(max(_LEAST_SHARES, shares * _SHARES // _USUAL))
        if isinstance(tasks := fields.get("maxTasks"), int):
            yield "pids.max", str(tasks)

    def _told_v2(self, fields: Fields) -> Iterator[tuple[str, str]]:
        memory, swap = fields.get("memory"), fields.get("swap")
        if "memory" in fields:
            yield "memory.max", str(memory) if isinstance(memory, int) else "max"
        if "swap" in fields:
            more = swap - memory if isinstance(swap, int) and isinstance(memory, int) else "max"
            yield "memory.swap.max", str(more)
        if "cpuCap" in fields:
            cap = fields["cpuCap"]
            yield "cpu.max", f"{cap * _PER_CENT} {_PERIOD}" if isinstance(cap, int) else f"max {_PERIOD}"
        if isinstance(shares := fields.get("cpuShares"), int):
            yield "cpu.weight", str(shares)
        if isinstance(tasks := fields.get("maxTasks"), int):
            yield "pids.max", str(tasks)

    def read(self, files: Mapping[str, str]) -> dict[str, Value]:
        """The limits in a control group, or in the config file of a container; None for one that is not there."""
        return self._read_v1(files) if self.version == 1 else self._read_v2(files)

    def _read_v1(self, files: Mapping[str, str]) -> dict[str, Value]:
        quota, period = _number(files.get(_QUOTA_V1)), _number(files.get(_PERIOD_V1)) or _PERIOD
        shares = _number(files.get("cpu.shares"))
        return {
            "memory": _size(files.get(_MEMORY_V1)),
            "swap": _size(files.get(_SWAP_V1)),
            "cpuCap": round(quota * 100 / period) if quota is not None and quota > 0 else None,
            "cpuShares": round(shares * _USUAL / _SHARES) if shares is not None else None,
            "maxTasks": _number(files.get("pids.max")),
        }

    def _read_v2(self, files: Mapping[str, str]) -> dict[str, Value]:
        memory, more = _size(files.get("memory.max")), _size(files.get("memory.swap.max"))
        quota, _, period = (files.get("cpu.max") or "").partition(" ")
        microseconds = _number(quota)
        return {
            "memory": memory,
            "swap": memory + more if memory is not None and more is not None else None,
            "cpuCap": round(microseconds * 100 / (_number(period) or _PERIOD)) if microseconds is not None else None,
            "cpuShares": _number(files.get("cpu.weight")),
            "maxTasks": _number(files.get("pids.max")),
        }

    def usual(self) -> Fields:
        """The limits that a container has where its config names none."""
        return {"memory": None, "swap": None, "cpuCap": None, "cpuShares": _USUAL, "maxTasks": None}


_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def _number(text: str | None) -> int | None:
    try:
        return int(text) if text else None
    except ValueError:
        return None


def _size(text: str | None) -> int | None:
    """Bytes; a config file may have units, and 50% of the memory says nothing that we can compare."""
    unit = _UNITS.get(text[-1:].upper()) if text else None
    found = _number(text[:-1] if text and unit else text)
    if found is None or found < 0:
        return None
    size = found * (unit or 1)
    return size if size < _UNLIMITED else None
