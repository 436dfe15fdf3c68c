"""Nic tags: names that `/usbkey/config` gives to physical links, aggregations and etherstubs (smartos-vmadm.md 12)."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.emulation.links.macs import mac_of
from reconciler.emulation.links.table import ETHERSTUB, link_named
from reconciler.emulation.links.usbkey import config
from reconciler.emulation.state import State

NORMAL, AGGREGATION = "normal", "aggr"


@dataclass(frozen=True, slots=True)
class Tag:
    """One nic tag."""

    name: str
    type: str
    """normal, aggr or etherstub."""
    mac: str
    """Of the physical link, as it stands in the file; empty for others."""
    link: str | None
    """The active link that it names; None while that is not there."""


def tags(state: State) -> tuple[Tag, ...]:
    """All nic tags in the file's order, etherstubs last."""
    keys = config(state)
    by_mac = {
        str(mac): str(name)
        for mac, name in state.rows("SELECT mac, name FROM link WHERE class = 'phys' AND active AND namespace = ''")
    }
    found = [_tag(state, key.removesuffix("_nic"), value, by_mac) for key, value in keys.items() if key.endswith("_nic")]
    found += [Tag(name, ETHERSTUB, "", _active(state, name)) for name in etherstub_tags(state)]
    return tuple(found)


def _tag(state: State, name: str, value: str, by_mac: dict[str, str]) -> Tag:
    mac = mac_of(value)
    if mac is None:
        return Tag(name, AGGREGATION, "", _active(state, value))
    return Tag(name, NORMAL, mac, by_mac.get(mac))


def _active(state: State, name: str) -> str | None:
    found = link_named(state, name)
    return name if found is not None and found.active else None


def etherstub_tags(state: State) -> tuple[str, ...]:
    """The nic tags that are etherstubs."""
    return tuple(name for name in config(state).get("etherstub", "").split(",") if name)


def tag_names(state: State) -> tuple[str, ...]:
    """The names of all nic tags."""
    return tuple(tag.name for tag in tags(state))


def tag_link(state: State, name: str) -> str | None:
    """The link that a nic tag names in the global zone; None when there is no such tag or its link is not there."""
    return next((tag.link for tag in tags(state) if tag.name == name), None)
