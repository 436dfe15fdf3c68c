"""What every manifest says around its spec: which object on which host, and what may happen to it."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from reconciler.desired.words import NOT_NULL, word_of
from reconciler.model.errors import InvalidValue
from reconciler.model.lifecycle import (
    DEFAULT_LIFECYCLE,
    TRASH_TTL_SECONDS,
    Adopt,
    Disruption,
    Lifecycle,
    Mode,
    OnRemoval,
    Protect,
)
from reconciler.model.quantity import parse_duration
from reconciler.provider.pydantic_errors import raising_custom

API_VERSION = "reconciler/v1"


class ManifestPart(BaseModel):
    """A part of one of the engine's own manifests."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class HostsSelector(ManifestPart):
    """The hosts that a manifest in `shared/` is for: by name, by labels, or all where neither is stated."""

    names: Annotated[list[str] | None, NOT_NULL, Field(min_length=1)] = None
    labels: Annotated[dict[str, str] | None, NOT_NULL, Field(min_length=1)] = None

    def selects(self, name: str, labels: Mapping[str, str]) -> bool:
        if self.names is not None:
            return name in self.names
        return all(labels.get(label) == value for label, value in (self.labels or {}).items())


def _selector(value: object) -> object:
    if value == "all":
        return HostsSelector()
    if not isinstance(value, dict):
        raise InvalidValue("expected all, names or labels", remedy="write hosts: all, {names: [hv01]} or {labels: {role: web}}")
    if not value or {"names", "labels"} <= value.keys():
        raise InvalidValue("hosts needs either names or labels", remedy="write {names: [hv01]} or {labels: {role: web}}")
    return value


def _duration(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidValue("a duration is a number with a unit", remedy="write for example 30s, 5m, 1h30m or 14d")
    return parse_duration(value)


class Metadata(ManifestPart):
    """Which object the manifest is about."""

    name: Annotated[str, Field(description="the name on the host")]
    host: Annotated[str | None, NOT_NULL, Field(description="the host; the folder below hosts/ says it already")] = None
    hosts: Annotated[
        HostsSelector | None,
        BeforeValidator(raising_custom(_selector)),
        WithJsonSchema(
            {
                "description": "in shared/: the hosts that get one resource each",
                "oneOf": [
                    {"const": "all"},
                    {
                        "type": "object",
                        "properties": {"names": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
                        "required": ["names"],
                        "additionalProperties": False,
                    },
                    {
                        "type": "object",
                        "properties": {"labels": {"type": "object", "additionalProperties": {"type": "string"}}},
                        "required": ["labels"],
                        "additionalProperties": False,
                    },
                ],
            }
        ),
    ] = None
    labels: Annotated[dict[str, str], Field(description="labels of your own")] = Field(default_factory=dict)
    depends_on: Annotated[
        list[str], Field(alias="dependsOn", description="resources of the same host that must be there first, as Kind/name")
    ] = Field(default_factory=list)
    moved_from: Annotated[
        str | None, NOT_NULL, Field(alias="movedFrom", description="the name until now; renames the object")
    ] = None


class LifecycleManifest(ManifestPart):
    """What may happen to the object."""

    on_removal: Annotated[
        OnRemoval,
        word_of(OnRemoval),
        Field(alias="onRemoval", description="what becomes of the object when its manifest goes"),
    ] = OnRemoval.TRASH
    trash_ttl_s: Annotated[
        int | None,
        BeforeValidator(raising_custom(_duration)),
        Field(alias="trashTtl", description="how long the trash keeps it; null: for ever"),
        WithJsonSchema({"type": ["string", "null"], "examples": ["14d"]}),
    ] = TRASH_TTL_SECONDS
    delete_snapshots: Annotated[
        bool, Field(alias="deleteSnapshots", description="permits onRemoval: delete of what has snapshots")
    ] = False
    adopt: Annotated[
        Adopt, word_of(Adopt), Field(description="whether an object that exists and bears nobody's mark is taken over")
    ] = Adopt.NEVER
    protect: Annotated[Protect, word_of(Protect), Field(description="what is refused, whoever asks for it")] = Protect.NONE
    disruption: Annotated[Disruption, word_of(Disruption), Field(description="how much a change may disturb")] = Disruption.NONE
    mode: Annotated[Mode, word_of(Mode), Field(description="what is done about a difference")] = Mode.ENFORCE
    ignore: Annotated[list[str], Field(description="fields that are left alone")] = Field(default_factory=list)


class Envelope(ManifestPart):
    """One document of a tree."""

    api_version: Annotated[str, Field(alias="apiVersion")]
    kind: str
    metadata: Metadata
    lifecycle: Annotated[LifecycleManifest | None, NOT_NULL] = None
    spec: dict[str, Any] = Field(default_factory=dict)


def lifecycle_of(manifest: LifecycleManifest | None) -> Lifecycle:
    """The lifecycle as the model has it; one object for all that state nothing of their own."""
    if manifest is None:
        return DEFAULT_LIFECYCLE
    return Lifecycle(
        on_removal=manifest.on_removal,
        trash_ttl_s=manifest.trash_ttl_s,
        delete_snapshots=manifest.delete_snapshots,
        adopt=manifest.adopt,
        protect=manifest.protect,
        disruption=manifest.disruption,
        mode=manifest.mode,
        ignore=tuple(manifest.ignore),
    )
