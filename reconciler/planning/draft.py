"""The working set of one host's planning: changes not yet refused, and refusals."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from reconciler.model.change import Change, Verb
from reconciler.model.desired import Desired
from reconciler.model.guardrails import Guardrails
from reconciler.model.key import Key, ObjectName
from reconciler.model.ledger import LedgerRow
from reconciler.model.lifecycle import Lifecycle, Mode, lower_mode
from reconciler.model.observed import Mark, Observed
from reconciler.model.origin import Origin
from reconciler.model.plan import Blocked, Miss, Reason, Released
from reconciler.model.resource import Resource
from reconciler.model.trash import Trashing
from reconciler.model.value import Value
from reconciler.planning.ownership import Ownership, ownership
from reconciler.planning.view import HostView
from reconciler.provider.contract import Refusal
from reconciler.provider.kind import Kind


@dataclass(frozen=True, slots=True)
class Drafted:
    """A change that has not been refused so far, with what the plan will say about it."""

    change: Change
    why: str
    lifecycle: Lifecycle
    origin: Origin | None = None
    report_only: bool = False


@dataclass
class Draft:
    """Everything decided so far about one host. Planning fills it in one call and hands out an immutable plan.

    `moved_away` gives the new key of objects that are renamed, `carried_by` the key of the rename that takes another along.
    `spared` are objects that a manifest means to rename and may not: whatever else is wrong, they are not pruned. `stamp` is
    what this plan writes on what it puts into the trash: its time and its group. `after` holds waits that no reference tells.
    `refusals` keeps by kind what the backend said of a field at a value: most objects have most of both in common.
    """

    view: HostView
    desired: Desired
    kinds: Mapping[str, Kind]
    host_id: str = ""
    stamp: tuple[str, str] = ("", "")
    changes: dict[Key, Drafted] = field(default_factory=dict)
    blocked: dict[Key, Blocked] = field(default_factory=dict)
    released: list[Released] = field(default_factory=list)
    misses: list[Miss] = field(default_factory=list)
    settled: list[Key] = field(default_factory=list)
    used: list[Key] = field(default_factory=list)
    ours: set[ObjectName] = field(default_factory=set)
    moved_away: dict[ObjectName, Key] = field(default_factory=dict)
    carried_by: dict[Key, Key] = field(default_factory=dict)
    spared: set[ObjectName] = field(default_factory=set)
    wants: set[tuple[str, str]] = field(default_factory=set)
    after: dict[Key, set[Key]] = field(default_factory=dict)
    refusals: dict[str, dict[tuple[str, type, Value], Refusal | None]] = field(default_factory=dict)
    ceilings: Guardrails | None = None

    @property
    def owner(self) -> str:
        return self.desired.owner

    @property
    def limits(self) -> tuple[Guardrails, ...]:
        """What limits this plan, each by itself: the controller's ceilings first, for no commit can lift them."""
        return (self.desired.guardrails,) if self.ceilings is None else (self.ceilings, self.desired.guardrails)

    @property
    def objects(self) -> Mapping[ObjectName, Observed]:
        return self.view.inventory.objects

    def key(self, name: ObjectName) -> Key:
        return Key(self.view.name, *name)

    def mode(self, lifecycle: Lifecycle) -> Mode:
        """The object's mode under the host's ceiling."""
        return lower_mode(lifecycle.mode, self.view.manifest.mode)

    def carries_mark(self, kind: Kind) -> bool:
        """Whether the kind's objects have room for our mark on this host's system."""
        facts = self.view.inventory.facts
        return kind.carries_mark_of(facts.system if facts is not None else "")

    def _is_half_made(self, key: Key, observed: Observed) -> bool:
        """Whether an object lacks something for a whole one, and an action of ours on it had no good end."""
        whole = self.kinds[key.kind].completion
        return key in self.view.unfinished and any(observed.fields.get(name, value) != value for name, value in whole.items())

    def whose(self, observed: Observed) -> Ownership:
        """Whose an object is: by its mark; where there is no room for one, by the ledger, by what it was made with, or because
        we were about to make it when it was not there."""
        found, kind = ownership(observed, self.owner, self.host_id), self.kinds[observed.name.kind]
        if found is not Ownership.UNMARKED or self.carries_mark(kind):
            return found
        key = self.key(observed.name)
        is_derived = kind.is_derived is not None and kind.is_derived(self.owner, key, observed.fields)
        is_ours = is_derived or key in self.view.ledger or key in self.view.begun or self._is_half_made(key, observed)
        return Ownership.OURS if is_ours else found

    def mark(self, resource: Resource) -> Mark | None:
        """The mark that the resource's object must bear; None where there is no room for one."""
        lifecycle = resource.lifecycle
        if not self.carries_mark(self.kinds[resource.key.kind]):
            return None
        return Mark(self.owner, resource.key.object, self.host_id, lifecycle.protect, lifecycle.on_removal)

    def trashing(self, lifecycle: Lifecycle, *, replaced: bool = False) -> Trashing:
        """How something goes into the trash by this plan; the number of its entry is given when all are known."""
        at, group = self.stamp
        return Trashing(at, group, lifecycle.trash_ttl_s, replaced=replaced)

    @cached_property
    def in_trash(self) -> Mapping[ObjectName, Observed]:
        """Our objects in the trash that wait to come back, by the name they had; of several the one that went in last."""
        found: dict[ObjectName, Observed] = {}
        # In the order of names, so that of two that went in at one moment the same one is found on any machine.
        for observed in sorted((one for one in self.objects.values() if one.is_in_trash), key=lambda one: one.name):
            trashed, mark = observed.trashed, observed.mark
            if trashed is None or trashed.replaced or mark is None:
                continue
            if ownership(observed, self.owner, self.host_id) is not Ownership.MOVED:
                continue
            other = found.get(mark.name)
            if other is None or other.trashed is None or other.trashed.at < trashed.at:
                found[mark.name] = observed
        return found

    @cached_property
    def sharing(self) -> Mapping[ObjectName, list[Observed]]:
        """Objects that have a name in common with others on the host, by that name."""
        found: dict[ObjectName, list[Observed]] = {}
        for observed in self.objects.values():
            if observed.shares_name is not None:
                found.setdefault(observed.shares_name, []).append(observed)
        return found

    @cached_property
    def taken_identities(self) -> frozenset[str]:
        """What the host knows objects by whose identity we choose, those in the trash included."""
        return frozenset(
            observed.identity for observed in self.objects.values() if self.kinds[observed.name.kind].chooses_identity
        )

    def add(self, change: Change, why: str, lifecycle: Lifecycle, origin: Origin | None) -> None:
        report_only = self.mode(lifecycle) is Mode.REPORT
        self.changes[change.key] = Drafted(replace(change, owner=self.owner), why, lifecycle, origin, report_only)

    def block(self, key: Key, verb: Verb, reason: Reason, cause: str, remedy: str, origin: Origin | None = None) -> None:
        """Refuses a change; one that was drafted for the key is dropped. The first refusal of a key stands."""
        self.changes.pop(key, None)
        self.blocked.setdefault(key, Blocked(key, verb, reason, cause, remedy, origin))

    def block_drafted(self, key: Key, reason: Reason, cause: str, remedy: str) -> None:
        drafted = self.changes[key]
        self.block(key, drafted.change.verb, reason, cause, remedy, drafted.origin)

    def row(self, observed: Observed) -> LedgerRow | None:
        """What the ledger knows of the object, under its name, else under the name in its mark (a rename half done)."""
        row = self.view.ledger.get(self.key(observed.name))
        return row or (self.view.ledger.get(self.key(observed.mark.name)) if observed.mark is not None else None)

    def governing(self, observed: Observed) -> Lifecycle | None:
        """The lifecycle that was applied last: from the ledger, else as much as the mark says; None when neither knows."""
        if row := self.row(observed):
            return row.lifecycle
        if observed.mark is None or observed.mark.on_removal is None:
            return None
        return Lifecycle(on_removal=observed.mark.on_removal, protect=observed.mark.protect)
