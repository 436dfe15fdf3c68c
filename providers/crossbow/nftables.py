"""Firewall rules on Linux: what nft lists as fields, and changes as commands (`providers.tools.nft_rules`)."""

from collections.abc import Iterator, Mapping

from providers.crossbow.kinds import BROKEN
from providers.crossbow.rules import FROM, GUEST_KINDS, PARTS, RULE, TO, guest_of, rule_of
from providers.tools import nft_rules
from providers.tools.fwadm_rules import parse_rule, rule_text
from providers.tools.nft_firewall import RULESET
from providers.tools.nft_rules import SeenRule, Written
from reconciler.model.change import Change, Verb
from reconciler.model.command import Completed, Outputs, Probe, Step
from reconciler.model.errors import InvalidValue, ReadError
from reconciler.model.key import ObjectName
from reconciler.model.observed import Observed, Removal
from reconciler.model.value import Fields, Value
from reconciler.provider.contract import Refusal

KIND = "FirewallRule"
_LANE = "nft-rules"
"""The order of the rules is made anew with each of them."""


def probes(fields: Mapping[str, frozenset[str]]) -> tuple[Probe, ...]:
    """The look at all rules, where somebody asks for them."""
    return (RULESET,) if KIND in fields else ()


def read(outputs: Outputs, fields: Mapping[str, frozenset[str]]) -> Iterator[Observed]:
    """All rules of the host; ReadError for any other shape of output."""
    if KIND in fields:
        yield from map(observed_rule, nft_rules.read_rules(outputs[RULESET.name].stdout))


def observed_rule(seen: SeenRule) -> Observed:
    """A rule. One whose comments can't be read has nothing of what a manifest states."""
    fields: dict[str, Value] = dict.fromkeys((*PARTS, "enabled", "log", RULE))
    references: tuple[ObjectName, ...] = ()
    if seen.written is not None:
        rule = seen.written.rule
        fields |= {
            FROM: rule.sources,
            TO: rule.targets,
            "action": rule.action,
            "protocol": rule.protocol,
            "ports": rule.ports,
            "types": rule.types,
            "priority": rule.priority,
            "enabled": seen.written.is_enabled,
            "log": seen.written.is_logged,
            RULE: rule_text(rule),
        }
        # A name does not tell what kind of guest has it; only one of them can be there.
        guests = sorted({guest_of(target) for target in (*rule.sources, *rule.targets)} - {""})
        references = tuple(ObjectName(kind, guest) for guest in guests for kind in GUEST_KINDS)
    return Observed(
        ObjectName(KIND, seen.name),
        fields | {BROKEN: seen.broken},
        frozenset(fields) - {RULE, "types" if fields["ports"] else "ports"},
        mark=seen.mark,
        identity=seen.name,
        references=references,
        removal=Removal(0, holds_data=False),
    )


def steps(change: Change) -> Iterator[Step]:
    """The command of a change: the rule is always written whole, in one transaction."""
    match change.verb:
        case Verb.DELETE:
            yield Step(nft_rules.delete(change.key.name), _LANE, destructive=True)
        case Verb.TRASH:
            return
        case _:
            yield Step(nft_rules.write(_written(change)), _LANE)


def _written(change: Change) -> Written:
    """The rule as it shall be: what is stated, and else what it was."""
    stated: Fields = change.resource.fields if change.resource is not None else {}
    was: Fields = change.observed.fields if change.observed is not None and change.verb is not Verb.REPLACE else {}
    fields = {**was, **stated, **{field.name: field.after for field in change.fields}}
    text = stated.get(RULE)
    rule = parse_rule(str(text)) if text is not None else rule_of(fields)
    return Written(change.key.name, rule, fields.get("enabled") is not False, fields.get("log") is True, change.mark)


def confirm() -> Probe:
    """One more look at all rules; `confirmed` reads it."""
    return RULESET


def confirmed(change: Change, answer: Completed) -> Observed | None:
    """The rule of a change; None when there is none. ReadError when that is not known."""
    if not answer.succeeded:
        raise ReadError(0, f"{change.key.object}, or that it does not exist", answer.stderr)
    name = change.observed.name.name if change.observed is not None else change.key.name
    return next((observed_rule(seen) for seen in nft_rules.read_rules(answer.stdout) if seen.name == name), None)


def refusal(field: str, value: Value) -> Refusal | None:
    """Why nft can't have a stated field at that value."""
    if field in (FROM, TO):
        return _unspeakable(value if isinstance(value, tuple) else ())
    if field != RULE:
        return None
    try:
        rule = parse_rule(str(value))
    except InvalidValue as wrong:
        return Refusal(str(wrong), wrong.remedy)
    if any(guest_of(target) for target in (*rule.sources, *rule.targets)):
        return Refusal("Linux knows its guests by their names, not by uuids", "write from, to and the rest, with guest/NAME")
    return _unspeakable((*rule.sources, *rule.targets))


def _unspeakable(targets: tuple[object, ...]) -> Refusal | None:
    for target in targets:
        if why := nft_rules.unspeakable(str(target)):
            return Refusal(
                f"nft can't name {str(target)[:60]}: {why}", "choose a shorter or plainer name for the tag or the guest"
            )
    return None
