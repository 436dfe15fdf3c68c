"""Measures real datasets against the native floor: the fewest `zfs` commands that do the same work, in the same run.

Runs itself inside examples/linux-zfs/run.sh, on a throw-away zfs-fuse. Floor and ours take turns; the figure that counts is the
median of the ratios within a round, for machines are noisy. Writes its table into benchmarks/results.md.
"""

import argparse
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from repositories import host_manifest, repository_manifest
from results import Figure, write
from throwaway_pool import inside_pool
from turns import Times

POOL = "bench"
PROPERTIES = {"mountpoint": "none", "compression": "gzip", "atime": "off", "recordsize": "65536", "quota": "1073741824"}
CPU_BAR_MS = 800
ZFS = shutil.which("zfs") or "zfs"


def main() -> int:
    options = _options()
    if (code := inside_pool()) is not None:
        return code
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch:
        for count in options.sizes:
            bench = Bench(count, Path(scratch))
            try:
                figures += bench.measured(options.rounds, options.only)
            finally:
                bench.remove()
    for figure in figures:
        print(figure.row())
    if not (options.dry or options.only):
        write(
            "Datasets against the native floor",
            f"zfs-fuse; medians of {options.rounds} rounds in which floor and ours take turns, `mountpoint=none` in both. A "
            "ratio is ours over the floor's; CPU is that of ours with its children, without the daemon's.",
            figures,
        )
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="rounds per figure")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 500], help="datasets in the pool")
    parser.add_argument("--only", choices=["create", "no-op", "change"], help="only these figures; nothing is written")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    return parser.parse_args()


class Bench:
    """`count` datasets: in a desired-state folder, and in a pool of their own that is made anew for a bare ground."""

    def __init__(self, count: int, scratch: Path) -> None:
        self.count = count
        self._scratch = scratch
        self._state = scratch / f"state{count}"
        self._names = [f"{POOL}/d{number:04d}" for number in range(count)]
        self._trees = {parallel: self._tree(scratch / f"tree{count}-{parallel}", parallel) for parallel in (1, 4)}
        self._quotas = itertools.count(2)

    def measured(self, rounds: int, only: str | None) -> list[Figure]:
        figures = []
        if only in (None, "create"):
            figures += self._creating(rounds)
        if only in (None, "no-op"):
            figures += self._looking(rounds)
        if only in (None, "change"):
            figures += self._changing(rounds)
        return figures

    def remove(self) -> None:
        subprocess.run(["zpool", "destroy", POOL], check=False, capture_output=True)

    def _creating(self, rounds: int) -> list[Figure]:
        options = [part for name, value in PROPERTIES.items() for part in ("-o", f"{name}={value}")]
        one_by_one = "\n".join(" ".join(("zfs", "create", *options, name)) for name in self._names)
        least, least4, ours, ours4 = Times(), Times(), Times(), Times()
        for _ in range(rounds):
            self._bare()
            least.take(lambda: _run("sh", "-ec", one_by_one))
            self._bare()
            ours.take(lambda: self._apply(parallel=1))
            self._bare()
            ours4.take(lambda: self._apply(parallel=4))
            self._bare()
            least4.take(lambda: _run("xargs", "-P4", "-n1", "zfs", "create", *options, stdin="\n".join(self._names)))
        return [
            ours.figure(f"create {self.count} with parallel: 1; floor: one after another", least, self._bar(1.15)),
            ours4.figure(f"create {self.count} with parallel: 4; floor: one after another", least, self._bar(0.72)),
            ours4.figure(f"create {self.count} with parallel: 4; floor: four at once", least4, None),
        ]

    def _looking(self, rounds: int) -> list[Figure]:
        self._full()
        least, ours = Times(), Times()
        plan = (_reconciler(), "plan", str(self._trees[4]), "--exit-code", "--state", str(self._state))
        _run(*plan)
        for _ in range(rounds):
            least.take(self._read_all)
            ours.take(lambda: _run(*plan))
        processes = self._zfs_processes(plan)
        cpu_ms = statistics.median(ours.cpu) * 1000
        return [
            ours.figure(f"no-op plan of {self.count}; floor: one `zfs get all`", least, self._bar(0.6)),
            Figure(f"no-op plan of {self.count}: CPU", cpu_ms, "ms", self._bar(CPU_BAR_MS)),
            Figure(f"no-op plan of {self.count}: `zfs` processes", len(processes), "", 1),
        ]

    def _changing(self, rounds: int) -> list[Figure]:
        self._full()
        least, ours = Times(), Times()

        def set_one() -> None:
            self._read_all()
            _run("zfs", "set", f"quota={next(self._quotas)}M", self._names[0])

        for _ in range(rounds):
            least.take(set_one)
            (self._trees[4] / "hosts/h/d0000.yaml").write_text(_manifest(self._names[0], f"{next(self._quotas)}MiB"))
            ours.take(lambda: self._apply(parallel=4))
        return [ours.figure(f"one change in {self.count}; floor: `zfs get all` + `zfs set`", least, self._bar(0.6))]

    def _bar(self, bar: float) -> float | None:
        """The bars are stated for 500."""
        return bar if self.count == 500 else None

    def _bare(self) -> None:
        """A pool without datasets, and no state."""
        self.remove()
        image = self._scratch / "pool.img"
        image.unlink(missing_ok=True)
        with image.open("wb") as file:
            file.truncate(1 << 29)
        _run("zpool", "create", "-o", "ashift=12", "-m", "none", POOL, str(image))
        shutil.rmtree(self._state, ignore_errors=True)

    def _full(self) -> None:
        """A pool in which all is as wanted, made by us."""
        self._bare()
        self._apply(parallel=4)

    def _apply(self, *, parallel: int) -> None:
        _run(_reconciler(), "apply", str(self._trees[parallel]), "--yes", "--state", str(self._state))

    def _read_all(self) -> None:
        _run("zfs", "get", "-rHp", "-o", "name,property,value,source", "all", POOL)

    def _zfs_processes(self, argv: Sequence[str]) -> list[str]:
        """The command lines of all `zfs` that a command starts, told by a stand-in on PATH that notes them and goes on."""
        notes = self._scratch / "started"
        notes.unlink(missing_ok=True)
        shims = self._scratch / "bin"
        shims.mkdir(exist_ok=True)
        (shims / "zfs").write_text(f'#!/bin/sh\necho "zfs $*" >> {notes}\nexec {ZFS} "$@"\n')
        (shims / "zfs").chmod(0o755)
        done = subprocess.run(
            argv, check=True, capture_output=True, env={**os.environ, "PATH": f"{shims}:{os.environ['PATH']}"}
        )
        assert done.returncode == 0
        return notes.read_text().splitlines()

    def _tree(self, place: Path, parallel: int) -> Path:
        """A desired-state folder with all datasets on one local host, one file each."""
        host = place / "hosts/h"
        host.mkdir(parents=True)
        (place / "repository.yaml").write_text(repository_manifest(POOL))
        (host / "host.yaml").write_text(host_manifest("h", more=f"  limits: {{parallel: {parallel}, perPool: {parallel}}}\n"))
        for number, name in enumerate(self._names):
            (host / f"d{number:04d}.yaml").write_text(_manifest(name, "1GiB"))
        return place


def _manifest(name: str, quota: str) -> str:
    return (
        f"apiVersion: reconciler/v1\nkind: Dataset\nmetadata:\n  name: {name}\nlifecycle:\n  onRemoval: delete\nspec:\n"
        f"  properties:\n    mountpoint: none\n    compression: gzip\n    atime: off\n    recordsize: 64K\n    quota: {quota}\n"
    )


def _reconciler() -> str:
    return str(Path(sys.executable).parent / "reconciler")


def _run(*argv: str, stdin: str = "") -> None:
    done = subprocess.run(argv, check=False, capture_output=True, input=stdin, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv[:6])} exited with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
