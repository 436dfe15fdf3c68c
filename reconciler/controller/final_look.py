"""The look after the actions: at the objects that were changed where that is enough, else at everything.

A pass that changed one object of a thousand need not read the thousand again: the look it began with is seconds old. It is
enough when nothing else can have changed by our doing: all actions ended well, they were few, nothing was renamed, and
nothing lies in or was made from what was changed (a property set on a container shows on what inherits it).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from reconciler.hosts.transport import Transport
from reconciler.model.change import NAME
from reconciler.model.errors import ReadError
from reconciler.model.key import ObjectName
from reconciler.model.observed import Inventory, Observed
from reconciler.model.outcome import Outcome, OutcomeState
from reconciler.model.plan import Action, HostPlan
from reconciler.planning.view import HostView
from reconciler.provider.kind import is_within

MOST_LOOKED_AT = 8
"""One look at an object costs about as much as a hundred objects cost in a look at all (linux-floor.md, ZFS)."""


async def inventory_after(
    plan: HostPlan, view: HostView, outcomes: Sequence[Outcome], transport: Transport
) -> Inventory | None:
    """The pass's first inventory with the changed objects as they are now; None where only a look at everything will do."""
    actions = plan.runnable
    if len(actions) > MOST_LOOKED_AT or any(outcome.state is not OutcomeState.SUCCEEDED for outcome in outcomes):
        return None
    if any(action.change.field(NAME) is not None or _takes_references_along(action) for action in actions):
        return None
    if _others_may_show_it(actions, view):
        return None
    try:
        seen = await asyncio.gather(*(_look(action, view, transport) for action in actions))
    except ReadError:
        return None
    objects = dict(view.inventory.objects)
    for action, observed in zip(actions, seen, strict=True):
        if observed is None:
            objects.pop(action.key.object, None)
        elif not _tells_all(observed, action):
            return None
        else:
            objects[action.key.object] = observed
    return replace(view.inventory, objects=objects)


def _takes_references_along(action: Action) -> bool:
    """Whether an object went into the trash and may go on using others there, under a name that this look does not find."""
    change = action.change
    return change.trashing is not None and change.observed is not None and bool(change.observed.references)


def _tells_all(observed: Observed, action: Action) -> bool:
    """Whether a look at the one object shows all that its manifest states; some tools need more than one command for that."""
    resource = action.change.resource
    return resource is None or resource.fields.keys() <= observed.fields.keys()


def _others_may_show_it(actions: Sequence[Action], view: HostView) -> bool:
    """Whether some object that was not changed itself lies in, or was made from, one that was."""
    changed = {action.key.object for action in actions}
    names = {name.name for name in changed}
    return any(
        name not in changed and (_depends(observed, changed) or any(is_within(name.name, other) for other in names))
        for name, observed in view.inventory.objects.items()
    )


def _depends(observed: Observed, changed: set[ObjectName]) -> bool:
    return any(target in changed for target in observed.references)


async def _look(action: Action, view: HostView, transport: Transport) -> Observed | None:
    backend = view.backends[action.key.kind]
    answer = await transport.run(backend.confirm(action.change).command)
    return backend.confirmed(action.change, answer)
