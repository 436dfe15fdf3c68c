"""Manifests of guests for tests, and the resources they become."""

from providers.kvm.kinds import VIRTUAL_MACHINE
from providers.zones.kinds import IMAGE, ZONE
from reconciler.desired.manifest import resource
from reconciler.desired.problem import Problem
from reconciler.desired.render import manifest
from reconciler.desired.yaml_documents import documents
from reconciler.desired.yaml_writing import written
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.provider.contract import Provider
from reconciler.provider.registry import Registry

GUESTS = Registry.of(
    [
        Provider("zones", "zones and images", (ZONE, IMAGE), lambda _system: ()),
        Provider("kvm", "machines", (VIRTUAL_MACHINE,), lambda _system: ()),
    ]
)
ORIGIN = Origin("hosts/hv01/a.yaml", 1, 1)


def text(kind: str, name: str, spec: str) -> str:
    """A manifest; `spec` in flow style."""
    return f"apiVersion: reconciler/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"


def judged(kind: str, spec: str, name: str = "web1") -> Resource | list[Problem]:
    (document,) = documents(text(kind, name, spec).encode())
    return resource(document.value, "hv01", ORIGIN, GUESTS.kinds)


def made(kind: str, spec: str, name: str = "web1") -> Resource:
    found = judged(kind, spec, name)
    assert isinstance(found, Resource), found
    return found


def refused(kind: str, spec: str, name: str = "web1") -> list[tuple[str, str, str]]:
    """Dotted path, cause and remedy of everything that is wrong."""
    found = judged(kind, spec, name)
    assert isinstance(found, list), found.fields
    return [(".".join(map(str, problem.path)), problem.cause, problem.remedy) for problem in found]


def again(one: Resource) -> Resource:
    """The resource written as a manifest and read again."""
    (document,) = documents(written(manifest(one, GUESTS.kinds[one.key.kind])).encode())
    found = resource(document.value, one.key.host, one.origin, GUESTS.kinds)
    assert isinstance(found, Resource), found
    return found
