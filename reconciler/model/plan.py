"""A plan as a value: what runs on which host in which order, what is refused, and why."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from reconciler.model.change import Change, Effect, Verb
from reconciler.model.command import Step
from reconciler.model.hold import Hold
from reconciler.model.key import Key
from reconciler.model.observed import Unreadable
from reconciler.model.origin import Origin
from reconciler.model.value import Value


class Reason(StrEnum):
    """Why a change is refused; a closed list."""

    NOT_OURS = "notOurs"
    OTHER_OWNER = "otherOwner"
    FOREIGN_COPY = "foreignCopy"
    AMBIGUOUS = "ambiguous"
    NAME_TAKEN = "nameTaken"
    IMMUTABLE = "immutable"
    IN_TRASH = "inTrash"
    PROTECTED = "protected"
    DISRUPTION = "disruption"
    DATA_AT_RISK = "dataAtRisk"
    DEPENDENTS = "dependents"
    BELONGS_TO = "belongsTo"
    UNEXPECTED_ITEM = "unexpectedItem"
    GUARDRAIL = "guardrail"
    MISSING_REFERENCE = "missingReference"
    UNSUPPORTED = "unsupported"
    UNREAD = "unread"
    UNREADABLE = "unreadable"
    WRONG_HOST = "wrongHost"
    POLICY = "policy"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class AtRisk:
    """What an action takes away for good, at the time of looking."""

    bytes: int = 0
    snapshots: int = 0


@dataclass(frozen=True, slots=True)
class Action:
    """A node of the plan's graph: one change and its exact commands.

    `after` names the actions that must have succeeded before. `report_only` actions are shown and never run.
    """

    id: str
    change: Change
    effect: Effect | None
    why: str
    steps: tuple[Step, ...]
    origin: Origin | None
    after: tuple[str, ...] = ()
    reversible: bool = True
    report_only: bool = False
    at_risk: AtRisk = AtRisk()
    pool: str = ""

    @property
    def key(self) -> Key:
        return self.change.key

    @property
    def verb(self) -> Verb:
        return self.change.verb


@dataclass(frozen=True, slots=True)
class Blocked:
    """A change we refuse, why, and what to do about it."""

    key: Key
    verb: Verb
    reason: Reason
    cause: str
    remedy: str
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """A field that a manifest no longer states: it stays on the host as it is."""

    key: Key
    field: str
    value: Value


@dataclass(frozen=True, slots=True)
class Miss:
    """An expectation about an object we only observe that does not hold; a condition, not a change."""

    key: Key
    field: str
    cause: str
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What is to be done and what is refused on one host.

    `settled` names the keys that are as wanted: the ledger learns them when the plan is applied; `used` those that are as
    wanted and not known to be ours. `wants` asks for another look with more fields before the plan can be relied on.
    `wrong_host` is the cause when the machine is not the one that the Host manifest names: then nothing was looked at.
    `holds` are those in force there. `pending_restart` names objects of ours of which changes wait for their next boot,
    with the fields.
    """

    host: str
    observed_at: datetime
    actions: tuple[Action, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    released: tuple[Released, ...] = ()
    misses: tuple[Miss, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    unmanaged: int = 0
    managed: int = 0
    settled: tuple[Key, ...] = ()
    used: tuple[Key, ...] = ()
    gone: tuple[Key, ...] = ()
    wants: frozenset[tuple[str, str]] = frozenset()
    wrong_host: str = ""
    holds: tuple[Hold, ...] = ()
    pending_restart: tuple[tuple[Key, tuple[str, ...]], ...] = ()

    @property
    def pending(self) -> tuple[Action, ...]:
        return self.actions

    @property
    def runnable(self) -> tuple[Action, ...]:
        return tuple(action for action in self.actions if not action.report_only)

    @property
    def is_empty(self) -> bool:
        """Nothing to do, nothing refused, and everything was seen."""
        return not (self.actions or self.blocked or self.unreadable or self.wrong_host)


@dataclass(frozen=True, slots=True)
class PlanSource:
    """What was read: a folder or a repository, at a revision; `whole` is false when the read was narrowed."""

    path: str
    revision: str
    whole: bool = True
    repository: str = ""
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The plans of all hosts at one revision. `forgotten` names hosts that are known but no longer written down."""

    source: PlanSource
    created_at: datetime
    hosts: tuple[HostPlan, ...] = ()
    forgotten: tuple[str, ...] = field(default=())
