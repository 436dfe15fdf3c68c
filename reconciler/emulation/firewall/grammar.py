"""The language of rules: read, and written again in the one form in which a host keeps them."""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from reconciler.emulation.firewall.errors import FwadmError

MOST_TARGETS = 24
MOST_PORTS = 24
_HIGHEST_PORT = 65535
_HIGHEST_TYPE = 255
_HIGHEST_PRIORITY = 100
_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([(),=])|([^\s(),="]+)|(\S))')
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Target:
    """One end of a rule: `kind` is any, all vms, vm, ip, subnet or tag."""

    kind: str
    name: str = ""
    value: str | None = None
    """What a tag has to be; None for any value."""

    @property
    def text(self) -> str:
        if self.kind == "tag":
            equals = "" if self.value is None else f" = {_quoted(self.value)}"
            return f"tag {_quoted(self.name)}{equals}"
        return f"{self.kind} {self.name}".rstrip()

    @property
    def is_about_guests(self) -> bool:
        return self.kind in {"all vms", "vm", "tag"}


@dataclass(frozen=True, slots=True)
class ParsedRule:
    """A rule taken apart; all lists sorted and without repetition."""

    from_targets: Sequence[Target]
    to_targets: Sequence[Target]
    action: str
    protocol: str
    details: str
    """The ports or types in their one form."""
    priority: int

    @property
    def text(self) -> str:
        """The rule as a host keeps it."""
        priority = f" PRIORITY {self.priority}" if self.priority else ""
        ends = f"FROM {_listed(self.from_targets)} TO {_listed(self.to_targets)}"
        return f"{ends} {self.action} {self.protocol} {self.details}{priority}"


def _quoted(text: str) -> str:
    escaped = re.sub(r'(["\\])', r"\\\1", text)
    return f'"{escaped}"'


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _listed(targets: Sequence[Target]) -> str:
    texts = " OR ".join(target.text for target in targets)
    return f"({texts})" if len(targets) > 1 else texts


def parse(text: str) -> ParsedRule:
    """Takes a rule apart; raises FwadmError for what is no rule, or one that is about no guest."""
    parsed = _Reader(text).rule()
    if not any(target.is_about_guests for target in (*parsed.from_targets, *parsed.to_targets)):
        raise FwadmError("rule does not affect VMs")
    return parsed


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    quoted: bool
    place: int


class _Reader:
    """One rule read from left to right."""

    def __init__(self, text: str) -> None:
        self._tokens = [
            _Token(_unquoted(found[1]) if found[1] else found[0].strip(), bool(found[1]), found.end())
            for found in _TOKEN.finditer(text)
        ]
        self._at = 0

    def rule(self) -> ParsedRule:
        self._keyword("FROM")
        from_targets = self._targets()
        self._keyword("TO")
        to_targets = self._targets()
        action = self._one_of("ALLOW", "BLOCK")
        protocol = self._one_of("TCP", "UDP", "ICMP", "ICMP6").lower()
        details = self._types() if protocol.startswith("icmp") else self._ports()
        priority = 0
        if self._sees("PRIORITY"):
            self._at += 1
            priority = self._number(_HIGHEST_PRIORITY, "priority")
        if self._at < len(self._tokens):
            raise self._unexpected("the end of the rule")
        return ParsedRule(from_targets, to_targets, action, protocol, details, priority)

    def _targets(self) -> Sequence[Target]:
        found = []
        if self._sees("("):
            self._at += 1
            found.append(self._target())
            while self._sees("OR"):
                self._at += 1
                found.append(self._target())
            self._keyword(")")
        else:
            found.append(self._target())
        unique = sorted(set(found), key=lambda target: target.text)
        if len(unique) > MOST_TARGETS:
            raise FwadmError(f"maximum of {MOST_TARGETS} targets allowed per side")
        return unique

    def _target(self) -> Target:
        kind = self._one_of("ANY", "ALL", "VM", "IP", "SUBNET", "TAG")
        if kind == "ANY":
            return Target("any")
        if kind == "ALL":
            self._keyword("VMS")
            return Target("all vms")
        name = self._word(kind.lower())
        if kind == "TAG":
            value = None
            if self._sees("="):
                self._at += 1
                value = self._word("a tag's value")
            return Target("tag", name, value)
        return Target(kind.lower(), _CHECKED[kind](name))

    def _ports(self) -> str:
        if self._sees("PORTS"):
            self._at += 1
            return _ports_text(self._port_list())
        texts = self._repeated(
            "PORT", lambda: "all" if self._takes("ALL") else str(self._number(_HIGHEST_PORT, "port", least=1))
        )
        if "all" in texts:
            if len(texts) > 1:
                raise FwadmError("ports: cannot mix all and other ports")
            return "PORT all"
        return _ports_text([(int(text), int(text)) for text in texts])

    def _port_list(self) -> list[tuple[int, int]]:
        """`22, 80, 8000 - 8100`; an empty list stands for all."""
        texts = []
        while self._at < len(self._tokens) and not self._sees("PRIORITY"):
            texts.append(self._tokens[self._at].text)
            self._at += 1
        if [text.lower() for text in texts] == ["all"]:
            return []
        ranges = []
        for part in "".join(texts).split(","):
            found = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", part)
            if found is None:
                raise FwadmError(f'ports: "{part}" is no port or range of ports')
            first, last = int(found[1]), int(found[2] or found[1])
            if not 1 <= first <= last <= _HIGHEST_PORT:
                raise FwadmError(f'ports: "{part}": ports must be between 1 and {_HIGHEST_PORT}')
            ranges.append((first, last))
        return ranges

    def _types(self) -> str:
        texts = self._repeated("TYPE", self._type)
        pairs = [text.split() for text in texts]
        ordered = sorted(pairs, key=lambda pair: [int(number) for number in pair if number.isdigit()])
        shown = [f"TYPE {pair[0]}" + (f" CODE {pair[1]}" if len(pair) > 1 else "") for pair in ordered]
        return _joined(shown)

    def _type(self) -> str:
        if self._takes("ALL"):
            return "all"
        text = str(self._number(_HIGHEST_TYPE, "type"))
        if self._takes("CODE"):
            text += f" {self._number(_HIGHEST_TYPE, 'code')}"
        return text

    def _repeated(self, keyword: str, one: Callable[[], str]) -> list[str]:
        """`PORT 1`, or `(PORT 1 AND PORT 2)`; each once."""
        many = self._takes("(")
        self._keyword(keyword)
        found = [one()]
        while many and self._takes("AND"):
            self._keyword(keyword)
            found.append(one())
        if many:
            self._keyword(")")
        unique = list(dict.fromkeys(found))
        if len(unique) > MOST_PORTS:
            raise FwadmError(f"maximum of {MOST_PORTS} {keyword.lower()}s allowed")
        return unique

    def _sees(self, keyword: str) -> bool:
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        return token is not None and not token.quoted and token.text.upper() == keyword

    def _takes(self, keyword: str) -> bool:
        if not self._sees(keyword):
            return False
        self._at += 1
        return True

    def _keyword(self, keyword: str) -> None:
        if not self._takes(keyword):
            raise self._unexpected(f"'{keyword}'")

    def _one_of(self, *keywords: str) -> str:
        for keyword in keywords:
            if self._takes(keyword):
                return keyword
        raise self._unexpected(", ".join(f"'{keyword}'" for keyword in keywords))

    def _word(self, wanted: str) -> str:
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        if token is None or (not token.quoted and token.text in "(),="):
            raise self._unexpected(wanted)
        self._at += 1
        return token.text

    def _number(self, most: int, what: str, *, least: int = 0) -> int:
        text = self._word(what)
        if not re.fullmatch(r"[0-9]{1,5}", text) or not least <= int(text) <= most:
            raise FwadmError(f'{what}: "{text}" must be between {least} and {most}')
        return int(text)

    def _unexpected(self, wanted: str) -> FwadmError:
        if self._at >= len(self._tokens):
            return FwadmError(f"rule: Syntax error at end of input, expected: {wanted}")
        token = self._tokens[self._at]
        return FwadmError(
            f"rule: Syntax error at character {token.place - len(token.text)}: '{token.text}', expected: {wanted}"
        )


def _ports_text(ranges: Sequence[tuple[int, int]]) -> str:
    if not ranges:
        return "PORT all"
    ordered = sorted(set(ranges))
    if len(ordered) > MOST_PORTS:
        raise FwadmError(f"maximum of {MOST_PORTS} ports allowed")
    if any(first != last for first, last in ordered):
        return "PORTS " + ", ".join(str(first) if first == last else f"{first} - {last}" for first, last in ordered)
    return _joined([f"PORT {first}" for first, _ in ordered])


def _joined(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"({' AND '.join(texts)})"


def _checked_uuid(text: str) -> str:
    if not _UUID.fullmatch(text):
        raise FwadmError(f'rule: UUID "{text}" is invalid')
    return text.lower()


def _checked_ip(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError as trouble:
        raise FwadmError(f'rule: IP address "{text}" is invalid') from trouble
    return text


def _checked_subnet(text: str) -> str:
    try:
        if "/" not in text:
            raise ValueError(text)
        ipaddress.ip_network(text, strict=False)
    except ValueError as trouble:
        raise FwadmError(f'rule: Subnet "{text}" is invalid (must be in CIDR format)') from trouble
    return text


_CHECKED: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {"VM": _checked_uuid, "IP": _checked_ip, "SUBNET": _checked_subnet}
)
