"""Limits on removals, restarts, kinds and verbs: one commit may not take away more than the repository allows."""

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.model.change import REMOVALS, Effect, Verb
from reconciler.model.guardrails import Guardrails
from reconciler.model.key import Key
from reconciler.model.plan import Reason
from reconciler.model.quantity import approximate_size
from reconciler.planning.draft import Draft, Drafted
from reconciler.planning.words import counted

SHARE_COUNTS_FROM = 10
"""Managed objects below which a share says nothing."""

_SMALLER = "remove fewer things at a time, or raise {limit} in repository.yaml in a commit of its own"


def enforce_policy(draft: Draft, guardrails: Guardrails) -> None:
    """Blocks verbs and kinds that the repository forbids."""
    for key, drafted in tuple(draft.changes.items()):
        if key.kind in guardrails.forbid_kinds:
            _forbid(draft, key, f"kind {key.kind}", "forbidKinds")
        elif drafted.change.verb in guardrails.forbid_verbs:
            _forbid(draft, key, f"the verb {drafted.change.verb}", "forbidVerbs")


def _forbid(draft: Draft, key: Key, what: str, where: str) -> None:
    remedy = f"take the change back, or change spec.guardrails.{where} in repository.yaml"
    draft.block_drafted(key, Reason.POLICY, f"the repository's guardrails forbid {what}", remedy)


@dataclass(frozen=True, slots=True)
class Taken:
    """Removals of this revision on hosts that are planned apart."""

    count: int = 0
    bytes: int = 0


NOTHING_TAKEN = Taken()


def enforce_guardrails(drafts: Sequence[Draft], guardrails: Guardrails, elsewhere: Taken) -> bool:
    """Blocks all removals (restarts) of the hosts concerned where a limit is exceeded; returns whether any tripped."""
    tripped = False
    for draft in drafts:
        removals = _removals(draft)
        if cause := _host_trip(draft, len(removals), guardrails):
            tripped = True
            _block(draft, removals, *cause)
        restarts = [key for key, drafted in _runnable(draft) if _restarts(drafted)]
        if len(restarts) > guardrails.restarts_per_host:
            tripped = True
            cause_text = f"this host would see {counted(len(restarts), 'restart')}, allowed are {guardrails.restarts_per_host}"
            _block(draft, restarts, cause_text, _SMALLER.format(limit="spec.guardrails.restarts.perHost"))
    if trip := _tree_trip(drafts, guardrails, elsewhere):
        tripped = True
        for draft in drafts:
            _block(draft, _removals(draft), *trip)
    return tripped


def _host_trip(draft: Draft, count: int, guardrails: Guardrails) -> tuple[str, str] | None:
    if count > guardrails.removals_per_host:
        cause = f"{counted(count, 'removal')} on this host, allowed are {guardrails.removals_per_host}"
        return cause, _SMALLER.format(limit="spec.guardrails.removals.perHost.count")
    managed = len(draft.ours)
    if managed >= SHARE_COUNTS_FROM and count * 100 > guardrails.removals_share_percent * managed:
        cause = f"{count} of {managed} managed objects on this host would go, allowed are {guardrails.removals_share_percent}%"
        return cause, _SMALLER.format(limit="spec.guardrails.removals.perHost.share")
    return None


def _tree_trip(drafts: Sequence[Draft], guardrails: Guardrails, elsewhere: Taken) -> tuple[str, str] | None:
    here = sum(len(_removals(draft)) for draft in drafts)
    if here == 0:
        return None
    total = here + elsewhere.count
    if total > guardrails.removals_total:
        cause = f"{counted(total, 'removal')} over all hosts, allowed are {guardrails.removals_total}"
        return cause, _SMALLER.format(limit="spec.guardrails.removals.total.count")
    size = elsewhere.bytes + sum(_bytes(draft.changes[key]) for draft in drafts for key in _removals(draft))
    if size > guardrails.removals_bytes:
        allowed = approximate_size(guardrails.removals_bytes)
        cause = f"{approximate_size(size)} would be removed over all hosts, allowed are {allowed}"
        return cause, _SMALLER.format(limit="spec.guardrails.removals.bytes")
    return None


def _runnable(draft: Draft) -> list[tuple[Key, Drafted]]:
    return [(key, drafted) for key, drafted in draft.changes.items() if not drafted.report_only]


def _removals(draft: Draft) -> list[Key]:
    return [key for key, drafted in _runnable(draft) if drafted.change.verb in REMOVALS]


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
