"""Replacing an object, or making its content anew: only where the manifest permits it and nothing protects what is there."""

from collections.abc import Sequence
from dataclasses import replace

from reconciler.model.change import Change, FieldChange, Verb
from reconciler.model.lifecycle import Disruption, OnRemoval
from reconciler.model.observed import REMOVAL
from reconciler.model.plan import Reason
from reconciler.planning.draft import Draft
from reconciler.planning.identity import makes_another
from reconciler.planning.protection import protection
from reconciler.provider.kind import Kind


def draft_replacement(draft: Draft, kind: Kind, change: Change, replacing: Sequence[FieldChange], why: str) -> None:
    """A replacement, if the manifest permits it and nothing protects what is there. `replacing` are the fields that need it.

    Where they only make the content anew the object stays: there is no old one to keep or to leave.
    """
    resource, observed, field = change.resource, change.observed, replacing[0]
    assert resource is not None
    assert observed is not None
    remade = not makes_another(kind, change)
    key, lifecycle = resource.key, resource.lifecycle
    place = draft.desired.place(resource, f"spec.{field.name}")

    def block(reason: Reason, cause: str, remedy: str) -> None:
        draft.block(key, Verb.REPLACE, reason, cause, remedy, place)

    if lifecycle.disruption is not Disruption.REPLACE:
        block(
            Reason.DISRUPTION,
            f"{field.name} can only change by replacing the object (disruption is {lifecycle.disruption})",
            "take the change back, or permit it with lifecycle.disruption: replace",
        )
    elif protected := protection(draft, observed, resource):
        lift = protected.remedy or "set lifecycle.protect: none in one revision and replace it in a later one"
        block(
            Reason.PROTECTED,
            f"replacing it would remove what is there, and {protected.cause}",
            f"take the change back, or {lift}",
        )
    elif remade:
        if observed.removal is None:
            draft.wants.add((key.kind, REMOVAL))
        draft.add(change, why, lifecycle, resource.origin)
    elif lifecycle.on_removal is OnRemoval.TRASH and not (kind.has_trash or kind.needs_no_trash):
        block(
            Reason.UNSUPPORTED,
            f"there is no trash for kind {key.kind} to keep the old object in",
            "permit losing what is there with lifecycle.onRemoval: delete",
        )
    elif lifecycle.on_removal is OnRemoval.ORPHAN:
        block(
            Reason.NAME_TAKEN,
            "onRemoval: orphan leaves the old object in place, and its name with it",
            "rename the old object on the host, or set lifecycle.onRemoval: delete",
        )
    else:
        if observed.removal is None:
            draft.wants.add((key.kind, REMOVAL))
        if lifecycle.on_removal is OnRemoval.TRASH and kind.has_trash:
            change = replace(change, trashing=draft.trashing(lifecycle, replaced=True))
        draft.add(change, why, lifecycle, resource.origin)
