"""What protects an object from being taken away."""

from fnmatch import fnmatchcase
from typing import NamedTuple

from reconciler.model.key import Key
from reconciler.model.lifecycle import Protect
from reconciler.model.observed import Observed
from reconciler.model.resource import Resource
from reconciler.planning.draft import Draft
from reconciler.planning.words import way_out, whose


class Protection(NamedTuple):
    """A phrase for what protects the object, and how to lift it where the manifest can't."""

    cause: str
    remedy: str = ""


def protection(draft: Draft, observed: Observed, resource: Resource | None = None) -> Protection | None:
    """Whatever protects the object, the host's mark first; a manifest that lifts a protection does so for later revisions."""
    row = draft.row(observed)
    if observed.mark is not None and observed.mark.protect is not Protect.NONE:
        return Protection(f"it is marked protect: {observed.mark.protect} on the host")
    if row is not None and row.lifecycle.protect is not Protect.NONE:
        return Protection(f"it was last applied with protect: {row.lifecycle.protect}")
    if resource is not None and resource.lifecycle.protect is not Protect.NONE:
        return Protection(f"its manifest says protect: {resource.lifecycle.protect}")
    return protection_by_limits(draft, draft.key(observed.name))


def protection_by_limits(draft: Draft, key: Key) -> Protection | None:
    """What the repository's guardrails or the controller's ceilings protect."""
    for limits in draft.limits:
        for pattern in limits.protect:
            if fnmatchcase(str(key), pattern):
                return Protection(f"{whose(limits)} protect {pattern}", way_out(limits, "change", "protect", " first"))
    return None
