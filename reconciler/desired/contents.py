"""What one file holds, judged without looking at any other file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from reconciler.desired.envelope import Envelope, HostsSelector, Metadata
from reconciler.desired.host import host_manifest
from reconciler.desired.layout import Area, Part
from reconciler.desired.locator import Locator
from reconciler.desired.manifest import ENGINE_KINDS, HOST, REPOSITORY, header_problem, resource, subject
from reconciler.desired.problem import Problem, below, refusal
from reconciler.desired.repository import check_owner, guardrails
from reconciler.desired.validation import validated
from reconciler.desired.variables import uses_variables
from reconciler.desired.words import printable
from reconciler.desired.yaml_documents import Document, YamlMapping
from reconciler.desired.yaml_error import YamlError
from reconciler.desired.yaml_places import Path
from reconciler.model.desired import Finding, Severity
from reconciler.model.errors import InvalidValue
from reconciler.model.guardrails import Guardrails
from reconciler.model.host import HostManifest
from reconciler.model.key import Key
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.provider.kind import Kind
from reconciler.provider.registry import KNOWN_KINDS


@dataclass(frozen=True, slots=True)
class RepositoryManifest:
    """The `kind: Repository` of a tree."""

    owner: str
    guardrails: Guardrails


@dataclass(frozen=True, slots=True)
class SharedManifest:
    """A document for several hosts. `resource` is the same for all of them but for its key; None where variables differ."""

    document: YamlMapping
    origin: Origin
    selector: HostsSelector
    resource: Resource | None


@dataclass(frozen=True, slots=True)
class FileContents:
    """What stands in one file, and what is wrong with it by itself. `blob` names the bytes that it was read from.

    `is_unclear` says that it may hold more than what was understood: resources of unknown names, or a Host.
    """

    blob: str
    area: Area
    resources: tuple[Resource, ...] = ()
    hosts: tuple[HostManifest, ...] = ()
    shared: tuple[SharedManifest, ...] = ()
    repository: RepositoryManifest | None = None
    findings: tuple[Finding, ...] = ()
    is_unclear: bool = False


def file_contents(
    path: str, blob: str, area: Area, documents: tuple[Document, ...], kinds: Mapping[str, Kind], locator: Locator
) -> FileContents:
    """Everything in a file: what is right, and findings about what is not."""
    resources: list[Resource] = []
    hosts: list[HostManifest] = []
    shared: list[SharedManifest] = []
    repository: RepositoryManifest | None = None
    findings: list[Finding] = []
    is_unclear = False
    for index, document in enumerate(documents):
        origin = Origin(path, document.line, document.column)
        judged = _judged(document.value, origin, area, kinds, is_first=index == 0)
        match judged:
            case Resource():
                resources.append(judged)
            case HostManifest():
                hosts.append(judged)
            case SharedManifest():
                shared.append(judged)
            case RepositoryManifest():
                repository = judged
            case problems:
                about, key = subject(document.value), _key(document.value, area.host)
                findings.extend(locator.finding(origin, blob, problem, about, key) for problem in problems)
                is_unclear = is_unclear or document.value.get("kind") in (None, HOST)
    if area.part is Part.REPOSITORY and not documents:
        problem = Problem((), "the file holds no manifest", "write one kind: Repository, or remove the file")
        findings.append(locator.finding(Origin(path, 1, 1), blob, problem, ""))
    return FileContents(blob, area, tuple(resources), tuple(hosts), tuple(shared), repository, tuple(findings), is_unclear)


def unread_contents(path: str, blob: str, area: Area, error: YamlError) -> FileContents:
    """A file of which nothing can be said but why."""
    finding = Finding(path, error.line, error.column, Severity.ERROR, printable(error.cause), printable(error.remedy))
    return FileContents(blob, area, findings=(finding,), is_unclear=True)


_Judged: TypeAlias = Resource | HostManifest | SharedManifest | RepositoryManifest | list[Problem]


def _judged(document: YamlMapping, origin: Origin, area: Area, kinds: Mapping[str, Kind], *, is_first: bool) -> _Judged:
    if problem := header_problem(document, kinds) or _misplaced(str(document["kind"]), area, is_first=is_first):
        return [problem]
    match area.part:
        case Part.REPOSITORY:
            return _repository(document, kinds)
        case Part.SHARED:
            return _shared(document, origin, kinds)
        case Part.HOST if document["kind"] == HOST:
            return _host(document, origin, area.host, kinds)
        case Part.HOST:
            made = resource(document, area.host, origin, kinds)
            contradictions = _host_problems(document, area.host)
            if contradictions:
                return [*contradictions, *(made if isinstance(made, list) else ())]
            return made
        case _:
            assert_never(area.part)


def _misplaced(kind: str, area: Area, *, is_first: bool) -> Problem | None:
    """Why a kind can't stand in that part of the tree; None when it can."""
    path = ("kind",)
    if area.part is Part.REPOSITORY and not (kind == REPOSITORY and is_first):
        return Problem(
            path, "repository.yaml holds one kind: Repository and nothing else", "move the document to hosts/ or shared/"
        )
    if area.part is not Part.REPOSITORY and kind == REPOSITORY:
        return Problem(path, "kind Repository stands only in repository.yaml", "move it there")
    if area.part is Part.SHARED and kind == HOST:
        return Problem(path, "kind Host can't be shared", "move it to hosts/<host>/")
    return None


def _repository(document: YamlMapping, kinds: Mapping[str, Kind]) -> RepositoryManifest | list[Problem]:
    envelope = validated(Envelope, document)
    spec = document.get("spec", {})
    limits = guardrails(spec, _every_kind(kinds)) if isinstance(spec, dict) else Guardrails()
    problems = _engine_problems(envelope)
    if isinstance(envelope, Envelope):
        problems += _refusals(("metadata", "name"), check_owner, envelope.metadata.name)
    if isinstance(limits, list):
        return [*problems, *below(("spec",), limits)]
    if problems or isinstance(envelope, list):
        return problems
    return RepositoryManifest(envelope.metadata.name, limits)


def _host(document: YamlMapping, origin: Origin, folder: str, kinds: Mapping[str, Kind]) -> HostManifest | list[Problem]:
    envelope = validated(Envelope, document)
    problems = [*_engine_problems(envelope), *_host_problems(document, folder)]
    labels: dict[str, str] = {}
    if isinstance(envelope, Envelope):
        labels = envelope.metadata.labels
        if envelope.metadata.name != folder:
            cause = f"the Host's name {envelope.metadata.name} contradicts its folder hosts/{folder}"
            problems.append(Problem(("metadata", "name"), cause, f"write name: {folder}, or rename the folder"))
    spec = document.get("spec", {})
    made = host_manifest(folder, labels, origin, spec, _every_kind(kinds)) if isinstance(spec, dict) else []
    if isinstance(made, list):
        return [*problems, *below(("spec",), made)]
    return problems or made


def _shared(document: YamlMapping, origin: Origin, kinds: Mapping[str, Kind]) -> SharedManifest | list[Problem]:
    metadata = document.get("metadata")
    problems: list[Problem] = []
    selector: HostsSelector | None = None
    if isinstance(metadata, dict):
        if "host" in metadata:
            cause = "a manifest in shared/ says its hosts with hosts, not host"
            problems.append(
                Problem(("metadata", "host"), cause, "write hosts: all, {names: [...]} or {labels: {...}}", of_key=True)
            )
        elif "hosts" not in metadata:
            remedy = "add hosts: all, {names: [...]} or {labels: {...}}, or move the file to hosts/<host>/"
            problems.append(Problem(("metadata",), "hosts is missing", remedy))
        if "hosts" in metadata:
            chosen = validated(Metadata, {"name": "", "hosts": metadata["hosts"]})
            if isinstance(chosen, list):
                problems += below(("metadata",), chosen)
            else:
                selector = chosen.hosts
    made = None if selector is not None and uses_variables(document) else resource(document, "", origin, kinds)
    if isinstance(made, list):
        problems += made
    if problems or selector is None or isinstance(made, list):
        return list(dict.fromkeys(problems))
    return SharedManifest(document, origin, selector, made)


def _engine_problems(envelope: Envelope | list[Problem]) -> list[Problem]:
    """What is wrong with the envelope of one of the engine's own kinds, which take only a name and labels."""
    if isinstance(envelope, list):
        return envelope
    stated = sorted(envelope.metadata.model_fields_set & {"hosts", "depends_on", "moved_from"})
    paths: list[Path] = [("metadata", Metadata.model_fields[name].alias or name) for name in stated]
    if envelope.lifecycle is not None:
        paths.append(("lifecycle",))
    return [Problem(path, f"a {envelope.kind} has no {path[-1]}", "remove it", of_key=True) for path in paths]


def _host_problems(document: YamlMapping, folder: str) -> list[Problem]:
    """What the metadata of a manifest below hosts/ says against the folder that it lies in."""
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return []
    problems = []
    host = metadata.get("host")
    if isinstance(host, str) and host != folder:
        cause = f"host {host} contradicts the folder hosts/{folder}"
        problems.append(Problem(("metadata", "host"), cause, f"remove the line, or move the manifest to hosts/{host}/"))
    if "hosts" in metadata and document.get("kind") != HOST:
        cause = "hosts is only for manifests in shared/"
        problems.append(Problem(("metadata", "hosts"), cause, "remove it, or move the file to shared/", of_key=True))
    return problems


def _refusals(path: Path, check: Callable[[str], None], name: str) -> list[Problem]:
    try:
        check(name)
    except InvalidValue as invalid:
        return [refusal(path, invalid)]
    return []


def _every_kind(kinds: Mapping[str, Kind]) -> frozenset[str]:
    return frozenset(kinds) | frozenset(KNOWN_KINDS)


def _key(document: YamlMapping, host: str) -> Key | None:
    """The key that a document means, as far as it says one."""
    metadata, kind = document.get("metadata"), document.get("kind")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not host or not isinstance(kind, str) or kind in ENGINE_KINDS or not isinstance(name, str):
        return None
    return Key(host, kind, name)
