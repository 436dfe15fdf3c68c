"""VNICs of Linux: ports of the host itself, and changes of them as commands."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from providers.crossbow.kinds import BROKEN
from providers.tools import linux_filters, linux_ports
from providers.tools.linux_kernel import EGRESS, VLAN_FILTERING, Links
from providers.tools.linux_link_steps import rename_links, set_if_there, unmark
from providers.tools.linux_marks import LinkMark
from providers.tools.linux_ports import FORGERY_FIELDS, Port, SeenPort, Style
from reconciler.model.change import MARK, NAME, ON_REMOVAL, PROTECT, Change, Verb
from reconciler.model.command import Step
from reconciler.model.errors import ReconcilerError
from reconciler.model.key import ObjectName, parse_object_name
from reconciler.model.observed import Observed, Removal
from reconciler.model.value import Fields, Value
from reconciler.provider.contract import Refusal
from reconciler.provider.derived import derived_mac

KIND = "VNIC"
IPS = "allow.ips"
DEFAULT_MTU = 1500
"""What Linux gives to every link of Ethernet."""

_NO_BRIDGES = ("PhysicalLink", "Aggregation", "Vlan", "Overlay")
_PARTS: Mapping[str, tuple[str, ...]] = {
    "mtu": (linux_ports.MTU,),
    "maxBandwidth": (linux_ports.MAX_BANDWIDTH,),
    IPS: (linux_ports.FILTER,),
    **dict.fromkeys(FORGERY_FIELDS, (linux_ports.FILTER, linux_ports.MARK)),
    **dict.fromkeys((MARK, NAME, PROTECT, ON_REMOVAL), (linux_ports.MARK,)),
}
"""What of a port differs when a field changes."""


def is_vnic(seen: SeenPort) -> bool:
    """Whether a link is a VNIC: by its mark, else by its shape; a guest's port never is."""
    if seen.of is not None:
        return seen.of.mark.name.kind == KIND and not seen.of.nic and seen.style in (Style.VETH, Style.MACVLAN)
    return seen.style == Style.MACVLAN or (seen.style == Style.VETH and bool(seen.over) and seen.guest_end_here)


def observed_vnic(seen: SeenPort, over_kind: str, removal: Removal | None) -> Observed:
    """A VNIC as its manifest would state it. Where the link was changed by hand, our mark holds: it is broken."""
    mark = seen.of
    over = seen.over or (mark.over if mark is not None else "")
    allow = seen.allow if mark is not None else linux_filters.FORGERIES
    ips = seen.filter.ips if seen.filter is not None else ()
    fields: dict[str, Value] = {
        "over": over or None,
        "mac": _mac(seen),
        "vlan": seen.vlan,
        "mtu": seen.mtu,
        "maxBandwidth": seen.max_bandwidth,
        **{field: word in allow for field, word in FORGERY_FIELDS.items()},
        IPS: ips,
        BROKEN: ", ".join(_broken(seen)),
    }
    defaults: Fields = {"vlan": None, "mtu": DEFAULT_MTU, "maxBandwidth": None, IPS: (), BROKEN: fields[BROKEN]}
    stated = frozenset(name for name, value in fields.items() if name not in defaults or value != defaults[name])
    return Observed(
        ObjectName(KIND, seen.name),
        fields,
        stated,
        mark.mark if mark is not None else None,
        identity=seen.name,
        references=(ObjectName(over_kind, over),) if over_kind else (),
        removal=removal,
    )


def without_rules(observed: Observed) -> Observed:
    """What can be told of a VNIC by one who has only seen the links."""
    unread = ("vlan", "maxBandwidth", IPS, BROKEN)
    return replace(observed, fields={name: value for name, value in observed.fields.items() if name not in unread})


def _mac(seen: SeenPort) -> str:
    return seen.of.mac if seen.of is not None and seen.of.mac else seen.mac


def _broken(seen: SeenPort) -> Iterator[str]:
    """What of a VNIC of ours does not stand as we made it."""
    if seen.of is None:
        return
    if not seen.is_up:
        yield "down"
    if not seen.over:
        yield "unplugged"
    if seen.mac != _mac(seen):
        yield "mac"
    if seen.is_limited is not (seen.max_bandwidth is not None):
        yield "limit"
    hands_to = linux_ports.ifb(seen.name) if seen.max_bandwidth is not None else ""
    ips = seen.filter.ips if seen.filter is not None else ()
    if not linux_ports.stands(linux_filters.Filter(_mac(seen), seen.allow, ips, hands_to), seen):
        yield "filter"


def refused(field: str, value: Value, host: Links) -> Refusal | None:
    """What a Linux host can't hold."""
    match field, value:
        case "metadata.name", str(name) if len(name.encode()) > linux_ports.LONGEST_NAME:
            return name_refusal(name)
        case "priority", str():
            return Refusal("Linux weighs no links against each other", "remove priority for this host")
        case "maxBandwidth", int(bits) if bits % 8:
            return Refusal("tc holds a limit in whole bytes a second", "state maxBandwidth in whole Kbps")
        case "vlan", 1:
            return Refusal("VLAN 1 is what a bridge of Linux gives to ports without one", "state vlan: 0, or another id")
        case "vlan", int() if why := host.why_not(VLAN_FILTERING):
            return Refusal(f"a bridge here can't keep VLANs apart: {why}", "use an etherstub for each VLAN, or another kernel")
        case "allow.ips", tuple(ips) if len(ips) > linux_filters.MOST_ADDRESSES:
            most = linux_filters.MOST_ADDRESSES
            return Refusal(f"a port's filter holds {most} addresses, and {len(ips)} are stated", "state networks instead")
        case _:
            return None


def name_refusal(name: str) -> Refusal:
    most = linux_ports.LONGEST_NAME
    cause = f"{name} is too long for a link of Linux whose parts are named after it: {len(name.encode())} bytes"
    return Refusal(cause, f"use at most {most}")


def steps(change: Change, host: Links) -> Iterator[Step]:
    """The commands of a change. ReconcilerError for a VNIC that the host can't keep from forging."""
    name = change.key.name
    match change.verb:
        case Verb.CREATE:
            yield from _make(_wanted(change, {}, host))
        case Verb.DELETE:
            yield from _unmake(name)
        case Verb.REPLACE:
            yield from _unmake(name)
            yield from _make(_wanted(change, _kept(change.observed), host))
        case Verb.UPDATE | Verb.ADOPT | Verb.RESTORE:
            assert change.observed is not None
            yield from _update(change, _wanted(change, change.observed.fields, host))
        case Verb.FORGET:
            yield Step(unmark(name))
        case Verb.TRASH:
            return


def _make(port: Port) -> Iterator[Step]:
    yield from map(Step, linux_ports.make(port))


def _unmake(name: str) -> Iterator[Step]:
    for command in linux_ports.unmake(name):
        yield Step(command, destructive=True)


def _kept(observed: Observed | None) -> Fields:
    """What is not stated and was there before a replacement stays as it was."""
    if observed is None:
        return {}
    names = observed.stated_here | {"mac"}
    return {name: value for name, value in observed.fields.items() if name in names and value is not None}


def _wanted(change: Change, there: Fields, host: Links) -> Port:
    """The port as it must be then: what is there, what is stated, and what changes."""
    assert change.resource is not None
    assert change.mark is not None
    stated = change.resource.fields if change.verb in (Verb.CREATE, Verb.REPLACE) else {}
    fields = {**there, **stated, **{field.name: field.after for field in change.fields}}
    mac = str(fields.get("mac") or derived_mac(change.owner, change.key))
    over = str(fields.get("over"))
    style = Style.VETH
    if any(ObjectName(kind, over) in change.identities for kind in _NO_BRIDGES):
        style = Style.MACVLAN
        _check_macvlan(fields, host)
    return linux_ports.port_of_nic(change.key.name, LinkMark(change.mark), style, {**fields, "over": over, "mac": mac})


def _check_macvlan(fields: Fields, host: Links) -> None:
    remedy = "put the VNIC over a bridge with that link in it"
    if why := host.why_not(EGRESS):
        raise ReconcilerError(f"nothing keeps a VNIC over a link that is no bridge from forging here: {why}", remedy=remedy)
    if fields.get("vlan"):
        raise ReconcilerError("a VNIC over a link that is no bridge has no VLAN of its own on Linux", remedy=remedy)


def _update(change: Change, port: Port) -> Iterator[Step]:
    if (moved := change.field(NAME) or change.field(MARK)) is not None:
        yield from _rename(moved.before, port, is_marked_only=change.field(NAME) is None)
    if change.field(BROKEN) is not None:
        yield from _make(port)
        if port.style is Style.VETH:
            yield Step(set_if_there(linux_ports.guest_end(port.name), "address", port.mac))
    if change.field("mtu") is not None and port.mtu is None:
        port = replace(port, mtu=DEFAULT_MTU)
    parts = {part for field in change.fields for part in _PARTS.get(field.name, ())}
    if change.verb is Verb.ADOPT:
        parts.add(linux_ports.MARK)
    for command in linux_ports.alter(port, parts, guest_end_here=True):
        yield Step(command)


def _rename(before: Value, port: Port, *, is_marked_only: bool) -> Iterator[Step]:
    """Its parts first and the port after them: while it has its old name, the next pass sees that it must be renamed."""
    old, new = (parse_object_name(str(before)).name if is_marked_only else str(before)), port.name
    parts = {linux_ports.ifb(old): linux_ports.ifb(new), old: new}
    if port.style is Style.VETH:
        parts = {linux_ports.guest_end(old): linux_ports.guest_end(new), **parts}
    yield Step(rename_links(parts))
    lines = (*linux_filters.stand(new, port.filter, port.alias.head), *linux_filters.fall(old))
    yield Step(linux_filters.transaction(lines))
