"""Fixtures for all tests: the installed registry, and real ZFS where it can be had."""

from collections.abc import Iterator

import pytest

from reconciler.controller.installed import installed_registry
from reconciler.provider.registry import Registry

pytest_plugins = ["tests.zfs_fuse"]


@pytest.fixture(autouse=True, scope="session")
def own_locks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Locks and notes of this run of the tests are kept apart from those of this machine and of other runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECONCILER_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        yield


@pytest.fixture(scope="session")
def registry() -> Registry:
    return installed_registry()
