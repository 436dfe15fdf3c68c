"""The Linux host that tests/real/enter.sh made: what is on it, how it is emptied, and what can befall it."""

import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

INSIDE = "RECONCILER_GROUND"
"""Names the scratch folder of the host that we are on; unset elsewhere."""

POOL = "tank"
CONTAINERS = Path("/var/lib/lxc")
COMMAND_TIMEOUT_S = 60.0
_PATIENCE_S = 15.0
_PAUSE_S = 0.05
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_CGROUPS = Path("/sys/fs/cgroup")
_ENVIRONMENT = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}


class Left(Exception):
    """Something is on the host that should not be there; the text names it."""


@dataclass
class LinuxHost:
    """One host, used by one test after another."""

    scratch: Path
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list, init=False)
    _mounts: frozenset[str] = field(init=False)
    _cgroups: frozenset[str] = field(init=False)
    _boots: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._mounts, self._cgroups = _mounts(), frozenset(_cgroups())

    # What an operator does.

    def ask(self, *argv: str, stdin: str | None = None, timeout: float = COMMAND_TIMEOUT_S) -> subprocess.CompletedProcess[str]:
        """Runs a command, in English and with a deadline, however it ends; busy datasets are tried again."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL if stdin is None else None,
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout,
                check=False,
                env=_ENVIRONMENT,
            )
            # zfs-fuse lets go of an unmounted dataset a little later (linux-host.md, "Busy").
            if argv[0] not in ("zfs", "zpool") or "is busy" not in done.stderr or time.monotonic() > deadline:
                return done
            time.sleep(_PAUSE_S)

    def run(self, *argv: str, stdin: str | None = None, timeout: float = COMMAND_TIMEOUT_S) -> str:
        """Runs a command that must succeed and gives what it printed."""
        done = self.ask(*argv, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, f"`{' '.join(argv)}` exited with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        """Starts what is to run beside the test; it ends with the test."""
        running = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT,
            start_new_session=True,
        )
        self._started.append(running)
        return running

    def in_container(self, name: str, *argv: str, timeout: float = COMMAND_TIMEOUT_S) -> subprocess.CompletedProcess[str]:
        """Runs a command inside a running container, however it ends."""
        return self.ask("lxc-attach", "-P", str(CONTAINERS), "-n", name, "--clear-env", "--", *argv, timeout=timeout)

    def stop_started(self) -> None:
        """Ends what `start` started."""
        for running in self._started:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait(_PATIENCE_S)
        self._started.clear()

    def peer(self, bridge: str, *addresses: str, name: str = "peer", mac: str = "") -> "Peer":
        """A machine on the network: a network namespace of its own with one link `eth0` in the bridge."""
        self.run("ip", "netns", "add", name)
        inside = ("address", mac) if mac else ()
        self.run("ip", "link", "add", f"{name}-p", "type", "veth", "peer", "name", "eth0", *inside, "netns", name)
        self.run("ip", "link", "set", f"{name}-p", "master", bridge, "up")
        self.run("ip", "-n", name, "link", "set", "lo", "up")
        self.run("ip", "-n", name, "link", "set", "eth0", "up")
        for address in addresses:
            nodad = ("nodad",) if ":" in address else ()
            self.run("ip", "-n", name, "addr", "add", address, "dev", "eth0", *nodad)
        return Peer(self, name)

    # What is there.

    def links(self) -> dict[str, dict[str, Any]]:
        """All links but lo, as `ip -d -j` shows them, by name."""
        shown = json.loads(self.run("ip", "-d", "-j", "link", "show") or "[]")
        return {link["ifname"]: link for link in shown if link["ifname"] != "lo"}

    def datasets(self) -> tuple[str, ...]:
        """All datasets and snapshots below the pool."""
        return tuple(self.run("zfs", "list", "-H", "-t", "all", "-o", "name", "-r", POOL).split()[1:])

    def containers(self) -> tuple[str, ...]:
        return tuple(sorted(place.name for place in CONTAINERS.iterdir())) if CONTAINERS.is_dir() else ()

    def domains(self) -> tuple[str, ...]:
        shown = self.ask("virsh", "-q", "list", "--all", "--name") if _is_installed("virsh") else None
        return tuple(shown.stdout.split()) if shown is not None and shown.returncode == 0 else ()

    def tables(self) -> tuple[str, ...]:
        return tuple(self.run("nft", "list", "tables").splitlines())

    def namespaces(self) -> tuple[str, ...]:
        return tuple(line.split()[0] for line in self.run("ip", "netns", "list").splitlines() if line)

    def processes(self, words: str, *, whole: bool = False) -> tuple[int, ...]:
        """Processes whose command line holds these words, or is made of them as a whole."""
        return tuple(pid for pid, line in _command_lines() if (words == line if whole else words in line))

    def left(self) -> tuple[str, ...]:
        """All that makes this host other than an empty one, in words; a dataset stands for its mount."""
        found = [f"link {name}" for name in self.links()]
        found += [f"dataset {name}" for name in self.datasets()]
        found += [f"container {name}" for name in self.containers()]
        found += [f"domain {name}" for name in self.domains()]
        found += [f"nft {name}" for name in self.tables()]
        found += [f"network namespace {name}" for name in self.namespaces()]
        found += [f"process {line}" for _, line in _guest_processes()]
        found += [f"mount {place}" for place in sorted(_mounts() - self._mounts - {str(_BOOT_ID)} - set(_zfs_mounts()))]
        found += [f"control group {name}" for name in sorted(frozenset(_cgroups()) - self._cgroups)]
        return tuple(found)

    def must_be_empty(self, *expected: str) -> None:
        """Nothing is left but these; what ends by itself a moment later is waited for."""
        until(lambda: not set(self.left()) - set(expected), lambda: f"left on the host: {set(self.left()) - set(expected)}")

    # What can befall it.

    def kill_zfs(self) -> None:
        """The zfs-fuse daemon ends at once, as in a crash; what is mounted is dead from then on."""
        _kill(self.processes("zfs-fuse --no-daemon"))

    def start_zfs(self, *, clears: bool = True) -> None:
        """The daemon is back, and what can be mounted is mounted, as the machine's own scripts do it; where nobody `clears`
        the mounts of the one before, those are still in the way."""
        for place in reversed(_zfs_mounts()) if clears else ():
            self.ask("umount", "-l", place)
        self._daemon("zfs-fuse", "zfs-fuse", "--no-daemon", "--no-kstat-mount")
        until(lambda: self.ask("zpool", "list").returncode == 0, lambda: "zfs-fuse does not answer")
        self.run("zfs", "mount", "-a")

    def kill_libvirtd(self) -> None:
        """libvirtd ends at once; the machines run on."""
        _kill([pid for pid, line in _command_lines() if Path(line.split(" ")[0]).name == "libvirtd"])

    def start_libvirtd(self) -> None:
        self._daemon("libvirtd", "libvirtd")
        until(lambda: self.ask("virsh", "-q", "version").returncode == 0, lambda: "libvirtd does not answer")

    def kill_guests(self) -> None:
        """Every container and machine ends at once, and nobody is told."""
        until(lambda: not _kill([pid for pid, _ in _guest_processes()]), lambda: "guests don't end")

    def reboot(self) -> None:
        """The machine is switched off and on: guests, links, rules, and /run are gone, pools and files stay."""
        has_libvirt = bool(self.processes("libvirtd"))
        self.kill_guests()
        self.kill_libvirtd()
        self.stop_started()
        self._unlinked()
        # The one thing that ends in order: what it had not written yet would be lost, and that is another test's affair.
        _kill(self.processes("zfs-fuse --no-daemon"), signal.SIGTERM)
        for name in ("libvirt", "lxc", "reconciler"):
            self.run("find", f"/run/{name}", "-mindepth", "1", "-delete") if Path(f"/run/{name}").is_dir() else None
        self._cgroups_removed()
        self._boots += 1
        boot = self.scratch / f"boot{self._boots}"
        boot.write_text(f"{uuid.uuid4()}\n")
        self.run("mount", "--bind", str(boot), str(_BOOT_ID))
        self.start_zfs()
        if has_libvirt:
            self.start_libvirtd()

    def empty(self) -> None:
        """Takes everything off the host that a test left there, whatever state it is in."""
        self.stop_started()
        self._revive()
        if not self.left():
            return
        self.kill_guests()
        for name in self.domains():
            self.ask("virsh", "destroy", name)
            self.run("virsh", "undefine", name, "--nvram", "--managed-save", "--snapshots-metadata")
        self._unlinked()
        for place in sorted(_mounts() - self._mounts - {str(_BOOT_ID)}, reverse=True):
            self.ask("umount", "-l", place)
        self.run("find", str(CONTAINERS), "-mindepth", "1", "-delete")
        if self.datasets():
            self._new_pool()
        self._cgroups_removed()
        if left := self.left():
            raise Left(f"the host can't be emptied: {left}")

    def _new_pool(self) -> None:
        file = self.scratch / f"{POOL}.img"
        self.run("zpool", "destroy", "-f", POOL)
        size = file.stat().st_size
        file.unlink()
        with file.open("wb") as image:
            image.truncate(size)
        self.run("zpool", "create", "-o", "ashift=12", "-m", str(self.scratch / POOL), POOL, str(file))

    def _revive(self) -> None:
        for pid in [pid for pid, line in _command_lines() if "zfs-fuse --no-daemon" in line or "qemu-system" in line]:
            os.kill(pid, signal.SIGCONT)
        if self.ask("zpool", "list").returncode != 0:
            self.start_zfs()
        dead = [place for place in reversed(_zfs_mounts()) if not _answers(place)]
        for place in dead:
            self.ask("umount", "-l", place)
        if dead:
            self.run("zfs", "mount", "-a")
        if _is_installed("libvirtd") and self.ask("virsh", "-q", "version").returncode != 0:
            self.start_libvirtd()

    def _unlinked(self) -> None:
        self.run("nft", "flush", "ruleset")
        for name in self.namespaces():
            self.run("ip", "netns", "del", name)

        def gone() -> bool:
            for name in self.links():
                self.ask("ip", "link", "del", name)
            return not self.links()

        until(gone, lambda: f"links stay: {self.links().keys()}")

    def _cgroups_removed(self) -> None:
        for name in sorted(frozenset(_cgroups()) - self._cgroups, reverse=True):
            with suppress(OSError):
                Path(name).rmdir()

    def _daemon(self, name: str, *argv: str) -> None:
        # No child of ours: it outlives the tests, as those do that the host began with.
        self.run("sh", "-c", 'setsid "$@" </dev/null >>"$0" 2>&1 &', str(self.scratch / f"{name}.log"), *argv)


@dataclass(frozen=True, slots=True)
class Peer:
    """A machine on the host's network, which is nobody's guest."""

    host: LinuxHost
    name: str

    def ask(self, *argv: str, stdin: str | None = None, timeout: float = COMMAND_TIMEOUT_S) -> subprocess.CompletedProcess[str]:
        """Runs a command there, however it ends."""
        return self.host.ask(*self._in(argv), stdin=stdin, timeout=timeout)

    def run(self, *argv: str, stdin: str | None = None, timeout: float = COMMAND_TIMEOUT_S) -> str:
        """Runs a command there that must succeed."""
        return self.host.run(*self._in(argv), stdin=stdin, timeout=timeout)

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        """Starts what is to run there beside the test."""
        return self.host.start(*self._in(argv))

    def reaches(self, address: str, *, tries: int = 3) -> bool:
        """Whether that address answers a ping; each try waits a second."""
        return any(self.ask("busybox", "ping", "-c", "1", "-W", "1", address).returncode == 0 for _ in range(tries))

    def remove(self) -> None:
        """Goes off the network."""
        self.host.run("ip", "netns", "del", self.name)
        until(lambda: f"{self.name}-p" not in self.host.links(), lambda: f"{self.name} stays on the network")

    def _in(self, argv: Sequence[str]) -> tuple[str, ...]:
        # `ip netns exec` would copy the mounts and pin them.
        return ("nsenter", f"--net=/run/netns/{self.name}", *argv)


def until(holds: Callable[[], bool], otherwise: Callable[[], str], patience_s: float = _PATIENCE_S) -> None:
    """Waits for something to be so; fails with that text when it is not in time."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(_PAUSE_S)


def _is_installed(program: str) -> bool:
    return any(Path(folder, program).exists() for folder in os.environ.get("PATH", "").split(":"))


def _command_lines() -> Iterator[tuple[int, str]]:
    """Number and command line of every process that lives."""
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with suppress(OSError):
                line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                if line:
                    yield int(place.name), line


def _guest_processes() -> list[tuple[int, str]]:
    """What belongs to guests: monitors of containers, machines, and all that runs in a container's control group."""
    found = {
        pid: line for pid, line in _command_lines() if line.startswith(("[lxc monitor]", "qemu-system", "/usr/bin/qemu-sys"))
    }
    for group in _cgroups():
        if "lxc.payload" in group:
            with suppress(OSError):
                found |= {int(pid): f"{pid} in {group}" for pid in (Path(group) / "cgroup.procs").read_text().split()}
    return sorted(found.items())


def _kill(pids: Sequence[int], sign: signal.Signals = signal.SIGKILL) -> bool:
    """Ends processes and says whether there were any; waits until they are gone."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, sign)
    until(lambda: not any(_holds_something(pid) for pid in pids), lambda: f"processes {pids} don't end")
    return bool(pids)


def _holds_something(pid: int) -> bool:
    """Whether a process still has files and locks: they go with its last thread, which may not be its first."""
    try:
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
        return threads > 1 or Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _mounts() -> frozenset[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return frozenset(line.split()[1].replace("\\040", " ") for line in lines)


def _answers(place: str) -> bool:
    """Whether a mount has a daemon behind it; a plain stat may still be told what it was."""
    try:
        os.statvfs(place)
    except OSError:
        return False
    return True


def _zfs_mounts() -> list[str]:
    """Where datasets are mounted, outer ones first."""
    lines = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [words[1].replace("\\040", " ") for words in lines if words[2] == "fuse.zfs"]


def _cgroups() -> Iterator[str]:
    """All control groups but the one that LXC makes once, for itself, and keeps."""
    for folder, inner, _ in os.walk(_CGROUPS):
        yield from (f"{folder}/{name}" for name in inner if name != "lxc.pivot")
