"""What zfs knows of guests' datasets, read with few queries however many guests there are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from reconciler.emulation.state import Row, State

SNAPSHOT_PREFIX = "vmsnap-"

_FEW = 60
_READ = (
    "quota", "refquota", "compression", "recordsize", "refreservation", "volsize", "volblocksize", "filesystem_limit",
    "snapshot_limit",
)  # fmt: skip
_NAMES = ", ".join(f"'{name}'" for name in _READ)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot that vmadm made."""

    name: str
    """Without the prefix."""
    size: int
    created_at: int


class Datasets:
    """The datasets of some guests, or of all, as zfs has them now."""

    def __init__(self, state: State, names: Collection[str]) -> None:
        self._values: dict[str, dict[str, str]] = {}
        self._snapshots: dict[str, list[Snapshot]] = {}
        pools = {name.partition("/")[0] for name in names}
        for name, property_name, value in _property_rows(state, [*names, *pools]):
            values = self._values.setdefault(name, {})
            if property_name is not None and value is not None:
                values[property_name] = value
        for name, used, creation in _snapshot_rows(state, names):
            dataset, _, snapshot = name.partition("@")
            self._snapshots.setdefault(dataset, []).append(Snapshot(snapshot.removeprefix(SNAPSHOT_PREFIX), used, creation))

    def exists(self, name: str) -> bool:
        """Whether there is a dataset of that name."""
        return name in self._values

    def size(self, name: str, property_name: str) -> int:
        """A size in bytes that the dataset itself has; 0 for none."""
        return int(self._values.get(name, {}).get(property_name, "0"))

    def value(self, name: str, property_name: str) -> str | None:
        """A value that counts on a dataset, its own or its pool's."""
        own = self._values.get(name, {}).get(property_name)
        return own if own is not None else self._values.get(name.partition("/")[0], {}).get(property_name)

    def snapshots(self, name: str) -> Sequence[Snapshot]:
        """The snapshots of a dataset that vmadm made, the newest first."""
        return self._snapshots.get(name, [])


def _property_rows(state: State, names: Sequence[str]) -> list[Row]:
    query = (
        "SELECT dataset.name, property.name, coalesce(local, CASE WHEN masked THEN NULL ELSE received END) FROM dataset "
        f"LEFT JOIN property ON property.dataset = dataset.id AND property.name IN ({_NAMES}) "
    )
    if len(names) <= _FEW:
        places = ", ".join("?" for _ in names)
        return state.rows(f"{query} WHERE dataset.name IN ({places})", *names)
    return state.rows(f"{query} WHERE dataset.kind <> 'snapshot'")


def _snapshot_rows(state: State, names: Collection[str]) -> list[Row]:
    query = "SELECT name, used, creation FROM dataset WHERE"
    order = "ORDER BY createtxg DESC"
    if len(names) <= _FEW:
        return [
            row
            for name in names
            # A point follows a dash in ASCII.
            for row in state.rows(f"{query} name > ? AND name < ? {order}", f"{name}@vmsnap-", f"{name}@vmsnap.")
        ]
    return state.rows(f"{query} kind = 'snapshot' AND instr(name, '@{SNAPSHOT_PREFIX}') > 0 {order}")
