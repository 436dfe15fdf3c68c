"""Rules and remote guests as a host keeps them: JSON in rows, checked when they come in."""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from reconciler.emulation.firewall.errors import FwadmError
from reconciler.emulation.firewall.grammar import parse
from reconciler.emulation.images.installed import IS_UUID
from reconciler.emulation.parts import Part
from reconciler.emulation.session import Session
from reconciler.emulation.state import State
from reconciler.emulation.systems import System
from reconciler.emulation.zfs.datasets import numbered_id

# What comes in is JSON that somebody else wrote, and what is kept has the shape that fwadm prints.
Json: TypeAlias = dict[str, Any]

FIREWALL_SCHEMA = """
CREATE TABLE firewall_rule (uuid TEXT PRIMARY KEY, rule TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE remote_guest (uuid TEXT PRIMARY KEY, guest TEXT NOT NULL) WITHOUT ROWID;
"""
_BOOLEANS: Mapping[object, bool] = {True: True, False: False, "true": True, "false": False}
_LONGEST = 255


def _nothing(state: State, system: System, now: float) -> None:
    """A host begins without rules, and keeps the ones that it has."""
    del state, system, now


FIREWALL = Part(FIREWALL_SCHEMA, _nothing, _nothing)


def all_rules(state: State) -> list[Json]:
    """The rules by uuid."""
    return [json.loads(row[0]) for row in state.rows("SELECT rule FROM firewall_rule ORDER BY uuid")]


def rule_with(state: State, uuid: str) -> Json | None:
    """The rule of that uuid."""
    row = state.row("SELECT rule FROM firewall_rule WHERE uuid = ?", uuid)
    return json.loads(row[0]) if row else None


def save_rule(state: State, rule: Json) -> None:
    """Writes a rule, new or known."""
    state.write("INSERT OR REPLACE INTO firewall_rule VALUES (?, ?)", rule["uuid"], json.dumps(rule))


def forget_rule(state: State, rule: Json) -> None:
    """Removes a rule."""
    state.write("DELETE FROM firewall_rule WHERE uuid = ?", rule["uuid"])


def all_remote(state: State) -> list[Json]:
    """The remote guests by uuid."""
    return [json.loads(row[0]) for row in state.rows("SELECT guest FROM remote_guest ORDER BY uuid")]


def remote_with(state: State, uuid: str) -> Json | None:
    """The remote guest of that uuid."""
    row = state.row("SELECT guest FROM remote_guest WHERE uuid = ?", uuid)
    return json.loads(row[0]) if row else None


def save_remote(state: State, guest: Json) -> None:
    """Writes a remote guest, new or known."""
    state.write("INSERT OR REPLACE INTO remote_guest VALUES (?, ?)", guest["uuid"], json.dumps(guest))


def forget_remote(state: State, guest: Json) -> None:
    """Removes a remote guest."""
    state.write("DELETE FROM remote_guest WHERE uuid = ?", guest["uuid"])


def checked_rule(given: Json) -> Json:
    """A rule as it is kept, without uuid and version when it came without; raises FwadmError with all that is wrong."""
    wrong: list[str] = []
    rule: Json = {name: given[name] for name in ("created_by", "description") if given.get(name) is not None}
    wrong += [
        f"{name}: must be a string of at most {_LONGEST} characters"
        for name, value in rule.items()
        if not isinstance(value, str) or len(value) > _LONGEST
    ]
    for name in ("enabled", "global", "log"):
        value = given.get(name)
        if not isinstance(value, bool | str | None) or (value is not None and value not in _BOOLEANS):
            wrong.append(f"{name} must be true or false")
        elif name == "enabled" or _BOOLEANS.get(value):
            rule[name] = _BOOLEANS.get(value, False)
    owner = given.get("owner_uuid")
    if owner is not None and "global" in rule:
        wrong.append("cannot specify both global and owner_uuid")
    elif owner is None and "global" not in rule:
        wrong.append("owner_uuid required")
    elif owner is not None:
        rule["owner_uuid"] = owner
    wrong += [
        f'{name}: invalid UUID "{given[name]}"'
        for name in ("uuid", "owner_uuid")
        if given.get(name) is not None and not IS_UUID.fullmatch(str(given[name]))
    ]
    if not isinstance(given.get("rule"), str):
        wrong.append("no rule specified")
    else:
        try:
            rule["rule"] = parse(given["rule"]).text
        except FwadmError as refused:
            wrong += refused.messages
    if wrong:
        raise FwadmError(*wrong)
    return rule | {name: given[name] for name in ("uuid", "version") if given.get(name) is not None}


def stamped(session: Session, rule: Json) -> Json:
    """The rule with a uuid, if it has none, and a new version."""
    number = session.state.next_number("firewall")
    uuid = rule.get("uuid") or _uuid(session.state, number)
    return {**rule, "uuid": uuid, "version": f"{int(session.now * 1000)}.{number:06d}"}


def _uuid(state: State, number: int) -> str:
    high, low = (numbered_id(state.fact("seed"), (number << 32) + half) for half in (1, 2))
    digits = f"{high:016x}{low:016x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


def same_rule(one: Json, other: Json) -> bool:
    """Whether two rules differ in nothing but the version."""
    return {**one, "version": ""} == {**other, "version": ""}


def checked_remote(given: Json, locals_: frozenset[str]) -> Json:
    """A remote guest as it is kept; raises FwadmError. A whole guest as vmadm prints it will do."""
    uuid = given.get("uuid")
    if uuid is None:
        raise FwadmError("Remote VM must have UUID")
    if not IS_UUID.fullmatch(str(uuid)):
        raise FwadmError(f'Invalid UUID "{uuid}" for remote VM')
    if uuid in locals_:
        raise FwadmError(f'Remote VM "{uuid}" must not have the same UUID as a local VM')
    if not isinstance(given.get("tags", {}), dict):
        raise FwadmError(f'Remote VM "{uuid}": tags must be an object')
    ips = given.get("ips", _nic_ips(given.get("nics")))
    if not isinstance(ips, list) or not ips:
        raise FwadmError(f'Remote VM "{uuid}": missing IPs')
    guest: Json = {"uuid": uuid, "enabled": True, "ips": sorted(str(ip).partition("/")[0] for ip in ips)}
    return guest | {name: given[name] for name in ("owner_uuid", "tags") if given.get(name)}


def _nic_ips(nics: object) -> list[object]:
    """The addresses of a guest's nics, in the new form or the old."""
    found = [nic for nic in nics if isinstance(nic, dict)] if isinstance(nics, list) else []
    listed = [nic["ips"] if isinstance(nic.get("ips"), list) else [nic.get("ip")] for nic in found]
    return [ip for ips in listed for ip in ips if ip not in (None, "dhcp", "addrconf")]
