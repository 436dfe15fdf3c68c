"""What resources say about each other: whether it is there, and that it does not go round."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from reconciler.model.closest import closest
from reconciler.model.key import Key, ObjectName, any_of
from reconciler.model.resource import Resource


class Edge(NamedTuple):
    """A resource that must be there first, and the field that says so."""

    field: str
    to: Key


def edges(resource: Resource, resources: Mapping[Key, Resource]) -> Iterator[Edge]:
    """The edges of a resource that end in another one of its host."""
    host = resource.key.host
    for index, wanted in enumerate(resource.depends_on):
        if (key := Key(host, *wanted)) in resources:
            yield Edge(f"metadata.dependsOn.{index}", key)
    for reference in resource.references:
        for kind in reference.kinds:
            if (key := Key(host, kind, reference.name)) in resources:
                yield Edge(reference.field, key)


class Unresolved(NamedTuple):
    """A field that names what is no resource of its host."""

    field: str
    names: tuple[ObjectName, ...]
    cause: str
    remedy: str


def unresolved(resource: Resource, resources: Mapping[Key, Resource], *, strict: bool) -> Iterator[Unresolved]:
    """Names that lead nowhere in `dependsOn`, and those of all other references when strict."""
    host = resource.key.host
    for index, wanted in enumerate(resource.depends_on):
        if Key(host, *wanted) not in resources:
            meant = closest(wanted.name, (key.name for key in resources if key.kind == wanted.kind))
            remedy = f"did you mean {wanted.kind}/{meant}?" if meant else "add a manifest for it, or remove it here"
            cause = f"dependsOn names {wanted}, which is no resource of {host}"
            yield Unresolved(f"metadata.dependsOn.{index}", (wanted,), cause, remedy)
    for reference in resource.references if strict else ():
        names = tuple(ObjectName(kind, reference.name) for kind in reference.kinds)
        if not any(Key(host, *name) in resources for name in names):
            meant = closest(reference.name, (key.name for key in resources if key.kind in reference.kinds))
            remedy = f"did you mean {meant}?" if meant else "add a manifest for it"
            cause = f"it refers to {any_of(names)}, which is no resource of {host}"
            yield Unresolved(reference.field, names, cause, remedy)


def cycles(start: Iterable[Resource], resources: Mapping[Key, Resource]) -> Iterator[tuple[Edge, ...]]:
    """Each cycle that can be reached from the resources at the start, as the edges that make it, once."""
    done: set[Key] = set()
    for first in start:
        if first.key in done:
            continue
        path: list[Edge] = []
        on_path: dict[Key, int] = {first.key: 0}
        pending = [edges(first, resources)]
        while pending:
            edge = next(pending[-1], None)
            if edge is None:
                pending.pop()
                left = path.pop().to if path else first.key
                on_path.pop(left)
                done.add(left)
            elif edge.to in on_path:
                yield (*path[on_path[edge.to] :], edge)
            elif edge.to not in done:
                path.append(edge)
                on_path[edge.to] = len(path)
                pending.append(edges(resources[edge.to], resources))
