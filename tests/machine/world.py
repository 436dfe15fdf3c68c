"""A host and its manifests in the hands of a test: what can be done to them, and what must hold after each."""

import asyncio
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from hypothesis.stateful import RuleBasedStateMachine

from reconciler.controller.passes import Connections, HostResult, Setting
from reconciler.controller.trash import TrashWork, carry_out_all, look_at_trash
from reconciler.hosts.facts import read_facts
from reconciler.hosts.holds import place_hold, release_hold
from reconciler.hosts.own_names import holds_name
from reconciler.model.errors import ReconcilerError
from reconciler.model.hold import Hold
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import Lifecycle
from reconciler.model.outcome import Outcome, OutcomeState
from reconciler.model.plan import HostPlan, PlanSource
from reconciler.model.resource import Resource
from reconciler.model.value import Value
from reconciler.planning.trash import PURGE, RESTORE, TrashEntry, TrashVerb, plan_trash, trash_entries
from reconciler.store.journal import Journal
from tests.hosts.fakes import Told
from tests.machine.model import (
    MARK,
    PLACE,
    Host,
    Memory,
    made_anew,
    meddled,
    moved_along,
    restorable,
    seen_on,
    stated_properties,
    touched_though_held,
    unconsented,
)
from tests.passes.ground import Ground
from tests.planning.world import resource

Choose = Callable[[Sequence[TrashEntry]], Sequence[TrashEntry]]
Work = tuple[HostPlan, Sequence[TrashEntry], dict[ObjectName, Outcome]]
"""The plan for entries of the trash, the entries, and what became of each that was to be run."""


NOBODY_CAN_HELP = ("there is not enough space", "it has no mountpoint", "its mountpoint holds files")
"""Refusals that no plan foresees: a quota above that was made smaller, a container that is mounted nowhere by now, or that
was unmounted by hand and has something mounted over it since."""


def unforeseen(outcomes: Iterable[Outcome]) -> list[str]:
    """What failed with nothing in its way; what was skipped for that is told by what it waited for."""
    return [str(one) for one in outcomes if one.failure is not None and not one.failure.cause.startswith(NOBODY_CAN_HELP)]


class World(RuleBasedStateMachine):
    """One emulated host, the manifests for it, and what a person remembers of both."""

    system = "omnios"

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.ground = Ground(Path(self.folder.name), self.system)
        self.pool = self.ground.pool
        self.memory = Memory()
        self.wanted: dict[str, Resource] = {}
        self.tag = 0

    def teardown(self) -> None:
        try:
            if sys.exception() is None:
                self.all_comes_back()
        finally:
            self.ground.host.close()
            self.folder.cleanup()

    def by_hand(self, *argv: str) -> bool:
        """A command of an operator, who may be refused; whether it was done."""
        before = seen_on(self.ground) if self.memory.kept else {}
        done = self.ground.host.drift(("zfs", *argv)).exit_code == 0
        if before:
            self.memory.by_hand(before, seen_on(self.ground))
        return done

    def there(self, pick: int) -> str:
        """Something that is on the host below the pool, or a name that is not."""
        listed = [name for name in self.ground.host.storage.names() if name.startswith(f"{self.pool}/") and "@" not in name]
        return listed[pick % len(listed)] if listed else f"{self.pool}/none"

    def stated(self, pick: int) -> str | None:
        return sorted(self.wanted)[pick % len(self.wanted)] if self.wanted else None

    def want(self, name: str, lifecycle: Lifecycle, values: dict[str, Value]) -> None:
        """A Dataset, and what it lies in where nothing is wanted there."""
        parts = name.split("/")
        for end in range(1, len(parts)):
            above = f"{self.pool}/{'/'.join(parts[:end])}"
            self.wanted.setdefault(above, resource("Dataset", above, lifecycle))
        self.wanted[f"{self.pool}/{name}"] = resource("Dataset", f"{self.pool}/{name}", lifecycle, **values)

    def change_hold(self, held: ObjectName | None, *, placed: bool) -> None:
        desired = self.ground.desired(())

        async def scene(setting: Setting, connections: Connections, _journal: Journal) -> None:
            transport = await connections.to(desired.hosts["hv01"])
            facts, _ = await read_facts(transport, (), {}, lambda _: None)
            name, now = holds_name(desired.owner, facts.host_id, "hv01"), setting.now()
            if placed:
                await place_hold(transport, name, Hold(held, "ada@desk", "I look at it", now, now + timedelta(hours=4)))
            else:
                await release_hold(transport, name, held, now)

        self.ground.with_state(scene)
        (self.memory.held.add if placed else self.memory.held.discard)(held)

    def picked(self, pick: int, *, wide: bool) -> list[ObjectName]:
        """The keys in the trash that `choice` will choose."""
        entries: list[TrashEntry] = []
        if self.memory.kept:
            self.trash_work(RESTORE, lambda found: entries.extend(self.choice(pick, wide=wide)(found)) or ())
        return [entry.key.object for entry in entries]

    def choice(self, pick: int, *, wide: bool) -> Choose:
        """One entry; with its group, as far as that waits to come back, when `wide`."""

        def choose(entries: Sequence[TrashEntry]) -> Sequence[TrashEntry]:
            if not entries:
                return ()
            first = entries[pick % len(entries)]
            group = [entry for entry in entries if entry.trashed.group == first.trashed.group and not entry.trashed.replaced]
            return [first, *(entry for entry in group if entry is not first and wide)]

        return choose

    def trash_work(self, verb: TrashVerb, choose: Choose) -> Work | None:
        """Work on the trash as `reconciler trash` does it; None where it was refused: nothing could be seen."""
        desired = self.ground.desired(self.wanted.values())
        source = PlanSource("desired-state", self.ground.revision)

        async def scene(setting: Setting, connections: Connections, journal: Journal) -> Work | None:
            try:
                views = await look_at_trash(setting, desired, connections, ("hv01",))
                chosen = choose(trash_entries(views["hv01"], desired.owner))
                made = plan_trash(verb, desired, tuple(views.values()), setting.registry.kinds, source, setting.now(), chosen)
                work = TrashWork(desired, views, chosen, verb, made)
                done = await carry_out_all(setting, work, connections, journal, Told(), asyncio.Event())
            except ReconcilerError:
                return None
            await journal.flushed()
            if any(each.trouble is not None for each in done):
                return None
            return made.hosts[0], chosen, {one.key.object: one for each in done for one in each.outcomes}

        return self.ground.with_state(scene)

    def restored(self, choose: Choose, *, smoothly: bool) -> None:
        """What can come back is back as it was, and nothing else changed."""
        self.turn_the_page()
        before = seen_on(self.ground)
        work = self.trash_work(RESTORE, choose)
        after = seen_on(self.ground)
        guids = {there.name: guid for guid, there in before.items()}
        chosen = [guids[entry.name.name] for entry in work[1]] if work is not None else list(before)
        for guid, there in before.items():
            now = after[guid]
            assert (now.snapshots, now.referenced) == (there.snapshots, there.referenced), there.name
            halfway = there.noted and not there.in_trash
            moved = replace(there, name=moved_along(before, after, there.name))
            assert guid in chosen or halfway or now == moved, f"nobody asked for {there.name}"
            if guid in self.memory.kept and there.noted and not now.noted:
                assert self.memory.kept[guid].differences(now) == []
        assert after.keys() == before.keys()
        assert touched_though_held(before, after, self.memory.held) == []
        if smoothly:
            assert work is not None
            assert unforeseen(work[2].values()) == []
        if smoothly and work is not None and not any(one.failure for one in work[2].values()):
            keys = [before[guid].key for guid in chosen]
            expected = restorable(before, [guid for guid in chosen if keys.count(before[guid].key) == 1], self.memory.held)
            for guid, key in expected.items():
                assert after[guid].object == key, f"{key} did not come back: {work[0].blocked}"
                assert not after[guid].noted
        self.memory.follow(before, after)

    def purged(self, choose: Choose, *, smoothly: bool) -> None:
        """Nothing is gone but what was asked for, and the place that held it."""
        self.turn_the_page()
        before = seen_on(self.ground)
        work = self.trash_work(PURGE, choose)
        after = seen_on(self.ground)
        names = {entry.name.name for entry in work[1]} if work is not None else set()
        for guid, there in before.items():
            if guid in after:
                assert after[guid] == there or there.name in names, there.name
            elif there.name.endswith(PLACE):
                assert not any(other.name.startswith(f"{there.name}/") for other in after.values())
            else:
                assert work is None or there.name in names, f"nobody asked to destroy {there.name}"
                assert there.is_entry, there.name
                assert there.protect == "none", there.name
        assert after.keys() <= before.keys()
        assert touched_though_held(before, after, self.memory.held) == []
        if smoothly:
            assert work is not None
            assert unforeseen(work[2].values()) == []
            refused = {item.key.name for item in work[0].blocked}
            assert {there.name for there in after.values()} & names <= refused
        # What was to be purged and was cut off half-way may have lost snapshots by consent.
        self.memory.by_hand(before, after)

    def all_comes_back(self) -> None:
        """At the end of each life: what lies in the trash can be brought back as it was, as far as there is room for it."""
        for held in tuple(self.memory.held):
            self.change_hold(held, placed=False)

        def one_of_each_key(entries: Sequence[TrashEntry]) -> Sequence[TrashEntry]:
            return tuple({entry.key: entry for entry in reversed(entries)}.values())

        for _ in range(4):
            self.restored(one_of_each_key, smoothly=True)
        left = seen_on(self.ground)
        assert restorable(left, list(left), set()) == {}

    def passes(self, *, whole: bool = True) -> HostResult:
        """One pass, after which nothing is gone that may not go, and nothing changed that is not ours."""
        self.turn_the_page()
        before = seen_on(self.ground)
        result = self.ground.applied(*self.wanted.values(), whole=whole)
        after = seen_on(self.ground)
        assert unconsented(before, after, self.wanted, self.memory) == []
        assert meddled(before, after, self.wanted) == []
        assert touched_though_held(before, after, self.memory.held) == []
        assert made_anew(before, after) == []
        assert self.brought_back_by_passes(before, after) == []
        self.memory.follow(before, after)
        self.learn(result, after)
        return result

    def brought_back_by_passes(self, before: Host, after: Host) -> list[str]:
        """What is wrong with objects that were on their way into the trash, and were taken back whole."""
        found = []
        for guid, kept in self.memory.kept.items():
            if guid not in after or after[guid].noted:
                continue
            now = after[guid]
            resource = self.wanted.get(now.name)
            stated = stated_properties(resource) if resource is not None else set()
            marks = {prop for prop, _ in kept.there.own ^ now.own if prop.startswith(MARK)}
            found += kept.differences(now, stated | marks | ({"mounted"} if "mountpoint" in stated else set()))
        return found

    def turn_the_page(self) -> None:
        """Each pass is of a revision of its own, so that what it removes is a group of its own."""
        self.tag += 1
        self.ground.revision = f"{self.tag:012d}"

    def learn(self, result: HostResult, after: Host) -> None:
        """What was applied, as the pass itself says: settled, or done without a fault."""
        done = {outcome.key for outcome in result.outcomes if outcome.state is OutcomeState.SUCCEEDED}
        known = done | set(result.final.settled)
        guids = {there.name: guid for guid, there in after.items()}
        for name, one in self.wanted.items():
            if one.key in known and name in guids:
                self.memory.applied[guids[name]] = one.lifecycle
