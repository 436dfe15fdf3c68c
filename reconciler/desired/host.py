"""The kind Host: how a machine is reached, known and limited."""

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from reconciler.desired.envelope import ManifestPart
from reconciler.desired.problem import Problem
from reconciler.desired.validation import validated
from reconciler.desired.words import NOT_NULL, word_of
from reconciler.desired.yaml_documents import YamlMapping
from reconciler.model.errors import InvalidValue
from reconciler.model.host import Connection, Elevation, HostManifest, Limits, TransportType
from reconciler.model.lifecycle import Mode
from reconciler.model.origin import Origin
from reconciler.provider.kind import Size
from reconciler.provider.pydantic_errors import raising_custom

_HOST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_POOL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]*")
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_.-]+")

_FIELDS_OF_TYPE = MappingProxyType(
    {
        TransportType.EMULATED: frozenset({"type", "system", "pools", "links"}),
        TransportType.LOCAL: frozenset({"type", "path"}),
        TransportType.SSH: frozenset(),
    }
)


def _pool_name(name: str) -> str:
    if not _POOL_NAME.fullmatch(name):
        raise InvalidValue(f"{name!r} can't be a pool's name", remedy="begin it with a letter")
    return name


def _pool_size(size: int) -> int:
    if size <= 0:
        raise InvalidValue("a pool has a size", remedy="write for example 100GiB")
    return size


def _variable_name(name: str) -> str:
    if not _VARIABLE_NAME.fullmatch(name):
        raise InvalidValue(f"{name!r} can't be the name of a variable", remedy="use letters, digits and . _ - only")
    return name


PoolName = Annotated[str, AfterValidator(raising_custom(_pool_name))]
PoolSize = Annotated[Size, AfterValidator(raising_custom(_pool_size))]
VariableName = Annotated[str, AfterValidator(raising_custom(_variable_name))]


def _available(value: TransportType) -> TransportType:
    if value is TransportType.SSH:
        raise InvalidValue("transport ssh is not available yet", remedy="use type local or emulated")
    return value


class TransportSpec(ManifestPart):
    """How commands reach the host."""

    type: Annotated[
        TransportType,
        AfterValidator(raising_custom(_available)),
        word_of(TransportType),
        Field(description="emulated, or local: the machine that we run on"),
        WithJsonSchema({"enum": ["emulated", "local"]}),
    ]
    system: Annotated[Literal["smartos", "omnios"] | None, NOT_NULL, Field(description="emulated: which system")] = None
    pools: Annotated[
        dict[PoolName, PoolSize] | None, NOT_NULL, Field(description="emulated: pools by name, with their size")
    ] = None
    links: Annotated[list[str] | None, NOT_NULL, Field(description="emulated: physical links")] = None
    path: Annotated[str | None, NOT_NULL, Field(description="local: the PATH on which the tools are looked for")] = None


class IdentitySpec(ManifestPart):
    """What must be found on the machine before any other command is run."""

    hostname: Annotated[str | None, NOT_NULL] = None
    system_uuid: Annotated[str | None, NOT_NULL, Field(alias="systemUuid")] = None
    host_id: Annotated[str | None, NOT_NULL, Field(alias="hostId")] = None
    machine_id: Annotated[str | None, NOT_NULL, Field(alias="machineId")] = None


class LimitsSpec(ManifestPart):
    """How much may run side by side."""

    parallel: Annotated[int, Field(ge=1, description="changes at once on the host")] = 4
    per_pool: Annotated[int, Field(alias="perPool", ge=1, description="changes at once in one pool")] = 4
    per_kind: Annotated[
        dict[str, Annotated[int, Field(ge=1)]], Field(alias="perKind", description="changes at once of one kind")
    ] = Field(default_factory=dict)


class HostSpec(ManifestPart):
    """A machine."""

    transport: TransportSpec
    identity: IdentitySpec = Field(default_factory=IdentitySpec)
    elevate: Annotated[Elevation, word_of(Elevation), Field(description="how changes gain the right to be made")] = (
        Elevation.NONE
    )
    mode: Annotated[Mode, word_of(Mode), Field(description="a ceiling for the mode of everything on the host")] = Mode.ENFORCE
    default_pool: Annotated[str, Field(alias="defaultPool", description="the pool of guests that name none")] = ""
    vars: Annotated[dict[VariableName, str], Field(description="what $(name) stands for in shared manifests")] = Field(
        default_factory=dict
    )
    limits: LimitsSpec = Field(default_factory=LimitsSpec)


def host_manifest(
    name: str, labels: dict[str, str], origin: Origin, spec: YamlMapping, kinds: frozenset[str]
) -> HostManifest | list[Problem]:
    """The host that a spec describes, or everything that is wrong (paths within the spec)."""
    model = validated(HostSpec, spec)
    if isinstance(model, list):
        return _without_consequences(model)
    problems = [*_transport_problems(model.transport), *_kind_problems(model, kinds)]
    if problems:
        return problems
    identity = {name: text for name, text in model.identity.model_dump(by_alias=True).items() if text is not None}
    return HostManifest(
        name=name,
        connection=_connection(model.transport),
        origin=origin,
        identity=identity,
        elevate=model.elevate,
        mode=model.mode,
        default_pool=model.default_pool,
        variables=model.vars,
        limits=Limits(model.limits.parallel, model.limits.per_pool, model.limits.per_kind),
        labels=labels,
    )


def check_host_name(name: str) -> None:
    """InvalidValue for a name that could not be part of a key, a file name or an address."""
    if not _HOST_NAME.fullmatch(name):
        raise InvalidValue(
            f"{name!r} can't be a host's name", remedy="use letters, digits and . _ - and begin with a letter or digit"
        )


def _connection(transport: TransportSpec) -> Connection:
    return Connection(
        type=transport.type,
        system=transport.system or "",
        pools=transport.pools,
        links=None if transport.links is None else tuple(transport.links),
        path=transport.path or "",
    )


def _without_consequences(problems: list[Problem]) -> list[Problem]:
    """Of a transport that is not there yet, only that: its fields are unknown as well."""
    unavailable = [problem for problem in problems if problem.path == ("transport", "type")]
    return unavailable + [problem for problem in problems if not unavailable or problem.path[0] != "transport"]


def _transport_problems(transport: TransportSpec) -> Iterator[Problem]:
    path = ("transport",)
    for name in sorted(transport.model_fields_set - _FIELDS_OF_TYPE[transport.type]):
        owner = next(kind for kind, fields in _FIELDS_OF_TYPE.items() if name in fields)
        yield Problem((*path, name), f"{name} is for transport {owner}, not {transport.type}", "remove it", of_key=True)
    if transport.type is TransportType.EMULATED and transport.system is None:
        yield Problem(path, "system is missing", "add system: smartos or system: omnios")
    if transport.pools == {}:
        yield Problem((*path, "pools"), "a host without pools is of no use", "remove the line to have the system's usual pools")
    for index, link in enumerate(transport.links or ()):
        if not link or link in (transport.links or ())[:index]:
            yield Problem((*path, "links", index), f"the link {link!r} is empty or stands twice", "remove it")
    if transport.path is not None and not all(part.startswith("/") for part in transport.path.split(":")):
        yield Problem((*path, "path"), "every part of path must begin with /", 'write for example "/opt/bin:/usr/bin"')


def _kind_problems(spec: HostSpec, kinds: frozenset[str]) -> Iterator[Problem]:
    for kind in spec.limits.per_kind:
        if kind not in kinds:
            yield Problem(
                ("limits", "perKind", kind), f"there is no kind {kind}", f"kinds: {', '.join(sorted(kinds))}", of_key=True
            )
