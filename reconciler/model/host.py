"""A host as its manifest describes it: how to reach it, how to know it, what may be done there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.model.lifecycle import Mode
from reconciler.model.origin import Origin


class TransportType(StrEnum):
    EMULATED = "emulated"
    LOCAL = "local"
    SSH = "ssh"


class Elevation(StrEnum):
    NONE = "none"
    PFEXEC = "pfexec"
    SUDO = "sudo"


@dataclass(frozen=True, slots=True)
class Connection:
    """How commands reach a host; which fields matter depends on the type. `pools` in bytes; None takes the default."""

    type: TransportType
    system: str = ""
    pools: Mapping[str, int] | None = None
    links: tuple[str, ...] | None = None
    path: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may run side by side on one host."""

    parallel: int = 4
    per_pool: int = 4
    per_kind: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HostManifest:
    """One `kind: Host`. `identity` holds what must be found on the machine before any other command is run."""

    name: str
    connection: Connection
    origin: Origin
    identity: Mapping[str, str] = field(default_factory=dict)
    elevate: Elevation = Elevation.NONE
    mode: Mode = Mode.ENFORCE
    default_pool: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    labels: Mapping[str, str] = field(default_factory=dict)
