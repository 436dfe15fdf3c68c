"""One look at everything on one host."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from reconciler.controller.passes import Connections
from reconciler.hosts.observe import Look, observe
from reconciler.model.desired import Desired
from reconciler.model.key import Key
from reconciler.model.observed import EVERY_FIELD, REMOVAL, Inventory
from reconciler.planning.identity import named_by_manifests
from reconciler.planning.ownership import is_unmanaged
from reconciler.planning.view import HostView
from reconciler.provider.registry import Registry


async def look_at(registry: Registry, state: Path, desired: Desired, host: str) -> Look:
    """All objects of all kinds, with every field that the host's tools can tell, under the names that manifests give them."""
    connections, manifest = Connections(state), desired.hosts[host]
    try:
        look = await observe(
            manifest.name,
            await connections.to(manifest),
            registry,
            {kind: frozenset((EVERY_FIELD, REMOVAL)) for kind in registry.kinds},
            identity=manifest.identity,
            kept_facts=lambda _: None,
            now=lambda: datetime.now(UTC),
        )
    finally:
        await connections.close()
    view = HostView(manifest, desired.resources.get(host, {}), look.inventory, look.backends)
    return replace(look, inventory=named_by_manifests(view, registry.kinds).inventory)


def unmanaged(inventory: Inventory, desired: Desired, registry: Registry) -> Inventory:
    """The inventory without what somebody manages, what a manifest names, and what guests or the system own."""
    named = desired.resources.get(inventory.host, {})
    host_id = inventory.facts.host_id if inventory.facts is not None else ""
    objects = {
        name: observed
        for name, observed in inventory.objects.items()
        if is_unmanaged(registry.kinds[name.kind], observed, desired.owner, host_id) and Key(inventory.host, *name) not in named
    }
    return replace(inventory, objects=objects)
