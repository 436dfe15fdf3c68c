"""Memory of a guest: what vmadm moves along by itself, said in full so that it does not (smartos-vmadm.md 6)."""

from collections.abc import Mapping

from providers.tools import vmadm_native
from providers.tools.vmadm_native import Json
from providers.tools.vmadm_settings import MIB
from reconciler.model.value import Fields

_NAMES = ("ram", "max_physical_memory", "max_swap", "max_locked_memory", "tmpfs")


def told_memory(payload: Mapping[str, Json], observed: Fields, stated: Fields, *, hvm: bool) -> dict[str, int]:
    """What must stand in an update beside the memory properties that the payload holds already.

    Without it vmadm keeps the distance of swap and locked memory to physical memory, and the share of tmpfs. In a zone what is
    not stated stays as it is, but within the bounds of vmadm. A virtual machine needs the overhead that it has on top of its
    memory, so there what is not stated natively and holds its memory moves along.
    """
    there = _in_mib(observed, hvm=hvm)
    wanted = {name: value for name in _NAMES if isinstance(value := payload.get(name), int)}
    if not wanted or "max_physical_memory" not in there:
        return {}
    grown = wanted.get("ram", there.get("ram", 0)) - there.get("ram", 0)
    found = dict(wanted)
    for name, value in there.items():
        if name not in found and name != "ram":
            moves = hvm and value >= there.get("ram", 0) and f"{vmadm_native.PREFIX}{name}" not in stated
            found[name] = value + grown if moves else value
    physical = found["max_physical_memory"]
    for name in ("max_locked_memory", "tmpfs"):
        if name in found and name not in wanted:
            found[name] = min(found[name], physical)
    if "max_swap" in found and "max_swap" not in wanted:
        found["max_swap"] = max(found["max_swap"], physical)
    before = there["max_physical_memory"]
    if physical == before and "ram" not in wanted:
        return {}
    return {name: value for name, value in found.items() if name not in wanted}


def _in_mib(observed: Fields, *, hvm: bool) -> dict[str, int]:
    """The memory properties that the host shows, in MiB."""
    native = {name: observed.get(f"{vmadm_native.PREFIX}{name}") for name in _NAMES}
    found = {name: value for name, value in native.items() if isinstance(value, int)}
    fields = {"ram": "memory"} if hvm else {"max_physical_memory": "memory", "max_swap": "swap"}
    for name, field in fields.items():
        if isinstance(value := observed.get(field), int):
            found[name] = value // MIB
    return found
