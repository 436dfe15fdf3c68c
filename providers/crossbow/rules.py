"""FirewallRule: its fields, and what of it fwadm's language says."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, create_model

from providers.crossbow.kinds import BROKEN
from providers.tools.fwadm_rules import (
    ALL,
    ALL_GUESTS,
    ANY,
    GUEST,
    HIGHEST_PRIORITY,
    MOST_PORTS,
    MOST_TARGETS,
    TAG,
    WITH_PORTS,
    WITH_TYPES,
    Rule,
    canonical_address,
    canonical_port,
    canonical_type,
    in_order,
    parse_rule,
    rule_text,
)
from reconciler.model.errors import InvalidValue
from reconciler.model.key import ObjectName
from reconciler.model.value import Fields, Scalar, Value
from reconciler.provider.field import FieldRule
from reconciler.provider.kind import FieldsOf, Kind, Remark, Spec
from reconciler.provider.network import unordered
from reconciler.provider.pydantic_errors import raising_custom

GUEST_KINDS = ("Zone", "VirtualMachine")
"""The kinds of which a rule can name one as `guest/NAME`."""

FROM, TO, RULE = "from", "to", "rule"
DESCRIPTION = "description"
"""What somebody wrote there beside our mark: no field of a manifest, kept when we write the mark."""

PARTS = (FROM, TO, "action", "protocol", "ports", "types", "priority")
"""The fields that `rule` says all at once."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _target(value: object) -> str:
    """One side's entry in canonical form; InvalidValue otherwise."""
    text = value.strip() if isinstance(value, str) else ""
    if text in (ANY, ALL_GUESTS):
        return text
    for begins in (GUEST, TAG):
        if text.startswith(begins):
            rest = text.removeprefix(begins)
            if not rest or rest.startswith("=") or not rest.isprintable() or any(sign in rest for sign in '"\\'):
                remedy = f"write {begins}NAME without quotation marks" if begins == GUEST else "write tag/KEY or tag/KEY=VALUE"
                raise InvalidValue(f"{text!r} names no {begins[:-1]}", remedy=remedy)
            return text
    return canonical_address(text)


def _port(value: object) -> str:
    return canonical_port(str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else "")


def _type(value: object) -> str:
    return canonical_type(str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else "")


def _side(values: list[str] | None) -> list[str] | None:
    found = unordered(values)
    if found is None:
        return None
    if not found or len(found) > MOST_TARGETS:
        raise InvalidValue(f"a side of a rule has 1 to {MOST_TARGETS} entries", remedy="write any, or fewer entries")
    if ANY in found and len(found) > 1:
        raise InvalidValue("any beside other entries means any", remedy="write [any], or leave any out")
    return found


def _numbers(values: list[str] | None) -> list[str] | None:
    found = list(in_order(values)) if values is not None else None
    if found is None:
        return None
    if not found or len(found) > MOST_PORTS:
        raise InvalidValue(f"a rule has 1 to {MOST_PORTS} of these", remedy="write all, or fewer")
    if ALL in found and len(found) > 1:
        raise InvalidValue("all beside others means all", remedy="write [all], or leave all out")
    return found


def _rule(value: Scalar) -> Value:
    rule = parse_rule(str(value))
    _check_names_guests(rule, RULE)
    return rule_text(rule)


def guest_of(target: str) -> str:
    """The name of the guest that a target names; empty where it names none."""
    return target.removeprefix(GUEST) if target.startswith(GUEST) else ""


_Targets = Annotated[
    list[Annotated[str, BeforeValidator(raising_custom(_target))]] | None, AfterValidator(raising_custom(_side))
]
_REFERS = FieldRule(
    refers_to=GUEST_KINDS,
    target=guest_of,
    summary="any, guests/all, guest/NAME, tag/KEY, tag/KEY=VALUE, addresses, networks",
)
_NUMBER: dict[str, Any] = {"type": ["integer", "string"]}


class _RuleSpec(Spec):
    action: Annotated[Literal["allow", "block"] | None, FieldRule(summary="allow or block")] = None
    protocol: Annotated[Literal["tcp", "udp", "icmp", "icmp6"] | None, FieldRule(summary="tcp, udp, icmp or icmp6")] = None
    ports: Annotated[
        list[Annotated[str, BeforeValidator(raising_custom(_port)), Field(json_schema_extra=_NUMBER)]] | None,
        AfterValidator(raising_custom(_numbers)),
        FieldRule(summary='of tcp and udp: 22, "8000-8100", all'),
    ] = None
    types: Annotated[
        list[Annotated[str, BeforeValidator(raising_custom(_type)), Field(json_schema_extra=_NUMBER)]] | None,
        AfterValidator(raising_custom(_numbers)),
        FieldRule(summary='of icmp and icmp6: "8", "3:1" (with its code), all'),
    ] = None
    priority: Annotated[
        int | None, Field(ge=0, le=HIGHEST_PRIORITY), FieldRule(summary="the higher one decides; 0 unless stated")
    ] = None
    enabled: Annotated[bool | None, FieldRule(summary="whether it acts; a new rule does unless stated")] = None
    log: Annotated[bool | None, FieldRule(summary="whether the host logs what it decides")] = None
    rule: Annotated[
        str | None, FieldRule(canonical=_rule, summary="the whole rule in fwadm's own words, instead of its parts")
    ] = None


_fields: dict[str, Any] = {"from": (Annotated[_Targets, _REFERS], None), "to": (Annotated[_Targets, _REFERS], None)}
FirewallRuleSpec = create_model("FirewallRuleSpec", __base__=_RuleSpec, **_fields)
"""A rule; made so because `from` is a word of the language."""


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidValue(
            f"{name!r} can't name a firewall rule", remedy="use letters, digits, - _ and ., at most 64, a letter or digit first"
        )


def _check_spec(fields: Fields) -> None:
    if RULE in fields:
        if both := next((name for name in PARTS if name in fields), ""):
            raise InvalidValue(f"rule says what {both} says", remedy=f"remove rule, or remove {both}", field=both)
        return
    protocol = fields.get("protocol")
    with_types = protocol in WITH_TYPES
    wanted = (FROM, TO, "action", "protocol", *(("types",) if with_types else ("ports",) if protocol in WITH_PORTS else ()))
    if absent := [name for name in wanted if name not in fields]:
        remedy = f"state {', '.join(f'spec.{name}' for name in absent)}, or the whole as spec.rule"
        what = f"a rule for {protocol}" if protocol is not None else "a rule"
        raise InvalidValue(f"{what} needs {', '.join(absent)}", remedy=remedy)
    if (wrong := "ports" if with_types else "types") in fields:
        raise InvalidValue(f"{protocol} has no {wrong}", remedy=f"remove {wrong}", field=wrong)
    _check_names_guests(rule_of(fields), FROM)


def _check_names_guests(rule: Rule, field: str) -> None:
    if not rule.names_guests:
        raise InvalidValue(
            "the rule names no guest of this host, so it can't apply to any",
            remedy="name guests/all, guest/NAME or tag/KEY on one side",
            field=field,
        )


def rule_of(fields: Fields) -> Rule:
    """The rule that the parts make; what is not there is none."""
    priority = fields.get("priority")
    protocol = str(fields.get("protocol"))
    return Rule(
        _texts(fields.get(FROM)),
        _texts(fields.get(TO)),
        str(fields.get("action")),
        protocol,
        _texts(fields.get("ports")) if protocol in WITH_PORTS else (),
        _texts(fields.get("types")) if protocol in WITH_TYPES else (),
        priority if isinstance(priority, int) else 0,
    )


def _texts(value: Value) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


def _told(fields: Fields) -> Iterator[str]:
    """What a person wants to know of a rule before taking it over: all of it, and what somebody wrote there."""
    yield str(fields.get(RULE))
    if description := fields.get(DESCRIPTION):
        yield f"described as {description!r}"


def _without_firewall(fields: Fields, other: FieldsOf) -> Iterator[Remark]:
    """Guests that the rule names and on which no rule acts."""
    for side in (FROM, TO):
        for target in _texts(fields.get(side)):
            kind, _, name = target.partition("/")
            if kind != "guest":
                continue
            stated = next((found for one in GUEST_KINDS if (found := other(ObjectName(one, name))) is not None), None)
            if stated is not None and stated.get("firewallEnabled") is not True:
                cause = f"it names {name}, whose manifest does not say firewallEnabled: true: no rule acts on it"
                yield Remark(f"spec.{side}", cause, f"state spec.firewallEnabled: true for {name}, or take it out of the rule")


FIREWALL_RULE = Kind(
    "FirewallRule",
    FirewallRuleSpec,
    "what may reach or leave guests (SmartOS, Linux)",
    needs_no_trash=True,
    completion={BROKEN: ""},
    lasting=frozenset({BROKEN}),
    remarks=_without_firewall,
    chooses_identity=True,
    check_name=_check_name,
    check_spec=_check_spec,
    told=_told,
)
