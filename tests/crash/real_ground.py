"""The same ground on this machine with a zfs-fuse pool, with files for content."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.model.host import Connection, TransportType
from tests.passes.ground import Ground
from tests.zfs_fuse import RealPool

_BUSY_TRIES, _BUSY_PAUSE_S = 60, 0.05


@dataclass
class RealGround(Ground):
    """A pool of our own. What lies outside it is no part of the ground, and the mountpoints of the scenarios lie inside it."""

    real: RealPool | None = None
    system: str = field(default="linux-zfs-fuse", init=False)
    written: dict[str, dict[str, bytes]] = field(default_factory=dict, init=False)
    """By guid what `put_data` left in a dataset: what must be found where it can be looked into again."""

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)

    @property
    def made(self) -> RealPool:
        assert self.real is not None
        return self.real

    @property
    def pool(self) -> str:
        return self.made.name

    @property
    def connection(self) -> Connection:
        return Connection(TransportType.LOCAL)

    @property
    def can_share(self) -> bool:
        return False

    def mountpoint(self, name: str) -> str:
        return str(self.made.mountpoint.parent / f"{self.pool}-{name}")

    def apart(self, name: str) -> dict[str, str]:
        """A place of its own. One `zfs set` unmounts all that moves and mounts it again, and zfs-fuse lets go of what was
        unmounted later: under load the outer one fails to mount, the inner ones do not, and make directories in its way.
        """
        return {"mountpoint": self.mountpoint(name)}

    def zfs(self, *argv: str) -> str:
        for _ in range(_BUSY_TRIES):
            done = subprocess.run(["zfs", *argv], check=False, capture_output=True, text=True, timeout=60)
            if "is busy" not in done.stderr:
                break
            # zfs-fuse lets go of an unmounted dataset a little later (linux-host.md, "Busy").
            time.sleep(_BUSY_PAUSE_S)
        assert done.returncode == 0, f"zfs {argv}: {done.stderr}"
        return done.stdout

    def put_data(self, name: str) -> None:
        with self._mounted(self.name(name)) as place:
            assert place is not None
            number = len(list(place.iterdir()))
            with (place / f"file{number}").open("wb") as file:
                file.write(f"{name} {number}\n".encode() * 1000)
                file.flush()
                # Only what was synced by itself outlives the daemon (linux-host.md, "The daemon").
                os.fsync(file.fileno())
            self.written[self._guid(self.name(name))] = _files(place)

    def data(self, full_name: str) -> object:
        """Path and content of every file of a dataset, mounted if need be, else as it was left; none of snapshots."""
        if "@" in full_name:
            return None
        with self._mounted(full_name) as place:
            return _files(place) if place is not None else self.written.get(self._guid(full_name))

    def _guid(self, full_name: str) -> str:
        return self.zfs("get", "-Hp", "-o", "value", "guid", full_name).strip()

    @contextmanager
    def _mounted(self, full_name: str) -> Iterator[Path | None]:
        """Where a dataset is mounted, for this while at least; None where it can't be."""
        mounted, canmount, place = self.zfs("get", "-Hp", "-o", "value", "mounted,canmount,mountpoint", full_name).splitlines()
        if mounted == "yes":
            yield Path(place)
        elif canmount == "off" or not place.startswith("/"):
            yield None
        else:
            self.zfs("mount", full_name)
            yield Path(place)
            self.zfs("unmount", full_name)


def _files(place: Path) -> dict[str, bytes]:
    """What lies in one file system, without what is mounted in it."""
    device = place.stat().st_dev
    return {
        str(file.relative_to(place)): file.read_bytes()
        for file in sorted(place.rglob("*"))
        if file.is_file() and file.stat().st_dev == device
    }
