"""The providers that are installed, as a value."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reconciler.model.errors import ReconcilerError
from reconciler.provider.contract import Provider
from reconciler.provider.kind import Kind

KNOWN_KINDS = (
    "Repository", "Host", "Pool", "Dataset", "Volume", "Image", "Etherstub", "VNIC", "Zone", "VirtualMachine", "FirewallRule",
)  # fmt: skip
"""Kinds of the public contract: a manifest of one may be right although no provider for it is installed."""

RESERVED_KINDS = (
    "Bridge", "PhysicalLink", "Aggregation", "Vlan", "Overlay", "NicTag", "Address", "Flow", "Defaults", "Template", "Set",
    "IPPool", "SnapshotPolicy", "Replication", "Placement", "Alert", "Probe", "Backup", "Service",
)  # fmt: skip


@dataclass(frozen=True)
class Registry:
    """Providers by name and kinds by name; no kind may have two providers."""

    providers: tuple[Provider, ...]
    kinds: Mapping[str, Kind]
    provider_of: Mapping[str, Provider]

    @classmethod
    def of(cls, providers: Iterable[Provider]) -> "Registry":
        """A registry of these providers; ReconcilerError when two claim one kind."""
        ordered = tuple(sorted(providers, key=lambda provider: provider.name))
        kinds: dict[str, Kind] = {}
        owner: dict[str, Provider] = {}
        for provider in ordered:
            for kind in provider.kinds:
                if kind.name in kinds:
                    raise ReconcilerError(
                        f"kind {kind.name} is claimed by the providers {owner[kind.name].name} and {provider.name}",
                        remedy="uninstall one of the two",
                    )
                kinds[kind.name] = kind
                owner[kind.name] = provider
        return cls(ordered, MappingProxyType(kinds), MappingProxyType(owner))
