"""What a person would remember of a host and its manifests: enough to say what a pass must never do."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import Adopt, Disruption, Lifecycle, Mode, OnRemoval, Protect
from reconciler.model.resource import Resource
from tests.passes.ground import Ground

MARK = "dev.reconciler:"
NOTE = f"{MARK}trash"
OWNER = "default"
PLACE = "/.reconciler-trash"
GIVEN_BACK = frozenset({"canmount", "refreservation", "sharenfs", "sharesmb"})
"""What is changed on the way into the trash, so that an operator who changes it there may see another value afterwards."""

Own = frozenset[tuple[str, str]]
"""Properties that are set on an object itself."""


@dataclass(frozen=True)
class Seen:
    """One dataset or volume as it is on the host; snapshots by guid. `key` is what its mark says, None without one."""

    name: str
    kind: str
    owner: str
    key: ObjectName | None
    is_copy: bool
    protect: str
    on_removal: str
    noted: bool
    own: Own
    snapshots: frozenset[str]
    referenced: int
    mounted: bool = field(compare=False)

    @property
    def object(self) -> ObjectName:
        return ObjectName(self.kind, self.name)

    @property
    def is_ours(self) -> bool:
        return self.owner == OWNER

    @property
    def in_trash(self) -> bool:
        """Not only on its way there or back."""
        return self.noted and self.key is not None and self.key != self.object

    @property
    def is_entry(self) -> bool:
        """In the trash, and ours to bring back or to let go of."""
        return self.in_trash and self.is_ours and not self.is_copy

    @property
    def waits(self) -> bool:
        """Keeps its key from being made anew."""
        return self.is_entry and '"replaced":true' not in dict(self.own)[NOTE]

    @property
    def names(self) -> frozenset[ObjectName | None]:
        """All under which somebody may hold it; None is its host."""
        return frozenset({None, self.object, self.key})


Host = dict[str, Seen]
"""Everything on a host by guid."""


def seen_on(ground: Ground) -> Host:
    """Everything on the host, looked at without any text of a tool."""
    storage = ground.host.storage
    views = [storage.dataset(name) for name in storage.names()]
    snapshots: dict[str, set[str]] = {}
    for view in views:
        if "@" in view.name:
            snapshots.setdefault(view.name.partition("@")[0], set()).add(view.guid)
    found = {}
    for view in views:
        if "@" in view.name:
            continue
        local = {prop: cell.value for prop, cell in view.properties.items() if cell.source == "local"}
        mark = {prop.removeprefix(MARK): value for prop, value in local.items() if prop.startswith(MARK)}
        kind, _, name = mark.get("key", "").partition("/")
        found[view.guid] = Seen(
            view.name,
            "Volume" if view.kind == "volume" else "Dataset",
            mark.get("owner", ""),
            ObjectName(kind, name) if name else None,
            mark.get("host") == "another",
            mark.get("protect", "none"),
            mark.get("on-removal", ""),
            "trash" in mark,
            frozenset(local.items()),
            frozenset(snapshots.get(view.name, ())),
            view.referenced,
            view.mounted,
        )
    return found


@dataclass(frozen=True)
class Kept:
    """An object as it was before it was on its way into the trash, with what was done to it by hand since."""

    there: Seen
    uncertain: frozenset[str] = frozenset()
    """Properties changed by hand that are given back too; `mounted` likewise."""

    def changed_by_hand(self, before: Seen, after: Seen) -> "Kept":
        lost, gained = before.own - after.own, after.own - before.own
        touched = {prop for prop, _ in lost | gained}
        own = frozenset(cell for cell in self.there.own if cell[0] not in touched) | gained
        snapshots = self.there.snapshots - (before.snapshots - after.snapshots) | (after.snapshots - before.snapshots)
        referenced = self.there.referenced + after.referenced - before.referenced
        unsure = touched & GIVEN_BACK
        if touched & {"canmount", "mountpoint"} or before.mounted != after.mounted:
            unsure |= {"mounted"}
        there = replace(self.there, own=own, snapshots=snapshots, referenced=referenced)
        return Kept(there, self.uncertain | unsure)

    def differences(self, now: Seen, but: Collection[str] = ()) -> list[str]:
        """What came back otherwise than it went, properties of `but` aside."""
        there, spared = self.there, {*self.uncertain, *but, NOTE}
        if now.mounted:
            # zfs-fuse says off, and that it is temporary, of what was made readonly and is mounted.
            spared.add("readonly")
        found = []
        if own := sorted(cell for cell in there.own ^ now.own if cell[0] not in spared):
            found.append(f"{now.name} came back with other properties: {own}")
        if there.snapshots != now.snapshots:
            found.append(f"{now.name} came back with other snapshots")
        if there.referenced != now.referenced:
            found.append(f"{now.name} came back with other content")
        if there.mounted and not now.mounted and not {"mounted", "canmount"} & spared:
            found.append(f"{now.name} came back unmounted")
        return found


@dataclass
class Memory:
    """By guid the lifecycle that an object of ours was applied with last, as far as somebody can know it; what was kept in
    the trash; what is held."""

    applied: dict[str, Lifecycle] = field(default_factory=dict)
    kept: dict[str, Kept] = field(default_factory=dict)
    held: set[ObjectName | None] = field(default_factory=set)

    def governing(self, guid: str, there: Seen) -> Lifecycle:
        """What was applied last, else what the mark says, else nothing that permits a thing."""
        known = self.applied.get(guid)
        if known is not None:
            return known
        on_removal = OnRemoval(there.on_removal) if there.on_removal else OnRemoval.ORPHAN
        return Lifecycle(on_removal=on_removal, protect=Protect(there.protect))

    def forget(self) -> None:
        """The ledger is lost."""
        self.applied.clear()

    def follow(self, before: Host, after: Host) -> None:
        """Remembers what has gone into the trash, and lets go of what has left it."""
        for guid, now in after.items():
            if now.noted and guid not in self.kept and guid in before:
                self.kept[guid] = Kept(before[guid])
            if now.in_trash:
                self.applied.pop(guid, None)
        self.kept = {guid: kept for guid, kept in self.kept.items() if guid in after and after[guid].noted}

    def by_hand(self, before: Host, after: Host) -> None:
        """Remembers what somebody did to what lies in the trash, or was on its way."""
        for guid, kept in self.kept.items():
            if guid in before and guid in after:
                self.kept[guid] = kept.changed_by_hand(before[guid], after[guid])
        self.follow(before, after)


def unconsented(before: Host, after: Host, wanted: dict[str, Resource], memory: Memory) -> list[str]:
    """What a pass took away without consent, in words."""
    return [line for guid, there in before.items() for line in _unconsented(guid, there, after.get(guid), wanted, memory)]


def _unconsented(guid: str, there: Seen, now: Seen | None, wanted: dict[str, Resource], memory: Memory) -> list[str]:
    lost = there.snapshots - (now.snapshots if now is not None else frozenset())
    if now is not None and now.referenced < there.referenced:
        return [f"{there.name} has lost content"]
    if there.in_trash and now != there:
        return [f"{there.name} lay in the trash, and was not left alone"]
    is_put_away = now is not None and now.in_trash and not there.in_trash
    if now is not None and not lost and not is_put_away:
        return []
    if not there.is_ours:
        return [f"{there.name} is not ours, and it or its snapshots are gone"]
    resource = wanted.get(there.name)
    known = memory.governing(guid, there)
    last = resource.lifecycle if resource is not None else known
    if Protect.NONE.value != there.protect or known.protect is not Protect.NONE:
        return [f"{there.name} was protected"]
    if last.on_removal is not (OnRemoval.TRASH if is_put_away else OnRemoval.DELETE):
        return [f"{there.name} is gone, and onRemoval was {last.on_removal}"]
    if resource is not None and resource.lifecycle.disruption is not Disruption.REPLACE:
        return [f"{there.name} is gone, and its manifest is there"]
    if lost and not last.delete_snapshots:
        return [f"{there.name} is gone with its snapshots"]
    return []


def meddled(before: Host, after: Host, wanted: dict[str, Resource]) -> list[str]:
    """What a pass did to objects that are not ours and that no manifest may take over, in words."""
    found = []
    for guid, there in before.items():
        if there.is_ours:
            continue
        now = after[guid]
        resource = wanted.get(there.name)
        permitted = _adoptable(there, resource)
        changed = {prop for prop, _ in there.own ^ now.own}
        if now.name != there.name or not changed <= permitted | {
            prop for prop in changed if permitted and prop.startswith(MARK)
        }:
            found.append(f"{there.name} is not ours, and was changed: {sorted(changed)}")
    return found


def _adoptable(there: Seen, resource: Resource | None) -> set[str]:
    """The properties that a manifest permits to change while its object is taken over; empty when it may not be."""
    if resource is None or there.owner or resource.key.object != there.object:
        return set()
    if resource.lifecycle.adopt is Adopt.NEVER or resource.lifecycle.mode is not Mode.ENFORCE:
        return set()
    stated = stated_properties(resource) if resource.lifecycle.adopt is Adopt.ONCE else set()
    return stated | {f"{MARK}owner"}


def stated_properties(resource: Resource) -> set[str]:
    """Those of its properties that a manifest speaks of."""
    return {name.removeprefix("properties.") for name in resource.fields}


def touched_though_held(before: Host, after: Host, held: set[ObjectName | None]) -> list[str]:
    """What changed, went or was made in spite of a hold, in words."""
    touched = [f"{there.name} is held" for guid, there in before.items() if there.names & held and after.get(guid) != there]
    made = [f"{now.name} is held" for guid, now in after.items() if guid not in before and now.names & held]
    # The place of the trash is made along with the first entry, and is nobody's.
    return touched + [line for line in made if PLACE not in line]


def made_anew(before: Host, after: Host) -> list[str]:
    """Keys with an object in the trash for which another one was made all the same."""
    waiting = {there.key for there in before.values() if there.waits} - {there.object for there in before.values()}
    return [now.name for guid, now in after.items() if guid not in before and now.object in waiting]


def moved_along(before: Host, after: Host, name: str) -> str:
    """The name by now of what somebody made inside an entry of the trash: it comes along when that is brought back."""
    for guid, there in before.items():
        if there.in_trash and guid in after and name.startswith(f"{there.name}/"):
            return after[guid].name + name.removeprefix(there.name)
    return name


def restorable(before: Host, chosen: Collection[str], held: set[ObjectName | None]) -> dict[str, ObjectName]:
    """The name by guid of what must come back when the chosen guids are to: its name is free, and what it lay in is there or
    comes back too."""
    taken = {there.name for there in before.values()}
    halfway = {there.name for there in before.values() if there.noted and not there.in_trash and there.names & held}
    datasets = {there.name for there in before.values() if there.kind == "Dataset"}
    coming: dict[str, ObjectName] = {}
    for guid in chosen:
        there = before[guid]
        if not there.is_entry or there.key is None or there.names & held:
            continue
        if there.key.kind == there.kind and there.key.name not in taken:
            coming[guid] = there.key
    while True:
        back = {key.name for key in coming.values() if key.kind == "Dataset"}
        # Where the container stays in the trash, another one that has its name by now is not what the object lay in.
        places = (datasets - {key.name for guid in chosen if (key := before[guid].key) is not None}) | back
        left = {
            guid: key
            for guid, key in coming.items()
            if key.name.rpartition("/")[0] in places and not any(key.name.startswith(f"{name}/") for name in halfway)
        }
        if left == coming:
            return coming
        coming = left
