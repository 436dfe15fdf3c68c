"""What the guests of a SmartOS host are called: the one look that all providers share (smartos-vmadm.md 3)."""

from collections import Counter
from collections.abc import Mapping

from providers.tools.json_lists import read_list
from reconciler.model.errors import ReadError
from reconciler.model.key import ObjectName

LOOKUP = ("vmadm", "lookup", "-j")
"""Exactly as every provider asks: equal commands run once."""

_HARDWARE_VIRTUALISED = frozenset({"kvm", "bhyve"})


def read_names(text: str) -> Mapping[str, ObjectName]:
    """Kind and alias by uuid; the uuid itself for a guest without an alias or with one that another has, too.

    ReadError for anything but a list of guests.
    """
    aliases: dict[str, tuple[str, str]] = {}
    for guest in read_list(text, "guests"):
        uuid = guest.get("uuid")
        if not isinstance(uuid, str) or not uuid:
            raise ReadError(0, "a guest with a uuid", str(guest)[:80])
        kind = "VirtualMachine" if guest.get("brand") in _HARDWARE_VIRTUALISED else "Zone"
        alias = guest.get("alias")
        aliases[uuid] = (kind, alias if isinstance(alias, str) and alias else uuid)
    taken = Counter(alias for _, alias in aliases.values())
    return {uuid: ObjectName(kind, alias if taken[alias] == 1 else uuid) for uuid, (kind, alias) in aliases.items()}
