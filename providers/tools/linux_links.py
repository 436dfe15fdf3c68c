"""Links of a Linux host as `ip -d -j addr show` prints them: all of them, with their aliases, addresses and what lies below."""

from collections.abc import Mapping
from dataclasses import dataclass

from providers.tools.linux_json import Object, objects
from reconciler.model.command import probe
from reconciler.model.errors import ReadError

SHOW_LINKS = probe("linux.links", "ip", "-d", "-j", "addr", "show")

PHYSICAL = "physical"
"""The kind of a link that no software made: `ip` names none for it."""


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the host's own namespace.

    `kind` is what `ip` calls its type (`bridge`, `veth`, `tun`, `macvlan`, ...), PHYSICAL for a network card, `loopback`.
    `bridge` is the bridge that it is a port of and `lower` the link that it lies on or, for a veth, its other end; empty
    where there is none, or where that is in another namespace (`lower_is_elsewhere`). `addresses` are those that somebody
    gave the host on it, with their prefix; link-local ones come by themselves and don't count. `settings` are those of its
    type, as `ip` names them.
    """

    name: str
    kind: str
    mac: str
    mtu: int
    is_up: bool
    state: str
    bridge: str
    lower: str
    lower_is_elsewhere: bool
    alias: str
    addresses: tuple[str, ...]
    settings: Mapping[str, object]


def read_links(text: str) -> Mapping[str, Link]:
    """The links by name; ReadError for any other shape, and for none at all: a host has at least `lo`."""
    found = {link.name: link for link in map(_link, objects(text))}
    if not found:
        raise ReadError(1, "the links of the host", text)
    return found


def _link(entry: Object) -> Link:
    info = entry.below("linkinfo")
    elsewhere = entry.has("link_index") or entry.has("link_netnsid")
    return Link(
        entry.text("ifname"),
        _kind(entry, info),
        entry.text("address", ""),
        entry.number("mtu"),
        "UP" in entry.texts("flags"),
        entry.text("operstate", "unknown").lower(),
        entry.text("master", ""),
        entry.text("link", ""),
        elsewhere,
        entry.text("ifalias", ""),
        tuple(_address(address) for address in entry.list("addr_info") if address.text("scope", "global") != "link"),
        info.below("info_data").raw,
    )


def _kind(entry: Object, info: Object) -> str:
    if kind := info.text("info_kind", ""):
        return kind
    match entry.text("link_type", ""):
        case "loopback":
            return "loopback"
        case "ether":
            return PHYSICAL
        case other:
            return other


def _address(entry: Object) -> str:
    return f"{entry.text('local')}/{entry.number('prefixlen')}"


SHOW_DEFAULT_ROUTES = (
    probe("linux.default-routes", "ip", "-j", "route", "show", "default"),
    probe("linux.default-routes6", "ip", "-j", "-6", "route", "show", "default"),
)


def read_default_routes(*texts: str) -> frozenset[str]:
    """The links that a default route of the host leaves by; ReadError for any other shape."""
    found: set[str] = set()
    for text in texts:
        for route in objects(text):
            hops = route.list("nexthops") if route.has("nexthops") else (route,)
            found |= {hop.text("dev") for hop in hops if hop.has("dev")}
    return frozenset(found)
