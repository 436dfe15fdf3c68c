"""What a guest's memory properties follow from: defaults, clamps and what moves along (smartos-vmadm.md 5, 6)."""

from collections.abc import Mapping

from reconciler.emulation.guests.brands import BRANDS
from reconciler.emulation.guests.rows import Json

DEFAULT = 256
SMALLEST_SWAP = 256
_LEAST_OVERHEAD = 256


def first_values(brand_name: str, wanted: Mapping[str, int | None]) -> Json:
    """All memory properties of a new guest, in MiB."""
    brand = BRANDS[brand_name]
    given = {name: value for name, value in wanted.items() if value is not None}
    found: Json = {}
    if brand.hvm:
        found["ram"] = given.get("ram", DEFAULT)
        physical = given.get("max_physical_memory", found["ram"] + brand.memory_overhead)
    else:
        physical = given.get("max_physical_memory", given.get("ram", DEFAULT))
        found["tmpfs"] = given.get("tmpfs", physical)
    found["max_physical_memory"] = physical
    found["max_locked_memory"] = given.get("max_locked_memory", physical)
    found["max_swap"] = given.get("max_swap", physical)
    found["max_shm_memory"] = given.get("max_shm_memory", physical)
    return clamped(found)


def changed_values(brand_name: str, wanted: Mapping[str, int | None], stored: Json) -> Json:
    """The memory properties that an update leaves a guest with, in MiB.

    What is not wanted keeps its distance to physical memory, tmpfs its share of it.
    """
    given = {name: value for name, value in wanted.items() if value is not None}
    hvm = BRANDS[brand_name].hvm
    before = stored["max_physical_memory"]
    if hvm and "ram" in given:
        given.setdefault("max_physical_memory", given["ram"] + before - stored["ram"])
    elif "ram" in given:
        given.setdefault("max_physical_memory", given.pop("ram"))
    given = {name: value for name, value in given.items() if name in stored}
    physical = given.get("max_physical_memory", before)
    if physical != before:
        for name in ("max_swap", "max_locked_memory"):
            given.setdefault(name, max(0, physical + stored[name] - before))
        if not hvm and before:
            given.setdefault("tmpfs", stored["tmpfs"] * physical // before)
    names = ("ram", "max_physical_memory", "max_locked_memory", "max_swap", "tmpfs", "max_shm_memory")
    return clamped({name: given.get(name, stored[name]) for name in names if name in stored})


def clamped(values: Json) -> Json:
    """The same values, those that are out of bounds moved to the bound."""
    found = dict(values)
    if "ram" in found:
        found["max_physical_memory"] = max(found["max_physical_memory"], found["ram"] + _LEAST_OVERHEAD)
    physical = found["max_physical_memory"]
    found["max_locked_memory"] = min(found["max_locked_memory"], physical)
    found["max_swap"] = max(found["max_swap"], physical, SMALLEST_SWAP)
    if "tmpfs" in found:
        found["tmpfs"] = min(found["tmpfs"], physical)
    return found
