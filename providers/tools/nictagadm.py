"""`nictagadm` of SmartOS: argument lists, strict reading, and what it says when it fails (smartos-vmadm.md 12)."""

from collections.abc import Iterator
from dataclasses import dataclass

from providers.tools.failures import LOOKS_ANEW, said
from reconciler.model.command import RetryClass
from reconciler.model.errors import InvalidValue, ReadError
from reconciler.provider.network import parse_mac
from reconciler.provider.readers import one_of, rows

_LATER, _LOOK, _NEVER = RetryClass.LATER, RetryClass.LOOK_AGAIN, RetryClass.NEVER

COLUMNS = ("name", "mac", "link", "type")
TYPES = frozenset({"normal", "aggr", "etherstub", "overlay rule"})
ETHERSTUB = "etherstub"
_NOTHING = "-"

TABLE = (
    said("it exists already", LOOKS_ANEW, _LOOK, "already exists"),
    said("guests use it", "see which with nictagadm vms, and move their nics first", _LATER, "is in use"),
    said("it is not there any more", LOOKS_ANEW, _LOOK, "does not exist", "invalid tag"),
    said("the host has no such network card", "see dladm show-phys -m", _NEVER, "No physical nic found"),
    said("nictagadm does not take the name", "use letters, digits and _, at most 30, with a digit at the end", _NEVER,
         "nvalid name", "nvalid nic tag", "nvalid tag name", "tag name"),
)  # fmt: skip
"""In order: the first entry with a text that is found decides."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A nic tag. `link` is empty while the link is not there, `mac` where it names none."""

    name: str
    mac: str
    link: str
    type: str


def list_tags() -> tuple[str, ...]:
    """All tags, with a separator that no field holds."""
    return ("nictagadm", "list", "-p", "-d", "|")


def add_etherstub(name: str) -> tuple[str, ...]:
    """Makes an etherstub and writes it down for the next boot."""
    return ("nictagadm", "add", "-l", name)


def delete(name: str) -> tuple[str, ...]:
    """Takes a tag away, an etherstub with it; refused while a guest has a nic on it."""
    return ("nictagadm", "delete", name)


def read_tags(text: str) -> Iterator[Tag]:
    """One Tag per line; ReadError for any other shape, and for a name that comes twice."""
    seen: set[str] = set()
    for at, (name, mac, link, kind) in enumerate(rows(text, COLUMNS, separator="|"), start=1):
        if not name or not name.isprintable() or name in seen:
            raise ReadError(at, "each nic tag once, by name", name)
        seen.add(name)
        try:
            address = parse_mac(mac) if mac != _NOTHING else ""
        except InvalidValue:
            raise ReadError(at, "a MAC address or -", mac) from None
        yield Tag(name, address, link if link != _NOTHING else "", one_of(kind, TYPES, at, "type"))
