"""Ports of guests as members of the firewall (`nft_bridge`).

A port joins with the transaction that makes its filter:

    membership = Membership("web1", (("role", "web"),), is_firewalled=True)
    joining("web1_0", membership, filter_lines)                                    # one Command, one transaction
    leaving("web1_0", filter_lines)                                                # after it, there is no trace of the port

    seen = read_memberships(outputs)                                               # of MEMBERS and RULESET
    is_member("web1_0", membership, seen)                                          # whether that is still so

The sets are there with the first port. What acts on ports, the frame of `nft_bridge`, comes with the first port whose guest is
firewalled, and with the first rule; each of those restores it where it is not whole.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from providers.tools.nft_bridge import (
    FAMILY,
    FIREWALLED,
    GUEST,
    GUESTS,
    IN_USE,
    NAME,
    PORTS,
    RESTORE,
    TABLE,
    TAG,
    TIDY,
    damage,
    show,
)
from providers.tools.nft_text import read_table
from reconciler.model.command import Command, Outputs, probe

_LONGEST_NAME = 255

RULESET = probe("linux.firewall", "nft", "-n", "-j", "-t", "list", "ruleset", FAMILY)
MEMBERS = probe("linux.firewall-members", "nft", "-n", "-j", "list", "sets", FAMILY)
"""All chains and rules; and the elements of all sets."""


@dataclass(frozen=True, slots=True)
class Membership:
    """What a port belongs to: its guest, that guest's tags, and whether rules act on it."""

    guest: str
    tags: tuple[tuple[str, str], ...] = ()
    is_firewalled: bool = False


def guest_set(guest: str) -> str:
    """The set of a guest's ports."""
    return GUEST + _escaped(guest)


def tag_set(key: str, value: str | None = None) -> str:
    """The set of the ports of the guests that have a tag, with that value or with any; empty where nft has no name for it."""
    name = TAG + _escaped(key) + (f"//{_escaped(value)}" if value is not None else "")
    return name if len(name) <= _LONGEST_NAME else ""


def _escaped(text: str) -> str:
    """nft's names are of letters, digits and `/_.-`: anything else as `/` and two hex digits for each byte."""
    return re.sub(rb"[^A-Za-z0-9_.-]", lambda found: b"/%02x" % found[0][0], text.encode()).decode()


def sets_of(membership: Membership) -> frozenset[str]:
    """The sets that a port is in."""
    tags = (name for key, value in membership.tags for name in (tag_set(key), tag_set(key, value)) if name)
    return frozenset({GUESTS, guest_set(membership.guest), *tags, *({FIREWALLED} if membership.is_firewalled else ())})


def _into(name: str, port: str) -> Iterator[str]:
    yield f"add set {TABLE} {name} {{ type ifname; }}"
    yield f'add element {TABLE} {name} {{ "{port}" }}'


_TAKE_OUT = f"""\
{show("sets table")}take_out() {{
    printf '%s\\n' "$shown" | awk -v port="$1" '
        $2 ~ /^({FIREWALLED}|{GUESTS}|{GUEST.replace("/", "[/]")}.*|{TAG.replace("/", "[/]")}.*)$/ && $1 == "set" {{
            printf "add element {TABLE} %s {{ \\"%s\\" }}\\n", $2, port
            printf "delete element {TABLE} %s {{ \\"%s\\" }}\\n", $2, port
        }}'
}}
"""
"""The lines that take a port out of every set that there is."""

_JOIN = f"""\
lines=$(cat)
point='add table {TABLE}
add chain {TABLE} {IN_USE}
add map {TABLE} {PORTS} {{ type ifname : verdict; }}'
element="{TABLE} {PORTS} {{ \\"$1\\" : goto {IN_USE} }}"
# A port that points there is in sets already; one that does not is in none, and there is nothing to look up.
nft -f - 2>/dev/null <<END && exit
$base
$point
create element $element
$lines
END
"""

_NO_FRAME = "base=\n"

_JOIN_AGAIN = (
    """{ printf '%s\\n' "$base" "$point" "add element $element"; take_out "$1"; printf '%s\\n' "$lines"; } | nft -f -"""
)

_LEAVE = (
    _TAKE_OUT
    + f"""\
{{
    cat
    [ -z "$shown" ] || {{
        take_out "$1"
        printf 'add element {TABLE} {PORTS} {{ "%s" : goto {IN_USE} }}\\n' "$1"
        printf 'delete element {TABLE} {PORTS} {{ "%s" }}\\n' "$1"
    }}
}} | nft -f - || exit
"""
)


def joining(port: str, membership: Membership, lines: Iterable[str] = ()) -> Command:
    """One transaction: these lines, and the port is in its sets and in no others. A firewalled guest's brings the frame."""
    script = f"{RESTORE if membership.is_firewalled else _NO_FRAME}{_JOIN}{_TAKE_OUT}{_JOIN_AGAIN}"
    told = (*lines, *(line for name in sorted(sets_of(membership)) for line in _into(name, port)))
    return Command(("sh", "-c", script, "join-firewall", port), stdin="".join(f"{line}\n" for line in told))


def leaving(port: str, lines: Iterable[str] = ()) -> Command:
    """One transaction: these lines, and the port leaves all sets. The last one takes the table with it, if no rule is there."""
    return Command(("sh", "-c", _LEAVE + TIDY, "leave-firewall", port), stdin="".join(f"{line}\n" for line in lines))


@dataclass(frozen=True, slots=True)
class Memberships:
    """The sets that each port is in, and whether all is there that every port needs."""

    sets: Mapping[str, frozenset[str]]
    is_whole: bool


def read_memberships(outputs: Outputs) -> Memberships:
    """From the answers to RULESET and MEMBERS; ReadError for any other shape."""
    ruleset = read_table(outputs[RULESET.name].stdout, FAMILY, NAME)
    members = read_table(outputs[MEMBERS.name].stdout, FAMILY, NAME)
    sets: dict[str, set[str]] = {}
    for name, ports in (members.elements if members is not None else {}).items():
        if name in (FIREWALLED, GUESTS) or name.startswith((GUEST, TAG)):
            for port in ports:
                sets.setdefault(port, set()).add(name)
    return Memberships({port: frozenset(names) for port, names in sets.items()}, not damage(ruleset))


def is_member(port: str, wanted: Membership | None, seen: Memberships) -> bool:
    """Whether a port is in its sets and in no others, and the table acts on it."""
    if wanted is None:
        return port not in seen.sets
    return seen.sets.get(port) == sets_of(wanted) and (seen.is_whole or not wanted.is_firewalled)
