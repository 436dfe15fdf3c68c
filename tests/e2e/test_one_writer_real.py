"""Two applies at once, as real processes on real ZFS, each with a state directory of its own; and kill -9 of a writer."""

import signal
from pathlib import Path

import pytest

from tests.cli.children import Shell, eventually
from tests.e2e.ground import Ground, dataset, real
from tests.zfs_fuse import RealPool

pytestmark = pytest.mark.real

SLOW_ZFS = """#!/bin/sh
# The real zfs, which waits before it creates until the test lets it.
case "$1" in create) touch {begun}; while [ ! -e {go} ]; do sleep 0.02; done;; esac
exec {zfs} "$@"
"""


@pytest.fixture
def ground(tmp_path: Path, pool: RealPool, capsys: pytest.CaptureFixture[str]) -> Ground:
    return real(tmp_path, pool.name, capsys)


@pytest.fixture
def slow(ground: Ground) -> Shell:
    """A reconciler whose `zfs create` waits for the file `go`."""
    import shutil

    tools = ground.root / "tools"
    tools.mkdir()
    script = SLOW_ZFS.format(begun=ground.root / "begun", go=ground.root / "go", zfs=shutil.which("zfs"))
    (tools / "zfs").write_text(script)
    (tools / "zfs").chmod(0o755)
    return Shell(ground.root, ground.root / "slow", path=str(tools))


@pytest.fixture
def quick(ground: Ground) -> Shell:
    return Shell(ground.root, ground.root / "quick")


def test_two_applies_at_once_make_everything_once(ground: Ground, quick: Shell) -> None:
    names = [f"{ground.pool}/d{number}" for number in range(12)]
    ground.write(*(dataset(name) for name in names))
    other = Shell(ground.root, ground.root / "other")
    with quick.started("apply", "tree", "--yes") as first, other.started("apply", "tree", "--yes") as second:
        ended = [child.ended() for child in (first, second)]

    assert sorted(end.exit_code for end in ended) in ([0, 0], [0, 6]), ended
    assert ground.names() == set(names)
    for shell in (quick, other):
        assert shell.run("plan", "tree", "--exit-code").exit_code == 0


def test_the_second_writer_hears_of_the_first_and_works_once_that_is_killed(ground: Ground, slow: Shell, quick: Shell) -> None:
    name = f"{ground.pool}/a"
    ground.write(dataset(name))
    with slow.started("apply", "tree", "--yes") as first:
        eventually((ground.root / "begun").exists, "the first apply at work")

        refused = quick.run("apply", "tree", "--yes")
        assert refused.exit_code == 6
        assert f"pid {first.process.pid} (`" in refused.err
        assert ground.names() == set()
        assert quick.run("plan", "tree", "--exit-code").exit_code == 2

        first.send(signal.SIGKILL)
        first.process.wait()
        # Its child lives on and keeps no lock.
        done = quick.run("apply", "tree", "--yes")
        (ground.root / "go").touch()

    assert done.exit_code == 0, done.out + done.err
    assert ground.names() == {name}
    assert slow.run("plan", "tree", "--exit-code").exit_code == 0


def test_a_hold_is_heeded_by_every_state_directory(ground: Ground, quick: Shell) -> None:
    name = f"{ground.pool}/a"
    ground.write(dataset(name, quota="64MiB"))
    assert quick.run("apply", "tree", "--yes").exit_code == 0
    ground.zfs("set", "quota=32M", name)
    other = Shell(ground.root, ground.root / "other")
    assert quick.run("hold", f"h/Dataset/{name}", "tree", "--why", "by hand", "--for", "1h").exit_code == 0

    refused = other.run("apply", "tree", "--yes")
    assert refused.exit_code == 3
    assert f"Dataset/{name}: held" in refused.err
    assert ground.value(name, "quota")[0] == str(32 << 20)

    assert other.run("hold", f"h/Dataset/{name}", "tree", "--release").exit_code == 0
    assert other.run("apply", "tree", "--yes").exit_code == 0
    assert ground.value(name, "quota")[0] == str(64 << 20)
