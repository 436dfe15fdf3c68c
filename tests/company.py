"""The hosts of desired-state/ once they are converged: what their tools answered, read anew as often as wanted."""

import asyncio
import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from reconciler.cli.main import run
from reconciler.controller.passes import fields_wanted
from reconciler.hosts.by_name import by_name
from reconciler.hosts.connect import connect
from reconciler.hosts.observe import Look, observe
from reconciler.hosts.transport import Transport
from reconciler.model.command import Command, Completed
from reconciler.model.desired import Desired
from reconciler.model.facts import HostFacts
from reconciler.model.host import HostManifest
from reconciler.model.observed import Inventory
from reconciler.planning.view import HostView
from reconciler.provider.contract import Served
from reconciler.provider.registry import Registry

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class RecordingTransport:
    """Keeps what each command answered."""

    transport: Transport
    answers: dict[Command, Completed] = field(default_factory=dict)

    async def run(self, command: Command) -> Completed:
        self.answers[command] = await self.transport.run(command)
        return self.answers[command]

    lease = note = change_note = close = None


@dataclass(frozen=True)
class RecordedHost:
    """What a host answered when it was asked for all that its manifests state, and what was read from that."""

    look: Look
    facts: HostFacts
    answers: Mapping[Command, Completed]


def recorded(tree: Path, desired: Desired, registry: Registry, state: Path) -> dict[str, RecordedHost]:
    """Applies a tree to its emulated hosts, and looks at each."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert run(["apply", str(tree), "--yes", "--state", str(state)]) == 0
    return {name: asyncio.run(_recorded(manifest, desired, registry, state)) for name, manifest in desired.hosts.items()}


async def _recorded(manifest: HostManifest, desired: Desired, registry: Registry, state: Path) -> RecordedHost:
    transport = RecordingTransport(connect(manifest, state))
    wanted = {kind: frozenset(names) for kind, names in fields_wanted(registry, desired.resources[manifest.name], {}).items()}
    look = await observe(
        manifest.name, transport, registry, wanted, identity=manifest.identity, kept_facts=lambda _boot: None, now=lambda: NOW
    )
    await transport.transport.close()
    assert look.inventory.facts is not None
    return RecordedHost(look, look.inventory.facts, transport.answers)


def seen(host: RecordedHost, manifest: HostManifest, desired: Desired) -> HostView:
    """A host as planning sees it that has what was read then, whatever the manifests want now."""
    wanted = desired.resources[manifest.name]
    return HostView(manifest, wanted, host.look.inventory, host.look.backends, host.look.unserved)


def view(host: RecordedHost, manifest: HostManifest, desired: Desired, registry: Registry) -> HostView:
    """The host as planning sees it, read once more from its answers; the fields wanted must be those of then."""
    resources = desired.resources[manifest.name]
    wanted = {kind: frozenset(names) for kind, names in fields_wanted(registry, resources, {}).items()}
    backends, unserved, objects = {}, {}, []
    for provider in registry.providers:
        backend = next(
            (one(host.facts) for one in provider.backends(host.facts.system) if one.serves(host.facts).served is Served.YES),
            None,
        )
        if backend is None:
            unserved |= {kind.name: f"no {kind.name} on {host.facts.system}" for kind in provider.kinds}
            continue
        backends |= {kind.name: backend for kind in provider.kinds}
        need = {kind.name: wanted[kind.name] for kind in provider.kinds if kind.name in wanted}
        outputs = {probe.name: host.answers[probe.command] for probe in backend.probes(need)}
        objects += backend.read(outputs, need)
    inventory = Inventory(manifest.name, NOW, host.facts, by_name(objects))
    return HostView(manifest, resources, inventory, backends, unserved)
