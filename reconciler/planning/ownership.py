"""Whose an object is, by its mark alone."""

from enum import Enum, auto

from reconciler.model.key import ObjectName
from reconciler.model.observed import Observed
from reconciler.model.plan import Reason
from reconciler.provider.kind import Kind


class Ownership(Enum):
    OURS = auto()
    UNMARKED = auto()
    OTHER_OWNER = auto()
    FOREIGN_COPY = auto()
    MOVED = auto()
    """Marked as ours under another name: renamed, by us in a pass that did not end, or behind our back."""


def ownership(observed: Observed, owner: str, host_id: str) -> Ownership:
    """The owner's name, the host's own id and the object's name must all agree for an object to be ours."""
    mark = observed.mark
    if mark is None:
        return Ownership.UNMARKED
    if mark.owner != owner:
        return Ownership.OTHER_OWNER
    if mark.host_id and host_id and mark.host_id != host_id:
        return Ownership.FOREIGN_COPY
    return Ownership.OURS if mark.name == observed.name else Ownership.MOVED


def is_unmanaged(kind: Kind, observed: Observed, owner: str, host_id: str) -> bool:
    """Whether nobody manages the object: no mark of this machine is on it, and its name is not reserved."""
    if kind.observed_only or observed.belongs_to:
        return False
    return ownership(observed, owner, host_id) in (Ownership.UNMARKED, Ownership.FOREIGN_COPY)


def refusal(
    found: Ownership, observed: Observed, formerly: frozenset[ObjectName], *, was_ours: bool = False, was_begun: bool = False
) -> tuple[Reason, str, str] | None:
    """Reason, cause and remedy when a manifest may not have this object; None when it is ours.

    `formerly` holds the names under which a rename of ours may have left it. `was_ours`: the ledger knows it. `was_begun`: an
    action of ours on it had no good end (ZFS makes a dataset first and gives it its properties a moment later).
    """
    name, mark = observed.name, observed.mark
    match found:
        case Ownership.OURS:
            return None
        case Ownership.MOVED:
            assert mark is not None
            if mark.name in formerly:
                return None
            return (
                Reason.AMBIGUOUS,
                f"{name} is marked as {mark.name}: it was renamed on the host",
                f"rename it back on the host, or state metadata.movedFrom: {mark.name.name}",
            )
        case Ownership.UNMARKED:
            if was_ours:
                cause = f"{name} was applied from this repository and does not bear its mark any more"
                return (
                    Reason.NOT_OURS,
                    cause,
                    "take it over again as it is with lifecycle.adopt: ifEqual, or choose another name",
                )
            if was_begun:
                cause = f"{name} exists on the host without our mark; our own create, which had no good end, may have left it"
                remedy = "look at it; take it over with lifecycle.adopt: ifEqual, or destroy it if it is empty"
                return Reason.NOT_OURS, cause, remedy
            how = "take it over as it is with lifecycle.adopt: ifEqual (`reconciler adopt` writes such a manifest)"
            cause = f"{name} exists on the host and was not made by this repository"
            return Reason.NOT_OURS, cause, f"{how}, or choose another name"
        case Ownership.OTHER_OWNER:
            assert mark is not None
            return (
                Reason.OTHER_OWNER,
                f"{name} belongs to the repository {mark.owner!r}",
                f"remove this manifest, or have {mark.owner!r} give the object up (onRemoval: orphan)",
            )
        case Ownership.FOREIGN_COPY:
            return (
                Reason.FOREIGN_COPY,
                f"{name} carries the mark of another machine: it is a copy that was sent or imported here",
                "rename the copy on the host, or clear its dev.reconciler properties and set lifecycle.adopt: ifEqual",
            )
