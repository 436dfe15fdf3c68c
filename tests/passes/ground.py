"""One emulated host and our memory of it, driven pass by pass with hand-made resources."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from providers.zfs import PROVIDER
from reconciler.controller.passes import Connections, HostResult, Planned, Setting, apply_host, plan_hosts
from reconciler.emulation.host import EmulatedHost
from reconciler.hosts.connect import emulated_state
from reconciler.model.desired import Desired
from reconciler.model.guardrails import Guardrails
from reconciler.model.host import Connection, HostManifest, TransportType
from reconciler.model.key import Key
from reconciler.model.origin import Origin
from reconciler.model.plan import HostPlan, PlanSource
from reconciler.model.resource import Resource
from reconciler.planning.render_json import plan_digest
from reconciler.provider.contract import Provider
from reconciler.provider.registry import Registry
from reconciler.store.database import FILE_NAME, Database
from reconciler.store.journal import Intent, Journal, unfinished_keys
from reconciler.store.ledger import ledger_of
from tests.hosts.fakes import Told

POOLS = {"omnios": "tank", "smartos": "zones", "linux-zfs-fuse": "tank"}
COMPRESSION = {"omnios": "lz4", "smartos": "lz4", "linux-zfs-fuse": "gzip"}
NO_LIMITS = Guardrails(removals_per_host=1000, removals_share_percent=100, removals_total=1000, removals_bytes=1 << 60)
_SPACE = {
    "available",
    "used",
    "usedbychildren",
    "referenced",
    "usedbydataset",
    "written",
    "filesystem_count",
    "snapshot_count",
    "logicalused",
}

Result = TypeVar("Result")
Scene = Callable[[Setting, Connections, Journal], Coroutine[object, object, Result]]


@dataclass
class Ground:
    """A host named hv01. Each pass opens everything anew, as a new process would."""

    root: Path
    system: str
    guardrails: Guardrails = NO_LIMITS
    identity: Mapping[str, str] = field(default_factory=dict)
    revision: str = "revision"
    providers: tuple[Provider, ...] = (PROVIDER,)
    host: EmulatedHost = field(init=False)

    def __post_init__(self) -> None:
        state = emulated_state(self.state, "hv01")
        state.parent.mkdir(parents=True, exist_ok=True)
        self.host = EmulatedHost.open(state, system=self.system, hostname="hv01")

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def pool(self) -> str:
        return POOLS[self.system]

    @property
    def connection(self) -> Connection:
        """How the reconciler reaches the host."""
        return Connection(TransportType.EMULATED, system=self.system)

    @property
    def compression(self) -> str:
        """A compression that every ZFS of this system has, and that is no default."""
        return COMPRESSION[self.system]

    @property
    def has_volumes(self) -> bool:
        return self.system != "linux-zfs-fuse"

    @property
    def can_share(self) -> bool:
        """Whether something on the host shares what has sharenfs set."""
        return True

    def name(self, name: str) -> str:
        """A full name in the pool."""
        return f"{self.pool}/{name}"

    def mountpoint(self, name: str) -> str:
        """A place on the host to mount something."""
        return f"/srv/{name}"

    def apart(self, name: str) -> dict[str, str]:
        """Properties of a dataset below one that moves to another mountpoint; none here: it moves along."""
        return {}

    def zfs(self, *argv: str) -> str:
        """A command behind our back, which must succeed."""
        answer = self.host.drift(("zfs", *argv))
        assert answer.exit_code == 0, answer.stderr.decode()
        return answer.stdout.decode()

    def value(self, name: str, prop: str) -> tuple[str, str]:
        """Value and source of a property."""
        value, source = self.zfs("get", "-Hp", "-o", "value,source", prop, self.name(name)).rstrip("\n").split("\t")
        return value, source

    def put_data(self, name: str) -> None:
        """Puts a megabyte of content into a dataset or volume."""
        self.host.storage.write(self.name(name), 1 << 20)

    def data(self, full_name: str) -> object:
        """What a dataset, volume or snapshot holds, to be compared with what it held before."""
        return self.host.storage.dataset(full_name).referenced

    def is_mounted(self, name: str) -> bool:
        return self.host.storage.dataset(self.name(name)).mounted

    def state_of(self, names: Iterable[str]) -> dict[str, object]:
        """Everything about these objects but how full they and their pool are."""
        found: dict[str, object] = {}
        for name in names:
            view = self.host.storage.dataset(name)
            properties = {prop: cell for prop, cell in view.properties.items() if prop not in _SPACE}
            found[name] = (view.kind, view.guid, view.origin, view.mounted, view.holds, properties)
        return found

    def ours(self) -> set[str]:
        """Names of all that bears our mark."""
        rows = self.zfs("get", "-Hp", "-r", "-s", "local", "-o", "name", "dev.reconciler:owner")
        return set(rows.split())

    def desired(self, wanted: Iterable[Resource], *, whole: bool = True) -> Desired:
        manifest = HostManifest("hv01", self.connection, Origin("hosts/hv01/host.yaml", 1, 1), self.identity)
        resources = {resource.key: resource for resource in wanted}
        return Desired(self.revision, "default", self.guardrails, {"hv01": manifest}, {"hv01": resources}, whole=whole)

    def with_state(self, scene: Scene[Result]) -> Result:
        """Runs a scene over the state directory, opened anew."""

        async def whole() -> Result:
            database = Database.open(self.state)
            connections, journal = Connections(self.state), Journal(database)
            setting = Setting(Registry.of(self.providers), self.state, database, lambda: datetime.now(UTC))
            try:
                return await scene(setting, connections, journal)
            finally:
                await journal.close()
                await connections.close()
                database.close()

        return asyncio.run(whole())

    def planned(self, *wanted: Resource, whole: bool = True) -> HostPlan:
        """The plan, with nothing run."""
        return self.all_planned(*wanted, whole=whole).plan.hosts[0]

    def all_planned(self, *wanted: Resource, whole: bool = True) -> Planned:
        desired = self.desired(wanted, whole=whole)

        async def scene(setting: Setting, connections: Connections, _journal: Journal) -> Planned:
            return await plan_hosts(setting, desired, PlanSource("desired-state", self.revision, whole), connections, ("hv01",))

        return self.with_state(scene)

    def applied(self, *wanted: Resource, whole: bool = True) -> HostResult:
        """One pass."""
        desired = self.desired(wanted, whole=whole)
        source = PlanSource("desired-state", self.revision, whole)

        async def scene(setting: Setting, connections: Connections, journal: Journal) -> HostResult:
            planned = await plan_hosts(setting, desired, source, connections, ("hv01",))
            stop = asyncio.Event()
            host = planned.plan.hosts[0]
            return await apply_host(setting, planned, host, desired, connections, journal, Told(), stop)

        return self.with_state(scene)

    def converges(self, *wanted: Resource) -> HostResult:
        """One pass after which nothing is left to do, as the pass itself finds and as a new look does."""
        result = self.applied(*wanted)
        failures = [f"{outcome.key}: {outcome.failure}" for outcome in result.outcomes if outcome.failure]
        refused = [f"{item.key}: {item.reason}: {item.cause}" for item in result.final.blocked]
        assert (failures, refused) == ([], []), (failures, refused)
        assert result.is_converged, [str(action.key) for action in result.final.actions]
        assert self.planned(*wanted).is_empty
        return result

    def cut_off(self, plan: HostPlan, commands: int) -> None:
        """Begins a plan as a process that is killed after that many commands: intents stand, results do not."""
        run = [step.command for action in plan.actions for step in action.steps]
        begun, left = [], commands
        for action in plan.actions:
            if left >= 0:
                begun.append(action)
            left -= len(action.steps)

        async def scene(_setting: Setting, _connections: Connections, journal: Journal) -> None:
            for action in begun:
                await journal.durable(journal.begin(Intent(action, "revision", 0.0)))

        self.with_state(scene)
        for command in run[:commands]:
            answer = self.host.drift(command.argv, None if command.stdin is None else command.stdin.encode())
            assert answer.exit_code == 0, answer.stderr.decode()

    def lose_ledger(self) -> None:
        for leftover in self.state.glob(f"{FILE_NAME}*"):
            leftover.unlink()

    def unfinished(self) -> set[str]:
        async def scene(setting: Setting, _connections: Connections, _journal: Journal) -> frozenset[Key]:
            assert setting.database is not None
            return unfinished_keys(setting.database, "hv01")

        return {key.name.removeprefix(f"{self.pool}/") for key in self.with_state(scene)}

    def ledger(self) -> set[str]:
        async def scene(setting: Setting, _connections: Connections, _journal: Journal) -> set[str]:
            assert setting.database is not None
            return {key.name for key in ledger_of(setting.database, "hv01")}

        return {name.removeprefix(f"{self.pool}/") for name in self.with_state(scene)}

    def changing_calls(self) -> list[str]:
        """Commands of ours that changed the host, in order."""
        return [" ".join(call.argv) for call in self.host.transcript() if call.changed]

    def digest(self, *wanted: Resource) -> str:
        return plan_digest(self.all_planned(*wanted).plan)
