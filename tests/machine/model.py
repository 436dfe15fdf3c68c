"""What a person would remember of a host and its manifests: enough to say what a pass must never do."""

from dataclasses import dataclass, field

from reconciler.model.lifecycle import Disruption, Lifecycle, OnRemoval, Protect
from reconciler.model.resource import Resource
from tests.passes.ground import Ground

MARK = "dev.reconciler:"
OWNER = "default"


@dataclass(frozen=True)
class Seen:
    """One dataset or volume as it is on the host; snapshots by guid."""

    name: str
    owner: str
    protect: str
    on_removal: str
    in_trash: bool
    own: frozenset[tuple[str, str]]
    snapshots: frozenset[str]
    referenced: int

    @property
    def is_ours(self) -> bool:
        return self.owner == OWNER


def seen_on(ground: Ground) -> dict[str, Seen]:
    """Everything on the host by guid, looked at without any text of a tool."""
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
        found[view.guid] = Seen(
            view.name,
            mark.get("owner", ""),
            mark.get("protect", "none"),
            mark.get("on-removal", ""),
            "trash" in mark,
            frozenset(local.items()),
            frozenset(snapshots.get(view.name, ())),
            view.referenced,
        )
    return found


@dataclass
class Memory:
    """By guid the lifecycle that an object of ours was applied with last, as far as somebody can know it."""

    applied: dict[str, Lifecycle] = field(default_factory=dict)

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


def unconsented(before: dict[str, Seen], after: dict[str, Seen], wanted: dict[str, Resource], memory: Memory) -> list[str]:
    """What a pass took away without consent, in words."""
    return [line for guid, there in before.items() for line in _unconsented(guid, there, after.get(guid), wanted, memory)]


def _unconsented(guid: str, there: Seen, now: Seen | None, wanted: dict[str, Resource], memory: Memory) -> list[str]:
    lost = there.snapshots - (now.snapshots if now is not None else frozenset())
    if now is not None and now.referenced < there.referenced:
        return [f"{there.name} has lost content"]
    if now is not None and not lost:
        return []
    if not there.is_ours:
        return [f"{there.name} is not ours, and it or its snapshots are gone"]
    if there.in_trash:
        return [f"{there.name} is gone from the trash"]
    resource = wanted.get(there.name)
    known = memory.governing(guid, there)
    last = resource.lifecycle if resource is not None else known
    if Protect.NONE.value != there.protect or known.protect is not Protect.NONE:
        return [f"{there.name} was protected"]
    if last.on_removal is not OnRemoval.DELETE:
        return [f"{there.name} is gone, and onRemoval was {last.on_removal}"]
    if resource is not None and resource.lifecycle.disruption is not Disruption.REPLACE:
        return [f"{there.name} is gone, and its manifest is there"]
    if lost and not last.delete_snapshots:
        return [f"{there.name} is gone with its snapshots"]
    return []
