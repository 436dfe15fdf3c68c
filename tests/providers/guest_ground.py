"""A SmartOS host on which tests change guests: from what is wanted and seen to a change, as the planner makes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from providers.kvm import PROVIDER as KVM
from providers.zones import PROVIDER as ZONES
from reconciler.model.change import RESTART, STATE, Change, Effect, FieldChange, Verb
from reconciler.model.command import Completed, RetryClass, Step
from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import OnRemoval
from reconciler.model.observed import EVERY_FIELD, REMOVAL, Mark, Observed
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.model.trash import Trashing
from reconciler.model.value import Fields, Value
from reconciler.provider.checks import backend_for
from reconciler.provider.contract import Backend
from reconciler.provider.derived import derived_uuid
from reconciler.provider.field import Acts, Changing
from reconciler.provider.guest import FINISHED
from reconciler.provider.kind import Kind
from tests.providers.conftest import TryoutHost

ZONE_IMAGE = "2f1dc911-6401-4fa4-8e9d-67ea2e39c271"
OTHER_ZONE_IMAGE = "8adac45a-1f3c-4b7f-a5a2-6d2c9f5e1b64"
LX_IMAGE = "e1faace4-e19b-11e5-928b-83849e2fd94a"
VM_IMAGE = "d42a37a0-6d5c-4f5a-9d0c-3ea4d1e1f8b2"
OWNER, HOST_ID = "tests", "this-host"
_ATTEMPTS = 3


@dataclass
class GuestGround:
    """One host with the images that guests are made of, and both providers' backends."""

    host: TryoutHost
    images: tuple[str, ...] = (ZONE_IMAGE, LX_IMAGE, VM_IMAGE)
    backends: Mapping[str, Backend] = field(init=False)
    kinds: Mapping[str, Kind] = field(init=False)

    def __post_init__(self) -> None:
        for image in self.images:
            self.do("imgadm", "import", "-q", "-P", "zones", image)
        zones, kvm = (backend_for(provider, self.host.facts, self.host.run) for provider in (ZONES, KVM))
        self.backends = {"Zone": zones, "Image": zones, "VirtualMachine": kvm}
        self.kinds = {kind.name: kind for provider in (ZONES, KVM) for kind in provider.kinds}

    def do(self, *argv: str) -> Completed:
        """A command that must work."""
        answer = self.host.do(*argv)
        assert answer.succeeded, answer
        return answer

    def see(self, kind: str, fields: Fields = {}) -> tuple[Observed, ...]:  # noqa: B006 - never written to
        backend = self.backends[kind]
        asked = {kind: frozenset({EVERY_FIELD, REMOVAL, *fields})}
        outputs = {probe.name: self.host.run(probe.command) for probe in backend.probes(asked)}
        assert all(answer.succeeded for answer in outputs.values()), outputs
        return backend.read(outputs, asked)

    def here(self, name: ObjectName, fields: Fields = {}) -> Observed | None:  # noqa: B006 - never written to
        found = [one for one in self.see(name.kind, fields) if one.name == name]
        assert len(found) < 2, "two guests of one name"
        return found[0] if found else None

    def resource(self, name: ObjectName, fields: Fields) -> Resource:
        kind = self.kinds[name.kind]
        once = {"image"} | {one for one in fields if "." not in one and kind.rule(one).changing is Changing.AT_CREATION}
        once |= {one for one in fields if one.endswith(".onRemoval")}
        return Resource(
            Key("hv01", *name),
            {one: value for one, value in fields.items() if one not in once},
            Origin("hosts/hv01/guests.yaml", 1, 1),
            created_with={one: value for one, value in fields.items() if one in once},
        )

    def mark(self, name: ObjectName) -> Mark:
        return Mark(OWNER, name, HOST_ID, on_removal=OnRemoval.DELETE)

    def change(
        self, name: ObjectName, fields: Fields, *, restarts: bool = True, remembered: Fields | None = None
    ) -> Change | None:
        """What is left to do for these fields; None when the host shows them all."""
        resource, there = self.resource(name, fields), self.here(name, fields)
        if there is None:
            made = tuple(FieldChange(one, None, value) for one, value in resource.fields.items() if value is not None)
            identity = derived_uuid(OWNER, resource.key, frozenset(one.identity for one in self.see(name.kind)))
            return Change(
                resource.key, Verb.CREATE, made, resource, None, self.mark(name), identity=identity, default_pool="zones"
            )
        left = tuple(self._left(resource, there, restarts=restarts))
        if not left:
            return None
        return Change(resource.key, Verb.UPDATE, left, resource, there, self.mark(name), remembered=remembered or {})

    def _left(self, resource: Resource, there: Observed, *, restarts: bool) -> list[FieldChange]:
        kind, left = self.kinds[resource.key.kind], []
        wanted = {**resource.fields, FINISHED: True}
        if there.interrupted:
            wanted[STATE] = there.interrupted
        for head in kind.items:
            if head not in wanted:
                continue
            names, present = wanted.pop(head), there.fields[head]
            assert isinstance(names, tuple)
            assert isinstance(present, tuple)
            left += [FieldChange(f"{head}.{one}", None, one) for one in names if one not in present]
            left += [FieldChange(f"{head}.{one}", one, None) for one in present if one not in names]
        for one, value in sorted(wanted.items()):
            place = kind.in_item(one)
            items = there.fields.get(place.list) if place is not None else None
            is_new = place is not None and place.item not in (items if isinstance(items, tuple) else ())
            if is_new or there.fields[one] != value:
                left.append(FieldChange(one, None if is_new else there.fields[one], value))
        if there.pending_restart and restarts:
            left.append(FieldChange(RESTART, ", ".join(there.pending_restart), None, Effect.RESTART))
        return [replace(one, effect=self._effect(kind, one, there, restarts=restarts)) for one in left]

    def _effect(self, kind: Kind, entry: FieldChange, there: Observed, *, restarts: bool) -> Effect:
        if entry.effect is Effect.RESTART:
            return Effect.RESTART
        if not there.running or entry.name in (STATE, FINISHED):
            return Effect.IN_PLACE
        acts = self.backends[kind.name].acts(kind.name, entry, there) or kind.rule(entry.name).acts
        if acts is Acts.RESTART or (acts is Acts.STAGED and restarts):
            return Effect.RESTART
        return Effect.STAGED if acts is Acts.STAGED else Effect.IN_PLACE

    def removal(self, name: ObjectName, verb: Verb) -> Change | None:
        there = self.here(name)
        if there is None:
            return None
        trashing = Trashing("20260102T030405.000Z", "abc", 60) if verb is Verb.TRASH else None
        return Change(Key("hv01", *name), verb, observed=there, trashing=trashing)

    def restoration(self, name: ObjectName) -> Change | None:
        """Back from the trash, whole or from half the way."""
        for one in self.see(name.kind):
            if one.trashed is not None and one.mark is not None and one.mark.name == name:
                return Change(Key("hv01", *name), Verb.RESTORE, observed=one, mark=one.mark)
        return None

    def steps(self, change: Change) -> tuple[Step, ...]:
        return self.backends[change.key.kind].steps(change)

    def carry_out(self, change: Change, upto: int | None = None) -> None:
        """Runs the steps of a change, or the first of them; what fails for a passing reason is tried again."""
        for step in self.steps(change)[:upto]:
            self._run(change, step)

    def _run(self, change: Change, step: Step) -> None:
        for _ in range(_ATTEMPTS):
            answer = self.host.run(step.command)
            if answer.succeeded:
                return
            failure = self.backends[change.key.kind].explain(answer)
            if failure.retry is not RetryClass.NOW:
                break
        raise AssertionError(f"{step.command} {step.command.stdin}: {answer.exit_code} {answer.stderr}")

    def bring_about(self, name: ObjectName, fields: Fields, *, restarts: bool = True) -> list[str]:
        """Makes the guest as wanted, or changes it; the commands that were run. Nothing is left to do then."""
        change = self.change(name, fields, restarts=restarts)
        assert change is not None, "nothing to do"
        self.carry_out(change)
        left = self.change(name, fields, restarts=restarts)
        assert left is None, left.fields
        return [str(step.command) for step in self.steps(change)]


def zone_fields(**more: Value) -> dict[str, Value]:
    return {"brand": "joyent-minimal", "image": ZONE_IMAGE, "memory": 512 << 20, **more}


def vm_fields(**more: Value) -> dict[str, Value]:
    return {
        "engine": "bhyve",
        "memory": 1 << 30,
        "cpus": 2,
        "disks": ("root",),
        "disks.root.image": VM_IMAGE,
        "disks.root.boot": True,
        **more,
    }
