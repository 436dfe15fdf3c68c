"""All that planning may know of one host."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.hold import Hold
from reconciler.model.host import HostManifest
from reconciler.model.key import Key
from reconciler.model.ledger import LedgerRow
from reconciler.model.observed import Inventory
from reconciler.model.resource import Resource
from reconciler.provider.contract import Backend


@dataclass(frozen=True, slots=True)
class HostView:
    """One host: what is wanted, what is there, what we applied last, and who turns changes into commands.

    `unserved` maps kinds that no backend serves on this system to the reason. `unfinished` holds keys whose last action did
    not end well, or of whose end nothing is known; `begun` those of which a create of ours may have made something. `whole`
    is false when objects were left out of `resources` on purpose. `holds` are those in force at the time of the look,
    `looked_at` is when that began (`time.monotonic()`).
    """

    manifest: HostManifest
    resources: Mapping[Key, Resource]
    inventory: Inventory
    backends: Mapping[str, Backend]
    unserved: Mapping[str, str] = field(default_factory=dict)
    ledger: Mapping[Key, LedgerRow] = field(default_factory=dict)
    unfinished: frozenset[Key] = frozenset()
    begun: frozenset[Key] = frozenset()
    whole: bool = True
    holds: tuple[Hold, ...] = ()
    looked_at: float = 0.0

    @property
    def name(self) -> str:
        return self.manifest.name
