"""What `nft -n -j` tells of a ruleset, as the text that nft takes, in one form: so two rules are the same if their texts are.

Ports and addresses of a set are merged as the kernel merges them, and sorted.
"""

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from providers.tools.linux_json import Object
from reconciler.model.errors import ReadError
from reconciler.provider.readers import whole_json

_ETHER_TYPES: Mapping[int, str] = {0x0806: "arp", 0x0608: "arp", 0x0800: "ip", 0x0008: "ip", 0x86DD: "ip6", 0xDD86: "ip6"}
"""By number; `-n` tells them with their bytes swapped on little-endian machines."""

_PORTS = ("tcp sport", "tcp dport", "udp sport", "udp dport")
_ADDRESSES = ("ip saddr", "ip daddr", "ip6 saddr", "ip6 daddr")
_BARE = ("iifname", "oifname")


@dataclass(slots=True)
class SeenTable:
    """A table: its chains with the texts and comments of their rules, their hooks, and its sets with their elements.

    A rule's text is without its comment. `elements` has none where nft was told to leave them out. `hooks` has
    `type hook priority policy` of each base chain.
    """

    rules: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    hooks: dict[str, str] = field(default_factory=dict)
    elements: dict[str, frozenset[str]] = field(default_factory=dict)


def read_table(text: str, family: str, table: str) -> SeenTable | None:
    """One table in what `nft -n -j list …` prints; None where it is not there, ReadError for any other shape."""
    found = whole_json(text)
    if not isinstance(found, dict) or "nftables" not in found:
        raise ReadError(1, "a ruleset in JSON", text)
    seen, is_there = SeenTable(), False
    for entry in Object(found).list("nftables"):
        for kind in ("table", "chain", "rule", "set", "map", "counter"):
            if not entry.has(kind):
                continue
            one = entry.below(kind)
            if one.text("family") != family or one.text("name" if kind == "table" else "table") != table:
                continue
            is_there = True
            if kind == "chain":
                seen.rules.setdefault(one.text("name"), [])
                if one.has("hook"):
                    told = (one.text("type"), one.text("hook"), str(one.number("prio")), one.text("policy", "accept"))
                    seen.hooks[one.text("name")] = " ".join(told)
            elif kind == "rule":
                rule = (_statements(one.list("expr")), one.text("comment", ""))
                seen.rules.setdefault(one.text("chain"), []).append(rule)
            elif kind in ("set", "map"):
                seen.elements[one.text("name")] = frozenset(_element(value) for value in _list(one.raw.get("elem", [])))
    return seen if is_there else None


def values(left: str, found: Iterable[str]) -> str:
    """The right side of a match: one value bare, several in braces."""
    told = _merged(left, list(found))
    return told[0] if len(told) == 1 and " . " not in left else f"{{ {', '.join(told)} }}"


def _merged(left: str, found: Sequence[str]) -> list[str]:
    if left in _PORTS:
        return _merged_ports(found)
    if left in _ADDRESSES:
        return _merged_addresses(found)
    return sorted(set(found), key=_by_number)


def _by_number(value: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in value.split()]


def _merged_ports(found: Iterable[str]) -> list[str]:
    spans: list[list[int]] = []
    for first, last in sorted((int(port.partition("-")[0]), int(port.rpartition("-")[2])) for port in found):
        if spans and first <= spans[-1][1] + 1:
            spans[-1][1] = max(spans[-1][1], last)
        else:
            spans.append([first, last])
    return [str(first) if first == last else f"{first}-{last}" for first, last in spans]


def _merged_addresses(found: Iterable[str]) -> list[str]:
    networks = [network for value in found for network in _networks(value)]
    four = ipaddress.collapse_addresses(one for one in networks if isinstance(one, ipaddress.IPv4Network))
    six = ipaddress.collapse_addresses(one for one in networks if isinstance(one, ipaddress.IPv6Network))
    return [str(one).removesuffix("/32") for one in four] + [str(one).removesuffix("/128") for one in six]


def _networks(value: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    first, is_range, last = value.partition("-")
    if not is_range:
        return [ipaddress.ip_network(value, strict=False)]
    return list(ipaddress.summarize_address_range(ipaddress.ip_address(first), ipaddress.ip_address(last)))


def _statements(expressions: Iterable[Object]) -> str:
    return " ".join(filter(None, (_statement(name, one.raw[name]) for one in expressions for name in one.raw)))


def _statement(name: str, value: object) -> str:
    match name, value:
        case "match", {"op": str(operator), "left": left, "right": right}:
            return _match(operator, _expression(left), right)
        case "counter", str(counter):
            return f"counter name {counter}"
        case "counter", _:
            return ""
        case "set", {"op": str(operation), "set": str(target), "elem": {"elem": {"val": key, "timeout": int(timeout)}}}:
            return f"{operation} {target} {{ {_expression(key)} timeout {timeout}s }}"
        case (("jump" | "goto"), {"target": str(chain)}):
            return f"{name} {chain}"
        case (("accept" | "drop" | "return" | "continue"), _):
            return name
        case "log", {"prefix": str(prefix), **rest} if not rest:
            return f'log prefix "{prefix}"'
        case _:
            return f"{name} {json.dumps(value, sort_keys=True)}"


def _match(operator: str, left: str, right: object) -> str:
    shown = "" if operator == "==" else f"{operator} "
    if isinstance(right, str) and right.startswith("@"):
        return f"{left} {shown}{right}"
    items = right["set"] if isinstance(right, dict) and isinstance(right.get("set"), list) else [right]
    if left in _BARE:
        return f"{left} {shown}{', '.join(json.dumps(item) for item in items)}"
    found = [_value(item) for item in items]
    if left == "meta protocol":
        found = [_ETHER_TYPES.get(int(value), value) if value.isdigit() else value for value in found]
    try:
        return f"{left} {shown}{values(left, found)}"
    except ValueError:
        raise ReadError(1, f"values of {left}", json.dumps(right)) from None


def _expression(value: object) -> str:
    match value:
        case {"meta": {"key": str(key)}}:
            return key if key in _BARE else f"meta {key}"
        case {"payload": {"protocol": str(protocol), "field": str(name)}}:
            return f"{protocol} {name}"
        case {"payload": {"base": str(base), "offset": int(offset), "len": int(length)}}:
            return f"@{base},{offset},{length}"
        case {"exthdr": {"name": str(header), "field": str(name)}}:
            return f"{header} {name}"
        case {"&": [left, right]}:
            return f"{_expression(left)} & {_value(right)}"
        case {"concat": list(parts)}:
            return " . ".join(map(_expression, parts))
        case _:
            return json.dumps(value, sort_keys=True)


def _value(value: object) -> str:
    match value:
        case {"prefix": {"addr": str(address), "len": int(length)}}:
            return f"{address}/{length}"
        case {"range": [first, last]}:
            return f"{first}-{last}"
        case {"concat": list(parts)}:
            return " . ".join(map(_value, parts))
        case str() | int():
            return str(value)
        case _:
            return json.dumps(value, sort_keys=True)


def _element(value: object) -> str:
    """The key of an element; those of maps come with their value, those that expire with their time."""
    match value:
        case [key, _]:
            return _element(key)
        case {"elem": {"val": key}}:
            return _element(key)
        case _:
            return _value(value)


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, list):
        raise ReadError(1, "a list of elements", json.dumps(value))
    return value
