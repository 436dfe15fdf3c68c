"""Authors, operators and accidents in any order, and passes between them: what must always hold, whatever went before.

A model host, the real verb and executor, and an emulated host. The choices are the same in every run, so that a failure
is one for everybody; a longer search is HYPOTHESIS_MACHINE_EXAMPLES=1000 with HYPOTHESIS_MACHINE_RANDOM=1.
"""

import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from reconciler.emulation.faults import Fault, FaultKind
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import Adopt, Disruption, Lifecycle, Mode, OnRemoval, Protect
from reconciler.model.value import Value
from tests.machine.model import MARK, seen_on
from tests.machine.world import World, unforeseen
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


class Life(World):
    """One host through its life."""

    # What authors do.

    @initialize(first=st.lists(st.tuples(names, lifecycles), min_size=2, max_size=5), pick=picks, removed=st.booleans())
    def begin(self, first: list[tuple[str, Lifecycle]], pick: int, removed: bool) -> None:
        for name, lifecycle in first:
            self.want(name, replace(lifecycle, mode=Mode.ENFORCE), {})
        self.apply()
        if removed:
            self.put_into_the_trash(pick, {"properties.sharenfs": "ro"}, filled=True, replaced=False)

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
