"""Fixtures for all tests: the provider's registry, and real ZFS where it can be had."""

import pytest

from providers.zfs import PROVIDER
from reconciler.provider.registry import Registry

pytest_plugins = ["tests.zfs_fuse"]


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry.of([PROVIDER])
