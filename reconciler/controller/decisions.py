"""What a pass decided about each object, for `why`: a document where there is more to say than that it is as wanted."""

from collections.abc import Mapping
from typing import Any

from reconciler.controller.passes import HostResult
from reconciler.model.key import Key
from reconciler.model.lifecycle import Mode
from reconciler.model.outcome import Outcome, OutcomeState
from reconciler.model.plan import Action
from reconciler.planning.render_json import json_value
from reconciler.planning.view import HostView
from reconciler.store.decisions import SETTLED


def decisions(view: HostView, result: HostResult) -> dict[Key, dict[str, Any]]:
    """Documents by key. Objects that are as wanted and of which nothing was released have none."""
    final = result.final
    decided: dict[Key, dict[str, Any]] = {}
    failed = {outcome.key: outcome for outcome in result.outcomes if outcome.state is not OutcomeState.SUCCEEDED}
    for miss in final.misses:
        found = decided.setdefault(miss.key, {"decision": "expectationMissed", "misses": []})
        found["misses"].append({"field": miss.field, "cause": miss.cause})
    for item in (result.ran or final).released:
        found = decided.setdefault(item.key, {"decision": SETTLED, "released": []})
        found["released"].append({"field": item.field, "value": json_value(item.value)})
    for action in final.actions:
        decided[action.key] = _pending(action, failed.get(action.key)) | _released(decided, action.key)
    for refused in final.blocked:
        decided[refused.key] = {
            "decision": "blocked",
            "verb": refused.verb,
            "reason": refused.reason,
            "cause": refused.cause,
            "remedy": refused.remedy,
            **({"place": str(refused.origin)} if refused.origin is not None else {}),
        }
    settled = frozenset(final.settled)
    for key, resource in view.resources.items():
        if key not in decided and Mode.IGNORE in (resource.lifecycle.mode, view.manifest.mode):
            decided[key] = {"decision": "ignored"}
        elif key not in decided and key not in settled:
            decided[key] = {"decision": "observedOnly"}
    for key, document in decided.items():
        if key in view.resources:
            document["origin"] = str(view.resources[key].origin)
    return decided


def _pending(action: Action, outcome: Outcome | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "decision": "reportOnly" if action.report_only else "pending",
        "verb": action.verb,
        "why": action.why,
        "fields": [
            {"name": field.name, "before": json_value(field.before), "after": json_value(field.after)}
            for field in action.change.fields
        ],
    }
    if outcome is not None:
        document["outcome"] = outcome.state
        if outcome.failure is not None:
            document |= {"cause": outcome.failure.cause, "remedy": outcome.failure.remedy}
        if outcome.command:
            document["command"] = outcome.command
    return document


def _released(decided: Mapping[Key, Mapping[str, Any]], key: Key) -> dict[str, Any]:
    return {"released": decided[key]["released"]} if "released" in decided.get(key, {}) else {}
