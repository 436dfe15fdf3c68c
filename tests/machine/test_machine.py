"""Authors, operators and accidents in any order, and passes between them: what must always hold, whatever went before.

A model host, the real planner and executor, and an emulated host. The choices are the same in every run, so that a failure
is one for everybody; a longer search is HYPOTHESIS_MACHINE_EXAMPLES=1000 with HYPOTHESIS_MACHINE_RANDOM=1.
"""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from reconciler.controller.passes import HostResult
from reconciler.emulation.faults import Fault, FaultKind
from reconciler.model.lifecycle import Disruption, Lifecycle, Mode, OnRemoval, Protect
from reconciler.model.outcome import OutcomeState
from reconciler.model.resource import Resource
from reconciler.model.value import Value
from tests.machine.model import Memory, Seen, seen_on, unconsented
from tests.passes.ground import Ground
from tests.planning.world import GIB, resource

EXAMPLES = int(os.environ.get("HYPOTHESIS_MACHINE_EXAMPLES", "50"))
RANDOM = "HYPOTHESIS_MACHINE_RANDOM" in os.environ
STEPS = 30

PLACES = ("a", "a/b", "a/b/c", "a/d", "e", "e/b")
names = st.sampled_from(PLACES)
picks = st.integers(0, 99)
lifecycles = st.builds(
    Lifecycle,
    on_removal=st.sampled_from([OnRemoval.DELETE, OnRemoval.DELETE, *OnRemoval]),
    delete_snapshots=st.booleans(),
    protect=st.sampled_from([Protect.NONE, Protect.NONE, Protect.NONE, *Protect]),
    disruption=st.sampled_from([Disruption.NONE, Disruption.REPLACE]),
    mode=st.sampled_from([Mode.ENFORCE, Mode.ENFORCE, Mode.ENFORCE, *Mode]),
    ignore=st.sampled_from([(), (), ("properties.quota",), ("properties",)]),
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "properties.quota": st.sampled_from([None, GIB, 2 * GIB]),
        "properties.compression": st.sampled_from([None, "lz4", "gzip"]),
        "properties.casesensitivity": st.sampled_from(["sensitive", "mixed"]),
        "properties.site:room": st.sampled_from([None, "a", "b c"]),
        "properties.canmount": st.sampled_from(["on", "off", "noauto"]),
    },
)
faults = st.builds(
    Fault,
    st.sampled_from([FaultKind.FAIL, FaultKind.HALF, FaultKind.LOST_REPLY, FaultKind.TRUNCATE, FaultKind.GARBAGE]),
    argv=st.sampled_from(["^zfs (create|set|inherit|rename|destroy|mount|unmount|clone)", "^zfs", "^zfs get", "^zfs destroy"]),
    skip=st.integers(0, 6),
    times=st.sampled_from([1, 1, 2, None]),
)


class Host(RuleBasedStateMachine):
    """One host through its life."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.ground = Ground(Path(self.folder.name), "omnios")
        self.memory = Memory()
        self.wanted: dict[str, Resource] = {}
        self.tag = 0

    def teardown(self) -> None:
        self.ground.host.close()
        self.folder.cleanup()

    def by_hand(self, *argv: str) -> bool:
        """A command of an operator, who may be refused; whether it was done."""
        return self.ground.host.drift(("zfs", *argv)).exit_code == 0

    def there(self, pick: int) -> str:
        """Something that is on the host below the pool, or a name that is not."""
        listed = [name for name in self.ground.host.storage.names() if name.startswith("tank/") and "@" not in name]
        return listed[pick % len(listed)] if listed else "tank/none"

    def stated(self, pick: int) -> str | None:
        return sorted(self.wanted)[pick % len(self.wanted)] if self.wanted else None

    # What authors do.

    @initialize(first=st.lists(st.tuples(names, lifecycles), min_size=2, max_size=5))
    def begin(self, first: list[tuple[str, Lifecycle]]) -> None:
        for name, lifecycle in first:
            self.want(name, replace(lifecycle, mode=Mode.ENFORCE), {})
        self.apply()

    def want(self, name: str, lifecycle: Lifecycle, values: dict[str, Value]) -> None:
        """A Dataset, and what it lies in where nothing is wanted there."""
        parts = name.split("/")
        for end in range(1, len(parts)):
            above = f"tank/{'/'.join(parts[:end])}"
            self.wanted.setdefault(above, resource("Dataset", above, lifecycle))
        self.wanted[f"tank/{name}"] = resource("Dataset", f"tank/{name}", lifecycle, **values)

    @rule(name=names, lifecycle=lifecycles, values=fields, applied=st.booleans())
    def write(self, name: str, lifecycle: Lifecycle, values: dict[str, Value], applied: bool) -> None:
        self.want(name, lifecycle, values)
        self.apply_if(applied)

    @rule(name=names, lifecycle=lifecycles, applied=st.booleans())
    def write_volume(self, name: str, lifecycle: Lifecycle, applied: bool) -> None:
        full = f"tank/{name}-disk"
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
        old, new = self.stated(pick), f"tank/{name}"
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
                self.by_hand("create", "-o", "site:room=mine", f"tank/{name}")
            case "make inside":
                self.by_hand("create", f"{there}/hand")
            case "clone":
                self.tag += 1
                if self.by_hand("snapshot", base := f"{there}@c{self.tag}"):
                    self.by_hand("clone", base, f"tank/{name}-clone")
            case "fill" if self.ground.host.storage.exists(there):
                self.ground.host.storage.write(there, 1 << (16 + pick % 6))
            case _:
                self.by_hand("unmount", there)

    @rule(
        pick=picks,
        name=names,
        what=st.sampled_from(["rename", "destroy", "owner=others", "host=another", "key=Dataset/tank/x"]),
    )
    def meddle(self, pick: int, name: str, what: str) -> None:
        there = self.there(pick)
        match what:
            case "rename":
                self.by_hand("rename", there, f"tank/{name}")
            case "destroy":
                self.by_hand("destroy", there)
            case _ if pick % 3 == 0:
                self.by_hand("set", f"dev.reconciler:{what}", there)

    @rule()
    def lose_the_ledger(self) -> None:
        self.ground.lose_ledger()
        self.memory.forget()

    # Passes.

    @rule()
    def apply(self) -> None:
        """A pass with nothing in its way is enough: what is left is refused."""
        result = self.passes()
        states = {outcome.state for outcome in result.outcomes}
        assert states <= {OutcomeState.SUCCEEDED}, [(one.key, one.failure) for one in result.outcomes if one.failure]
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
        before = seen_on(self.ground)
        result = self.ground.applied(*self.wanted.values(), whole=whole)
        after = seen_on(self.ground)
        assert unconsented(before, after, self.wanted, self.memory) == []
        self.check_strangers(before, after)
        self.learn(result, after)
        return result

    def check_strangers(self, before: dict[str, Seen], after: dict[str, Seen]) -> None:
        for guid, there in before.items():
            if not there.is_ours:
                assert (after[guid].name, after[guid].own) == (there.name, there.own), there.name

    def learn(self, result: HostResult, after: dict[str, Seen]) -> None:
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


def test_whatever_happens_nothing_goes_without_consent_and_one_pass_is_enough() -> None:
    run_state_machine_as_test(
        Host,
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
