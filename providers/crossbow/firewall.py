"""Firewall rules: what fwadm lists as fields, and changes as commands."""

from collections.abc import Iterator, Mapping

from providers.crossbow.rules import DESCRIPTION, FROM, PARTS, RULE, TO, guest_of, rule_of
from providers.tools import fwadm
from providers.tools.fwadm_rules import GUEST, Rule, parse_rule, rule_text
from reconciler.model.change import Change, Verb
from reconciler.model.command import Command, Step
from reconciler.model.errors import InvalidValue
from reconciler.model.key import ObjectName
from reconciler.model.observed import Observed, Removal
from reconciler.model.value import Fields, Value
from reconciler.provider.derived import derived_uuid

KIND = "FirewallRule"
_LANE = "fwadm"


def observed_rule(listed: fwadm.Listed, guests: Mapping[str, ObjectName]) -> Observed:
    """A rule by the name in its mark, else by its uuid. One that speaks a language we don't know has only its text."""
    fields: dict[str, Value] = {"enabled": listed.enabled, "log": listed.log, DESCRIPTION: listed.description}
    references: tuple[ObjectName, ...] = ()
    try:
        rule = parse_rule(listed.text)
    except InvalidValue:
        fields[RULE] = " ".join(listed.text.split())
    else:
        fields |= {
            FROM: _named(rule.sources, guests),
            TO: _named(rule.targets, guests),
            "action": rule.action,
            "protocol": rule.protocol,
            "ports": rule.ports,
            "types": rule.types,
            "priority": rule.priority,
            RULE: rule_text(rule),
        }
        if listed.mark is not None:
            uuids = sorted({guest_of(target) for target in (*rule.sources, *rule.targets)})
            references = tuple(guests[uuid] for uuid in uuids if uuid in guests)
    is_marked = listed.mark is not None and listed.mark.name.kind == KIND
    name = listed.mark.name.name if listed.mark is not None and is_marked else listed.uuid
    return Observed(
        ObjectName(KIND, name),
        fields,
        frozenset(fields) - {RULE, "types" if fields.get("ports") else "ports", DESCRIPTION},
        mark=listed.mark if is_marked else None,
        identity=listed.uuid,
        references=references,
        removal=Removal(0, holds_data=False),
    )


def _named(targets: tuple[str, ...], guests: Mapping[str, ObjectName]) -> tuple[str, ...]:
    """Targets with guests by their names; one that is not there keeps its uuid."""

    def named(target: str) -> str:
        guest = guests.get(guest_of(target))
        return f"{GUEST}{guest.name}" if guest is not None else target

    return tuple(sorted(map(named, targets)))


def steps(change: Change) -> Iterator[Step]:
    """The commands of a change; fwadm has one at a time."""
    uuid = change.observed.identity if change.observed is not None else ""
    match change.verb:
        case Verb.CREATE:
            uuid = change.identity or derived_uuid(change.owner, change.key)
            yield _step(fwadm.ADD, _created(change, uuid))
        case Verb.DELETE:
            yield Step(Command(fwadm.delete(uuid)), _LANE, destructive=True)
        case Verb.REPLACE:
            yield Step(Command(fwadm.delete(uuid)), _LANE, destructive=True)
            yield _step(fwadm.ADD, _created(change, change.identity or uuid))
        case Verb.UPDATE | Verb.ADOPT | Verb.RESTORE | Verb.FORGET:
            yield _step(fwadm.UPDATE, _updated(change, uuid))
        case Verb.TRASH:
            return


def _created(change: Change, uuid: str) -> Mapping[str, bool | str]:
    """A whole rule. It is for guests of any owner of SmartOS (`global`): the manifest names the guests that it means."""
    assert change.resource is not None
    fields = change.resource.fields
    found: dict[str, bool | str] = {
        "uuid": uuid,
        "rule": _text(change, fields),
        "enabled": fields.get("enabled") is not False,
        "global": True,
        "description": fwadm.description(change.mark, ""),
    }
    if fields.get("log") is not None:
        found["log"] = fields["log"] is True
    return found


def _updated(change: Change, uuid: str) -> Mapping[str, bool | str]:
    """What changes, and our mark as it must be then."""
    observed = change.observed
    assert observed is not None
    changed = {field.name: field.after for field in change.fields}
    found: dict[str, bool | str] = {
        "uuid": uuid,
        "description": fwadm.description(change.mark, str(observed.fields.get(DESCRIPTION, ""))),
    }
    if not changed.keys().isdisjoint((RULE, *PARTS)):
        found["rule"] = _text(change, {**observed.fields, **_stated(change), **changed})
    found |= {name: changed[name] is True for name in ("enabled", "log") if name in changed}
    return found


def _stated(change: Change) -> Fields:
    return change.resource.fields if change.resource is not None else {}


def _text(change: Change, fields: Fields) -> str:
    """The rule in fwadm's words: as stated, else made of its parts."""
    stated = _stated(change).get(RULE)
    if stated is not None:
        return str(stated)
    rule = rule_of(fields)
    return rule_text(
        Rule(
            _by_uuid(change, rule.sources),
            _by_uuid(change, rule.targets),
            rule.action,
            rule.protocol,
            rule.ports,
            rule.types,
            rule.priority,
        )
    )


def _by_uuid(change: Change, targets: tuple[str, ...]) -> tuple[str, ...]:
    """Targets with guests by uuid; a name that is none of a guest stays, and fwadm refuses it."""

    def by_uuid(target: str) -> str:
        name = guest_of(target)
        found = (change.identities.get(ObjectName(kind, name)) for kind in ("Zone", "VirtualMachine"))
        return f"{GUEST}{next((uuid for uuid in found if uuid), name)}" if name else target

    return tuple(map(by_uuid, targets))


def _step(argv: tuple[str, ...], values: Mapping[str, bool | str]) -> Step:
    return Step(Command(argv, stdin=fwadm.payload(values)), _LANE)


def find(answer: str, change: Change) -> fwadm.Listed | None:
    """The rule that a change is about in the list of all."""
    uuid = change.observed.identity if change.observed is not None else change.identity
    uuid = uuid or derived_uuid(change.owner, change.key)
    return next((listed for listed in fwadm.read_rules(answer) if listed.uuid == uuid), None)


def stated_names(change: Change) -> Mapping[str, ObjectName]:
    """The guests that a change knows, by uuid."""
    return {uuid: name for name, uuid in change.identities.items()}
