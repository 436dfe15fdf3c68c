"""Shapes of the stable JSON documents, as the contract writes them; members may be added, none may go or change its type."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Maybe:
    """A member that may be absent."""

    shape: object


ORIGIN = {"path": str, "line": int, "column": int}
FIELD = {"name": str, "before": object, "after": object, "effect": {"staged", "inPlace", "restart", "replace"}}
ACTION = {
    "id": ID,
    "key": str,
    "verb": {"create", "update", "replace", "trash", "delete", "restore", "adopt", "forget"},
    "effect": Maybe({"staged", "inPlace", "restart", "replace"}),
    "why": str,
    "reversible": bool,
    "reportOnly": bool,
    "origin": Maybe(ORIGIN),
    "fields": [FIELD],
    "commands": [{"argv": [str], "stdin": object, "changes": bool}],
    "after": [ID],
    "guests": [object],
    "atRisk": {"bytes": int, "snapshots": int},
}
BLOCKED = {"key": str, "verb": str, "reason": str, "cause": str, "remedy": str, "origin": Maybe(ORIGIN)}
UNREADABLE = {"provider": str, "cause": str, "remedy": str}
PLAN = {
    "format": {"reconciler.plan/v1"},
    "digest": DIGEST,
    "createdAt": TIME,
    "source": {"path": str, "revision": str, "whole": bool},
    "hosts": [
        {
            "host": str,
            "observedAt": TIME,
            "complete": bool,
            "actions": [ACTION],
            "blocked": [BLOCKED],
            "released": [{"key": str, "field": str, "value": object}],
            "pendingRestart": [str],
            "unmanaged": int,
            "unreadable": [UNREADABLE],
        }
    ],
    "summary": dict.fromkeys(("create", "update", "replace", "trash", "delete", "restore", "adopt", "forget", "blocked"), int),
}
FAILURE = {"cause": str, "remedy": str}
RESULT = {
    "format": {"reconciler.result/v1"},
    "revision": str,
    "hosts": [
        {
            "host": str,
            "converged": bool,
            "outcomes": [
                {
                    "actionId": ID,
                    "key": str,
                    "state": {"succeeded", "failed", "skipped", "cancelled", "unknown"},
                    "attempts": int,
                    "durationSeconds": float,
                    "failure": Maybe(FAILURE),
                }
            ],
            "blocked": [BLOCKED],
        }
    ],
}
CONDITION = {
    "type": {"Ready", "Drifted", "Blocked", "Unreadable", "PendingRestart", "SourceStale"},
    "status": {"True", "False", "Unknown"},
    "reason": str,
    "message": str,
    "since": TIME,
}
STATUS = {
    "format": {"reconciler.status/v1"},
    "hosts": [
        {
            "host": str,
            "revision": {"fetched": str, "applied": str},
            "conditions": [CONDITION],
            "resources": [{"key": str, "conditions": [CONDITION]}],
        }
    ],
}
INVENTORY = {
    "format": {"reconciler.inventory/v1"},
    "host": str,
    "observedAt": TIME,
    "complete": bool,
    "facts": object,
    "observed": [{"key": str, "fields": dict, "owner": object}],
    "unreadable": [UNREADABLE],
}
FINDINGS = {
    "format": {"reconciler.findings/v1"},
    "findings": [
        {
            "severity": {"error", "warning"},
            "path": str,
            "line": int,
            "column": int,
            "key": Maybe(str),
            "cause": str,
            "remedy": str,
        }
    ],
}


def misfits(document: Any, shape: object, place: str = "") -> list[str]:
    """Where a document is not of the shape; empty when it is."""
    match shape:
        case re.Pattern():
            return [] if isinstance(document, str) and shape.fullmatch(document) else [f"{place}: {document!r}"]
        case set():
            return [] if document in shape else [f"{place}: {document!r} is none of {shape}"]
        case [inner]:
            if not isinstance(document, list):
                return [f"{place}: {document!r} is no list"]
            return [bad for number, item in enumerate(document) for bad in misfits(item, inner, f"{place}[{number}]")]
        case Mapping():
            if not isinstance(document, dict):
                return [f"{place}: {document!r} is no mapping"]
            return [bad for name, inner in shape.items() for bad in _member(document, name, inner, f"{place}.{name}")]
        case type():
            wanted = (int, float) if shape is float else shape
            fits = isinstance(document, wanted) and not (shape is int and isinstance(document, bool))
            return [] if fits else [f"{place}: {document!r} is no {shape.__name__}"]
    raise AssertionError(f"{place}: unknown shape {shape!r}")


def _member(document: dict[str, Any], name: str, shape: object, place: str) -> list[str]:
    optional = isinstance(shape, Maybe)
    if name not in document:
        return [] if optional else [f"{place} is missing"]
    return misfits(document[name], shape.shape if isinstance(shape, Maybe) else shape, place)
