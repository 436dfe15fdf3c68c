"""What becomes of our objects that no manifest names any more."""

from reconciler.model.change import Change, Verb
from reconciler.model.key import Key
from reconciler.model.lifecycle import Mode, OnRemoval
from reconciler.model.observed import REMOVAL, Observed
from reconciler.model.plan import Reason
from reconciler.planning.draft import Draft
from reconciler.planning.ownership import Ownership
from reconciler.planning.protection import protection

PUT_BACK = "put the manifest back to keep it; to remove it, put it back with {line}, apply, then remove it again"


def draft_removals(draft: Draft) -> None:
    """Drafts a removal for everything of ours that is not wanted. Nothing is removed unless the source was read whole."""
    if not draft.view.whole or draft.view.manifest.mode is Mode.IGNORE:
        return
    for name, observed in draft.objects.items():
        key = draft.key(name)
        if observed.belongs_to or key in draft.view.resources or name in draft.moved_away or name in draft.spared:
            continue
        match draft.whose(observed):
            case Ownership.OURS:
                draft.ours.add(name)
                _draft_removal(draft, key, observed)
            case Ownership.FOREIGN_COPY:
                draft.block(
                    key,
                    Verb.DELETE,
                    Reason.FOREIGN_COPY,
                    "no manifest names it, and it carries the mark of another machine: a copy that was sent or imported here",
                    "leave it, nothing will touch it; to be rid of this line, clear its dev.reconciler properties on the host",
                )
            case Ownership.UNMARKED | Ownership.OTHER_OWNER | Ownership.MOVED:
                pass


def _draft_removal(draft: Draft, key: Key, observed: Observed) -> None:
    lifecycle = draft.governing(observed)
    if lifecycle is None:
        draft.block(
            key,
            Verb.DELETE,
            Reason.NOT_OURS,
            "its manifest was removed, and neither our ledger nor its mark says how it may go",
            PUT_BACK.format(line="the lifecycle.onRemoval you want"),
        )
        return
    if draft.mode(lifecycle) is Mode.IGNORE:
        return
    verb = {OnRemoval.TRASH: Verb.TRASH, OnRemoval.DELETE: Verb.DELETE, OnRemoval.ORPHAN: Verb.FORGET}[lifecycle.on_removal]
    if verb is Verb.TRASH and draft.kinds[key.kind].needs_no_trash:
        verb = Verb.DELETE
    trashing = draft.trashing(lifecycle) if verb is Verb.TRASH else None
    change = Change(key, verb, observed=observed, trashing=trashing)
    if verb is Verb.FORGET:
        draft.add(change, "its manifest was removed, and onRemoval is orphan", lifecycle, None)
        return
    if protected := protection(draft, observed):
        remedy = (
            f"put the manifest back, or {protected.remedy}"
            if protected.remedy
            else PUT_BACK.format(line="lifecycle.protect: none")
        )
        draft.block(key, verb, Reason.PROTECTED, f"its manifest was removed, but {protected.cause}", remedy)
    elif verb is Verb.TRASH and not draft.kinds[key.kind].has_trash:
        draft.block(
            key,
            verb,
            Reason.UNSUPPORTED,
            f"its manifest was removed and onRemoval is trash, which does not exist for kind {key.kind}",
            PUT_BACK.format(line="lifecycle.onRemoval: delete"),
        )
    else:
        if observed.removal is None:
            draft.wants.add((key.kind, REMOVAL))
        meaning = ""
        if verb is Verb.DELETE and lifecycle.on_removal is OnRemoval.TRASH:
            meaning = f": there is no trash for kind {key.kind}"
        draft.add(change, f"its manifest was removed, and onRemoval is {lifecycle.on_removal}{meaning}", lifecycle, None)
