"""A whole tree as desired state: every manifest valid and fitting the others, or all that is wrong with it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import TypeAlias

from reconciler.desired.cache import DocumentCache, HostParts, KnownHost, LoadMemory, Occasion
from reconciler.desired.contents import FileContents, SharedManifest
from reconciler.desired.edges import Edge, cycles, unresolved
from reconciler.desired.entry import ReadBlobs, TreeEntry
from reconciler.desired.layout import HOSTS, REPOSITORY, Part
from reconciler.desired.locator import Locator
from reconciler.desired.manifest import subject
from reconciler.desired.problem import Problem
from reconciler.desired.reading import read_tree
from reconciler.desired.sharing import made_for, selector_warnings
from reconciler.model.desired import DEFAULT_OWNER, Desired, Finding, Severity
from reconciler.model.errors import ReconcilerError
from reconciler.model.guardrails import Guardrails
from reconciler.model.host import HostManifest
from reconciler.model.key import Key, ObjectName
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.model.value import Fields
from reconciler.provider.registry import Registry


@dataclass(frozen=True, slots=True)
class ValidTree:
    """A tree without errors."""

    desired: Desired
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class InvalidTree:
    """A tree of which nothing may be used: every error, and the warnings, sorted by place."""

    findings: tuple[Finding, ...]


LoadedTree: TypeAlias = ValidTree | InvalidTree


def load(
    entries: Iterable[TreeEntry],
    read: ReadBlobs,
    registry: Registry,
    *,
    revision: str = "",
    cache: DocumentCache | None = None,
    memory: LoadMemory | None = None,
    strict: bool = False,
    only_hosts: Collection[str] | None = None,
) -> LoadedTree:
    """Desired state from everything that a tree holds (entries of no concern are passed over).

    `read` is asked for blobs that neither `memory` nor `cache` knows, for those with something wrong in them, and later, by
    `Desired.place`, for those that a plan points into; what it raises comes through. `memory` is brought up to date even when
    the tree is invalid. `strict` makes a reference to what is no resource an error. `only_hosts` leaves the others out of the
    result, which then is not whole; their errors count all the same. Loading makes many small objects: a caller that minds
    the time pauses the cycle collector around it.
    """
    memory = memory or LoadMemory()
    memory.begin(registry)
    locator = Locator(read)
    tree = read_tree(entries, read, registry.kinds, memory.files, cache, locator)
    memory.files = tree.files
    assembly = _Assembly(tree.files, registry, locator, memory, strict, list(tree.findings))
    assembly.assemble()
    findings = tuple(_sorted(assembly.findings))
    if any(finding.severity is Severity.ERROR for finding in findings):
        return InvalidTree(findings)
    repository = tree.files[REPOSITORY].repository if REPOSITORY in tree.files else None
    kept = [host for host in assembly.hosts if only_hosts is None or host in only_hosts]
    desired = Desired(
        revision=revision,
        owner=repository.owner if repository else DEFAULT_OWNER,
        guardrails=repository.guardrails if repository else Guardrails(),
        hosts={host: assembly.hosts[host] for host in kept},
        resources={host: assembly.resources[host] for host in kept},
        whole=only_hosts is None,
        place=_Placer(read, tree.files),
    )
    return ValidTree(desired, findings)


@dataclass(slots=True)
class _Assembly:
    """The files of one tree put together; filled in once by `assemble`.

    `unclear` holds hosts of which not everything was understood, and "" when that is so of a shared file; `broken` holds what
    is not among the resources because something is wrong with it, by host ("" in shared files) and subject. Both keep one
    error from causing others.
    """

    files: Mapping[str, FileContents]
    registry: Registry
    locator: Locator
    memory: LoadMemory
    strict: bool
    findings: list[Finding]
    hosts: dict[str, HostManifest] = field(default_factory=dict)
    parts: dict[str, HostParts] = field(default_factory=dict)
    resources: dict[str, dict[Key, Resource]] = field(default_factory=dict)
    unclear: set[str] = field(default_factory=set)
    broken: set[tuple[str, str]] = field(default_factory=set)

    def assemble(self) -> None:
        self._take_files()
        self._take_shared()
        before, self.memory.hosts = self.memory.hosts, {}
        for host, parts in self.parts.items():
            self._take_resources(host, parts, before.get(host))
        if REPOSITORY not in self.files:
            cause = f"there is no {REPOSITORY}: the owner is {DEFAULT_OWNER}"
            self._note_path(REPOSITORY, Severity.WARNING, cause, "add one with kind: Repository and the owner as metadata.name")

    def _take_files(self) -> None:
        first_of_host: dict[str, str] = {}
        for path, contents in self.files.items():
            part, host = contents.area
            if contents.findings:
                self.findings.extend(contents.findings)
                self.broken.update((host, finding.subject) for finding in contents.findings)
            if contents.is_unclear:
                self.unclear.add(host)
            if part is not Part.HOST:
                continue
            if host not in first_of_host:
                first_of_host[host] = path
                self.parts[host] = HostParts()
            for manifest in contents.hosts:
                self._take_host(manifest)
            self.parts[host].files.append(contents)
        for host, path in first_of_host.items():
            if host not in self.hosts and host not in self.unclear:
                self.unclear.add(host)
                cause = f"the folder {HOSTS}/{host} has no kind: Host"
                self._note_path(path, Severity.ERROR, cause, f"add {HOSTS}/{host}/host.yaml with kind: Host")
        if not first_of_host:
            self._note_path(HOSTS, Severity.ERROR, "the tree holds no host", f"add {HOSTS}/<host>/host.yaml with kind: Host")

    def _take_host(self, manifest: HostManifest) -> None:
        first = self.hosts.setdefault(manifest.name, manifest)
        if first is not manifest:
            cause = f"the host has a manifest already, at {first.origin}"
            self._note(manifest.origin, cause, "remove one of the two", f"Host {manifest.name}")

    def _take_shared(self) -> None:
        before, self.memory.expanded = self.memory.expanded, {}
        variables = {host.name: tuple(sorted(host.variables.items())) for host in self.hosts.values()}
        for contents in self.files.values():
            for manifest in contents.shared:
                selected = [host for host in self.hosts.values() if manifest.selector.selects(host.name, host.labels)]
                for host in selected:
                    known = variables[host.name] if manifest.resource is None else ()
                    occasion = Occasion(contents.blob, manifest.origin, host.name, known)
                    made = before.get(occasion)
                    if made is None:
                        made = made_for(manifest, host, self.registry.kinds)
                    self.memory.expanded[occasion] = made
                    self._take_expanded(manifest, host.name, made)
                if not self.unclear:
                    self._note_problems(manifest, selector_warnings(manifest.selector, self.parts, len(selected)))

    def _take_expanded(self, manifest: SharedManifest, host: str, made: Resource | list[Problem]) -> None:
        if isinstance(made, list):
            self._note_problems(manifest, made)
            self.broken.add((host, subject(manifest.document)))
            return
        self.parts[host].shared.append(made)

    def _take_resources(self, host: str, parts: HostParts, before: KnownHost | None) -> None:
        """A host's resources, and what is wrong among them; those of the last load where they come of the same parts."""
        if before is not None and before.parts == parts:
            of_host, is_sound, changed = before.resources, True, []
        else:
            of_host, is_sound = self._merged(parts)
            is_sound = self._is_without_rivals(of_host.values()) and is_sound
            is_sound = not self._has_remarks(host, of_host) and is_sound
            earlier = before.resources if before is not None else {}
            changed = [resource for key, resource in of_host.items() if earlier.get(key) is not resource]
        self.resources[host] = of_host
        if self._is_acyclic(host, changed) and is_sound:
            self.memory.hosts[host] = KnownHost(parts, of_host)

    def _merged(self, parts: HostParts) -> tuple[dict[Key, Resource], bool]:
        """The resources by key, and whether no key stands twice."""
        of_host: dict[Key, Resource] = {}
        is_sound = True
        for resource in chain(*(contents.resources for contents in parts.files), parts.shared):
            first = of_host.setdefault(resource.key, resource)
            if first is not resource:
                self._note_twice(resource, first.origin)
                is_sound = False
        return of_host, is_sound

    def _is_without_rivals(self, of_host: Iterable[Resource]) -> bool:
        """Whether no two resources of a host claim what only one can have."""
        first: dict[str, tuple[Resource, str]] = {}
        is_sound = True
        for resource in of_host:
            claims = self.registry.kinds[resource.key.kind].claims
            if claims is None:
                continue
            for field_name, what in claims(resource.key.name, {**resource.fields, **(resource.created_with or {})}):
                holder, its_field = first.setdefault(what, (resource, field_name))
                if holder is not resource:
                    self._note_rival(resource, field_name, what, holder, its_field)
                    is_sound = False
        return is_sound

    def _has_remarks(self, host: str, of_host: Mapping[Key, Resource]) -> bool:
        """Warns of what is odd beside other resources of the host; returns whether anything is."""
        found = False
        for resource in of_host.values():
            if (remarks := self.registry.kinds[resource.key.kind].remarks) is None:
                continue
            for remark in remarks(resource.fields, partial(_fields_of, of_host, host)):
                self._note_at(resource, *remark, severity=Severity.WARNING)
                found = True
        return found

    def _note_rival(self, resource: Resource, field_name: str, what: str, holder: Resource, its_field: str) -> None:
        at = self.locator.place(holder.origin, self.files[holder.origin.path].blob, its_field)
        cause = f"{what} belongs to {holder.key.object} already, at {at}"
        self._note_at(resource, field_name, cause, "give each its own")

    def _is_acyclic(self, host: str, changed: Iterable[Resource]) -> bool:
        """Whether no cycle goes through what changed; it is noted, and so are names that lead nowhere."""
        of_host = self.resources[host]
        for resource in of_host.values():
            if (resource.depends_on or self.strict) and not self.unclear & {host, ""}:
                for name in unresolved(resource, of_host, strict=self.strict):
                    if not self._is_broken(host, name.names):
                        self._note_at(resource, name.field, name.cause, name.remedy)
        found = list(cycles(changed, of_host))
        for cycle in found:
            self._note_cycle(cycle, of_host)
        return not found

    def _is_broken(self, host: str, names: Iterable[ObjectName]) -> bool:
        return any((where, f"{name.kind} {name.name}") in self.broken for name in names for where in (host, ""))

    def _note_cycle(self, cycle: tuple[Edge, ...], of_host: Mapping[Key, Resource]) -> None:
        first = cycle[-1].to
        path = " -> ".join(str(key.object) for key in (first, *(edge.to for edge in cycle)))
        self._note_at(of_host[first], cycle[0].field, f"dependencies go round: {path}", "remove one of them")

    def _note_twice(self, resource: Resource, first: Origin) -> None:
        key = resource.key
        cause = f"{key} has a manifest already, at {first}"
        self._note(resource.origin, cause, "remove one of the two", f"{key.kind} {key.name}", key)

    def _note_at(
        self, resource: Resource, field_name: str, cause: str, remedy: str, *, severity: Severity = Severity.ERROR
    ) -> None:
        blob = self.files[resource.origin.path].blob
        finding = self.locator.finding_at(resource.origin, blob, field_name, cause, remedy, resource.key)
        self.findings.append(replace(finding, severity=severity))

    def _note_problems(self, manifest: SharedManifest, problems: Iterable[Problem]) -> None:
        blob = self.files[manifest.origin.path].blob
        about = subject(manifest.document)
        self.findings.extend(self.locator.finding(manifest.origin, blob, problem, about) for problem in problems)

    def _note(self, origin: Origin, cause: str, remedy: str, about: str, key: Key | None = None) -> None:
        self.findings.append(Finding(*origin, Severity.ERROR, cause, remedy, about, key))

    def _note_path(self, path: str, severity: Severity, cause: str, remedy: str) -> None:
        self.findings.append(Finding(path, 1, 1, severity, cause, remedy))


def _fields_of(of_host: Mapping[Key, Resource], host: str, name: ObjectName) -> Fields | None:
    resource = of_host.get(Key(host, *name))
    return resource.fields if resource is not None else None


class _Placer:
    """Finds the place of a field inside a resource's manifest again (`Desired.place`)."""

    def __init__(self, read: ReadBlobs, files: Mapping[str, FileContents]) -> None:
        self._locator = Locator(read)
        self._files = files

    def __call__(self, resource: Resource, field_name: str) -> Origin:
        contents = self._files.get(resource.origin.path)
        if contents is None:
            return resource.origin
        try:
            return self._locator.place(resource.origin, contents.blob, field_name)
        except ReconcilerError:
            # The source is gone by now; the manifest's first line is a place too.
            return resource.origin


def _sorted(findings: Iterable[Finding]) -> Iterator[Finding]:
    """In the order of places; what shared manifests say once for each host is said once."""
    seen: set[tuple[str, int, int, str]] = set()
    for finding in sorted(findings, key=lambda one: (one.path, one.line, one.column, one.severity, one.cause)):
        said = (finding.path, finding.line, finding.column, finding.cause)
        if said not in seen:
            seen.add(said)
            yield finding
