"""What protects an object from being taken away."""

from fnmatch import fnmatchcase
from typing import NamedTuple

from reconciler.model.lifecycle import Protect
from reconciler.model.observed import Observed
from reconciler.model.resource import Resource
from reconciler.planning.draft import Draft


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
    for pattern in draft.desired.guardrails.protect:
        if fnmatchcase(str(draft.key(observed.name)), pattern):
            cause = f"the repository's guardrails protect {pattern}"
            return Protection(cause, "change spec.guardrails.protect in repository.yaml first")
    return None
