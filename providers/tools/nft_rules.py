"""Firewall rules of guests in table `bridge reconciler` (`nft_bridge`): what stands in nft for a rule in fwadm's sense.

A rule NAME has up to three chains:

| chain | |
|---|---|
| `rule/NAME` | what the rule is, in comments; it decides nothing, and all that a disabled rule has |
| `out/PRIORITY/ACTION/NAME` | what it decides of what guests send; `rules/out` jumps there |
| `in/PRIORITY/ACTION/NAME` | what it decides of what is sent to guests; `rules/in` jumps there |

The priority has three digits, so that the names alone tell the order. A rule counts as whole only when its chains hold exactly
what its comments say, and the jumps to them stand in their place.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from providers.tools.fwadm_rules import ALL, ALL_GUESTS, ANY, GUEST, TAG, WITH_TYPES, Rule
from providers.tools.nft_bridge import (
    FAMILY,
    GUESTS,
    IN_USE,
    NAME,
    OPENED,
    RESTORE,
    RULES_IN,
    RULES_OUT,
    SERVED,
    TABLE,
    TIDY,
    damage,
    key,
    show,
)
from providers.tools.nft_firewall import guest_set, tag_set
from providers.tools.nft_text import SeenTable, read_table, values
from reconciler.model.command import Command
from reconciler.model.errors import InvalidValue
from reconciler.model.key import parse_object_name
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.observed import Mark

LONGEST_COMMENT = 128
"""What nft takes, in bytes."""

_OWN, _OUT, _IN = "rule/", "out", "in"
_PROTOCOLS: Mapping[str, int] = {"tcp": 6, "udp": 17, "icmp": 1, "icmp6": 58}
_FIRST_PART = re.compile(r"(?:in|out)/[0-9]{3}/(?:allow|block)/(.+)")
_HEAD, _NOBODY = "reconciler:", "released"
"""What the comment of a rule begins with; and the whole of it where the rule is ours no more."""


@dataclass(frozen=True, slots=True)
class Written:
    """A rule as it is to be, or as its comments tell it; guests are in it by their names (`guest/web1`)."""

    name: str
    rule: Rule
    is_enabled: bool
    is_logged: bool
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class SeenRule:
    """A rule of the host. `written` is None where its comments can't be read; `broken` names the chain that is not as it
    must be, and is empty where all are. `mark` is in the comment of each of its rules, too.
    """

    name: str
    written: Written | None
    mark: Mark | None
    broken: str


def unspeakable(target: str) -> str:
    """Why nft has no words for a target; empty where it has."""
    if '"' in target or not target.isprintable():
        return "it has a sign that nft can't quote"
    if len(f"from {target}".encode()) > LONGEST_COMMENT:
        return f"it is longer than the {LONGEST_COMMENT - len('from ')} bytes that a comment of nft takes"
    if target.startswith(TAG) and not _set_of(target):
        return "its name is too long for a set of nft"
    return ""


def write(written: Written) -> Command:
    """Makes the rule, or replaces all that there was of it, in one transaction that also restores what all rules share."""
    lines = [f"add set {TABLE} {name} {{ type ifname; }}" for name in sets_needed(written.rule)]
    for chain, rules in chains(written).items():
        lines.append(f"add chain {TABLE} {chain}")
        lines += [f'add rule {TABLE} {chain} {rule} comment "{comment}"' for rule, comment in rules]
    return Command(("sh", "-c", _WRITE, "write-rule", written.name), stdin="".join(f"{line}\n" for line in lines))


def delete(name: str) -> Command:
    """Takes away all that there is of a rule; the last one takes the table with it, unless a port is in it."""
    return Command(("sh", "-c", _DELETE, "delete-rule", name))


_REWRITE = f"""\
{show("table")}[ -n "$shown" ] || [ "$0" = write-rule ] || exit 0
set -f
lines=$(cat)
kept=$(printf '%s\\n' "$lines" | awk '$1 == "add" && $2 == "chain" {{ print $5 }}' | grep -v '^{_OWN}')
old=
for chain in $(printf '%s\\n' "$shown" | awk '$1 == "chain" {{ print $2 }}'); do
    case $chain in
    {_OWN}"$1" | in/*/*/"$1" | out/*/*/"$1") old="$old $chain" ;;
    in/* | out/*) kept="$kept $chain" ;;
    esac
done
{{
    printf '%s\\n' "$base" 'flush chain {TABLE} {RULES_IN}' 'flush chain {TABLE} {RULES_OUT}'
    for chain in $old; do printf '%s chain {TABLE} %s\\n' flush $chain delete $chain; done
    printf '%s\\n' "$lines"
    printf '%s\\n' $kept | grep '^in/' | sort -t / -k 2,2nr -k 3,3 -k 4 | sed 's|.*|add rule {TABLE} {RULES_IN} jump &|'
    printf '%s\\n' $kept | grep '^out/' | sort -t / -k 2,2nr -k 3,3r -k 4 | sed 's|.*|add rule {TABLE} {RULES_OUT} jump &|'
}} | nft -f - || exit
"""
"""In one transaction: all chains of a rule (`$1`) go, the lines come, and the jumps are made anew in the order of the names."""

_WRITE, _DELETE = RESTORE + _REWRITE, RESTORE + _REWRITE + TIDY


def chains(written: Written) -> dict[str, tuple[tuple[str, str], ...]]:
    """The chains of a rule, with the text and the comment of each of their rules."""
    found = {_OWN + written.name: tuple((f"jump {IN_USE}", note) for note in _notes(written))}
    if written.is_enabled:
        for way in (_OUT, _IN):
            head = _head(written.mark)
            lines = tuple((line, head) for line in _lines(written, way))
            if lines:
                found[f"{way}/{written.rule.priority:03}/{written.rule.action}/{written.name}"] = lines
    return found


def _head(mark: Mark | None) -> str:
    return f"{_HEAD}{mark.owner}:{mark.name}" if mark is not None else _NOBODY


def _mark_in(comments: Iterable[str]) -> Mark | None:
    """The mark in the first comment that has one, with no more than whose the rule is."""
    for comment in comments:
        owner, colon, name = comment.removeprefix(_HEAD).partition(":")
        if comment.startswith(_HEAD) and colon:
            with suppress(InvalidValue):
                return Mark(owner, parse_object_name(name))
    return None


def _notes(written: Written) -> Iterator[str]:
    """What a rule is, in comments."""
    mark, rule = written.mark, written.rule
    yield _head(mark)
    if mark is not None:
        if mark.host_id:
            yield f"host {mark.host_id}"
        if mark.protect is not Protect.NONE:
            yield f"protect {mark.protect.value}"
        if mark.on_removal is not None:
            yield f"on-removal {mark.on_removal.value}"
    yield f"action {rule.action}"
    yield f"protocol {rule.protocol}"
    yield f"priority {rule.priority}"
    yield f"enabled {'yes' if written.is_enabled else 'no'}"
    yield f"log {'yes' if written.is_logged else 'no'}"
    for word, told in (("from", rule.sources), ("to", rule.targets), ("port", rule.ports), ("type", rule.types)):
        yield from (f"{word} {one}" for one in told)


def _lines(written: Written, way: str) -> Iterator[str]:
    """The rules of one way. A side that names no guest is only what the other end may be: it makes no guest obey the rule."""
    rule, prefix = written.rule, f'log prefix "reconciler {written.rule.action} {written.name}: "'
    sources = _sides(rule.sources, "iifname", "saddr", only_guests=way == _OUT)
    targets = _sides(rule.targets, "oifname", "daddr", only_guests=way == _IN)
    who = OPENED if way == _OUT else SERVED
    for source, of_source in sources:
        for target, of_target in targets:
            for packets, of_packets in _packets(rule):
                families = {of_source, of_target, of_packets} - {""}
                if len(families) > 1:
                    continue
                match = " ".join(filter(None, (source, target, packets)))
                if rule.action == "block":
                    yield f"{match} {prefix} drop" if written.is_logged else f"{match} drop"
                    continue
                if written.is_logged and rule.protocol in WITH_TYPES:
                    yield f"{match} {prefix} goto {who}"
                    continue
                if written.is_logged:
                    # Of a connection only the beginning is logged: what is not known yet.
                    plain = "" if rule.ports == (ALL,) else packets
                    for version in sorted(families or {"4", "6"}):
                        flow = f"{key(rule.protocol, version, sending=way == _OUT)} != @{who}/{rule.protocol}{version}"
                        yield " ".join(filter(None, (source, target, plain, flow, prefix)))
                yield f"{match} goto {who}"


def _sides(told: Sequence[str], link: str, address: str, *, only_guests: bool) -> list[tuple[str, str]]:
    """Matches for one side, each with the version of IP that it is of; empty where it may be any."""
    names = [one for one in told if one == ALL_GUESTS or one.startswith((GUEST, TAG))]
    found = [(f"{link} @{_set_of(one)}", "") for one in names]
    if only_guests:
        return found
    if ANY in told:
        found.append(("", ""))
    addresses = [one for one in told if one not in names and one != ANY]
    for version, ip in (("4", "ip"), ("6", "ip6")):
        if of_it := [one for one in addresses if (":" in one) is (version == "6")]:
            found.append((f"{ip} {address} {values(f'{ip} {address}', of_it)}", version))
    return found


def _set_of(target: str) -> str:
    if target == ALL_GUESTS:
        return GUESTS
    if target.startswith(GUEST):
        return guest_set(target.removeprefix(GUEST))
    tag, equals, value = target.removeprefix(TAG).partition("=")
    return tag_set(tag, value if equals else None)


def _packets(rule: Rule) -> Iterator[tuple[str, str]]:
    """Matches for what the rule is about, each with its version of IP."""
    version = {"icmp": "4", "icmp6": "6"}.get(rule.protocol, "")
    if ALL in (*rule.ports, *rule.types):
        yield f"meta l4proto {_PROTOCOLS[rule.protocol]}", version
    elif rule.protocol not in WITH_TYPES:
        left = f"{rule.protocol} dport"
        yield f"{left} {values(left, rule.ports)}", version
    else:
        header = "icmp" if version == "4" else "icmpv6"
        if plain := [one for one in rule.types if ":" not in one]:
            yield f"{header} type {values(f'{header} type', plain)}", version
        if coded := [one.replace(":", " . ") for one in rule.types if ":" in one]:
            left = f"{header} type . {header} code"
            yield f"{left} {values(left, coded)}", version


def sets_needed(rule: Rule) -> tuple[str, ...]:
    """The sets of ports that a rule speaks of."""
    return tuple(sorted({_set_of(one) for one in (*rule.sources, *rule.targets) if one.startswith((GUEST, TAG))}))


def read_rules(text: str) -> Iterator[SeenRule]:
    """All rules, by their chains, in what RULESET prints; ReadError for any other shape."""
    table = read_table(text, FAMILY, NAME)
    if table is None:
        return
    shared = damage(table)
    shared = f"{shared} of table {TABLE}" if shared else ""
    parts: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for chain, rules in table.rules.items():
        name = chain.removeprefix(_OWN) if chain.startswith(_OWN) else _name_of(chain)
        if name:
            parts.setdefault(name, {})[chain] = rules
    disorder = {way: _disorder(table, way) for way in (_IN, _OUT)}
    for name, there in sorted(parts.items()):
        if not any(there.values()):
            # The table was flushed: nothing of the rule is left but empty chains, which making it anew replaces.
            continue
        written = _read_notes(name, there.get(_OWN + name, []))
        broken = _lacking(written, there) if written is not None else f"chain {_OWN}{name}"
        ways = {chain.partition("/")[0] for chain in there}
        broken = broken or next((found for way, found in disorder.items() if found and way in ways), "")
        mark = written.mark if written is not None else _mark_in(comment for rules in there.values() for _, comment in rules)
        yield SeenRule(name, written, mark, broken or shared)


def _name_of(chain: str) -> str:
    match = _FIRST_PART.fullmatch(chain)
    return match[1] if match is not None else ""


def _lacking(written: Written, there: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """The chain that is not as the rule's comments say it."""
    wanted = chains(written)
    differing = (name for name in sorted({*wanted, *there}) if tuple(there.get(name, ())) != wanted.get(name))
    return next((f"chain {name}" for name in differing), "")


def _disorder(table: SeenTable, way: str) -> str:
    """The chain that jumps to the rules of one way, where it does not jump to each of them in their order."""
    names = [name for name in table.rules if name.startswith(f"{way}/") and _name_of(name)]
    wanted = [f"jump {name}" for name in sorted(names, key=lambda name: _place(name, way))]
    chain = RULES_IN if way == _IN else RULES_OUT
    return "" if [rule for rule, _ in table.rules.get(chain, [])] == wanted else f"chain {chain}"


def _place(chain: str, way: str) -> tuple[int, int, str]:
    """Highest priority first; then what is counter to the default: in, what allows, out, what blocks."""
    _, priority, action, name = chain.split("/", 3)
    return -int(priority), (action == "block") is (way == _IN), name


def _read_notes(name: str, rules: Sequence[tuple[str, str]]) -> Written | None:
    """What the comments of a rule's own chain say; None where they don't say it all."""
    head, *notes = [comment for _, comment in rules] or [""]
    told: dict[str, list[str]] = {}
    for note in notes:
        word, _, value = note.partition(" ")
        told.setdefault(word, []).append(value)
    one = {word: found[0] for word, found in told.items() if len(found) == 1}
    try:
        rule = Rule(
            tuple(told["from"]),
            tuple(told["to"]),
            one["action"],
            one["protocol"],
            tuple(told.get("port", ())),
            tuple(told.get("type", ())),
            int(one["priority"]),
        )
        protect, removal = Protect(one.get("protect", "none")), one.get("on-removal")
        mark = _mark_in([head])
        if mark is not None:
            mark = replace(
                mark, host_id=one.get("host", ""), protect=protect, on_removal=OnRemoval(removal) if removal else None
            )
        found = Written(name, rule, one["enabled"] == "yes", one["log"] == "yes", mark)
        return found if list(_notes(found)) == [head, *notes] else None
    except (KeyError, ValueError, InvalidValue):
        return None
