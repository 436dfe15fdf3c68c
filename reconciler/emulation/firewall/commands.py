"""The subcommands of fwadm."""

import json
from collections.abc import Callable, Iterable, Sequence

from reconciler.emulation.dashdash import Given, table
from reconciler.emulation.firewall import rules
from reconciler.emulation.firewall.errors import FwadmError, Misused
from reconciler.emulation.firewall.guests import affected, local_guests
from reconciler.emulation.firewall.rules import Json
from reconciler.emulation.images.installed import IS_UUID
from reconciler.emulation.session import Session
from reconciler.emulation.state import State

CHANGING = table(["-j --json", "-n --dryrun", "-v --verbose", "-s --stdout"], ["-f --file", "--createdby"])
LISTING = table(["-j --json", "-p --parsable", "-v --verbose"], ["-o", "-d --delim"])
_COLUMNS = "uuid,enabled,rule"
_WIDTHS = {
    "created_by": 10,
    "description": 15,
    "enabled": 7,
    "global": 6,
    "log": 5,
    "owner_uuid": 36,
    "uuid": 36,
    "version": 20,
}


def add(session: Session, given: Given) -> None:
    """`add [-f F]`: rules and remote guests; a rule that is there unchanged stays as it is."""
    if given.operands:
        raise Misused
    payload = _payload(session, given)
    wanted = [rules.checked_rule(one) for one in _rules_in(payload)]
    local = frozenset(str(guest["uuid"]) for guest in local_guests(session.state))
    remote = [rules.checked_remote(one, local) for one in _objects(payload.get("remoteVMs", []))]
    changed = []
    for one in wanted:
        known = rules.rule_with(session.state, one["uuid"]) if "uuid" in one else None
        if known is None or not rules.same_rule(known, one):
            changed.append(_stored(session, given, one))
    for one in remote:
        _change(session, given, rules.save_remote, one)
    _print_result(session, given, "Added", changed, remote)


def update(session: Session, given: Given) -> None:
    """`update [UUID] [-f F]`: what the objects name is changed, the rest stays."""
    payload = _payload(session, given)
    if given.operands:
        payload = {**payload, "uuid": _uuid(given)}
    changed = []
    for one in _rules_in(payload):
        if "uuid" not in one:
            raise FwadmError("Missing UUID for rule")
        changed += _updated(session, given, one)
    local = frozenset(str(guest["uuid"]) for guest in local_guests(session.state))
    remote = [rules.checked_remote(one, local) for one in _objects(payload.get("remoteVMs", []))]
    for one in remote:
        _change(session, given, rules.save_remote, one)
    _print_result(session, given, "Updated", changed, remote)


def _updated(session: Session, given: Given, change: Json) -> list[Json]:
    known = _rule(session, str(change["uuid"]))
    merged = {**known, **change}
    if change.get("owner_uuid") is not None and "global" not in change:
        merged.pop("global", None)
    if change.get("global") and "owner_uuid" not in change:
        merged.pop("owner_uuid", None)
    checked = rules.checked_rule(merged)
    return [] if rules.same_rule(known, checked) else [_stored(session, given, checked)]


def enable(session: Session, given: Given) -> None:
    """`enable UUID`."""
    _print_result(session, given, "Updated", _updated(session, given, {"uuid": _uuid(given), "enabled": True}), [])


def disable(session: Session, given: Given) -> None:
    """`disable UUID`."""
    _print_result(session, given, "Updated", _updated(session, given, {"uuid": _uuid(given), "enabled": False}), [])


def delete(session: Session, given: Given) -> None:
    """`delete UUID…`."""
    if not given.operands:
        raise Misused
    doomed = [_rule(session, uuid) for uuid in given.operands]
    for rule in doomed:
        _change(session, given, rules.forget_rule, rule)
    _print_result(session, given, "Deleted", doomed, [])


def list_rules(session: Session, given: Given) -> None:
    """`list [-j] [-o FIELDS] [-p [-d CHAR]]`."""
    if given.operands:
        raise Misused
    _print_rules(session, given, rules.all_rules(session.state))


def get(session: Session, given: Given) -> None:
    """`get UUID`: one object, whatever the options."""
    session.line(_json(_rule(session, _uuid(given))))


def vms(session: Session, given: Given) -> None:
    """`vms UUID`: the guests that a rule is about."""
    found = affected(_rule(session, _uuid(given)), local_guests(session.state))
    if "json" in given.flags:
        session.line(_json(found))
        return
    for uuid in found:
        session.line(uuid)


def rules_of(session: Session, given: Given) -> None:
    """`rules VM`: the rules that are about a guest, or a remote one."""
    uuid = _uuid(given)
    candidates = [guest for guest in [*local_guests(session.state), *rules.all_remote(session.state)] if guest["uuid"] == uuid]
    if not candidates:
        raise FwadmError(f'Could not find VM "{uuid}" in VM list')
    _print_rules(session, given, [rule for rule in rules.all_rules(session.state) if affected(rule, candidates)])


def status(session: Session, given: Given) -> None:
    """`status VM`: whether packets of a guest are filtered."""
    guest = _guest(session, _uuid(given))
    running = bool(guest.get("firewall_enabled")) and guest.get("state") == "running"
    session.line(_json({"running": running}) if "json" in given.flags else "running" if running else "stopped")


def start(session: Session, given: Given) -> None:
    """`start VM`."""
    _switch(session, _uuid(given), enabled=True)


def stop(session: Session, given: Given) -> None:
    """`stop VM`."""
    _switch(session, _uuid(given), enabled=False)


def _switch(session: Session, uuid: str, *, enabled: bool) -> None:
    from reconciler.emulation.tools import TOOLS

    _guest(session, uuid)
    inner = Session(state=session.state, system=session.system, now=session.now)
    if TOOLS["vmadm"]().run(inner, ["update", uuid, f"firewall_enabled={'true' if enabled else 'false'}"]):
        raise FwadmError("".join(inner.err).strip())
    session.line(f"Firewall {'started' if enabled else 'stopped'} for VM {uuid}")


def add_remote(session: Session, given: Given) -> None:
    """`add-rvm [-f F]`: one remote guest, a list, or `{"remoteVMs": […]}`."""
    payload = _json_given(session, given)
    found = payload.get("remoteVMs", payload) if isinstance(payload, dict) else payload
    local = frozenset(str(guest["uuid"]) for guest in local_guests(session.state))
    remote = [rules.checked_remote(one, local) for one in _objects([found] if isinstance(found, dict) else found)]
    for one in remote:
        _change(session, given, rules.save_remote, one)
    _print_result(session, given, "Added", [], remote)


def list_remote(session: Session, given: Given) -> None:
    """`list-rvms [-j]`."""
    found = rules.all_remote(session.state)
    if "json" in given.flags:
        session.line(_json(found))
        return
    for guest in found:
        session.line(guest["uuid"])


def get_remote(session: Session, given: Given) -> None:
    """`get-rvm UUID`."""
    session.line(_json(_remote(session, _uuid(given))))


def delete_remote(session: Session, given: Given) -> None:
    """`delete-rvm UUID…`."""
    if not given.operands:
        raise Misused
    doomed = [_remote(session, uuid) for uuid in given.operands]
    for one in doomed:
        _change(session, given, rules.forget_remote, one)
    _print_result(session, given, "Deleted", [], doomed)


def _stored(session: Session, given: Given, rule: Json) -> Json:
    """The rule with its stamp, kept unless nothing is to be done."""
    if "dryrun" in given.flags:
        return {"uuid": "00000000-0000-0000-0000-000000000000", **rule}
    session.begin_part()
    made = rules.stamped(session, rule)
    rules.save_rule(session.state, made)
    return made


def _change(session: Session, given: Given, act: Callable[[State, Json], None], one: Json) -> None:
    if "dryrun" not in given.flags:
        session.begin_part()
        act(session.state, one)


def reads_stdin(given: Given) -> bool:
    """Whether a subcommand that takes a payload takes it from stdin."""
    return given.last("file") in {None, "-"}


def _json_given(session: Session, given: Given) -> object:
    name = given.last("file")
    if reads_stdin(given):
        raw = session.stdin or b""
    else:
        try:
            with session.open_file(str(name)) as file:
                raw = file.read()
        except OSError as trouble:
            raise FwadmError(f'File "{name}" does not exist.') from trouble
    try:
        payload: object = json.loads(raw)
        # Half a character, which JSON can say and no output can.
        json.dumps(payload, ensure_ascii=False).encode()
    except ValueError as trouble:
        raise FwadmError(f"Invalid JSON: {trouble}") from trouble
    return payload


def _payload(session: Session, given: Given) -> Json:
    payload = _json_given(session, given)
    if isinstance(payload, list):
        return {"rules": payload}
    if not isinstance(payload, dict):
        raise FwadmError("Payload must be an object or a list of rules")
    return payload


def _rules_in(payload: Json) -> list[Json]:
    if "rules" in payload or "remoteVMs" in payload:
        return _objects(payload.get("rules", []))
    return [payload]


def _objects(found: object) -> list[Json]:
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise FwadmError("rules and remoteVMs must be arrays of objects")
    return found


def _uuid(given: Given) -> str:
    if len(given.operands) != 1:
        raise Misused
    if not IS_UUID.fullmatch(given.operands[0]):
        raise FwadmError(f'Invalid UUID "{given.operands[0]}"')
    return given.operands[0]


def _rule(session: Session, uuid: str) -> Json:
    found = rules.rule_with(session.state, uuid)
    if found is None:
        raise FwadmError(f"Unknown rule: {uuid}")
    return found


def _remote(session: Session, uuid: str) -> Json:
    found = rules.remote_with(session.state, uuid)
    if found is None:
        raise FwadmError(f"Unknown remote VM: {uuid}")
    return found


def _guest(session: Session, uuid: str) -> Json:
    for guest in local_guests(session.state):
        if guest["uuid"] == uuid:
            return dict(guest)
    raise FwadmError(f'Could not find VM "{uuid}" in VM list')


def _print_result(session: Session, given: Given, verb: str, changed: Sequence[Json], remote: Sequence[Json]) -> None:
    """What was done, and which guests' rules are written anew by it."""
    local = local_guests(session.state)
    about = sorted({uuid for rule in changed for uuid in affected(rule, local)})
    if "json" in given.flags:
        result: Json = {"rules": list(changed), "vms": about}
        session.line(_json({**result, "remoteVMs": list(remote)} if remote else result))
        return
    if changed:
        session.line(f"{verb} rules:")
    for rule in sorted(changed, key=lambda rule: str(rule["uuid"])):
        session.line(f"{rule['uuid']} {'true' if rule['enabled'] else 'false'} {rule['rule']}")
    if remote:
        session.line(f"{verb} remote VMs:")
    for one in remote:
        session.line(str(one["uuid"]))
    if about:
        session.line("VMs updated:")
    for uuid in about:
        session.line(uuid)


def _print_rules(session: Session, given: Given, found: Iterable[Json]) -> None:
    columns = (given.last("o") or _COLUMNS).split(",")
    unknown = [name for name in columns if name not in {*_WIDTHS, "rule"}]
    if unknown:
        raise FwadmError(f"Invalid output field: {unknown[0]}")
    if "json" in given.flags:
        whole = "o" not in given.values
        session.line(_json([rule if whole else {name: rule[name] for name in columns if name in rule} for rule in found]))
        return
    parsable = "parsable" in given.flags
    if not parsable:
        session.line(_row(columns, [name.upper() for name in columns]))
    for rule in found:
        cells = [_cell(rule.get(name), "" if parsable else "-") for name in columns]
        session.line((given.last("delim") or ":").join(cells) if parsable else _row(columns, cells))


def _row(columns: Sequence[str], cells: Sequence[str]) -> str:
    return " ".join(cell.ljust(_WIDTHS.get(name, 0)) for name, cell in zip(columns, cells, strict=True)).rstrip()


def _cell(value: object, absent: str) -> str:
    return absent if value is None else value if isinstance(value, str) else json.dumps(value)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
