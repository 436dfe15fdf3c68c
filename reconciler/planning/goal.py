"""Judges one object after, or right before, one of our commands: is the change done, has the object moved?"""

from reconciler.model.change import Change, Verb
from reconciler.model.observed import Observed
from reconciler.planning.diff import difference
from reconciler.planning.items import recognised
from reconciler.provider.kind import Kind


def is_reached(kind: Kind, change: Change, observed: Observed | None) -> bool:
    """Whether the object is as the change wants it, whoever made it so."""
    match change.verb:
        case Verb.DELETE | Verb.TRASH:
            return observed is None
        case Verb.FORGET:
            return observed is not None and observed.mark is None
        case Verb.RESTORE if change.resource is None:
            return observed is not None and observed.mark == change.mark and observed.trashed is None
        case Verb.CREATE | Verb.UPDATE | Verb.REPLACE | Verb.RESTORE | Verb.ADOPT:
            if observed is None or change.resource is None or observed.mark != change.mark:
                return False
            if observed.trashed is not None or observed.stuck:
                return False
            wanted = dict(change.resource.fields)
            if kind.items and change.mark is not None:
                observed = recognised(kind, change.mark.owner, change.key, wanted, observed)
            if change.verb in (Verb.CREATE, Verb.REPLACE, Verb.RESTORE):
                # Made but not completed is not done; where it is no concern of this kind of look, it was not read.
                wanted |= {name: value for name, value in kind.completion.items() if name in observed.fields}
            wanted |= {field.name: field.after for field in change.fields if field.name in kind.completion}
            if change.observed is not None:
                # What was whole may not be left half-done.
                before = change.observed.fields
                whole = {name: value for name, value in kind.completion.items() if before.get(name) == value}
                wanted |= {name: value for name, value in whole.items() if name in observed.fields}
            return difference(kind, wanted, observed, change.resource.lifecycle.ignore).is_empty


def movement(change: Change, observed: Observed | None) -> str:
    """What has become of an object since the plan looked at it, as a phrase; empty when it may be removed as planned.

    Snapshots that have come are no reason to stop where the object keeps them.
    """
    before = change.observed
    assert before is not None
    if observed is None:
        return "it is gone"
    if observed.identity != before.identity:
        return "it is another object of the same name"
    if observed.mark != before.mark:
        return "its mark has changed"
    if observed.removal is None or before.removal is None:
        return "what a removal would cost could not be read"
    new = sorted(set(observed.removal.snapshots) - set(before.removal.snapshots))
    if new and change.trashing is None:
        return f"it has new snapshots: {', '.join(new)}"
    if observed.removal.obstacles:
        return "; ".join(observed.removal.obstacles)
    return ""
