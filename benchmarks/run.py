"""Measures the reconciler against the native floor: the fewest `zfs` commands that do the same work, in the same run.

Runs itself inside examples/linux-zfs/run.sh, on a throw-away zfs-fuse pool. Floor and ours are interleaved pair by pair; the
figure that counts is the median of the ratios, for machines are noisy. Writes benchmarks/results.md.
"""

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INSIDE = "RECONCILER_BENCH_INSIDE"
PROPERTIES = {"mountpoint": "none", "compression": "gzip", "atime": "off", "recordsize": "65536"}


@dataclass(frozen=True)
class Pair:
    """What the floor does and what we do, each as something to run once; `before` restores the ground between runs."""

    name: str
    bar: float | None
    floor: Callable[[], None]
    ours: Callable[[], None]
    before: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Measured:
    pair: Pair
    floor_s: list[float]
    ours_s: list[float]

    @property
    def ratio(self) -> float:
        return statistics.median(ours / floor for floor, ours in zip(self.floor_s, self.ours_s, strict=True))


def main() -> int:
    options = _options()
    if os.environ.get(INSIDE) != "1":
        command = [str(ROOT / "examples/linux-zfs/run.sh"), sys.executable, *sys.argv]
        return subprocess.call(command, env={**os.environ, INSIDE: "1"})
    with tempfile.TemporaryDirectory() as scratch:
        pairs = [_help_pair()]
        for count in options.sizes:
            pairs += _dataset_pairs(count, Path(scratch) / str(count))
        measured = []
        for pair in pairs:
            if options.only in pair.name:
                result = _measure(pair, options.rounds)
                measured.append(result)
                print(_row(result), flush=True)
    if not options.only:
        _write(measured, options.rounds)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="pairs per figure")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 300, 500], help="datasets in the pool")
    parser.add_argument("--only", default="", help="only figures whose name holds this text; nothing is written")
    return parser.parse_args()


def _measure(pair: Pair, rounds: int) -> Measured:
    floor_s: list[float] = []
    ours_s: list[float] = []
    for _ in range(rounds):
        for run, times in ((pair.floor, floor_s), (pair.ours, ours_s)):
            pair.before()
            began = time.perf_counter()
            run()
            times.append(time.perf_counter() - began)
    return Measured(pair, floor_s, ours_s)


def _help_pair() -> Pair:
    return Pair(
        "--help against python -I -c pass",
        None,
        lambda: _run(sys.executable, "-I", "-c", "pass"),
        lambda: _run(*_reconciler(), "--help"),
    )


def _dataset_pairs(count: int, scratch: Path) -> list[Pair]:
    """Pairs over a pool of `count` datasets; each makes the ground that it needs."""
    tree = _tree(scratch / "tree", count)
    state = scratch / "state"
    names = [f"tank/bench{count}/d{number:04d}" for number in range(count)]
    options = [part for name, value in PROPERTIES.items() for part in ("-o", f"{name}={value}")]
    create = "\n".join(" ".join(("zfs", "create", *options, "-o", "quota=1G", name)) for name in names)
    ours = (*_reconciler(), "apply", str(tree), "--yes", "--state", str(state))

    def empty() -> None:
        listed = subprocess.run(
            ["zfs", "list", "-H", "-d", "1", "-o", "name", "tank"], check=True, capture_output=True, text=True
        )
        for old in listed.stdout.split()[1:]:
            _run("zfs", "destroy", "-r", old)
        shutil.rmtree(state, ignore_errors=True)
        _run("zfs", "create", *options, f"tank/bench{count}")

    def full() -> None:
        probe = subprocess.run(["zfs", "list", names[-1]], check=False, capture_output=True)
        if probe.returncode != 0 or not state.exists():
            empty()
            _run(*ours)

    read_all = ("zfs", "get", "-rHp", "-o", "name,property,value,source", "all", "tank")
    one = tree / "hosts/h/d0000.yaml"

    def edit(quota: str) -> None:
        one.write_text(_manifest(names[0], quota))

    quotas = iter(range(2, 1_000_000))

    def change_natively() -> None:
        _run(*read_all)
        _run("zfs", "set", f"quota={next(quotas)}M", names[0])

    def change() -> None:
        edit(f"{next(quotas)}MiB")
        _run(*ours)

    return [
        Pair(f"create {count}, floor one after another", None, lambda: _run("sh", "-ec", create), lambda: _run(*ours), empty),
        Pair(
            f"create {count}, floor four at once",
            None,
            lambda: _run("xargs", "-P4", "-n1", "zfs", "create", *options, "-o", "quota=1G", stdin="\n".join(names)),
            lambda: _run(*ours),
            empty,
        ),
        Pair(
            f"no-op plan of {count}, floor `zfs get all`",
            0.8 if count == 300 else None,
            lambda: _run(*read_all),
            lambda: _run(*_reconciler(), "plan", str(tree), "--exit-code", "--state", str(state)),
            full,
        ),
        Pair(f"one change in {count}, floor `zfs get all` + `zfs set`", None, change_natively, change, full),
    ]


def _tree(place: Path, count: int) -> Path:
    """A desired-state folder with `count` datasets on one local host, one file each."""
    host = place / "hosts/h"
    host.mkdir(parents=True)
    (place / "repository.yaml").write_text(f"apiVersion: reconciler/v1\nkind: Repository\nmetadata: {{name: bench{count}}}\n")
    (host / "host.yaml").write_text(
        "apiVersion: reconciler/v1\nkind: Host\nmetadata: {name: h}\nspec:\n  transport: {type: local}\n"
    )
    for number in range(count):
        (host / f"d{number:04d}.yaml").write_text(_manifest(f"tank/bench{count}/d{number:04d}", "1GiB"))
    return place


def _manifest(name: str, quota: str) -> str:
    return (
        f"apiVersion: reconciler/v1\nkind: Dataset\nmetadata:\n  name: {name}\nlifecycle:\n  onRemoval: delete\nspec:\n"
        f"  properties:\n    mountpoint: none\n    compression: gzip\n    atime: off\n    recordsize: 64K\n    quota: {quota}\n"
    )


def _reconciler() -> tuple[str, ...]:
    return (str(Path(sys.executable).parent / "reconciler"),)


def _run(*argv: str, stdin: str = "") -> None:
    done = subprocess.run(argv, check=False, capture_output=True, input=stdin, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv[:6])} exited with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _row(result: Measured) -> str:
    bar = f"{result.pair.bar:.2f}" if result.pair.bar is not None else "-"
    floor, ours = (statistics.median(times) for times in (result.floor_s, result.ours_s))
    return f"| {result.pair.name} | {floor * 1000:.0f} ms | {ours * 1000:.0f} ms | **{result.ratio:.2f}** | {bar} |"


def _write(measured: Sequence[Measured], rounds: int) -> None:
    head = (
        "# Results\n\n"
        f"`make bench` on {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, zfs-fuse; medians of {rounds} interleaved pairs.\n"
        "The ratio is the median of the pairs' ratios; the bar is the most that it may be. "
        "Wall times of one machine on one day mean little; ratios hold.\n\n"
        "| what | floor | ours | ratio | bar |\n|---|---|---|---|---|\n"
    )
    (ROOT / "benchmarks/results.md").write_text(head + "\n".join(_row(result) for result in measured) + "\n")


if __name__ == "__main__":
    sys.exit(main())
