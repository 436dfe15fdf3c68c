"""Fixtures for all tests: the installed registry, and real ZFS where it can be had."""

import pytest

from reconciler.controller.installed import installed_registry
from reconciler.provider.registry import Registry

pytest_plugins = ["tests.zfs_fuse"]


@pytest.fixture(scope="session")
def registry() -> Registry:
    return installed_registry()
