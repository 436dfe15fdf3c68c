"""Measures `git commit` to converged, and what an idle controller holds: `reconciler run` over a repository on this machine.

One real host with 20 datasets on a throw-away zfs-fuse pool, and up to 199 hosts in mode ignore, which are not contacted. Runs
itself inside examples/linux/run.sh. The clock starts when the branch has moved (the time of its file), and stops when the
controller says that the host has converged. Writes its table into benchmarks/results.md.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from repositories import dataset_manifest, host_manifest, made, repository_manifest
from results import Figure, write
from throwaway_pool import inside_pool

DATASETS = 20
CHANGED = "d07"
"""A dataset without others in it: the look after its change is at it alone."""
PER_HOST = 50
BARS_MS = {"p50": 200, "p95": 500}
IDLE_MIB = {100: 64, 10_000: 160}
PATIENCE_S = 30.0


def main() -> int:
    options = _options()
    if (code := inside_pool()) is not None:
        return code
    found = {}
    for files in options.sizes:
        with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch:
            found[files] = _measured(files, Path(scratch), options.commits)
        # What the next repository does not name would be removed, and guardrails are against that.
        subprocess.run(["zfs", "destroy", "-r", f"tank/bench{files}"], check=True)
    figures = [figure for files, one in found.items() for figure in one.figures(files)]
    if {100, 10_000} <= found.keys():
        ratio = statistics.median(found[10_000].commits_ms) / statistics.median(found[100].commits_ms)
        figures.append(Figure("a commit among 10,000 files over one among 100", ratio, "x", 2.0))
    for figure in figures:
        print(figure.row())
    if not options.dry:
        write(
            "Commit to converged, idle controller",
            f"{options.commits} commits each, of one property; one real host with {DATASETS} datasets on zfs-fuse, the others "
            "in mode ignore; from the move of the branch to the controller's word that the host has converged.",
            figures,
        )
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, default=40, help="commits per size")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 10_000], help="manifest files in the repository")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    return parser.parse_args()


@dataclass(frozen=True)
class Measured:
    """Milliseconds of each commit, CPU of the controller and its children over all, resident MiB idle before and after."""

    commits_ms: list[float]
    cpu_ms: float
    idle_mib: float
    after_mib: float

    def figures(self, files: int) -> list[Figure]:
        times = sorted(self.commits_ms)
        p95 = times[min(len(times) - 1, round(0.95 * len(times)))]
        bars = BARS_MS if files == 10_000 else {}
        return [
            Figure(f"{files:,} files: commit to converged, p50", statistics.median(times), "ms", bars.get("p50"), self.cpu_ms),
            Figure(f"{files:,} files: commit to converged, p95", p95, "ms", bars.get("p95")),
            Figure(f"{files:,} files: resident, idle after the first pass", self.idle_mib, "MiB", IDLE_MIB.get(files)),
            Figure(f"{files:,} files: resident, after {len(times)} commits", self.after_mib, "MiB", IDLE_MIB.get(files)),
        ]


def _measured(files: int, scratch: Path, commits: int) -> Measured:
    work = _work_tree(files, scratch)
    name = f"tank/bench{files}/{CHANGED}"
    one = work / f"hosts/h000/{CHANGED}.yaml"
    times = []
    with _running(work, scratch / "state") as controller:
        controller.wait_for("converged")
        time.sleep(2.0)
        idle_mib = controller.resident_mib()
        before = controller.cpu_s()
        for number in range(commits):
            one.write_text(dataset_manifest(name, quota=f"{number + 2}GiB"))
            _git(work, "commit", "--quiet", "--message", f"quota {number + 2}", f"hosts/h000/{CHANGED}.yaml")
            moved = (work / ".git/refs/heads/main").stat().st_mtime
            times.append((controller.wait_for("converged") - moved) * 1000)
            told = subprocess.run(
                ["zfs", "get", "-Hp", "-o", "value", "quota", name], check=True, capture_output=True, text=True
            )
            assert int(told.stdout) == (number + 2) << 30, told.stdout
            time.sleep(0.05)
        cpu_ms = (controller.cpu_s() - before) * 1000 / commits
        after_mib = controller.resident_mib()
    return Measured(times, cpu_ms, idle_mib, after_mib)


def _work_tree(files: int, scratch: Path) -> Path:
    """A repository with a work tree: one real host, and as many ignored ones as make up the number of files."""
    manifests = {"repository.yaml": repository_manifest("bench"), "hosts/h000/host.yaml": host_manifest("h000")}
    for number in range(DATASETS):
        name = f"tank/bench{files}" if number == 0 else f"tank/bench{files}/d{number:02d}"
        manifests[f"hosts/h000/d{number:02d}.yaml"] = dataset_manifest(name)
    host = 0
    while len(manifests) < files:
        host += 1
        name = f"h{host:03d}"
        manifests[f"hosts/{name}/host.yaml"] = host_manifest(name, more="  mode: ignore\n")
        for number in range(min(PER_HOST - 1, files - len(manifests))):
            manifests[f"hosts/{name}/d{number:02d}.yaml"] = dataset_manifest(f"tank/d{number:02d}")
    bare = made(scratch / "made.git", manifests)
    work = scratch / "work"
    subprocess.run(["git", "clone", "--quiet", str(bare), str(work)], check=True)
    shutil.rmtree(bare)
    return work


class Controller:
    """A running controller, known by what it logs; a thread notes when each line came."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._came: list[tuple[float, dict[str, object]]] = []
        self._seen = 0
        self._more = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._more:
                self._came.append((time.time(), json.loads(line)))
                self._more.notify_all()

    def wait_for(self, event: str) -> float:
        """When the next such event came, after those that were waited for before."""
        deadline = time.monotonic() + PATIENCE_S
        with self._more:
            while True:
                for index in range(self._seen, len(self._came)):
                    at, said = self._came[index]
                    if said["event"] == event:
                        self._seen = index + 1
                        return at
                if not self._more.wait(deadline - time.monotonic()):
                    sys.exit(f"no {event} came; the controller said:\n{self._came[-20:]}")

    def resident_mib(self) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def cpu_s(self) -> float:
        """Of the process and of its children that have ended (proc(5), stat)."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(") ")[2].split()
        return sum(int(fields[index]) for index in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _running(repository: Path, state: Path) -> Iterator[Controller]:
    reconciler = str(Path(sys.executable).parent / "reconciler")
    process = subprocess.Popen(
        [reconciler, "run", "--repo", str(repository), "--ref", "main", "--state", str(state), "--interval", "600"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Controller(process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _git(work: Path, *arguments: str) -> None:
    who = {"GIT_AUTHOR_NAME": "b", "GIT_AUTHOR_EMAIL": "b@example.org", "GIT_COMMITTER_NAME": "b"}
    env = {**os.environ, **who, "GIT_COMMITTER_EMAIL": "b@example.org", "GIT_CONFIG_GLOBAL": "/dev/null"}
    subprocess.run(["git", "-C", str(work), *arguments], check=True, env=env)


if __name__ == "__main__":
    sys.exit(main())
