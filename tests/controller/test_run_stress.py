"""`reconciler run` while its source or its own disk is in trouble: the last good revision stays in force, the status says why,
and all goes on when the trouble is over."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.emulation.executables import write_executables
from reconciler.emulation.host import EmulatedHost
from tests.cli.children import eventually
from tests.cli.hosts import everything_on
from tests.controller.running import Controller, Site, dataset, host, objects

FIRST = objects(dataset("tank/a", "64MiB"))
SECOND = objects(dataset("tank/a", "64MiB"), dataset("tank/b"))


def goes_stale(site: Site, controller: Controller, cause: str, good: str) -> None:
    """The trouble is told with a remedy, and the status says it of a host that is kept as `good` says."""
    told = controller.wait_for("source")
    assert cause in told["cause"]
    assert told["remedy"]
    eventually(lambda: site.has("SourceStale", "True"), "the status says that the source is stale")
    known = site.status()["h"]
    assert known["revision"]["applied"] == good
    assert known["conditions"][-1]["message"].startswith(told["cause"])
    assert site.has("Ready", "True")


def recovers(site: Site, controller: Controller, newer: str) -> None:
    controller.wait_for("revision", revision=newer[:19])
    controller.wait_for("converged", host="h", revision=newer[:19])
    eventually(lambda: site.has("SourceStale", "False"), "the status says that the source is fine")
    assert "tank/b\t" in everything_on(site.state)
    assert site.status()["h"]["revision"] == {"fetched": newer, "applied": newer}


def test_a_branch_that_is_deleted_and_comes_back(site: Site) -> None:
    good = site.remote.commit(FIRST)
    with site.running() as controller:
        controller.wait_for("converged", host="h", actions=1)
        site.remote.git("checkout", "-q", "-b", "aside")
        site.remote.git("branch", "-q", "-D", "main")
        goes_stale(site, controller, "has no branch or tag main (any more)", good)
        site.remote.git("checkout", "-q", "-b", "main")
        recovers(site, controller, site.remote.commit(SECOND))


def test_a_branch_that_comes_back_with_another_history_is_refused_until_the_old_one_is_pushed(site: Site) -> None:
    good = site.remote.commit(FIRST)
    site.remote.git("tag", "kept")
    with site.running() as controller:
        controller.wait_for("converged", host="h", actions=1)
        site.remote.rewrite({**SECOND, **host()})
        goes_stale(site, controller, "history was rewritten", good)
        site.remote.git("reset", "-q", "--hard", "kept")
        recovers(site, controller, site.remote.commit(SECOND))


def without_objects(mirror: Path) -> None:
    shutil.rmtree(mirror / "objects")


def truncated(mirror: Path) -> None:
    for path in (mirror / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            os.truncate(path, path.stat().st_size // 2)


def locked(mirror: Path) -> None:
    for name in ("HEAD.lock", "packed-refs.lock", "objects/info/commit-graph.lock"):
        (mirror / name).parent.mkdir(exist_ok=True)
        (mirror / name).touch()


@pytest.mark.parametrize("damage", [shutil.rmtree, without_objects, truncated, locked])
def test_a_mirror_that_is_damaged_while_it_runs_is_made_anew(site: Site, damage: Callable[[Path], None]) -> None:
    site.remote.commit(FIRST)
    with site.running() as controller:
        controller.wait_for("converged", host="h", actions=1)
        (mirror,) = (path for path in (site.state / "git").iterdir() if path.is_dir())
        damage(mirror)
        recovers(site, controller, site.remote.commit(SECOND))


REFUSED = [
    ({"hosts/h/big.yaml": b"x" * (100 << 20)}, "hosts/h/big.yaml:1:1", "104857600 bytes", "a file of 100 MB"),
    (
        {"hosts/h/lfs.yaml": "version https://git-lfs.github.com/spec/v1\noid sha256:" + "4d" * 32 + "\nsize 12345\n"},
        "hosts/h/lfs.yaml:1:1",
        "a Git LFS pointer",
        "a pointer to a large file",
    ),
]


@pytest.mark.parametrize(("files", "place", "cause", "reason"), REFUSED, ids=[reason for *_, reason in REFUSED])
def test_a_commit_that_can_not_be_taken_is_refused_with_the_file_and_the_next_one_is_taken(
    site: Site, files: dict[str, str | bytes | None], place: str, cause: str, reason: str
) -> None:
    good = site.remote.commit(FIRST)
    with site.running() as controller:
        controller.wait_for("converged", host="h", actions=1)
        site.remote.commit(files)
        told = controller.wait_for("invalid", place=place)
        assert cause in told["cause"], reason
        goes_stale(site, controller, "is invalid", good)
        recovers(site, controller, site.remote.commit(SECOND | dict.fromkeys(files)))
        used = int(Path(f"/proc/{controller.process.pid}/status").read_text().partition("VmHWM:")[2].split()[0])

    assert used << 10 < 160 << 20


@pytest.fixture
def small_disk(site: Site) -> Iterator[Path]:
    """The state directory on a file system of 3 MB."""
    site.state.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(site.state)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        if os.environ.get("RECONCILER_REQUIRE_REAL"):
            pytest.fail("no file system can be mounted here: run as root")
        pytest.skip("no file system can be mounted here")
    yield site.state
    subprocess.run(["umount", "-l", str(site.state)], check=True)


def fill(place: Path) -> Path:
    """Takes all room that is left, to the last byte."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    return filler


def test_a_full_state_directory_is_told_loses_nothing_and_recovers_when_there_is_room(site: Site, small_disk: Path) -> None:
    tools, place = site.root / "tools", site.root / "h.sqlite"
    write_executables(tools, system="omnios", state=place, hostname="h")
    site.path = str(tools)

    def there() -> str:
        with EmulatedHost.open(place, system="omnios", hostname="h") as emulated:
            return emulated.drift(("zfs", "list", "-Ho", "name,quota")).stdout.decode()

    site.remote.commit({**host("h", "{type: local}"), **FIRST})
    with site.running(interval="2") as controller:
        controller.wait_for("converged", host="h", actions=1)
        filler = fill(small_disk)
        # A look that finds drift has to write its intent first.
        with EmulatedHost.open(place, system="omnios", hostname="h") as emulated:
            emulated.drift(("zfs", "set", "quota=32M", "tank/a"))
        failed = controller.wait_for("pass failed")
        untouched = there()
        newer = site.remote.commit({**SECOND, "noise": os.urandom(500_000)})
        stale = controller.wait_for("source")
        alive = controller.process.poll() is None
        filler.unlink()
        controller.wait_for("revision", revision=newer[:19])
        controller.wait_for("converged", host="h", revision=newer[:19])
        eventually(lambda: site.has("Ready", "True") and site.has("SourceStale", "False"), "all is well again")
        controller.send(signal.SIGTERM)
        code = controller.ended()

    assert "disk is full" in failed["cause"]
    assert "check the disk" in failed["remedy"]
    assert "tank/a\t32M" in untouched, "without a durable intent nothing is run"
    assert "no space left" in stale["cause"].lower()
    assert stale["remedy"]
    assert alive
    assert code == 143
    assert there().count("tank/a\t64M") == 1
    assert "tank/b\t" in there()
    assert site.status()["h"]["revision"]["applied"] == newer
