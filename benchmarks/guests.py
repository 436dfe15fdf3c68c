"""Measures passes over an emulated SmartOS host full of guests, all in this process: what planning takes, and a pass that finds
nothing to do, with the emulated tools' own time in it. The guests are made by an apply, that is by the host's vmadm.

Writes its table into benchmarks/results.md.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from repositories import host_manifest, repository_manifest
from results import Figure, write

from reconciler.controller.applying import apply_hosts, working_state
from reconciler.controller.desired_state import DesiredReader
from reconciler.controller.installed import installed_registry
from reconciler.controller.passes import Connections, Planned, Setting, plan_hosts
from reconciler.emulation.host import EmulatedHost
from reconciler.hosts.connect import emulated_state
from reconciler.model.desired import Desired
from reconciler.model.outcome import Outcome, OutcomeState
from reconciler.model.plan import Action, PlanSource
from reconciler.planning.planner import plan
from reconciler.source.folder import FolderSource
from reconciler.store.journal import Journal

HOST = "hv01"
EVERY_THIRD = 3
"""One guest in so many is a virtual machine."""

PLANNING_BAR_MS, PASS_BAR_MS = 50, 500

IMAGES = {
    "base-64": "2f1dc911-6401-4fa4-8e9d-67ea2e39c271",
    "debian-12": "d42a37a0-6d5c-4f5a-9d0c-3ea4d1e1f8b2",
}

_LINKS = """
---
apiVersion: reconciler/v1
kind: Etherstub
metadata: {name: stub%d}
spec: {}
---
apiVersion: reconciler/v1
kind: VNIC
metadata: {name: vnic%d}
spec: {over: stub%d, vlan: 20, maxBandwidth: 500Mbps}
"""

_ZONE = """
apiVersion: reconciler/v1
kind: Zone
metadata: {{name: zone{number}}}
spec:
  brand: joyent-minimal
  image: base-64
  state: running
  memory: 512MiB
  quota: 10GiB
  cpuCap: 200
  firewallEnabled: true
  resolvers: [10.0.0.1, 10.0.0.2]
  tags: {{role: web, number: "{number}"}}
  metadata:
    user-script: |
      #!/bin/sh
      echo zone {number}
  nics:
    - name: net0
      over: external
      ips: [10.10.{high}.{low}/16]
      gateways: [10.10.0.1]
      primary: true
    - name: net1
      over: stub{stub}
      ips: [10.20.{high}.{low}/16]
"""

_MACHINE = """
apiVersion: reconciler/v1
kind: VirtualMachine
metadata: {{name: machine{number}}}
spec:
  engine: bhyve
  cpus: 2
  memory: 1GiB
  state: running
  tags: {{role: database}}
  disks:
    - name: root
      image: debian-12
      size: 20GiB
      model: virtio
      boot: true
    - name: data
      size: 10GiB
      model: virtio
  nics:
    - name: net0
      over: stub{stub}
      model: virtio
      ips: [10.20.{high}.{low}/16]
  cloudInit:
    userData: |
      #cloud-config
      hostname: machine{number}
"""

_RULE = """
apiVersion: reconciler/v1
kind: FirewallRule
metadata: {{name: rule{number}}}
spec: {{from: [any], to: [tag/role=web], action: allow, protocol: tcp, ports: [{port}]}}
"""


def main() -> int:
    options = _options()
    figures = []
    for count in options.sizes:
        with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch:
            figures += asyncio.run(_measured(Path(scratch), count, options.rounds))
    for figure in figures:
        print(figure.row())
    if not options.dry:
        write(
            "A host full of guests",
            f"An emulated SmartOS host; two zones with two nics each to one virtual machine with two disks; medians of "
            f"{options.rounds} rounds in one process, the emulator's work in it.",
            figures,
        )
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="rounds per figure")
    parser.add_argument("--sizes", type=int, nargs="+", default=[30, 300], help="guests on the host")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    return parser.parse_args()


def files(count: int) -> dict[str, str]:
    """The desired state of a host with `count` guests, by path."""
    images = (
        f"apiVersion: reconciler/v1\nkind: Image\nmetadata: {{name: {name}}}\nspec: {{uuid: {uuid}}}\n"
        for name, uuid in IMAGES.items()
    )
    transport = "{type: emulated, system: smartos, pools: {zones: 64TiB}}"
    found = {
        "repository.yaml": repository_manifest("bench"),
        f"hosts/{HOST}/host.yaml": host_manifest(HOST, transport=transport, more="  defaultPool: zones\n"),
        f"hosts/{HOST}/images.yaml": "---\n".join(images),
        f"hosts/{HOST}/links.yaml": "".join(_LINKS % (number, number, number) for number in range(4)),
        f"hosts/{HOST}/rules.yaml": "---".join(_RULE.format(number=number, port=1000 + number) for number in range(20)),
    }
    for number in range(count):
        text = _MACHINE if number % EVERY_THIRD == 0 else _ZONE
        filled = text.format(number=number, high=number // 200 + 1, low=number % 200 + 1, stub=number % 4)
        found[f"hosts/{HOST}/guest{number:04d}.yaml"] = filled
    return found


async def _measured(scratch: Path, count: int, rounds: int) -> list[Figure]:
    registry, tree = installed_registry(), scratch / "desired-state"
    for path, text in files(count).items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    source = FolderSource(tree)
    revision = source.fetch()
    desired = DesiredReader(registry).read(source, revision).desired
    async with working_state(registry, scratch / "state", lambda: datetime.now(UTC)) as (setting, connections, journal):
        passes = Passes(setting, connections, journal, desired, PlanSource("bench", revision))
        began = time.perf_counter()
        await passes.once()
        made_s = time.perf_counter() - began
        with EmulatedHost.open(emulated_state(scratch / "state", HOST)) as host:
            host.clear_transcript()
            views = tuple((await passes.planned()).views.values())
            asked = host.transcript()
            tools = Times()
            for _ in range(rounds):
                with tools.taken():
                    for call in asked:
                        host.drift(call.argv)
        planning, whole = Times(), Times()
        for _ in range(rounds):
            with planning.taken():
                plan(desired, views, registry.kinds, passes.source, setting.now())
            with whole.taken():
                done = await passes.once()
            assert done == 0
    bars = (PLANNING_BAR_MS, PASS_BAR_MS) if count == 300 else (None, None)
    nothing = "a pass that finds nothing to do"
    return [
        Figure(f"{count}: an apply that makes all", made_s * 1000, "ms"),
        Figure(f"{count}: {nothing}: commands", len(asked), ""),
        whole.figure(f"{count}: {nothing}", bars[1]),
        tools.figure(f"{count}: of that, the emulated tools"),
        planning.figure(f"{count}: of that, planning", bars[0]),
    ]


@dataclass(frozen=True)
class Passes:
    """What a controller has at hand when it makes a pass."""

    setting: Setting
    connections: Connections
    journal: Journal
    desired: Desired
    source: PlanSource

    async def planned(self) -> Planned:
        return await plan_hosts(self.setting, self.desired, self.source, self.connections, (HOST,))

    async def once(self) -> int:
        """Looks, plans, and does what is to be done; gives the number of actions, all of which worked."""
        planned, stop = await self.planned(), asyncio.Event()
        (result,) = await apply_hosts(self.setting, planned, self.desired, self.connections, self.journal, Failures(), stop)
        assert result.is_converged, (result.trouble, result.final.blocked[:3], result.final.actions[:3])
        return len(result.outcomes)


class Failures:
    """A progress that tells of nothing else."""

    def started(self, action: Action) -> None: ...

    def ended(self, action: Action, outcome: Outcome) -> None:
        if outcome.state is not OutcomeState.SUCCEEDED:
            print(f"{action.key}: {outcome.state}: {outcome.failure}", file=sys.stderr)


@dataclass(frozen=True)
class Times:
    """Wall and CPU seconds of each round, in this process."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @contextmanager
    def taken(self) -> Iterator[None]:
        clock, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall.append(time.perf_counter() - clock)
        self.cpu.append(time.process_time() - cpu)

    def figure(self, what: str, bar_ms: float | None = None) -> Figure:
        wall, cpu = (statistics.median(times) * 1000 for times in (self.wall, self.cpu))
        return Figure(what, wall, "ms", bar_ms, cpu)


if __name__ == "__main__":
    sys.exit(main())
