"""Why an object is to change, in words: its manifest moved, or the host did behind our back."""

from reconciler.model.change import MARK, NAME, ON_REMOVAL, PROTECT, RESTART, FieldChange
from reconciler.model.ledger import LedgerRow
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.planning.renames import Rename
from reconciler.planning.words import listed, shown
from reconciler.provider.kind import Kind


def why(kind: Kind, fields: tuple[FieldChange, ...], row: LedgerRow | None, rename: Rename | None) -> str:
    """Who moved: the manifest, or the host behind our back; `row` is what was applied last. A reason for each sort of field."""
    of_mark = [_why_marked(field, rename) for field in fields if field.name in OF_MARK]
    incomplete = [field for field in fields if field.name in kind.completion]
    left = [
        f"{field.name} is {shown(kind.rule(field.name), field.before)}, as {_who_left(kind, field)} it" for field in incomplete
    ]
    rest = tuple(field for field in fields if field.name not in OF_MARK and field not in incomplete)
    return ", and ".join((*of_mark, *left, *([_why_differing(rest, row)] if rest else [])))


def _who_left(kind: Kind, field: FieldChange) -> str:
    return "somebody or an unfinished action left" if field.name in kind.lasting else "an unfinished action leaves"


OF_MARK = frozenset({NAME, MARK, PROTECT, ON_REMOVAL, RESTART})


def _why_marked(field: FieldChange, rename: Rename | None) -> str:
    match field.name:
        case "name" if rename is not None and rename.carrier is not None:
            return f"it moves with {rename.carrier.object}, from {field.before}"
        case "name":
            return f"it is to be renamed, from {field.before}"
        case "pendingRestart":
            return f"{field.before} was changed before and acts at its next boot, which lifecycle.disruption permits now"
        case "mark":
            return f"an unfinished rename left it marked as {field.before}"
        case "lifecycle.protect" if field.after == Protect.NONE:
            return "its protection is lifted"
        case _:
            says = f"its mark says {field.name}: {field.before}" if field.before else f"its mark does not say {field.name}"
            return f"{says} (from now on a removal destroys it)" if field.after == OnRemoval.DELETE else says


def _why_differing(fields: tuple[FieldChange, ...], row: LedgerRow | None) -> str:
    if row is None:
        return "it differs from its manifest (what was applied last is not recorded)"
    drifted = [field.name for field in fields if field.name in row.fields and row.fields[field.name] == field.after]
    if not drifted:
        return "its manifest changed"
    if len(drifted) == len(fields):
        return "it drifted on the host; its manifest did not change"
    return f"its manifest changed, and {listed(drifted)} drifted on the host"
