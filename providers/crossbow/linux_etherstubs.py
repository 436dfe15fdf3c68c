"""Etherstubs of Linux: bridges without a foreign port, and changes of them as commands."""

from collections.abc import Iterator

from providers.crossbow.kinds import BROKEN
from providers.tools.linux_link_steps import alias, batch, keep_host_out, make_link, remove_bridge, rename_links, unmark
from providers.tools.linux_links import Link
from providers.tools.linux_marks import LinkMark, read_alias
from reconciler.model.change import NAME, Change, Verb
from reconciler.model.command import Step
from reconciler.model.key import ObjectName
from reconciler.model.observed import Observed, Removal
from reconciler.model.value import Value
from reconciler.provider.derived import derived_mac

KIND = "Etherstub"

DEFAULT_MTU = 1500
"""What Linux gives to every link of Ethernet."""

_QUIET = "stp_state 0 forward_delay 0 mcast_snooping 0"
"""It speaks no spanning tree, lets a new port through at once, and is in nobody's way with multicast."""


def observed_etherstub(link: Link, removal: Removal | None) -> Observed:
    """An etherstub."""
    mark = read_alias(link.alias)
    fields: dict[str, Value] = {"mtu": link.mtu, BROKEN: "" if link.is_up else "down"}
    stated = frozenset({"mtu"}) if link.mtu != DEFAULT_MTU else frozenset[str]()
    name = ObjectName(KIND, link.name)
    return Observed(name, fields, stated, mark.mark if mark is not None else None, identity=link.name, removal=removal)


def steps(change: Change, *, keeps_vlans_apart: bool) -> Iterator[Step]:
    """The commands of a change. `keeps_vlans_apart`: the host's bridges can, so one that we make does."""
    name = change.key.name
    match change.verb:
        case Verb.CREATE:
            yield from _create(change, keeps_vlans_apart=keeps_vlans_apart)
        case Verb.DELETE:
            yield Step(remove_bridge(name), destructive=True)
        case Verb.REPLACE:
            yield Step(remove_bridge(name), destructive=True)
            yield from _create(change, keeps_vlans_apart=keeps_vlans_apart)
        case Verb.UPDATE | Verb.ADOPT | Verb.RESTORE:
            if (renamed := change.field(NAME)) is not None:
                yield Step(rename_links({str(renamed.before): name}))
            line = f"link set dev {name} {alias(_mark(change))}{_mtu_after(change)} up"
            yield Step(keep_host_out(name, line) if change.field(BROKEN) is not None else batch(line))
        case Verb.FORGET:
            yield Step(unmark(name))
        case Verb.TRASH:
            return


def _create(change: Change, *, keeps_vlans_apart: bool) -> Iterator[Step]:
    assert change.resource is not None
    name, mark = change.key.name, _mark(change)
    settings = f"{_QUIET} vlan_filtering 1" if keeps_vlans_apart else _QUIET
    # Until somebody changes it, the MTU of a bridge follows the smallest of its ports'; setting what it has is no change.
    stated = change.resource.fields.get("mtu")
    mtu = stated if isinstance(stated, int) else DEFAULT_MTU
    making = f"link add name {name} address {mark.mac} type bridge {settings}"
    yield Step(make_link(name, mark, mark.mac, making, f"link set dev {name} {alias(mark)}"))
    yield Step(keep_host_out(name, f"link set dev {name} mtu {mtu - 1}", f"link set dev {name} mtu {mtu} up"))


def _mark(change: Change) -> LinkMark:
    """The mark, with the address that the bridge is made with: without one of its own it would take one of its ports'."""
    assert change.mark is not None
    return LinkMark(change.mark, mac=derived_mac(change.owner, change.key))


def _mtu_after(change: Change) -> str:
    entry = change.field("mtu")
    return f" mtu {entry.after if entry.after is not None else DEFAULT_MTU}" if entry is not None else ""
