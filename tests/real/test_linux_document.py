"""What docs/linux.md tells happens on a Linux host as it is told."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.told import ROOT, exit_code, pattern, sessions
from tests.real.linux_host import LinuxHost

pytestmark = pytest.mark.usefixtures("lxc", "libvirt")


@pytest.fixture
def srv(host: LinuxHost, leaves_nothing: None, zone_tarball: Path, vm_disk: Path) -> Iterator[None]:
    """The images in the folder that the example names, on this host alone; gone when it is looked what is left."""
    host.run("mount", "-t", "tmpfs", "none", "/srv")
    images = Path("/srv/reconciler/images")
    images.mkdir(parents=True)
    (images / "zone.tar").symlink_to(zone_tarball)
    shutil.copy(vm_disk, images / "vm.raw")
    yield
    host.run("umount", "--lazy", "/srv")


@pytest.mark.usefixtures("srv")
def test_the_laboratory_behaves_as_the_document_tells(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples/linux", tmp_path / "examples/linux")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RECONCILER_STATE": str(tmp_path / "state"),
    }
    told = sessions(ROOT / "docs/linux.md")
    for command, shown in told:
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=240
        )
        assert done.returncode == exit_code(command), f"$ {command}\n{done.stdout}{done.stderr}"
        assert pattern(shown).fullmatch(done.stdout), f"$ {command}\n{done.stdout}\nis not as shown:\n{shown}"

    assert len(told) >= 12
