"""Fixtures for tests on a whole Linux host, which tests/real/enter.sh makes and takes away. Elsewhere these tests are skipped.

A test starts with an empty host: no link but lo, no dataset, container, machine or rule. It asks for the parts that it needs
(`lxc`, `libvirt`): a part that is missing is a skip that names it, or a failure where RECONCILER_REQUIRE_REAL is 1.
"""

import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.real.linux_host import INSIDE, LinuxHost
from tests.real.tree import Tree

_HERE = Path(__file__).parent
_IMAGES = _HERE.parents[1] / "build/images"
_OUTSIDE = "runs on a host of its own: make test-real"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.real)
            if INSIDE not in os.environ:
                item.add_marker(pytest.mark.skip(reason=_OUTSIDE))


@pytest.fixture(scope="session")
def machine() -> LinuxHost:
    """The host, as the test before left it; tests want `host`."""
    _need("links", "ip", "tc", "bridge", "nft", "nsenter", "busybox")
    return LinuxHost(Path(os.environ[INSIDE]))


@pytest.fixture
def host(machine: LinuxHost) -> Iterator[LinuxHost]:
    """The host, with nothing on it."""
    machine.empty()
    yield machine
    machine.stop_started()


@pytest.fixture
def tree(host: LinuxHost, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Tree:
    """An empty desired state for the host, with a state directory of its own."""
    return Tree(host, tmp_path, capsys)


@pytest.fixture
def leaves_nothing(host: LinuxHost) -> Iterator[None]:
    """For tests that take away all they made: nothing may be left on the host at their end."""
    yield
    host.must_be_empty()


@pytest.fixture(scope="session")
def lxc() -> None:
    """The test needs containers."""
    _need("lxc", "lxc-start", "lxc-stop", "lxc-info", "lxc-attach")


@pytest.fixture(scope="session")
def libvirt() -> None:
    """The test needs machines."""
    _need("libvirt", "libvirtd", "virsh")
    _need("qemu", "qemu-system-x86_64", "qemu-img")


@pytest.fixture(scope="session")
def zone_tarball() -> Path:
    """A tarball with the least root that a zone boots from: it serves /srv by HTTP, and ends when told."""
    return _image("zone.tar")


@pytest.fixture
def zone_root(zone_tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in a folder."""
    root = tmp_path_factory.mktemp("zone") / "root"
    root.mkdir()
    with tarfile.open(zone_tarball) as tar:
        tar.extractall(root, filter="fully_trusted")
    return root


@pytest.fixture(scope="session")
def vm_disk() -> Path:
    """A raw disk of 64 MiB that boots in seconds, takes name and addresses from a NoCloud seed, and serves its name by HTTP."""
    return _image("vm.raw")


def _image(name: str) -> Path:
    place = _IMAGES / name
    if not place.exists():
        _leave_out(f"{place} was not made; remedy: make images")
    return place


def _need(part: str, *programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        _leave_out(f"part {part} is missing ({', '.join(missing)}); remedy: examples/linux/install.sh --tests")


def _leave_out(reason: str) -> NoReturn:
    if os.environ.get("RECONCILER_REQUIRE_REAL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
