"""The language of fwadm's rules: texts to their parts and back, in one form (smartos-vmadm.md 11).

`FROM (ip 10.0.0.1 OR tag "role" = "web") TO all vms ALLOW tcp PORTS 22, 8000 - 8100 PRIORITY 5`
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from reconciler.model.errors import InvalidValue

ANY, ALL_GUESTS, GUEST, TAG = "any", "guests/all", "guest/", "tag/"
"""How a target is written that is no address: `guest/UUID`, `tag/KEY`, `tag/KEY=VALUE`."""

ALL = "all"
WITH_PORTS, WITH_TYPES = ("tcp", "udp"), ("icmp", "icmp6")
MOST_TARGETS, MOST_PORTS = 24, 24
HIGHEST_PRIORITY, HIGHEST_PORT, HIGHEST_TYPE = 100, 65535, 255

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([(),=])|([^\s"(),=]+))')
_PORT = re.compile(r"([0-9]{1,5})(?:\s*-\s*([0-9]{1,5}))?")
_TYPE = re.compile(r"([0-9]{1,3})(?::([0-9]{1,3}))?")
_SAMPLE = 'FROM any TO tag "role" = "web" ALLOW tcp PORT 443'


@dataclass(frozen=True, slots=True)
class Rule:
    """The parts of a rule; targets, ports and types in their one order. Priority 0 is none stated."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    action: str
    protocol: str
    ports: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    priority: int = 0

    @property
    def names_guests(self) -> bool:
        """Whether it can apply to a guest of this host at all."""
        return any(one == ALL_GUESTS or one.startswith((GUEST, TAG)) for one in (*self.sources, *self.targets))


def canonical_address(text: str) -> str:
    """An address, or a network with its prefix, in its shortest spelling; InvalidValue otherwise."""
    try:
        return str(ipaddress.ip_network(text, strict=False)) if "/" in text else str(ipaddress.ip_address(text))
    except ValueError:
        remedy = "write any, guests/all, guest/NAME, tag/KEY, tag/KEY=VALUE, an address or a network"
        raise InvalidValue(f"{text!r} is no target of a rule", remedy=remedy) from None


def canonical_port(text: str) -> str:
    """`22`, `8000-8100` or `all`; InvalidValue otherwise."""
    if text == ALL:
        return ALL
    match = _PORT.fullmatch(text.strip())
    first, last = (int(match[1]), int(match[2] or match[1])) if match is not None else (0, 0)
    if not 1 <= first <= last <= HIGHEST_PORT:
        raise InvalidValue(f"{text!r} is no port", remedy='write a number from 1 to 65535, a range "8000-8100", or all')
    return str(first) if first == last else f"{first}-{last}"


def canonical_type(text: str) -> str:
    """`8`, `3:1` (type and code) or `all`; InvalidValue otherwise."""
    if text == ALL:
        return ALL
    match = _TYPE.fullmatch(text.strip())
    if match is None or max(int(match[1]), int(match[2] or 0)) > HIGHEST_TYPE:
        raise InvalidValue(f"{text!r} is no ICMP type", remedy='write "8", or type and code: "3:1"')
    return f"{int(match[1])}:{int(match[2])}" if match[2] else str(int(match[1]))


def in_order(values: Iterable[str]) -> tuple[str, ...]:
    """Ports or types once each, by number."""
    return tuple(sorted(set(values), key=lambda value: ([int(part) for part in re.findall(r"\d+", value)], value)))


def parse_rule(text: str) -> Rule:
    """The parts of a rule as fwadm takes it; InvalidValue with the place where it ceases to be one."""
    return _Parser(text).rule()


def rule_text(rule: Rule) -> str:
    """The rule as fwadm stores it: keywords in capitals, tags quoted, targets and ports in order, ranges spaced."""
    return " ".join(
        (
            f"FROM {_targets_text(rule.sources)} TO {_targets_text(rule.targets)}",
            f"{rule.action.upper()} {rule.protocol}",
            _types_text(rule.types) if rule.protocol in WITH_TYPES else _ports_text(rule.ports),
            *([f"PRIORITY {rule.priority}"] if rule.priority else []),
        )
    )


def _targets_text(targets: Sequence[str]) -> str:
    texts = sorted(map(_target_text, targets))
    return texts[0] if len(texts) == 1 else f"({' OR '.join(texts)})"


def _target_text(target: str) -> str:
    if target == ANY:
        return ANY
    if target == ALL_GUESTS:
        return "all vms"
    if target.startswith(GUEST):
        return f"vm {target.removeprefix(GUEST)}"
    if target.startswith(TAG):
        key, equals, value = target.removeprefix(TAG).partition("=")
        return f"tag {_quoted(key)} = {_quoted(value)}" if equals else f"tag {_quoted(key)}"
    return f"subnet {target}" if "/" in target else f"ip {target}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _ports_text(ports: Sequence[str]) -> str:
    if any("-" in port for port in ports):
        return f"PORTS {', '.join(port.replace('-', ' - ') for port in ports)}"
    return _one_or_several([f"PORT {port}" for port in ports])


def _types_text(types: Sequence[str]) -> str:
    return _one_or_several([f"TYPE {one.replace(':', ' CODE ')}" for one in types])


def _one_or_several(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"({' AND '.join(texts)})"


class _Parser:
    """Reads one rule from left to right. Keywords in any case; a quoted word is never one."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, bool]] = []
        self._at = 0
        place = 0
        while rest := text[place:].strip():
            match = _TOKEN.match(text, place)
            if match is None:
                raise InvalidValue(f"a quotation mark has no end: {rest[:40]!r}", remedy=f"write for example {_SAMPLE}")
            quoted = match[1] is not None
            self._tokens.append((re.sub(r"\\(.)", r"\1", match[1]) if quoted else match[2] or match[3], quoted))
            place = match.end()

    def rule(self) -> Rule:
        self._keyword("from")
        sources = self._targets()
        self._keyword("to")
        targets = self._targets()
        action = self._one_of("allow", "block")
        protocol = self._one_of(*WITH_PORTS, *WITH_TYPES)
        ports = in_order(self._ports()) if protocol in WITH_PORTS else ()
        types = in_order(self._types()) if protocol in WITH_TYPES else ()
        priority = 0
        if self._has("priority"):
            priority = self._number(HIGHEST_PRIORITY)
        if self._at < len(self._tokens):
            raise self._refused("the end of the rule")
        return Rule(sources, targets, action, protocol, ports, types, priority)

    def _targets(self) -> tuple[str, ...]:
        return tuple(sorted(set(self._listed("or", self._target))))

    def _target(self) -> str:
        match self._one_of("any", "all", "vm", "ip", "subnet", "tag"):
            case "any":
                return ANY
            case "all":
                self._one_of("vms")
                return ALL_GUESTS
            case "vm":
                uuid = self._word().lower()
                if not UUID.fullmatch(uuid):
                    raise self._refused("a guest's uuid", back=1)
                return f"{GUEST}{uuid}"
            case "tag":
                key = self._word()
                return f"{TAG}{key}={self._word()}" if self._has("=") else f"{TAG}{key}"
            case _:
                return canonical_address(self._word())

    def _ports(self) -> list[str]:
        if self._has("ports"):
            found = [self._port()]
            while self._has(","):
                found.append(self._port())
            return found
        return self._listed("and", self._keyword_port)

    def _keyword_port(self) -> str:
        self._keyword("port")
        return self._port()

    def _port(self) -> str:
        text = self._word()
        if text.lower() == ALL:
            return ALL
        if text.endswith("-") or self._peek().startswith("-"):
            text += self._word()
            text += self._word() if text.endswith("-") else ""
        return canonical_port(text)

    def _types(self) -> list[str]:
        return self._listed("and", self._keyword_type)

    def _keyword_type(self) -> str:
        self._keyword("type")
        text = self._word().lower()
        return canonical_type(f"{text}:{self._word()}" if self._has("code") else text)

    def _listed(self, between: str, read: Callable[[], str]) -> list[str]:
        """One, or several in parentheses with a word between."""
        if not self._has("("):
            return [read()]
        found = [read()]
        while self._has(between):
            found.append(read())
        if not self._has(")"):
            raise self._refused(f"{between.upper()} or )")
        return found

    def _number(self, most: int) -> int:
        text = self._word()
        if not (text.isascii() and text.isdigit()) or int(text) > most:
            raise self._refused(f"a number up to {most}", back=1)
        return int(text)

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _has(self, word: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == (self._peek(), False) and self._peek().lower() == word:
            self._at += 1
            return True
        return False

    def _keyword(self, word: str) -> None:
        if not self._has(word):
            raise self._refused(word.upper())

    def _one_of(self, *words: str) -> str:
        for word in words:
            if self._has(word):
                return word
        raise self._refused(", ".join(words))

    def _word(self) -> str:
        if self._at >= len(self._tokens):
            raise self._refused("a word")
        word, quoted = self._tokens[self._at]
        if not quoted and word in ("(", ")", ",", "="):
            raise self._refused("a word")
        self._at += 1
        return word

    def _refused(self, expected: str, *, back: int = 0) -> InvalidValue:
        at = self._at - back
        found = repr(self._tokens[at][0]) if at < len(self._tokens) else "the end"
        return InvalidValue(
            f"this is no rule of fwadm: expected {expected}, found {found}", remedy=f"write for example {_SAMPLE}"
        )
