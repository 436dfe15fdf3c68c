"""A plan as the stable JSON document `reconciler.plan/v1`."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from reconciler.model.change import Effect, Verb
from reconciler.model.command import Command
from reconciler.model.hold import Hold
from reconciler.model.observed import Unreadable
from reconciler.model.origin import Origin
from reconciler.model.plan import Action, Blocked, HostPlan, Miss, Plan, Released
from reconciler.model.value import Value
from reconciler.planning.digest import canonical_json, neutral

FORMAT = "reconciler.plan/v1"

_DISTURBING = frozenset({Effect.RESTART, Effect.STAGED})


def plan_document(plan: Plan) -> dict[str, Any]:
    """The whole document, digest included."""
    source: dict[str, Any] = {"path": plan.source.path, "revision": plan.source.revision, "whole": plan.source.whole}
    if plan.source.repository:
        source |= {"repository": plan.source.repository, "ref": plan.source.ref}
    return {
        "format": FORMAT,
        "digest": plan_digest(plan),
        "createdAt": timestamp(plan.created_at),
        "source": source,
        "hosts": [_host(host) for host in plan.hosts],
        "forgotten": list(plan.forgotten),
        "summary": summary(plan),
    }


def plan_digest(plan: Plan) -> str:
    """`sha256:` over the document without times, the source's place and holds (what they refuse is in it); equal for equal
    inputs on any machine."""
    hosts = [
        {name: value for name, value in _host(host, timeless=True).items() if name not in ("observedAt", "holds")}
        for host in plan.hosts
    ]
    content = {
        "format": FORMAT,
        "source": {"revision": plan.source.revision, "whole": plan.source.whole},
        "hosts": hosts,
        "forgotten": list(plan.forgotten),
    }
    return "sha256:" + hashlib.sha256(canonical_json(content)).hexdigest()


def summary(plan: Plan) -> dict[str, int]:
    """How many actions of each verb, and how many refusals."""
    counts = dict.fromkeys([*(verb.value for verb in Verb), "blocked"], 0)
    for host in plan.hosts:
        for action in host.actions:
            counts[action.verb] += 1
        counts["blocked"] += len(host.blocked)
    return counts


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_value(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def blocked_document(blocked: Blocked) -> dict[str, Any]:
    document: dict[str, Any] = {
        "key": str(blocked.key),
        "verb": blocked.verb,
        "reason": blocked.reason,
        "cause": blocked.cause,
        "remedy": blocked.remedy,
    }
    if blocked.origin is not None:
        document["origin"] = _origin(blocked.origin)
    return document


def unreadable_document(trouble: Unreadable) -> dict[str, Any]:
    return {"provider": trouble.provider, "cause": trouble.cause, "remedy": trouble.remedy}


def _host(host: HostPlan, *, timeless: bool = False) -> dict[str, Any]:
    return {
        "host": host.host,
        "observedAt": timestamp(host.observed_at),
        "complete": not (host.unreadable or host.wrong_host),
        "actions": [_action(action, timeless=timeless) for action in host.actions],
        "blocked": [blocked_document(item) for item in host.blocked],
        "released": [_released(item) for item in host.released],
        "misses": [_miss(item) for item in host.misses],
        "pendingRestart": [str(key) for key, _ in host.pending_restart],
        "unmanaged": host.unmanaged,
        "unreadable": [unreadable_document(item) for item in host.unreadable],
        "holds": [hold_document(hold, host.host) for hold in host.holds],
    }


def hold_document(hold: Hold, host: str) -> dict[str, str]:
    """A hold; `target` is the host, or the key of the one object."""
    since, until = timestamp(hold.since), timestamp(hold.until)
    return {"target": hold.target(host), "who": hold.who, "why": hold.why, "since": since, "until": until}


def _action(action: Action, *, timeless: bool) -> dict[str, Any]:
    def told(command: Command) -> dict[str, Any]:
        argv, stdin = neutral(action.change, command) if timeless else (list(command.argv), command.stdin)
        return {"argv": argv, "stdin": stdin, "changes": command.changes}

    document: dict[str, Any] = {
        "id": action.id,
        "key": str(action.key),
        "verb": action.verb,
        "why": action.why,
        "reversible": action.reversible,
        "reportOnly": action.report_only,
        "fields": [
            {
                "name": field.name,
                "before": json_value(field.before),
                "after": json_value(field.after),
                "effect": field.effect,
                **({"firstBootOnly": True} if field.first_boot_only else {}),
            }
            for field in action.change.fields
        ],
        "commands": [told(step.command) for step in action.steps],
        "after": list(action.after),
        "guests": [{"key": str(action.key), "effect": action.effect}] if action.effect in _DISTURBING else [],
        "atRisk": {"bytes": action.at_risk.bytes, "snapshots": action.at_risk.snapshots},
    }
    if action.change.trashing is not None:
        document["trash"] = {"ttlSeconds": action.change.trashing.ttl_s}
    if action.effect is not None:
        document["effect"] = action.effect
    if action.origin is not None:
        document["origin"] = _origin(action.origin)
    return document


def _released(item: Released) -> dict[str, Any]:
    return {"key": str(item.key), "field": item.field, "value": json_value(item.value)}


def _miss(item: Miss) -> dict[str, Any]:
    document: dict[str, Any] = {"key": str(item.key), "field": item.field, "cause": item.cause}
    if item.origin is not None:
        document["origin"] = _origin(item.origin)
    return document


def _origin(origin: Origin) -> dict[str, Any]:
    return {"path": origin.path, "line": origin.line, "column": origin.column}
