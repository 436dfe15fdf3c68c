"""Provider zfs on every kind of system; what differs is in the capabilities."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from providers.tools import zfs, zfs_errors, zfs_pools, zfs_volume_files
from providers.tools.failures import failure
from providers.tools.zfs_properties import MARK_PREFIX
from providers.tools.zfs_rows import Rows, in_reading_order, read_rows, read_user_properties
from providers.zfs.capabilities import Capabilities, capabilities, support
from providers.zfs.reading import PREFIX, Reading, Surroundings, expanded, kind_of, needed, surroundings
from providers.zfs.refusals import refusal
from providers.zfs.steps import steps
from reconciler.model.change import Change, FieldChange, Verb
from reconciler.model.command import Command, Completed, Failure, Outputs, Probe, Step, probe
from reconciler.model.errors import ReadError
from reconciler.model.facts import HostFacts
from reconciler.model.key import ObjectName
from reconciler.model.observed import EVERY_FIELD, REMOVAL, Observed
from reconciler.model.value import Value
from reconciler.provider.contract import Refusal, Support
from reconciler.provider.readers import rows

DATASETS, SNAPSHOTS, SET_HERE, FILES, POOLS, FEATURES = (
    f"zfs.{name}" for name in ("datasets", "snapshots", "set-here", "volume-files", "pool-list", "features")
)
"""Names of the probes."""

_TYPES = ("filesystem", "volume")
_KINDS = ("Dataset", "Volume")
_CONFIRMED_WHOLE = frozenset({Verb.DELETE, Verb.REPLACE, Verb.TRASH})


class ZfsBackend:
    """Pools, datasets and volumes by `zpool` and `zfs`."""

    def __init__(self, facts: HostFacts) -> None:
        self.host: Capabilities = capabilities(facts)

    @classmethod
    def serves(cls, facts: HostFacts) -> Support:
        return support(facts)

    def probes(self, fields: Mapping[str, frozenset[str]]) -> tuple[Probe, ...]:
        return tuple(self._probes(fields))

    def _probes(self, fields: Mapping[str, frozenset[str]]) -> Iterator[Probe]:
        if "Pool" in fields:
            yield probe(POOLS, *zfs_pools.list_pools(exact=self.host.is_exact_about_pools))
            if self._reads_features(fields):
                yield probe(FEATURES, *zfs_pools.get_features())
        if properties := self._asked(fields):
            types = _TYPES if self.host.gets_by_type else None
            yield probe(DATASETS, *zfs.get(properties, types=types))
            if any(REMOVAL in fields.get(kind, ()) for kind in _KINDS):
                yield probe(SNAPSHOTS, *zfs.list_snapshots())
            if any(EVERY_FIELD in fields.get(kind, ()) for kind in _KINDS):
                yield probe(SET_HERE, *zfs.get_set_here(types=types))
            if "Volume" in fields and self.host.keeps_files:
                yield probe(FILES, *zfs_volume_files.list_files())

    def _reads_features(self, fields: Mapping[str, frozenset[str]]) -> bool:
        return bool({"features", EVERY_FIELD} & fields["Pool"]) and self.host.is_exact_about_pools

    def _asked(self, fields: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
        """The properties to ask of every dataset and volume, in reading order; empty when neither kind is asked for."""
        kinds = [kind for kind in _KINDS if kind in fields]
        wanted = (needed(expanded(kind, fields[kind], self.host), self.host) for kind in kinds)
        return in_reading_order(frozenset().union(*wanted)) if kinds else ()

    def read(self, outputs: Outputs, fields: Mapping[str, frozenset[str]]) -> tuple[Observed, ...]:
        pools = tuple(self._read_pools(outputs)) if "Pool" in fields else ()
        return (*pools, *self._read_datasets(outputs, fields)) if DATASETS in outputs else pools

    def _read_pools(self, outputs: Outputs) -> Iterator[Observed]:
        features = zfs_pools.read_features(outputs[FEATURES].stdout) if FEATURES in outputs else {}
        for pool in zfs_pools.read_pools(outputs[POOLS].stdout, exact=self.host.is_exact_about_pools):
            found: dict[str, Value] = {
                "size": pool.size,
                "free": pool.free,
                "health": pool.health,
                "capacity": pool.capacity,
                "fragmentation": pool.fragmentation,
            }
            if FEATURES in outputs:
                found["features"] = features.get(pool.name, ())
            yield Observed(ObjectName("Pool", pool.name), found)

    def _read_datasets(self, outputs: Outputs, fields: Mapping[str, frozenset[str]]) -> Iterator[Observed]:
        asked = self._asked(fields)
        found = [row for row in read_rows(outputs[DATASETS].stdout, asked) if "@" not in row.name]
        if not found and self.host.pools:
            raise ReadError(0, f"at least the root of pool {min(self.host.pools)}")
        own = read_user_properties(outputs[SET_HERE].stdout) if SET_HERE in outputs else {}
        files = zfs_volume_files.read_files(outputs[FILES].stdout) if FILES in outputs else None
        around = surroundings(found, _snapshots(outputs), files)
        readings = {kind: self._reading(kind, fields[kind]) for kind in _KINDS if kind in fields}
        for row in found:
            if reading := readings.get(kind_of(row)):
                yield _with_user_properties(reading.object(row, around), own.get(row.name, {}))

    def _reading(self, kind: str, fields: Iterable[str]) -> Reading:
        return Reading.of(kind, expanded(kind, fields, self.host), self.host)

    def refusal(self, kind: str, field: str, value: Value) -> Refusal | None:
        return refusal(self.host, kind, field, value)

    def acts(self, kind: str, change: FieldChange, observed: Observed) -> None:
        """Nothing of ZFS runs."""

    def steps(self, change: Change) -> tuple[Step, ...]:
        return steps(change, self.host)

    def pool(self, name: str) -> str:
        return name.partition("/")[0]

    def confirm(self, change: Change) -> Probe:
        properties, whole = self._confirmed_properties(change), change.verb in _CONFIRMED_WHOLE
        types = (*_TYPES, "snapshot") if whole and self.host.gets_by_type else None
        return Probe("zfs.confirm", Command(zfs.get_one(change.key.name, properties, below=whole, types=types), changes=False))

    def confirmed(self, change: Change, answer: Completed) -> Observed | None:
        if zfs_errors.says_gone(answer):
            return None
        if not answer.succeeded:
            raise ReadError(0, f"{change.key.object}, or that it does not exist", answer.stderr)
        found = {row.name: row for row in read_rows(answer.stdout, self._confirmed_properties(change))}
        row = found.get(change.key.name)
        if row is None or kind_of(row) != change.key.kind:
            raise ReadError(1, str(change.key.object), answer.stdout)
        return self._reading(change.key.kind, self._confirmed_fields(change)).object(row, _around(found))

    def _confirmed_fields(self, change: Change) -> frozenset[str]:
        stated = change.resource.fields if change.resource is not None else {}
        names = {*stated, *(field.name for field in change.fields)}
        if change.verb in _CONFIRMED_WHOLE:
            names.add(REMOVAL)
        if change.key.kind == "Dataset" and change.resource is not None:
            names.add("mounted")
        return expanded(change.key.kind, names, self.host)

    def _confirmed_properties(self, change: Change) -> tuple[str, ...]:
        extra = {"guid", "userrefs"} if change.verb in _CONFIRMED_WHOLE else {"guid"}
        return in_reading_order(needed(self._confirmed_fields(change), self.host) | extra)

    def explain(self, failed: Completed) -> Failure:
        return failure(failed, zfs_errors.TABLE)


def _snapshots(outputs: Outputs) -> Iterator[tuple[str, bool]]:
    if SNAPSHOTS in outputs:
        for name, holds in rows(outputs[SNAPSHOTS].stdout, ("name", "userrefs")):
            yield name, holds not in ("0", "-")


def _around(found: Mapping[str, Rows]) -> Surroundings:
    """From the answer to a look at one object with what lies directly below it."""
    snapshots = [(name, row.values["userrefs"] not in ("0", "-")) for name, row in found.items() if "@" in name]
    return surroundings([row for name, row in found.items() if "@" not in name], snapshots)


def _with_user_properties(observed: Observed, own: Mapping[str, str]) -> Observed:
    """The object with the user properties that are set on it, which can't be asked for without knowing their names."""
    if not own:
        return observed
    names = {f"{PREFIX}{name}": value for name, value in own.items() if not name.startswith(MARK_PREFIX)}
    return replace(observed, fields={**names, **observed.fields}, stated_here=observed.stated_here | names.keys())
