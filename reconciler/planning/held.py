"""What is held is left alone: a hold refuses every change of its object, whoever wants it."""

from reconciler.model.change import NAME
from reconciler.model.hold import Hold
from reconciler.model.key import Key, ObjectName
from reconciler.model.plan import Reason
from reconciler.planning.draft import Draft, Drafted
from reconciler.planning.words import moment


def enforce_holds(draft: Draft) -> None:
    """Blocks each drafted change of what is held; what is only reported is no change."""
    if not draft.view.holds:
        return
    for key, drafted in tuple(draft.changes.items()):
        if not drafted.report_only and (hold := _hold_on(draft, key, drafted)) is not None:
            remedy = f"wait, or release it with `reconciler hold {hold.target(draft.view.name)} --release`"
            draft.block_drafted(key, Reason.HELD, _cause(hold), remedy)


def _hold_on(draft: Draft, key: Key, drafted: Drafted) -> Hold | None:
    """The hold on the object of a change, under any name that it has, is to have or bears in its mark (as in the trash); the
    host's before the object's."""
    names = {key.object}
    if (observed := drafted.change.observed) is not None and observed.mark is not None:
        names.add(observed.mark.name)
    if (renamed := drafted.change.field(NAME)) is not None:
        names.add(ObjectName(key.kind, str(renamed.before)))
    return next((hold for hold in draft.view.holds if any(hold.covers(name) for name in names)), None)


def _cause(hold: Hold) -> str:
    what = "its host is held" if hold.name is None else "it is held"
    return f"{what} by {hold.who} until {moment(hold.until)}: {hold.why}"
