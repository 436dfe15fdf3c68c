"""The provider contract: what the engine asks, and what it promises in return.

The engine calls in this order: `serves` once per host and boot; `probes` and `read` in each pass; `refusal` while planning;
`steps` for each change that is not blocked; `explain` after a command that did not exit 0; `confirm` before a destructive
step and after an answer that can't be trusted. All of it is pure: same arguments, same answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from reconciler.model.change import Change, FieldChange
from reconciler.model.command import Completed, Failure, Outputs, Probe, Step
from reconciler.model.facts import HostFacts
from reconciler.model.observed import Observed
from reconciler.model.value import Value
from reconciler.provider.field import Acts
from reconciler.provider.kind import Kind


class Served(StrEnum):
    YES = "yes"
    NO = "no"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Support:
    """Whether a backend serves a system. For NO and UNREADABLE `cause` and `remedy` say why and what to do."""

    served: Served
    cause: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A field or value that this system does not have; known before anything runs."""

    cause: str
    remedy: str


class Backend(Protocol):
    """One provider on one kind of system, made from a host's facts."""

    @classmethod
    def serves(cls, facts: HostFacts) -> Support:
        """Whether this backend is the one for the system. At most one backend of a provider may say YES."""
        ...

    def __init__(self, facts: HostFacts) -> None: ...

    def probes(self, fields: Mapping[str, frozenset[str]]) -> tuple[Probe, ...]:
        """The commands that read all objects of the kinds named, with at least those fields, identity and mark.

        `fields` maps kind to field names (`REMOVAL` and `EVERY_FIELD` included), never to objects: the number of commands
        may not grow with the number of objects. Equal commands of two providers are run once.
        """
        ...

    def read(self, outputs: Outputs, fields: Mapping[str, frozenset[str]]) -> tuple[Observed, ...]:
        """The objects in the probes' answers, all of which exited 0. Strict: ReadError on any other shape."""
        ...

    def refusal(self, kind: str, field: str, value: Value) -> Refusal | None:
        """Why this system can't have a stated field at that value; None when it can.

        For a guest that is to be made, `pool` is None where neither its manifest nor that of its host says in which.
        """
        ...

    def acts(self, kind: str, change: FieldChange, observed: Observed) -> Acts | None:
        """When a change of a field acts on this object while it runs; None where that is as the kind's table says.

        It may be of an item of a list (`nics.net1`) that comes or goes. Its own effect is not known yet.
        """
        ...

    def steps(self, change: Change) -> tuple[Step, ...]:
        """The exact commands of one change, in order; each must be safe to repeat after a crash and a new plan.

        ReconcilerError where this system can't make the change: then it is blocked, with that cause and remedy.
        """
        ...

    def pool(self, name: str) -> str:
        """The name of the pool that bounds parallel work on the object; empty where none does."""
        ...

    def confirm(self, change: Change) -> Probe:
        """A look at this one object. Its answer is read by `confirmed`."""
        ...

    def confirmed(self, change: Change, answer: Completed) -> Observed | None:
        """The object in the answer to `confirm`; None when it is certain that there is none. ReadError otherwise."""
        ...

    def explain(self, failed: Completed) -> Failure:
        """Cause, remedy and retry class of a command that did not exit 0."""
        ...


@dataclass(frozen=True)
class Provider:
    """A plugin: its kinds, its backends, and what it must know of a host to choose among them.

    `backends` gives those for a kind of system, as `uname -s` names it; where there is none, it has nothing of that provider.
    It imports them then and not before: a run pays for the tools of the systems that it meets.
    `fact_probes` gives what such a host is asked once per boot; `HostFacts.probed` has the answers, whatever their exit code.
    """

    name: str
    summary: str
    kinds: tuple[Kind, ...]
    backends: Callable[[str], tuple[type[Backend], ...]]
    fact_probes: Callable[[str], tuple[Probe, ...]] = lambda _system: ()
