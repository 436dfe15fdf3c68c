"""Provider crossbow on Linux: bridges, and ports in them, by `ip`, `tc`, `bridge` and `nft`. Nothing of it survives a boot.

A link that is not ours is never enslaved, set, renamed or removed. One that carries the host's own address, or its default
route, is not removed either.
"""

from collections.abc import Iterable, Iterator, Mapping

from providers.crossbow import linux_etherstubs, linux_vnics, nftables
from providers.crossbow.kinds import OF_CLASS
from providers.tools import linux_ports
from providers.tools.linux_filters import SHOW_FILTERS
from providers.tools.linux_kernel import FACTS, VLAN_FILTERING, Links, read_links_facts
from providers.tools.linux_limits import SHOW_LIMITS
from providers.tools.linux_link_errors import explain
from providers.tools.linux_links import PHYSICAL, SHOW_DEFAULT_ROUTES, SHOW_LINKS, Link, read_default_routes, read_links
from providers.tools.linux_marks import read_alias
from providers.tools.linux_ports import SeenPort, Style, guest_end
from providers.tools.linux_vlans import SHOW_VLANS
from reconciler.model.change import NAME, Change, FieldChange
from reconciler.model.command import Completed, Failure, Outputs, Probe, Step
from reconciler.model.errors import ReadError
from reconciler.model.facts import HostFacts
from reconciler.model.key import ObjectName
from reconciler.model.observed import REMOVAL, Observed, Removal
from reconciler.model.value import Value
from reconciler.provider.contract import Refusal, Served, Support

ETHERSTUB, VNIC, BRIDGE = linux_etherstubs.KIND, linux_vnics.KIND, OF_CLASS["bridge"].name
CONFIRM = "crossbow.confirm"

_KINDS: Mapping[str, str] = {
    PHYSICAL: OF_CLASS["phys"].name,
    **dict.fromkeys(("bond", "team"), OF_CLASS["aggr"].name),
    "vlan": OF_CLASS["vlan"].name,
    **dict.fromkeys(("vxlan", "geneve", "gretap", "ip6gretap"), OF_CLASS["overlay"].name),
}
"""Kinds that are only observed, by the type that `ip` names; which of two kinds a bridge is depends on its ports."""

_LINK_KINDS = frozenset({ETHERSTUB, VNIC, BRIDGE, *_KINDS.values()})
_OF_GUESTS = ("veth", "tun", Style.MACVLAN, "macvtap")
"""Types of links that end in a guest; a bridge with a port of any other type leads out of the host."""

Asked = Mapping[str, frozenset[str]]


class LinuxBackend:
    """Etherstubs are bridges without an uplink, VNICs are ports of the host itself."""

    def __init__(self, facts: HostFacts) -> None:
        told = facts.probed.get(FACTS.name)
        self.host = read_links_facts(told) if told is not None else Links((), False, frozenset())

    @classmethod
    def serves(cls, facts: HostFacts) -> Support:
        answer = facts.probed.get(FACTS.name)
        if answer is None or not answer.succeeded:
            return Support(Served.UNREADABLE, "the host was not asked for its links, or gave no answer", "run again")
        if missing := read_links_facts(answer).missing:
            return Support(Served.NO, f"the host has no {', '.join(missing)}", "install iproute2 and nftables on it")
        return Support(Served.YES)

    def probes(self, fields: Asked) -> tuple[Probe, ...]:
        return tuple(self._probes(fields))

    def _probes(self, fields: Asked) -> Iterator[Probe]:
        yield from nftables.probes(fields)
        if not _LINK_KINDS.isdisjoint(fields):
            yield SHOW_LINKS
        if VNIC in fields:
            yield from (SHOW_FILTERS, SHOW_LIMITS, SHOW_VLANS)
        if any(REMOVAL in fields.get(kind, ()) for kind in (ETHERSTUB, VNIC)):
            yield from SHOW_DEFAULT_ROUTES

    def read(self, outputs: Outputs, fields: Asked) -> tuple[Observed, ...]:
        return tuple(self._read(outputs, fields))

    def _read(self, outputs: Outputs, fields: Asked) -> Iterator[Observed]:
        yield from nftables.read(outputs, fields)
        if SHOW_LINKS.name not in outputs:
            return
        links = read_links(outputs[SHOW_LINKS.name].stdout)
        routes = (outputs[probe.name].stdout for probe in SHOW_DEFAULT_ROUTES if probe.name in outputs)
        default_routes = read_default_routes(*routes)
        for link in links.values():
            kind = _kind(link, links)
            if kind == ETHERSTUB and kind in fields:
                yield _etherstub(link, links, default_routes)
            elif kind and kind in fields:
                yield _looked_at(kind, link, links)
        if VNIC in fields:
            yield from _vnics(linux_ports.read_ports(outputs).values(), links, default_routes)

    def refusal(self, kind: str, field: str, value: Value) -> Refusal | None:
        if kind == nftables.KIND:
            return nftables.refusal(field, value)
        if kind == ETHERSTUB and field != "metadata.name":
            return None
        return linux_vnics.refused(field, value, self.host) if kind in (ETHERSTUB, VNIC) else None

    def acts(self, kind: str, change: FieldChange, observed: Observed) -> None:
        """Nothing here runs."""

    def pool(self, name: str) -> str:
        return ""

    def steps(self, change: Change) -> tuple[Step, ...]:
        if change.key.kind == nftables.KIND:
            return tuple(nftables.steps(change))
        if change.key.kind == VNIC:
            return tuple(linux_vnics.steps(change, self.host))
        keeps_vlans_apart = not self.host.why_not(VLAN_FILTERING)
        return tuple(linux_etherstubs.steps(change, keeps_vlans_apart=keeps_vlans_apart))

    def confirm(self, change: Change) -> Probe:
        return nftables.confirm() if change.key.kind == nftables.KIND else Probe(CONFIRM, SHOW_LINKS.command)

    def confirmed(self, change: Change, answer: Completed) -> Observed | None:
        """What the links alone tell: of a VNIC neither its limit nor its filter."""
        if change.key.kind == nftables.KIND:
            return nftables.confirmed(change, answer)
        if not answer.succeeded:
            raise ReadError(0, f"{change.key.object}, or that it does not exist", answer.stderr)
        links = read_links(answer.stdout)
        name = change.observed.name.name if change.observed is not None and change.field(NAME) is None else change.key.name
        link = links.get(name)
        if link is None:
            return None
        if change.key.kind == ETHERSTUB:
            is_there = _kind(link, links) == ETHERSTUB
            return _etherstub(link, links, frozenset()) if is_there else None
        found = next(_vnics((linux_ports.seen_link(link, links),), links, frozenset()), None)
        return linux_vnics.without_rules(found) if found is not None else None

    def explain(self, failed: Completed) -> Failure:
        return explain(failed)


def _kind(link: Link, links: Mapping[str, Link]) -> str:
    """The kind of a link that others may lie on; empty for one that no kind stands for, and for ports.

    A bridge that bears our mark is an etherstub while nothing leads out of it; one without is, while nothing at all of
    somebody else's is plugged into it.
    """
    if link.kind != "bridge":
        return _KINDS.get(link.kind, "")
    foreign = _foreign_ports(link, links)
    if read_alias(link.alias) is not None:
        foreign = [port for port in foreign if port.kind not in _OF_GUESTS]
    return BRIDGE if foreign else ETHERSTUB


def _foreign_ports(link: Link, links: Mapping[str, Link]) -> list[Link]:
    """What is plugged in and is neither ours nor a VNIC that somebody made: a veth of which the host has both ends."""
    ports = (port for port in links.values() if port.bridge == link.name and read_alias(port.alias) is None)
    return [port for port in ports if port.kind != "veth" or port.lower not in links]


def _looked_at(kind: str, link: Link, links: Mapping[str, Link]) -> Observed:
    """A link that nobody manages, with those below it: of a bridge or an aggregation its ports."""
    ports = tuple(port.name for port in links.values() if port.bridge == link.name)
    over = ports or ((link.lower,) if link.lower else ())
    fields: dict[str, Value] = {"mtu": link.mtu, "state": _STATES.get(link.state, "unknown"), "over": over}
    return Observed(ObjectName(kind, link.name), fields, identity=link.name)


_STATES = {"up": "up", "down": "down", "lowerlayerdown": "down", "notpresent": "down", "dormant": "down"}


def _etherstub(link: Link, links: Mapping[str, Link], default_routes: frozenset[str]) -> Observed:
    obstacles = [_needed(link, default_routes)]
    if foreign := _foreign_ports(link, links):
        obstacles.append(f"links of others are plugged into it: {', '.join(port.name for port in foreign)}")
    return linux_etherstubs.observed_etherstub(link, _removal(obstacles))


def _vnics(ports: Iterable[SeenPort], links: Mapping[str, Link], default_routes: frozenset[str]) -> Iterator[Observed]:
    """VNICs; and, so that no VNIC takes its name, the port of each guest's nic."""
    for seen in ports:
        if linux_vnics.is_vnic(seen):
            over = links.get(seen.over)
            ends = (end for name in (seen.name, guest_end(seen.name)) if (end := links.get(name)) is not None)
            removal = _removal(_needed(end, default_routes) for end in ends)
            yield linux_vnics.observed_vnic(seen, _kind(over, links) if over is not None else "", removal)
        elif seen.of is not None and seen.of.nic:
            name = ObjectName(VNIC, seen.name)
            yield Observed(name, {}, mark=None, identity=seen.name, belongs_to=str(seen.of.mark.name))


def _needed(link: Link, default_routes: frozenset[str]) -> str:
    """Why the host itself needs a link, in words; empty where it does not."""
    if link.addresses:
        return f"the host has the address {', '.join(link.addresses)} on {link.name}"
    return f"the host's default route leaves by {link.name}" if link.name in default_routes else ""


def _removal(obstacles: Iterable[str]) -> Removal:
    return Removal(0, obstacles=tuple(obstacle for obstacle in obstacles if obstacle), holds_data=False)
