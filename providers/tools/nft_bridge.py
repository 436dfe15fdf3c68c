"""The firewall of a Linux host's guests: table `bridge reconciler`, through which goes what a bridge hands to and from ports.

It acts on the ports of guests with `firewallEnabled`: what they send passes unless a rule blocks it, what is sent to them is
dropped unless a rule allows it or it answers what they sent. As with fwadm, at the same priority the rule that is counter to
that default decides.

| in the table | |
|---|---|
| chains `forward/out`, `input/out` | the hooks where a port sends: to another port, to the host itself |
| chains `forward/in`, `output/in` | the hooks where a port is sent to: by another port, by the host itself |
| chains `outbound`, `inbound` | what is done there for the ports in `firewalled` |
| chains `rules/out`, `rules/in` | one jump for each rule that acts, the highest priority first (`nft_rules`) |
| chains `opened`, `served` | note a flow that a guest began, or that a rule lets in, and accept |
| sets `opened/…`, `served/…` | those flows, until a time has passed without them: this works without conntrack |
| set `firewalled`, set `guests` | the ports that it acts on; those of all guests |
| sets `guest/NAME`, `tag/KEY`, `tag/KEY//VALUE` | the ports of a guest, of the guests with a tag |
| map `ports`, chain `in-use` | each port and each rule points to that chain: while one does, the table can't be deleted |

Flows are noted without connection tracking, which bridges may not have. Every change of a rule, or of a port in `firewalled`,
also restores what is here, in its own transaction; without any of those only sets, `ports` and `in-use` are there, and nothing
goes through the table. It goes with the last port or rule.
"""

from collections.abc import Iterator, Mapping

from providers.tools.nft_text import SeenTable, values

FAMILY, NAME = "bridge", "reconciler"
TABLE = f"{FAMILY} {NAME}"

FIREWALLED, GUESTS, GUEST, TAG, PORTS, IN_USE = "firewalled", "guests", "guest/", "tag/", "ports", "in-use"
OUTBOUND, INBOUND, RULES_OUT, RULES_IN, OPENED, SERVED = "outbound", "inbound", "rules/out", "rules/in", "opened", "served"
BLOCKED = "blocked"
"""The counter of what was dropped because nothing allows it."""

MOST_FLOWS = 65536
"""In one set. When it is full, answers to new flows are dropped, as with conntrack."""

_HOOKS: Mapping[str, str] = {
    "forward/out": "filter forward -201 accept",
    "input/out": "filter input -201 accept",
    "forward/in": "filter forward -200 accept",
    "output/in": "filter output -200 accept",
}
_WITHOUT_ANSWER_S, _DATAGRAMS_S, _ECHO_S, _CLOSING_S, _ESTABLISHED_S = 120, 120, 30, 60, 86400


def damage(table: SeenTable | None) -> str:
    """What is not as it must be in what all ports and rules share: a chain's name; empty where it is whole."""
    if table is None:
        return "table"
    for name, hook in _HOOKS.items():
        if table.hooks.get(name) != hook:
            return name
    for name, rules in _BASE.items():
        if [(rule, comment) for rule, comment in table.rules.get(name, [])] != list(rules):
            return name
    needed = (IN_USE, RULES_IN, RULES_OUT)
    return next((name for name in needed if name not in table.rules), "")


def base_lines() -> Iterator[str]:
    """The lines of a transaction that make what all ports and rules share, or restore it; members and rules stay."""
    yield f"add table {TABLE}"
    yield f"add counter {TABLE} {BLOCKED}"
    for name in (IN_USE, RULES_IN, RULES_OUT):
        yield f"add chain {TABLE} {name}"
    yield f"add map {TABLE} {PORTS} {{ type ifname : verdict; }}"
    for name in (FIREWALLED, GUESTS):
        yield f"add set {TABLE} {name} {{ type ifname; }}"
    for name, key in _FLOWS.items():
        how = f"flags dynamic,timeout; size {MOST_FLOWS}; timeout {_WITHOUT_ANSWER_S}s;"
        yield f"add set {TABLE} {name} {{ {key}; {how} }}"
    for name in _BASE:
        kind, hook, priority, policy = _HOOKS[name].split() if name in _HOOKS else ("", "", "", "")
        how = f" {{ type {kind} hook {hook} priority {priority}; policy {policy}; }}" if kind else ""
        yield f"add chain {TABLE} {name}{how}"
        yield f"flush chain {TABLE} {name}"
    for name, rules in _BASE.items():
        for rule, comment in rules:
            yield f'add rule {TABLE} {name} {rule} comment "{comment}"'


def key(protocol: str, version: str, *, sending: bool) -> str:
    """What a flow is known by: the port, its guest's address and port, and those of the other side. `protocol` is tcp, udp or
    icmp, `version` 4 or 6; `sending`: in a packet that the guest sends, else in one that is sent to it.
    """
    ip = "ip" if version == "4" else "ip6"
    link, own, other, own_port, other_port = (
        ("iifname", "saddr", "daddr", "sport", "dport") if sending else ("oifname", "daddr", "saddr", "dport", "sport")
    )
    if protocol == "icmp":
        return f"{link} . {ip} {own} . {ip} {other} . {_icmp(version)} id"
    return f"{link} . {ip} {own} . {protocol} {own_port} . {ip} {other} . {protocol} {other_port}"


def _icmp(version: str) -> str:
    return "icmp" if version == "4" else "icmpv6"


def _echo(version: str, *, is_request: bool) -> str:
    number = {"4": ("0", "8"), "6": ("129", "128")}[version][is_request]
    return f"{_icmp(version)} type {number}"


def _flow_sets() -> Iterator[tuple[str, str]]:
    for who in (OPENED, SERVED):
        for version, address in (("4", "ipv4_addr"), ("6", "ipv6_addr")):
            for protocol in ("tcp", "udp"):
                yield f"{who}/{protocol}{version}", f"type ifname . {address} . inet_service . {address} . inet_service"
            yield f"{who}/icmp{version}", f"typeof {key('icmp', version, sending=True)}"


def _noted(who: str, *, sending: bool) -> Iterator[tuple[str, str]]:
    """The rules that note a flow. FIN and RST end it soon, and a mere ACK after them keeps nothing: it adds only what is not
    there.
    """
    for version in ("4", "6"):
        tcp, udp, icmp = (f"@{who}/{protocol}{version} {{ {key(protocol, version, sending=sending)} timeout "
                          for protocol in ("tcp", "udp", "icmp"))  # fmt: skip
        yield f"@th,104,8 & 5 != 0 update {tcp}{_CLOSING_S}s }} accept", "ends a connection"
        yield f"@th,104,8 & 2 != 0 update {tcp}{_WITHOUT_ANSWER_S}s }} accept", "begins a connection"
        yield f"@th,104,8 & 8 != 0 update {tcp}{_ESTABLISHED_S}s }} accept", "data"
        yield f"add {tcp}{_ESTABLISHED_S}s }} accept", "an answer alone"
        yield f"update {udp}{_DATAGRAMS_S}s }} accept", "datagrams"
        yield f"{_echo(version, is_request=True)} update {icmp}{_ECHO_S}s }} accept", "ping"
    yield "accept", "all else"


def _answers(who: str, *, sending: bool) -> Iterator[tuple[str, str]]:
    for version in ("4", "6"):
        for protocol in ("tcp", "udp"):
            yield f"{key(protocol, version, sending=sending)} @{who}/{protocol}{version} accept", "answers"
        echo = _echo(version, is_request=False)
        yield f"{echo} {key('icmp', version, sending=sending)} @{who}/icmp{version} accept", "answers"


_FLOWS = dict(_flow_sets())
_BASE: Mapping[str, tuple[tuple[str, str], ...]] = {
    "forward/out": ((f"iifname @{FIREWALLED} jump {OUTBOUND}", "from a guest to another port"),),
    "input/out": ((f"iifname @{FIREWALLED} jump {OUTBOUND}", "from a guest to the host"),),
    "forward/in": ((f"oifname @{FIREWALLED} jump {INBOUND}", "to a guest from another port"),),
    "output/in": ((f"oifname @{FIREWALLED} jump {INBOUND}", "to a guest from the host"),),
    OUTBOUND: (
        *_answers(SERVED, sending=True),
        (f"jump {RULES_OUT}", "rules"),
        (f"goto {OPENED}", "open unless blocked"),
    ),
    INBOUND: (
        ("meta protocol arp accept", "ARP"),
        (
            f"icmpv6 type {values('icmpv6 type', ('130', '134', '135', '136'))} accept",
            "neighbours, routers, who listens to groups",
        ),
        ("meta l4proto 2 accept", "who listens to groups"),
        ("meta protocol ip udp sport 67 udp dport 68 accept", "DHCP"),
        ("meta protocol ip6 udp sport 547 udp dport 546 accept", "DHCP"),
        ("ip frag-off & 8191 > 1 accept", "the rest of a packet in fragments"),
        ("frag frag-off > 1 accept", "the rest of a packet in fragments"),
        *_answers(OPENED, sending=False),
        (f"jump {RULES_IN}", "rules"),
        (f"icmp type {values('icmp type', ('3', '11', '12'))} accept", "errors"),
        (f"icmpv6 type {values('icmpv6 type', ('1', '2', '3', '4'))} accept", "errors"),
        (f"counter name {BLOCKED} drop", "closed unless allowed"),
    ),
    OPENED: tuple(_noted(OPENED, sending=True)),
    SERVED: tuple(_noted(SERVED, sending=False)),
}
"""The rules, with a comment each, of the chains that all ports and rules share."""

RESTORE = "base='" + "\n".join(base_lines()) + "'\n"
"""A shell line that sets `base` to the lines of a transaction which restores all that."""

TIDY = f"printf 'delete chain {TABLE} {IN_USE}\\ndelete table {TABLE}\\n' | nft -f - 2>/dev/null || :"
"""Deletes the table unless a port or a rule is still in it: the kernel does both or refuses both."""


def show(what: str) -> str:
    """Shell lines that set `shown` to the table, or its sets (`table`, `sets table`); to nothing where it is not there."""
    return f"""\
shown=$(nft -t list {what} {TABLE} 2>&1) || case $shown in
*'No such file or directory'*) shown= ;;
*) printf '%s\\n' "$shown" >&2; exit 1 ;;
esac
"""
