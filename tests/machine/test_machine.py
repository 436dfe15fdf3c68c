"""Authors, operators and accidents in any order, and passes between them: what must always hold, whatever went before.

A model host, the real verb and executor, and an emulated host. The choices are the same in every run, so that a failure
is one for everybody; a longer search is HYPOTHESIS_MACHINE_EXAMPLES=1000 with HYPOTHESIS_MACHINE_RANDOM=1.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from reconciler.controller.passes import Connections, HostResult, Setting
from reconciler.controller.trash import TrashWork, carry_out_all, look_at_trash
from reconciler.emulation.faults import Fault, FaultKind
from reconciler.hosts.facts import read_facts
from reconciler.hosts.holds import place_hold, release_hold
from reconciler.hosts.own_names import holds_name
from reconciler.model.errors import ReconcilerError
from reconciler.model.hold import Hold
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import Adopt, Disruption, Lifecycle, Mode, OnRemoval, Protect
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
from tests.planning.world import GIB, MIB, resource

EXAMPLES = int(os.environ.get("HYPOTHESIS_MACHINE_EXAMPLES", "12"))
RANDOM = "HYPOTHESIS_MACHINE_RANDOM" in os.environ
STEPS = 30

PLACES = ("a", "a/b", "a/b/c", "a/d", "e", "e/b")
names = st.sampled_from(PLACES)
picks = st.integers(0, 99)
lifecycles = st.builds(
    Lifecycle,
    on_removal=st.sampled_from([OnRemoval.DELETE, OnRemoval.TRASH, OnRemoval.TRASH, *OnRemoval]),
    delete_snapshots=st.booleans(),
    adopt=st.sampled_from(list(Adopt)),
    protect=st.sampled_from([Protect.NONE, Protect.NONE, Protect.NONE, *Protect]),
    disruption=st.sampled_from([Disruption.NONE, Disruption.REPLACE]),
    mode=st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.ENFORCE, *Mode]),
    ignore=st.sampled_from([(), (), ("properties.quota",), ("properties",)]),
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "properties.quota": st.sampled_from([None, GIB, 2 * GIB]),
        "properties.compression": st.sampled_from([None, "gzip"]),
        "properties.casesensitivity": st.sampled_from(["sensitive", "mixed"]),
        "properties.site:room": st.sampled_from([None, "a", "b c"]),
        "properties.canmount": st.sampled_from(["on", "off", "noauto"]),
        "properties.sharenfs": st.sampled_from([None, "off", "ro"]),
        "properties.refreservation": st.sampled_from([None, 2 * MIB]),
        "properties.mountpoint": st.sampled_from([None, "none"]),
    },
)
faults = st.builds(
    Fault,
    st.sampled_from([FaultKind.FAIL, FaultKind.HALF, FaultKind.LOST_REPLY, FaultKind.TRUNCATE, FaultKind.GARBAGE]),
    argv=st.sampled_from(["^zfs (create|set|inherit|rename|destroy|mount|unmount|clone)", "^zfs", "^zfs get", "^zfs destroy"]),
    skip=st.integers(0, 6),
    times=st.sampled_from([1, 1, 2, None]),
)


Choose = Callable[[Sequence[TrashEntry]], Sequence[TrashEntry]]
Work = tuple[HostPlan, Sequence[TrashEntry], dict[ObjectName, Outcome]]
"""The plan for entries of the trash, the entries, and what became of each that was to be run."""


NOBODY_CAN_HELP = ("there is not enough space", "it has no mountpoint", "its mountpoint holds files")
"""Refusals that no plan foresees: a quota above that was made smaller, a container that is mounted nowhere by now, or that
was unmounted by hand and has something mounted over it since."""


def unforeseen(outcomes: Iterable[Outcome]) -> list[str]:
    """What failed with nothing in its way; what was skipped for that is told by what it waited for."""
    return [str(one) for one in outcomes if one.failure is not None and not one.failure.cause.startswith(NOBODY_CAN_HELP)]


class Life(RuleBasedStateMachine):
    """One host through its life."""

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

    # What authors do.

    @initialize(first=st.lists(st.tuples(names, lifecycles), min_size=2, max_size=5), pick=picks, removed=st.booleans())
    def begin(self, first: list[tuple[str, Lifecycle]], pick: int, removed: bool) -> None:
        for name, lifecycle in first:
            self.want(name, replace(lifecycle, mode=Mode.ENFORCE), {})
        self.apply()
        if removed:
            self.put_into_the_trash(pick, {"properties.sharenfs": "ro"}, filled=True, replaced=False)

    def want(self, name: str, lifecycle: Lifecycle, values: dict[str, Value]) -> None:
        """A Dataset, and what it lies in where nothing is wanted there."""
        parts = name.split("/")
        for end in range(1, len(parts)):
            above = f"{self.pool}/{'/'.join(parts[:end])}"
            self.wanted.setdefault(above, resource("Dataset", above, lifecycle))
        self.wanted[f"{self.pool}/{name}"] = resource("Dataset", f"{self.pool}/{name}", lifecycle, **values)

    @rule(name=names, lifecycle=lifecycles, values=fields, applied=st.booleans())
    def write(self, name: str, lifecycle: Lifecycle, values: dict[str, Value], applied: bool) -> None:
        self.want(name, lifecycle, values)
        self.apply_if(applied)

    @precondition(lambda self: self.ground.has_volumes)
    @rule(name=names, lifecycle=lifecycles, applied=st.booleans())
    def write_volume(self, name: str, lifecycle: Lifecycle, applied: bool) -> None:
        full = f"{self.pool}/{name}-disk"
        self.wanted[full] = resource("Volume", full, lifecycle, size=GIB)
        self.apply_if(applied)

    @rule(pick=picks, applied=st.booleans())
    def take_out(self, pick: int, applied: bool) -> None:
        """The manifest of an object and of all that lies in it goes."""
        if (name := self.stated(pick)) is not None:
            for inner in [each for each in self.wanted if each == name or each.startswith(f"{name}/")]:
                del self.wanted[inner]
        self.apply_if(applied)

    @rule(pick=picks)
    def take_out_one(self, pick: int) -> None:
        if (name := self.stated(pick)) is not None:
            del self.wanted[name]

    @rule(pick=picks, lifecycle=lifecycles, applied=st.booleans())
    def edit_lifecycle(self, pick: int, lifecycle: Lifecycle, applied: bool) -> None:
        if (name := self.stated(pick)) is not None:
            self.wanted[name] = replace(self.wanted[name], lifecycle=lifecycle)
        self.apply_if(applied)

    @rule(pick=picks, name=names, applied=st.booleans())
    def rename(self, pick: int, name: str, applied: bool) -> None:
        """The manifest of an object and of all that lies in it, under another name."""
        old, new = self.stated(pick), f"{self.pool}/{name}"
        if old is None or new in self.wanted or new.startswith(f"{old}/"):
            return
        for inner in [each for each in sorted(self.wanted) if each == old or each.startswith(f"{old}/")]:
            one, moved = self.wanted.pop(inner), new + inner.removeprefix(old)
            stated = {field: value for field, value in one.fields.items() if field != "size"}
            size = {"size": one.fields["size"]} if "size" in one.fields else {}
            origin = old if inner == old else None
            self.wanted.setdefault(moved, resource(one.key.kind, moved, one.lifecycle, moved_from=origin, **stated, **size))
        self.apply_if(applied)

    # What operators and others do.

    @rule(pick=picks, setting=st.sampled_from(["quota=3g", "compression=zle", "site:room=z", "canmount=off", "readonly=on"]))
    def drift(self, pick: int, setting: str) -> None:
        self.by_hand("set", setting, self.there(pick))

    @rule(pick=picks, held=st.booleans())
    def snapshot(self, pick: int, held: bool) -> None:
        self.tag += 1
        if self.by_hand("snapshot", made := f"{self.there(pick)}@s{self.tag}") and held and pick % 4 == 0:
            self.by_hand("hold", "keep", made)

    @rule(pick=picks, name=names, what=st.sampled_from(["make", "make inside", "clone", "fill", "fill", "unmount"]))
    def work(self, pick: int, name: str, what: str) -> None:
        there = self.there(pick)
        match what:
            case "make":
                self.by_hand("create", "-o", "site:room=mine", f"{self.pool}/{name}")
            case "make inside":
                self.by_hand("create", f"{there}/hand")
            case "clone":
                self.tag += 1
                if self.by_hand("snapshot", base := f"{there}@c{self.tag}"):
                    self.by_hand("clone", base, f"{self.pool}/{name}-clone")
            case "fill" if self.ground.host.storage.exists(there):
                before = seen_on(self.ground)
                self.ground.host.storage.write(there, 1 << (16 + pick % 6))
                self.memory.by_hand(before, seen_on(self.ground))
            case _:
                self.by_hand("unmount", there)

    @rule(
        pick=picks,
        name=names,
        what=st.sampled_from(["rename", "destroy", "owner=others", "host=another", "key=Dataset"]),
    )
    def meddle(self, pick: int, name: str, what: str) -> None:
        there = self.there(pick)
        match what:
            case "rename":
                self.by_hand("rename", there, f"{self.pool}/{name}")
            case "destroy":
                self.by_hand("destroy", there)
            case "key=Dataset" if pick % 3 == 0:
                self.by_hand("set", f"{MARK}{what}/{self.pool}/x", there)
            case _ if pick % 3 == 0:
                self.by_hand("set", f"{MARK}{what}", there)

    @rule()
    def lose_the_ledger(self) -> None:
        self.ground.lose_ledger()
        self.memory.forget()

    # What operators ask of the trash, and what they keep from us.

    @rule(pick=picks, values=fields, filled=st.booleans(), replaced=st.booleans())
    def put_into_the_trash(self, pick: int, values: dict[str, Value], filled: bool, replaced: bool) -> None:
        """An object and all that lies in it, applied with the default lifecycle, used, and then removed or replaced."""
        if (top := self.stated(pick)) is None:
            return
        lifecycle = Lifecycle(disruption=Disruption.REPLACE)
        inner = [name for name in self.wanted if name == top or name.startswith(f"{top}/")]
        for name in inner:
            if self.wanted[name].key.kind == "Dataset":
                self.wanted[name] = resource("Dataset", name, lifecycle, **values)
            else:
                self.wanted[name] = replace(self.wanted[name], lifecycle=lifecycle)
        self.apply()
        if filled:
            self.work(pick, "", "fill")
            self.by_hand("snapshot", "-r", f"{top}@s{self.tag}")
        if replaced and self.wanted[top].key.kind == "Dataset":
            other = {"sensitive": "mixed", "mixed": "sensitive"}[str(values.get("properties.casesensitivity", "sensitive"))]
            self.wanted[top] = resource("Dataset", top, lifecycle, **{**values, "properties.casesensitivity": other})
        else:
            for name in inner:
                del self.wanted[name]
        self.apply()

    @rule(pick=picks, wide=st.booleans(), wanted_again=st.booleans(), fault=st.none() | st.none() | faults)
    def restore(self, pick: int, wide: bool, wanted_again: bool, fault: Fault | None) -> None:
        """A key with its group, or alone; its manifest may be back too."""
        if not (chosen := self.picked(pick, wide=wide)):
            return
        if wanted_again:
            for there in chosen:
                if there.kind == "Dataset":
                    self.wanted.setdefault(there.name, resource("Dataset", there.name))
        if fault is not None:
            self.ground.host.inject(fault)
        self.restored(self.choice(pick, wide=wide), smoothly=fault is None)
        self.ground.host.clear_faults()

    @rule(pick=picks, wide=st.booleans(), fault=st.none() | st.none() | faults)
    def purge(self, pick: int, wide: bool, fault: Fault | None) -> None:
        if not self.picked(pick, wide=wide):
            return
        if fault is not None:
            self.ground.host.inject(fault)
        self.purged(self.choice(pick, wide=wide), smoothly=fault is None)
        self.ground.host.clear_faults()

    @rule(pick=picks, what=st.sampled_from(["stated", "there", "key", "host"]))
    def hold(self, pick: int, what: str) -> None:
        held: ObjectName | None = None
        if what == "stated":
            if (name := self.stated(pick)) is None:
                return
            held = self.wanted[name].key.object
        elif what in ("there", "key"):
            there = sorted(seen_on(self.ground).values(), key=lambda one: one.name)[pick % len(seen_on(self.ground))]
            held = there.key if what == "key" and there.key is not None else there.object
        elif pick % 4:
            return
        self.change_hold(held, placed=True)

    @precondition(lambda self: bool(self.memory.held))
    @rule(pick=picks)
    def release(self, pick: int) -> None:
        held = sorted(self.memory.held, key=str)
        self.change_hold(held[pick % len(held)], placed=False)

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

    # Passes.

    @rule()
    def apply(self) -> None:
        """A pass with nothing in its way is enough: what is left is refused."""
        result = self.passes()
        assert unforeseen(result.outcomes) == []
        if any(outcome.failure for outcome in result.outcomes):
            return
        assert not result.final.runnable, [f"{action.verb} {action.key.object}" for action in result.final.runnable]
        again = self.ground.planned(*self.wanted.values())
        assert not again.runnable, [f"{action.verb} {action.key.object}" for action in again.runnable]

    def apply_if(self, applied: bool) -> None:
        if applied:
            self.apply()

    @rule(fault=faults)
    def apply_with_trouble(self, fault: Fault) -> None:
        self.ground.host.inject(fault)
        self.passes()
        self.ground.host.clear_faults()

    @rule()
    def apply_narrowed(self) -> None:
        """A source that was not read whole removes nothing."""
        before = seen_on(self.ground)
        self.passes(whole=False)
        stated = {one.moved_from or name for name, one in self.wanted.items()} | self.wanted.keys()
        after = seen_on(self.ground)
        gone = [there.name for guid, there in before.items() if guid not in after]
        assert set(gone) <= stated, gone

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

    @precondition(lambda self: bool(self.wanted))
    @invariant()
    def planning_changes_nothing(self) -> None:
        before = self.ground.host.storage.names()
        self.ground.host.clear_transcript()
        self.ground.planned(*self.wanted.values())
        assert self.ground.changing_calls() == []
        assert self.ground.host.storage.names() == before


class LifeOnSmartOS(Life):
    system = "smartos"


class LifeOnZfsFuse(Life):
    system = "linux-zfs-fuse"


@pytest.mark.parametrize("life", [Life, LifeOnSmartOS, LifeOnZfsFuse], ids=lambda life: life.system)
def test_whatever_happens_nothing_goes_without_consent_and_one_pass_is_enough(life: type[Life]) -> None:
    run_state_machine_as_test(
        life,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not RANDOM,
            database=None,
            # Making a failure small takes minutes, which a search has and a test run has not.
            phases=list(Phase) if RANDOM else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
