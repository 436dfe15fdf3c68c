"""The kind Repository: whose marks objects bear, and how much one revision may take away."""

import re
from dataclasses import replace
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from reconciler.desired.envelope import ManifestPart
from reconciler.desired.problem import Problem, below
from reconciler.desired.validation import validated
from reconciler.desired.words import word_of
from reconciler.desired.yaml_documents import YamlMapping
from reconciler.model.change import Verb
from reconciler.model.errors import InvalidValue
from reconciler.model.guardrails import NO_LIMIT, Guardrails
from reconciler.model.quantity import parse_share
from reconciler.provider.kind import Size
from reconciler.provider.pydantic_errors import raising_custom

_OWNER = re.compile(r"[a-z0-9-]{1,32}")
_DEFAULTS = Guardrails()

Count = Annotated[int, Field(ge=0)]


def _share(value: object) -> int:
    if not isinstance(value, str):
        raise InvalidValue("a share is a percentage", remedy="write for example 30%")
    return parse_share(value)


class PerHostRemovals(ManifestPart):
    """How much may go from one host."""

    count: Count = _DEFAULTS.removals_per_host
    share: Annotated[
        int,
        BeforeValidator(raising_custom(_share)),
        Field(description="of the managed objects, from 10 of them upward"),
        WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,3}%$", "examples": ["30%"]}),
    ] = _DEFAULTS.removals_share_percent


class TotalRemovals(ManifestPart):
    """How much may go from all hosts together."""

    count: Count = _DEFAULTS.removals_total


class RemovalsSpec(ManifestPart):
    """Limits on what is trashed, deleted or replaced."""

    per_host: PerHostRemovals = Field(default_factory=PerHostRemovals, alias="perHost")
    total: TotalRemovals = Field(default_factory=TotalRemovals)
    bytes: Annotated[Size, Field(description="over all hosts")] = _DEFAULTS.removals_bytes


class RestartsSpec(ManifestPart):
    """Limits on what is restarted."""

    per_host: Annotated[Count, Field(alias="perHost")] = _DEFAULTS.restarts_per_host


class GuardrailsSpec(ManifestPart):
    """Limits of one revision; each trips when it is exceeded."""

    removals: RemovalsSpec = Field(default_factory=RemovalsSpec)
    restarts: RestartsSpec = Field(default_factory=RestartsSpec)
    protect: Annotated[list[str], Field(description="globs over keys, host/Kind/name, that are never removed")] = Field(
        default_factory=list
    )
    forbid_kinds: Annotated[list[str], Field(alias="forbidKinds", description="kinds that must not change")] = Field(
        default_factory=list
    )
    forbid_verbs: Annotated[
        list[Annotated[Verb, word_of(Verb)]], Field(alias="forbidVerbs", description="verbs that must not be planned")
    ] = Field(default_factory=list)


class RepositorySpec(ManifestPart):
    """What holds for a whole tree."""

    guardrails: GuardrailsSpec = Field(default_factory=GuardrailsSpec)


def guardrails(spec: YamlMapping, kinds: frozenset[str]) -> Guardrails | list[Problem]:
    """The guardrails of a Repository's spec, or everything that is wrong (paths within the spec)."""
    model = validated(RepositorySpec, spec)
    if isinstance(model, list):
        return model
    return below(("guardrails",), _unknown_kinds(model.guardrails, kinds)) or _limits(model.guardrails)


def ceilings(document: YamlMapping, kinds: frozenset[str], file: str) -> Guardrails | list[Problem]:
    """A controller's ceilings, or everything that is wrong. What is not stated is no limit, whatever a repository's default."""
    model = validated(GuardrailsSpec, document)
    if isinstance(model, list):
        return model
    if unknown := _unknown_kinds(model, kinds):
        return unknown
    per_host, total, restarts = model.removals.per_host, model.removals.total, model.restarts
    limits = _limits(model)
    return replace(
        limits,
        removals_per_host=limits.removals_per_host if "count" in per_host.model_fields_set else NO_LIMIT,
        removals_share_percent=limits.removals_share_percent if "share" in per_host.model_fields_set else 100,
        removals_total=limits.removals_total if "count" in total.model_fields_set else NO_LIMIT,
        removals_bytes=limits.removals_bytes if "bytes" in model.removals.model_fields_set else NO_LIMIT,
        restarts_per_host=limits.restarts_per_host if "per_host" in restarts.model_fields_set else NO_LIMIT,
        ceiling=file,
    )


def _unknown_kinds(stated: GuardrailsSpec, kinds: frozenset[str]) -> list[Problem]:
    return [
        Problem(("forbidKinds", index), f"there is no kind {kind}", f"kinds: {', '.join(sorted(kinds))}")
        for index, kind in enumerate(stated.forbid_kinds)
        if kind not in kinds
    ]


def _limits(stated: GuardrailsSpec) -> Guardrails:
    return Guardrails(
        removals_per_host=stated.removals.per_host.count,
        removals_share_percent=stated.removals.per_host.share,
        removals_total=stated.removals.total.count,
        removals_bytes=stated.removals.bytes,
        restarts_per_host=stated.restarts.per_host,
        protect=tuple(stated.protect),
        forbid_kinds=tuple(stated.forbid_kinds),
        forbid_verbs=tuple(verb.value for verb in stated.forbid_verbs),
    )


def check_owner(name: str) -> None:
    """InvalidValue for a name that can't stand in every mark."""
    if not _OWNER.fullmatch(name):
        raise InvalidValue(f"{name!r} can't be an owner's name", remedy="use 1 to 32 of a-z, 0-9 and -")
