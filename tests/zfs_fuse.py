"""A real ZFS for tests: a zfs-fuse daemon of our own, in a mount namespace that nobody else sees.

Used as a pytest plugin, it gives the fixtures `zfs_fuse` (one daemon for the session) and `pool` (a fresh pool for one
test). Where no daemon can run, tests that ask for them are skipped with the reason, or fail when RECONCILER_REQUIRE_REAL
is 1.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

COMMAND_TIMEOUT_S = 30.0
_PATIENCE_S = 10.0
_PAUSE_S = 0.05
_CLONE_NEWNS = 0x00020000
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
# What the daemon and its client agree on: socket, lock and the list of imported pools.
_OWN_FOLDERS = ("/var/run/zfs", "/var/lock/zfs", "/var/lib/zfs")


class Unusable(Exception):
    """No daemon can run here; the text says why."""


@dataclass(frozen=True, slots=True)
class RealPool:
    """A pool of the daemon, made for one test."""

    name: str
    mountpoint: Path
    daemon: ZfsFuse

    def zfs(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Runs `zfs` with these arguments."""
        return self.daemon.run("zfs", *arguments)


class ZfsFuse:
    """A zfs-fuse daemon and the pools that were made in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._daemon: subprocess.Popen[bytes] | None = None
        self._log = folder / "daemon.log"
        self._pools: dict[str, Path] = {}
        self._numbers = itertools.count(1)

    def start(self) -> None:
        """Starts the daemon and waits until it answers; raises Unusable when it does not."""
        with self._log.open("ab") as log:
            # setpriv ends the daemon with us however we end, so that no crash leaves one behind.
            self._daemon = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "zfs-fuse", "--no-daemon", "--no-kstat-mount"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _PATIENCE_S
        while self.run("zpool", "list").returncode != 0:
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                said = self._log.read_text(errors="replace").strip()
                self.kill()
                raise Unusable(f"zfs-fuse does not answer: {said or 'it said nothing'}")
            time.sleep(_PAUSE_S)

    def run(self, *argv: str) -> subprocess.CompletedProcess[bytes]:
        """Runs a command as an operator would, in English and with a deadline."""
        return subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
        )

    def unused_name(self) -> str:
        """A name that no pool of this daemon has had."""
        return f"pool{next(self._numbers)}"

    def new_pool(self, name: str, size: int = 1 << 30) -> RealPool:
        """Makes a pool in a sparse file of that many bytes, mounted in a folder of its own."""
        image = self._folder / f"{name}.img"
        with image.open("wb") as file:
            file.truncate(size)
        mountpoint = self._folder / "mounts" / name
        mountpoint.mkdir(parents=True)
        self._must("zpool", "create", "-m", str(mountpoint), name, str(image))
        self._pools[name] = image
        return RealPool(name, mountpoint, self)

    def destroy_pool(self, name: str) -> None:
        """Takes a pool away with all that is in it."""
        deadline = time.monotonic() + _PATIENCE_S
        while (gone := self.run("zpool", "destroy", "-f", name)).returncode != 0:
            # An unmounted file system stays busy for a moment.
            if b"busy" not in gone.stderr or time.monotonic() > deadline:
                raise AssertionError(f"zpool destroy {name}: {gone.stderr.decode(errors='replace')}")
            time.sleep(_PAUSE_S)
        self._pools.pop(name).unlink()
        shutil.rmtree(self._folder / "mounts" / name, ignore_errors=True)

    def kill(self) -> None:
        """Ends the daemon at once, as a crash would."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait(_PATIENCE_S)
            self._daemon = None

    def restart(self) -> None:
        """Starts the daemon again after `kill` and mounts what was mounted."""
        for place in reversed(self._own_mounts()):
            subprocess.run(["umount", "-l", place], check=False, capture_output=True, timeout=COMMAND_TIMEOUT_S)
        self.start()
        self._must("zfs", "mount", "-a")

    def stop(self) -> None:
        """Destroys the pools that are left and ends the daemon."""
        if self._daemon is None:
            return
        try:
            for name in tuple(self._pools):
                self.destroy_pool(name)
        finally:
            # Nothing is left that an orderly end could save, and it takes seconds.
            self.kill()

    def _must(self, *argv: str) -> None:
        done = self.run(*argv)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr.decode(errors='replace')}"

    def _own_mounts(self) -> list[str]:
        lines = Path("/proc/self/mounts").read_text().splitlines()
        places = [line.split()[1].replace("\\040", " ") for line in lines if line.split()[2] == "fuse.zfs"]
        return [place for place in places if place.startswith(str(self._folder))]


def _enter_own_mount_namespace() -> None:
    """Lets this process see mounts that nobody else sees; there is no way back, and none is needed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNS) != 0:
        raise Unusable(f"unshare: {os.strerror(ctypes.get_errno())}")
    if libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None) != 0:
        raise Unusable(f"mount --make-rprivate /: {os.strerror(ctypes.get_errno())}")
    for folder in _OWN_FOLDERS:
        Path(folder).mkdir(parents=True, exist_ok=True)
        if libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, None) != 0:
            raise Unusable(f"mount tmpfs {folder}: {os.strerror(ctypes.get_errno())}")


def _check_parts(programs: Sequence[str]) -> None:
    if os.geteuid() != 0:
        raise Unusable("not root")
    for program in programs:
        if shutil.which(program) is None:
            raise Unusable(f"{program} is not installed")
    if not Path("/dev/fuse").exists():
        raise Unusable("there is no /dev/fuse")


@pytest.fixture(scope="session")
def zfs_fuse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZfsFuse]:
    """A running daemon; one for the whole session."""
    daemon = ZfsFuse(tmp_path_factory.mktemp("zfs-fuse"))
    try:
        _check_parts(("zfs-fuse", "zfs", "zpool", "setpriv", "umount"))
        _enter_own_mount_namespace()
        daemon.start()
    except Unusable as reason:
        if os.environ.get("RECONCILER_REQUIRE_REAL") == "1":
            pytest.fail(f"no real ZFS: {reason}; remedy: install zfs-fuse and run the tests as root with /dev/fuse")
        pytest.skip(f"no real ZFS: {reason}")
    yield daemon
    daemon.stop()


@pytest.fixture
def pool(zfs_fuse: ZfsFuse) -> Iterator[RealPool]:
    """A fresh pool of 1 GiB; it and all that a test puts into it goes afterwards."""
    made = zfs_fuse.new_pool(zfs_fuse.unused_name())
    yield made
    zfs_fuse.destroy_pool(made.name)
