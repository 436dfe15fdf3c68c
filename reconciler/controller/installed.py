"""The providers that are installed beside us, found by entry point."""

from importlib.metadata import EntryPoint, entry_points

from reconciler.model.errors import ReconcilerError
from reconciler.provider.contract import Provider
from reconciler.provider.registry import Registry

GROUP = "reconciler.providers"


def installed_registry() -> Registry:
    """A registry of all installed providers; ReconcilerError when one can't be loaded."""
    return Registry.of(_load(point) for point in entry_points(group=GROUP))


def _load(point: EntryPoint) -> Provider:
    try:
        provider = point.load()
    except Exception as trouble:
        raise ReconcilerError(
            f"provider {point.name} ({point.value}) can't be loaded: {type(trouble).__name__}: {trouble}",
            remedy="reinstall or remove the package it comes from; `reconciler doctor` shows where it lies",
        ) from trouble
    if not isinstance(provider, Provider):
        raise ReconcilerError(f"provider {point.name} ({point.value}) is no Provider", remedy="tell its author")
    return provider
