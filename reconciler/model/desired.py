"""The desired state of one revision as a whole."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.model.guardrails import Guardrails
from reconciler.model.host import HostManifest
from reconciler.model.key import Key
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource

DEFAULT_OWNER = "default"


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something to tell about a manifest: where, about which object, why, and what to do. `subject` is `Kind name`."""

    path: str
    line: int
    column: int
    severity: Severity
    cause: str
    remedy: str
    subject: str = ""
    key: Key | None = None

    def __str__(self) -> str:
        subject = f"{self.subject}: " if self.subject else ""
        warning = "warning: " if self.severity is Severity.WARNING else ""
        text = f"{self.path}:{self.line}:{self.column}  {warning}{subject}{self.cause}"
        return f"{text}\n  remedy: {self.remedy}" if self.remedy else text


def _origin_of(resource: Resource, _field: str) -> Origin:
    return resource.origin


@dataclass(frozen=True, slots=True)
class Desired:
    """All hosts and their resources at one revision; valid as a whole, or it would not exist.

    `resources` maps host to that host's resources by key. `whole` is false when the read was narrowed: then absence says
    nothing. `place` finds the position of a field inside a resource's manifest again.
    """

    revision: str
    owner: str = DEFAULT_OWNER
    guardrails: Guardrails = Guardrails()
    hosts: Mapping[str, HostManifest] = field(default_factory=dict)
    resources: Mapping[str, Mapping[Key, Resource]] = field(default_factory=dict)
    whole: bool = True
    place: Callable[[Resource, str], Origin] = _origin_of
