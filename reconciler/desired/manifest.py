"""One document as a resource of a host."""

from collections.abc import Iterator, Mapping
from functools import partial

from reconciler.desired.envelope import API_VERSION, Envelope, LifecycleManifest, Metadata, lifecycle_of
from reconciler.desired.fields import StatedFields, stated_fields
from reconciler.desired.problem import Problem, below, refusal
from reconciler.desired.validation import validated
from reconciler.desired.words import shown
from reconciler.desired.yaml_documents import YamlMapping
from reconciler.model.closest import closest
from reconciler.model.errors import InvalidValue
from reconciler.model.key import Key, ObjectName, parse_object_name
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.provider.kind import Kind
from reconciler.provider.registry import KNOWN_KINDS, RESERVED_KINDS

REPOSITORY = "Repository"
HOST = "Host"
ENGINE_KINDS = frozenset({REPOSITORY, HOST})


def header_problem(document: YamlMapping, kinds: Mapping[str, Kind]) -> Problem | None:
    """Why a document is no manifest that we can read on; None for one of the engine's kinds and of `kinds`."""
    version, kind = document.get("apiVersion"), document.get("kind")
    if "apiVersion" not in document:
        return Problem((), "apiVersion is missing", f"add apiVersion: {API_VERSION}, or move the file out of the tree")
    if version != API_VERSION:
        if isinstance(version, str) and version.startswith("reconciler/"):
            return Problem(("apiVersion",), f"apiVersion {version} is not known", f"write {API_VERSION}")
        return Problem(("apiVersion",), f"expected {API_VERSION}, got {shown(version)}", "move the file out of the tree")
    if "kind" not in document:
        return Problem((), "kind is missing", "add kind: Dataset or another kind")
    if not isinstance(kind, str):
        return Problem(("kind",), f"expected the name of a kind, got {shown(kind)}", "write for example Dataset")
    if kind in ENGINE_KINDS or (kind in kinds and not kinds[kind].is_reserved):
        return None
    if kind in KNOWN_KINDS:
        return Problem(("kind",), f"no provider for kind {kind} is installed", "install one, or remove the manifest")
    if kind in kinds:
        return Problem(("kind",), f"kind {kind} is reserved", "remove the manifest: such objects are looked at, not managed")
    if kind in RESERVED_KINDS:
        return Problem(("kind",), f"kind {kind} is reserved", "remove the manifest: the kind does not exist yet")
    known = {*ENGINE_KINDS, *(name for name, one in kinds.items() if not one.is_reserved)}
    meant = closest(kind, (*known, *KNOWN_KINDS))
    remedy = f"did you mean {meant}?" if meant else f"kinds: {', '.join(sorted(known))}"
    return Problem(("kind",), f"there is no kind {kind}", remedy)


def subject(document: YamlMapping) -> str:
    """`Kind name`, as far as the document says them."""
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    kind = document.get("kind")
    parts = (kind if isinstance(kind, str) else "", name if isinstance(name, str) and name.isprintable() else "")
    return " ".join(part for part in parts if part)


def resource(document: YamlMapping, host: str, origin: Origin, kinds: Mapping[str, Kind]) -> Resource | list[Problem]:
    """The resource that a document (with a header as it must be) describes, or everything that is wrong with it.

    Where the host is said is the tree's business: `metadata.host` and `metadata.hosts` are not judged.
    """
    kind = kinds[str(document["kind"])]
    envelope = validated(Envelope, document, partial(_home, kind))
    spec = document.get("spec", {})
    home = partial(_home_of_spec, kind)
    stated = stated_fields(kind, _name(document), spec, home) if isinstance(spec, dict) else StatedFields()
    problems: list[Problem] = []
    if isinstance(envelope, list):
        problems += envelope
    else:
        problems += _metadata_problems(envelope.metadata, kind, kinds)
        problems += _ignore_problems(envelope.lifecycle, kind)
    if isinstance(stated, list):
        problems += below(("spec",), stated)
    if problems or isinstance(envelope, list) or isinstance(stated, list):
        return problems
    metadata = envelope.metadata
    return Resource(
        key=Key(host, kind.name, metadata.name),
        fields=stated.compared,
        origin=origin,
        lifecycle=lifecycle_of(envelope.lifecycle),
        created_with=stated.at_creation or None,
        references=stated.references,
        depends_on=tuple(map(parse_object_name, metadata.depends_on)),
        moved_from=metadata.moved_from,
        labels=tuple(sorted(metadata.labels.items())),
    )


def check_name(name: str) -> None:
    """InvalidValue for a name that no kind of object can have."""
    if not name:
        raise InvalidValue("the name is empty", remedy="write the object's name on the host")
    if not name.isprintable():
        raise InvalidValue("the name holds characters that can't be printed", remedy="remove line breaks and the like")
    if name != name.strip():
        raise InvalidValue("the name begins or ends with a space", remedy="remove it")


def _name(document: YamlMapping) -> str:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def _metadata_problems(metadata: Metadata, kind: Kind, kinds: Mapping[str, Kind]) -> Iterator[Problem]:
    for field, name in (("name", metadata.name), ("movedFrom", metadata.moved_from)):
        if name is None:
            continue
        try:
            check_name(name)
            if kind.check_name is not None:
                kind.check_name(name)
        except InvalidValue as invalid:
            yield refusal(("metadata", field), invalid)
    for index, text in enumerate(metadata.depends_on):
        path = ("metadata", "dependsOn", index)
        try:
            wanted: ObjectName = parse_object_name(text)
        except InvalidValue as invalid:
            yield refusal(path, invalid)
            continue
        if wanted.kind not in kinds:
            meant = closest(wanted.kind, kinds)
            remedy = f"did you mean {meant}/{wanted.name}?" if meant else f"kinds: {', '.join(sorted(kinds))}"
            yield Problem(path, f"there are no objects of kind {wanted.kind}", remedy)


def _ignore_problems(lifecycle: LifecycleManifest | None, kind: Kind) -> Iterator[Problem]:
    for index, name in enumerate(lifecycle.ignore if lifecycle is not None else ()):
        if name in kind.entries or any(known.startswith(f"{name}.") for known in kind.known_rules):
            continue
        try:
            kind.rule(name)
        except InvalidValue as invalid:
            meant = closest(name, (*kind.known_rules, *kind.entries))
            remedy = f"did you mean {meant}?" if meant else invalid.remedy
            yield Problem(("lifecycle", "ignore", index), invalid.cause, remedy)


def _home(kind: Kind, field: str) -> str | None:
    """The part of a manifest of the kind in which a field belongs."""
    return "spec" if field in kind.spec.model_fields else _home_of_spec(kind, field)


def _home_of_spec(kind: Kind, field: str) -> str | None:
    """Another part of a manifest that knows a field which spec does not: a map with that entry, else a section."""
    for place, entries in kind.entries.items():
        if field in entries.known:
            return f"spec.{place}"
    for section, model in (("metadata", Metadata), ("lifecycle", LifecycleManifest)):
        if any(field == (info.alias or name) for name, info in model.model_fields.items()):
            return section
    return None
