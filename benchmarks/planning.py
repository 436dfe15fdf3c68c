"""Measures planning in process: a bare repository of N manifests over 20 hosts, the real git source, reader and planner.

Nothing is contacted: the inventories are made from the wishes and lie in memory. Each round is a process of its own, so that
cold is cold; imports are done before the clock starts. Writes its table into benchmarks/results.md.
"""

import argparse
import json
import os
import pickle
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from repositories import cloned, committed, dataset_manifest, host_manifest, made, repository_manifest
from results import Figure, write

from reconciler.controller.desired_state import DesiredReader
from reconciler.controller.installed import installed_registry
from reconciler.emulation.host import EmulatedHost
from reconciler.hosts.execute import ledger_row
from reconciler.model.command import Completed, Ending
from reconciler.model.desired import Desired
from reconciler.model.facts import HostFacts
from reconciler.model.key import Key, ObjectName
from reconciler.model.ledger import LedgerRow
from reconciler.model.observed import Inventory, Mark, Observed
from reconciler.model.plan import PlanSource
from reconciler.planning.planner import plan
from reconciler.planning.view import HostView
from reconciler.provider.registry import Registry
from reconciler.source.git.source import GitSource
from reconciler.source.location import GitLocation

HOSTS = 20
GROUP = 50
"""Datasets in one container: references from one manifest to another are a part of the work."""

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SEEN = "seen.pickle"
"""The inventories, made beforehand from the wishes."""

BARS_S = {"cold": 2.0, "again": 0.4, "one file": 0.04}


def main() -> int:
    options = _options()
    if options.round is not None:
        print(json.dumps(measured(Path(options.round), pickle.loads(Path(options.seen).read_bytes()))))
        return 0
    figures: list[Figure] = []
    colds = {}
    for count in options.sizes:
        with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch:
            repository = made(Path(scratch) / "repository.git", manifests(count))
            (Path(scratch) / SEEN).write_bytes(pickle.dumps(_seen(repository, Path(scratch) / "state")))
            rounds = [_round(repository, Path(scratch)) for _ in range(options.rounds if count <= 10_000 else 2)]
        colds[count] = statistics.median(one["cold cpu"] for one in rounds)
        figures += _figures(count, rounds)
        for figure in figures[-5:]:
            print(figure.row(), flush=True)
    if {10_000, 100_000} <= colds.keys():
        figures.append(Figure("100,000 cold, over ten times 10,000 cold (CPU)", colds[100_000] / colds[10_000] / 10, "x", 1.15))
        print(figures[-1].row())
    if not options.dry:
        write(
            "Planning",
            f"Median of {options.rounds} processes (100,000: of 2), {HOSTS} hosts, one manifest of 19 lines per file, a bare "
            "clone on the local disk; CPU is this process with the git that it runs.",
            figures,
        )
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="processes per size")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000], help="resources in the repository")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    parser.add_argument("--round", metavar="REPOSITORY", help=argparse.SUPPRESS)
    parser.add_argument("--seen", metavar="FILE", help=argparse.SUPPRESS)
    return parser.parse_args()


def manifests(count: int) -> dict[str, str]:
    """The files of a repository with `count` datasets."""
    files = {"repository.yaml": repository_manifest("bench")}
    for host in range(HOSTS):
        files[f"hosts/h{host:02d}/host.yaml"] = host_manifest(f"h{host:02d}")
    for number in range(count):
        host, index = number % HOSTS, number // HOSTS
        group = f"tank/g{index // GROUP:04d}"
        name = group if index % GROUP == 0 else f"{group}/d{index:06d}"
        files[f"hosts/h{host:02d}/{group[5:]}/d{index:06d}.yaml"] = dataset_manifest(name)
    return files


def _round(repository: Path, scratch: Path) -> dict[str, float]:
    """One process over a clone of its own."""
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        clone = cloned(repository, Path(place) / "clone.git")
        argv = [sys.executable, __file__, "--round", str(clone), "--seen", str(scratch / SEEN)]
        done = subprocess.run(argv, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


@dataclass(frozen=True)
class Seen:
    """What is there on one host, and what the ledger knows of it."""

    inventory: Inventory
    ledger: dict[Key, LedgerRow]


def measured(clone: Path, seen: Mapping[str, Seen]) -> dict[str, float]:
    """Wall and CPU seconds of each step, and the largest resident size in MiB, in this process."""
    registry = installed_registry()
    source = _source(clone, clone.parent / "state")
    revision = source.fetch()
    reader = DesiredReader(registry)
    found: dict[str, float] = {}

    def actions(revision: str, there: Mapping[str, Seen]) -> list[Key]:
        desired = reader.read(source, revision).desired
        made = plan(desired, _views(desired, there, registry), registry.kinds, PlanSource("", revision), NOW)
        assert not any(host.blocked for host in made.hosts)
        return [action.key for host in made.hosts for action in host.actions]

    def nothing() -> None:
        assert actions(revision, seen) == []

    def drift() -> None:
        assert len(actions(revision, drifted)) == sum(len(one.ledger) for one in seen.values()) // 100

    def one_file() -> None:
        assert actions(newer, {"h07": seen["h07"]}) == [Key("h07", "Dataset", "tank/g0000/d000001")]

    drifted = _drifted(seen)
    _time("cold", nothing, found)
    _time("again", nothing, found)
    _time("drift", drift, found)
    steps = []
    for quota in range(2, 9):
        committed(clone, {"hosts/h07/g0000/d000001.yaml": dataset_manifest("tank/g0000/d000001", quota=f"{quota}GiB")})
        newer = source.fetch()
        step: dict[str, float] = {}
        _time("one file", one_file, step)
        steps.append(step)
    found |= {name: statistics.median(step[name] for step in steps) for name in steps[0]}
    source.close()
    found["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def _source(repository: Path, state: Path) -> GitSource:
    return GitSource(GitLocation(str(repository), "main", ""), state, os.environ)


def _time(name: str, work: Callable[[], None], found: dict[str, float]) -> None:
    before, began = _cpu(), time.perf_counter()
    work()
    found[name], found[f"{name} cpu"] = time.perf_counter() - began, _cpu() - before


def _cpu() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _views(desired: Desired, there: Mapping[str, Seen], registry: Registry) -> list[HostView]:
    views = []
    for host, seen in there.items():
        facts = seen.inventory.facts
        assert facts is not None
        backends = {kind: provider.backends(facts.system)[0](facts) for kind, provider in registry.provider_of.items()}
        resources = desired.resources[host]
        views.append(HostView(desired.hosts[host], resources, seen.inventory, backends, ledger=seen.ledger))
    return views


def _seen(repository: Path, state: Path) -> dict[str, Seen]:
    """Each host exactly as wanted, and known to the ledger as such."""
    registry = installed_registry()
    facts = _facts(registry)
    source = _source(repository, state)
    desired = DesiredReader(registry).read(source, source.fetch()).desired
    source.close()
    seen = {}
    for host, resources in desired.resources.items():
        pool = ObjectName("Dataset", "tank")
        objects = {pool: Observed(pool, {})}
        for key, wanted in resources.items():
            mark = Mark(desired.owner, key.object, facts.host_id, wanted.lifecycle.protect, wanted.lifecycle.on_removal)
            objects[key.object] = Observed(key.object, dict(wanted.fields), frozenset(wanted.fields), mark, f"guid of {key}")
        ledger = {key: ledger_row(wanted, registry.kinds[key.kind], "") for key, wanted in resources.items()}
        seen[host] = Seen(Inventory(host, NOW, facts, objects), ledger)
    return seen


def _drifted(seen: Mapping[str, Seen]) -> dict[str, Seen]:
    """One object in a hundred with another quota than is wanted."""
    found = {}
    for host, one in seen.items():
        objects = dict(one.inventory.objects)
        for name in list(objects)[1::100]:
            objects[name] = replace(objects[name], fields={**objects[name].fields, "properties.quota": 1 << 40})
        found[host] = replace(one, inventory=replace(one.inventory, objects=objects))
    return found


def _facts(registry: Registry) -> HostFacts:
    """The facts of an emulated OmniOS host."""
    probed = {}
    with tempfile.TemporaryDirectory() as folder, EmulatedHost.open(Path(folder) / "host", system="omnios") as host:
        for provider in registry.providers:
            for probe in provider.fact_probes:
                answer = host.run(probe.command.argv)
                out, err = answer.stdout.decode(), answer.stderr.decode()
                probed[probe.name] = Completed(probe.command, Ending.EXITED, answer.exit_code, out, err)
    return HostFacts("SunOS", "5.11", "omnios-r151054", "1700000000", {"hostId": "0000abcd"}, probed)


def _figures(count: int, rounds: list[dict[str, float]]) -> list[Figure]:
    def median(name: str) -> float:
        return statistics.median(one[name] for one in rounds)

    def figure(what: str, name: str) -> Figure:
        bar = BARS_S.get(name) if count == 10_000 else None
        return Figure(
            f"{count:,}: {what}", median(name) * 1000, "ms", bar * 1000 if bar else None, median(f"{name} cpu") * 1000
        )

    return [
        figure("cold from git (read, parse, validate, plan all hosts)", "cold"),
        figure("again in the same process", "again"),
        figure("again, one object in a hundred drifted", "drift"),
        figure("one changed file, plan of its host", "one file"),
        Figure(f"{count:,}: largest resident size", median("rss"), "MiB", 1024 if count == 100_000 else None),
    ]


if __name__ == "__main__":
    sys.exit(main())
