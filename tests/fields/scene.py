"""Guests of one brand, one for each field, led together through the same steps: each field's promise beside what was taken."""

from dataclasses import dataclass, field
from typing import Any

from reconciler.emulation.guests.view import GuestView
from reconciler.model.change import RESTART, Effect, FieldChange
from reconciler.model.plan import HostPlan
from reconciler.model.resource import Resource
from tests.fields.ground import Fields, concrete, failures, kind_of, least, left_over, numbered, placed, wanted, without
from tests.fields.rows import KEPT, UNCHANGED, Row

FIRST, SECOND, NULL, OUT = 0, 1, "null", "left out"
ENTRIES = ("metadata", "internalMetadata", "tags")
BLOCKED, NOTHING, IN_PLACE, WAITS, FIRST_BOOT, RESTARTED = "blocked", "nothing", "inPlace", "staged", "firstBoot", "restart"


@dataclass
class Case:
    """One field of one guest.

    `runs_with_it` says whether the host tells what the guest runs with, `now` what is stated, `waits` whether the last change
    did not reach the guest that runs.
    """

    row: Row
    brand: str
    number: int
    stopped: bool
    runs_with_it: bool = False
    now: Any = FIRST
    waits: bool = False

    @property
    def name(self) -> str:
        return f"g{self.number}"

    @property
    def path(self) -> str:
        return concrete(self.row.field, placed({**least(self.brand), **self.row.beside}, self.row.field, self.row.values[0]))

    def __str__(self) -> str:
        return f"{self.brand} {self.row.field}"

    def resource(self, what: Any, disruption: str) -> Resource:
        spec = {**least(self.brand), **self.row.beside}
        if self.stopped:
            spec["state"] = "stopped"
        if what is OUT:
            spec = without(placed(spec, self.row.field, self.row.values[FIRST]), self.row.field)
        elif what is NULL:
            spec = placed(spec, self.row.field, {"key": None} if self.row.field in ENTRIES else None)
        else:
            spec = placed(spec, self.row.field, self.row.values[what])
        return wanted(kind_of(self.brand), self.name, numbered(spec, self.number), disruption=disruption)

    def shown(self, what: Any) -> Any:
        return numbered(self.row.cleared if what is NULL else self.row.shown[what], self.number)

    def changes(self, what: Any) -> bool:
        if what is NULL:
            return self.row.cleared is not KEPT
        if what is FIRST and self.row.one_way:
            return False
        return self.row.values[SECOND] not in (UNCHANGED, self.row.values[FIRST])

    def is_about(self, entry: FieldChange) -> bool:
        return entry.name == self.path or entry.name.startswith(f"{self.path}.")


@dataclass
class Scene:
    """All fields of a brand on guests that run or are stopped."""

    ground: Fields
    brand: str
    cases: list[Case]
    findings: list[str] = field(default_factory=list)

    def say(self, case: Case, text: str) -> None:
        self.findings.append(f"{case}: {text}")

    def create(self) -> None:
        """Each guest with its field at the first value."""
        resources = [case.resource(FIRST, "none") for case in self.cases]
        self.findings += failures(self.ground.applied(*resources))
        self.findings += left_over(self.ground.planned(*resources))
        guests = self.ground.guests()
        for case in list(self.cases):
            if (view := guests.get(case.name)) is None:
                self.say(case, "was not made")
                self.cases.remove(case)
                continue
            if (there := case.row.told(view.stored)) != case.shown(FIRST):
                self.say(case, f"made with {there!r}, and not {case.shown(FIRST)!r}")
            if (view.running is None) is not case.stopped:
                self.say(case, f"is {view.state}")
            case.runs_with_it = view.running is not None and case.row.told(view.running) == case.shown(FIRST)

    def change(self, what: Any, disruption: str) -> None:
        """The field at another value: what was promised is what was taken. Then a restart is permitted, if it was not."""
        cases = [case for case in self.cases if case.changes(what)]
        resources = self._stated(cases, what, disruption)
        before, plan = self.ground.guests(), self.ground.planned(*resources)
        self.findings += failures(self.ground.applied(*resources))
        after, second = self.ground.guests(), self.ground.planned(*resources)
        promises = {case.name: self._promised(plan, case) for case in cases}
        for case in cases:
            self._judge(case, what, promises[case.name], before[case.name], after[case.name], second)
        blocked = {name for name, promise in promises.items() if promise == BLOCKED}
        self.findings += [text for text in left_over(second) if text.partition(":")[0] not in blocked]
        if disruption == "none":
            self._permit(cases, what, promises)

    def _stated(self, cases: list[Case], what: Any, disruption: str) -> list[Resource]:
        """These cases at a value, and the others as they are: nothing may go beside."""
        for case in cases:
            case.now = what
        return [case.resource(case.now, disruption) for case in self.cases]

    def _promised(self, plan: HostPlan, case: Case) -> str:
        for item in plan.blocked:
            if item.key.name == case.name:
                if item.reason != "disruption":
                    self.say(case, f"blocked: {item.reason}: {item.cause}")
                if not (item.remedy and case.path in item.cause):
                    self.say(case, f"blocked without the field or a remedy: {item.cause}; {item.remedy}")
                return BLOCKED
        for action in plan.actions:
            if action.key.name != case.name:
                continue
            others = [entry.name for entry in action.change.fields if not case.is_about(entry)]
            if others:
                self.say(case, f"changes {', '.join(others)} as well")
            entries = [entry for entry in action.change.fields if case.is_about(entry)]
            if not entries:
                return NOTHING
            found = {FIRST_BOOT if entry.first_boot_only else entry.effect.value for entry in entries}
            if action.effect is not None and action.effect is not max_effect(entries):
                self.say(case, f"the action says {action.effect}, its fields {', '.join(sorted(found))}")
            if len(found) > 1:
                self.say(case, f"promises {', '.join(sorted(found))} at once")
            return found.pop()
        return NOTHING

    def _judge(self, case: Case, what: Any, promise: str, before: GuestView, after: GuestView, second: HostPlan) -> None:
        wanted_there = case.row.told(before.stored) if promise == BLOCKED else case.shown(what)
        if (there := case.row.told(after.stored)) != wanted_there:
            self.say(case, f"{what}: {there!r} is there, and not {wanted_there!r}")
        if promise == NOTHING:
            self.say(case, f"{what}: nothing was planned")
        taken = taken_by(case, before, after)
        agreed = {
            WAITS: {WAITS},
            FIRST_BOOT: {WAITS, IN_PLACE},
            BLOCKED: {IN_PLACE},
        }.get(promise, {promise})
        case.waits = taken == WAITS
        if taken not in agreed:
            self.say(case, f"{what}: promised {promise}, taken {taken}")
        pending = {name for key, names in second.pending_restart if key.name == case.name for name in names}
        is_pending = any(name == case.path or name.startswith(f"{case.path}.") for name in pending)
        if is_pending is not (promise == WAITS):
            self.say(case, f"{what}: promised {promise}, pending are {sorted(pending)}")

    def _permit(self, cases: list[Case], what: Any, promises: dict[str, str]) -> None:
        """One restart may happen now: it does where something waits for it, and nowhere else."""
        resources = self._stated(cases, what, "restart")
        before, plan = self.ground.guests(), self.ground.planned(*resources)
        self.findings += failures(self.ground.applied(*resources))
        after, second = self.ground.guests(), self.ground.planned(*resources)
        self.findings += left_over(second)
        if second.pending_restart:
            self.findings.append(f"pending after a restart: {second.pending_restart}")
        for case in cases:
            promise, view = promises[case.name], after[case.name]
            restarts = view.boots - before[case.name].boots
            if restarts != (promise in (WAITS, BLOCKED)):
                self.say(case, f"{what}: was {promise}, and {restarts} restarts when one is permitted")
            named = {entry.name for action in plan.actions if action.key.name == case.name for entry in action.change.fields}
            if promise == WAITS and named != {RESTART}:
                self.say(case, f"{what}: the plan for the restart that is waited for names {sorted(named)}")
            if (there := case.row.told(view.stored)) != case.shown(what):
                self.say(case, f"{what}: after a permitted restart {there!r} is there, and not {case.shown(what)!r}")
            self._judge_running(case, what, promise, view)

    def _judge_running(self, case: Case, what: Any, promise: str, view: GuestView) -> None:
        if view.running is None or not case.runs_with_it:
            return
        runs = case.row.told(view.running)
        if promise == FIRST_BOOT and case.waits and runs == case.shown(what):
            self.say(case, f"{what}: only a first boot should read it, and another did")
        elif promise != FIRST_BOOT and runs != case.shown(what):
            self.say(case, f"{what}: promised {promise}, and after all it runs with {runs!r}")

    def leave_out(self) -> None:
        """What is stated no more stays, and the plan says so."""
        cases = [case for case in self.cases if not case.row.required]
        resources = self._stated(cases, OUT, "restart")
        before, plan = self.ground.guests(), self.ground.planned(*resources)
        released = {(one.key.name, one.field): one.value for one in plan.released}
        self.findings += left_over(plan)
        result = self.ground.applied(*resources)
        self.findings += failures(result)
        after = self.ground.guests()
        for case in cases:
            if not any(name == case.name and one.startswith(case.path) for name, one in released):
                self.say(case, "left out, and the plan does not say that it is released")
            if after[case.name] != before[case.name]:
                self.say(case, "left out, and something changed")


def max_effect(entries: list[FieldChange]) -> Effect:
    cost = [Effect.STAGED, Effect.IN_PLACE, Effect.RESTART, Effect.REPLACE]
    return max((entry.effect for entry in entries), key=cost.index)


def taken_by(case: Case, before: GuestView, after: GuestView) -> str:
    """What became of the guest: restarted, changed as it runs, or only what is stored changed."""
    restarts = after.boots - before.boots
    if before.running is None or after.running is None:
        return IN_PLACE if restarts == 0 and before.running is after.running is None else f"{restarts} starts ({after.state})"
    if restarts:
        return RESTARTED if restarts == 1 else f"{restarts} restarts"
    if not case.runs_with_it or case.row.told(after.running) == case.row.told(after.stored):
        return IN_PLACE
    return WAITS


def scene(ground: Fields, brand: str, rows: tuple[Row, ...], *, stopped: bool) -> Scene:
    found = [row for row in rows if brand in row.brands]
    return Scene(ground, brand, [Case(row, brand, number, stopped) for number, row in enumerate(found, start=1)])
