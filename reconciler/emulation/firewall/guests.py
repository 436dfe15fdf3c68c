"""Which guests of the host a rule is about."""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from reconciler.emulation.firewall.grammar import Target, parse
from reconciler.emulation.firewall.rules import Json
from reconciler.emulation.guests.stored import guests
from reconciler.emulation.state import State

Guest: TypeAlias = Mapping[str, Any]


def local_guests(state: State) -> list[Guest]:
    """The guests of this host."""
    return list(guests(state))


def affected(rule: Json, candidates: list[Guest]) -> list[str]:
    """The uuids of the guests that a rule names by uuid or tag, or as one of all: its owner's, or anybody's when global."""
    parsed = parse(rule["rule"])
    targets = [*parsed.from_targets, *parsed.to_targets]
    return [
        guest["uuid"]
        for guest in candidates
        if (rule.get("global") or guest.get("owner_uuid") == rule.get("owner_uuid"))
        and any(_names(target, guest) for target in targets)
    ]


def _names(target: Target, guest: Guest) -> bool:
    if target.kind == "vm":
        return bool(guest["uuid"] == target.name)
    if target.kind == "tag":
        tags = guest.get("tags", {})
        return target.name in tags and target.value in {None, _text(tags[target.name])}
    return target.kind == "all vms"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
