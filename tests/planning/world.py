"""A small world to plan in: one host with a pool `tank`, resources, what is there, and the plan that comes of it."""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from providers.zfs import PROVIDER
from providers.zfs.backend import ZfsBackend
from reconciler.emulation.host import EmulatedHost
from reconciler.model.command import Completed, Ending
from reconciler.model.desired import Desired
from reconciler.model.facts import HostFacts
from reconciler.model.guardrails import Guardrails
from reconciler.model.host import Connection, HostManifest, TransportType
from reconciler.model.key import Key, ObjectName
from reconciler.model.ledger import LedgerRow
from reconciler.model.lifecycle import DEFAULT_LIFECYCLE, Disruption, Lifecycle, Mode, OnRemoval
from reconciler.model.observed import Inventory, Mark, Observed, Removal, Unreadable
from reconciler.model.origin import Origin
from reconciler.model.plan import HostPlan, Plan, PlanSource
from reconciler.model.resource import Resource
from reconciler.model.trash import Trashed
from reconciler.model.value import Fields, Value
from reconciler.planning.guardrail import NOTHING_TAKEN, Taken
from reconciler.planning.planner import plan
from reconciler.planning.view import HostView
from reconciler.provider.registry import Registry

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
OWNER, HOST, HOST_ID = "default", "hv01", "0000abcd"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SOURCE = PlanSource("desired-state", "0123456789abcdef0123456789abcdef01234567")
KINDS = Registry.of([PROVIDER]).kinds

DELETE = Lifecycle(on_removal=OnRemoval.DELETE)
ORPHAN = Lifecycle(on_removal=OnRemoval.ORPHAN)
REPLACE = Lifecycle(on_removal=OnRemoval.DELETE, disruption=Disruption.REPLACE)

OWN_FIELDS = {"origin", "size", "sparse", "blockSize", "backing", "mounted"}
DEFAULT_RAILS = Guardrails()
TRASH = Lifecycle()
TRASH_PLACE = "tank/.reconciler-trash"
EMPTY = Removal(24 * KIB, holds_data=False, trash_place=TRASH_PLACE)


@cache
def facts() -> HostFacts:
    """The facts of an emulated OmniOS host, asked once."""
    with tempfile.TemporaryDirectory() as folder, EmulatedHost.open(Path(folder) / "host", system="omnios") as host:
        probed = {}
        for probe in PROVIDER.fact_probes("SunOS"):
            answer = host.run(probe.command.argv)
            out, err = answer.stdout.decode(), answer.stderr.decode()
            probed[probe.name] = Completed(probe.command, Ending.EXITED, answer.exit_code, out, err)
    return HostFacts("SunOS", "5.11", "omnios-r151054", "1700000000", {"hostname": HOST, "hostId": HOST_ID}, probed)


@cache
def backend() -> ZfsBackend:
    return ZfsBackend(facts())


def field_name(name: str, kind: str = "Dataset") -> str:
    return name if kind == "Pool" or name in OWN_FIELDS or name.startswith("properties.") else f"properties.{name}"


def resource(
    kind: str,
    name: str,
    lifecycle: Lifecycle = DEFAULT_LIFECYCLE,
    *,
    host: str = HOST,
    moved_from: str | None = None,
    depends_on: Iterable[str] = (),
    parents: bool = False,
    line: int = 1,
    **stated: Value,
) -> Resource:
    """A resource; keywords are properties, except for the kind's own fields."""
    fields = {field_name(stated_name, kind): value for stated_name, value in stated.items()}
    needed = tuple(ObjectName(*text.split("/", 1)) for text in depends_on)
    return Resource(
        Key(host, kind, name),
        fields,
        Origin(f"hosts/{host}/storage.yaml", line, 1),
        lifecycle,
        {"createParents": True} if parents else None,
        KINDS[kind].references(name, fields),
        needed,
        moved_from,
    )


def dataset(name: str, lifecycle: Lifecycle = DEFAULT_LIFECYCLE, **options: object) -> Resource:
    return resource("Dataset", name, lifecycle, **options)  # type: ignore[arg-type]


def volume(name: str, lifecycle: Lifecycle = DEFAULT_LIFECYCLE, *, size: int = GIB, **options: object) -> Resource:
    return resource("Volume", name, lifecycle, size=size, **options)  # type: ignore[arg-type]


def mark(name: str, lifecycle: Lifecycle = DEFAULT_LIFECYCLE, *, kind: str = "Dataset", **changed: object) -> Mark:
    """Our mark as the lifecycle has it written."""
    made = Mark(OWNER, ObjectName(kind, name), HOST_ID, lifecycle.protect, lifecycle.on_removal)
    return replace(made, **changed)  # type: ignore[arg-type]


def observed(
    name: str,
    fields: Fields | None = None,
    *,
    kind: str = "Dataset",
    marked: Mark | None = None,
    here: Iterable[str] = (),
    origin: str | None = None,
    removal: Removal | None = EMPTY,
    identity: str = "",
    belongs_to: str = "",
) -> Observed:
    """An object on the host; nobody's unless `marked`."""
    found = {field_name(found_name, kind): value for found_name, value in (fields or {}).items()}
    return Observed(
        ObjectName(kind, name),
        {**found, "origin": origin} if origin is not None else found,
        frozenset(field_name(stated) for stated in here),
        marked,
        identity or f"guid of {name}",
        (ObjectName(kind, origin.partition("@")[0]),) if origin is not None else (),
        removal,
        belongs_to,
    )


def standing(wanted: Resource, *, name: str = "", **changed: object) -> Observed:
    """The object that a resource gives when it is applied; under another name, and otherwise changed, where asked for."""
    key = wanted.key
    origin = wanted.fields.get("origin")
    made = observed(
        name or key.name,
        wanted.fields,
        kind=key.kind,
        marked=mark(key.name, wanted.lifecycle, kind=key.kind),
        here=[field for field, value in wanted.fields.items() if value is not None],
        origin=origin if isinstance(origin, str) else None,
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def in_trash(wanted: Resource, number: int = 1, *, at: str = "20260101T000000.000Z", replaced: bool = False) -> Observed:
    """What a resource gave, in the trash of its pool since a while ago, as a plain look shows it."""
    note = Trashed(at, "0123456789ab", 14 * 86400, replaced)
    entry = f"{TRASH_PLACE}/{at}-{number}"
    return standing(
        wanted, name=entry, trashed=note, removal=None, belongs_to="the trash", identity=f"guid of {wanted.key.name}"
    )


def half_trashed(wanted: Resource, *, replaced: bool = False, **changed: object) -> Observed:
    """What a resource gave, under its name, with the note that it is on its way into the trash."""
    note = Trashed("20260101T000000.000Z", "0123456789ab", 14 * 86400, replaced, True, {"canmount": None})
    return standing(wanted, trashed=note, **changed)


def row(wanted: Resource, lifecycle: Lifecycle | None = None) -> LedgerRow:
    """The ledger's row of a resource that was applied."""
    return LedgerRow(wanted.key, wanted.fields, lifecycle or wanted.lifecycle, (), "earlier")


ROOT = observed("tank")


def view(
    wanted: Iterable[Resource] = (),
    there: Iterable[Observed] = (),
    rows: Iterable[LedgerRow] = (),
    *,
    host: str = HOST,
    mode: Mode = Mode.ENFORCE,
    whole: bool = True,
    unfinished: Iterable[Resource] = (),
    unreadable: Iterable[Unreadable] = (),
    unserved: Mapping[str, str] | None = None,
    wrong_host: str = "",
    now: datetime = NOW,
) -> HostView:
    """One host as planning sees it. The root of its pool is always there, unless a part was unreadable."""
    trouble = tuple(unreadable)
    objects = {} if trouble or wrong_host else {item.name: item for item in (ROOT, *there)}
    manifest = HostManifest(host, Connection(TransportType.EMULATED, system="omnios"), Origin(f"hosts/{host}/host.yaml", 1, 1))
    missing = unserved or {}
    return HostView(
        manifest=replace(manifest, mode=mode),
        resources={item.key: item for item in wanted},
        inventory=Inventory(host, now, facts(), objects, trouble, wrong_host),
        backends={kind: backend() for kind in KINDS if kind not in missing},
        unserved=missing,
        ledger={item.key: item for item in rows},
        unfinished=frozenset(item.key for item in unfinished),
        whole=whole,
    )


def tree(
    views: Iterable[HostView],
    *,
    guardrails: Guardrails = DEFAULT_RAILS,
    elsewhere: Taken = NOTHING_TAKEN,
    ceilings: Guardrails | None = None,
    known: Iterable[str] = (),
    now: datetime = NOW,
    source: PlanSource = SOURCE,
) -> Plan:
    """The plan of several hosts."""
    listed = tuple(views)
    desired = Desired(
        source.revision,
        OWNER,
        guardrails,
        {item.name: item.manifest for item in listed},
        {item.name: item.resources for item in listed},
    )
    return plan(desired, listed, KINDS, source, now, frozenset(known), elsewhere, ceilings)


def planned(
    wanted: Iterable[Resource] = (),
    there: Iterable[Observed] = (),
    rows: Iterable[LedgerRow] = (),
    *,
    guardrails: Guardrails = DEFAULT_RAILS,
    elsewhere: Taken = NOTHING_TAKEN,
    ceilings: Guardrails | None = None,
    **options: object,
) -> HostPlan:
    """The plan of one host."""
    one = view(wanted, there, rows, **options)  # type: ignore[arg-type]
    return tree([one], guardrails=guardrails, elsewhere=elsewhere, ceilings=ceilings).hosts[0]


def changes(plan: HostPlan) -> list[str]:
    """`verb Kind/name` of each action in order."""
    return [f"{action.verb} {action.key.object}" for action in plan.actions]


def commands(plan: HostPlan) -> list[str]:
    """Every command of the plan in order."""
    return [str(step.command) for action in plan.actions for step in action.steps]


def refusals(plan: HostPlan) -> dict[str, str]:
    """Reason of each refusal by `Kind/name`."""
    return {str(item.key.object): str(item.reason) for item in plan.blocked}


def cause(plan: HostPlan) -> str:
    """Cause and remedy of the only refusal."""
    (item,) = plan.blocked
    return f"{item.cause}; remedy: {item.remedy}"


def waits(plan: HostPlan) -> dict[str, set[str]]:
    """For each action the objects of those that it waits for."""
    names = {action.id: str(action.key.object) for action in plan.actions}
    return {str(action.key.object): {names[earlier] for earlier in action.after} for action in plan.actions}


def changed_fields(plan: HostPlan) -> dict[str, tuple[Value, Value]]:
    """Before and after of each field of the only action."""
    (action,) = plan.actions
    return {field.name: (field.before, field.after) for field in action.change.fields}
