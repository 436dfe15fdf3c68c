"""Limits on removals, restarts, kinds and verbs: one commit may not take away more than the repository allows."""

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.model.change import REMOVALS, Effect, Verb
from reconciler.model.guardrails import Guardrails
from reconciler.model.key import Key
from reconciler.model.plan import Reason
from reconciler.model.quantity import approximate_size
from reconciler.planning.draft import Draft, Drafted
from reconciler.planning.items import removed_data
from reconciler.planning.words import counted, way_out, whose

SHARE_COUNTS_FROM = 10
"""Managed objects below which a share says nothing."""


def enforce_policy(draft: Draft) -> None:
    """Blocks verbs and kinds that the repository or the controller forbids."""
    for key, drafted in tuple(draft.changes.items()):
        for limits in draft.limits:
            if key.kind in limits.forbid_kinds:
                _forbid(draft, key, limits, f"kind {key.kind}", "forbidKinds")
                break
            if drafted.change.verb in limits.forbid_verbs:
                _forbid(draft, key, limits, f"the verb {drafted.change.verb}", "forbidVerbs")
                break


def _forbid(draft: Draft, key: Key, limits: Guardrails, what: str, where: str) -> None:
    remedy = f"take the change back, or {way_out(limits, 'change', where)}"
    draft.block_drafted(key, Reason.POLICY, f"{whose(limits)} forbid {what}", remedy)


def _smaller(limits: Guardrails, limit: str) -> str:
    return f"remove fewer things at a time, or {way_out(limits, 'raise', limit, ' in a commit of its own')}"


def _allowed(limits: Guardrails, number: object) -> str:
    return f"allowed are {number}" + (f" by {whose(limits)}" if limits.ceiling else "")


@dataclass(frozen=True, slots=True)
class Taken:
    """Removals of this revision on hosts that are planned apart."""

    count: int = 0
    bytes: int = 0


NOTHING_TAKEN = Taken()


def enforce_guardrails(drafts: Sequence[Draft], elsewhere: Taken) -> bool:
    """Blocks all removals (restarts) of the hosts concerned where a limit is exceeded; returns whether any tripped."""
    trips = [_enforce_on_host(draft, limits) for draft in drafts for limits in draft.limits]
    if drafts:
        trips += [_enforce_on_tree(drafts, limits, elsewhere) for limits in drafts[0].limits]
    return any(trips)


def _enforce_on_host(draft: Draft, limits: Guardrails) -> bool:
    tripped = False
    removals = _removals(draft)
    if cause := _host_trip(draft, _count(draft), limits):
        tripped = True
        _block(draft, removals, *cause)
    restarts = [key for key, drafted in _runnable(draft) if _restarts(drafted)]
    if len(restarts) > limits.restarts_per_host:
        tripped = True
        allowed = _allowed(limits, limits.restarts_per_host)
        cause_text = f"this host would see {counted(len(restarts), 'restart')}, {allowed}"
        _block(draft, restarts, cause_text, _smaller(limits, "restarts.perHost"))
    return tripped


def _enforce_on_tree(drafts: Sequence[Draft], limits: Guardrails, elsewhere: Taken) -> bool:
    trip = _tree_trip(drafts, limits, elsewhere)
    if trip is not None:
        for draft in drafts:
            _block(draft, _removals(draft), *trip)
    return trip is not None


def _host_trip(draft: Draft, count: int, limits: Guardrails) -> tuple[str, str] | None:
    if count > limits.removals_per_host:
        cause = f"{counted(count, 'removal')} on this host, {_allowed(limits, limits.removals_per_host)}"
        return cause, _smaller(limits, "removals.perHost.count")
    managed, share = len(draft.ours), limits.removals_share_percent
    if managed >= SHARE_COUNTS_FROM and count * 100 > share * managed:
        going = f"{count} of {managed} managed objects on this host would go ({count * 100 // managed}%)"
        cause = f"{going}, {_allowed(limits, f'{share}%')}"
        return cause, _smaller(limits, "removals.perHost.share")
    return None


def _tree_trip(drafts: Sequence[Draft], limits: Guardrails, elsewhere: Taken) -> tuple[str, str] | None:
    here = sum(_count(draft) for draft in drafts)
    if here == 0:
        return None
    total = here + elsewhere.count
    if total > limits.removals_total:
        cause = f"{counted(total, 'removal')} over all hosts, {_allowed(limits, limits.removals_total)}"
        return cause, _smaller(limits, "removals.total.count")
    sizes = {key: _bytes(draft.changes[key]) for draft in drafts for key in _removals(draft)}
    size = elsewhere.bytes + sum(sizes.values())
    if size > limits.removals_bytes:
        allowed = _allowed(limits, approximate_size(limits.removals_bytes))
        most = max(sizes, key=lambda key: (sizes[key], key))
        cause = f"{approximate_size(size)} would be removed over all hosts, {allowed}; the largest is {most}"
        cause += f" with {approximate_size(sizes[most])}"
        return cause, _smaller(limits, "removals.bytes")
    return None


def _runnable(draft: Draft) -> list[tuple[Key, Drafted]]:
    return [(key, drafted) for key, drafted in draft.changes.items() if not drafted.report_only]


def _removals(draft: Draft) -> list[Key]:
    return [key for key, drafted in _runnable(draft) if _taken_away(draft, drafted)]


def _count(draft: Draft) -> int:
    return sum(_taken_away(draft, drafted) for _, drafted in _runnable(draft))


def _taken_away(draft: Draft, drafted: Drafted) -> int:
    """What a change takes away, in numbers: the object, or parts of it that hold data."""
    if drafted.change.verb in REMOVALS:
        return 1
    return len(removed_data(draft.kinds[drafted.change.key.kind], drafted.change.fields))


def _restarts(drafted: Drafted) -> bool:
    return drafted.change.verb in (Verb.UPDATE, Verb.ADOPT) and any(
        field.effect is Effect.RESTART for field in drafted.change.fields
    )


def _bytes(drafted: Drafted) -> int:
    observed = drafted.change.observed
    return observed.removal.bytes if observed is not None and observed.removal is not None else 0


def _block(draft: Draft, keys: Sequence[Key], cause: str, remedy: str) -> None:
    for key in keys:
        draft.block_drafted(key, Reason.GUARDRAIL, cause, remedy)
