"""What may be sent through a port: chain `sent/PORT` of table `netdev reconciler`, on the ingress of the host's end.

Each rule drops, counts, and is called by its comment:

| comment | drops |
|---|---|
| mac | another sender than the port's own address, also one that is only told in ARP |
| ip | another sender than its addresses, in IPv4, IPv6 and ARP; not where nobody knows them (see `Filter`) |
| dhcp | answers of a DHCP or DHCPv6 server, and router advertisements |
| other | what is neither IPv4, IPv6 nor ARP, and frames that carry a VLAN tag of their own |

The last rule hands what is left to the port's ifb, where there is a limit. It stands here and not in tc: what tc redirects on
ingress never comes to nft.

A chain is always replaced whole, in one transaction: there is no moment without the old one or the new one. Each ends in
chain `in-use`, which holds nothing: while one does, that can't be deleted, nor the table with it.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from providers.tools.linux_json import Object
from reconciler.model.command import Command, probe
from reconciler.model.errors import ReadError
from reconciler.provider.readers import whole_json

FAMILY, NAME = "netdev", "reconciler"
TABLE = f"{FAMILY} {NAME}"
"""One for all ports: nft takes a time to list tables that grows with the square of their number."""

_SENT, _RECEIVED, _IN_USE = "sent/", "received/", "in-use"
"""What chains of a port are called before its name; and the chain that keeps the table."""

SHOW_FILTERS = probe("linux.filters", "nft", "-j", "list", "ruleset", "netdev")

MAC, IP, DHCP, OTHER = "mac", "ip", "dhcp", "other"
FORGERIES = frozenset({MAC, IP, DHCP, OTHER})
"""What a port may be allowed to forge; all of it is forbidden unless allowed."""

BY_DHCP, BY_ROUTERS = "dhcp", "addrconf"
"""Words among a nic's addresses: somebody on the wire gives them, so nobody knows them beforehand."""

MOST_ADDRESSES = 32
"""Addresses and networks of one family that a rule holds: it is one expression for each, and nft takes 128 in a rule."""

_ANY4, _ANY6, _LINK_LOCAL = str(ipaddress.IPv4Address(0)), str(ipaddress.IPv6Address(0)), "fe80::/10"
"""Senders without an address yet, and those that every link with IPv6 has."""

_LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Match:
    """A packet's field, how it is compared, and the values that nft tells of it."""

    left: str
    operator: str
    values: frozenset[str]

    def __str__(self) -> str:
        right = ", ".join(sorted(self.values))
        operator = "" if self.operator == "==" else f"{self.operator} "
        return f"{self.left} {operator}{{ {right} }}" if len(self.values) > 1 else f"{self.left} {operator}{right}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a port's filter: it counts and drops what all of its matches hold for, or hands everything to a link.

    One that does not drop only keeps in mind which addresses the port was given, while it may use any.
    """

    comment: str
    matches: tuple[Match, ...]
    hands_to: str = ""
    drops: bool = True

    def __str__(self) -> str:
        what = f'fwd to "{self.hands_to}"' if self.hands_to else "counter drop" if self.drops else "counter"
        return " ".join((*map(str, self.matches), what, f'comment "{self.comment}"'))


@dataclass(frozen=True, slots=True)
class Filter:
    """What a port's filter holds: its address, what it may forge, the addresses it may use, and the ifb of its limit.

    `ips` are addresses and networks in canonical form (`parse_network`), BY_DHCP and BY_ROUTERS. Without any of them nobody
    knows what it uses; with BY_DHCP nobody knows that of IPv4, with BY_ROUTERS of IPv6. What nobody knows is not filtered.

    `of_guest`: the port is the host's end of a guest's link, so that what the guest sends comes in there. Else it is a link
    that the host itself sends by: then what it sends goes out there, and what it receives comes in and is handed to the ifb.
    """

    mac: str
    allow: frozenset[str] = frozenset()
    ips: tuple[str, ...] = ()
    hands_to: str = ""
    of_guest: bool = True

    def chain(self, rule: Rule) -> str:
        """What the chain that a rule stands in is called before the port's name."""
        return _SENT if self.of_guest or not rule.hands_to else _RECEIVED

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(self._rules())

    def _rules(self) -> Iterator[Rule]:
        if MAC not in self.allow:
            yield Rule(MAC, (_not("ether saddr", self.mac),))
            yield Rule(MAC, (_not("arp saddr ether", self.mac),))
        if self.ips:
            drops = IP not in self.allow
            networks = {_told(ip) for ip in self.ips if ip not in (BY_DHCP, BY_ROUTERS)}
            four = sorted(ip for ip in networks if ":" not in ip)
            six = sorted(ip for ip in networks if ":" in ip)
            if BY_DHCP not in self.ips:
                yield Rule(IP, tuple(_not("arp saddr ip", ip) for ip in (_ANY4, *four)), drops=drops)
                yield Rule(IP, tuple(_not("ip saddr", ip) for ip in (_ANY4, *four)), drops=drops)
            if BY_ROUTERS not in self.ips:
                yield Rule(IP, tuple(_not("ip6 saddr", ip) for ip in (_ANY6, _LINK_LOCAL, *six)), drops=drops)
        if DHCP not in self.allow:
            yield Rule(DHCP, (_is("meta protocol", "ip"), _is("udp sport", "67")))
            yield Rule(DHCP, (_is("meta protocol", "ip6"), _is("udp sport", "547")))
            yield Rule(DHCP, (_is("icmpv6 type", "nd-router-advert"),))
        if OTHER not in self.allow:
            yield Rule(OTHER, (Match("meta protocol", "!=", frozenset({"arp", "ip", "ip6"})),))
            yield Rule(OTHER, (_is("vlan id", "0-4095"),))
        if self.hands_to:
            yield Rule(_LIMIT, (), self.hands_to, drops=False)


def _not(left: str, value: str) -> Match:
    return Match(left, "!=", frozenset({value}))


def _is(left: str, value: str) -> Match:
    return Match(left, "==", frozenset({value}))


def _told(network: str) -> str:
    """A network as nft prints it: one address alone without its prefix."""
    parsed = ipaddress.ip_network(network)
    return str(parsed.network_address) if parsed.num_addresses == 1 else str(parsed)


def stand(port: str, wanted: Filter, comment: str) -> tuple[str, ...]:
    """The lines of a transaction that leave the port with exactly this filter, whatever there was."""
    words = f'device "{port}" priority 0; policy accept; comment "{comment[:_LONGEST_COMMENT]}";'
    chains = {_SENT: "ingress"} if wanted.of_guest else {_SENT: "egress", _RECEIVED: "ingress"}
    return (
        *fall(port),
        *(f"add chain {TABLE} {chain}{port} {{ type filter hook {hook} {words} }}" for chain, hook in chains.items()),
        *(f"add rule {TABLE} {wanted.chain(rule)}{port} {rule}" for rule in wanted.rules),
        f"add rule {TABLE} {_SENT}{port} goto {_IN_USE}",
    )


def fall(port: str) -> tuple[str, ...]:
    """The lines of a transaction that leave the port without a filter. Then `tidy` finds the table whole."""
    names = (f"{TABLE} {chain}{port}" for chain in (_SENT, _RECEIVED))
    return (
        f"add table {TABLE}",
        f"add chain {TABLE} {_IN_USE}",
        *(f"{what} chain {name}" for name in names for what in ("add", "flush", "delete")),
    )


def tidy() -> Command:
    """Deletes the table unless a port is still in it: the kernel does both or refuses both."""
    return Command(("sh", "-c", _TIDY, "tidy-filters"))


_TIDY = f"printf 'delete chain {TABLE} {_IN_USE}\\ndelete table {TABLE}\\n' | nft -f - 2>/dev/null || :"
_LONGEST_COMMENT = 127


def transaction(lines: Iterable[str]) -> Command:
    """All of the lines or none of them."""
    return Command(("nft", "-f", "-"), stdin="".join(f"{line}\n" for line in lines))


@dataclass(frozen=True, slots=True)
class SeenFilter:
    """The rules that stand for a port; `drops` tells how many packets each kind of rule has dropped since it stands."""

    rules: tuple[Rule, ...]
    drops: Mapping[str, int]

    @property
    def ips(self) -> tuple[str, ...]:
        """The addresses and networks that the port may use, in canonical form."""
        of_ip = (rule.matches for rule in self.rules if rule.comment == IP and rule.matches)
        told = (match for matches in of_ip for match in matches[2 if matches[0].left == "ip6 saddr" else 1 :])
        return tuple(sorted({str(ipaddress.ip_network(value)) for match in told for value in match.values}))


def read_filters(text: str) -> Mapping[str, SeenFilter]:
    """The filters by port; ReadError for any other shape."""
    found = whole_json(text)
    rules: dict[str, list[Rule]] = {}
    drops: dict[str, dict[str, int]] = {}
    for entry in Object(found if isinstance(found, dict) else {}).list("nftables"):
        for kind, name in (("chain", "name"), ("rule", "chain")):
            one = entry.below(kind)
            if not entry.has(kind) or f"{one.text('family')} {one.text('table')}" != TABLE or "/" not in one.text(name):
                continue
            port = one.text(name).partition("/")[2]
            of_it, counted = rules.setdefault(port, []), drops.setdefault(port, {})
            if kind == "rule" and one.raw.get("expr") != _KEEPS_TABLE:
                comment = one.text("comment", "")
                rule, count = _rule(comment, one.list("expr"))
                of_it.append(rule)
                counted[comment] = counted.get(comment, 0) + count
    return {port: SeenFilter(tuple(of_it), drops[port]) for port, of_it in rules.items()}


_KEEPS_TABLE = [{"goto": {"target": _IN_USE}}]


def _rule(comment: str, expressions: Iterable[Object]) -> tuple[Rule, int]:
    """A rule and what it has counted. One that is none of ours is told by a match that none of ours has."""
    matches: list[Match] = []
    hands_to, count, drops = "", 0, False
    for expression in expressions:
        if expression.has("match"):
            matches.append(_match(expression.below("match")))
        elif expression.has("counter"):
            count = expression.below("counter").number("packets", 0)
        elif expression.has("fwd"):
            hands_to = _text(expression.below("fwd").raw.get("dev"))
        elif expression.has("drop"):
            drops = True
        else:
            matches.append(Match(" ".join(sorted(expression.raw)), "?", frozenset()))
    return Rule(comment, tuple(matches), hands_to, drops), count


def _match(match: Object) -> Match:
    left = match.below("left")
    payload, meta = left.below("payload"), left.below("meta")
    if left.has("payload"):
        name = f"{payload.text('protocol', '')} {payload.text('field', '')}"
    else:
        name = f"meta {meta.text('key', '')}" if left.has("meta") else " ".join(sorted(left.raw))
    return Match(name, match.text("op"), frozenset(_values(match.raw.get("right"))))


def _values(right: object) -> Iterator[str]:
    match right:
        case {"set": list(items)}:
            for item in items:
                yield from _values(item)
        case _:
            yield _text(right)


def _text(value: object) -> str:
    match value:
        case {"prefix": {"addr": address, "len": length}}:
            return f"{address}/{length}"
        case {"range": [first, last]}:
            return f"{first}-{last}"
        case str() | int():
            return str(value)
        case _:
            raise ReadError(1, "a value of a rule", str(value))
