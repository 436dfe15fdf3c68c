"""Volumes in files on a real ZFS that has no zvols. Runs on the host that tests/real/enter.sh makes."""

import subprocess
import time
from pathlib import Path

import pytest

from providers.tools import zfs_volume_files
from providers.zfs import PROVIDER
from reconciler.cli.main import run
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.facts import HostFacts
from reconciler.model.key import ObjectName
from reconciler.provider.checks import backend_for, check_reading
from reconciler.provider.life import Sample, check_life

pytestmark = pytest.mark.real

MIB = 1 << 20
HEAD = "apiVersion: reconciler/v1\nkind: Volume\nmetadata: {{name: {name}{more}}}\nspec: {{size: {size}}}\n"


def do(command: Command) -> Completed:
    done = subprocess.run(command.argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if "busy" in done.stderr:
        time.sleep(0.05)
    return Completed(command, Ending.EXITED, done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("stop_after", [None, 1, 2])
def test_a_volume_in_a_file_lives_as_stated_even_when_each_change_is_cut_short(stop_after: int | None) -> None:
    backend = backend_for(PROVIDER, HostFacts("Linux", "", "", "boot", {}), do)
    name = ObjectName("Volume", "tank/checked")
    stated = {"size": 64 * MIB, "sparse": True, "blockSize": 16384, "backing": "file", "properties.compression": "gzip"}

    check_life(PROVIDER, backend, do, Sample(name, {"size": 64 * MIB}, {"size": 128 * MIB}), stop_after=stop_after)
    check_life(PROVIDER, backend, do, Sample(name, stated, {"properties.compression": None}), stop_after=stop_after)
    check_reading(PROVIDER, backend, do)


def test_data_survives_growth_a_rename_and_the_trash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = tmp_path / "tree"
    (tree / "hosts/h").mkdir(parents=True)
    (tree / "repository.yaml").write_text("apiVersion: reconciler/v1\nkind: Repository\nmetadata: {name: tests}\n")
    host = "apiVersion: reconciler/v1\nkind: Host\nmetadata: {name: h}\nspec: {transport: {type: local}}\n"

    def told(command: str, *arguments: str) -> str:
        capsys.readouterr()
        code = run([command, *arguments, "--state", str(tmp_path / "state")])
        shown = capsys.readouterr()
        assert code == 0, shown.out + shown.err
        return shown.out

    def apply(manifest: str) -> None:
        (tree / "hosts/h/host.yaml").write_text(f"{host}---\n{manifest}" if manifest else host)
        assert "h: converged" in told("apply", str(tree), "--yes")
        assert "nothing to do" in told("plan", str(tree), "--exit-code").lower()

    apply(HEAD.format(name="tank/disk0", more="", size="64MiB"))
    file = Path(zfs_volume_files.path_of("tank/disk0"))
    with file.open("r+b") as opened:
        opened.write(b"data")
    apply(HEAD.format(name="tank/disk0", more="", size="96MiB"))
    assert file.stat().st_size == 96 * MIB

    apply(HEAD.format(name="tank/disk1", more=", movedFrom: tank/disk0", size="96MiB"))
    assert not file.exists()
    file = Path(zfs_volume_files.path_of("tank/disk1"))
    assert file.read_bytes()[:4] == b"data"

    apply("")
    assert not file.exists()
    told("trash", "restore", "h/Volume/tank/disk1", str(tree), "--yes")
    assert file.read_bytes()[:4] == b"data"
    assert file.stat().st_size == 96 * MIB
