"""`fwadm` of SmartOS: argument lists, payloads, strict reading, and our mark (smartos-vmadm.md 11)."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from providers.tools.failures import LOOKS_ANEW, said
from reconciler.model.command import RetryClass
from reconciler.model.errors import InvalidValue, ReadError
from reconciler.model.key import ObjectName, parse_object_name
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.observed import Mark
from reconciler.provider.readers import whole_json

_NOW, _LATER, _LOOK, _NEVER = RetryClass.NOW, RetryClass.LATER, RetryClass.LOOK_AGAIN, RetryClass.NEVER

LIST = ("fwadm", "list", "-j")
ADD = ("fwadm", "add", "-f", "-")
UPDATE = ("fwadm", "update", "-f", "-")
"""Both take the rule as JSON on stdin."""

TABLE = (
    said("a rule must name a guest, a tag or all guests", "name one on one side", _NEVER, "does not affect VMs"),
    said("it exists already", LOOKS_ANEW, _LOOK, "already exists"),
    said("it is not there any more", LOOKS_ANEW, _LOOK, "Unknown rule"),
    said("the guest is not there", "make it first, or take it out of the rule", _LATER, "Could not find VM"),
    said("fwadm does not take the rule", "correct what it names", _NEVER, "nvalid", "yntax error", "is no ", "must be",
         "maximum of", "cannot specify", "cannot mix", "required", "no rule specified"),
    said("we may not do that", "run as root, or with spec.elevate of the Host", _NEVER, "ermission denied", "run as root"),
    said("another fwadm or vmadm is at work", "wait for it to end", _NOW, "acquire", "timed out"),
)  # fmt: skip
"""In order: the first entry with a text that is found decides."""

_BEGINS = "reconciler owner="
_MARK = re.compile(
    r"reconciler owner=(?P<owner>[a-z0-9-]{1,32}) key=(?P<key>\S+)(?: host=(?P<host>\S+))?"
    r"(?: protect=(?P<protect>[a-z]+))?(?: on-removal=(?P<removal>[a-z]+))?(?: \| (?P<rest>.*))?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Listed:
    """One rule of the host. `description` is what somebody wrote there beside our mark."""

    uuid: str
    text: str
    enabled: bool
    log: bool
    description: str
    mark: Mark | None


def delete(uuid: str) -> tuple[str, ...]:
    return ("fwadm", "delete", uuid)


def payload(values: Mapping[str, bool | str]) -> str:
    """A rule as `add` and `update` read it."""
    return json.dumps(dict(values), separators=(",", ":"), sort_keys=True)


def description(mark: Mark | None, rest: str) -> str:
    """A mark as the beginning of a description, before what somebody wrote there: fwadm has no other room for it."""
    if mark is None:
        return rest
    parts = [f"{_BEGINS}{mark.owner}", f"key={mark.name}"]
    if mark.host_id:
        parts.append(f"host={mark.host_id}")
    if mark.protect is not Protect.NONE:
        parts.append(f"protect={mark.protect.value}")
    if mark.on_removal is not None:
        parts.append(f"on-removal={mark.on_removal.value}")
    text = " ".join(parts)
    return f"{text} | {rest}" if rest else text


def read_description(text: str) -> tuple[Mark | None, str]:
    """The mark in a description, and the rest. A damaged mark is none."""
    match = _MARK.fullmatch(text)
    if match is None:
        return None, text
    try:
        name: ObjectName = parse_object_name(match["key"])
        protect = Protect(match["protect"]) if match["protect"] else Protect.NONE
        removal = OnRemoval(match["removal"]) if match["removal"] else None
    except (InvalidValue, ValueError):
        return None, text
    return Mark(match["owner"], name, match["host"] or "", protect, removal), match["rest"] or ""


def read_rules(text: str) -> Iterator[Listed]:
    """The rules that `list -j` prints; ReadError for anything else."""
    found = whole_json(text)
    if not isinstance(found, list) or not text.endswith("\n"):
        raise ReadError(0, "a whole JSON list of rules", text)
    for one in found:
        if not isinstance(one, dict):
            raise ReadError(0, "a rule", str(one))
        uuid, rule = one.get("uuid"), one.get("rule")
        if not (isinstance(uuid, str) and uuid and isinstance(rule, str) and rule):
            raise ReadError(0, "a rule with uuid and rule", str(one))
        written = one.get("description", "")
        mark, rest = read_description(written if isinstance(written, str) else "")
        yield Listed(uuid, rule, _flag(one, "enabled"), _flag(one, "log"), rest, mark)


def _flag(rule: Mapping[str, object], name: str) -> bool:
    value = rule.get(name, False)
    if not isinstance(value, bool):
        raise ReadError(0, f"{name} of a rule to be true or false", str(value))
    return value
