"""Plans over the trash: what lies in it, bringing it back, letting go of it for good."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.model.change import Change, Verb
from reconciler.model.desired import Desired
from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import DEFAULT_LIFECYCLE, Mode, Protect
from reconciler.model.observed import Observed
from reconciler.model.plan import Plan, PlanSource, Reason
from reconciler.model.trash import Trashed, moment_of
from reconciler.planning.draft import Draft
from reconciler.planning.guardrail import enforce_policy
from reconciler.planning.held import enforce_holds
from reconciler.planning.invariants import check_plan
from reconciler.planning.ownership import Ownership, ownership
from reconciler.planning.planner import host_plan
from reconciler.planning.protection import protection_by_limits
from reconciler.planning.settle import settle
from reconciler.planning.view import HostView
from reconciler.provider.kind import Kind, is_within

_PURGED = replace(DEFAULT_LIFECYCLE, delete_snapshots=True)
"""Whoever purges has seen in the plan what goes, snapshots included."""


@dataclass(frozen=True, slots=True)
class TrashEntry:
    """One object of ours in a host's trash: the key it had, and what it is now."""

    key: Key
    observed: Observed
    trashed: Trashed

    @property
    def name(self) -> ObjectName:
        """The name it has in the trash."""
        return self.observed.name

    @property
    def at(self) -> datetime | None:
        """When it went in; None where the note does not say."""
        return moment_of(self.trashed.at)

    @property
    def expires(self) -> datetime | None:
        """When `purge --expired` may take it; None for never, and for a time that no calendar reaches."""
        at, ttl_s = self.at, self.trashed.ttl_s
        try:
            return at + timedelta(seconds=ttl_s) if at is not None and ttl_s is not None else None
        except OverflowError:
            return None


def trash_entries(view: HostView, owner: str) -> tuple[TrashEntry, ...]:
    """Our objects in a host's trash, the youngest first, by key where they went in together."""
    facts = view.inventory.facts
    host_id = facts.host_id if facts is not None else ""
    found = [
        TrashEntry(Key(view.name, *observed.mark.name), observed, observed.trashed)
        for observed in view.inventory.objects.values()
        if observed.trashed is not None
        and observed.mark is not None
        and observed.is_in_trash
        and ownership(observed, owner, host_id) is Ownership.MOVED
    ]
    found.sort(key=lambda entry: entry.key)
    found.sort(key=lambda entry: entry.trashed.at, reverse=True)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class TrashVerb:
    """What is done with entries: how one of the chosen is drafted, and what is left to do once all refusals are known."""

    draft_one: Callable[[Draft, TrashEntry, Collection[TrashEntry]], None]
    finish: Callable[[Draft], None] = lambda _: None


def plan_trash(
    verb: TrashVerb,
    desired: Desired,
    views: Sequence[HostView],
    kinds: Mapping[str, Kind],
    source: PlanSource,
    created_at: datetime,
    chosen: Collection[TrashEntry],
) -> Plan:
    """Does the same with all chosen entries; what can't be done is blocked."""
    hosts = []
    for view in views:
        facts = view.inventory.facts
        draft = Draft(view, desired, kinds, facts.host_id if facts is not None else "")
        for entry in chosen:
            if entry.key.host == view.name:
                verb.draft_one(draft, entry, chosen)
        _enforce_mode(draft)
        enforce_policy(draft)
        enforce_holds(draft)
        settle(draft)
        verb.finish(draft)
        hosts.append(host_plan(draft))
    made = Plan(source, created_at, tuple(sorted(hosts, key=lambda host: host.host)))
    check_plan(made, kinds)
    return made


def _enforce_mode(draft: Draft) -> None:
    """Whoever works on the trash wants it done now: where nothing may be changed that is refused, not reported."""
    mode = draft.view.manifest.mode
    if mode is Mode.ENFORCE:
        return
    for key in tuple(draft.changes):
        cause, remedy = f"nothing is changed on a host in mode {mode}", "set spec.mode: enforce in its Host manifest first"
        draft.block(key, draft.changes[key].change.verb, Reason.POLICY, cause, remedy, draft.view.manifest.origin)


def _restore(draft: Draft, entry: TrashEntry, chosen: Collection[TrashEntry]) -> None:
    """A container of the entry's that was caught half-way is made whole as well: unmounted, it could not be mounted over the
    entry later."""
    if entry.key.kind != entry.name.kind:
        cause = f"{entry.name} is marked as {entry.key.object}, which it can't be"
        remedy = "write the Kind/name that it had into its dev.reconciler:key on the host, or purge it"
        draft.block(entry.key, Verb.RESTORE, Reason.AMBIGUOUS, cause, remedy)
        return
    observed = replace(entry.observed, name=_name_by_then(entry, chosen))
    change = Change(entry.key, Verb.RESTORE, observed=observed, mark=observed.mark)
    draft.add(change, f"it lies in the trash, group {entry.trashed.group or 'unknown'}", DEFAULT_LIFECYCLE, None)
    for there in _half_restored(draft, entry.key):
        change = Change(draft.key(there.name), Verb.RESTORE, observed=there, mark=there.mark)
        draft.add(change, f"it was caught half-way, and {entry.key.object} lies in it", DEFAULT_LIFECYCLE, None)


def _name_by_then(entry: TrashEntry, chosen: Collection[TrashEntry]) -> ObjectName:
    """The entry's name when its turn comes: an encryption root takes the trash below it along when it is brought back."""
    for other in chosen:
        if other.key.host == entry.key.host and is_within(entry.name.name, other.name.name):
            return entry.name._replace(name=other.key.name + entry.name.name[len(other.name.name) :])
    return entry.name


def _half_restored(draft: Draft, key: Key) -> Iterator[Observed]:
    """Objects of ours that are to contain the key's, bear their own names, and were not made whole yet."""
    kind = draft.kinds[key.kind]
    container = kind.container(key.name)
    while container is not None:
        for holder in kind.contained_in:
            there = draft.objects.get(ObjectName(holder, container))
            if there is None or there.trashed is None:
                continue
            if ownership(there, draft.owner, draft.host_id) is Ownership.OURS:
                yield there
        container = kind.container(container)


def _purge(draft: Draft, entry: TrashEntry, _chosen: Collection[TrashEntry]) -> None:
    key = draft.key(entry.name)
    mark = entry.observed.mark
    if mark is not None and mark.protect is not Protect.NONE:
        cause = f"it is marked protect: {mark.protect} on the host"
        draft.block(key, Verb.DELETE, Reason.PROTECTED, cause, f"restore {entry.key.object}, and lift the protection there")
        return
    if protected := protection_by_limits(draft, entry.key):
        draft.block(key, Verb.DELETE, Reason.PROTECTED, *protected)
        return
    change = Change(key, Verb.DELETE, observed=entry.observed)
    draft.add(change, f"it was {entry.key.object}, and is to be purged from the trash", _PURGED, None)


def _empty_places(draft: Draft) -> None:
    """Has the last purge from a place take the place along, when nothing else is in it."""
    places: dict[str, list[Key]] = {}
    for key in sorted(draft.changes):
        if (container := draft.kinds[key.kind].container(key.name)) is not None:
            places.setdefault(container, []).append(key)
    for place, keys in places.items():
        # Whoever takes snapshots of a whole pool has some of the place too, and it stays with them.
        around = [observed.removal for name, observed in draft.objects.items() if name.name == place]
        if any(removal is not None and (removal.snapshots or removal.obstacles) for removal in around):
            continue
        inside = {name for name in draft.objects if draft.kinds[name.kind].container(name.name) == place}
        if inside == {key.object for key in keys}:
            last = keys[-1]
            drafted = draft.changes[last]
            draft.changes[last] = replace(drafted, change=replace(drafted.change, empties_trash=True))
            draft.after[last] = set(keys[:-1])


RESTORE = TrashVerb(_restore)
"""Back under the names they had, containers first."""

PURGE = TrashVerb(_purge, _empty_places)
"""Destroyed for good, and with them the place that held them where nothing else is left in it."""
