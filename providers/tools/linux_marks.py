"""Our mark in the alias of a Linux link: `reconciler:OWNER:KIND/NAME` or `reconciler:OWNER:KIND/GUEST:NIC`, then words.

An alias takes 255 bytes. `#` may not stand in one: `ip -batch` takes it for the beginning of a comment, even in quotes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reconciler.model.errors import InvalidValue
from reconciler.model.key import ObjectName, parse_object_name
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.observed import Mark

PREFIX = "reconciler:"
UNNAMED = "Unknown"
"""The kind of a mark whose key can't be read: somebody's, and certainly not the link's own."""

LONGEST = 255
_MAC, _OVER, _MTU, _ALLOW, _HOST, _PROTECT, _ON_REMOVAL = "mac", "over", "mtu", "allow", "host", "protect", "on-removal"
_PROTECTIONS: Mapping[str, Protect] = MappingProxyType({known.value: known for known in Protect})
_REMOVALS: Mapping[str, OnRemoval] = MappingProxyType({known.value: known for known in OnRemoval})


@dataclass(frozen=True, slots=True)
class LinkMark:
    """What an alias of ours says. `nic` is empty for a link that is an object by itself.

    `mac` and `mtu` are those of the guest's end (0 where nobody states it), `over` is what it is plugged into, `allow` what it
    may forge (`linux_filters`): that end may be in a namespace where nobody looks, it can be unplugged, a filter can be lost.
    """

    mark: Mark
    nic: str = ""
    mac: str = ""
    over: str = ""
    mtu: int = 0
    allow: frozenset[str] = frozenset()

    @property
    def head(self) -> str:
        """What tells whose the link is."""
        nic = f":{self.nic}" if self.nic else ""
        return f"{PREFIX}{self.mark.owner}:{self.mark.name}{nic}"

    def __str__(self) -> str:
        """The alias; of a guest's nic without what its guest's own mark says. What has no room is left out."""
        words = {_MAC: self.mac, _OVER: self.over, _MTU: str(self.mtu or ""), _ALLOW: ",".join(sorted(self.allow))}
        if not self.nic:
            words[_PROTECT] = self.mark.protect.value if self.mark.protect is not Protect.NONE else ""
            words[_ON_REMOVAL] = self.mark.on_removal.value if self.mark.on_removal is not None else ""
            words[_HOST] = self.mark.host_id
        text = self.head
        for word in (f"{name}={value}" for name, value in words.items() if value):
            text = f"{text} {word}" if len(text) + 1 + len(word) <= LONGEST else text
        return text


def read_alias(text: str) -> LinkMark | None:
    """The mark in an alias, None for one that is not ours. Unknown words protect, or say nothing."""
    head, *words = text.split(" ")
    if not head.startswith(PREFIX):
        return None
    owner, _, rest = head.removeprefix(PREFIX).partition(":")
    key, _, nic = rest.partition(":")
    said = dict(word.split("=", 1) for word in words if "=" in word)
    mark = Mark(
        owner,
        _name(key),
        said.get(_HOST, ""),
        _PROTECTIONS.get(said.get(_PROTECT, Protect.NONE), Protect.ALL),
        _REMOVALS.get(said.get(_ON_REMOVAL, "")),
    )
    mtu, allow = said.get(_MTU, ""), said.get(_ALLOW, "")
    return LinkMark(
        mark,
        nic,
        said.get(_MAC, ""),
        said.get(_OVER, ""),
        int(mtu) if mtu.isascii() and mtu.isdigit() else 0,
        frozenset(allow.split(",")) if allow else frozenset(),
    )


def _name(text: str) -> ObjectName:
    try:
        return parse_object_name(text)
    except InvalidValue:
        return ObjectName(UNNAMED, text)
