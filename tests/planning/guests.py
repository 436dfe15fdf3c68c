"""A world of guests to plan in: kinds with nics, disks and a state, and a backend that says what each change would run."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Annotated

from reconciler.model.change import Change, FieldChange, Verb
from reconciler.model.command import Command, Step
from reconciler.model.desired import Desired
from reconciler.model.errors import ReconcilerError
from reconciler.model.guardrails import Guardrails
from reconciler.model.key import Key, ObjectName
from reconciler.model.ledger import LedgerRow
from reconciler.model.lifecycle import DEFAULT_LIFECYCLE, Lifecycle
from reconciler.model.observed import Inventory, Mark, Observed, Removal
from reconciler.model.origin import Origin
from reconciler.model.plan import HostPlan
from reconciler.model.resource import Resource
from reconciler.model.value import Fields, Value
from reconciler.planning.planner import plan
from reconciler.planning.view import HostView
from reconciler.provider.field import Acts, Changing, FieldRule, Items
from reconciler.provider.kind import Kind, Spec
from reconciler.provider.nic import NICS, Nic
from tests.planning.world import DEFAULT_RAILS, HOST, HOST_ID, NOW, OWNER, SOURCE, facts, view

IMPOSSIBLE = "impossible"
"""The name of a guest that the backend has no commands for."""

WEB = Key(HOST, "Guest", "web1")
MIB = 1 << 20


class Disk(Spec):
    """A disk by name."""

    name: str
    path: Annotated[str, FieldRule()] = ""
    size: Annotated[int, FieldRule(Changing.GROWS, is_size=True, acts=Acts.RESTART)] = 0
    onRemoval: Annotated[str, FieldRule(Changing.REMEMBERED)] = "detach"  # noqa: N815


class GuestSpec(Spec):
    """A guest as far as planning cares."""

    uuid: Annotated[str, FieldRule(Changing.NEVER)] = ""
    state: Annotated[str, FieldRule()] = ""
    memory: Annotated[int, FieldRule(is_size=True)] = 0
    cpus: Annotated[int, FieldRule(acts=Acts.STAGED)] = 0
    seed: Annotated[str, FieldRule(acts=Acts.FIRST_BOOT)] = ""
    image: Annotated[str, FieldRule(Changing.REMAKE, refers_to=("Image",), by_identity=True)] = ""
    nics: Annotated[list[Nic], NICS] = []  # noqa: RUF012
    disks: Annotated[list[Disk], Items(Disk, told_by="path", rule=FieldRule(acts=Acts.RESTART), holds_data=True)] = []  # noqa: RUF012


class ImageSpec(Spec):
    """What guests are made from."""

    uuid: Annotated[str, FieldRule(Changing.NEVER)] = ""


class SwitchSpec(Spec):
    """What nics are plugged into."""


GUEST = Kind("Guest", GuestSpec, "a guest", has_trash=True, chooses_identity=True)
IMAGE = Kind("Image", ImageSpec, "an image", carries_mark=False, needs_no_trash=True, identified_by="uuid")
SWITCH = Kind("Etherstub", SwitchSpec, "a switch", carries_mark=False, needs_no_trash=True)
KINDS = {kind.name: kind for kind in (GUEST, IMAGE, SWITCH)}


class Machines:
    """A backend as far as planning asks it; a step says what it would do."""

    def refusal(self, _kind: str, _field: str, _value: Value) -> None:
        return None

    def acts(self, _kind: str, change: FieldChange, _observed: Observed) -> Acts | None:
        return Acts.LIVE if change.name.endswith(".allow.ipSpoofing") else None

    def steps(self, change: Change) -> tuple[Step, ...]:
        if change.key.name == IMPOSSIBLE:
            raise ReconcilerError("no machine can be that", remedy="wish for another")
        words = [change.verb.value, change.key.name, *(f"{field.name}={field.after}" for field in change.fields)]
        if change.identity:
            words.append(change.identity)
        goes = change.verb in (Verb.DELETE, Verb.REPLACE) and change.trashing is None
        goes |= change.verb is Verb.UPDATE and "delete" in change.remembered.values()
        return (Step(Command(("guest", *words)), None, goes, look_first=change.trashing is not None),)

    def pool(self, _name: str) -> str:
        return ""


def guest(lifecycle: Lifecycle = DEFAULT_LIFECYCLE, name: str = "web1", **fields: Value) -> Resource:
    """A manifest; names of fields with dots are written with two underscores."""
    stated = {field.replace("__", "."): value for field, value in fields.items()}
    key = WEB._replace(name=name)
    return Resource(key, stated, Origin("hosts/hv01/g.yaml", 1, 1), lifecycle, references=GUEST.references(name, stated))


def there(
    name: str = "web1",
    *,
    marked: bool = True,
    own: Iterable[str] = (),
    running: bool = True,
    identity: str = "u-1",
    **fields: Value,
) -> Observed:
    """A guest on the host."""
    stated = {"state": "running" if running else "stopped", "uuid": identity, "nics": (), "disks": (), "cpus": 1, "seed": "a"}
    stated |= {"memory": 512 * MIB, "image": "i-1"} | {field.replace("__", "."): value for field, value in fields.items()}
    whose = Mark(OWNER, ObjectName("Guest", name), HOST_ID, on_removal=DEFAULT_LIFECYCLE.on_removal) if marked else None
    return Observed(
        ObjectName("Guest", name), stated, mark=whose, identity=identity, own_items=frozenset(own), running=running,
        removal=Removal(1000),
    )  # fmt: skip


_SWITCHES = tuple(Observed(ObjectName("Etherstub", name), {}) for name in ("external", "admin", "a", "b"))


def planned(
    wanted: Resource | Iterable[Resource],
    found: Observed | Iterable[Observed] = (),
    *,
    applied: Iterable[Resource] = (),
    rails: Guardrails = DEFAULT_RAILS,
    whole: bool = True,
) -> HostPlan:
    """The plan of one host."""
    resources = [wanted] if isinstance(wanted, Resource) else list(wanted)
    objects = [*_SWITCHES, *([found] if isinstance(found, Observed) else found)]
    ledger = {one.key: LedgerRow(one.key, one.fields, one.lifecycle) for one in applied}
    seen = HostView(
        manifest=view().manifest,
        resources={one.key: one for one in resources},
        inventory=Inventory(HOST, NOW, facts(), {one.name: one for one in objects}),
        backends={name: Machines() for name in KINDS},  # type: ignore[misc]
        ledger=ledger,
        whole=whole,
    )
    desired = Desired(SOURCE.revision, guardrails=rails, hosts={HOST: seen.manifest}, resources={HOST: seen.resources})
    return plan(desired, (seen,), KINDS, SOURCE, NOW).hosts[0]


def fields_of(made: HostPlan) -> Mapping[str, tuple[Value, Value, str]]:
    """By name what changes from what to what, and at what cost; of the only action."""
    (action,) = made.actions
    return {field.name: (field.before, field.after, field.effect.value) for field in action.change.fields}


def nic(host_name: str, mac: str, **fields: Value) -> Fields:
    """The fields of a nic on the host, for `there`."""
    return {f"nics__{host_name}__{name}": value for name, value in {"mac": mac, "over": "external", **fields}.items()}


def only(made: HostPlan) -> FieldChange:
    """The only change of the only action."""
    ((field,),) = (action.change.fields for action in made.actions)
    return field


def also(observed: Observed, **values: object) -> Observed:
    """The same object, told apart in some other way."""
    return replace(observed, **values)  # type: ignore[arg-type]
