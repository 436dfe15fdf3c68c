"""Fixtures for tests on a whole Linux host, which tests/real/enter.sh makes and takes away. Elsewhere these tests are skipped.

A test starts with an empty host: no link but lo, no dataset, container, machine or rule. It asks for the parts that it needs
(`lxc`, `libvirt`): a part that is missing is a skip that names it, or a failure where RECONCILER_REQUIRE_REAL is 1.
"""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.linux_host import INSIDE, LinuxHost
from tests.real.tree import Tree

_HERE = Path(__file__).parent
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
def zone_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the least root that a zone boots from: busybox, and an init that serves /srv by HTTP and ends when told."""
    _need("busybox", "busybox")
    root = tmp_path_factory.mktemp("zone") / "root"
    for folder in ("bin", "sbin", "etc", "proc", "sys", "dev", "dev/pts", "dev/shm", "tmp", "run", "mnt", "root", "srv", "var"):
        (root / folder).mkdir(parents=True)
    shutil.copy2(shutil.which("busybox") or "", root / "bin/busybox")
    subprocess.run(["chroot", str(root), "/bin/busybox", "--install", "-s", "/bin"], check=True, timeout=30)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "srv/index.html").write_text("hello from a zone\n")
    init = root / "sbin/init"
    init.write_text(_INIT)
    init.chmod(0o755)
    return root


@pytest.fixture(scope="session")
def zone_tarball(zone_root: Path) -> Path:
    """The same as a tarball."""
    place = zone_root.with_name("root.tar")
    with tarfile.open(place, "w") as tar:
        tar.add(zone_root, arcname=".")
    return place


_INIT = """#!/bin/sh
export PATH=/bin:/sbin
trap 'echo stopping; exit 0' PWR TERM INT
ip link set lo up
httpd -h /srv
echo READY >/run/ready
echo "RECON-READY name=$(hostname)"
while :; do sleep 1 & wait $!; done
"""


def _need(part: str, *programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    reason = f"part {part} is missing ({', '.join(missing)}); remedy: examples/linux/install.sh"
    if os.environ.get("RECONCILER_REQUIRE_REAL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
