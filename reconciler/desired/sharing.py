"""Shared manifests as one resource for each host that they are for."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from reconciler.desired.contents import SharedManifest
from reconciler.desired.envelope import HostsSelector
from reconciler.desired.manifest import resource
from reconciler.desired.problem import Problem
from reconciler.desired.variables import replaced
from reconciler.model.desired import Severity
from reconciler.model.host import HostManifest
from reconciler.model.key import Key
from reconciler.model.resource import Resource
from reconciler.provider.kind import Kind


def made_for(manifest: SharedManifest, host: HostManifest, kinds: Mapping[str, Kind]) -> Resource | list[Problem]:
    """The manifest's resource on a host, or what is wrong with it there."""
    if manifest.resource is not None:
        key = manifest.resource.key
        return replace(manifest.resource, key=Key(host.name, key.kind, key.name))
    document, problems = replaced(manifest.document, host.name, host.variables)
    return problems or resource(document, host.name, manifest.origin, kinds)


def selector_warnings(selector: HostsSelector, hosts: Collection[str], selected: int) -> Iterator[Problem]:
    """What a selector names in vain; `hosts` are the names of all hosts."""
    path = ("metadata", "hosts")
    for index, name in enumerate(selector.names or ()):
        if name not in hosts:
            remedy = f"hosts: {', '.join(sorted(hosts)) or 'none'}"
            yield Problem((*path, "names", index), f"there is no host {name}", remedy, severity=Severity.WARNING)
    if not selected and selector.labels:
        yield Problem(path, "no host has these labels", "the manifest does nothing until one has", severity=Severity.WARNING)
