"""Reading many properties of many datasets at once, in time that grows with what is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from reconciler.emulation.state import State
from reconciler.emulation.zfs import datasets, space, values
from reconciler.emulation.zfs.computed import COMPUTED, Known
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.dialect import Dialect
from reconciler.emulation.zfs.mounts import Mounted, mountpoint_of
from reconciler.emulation.zfs.printing import as_it_is, human_count, human_limit, human_size, human_time
from reconciler.emulation.zfs.properties import (
    FILESYSTEM,
    NATIVES,
    SNAPSHOT,
    VOLUME,
    Form,
    Native,
)
from reconciler.emulation.zfs.values import Inherited, Stored

UNSET = "-"


class Cell(NamedTuple):
    """One property of one dataset as `zfs get` prints it. A named tuple: a whole pool has half a million of them."""

    value: str
    source: str
    received: str = UNSET


Column: TypeAlias = Callable[[Known], Cell | None]


class Reader:
    """Reads properties of a fixed set of datasets."""

    def __init__(self, state: State, dialect: Dialect, wanted: Sequence[Dataset], *, exact: bool) -> None:
        self._state = state
        self._dialect = dialect
        self._exact = exact
        self._wanted = wanted
        self._natives = NATIVES[dialect.name]
        self._holds = datasets.hold_counts(state, [one for one in wanted if one.is_snapshot])
        self._clones: dict[int, list[str]] | None = None
        self._names: dict[int, str] = {}
        self._columns: dict[str, Column] = {}

    def known(self) -> Iterator[Known]:
        """The datasets in the given order, each with what its properties follow from."""
        wanted = {one.id for one in self._wanted}
        missing = self._missing_ancestors(wanted)
        all_needed = sorted({one.id: one for one in (*missing, *self._wanted)}.values(), key=lambda one: one.order)
        stored = values.all_stored(self._state, all_needed)
        below: dict[int, tuple[Mapping[str, Inherited], int]] = {}
        found: dict[int, Known] = {}
        nothing: Mapping[str, Stored] = {}
        no_values: Mapping[str, Inherited] = {}
        for one in all_needed:
            if one.parent is None:
                above, room_above = no_values, space.pool_limit(self._state, one)
            else:
                above, room_above = below[one.parent]
            own = stored.get(one.id, nothing)
            room = 0 if one.is_snapshot else space.room_below(one, own, room_above)
            found[one.id] = Known(one, own, above, room)
            if not one.is_snapshot:
                below[one.id] = (values.inherited_values(above, one, own), room)
        return (found[one.id] for one in self._wanted)

    def _missing_ancestors(self, wanted: set[int]) -> list[Dataset]:
        found: dict[int, Dataset] = {}
        for one in self._wanted:
            parent = one.parent
            while parent is not None and parent not in wanted and parent not in found:
                found[parent] = datasets.dataset_with_id(self._state, parent)
                parent = found[parent].parent
        return list(found.values())

    def shown_natives(self, kind: str) -> list[Native]:
        """The native properties that `all` may show for a kind of dataset, in order."""
        return [native for native in self._natives.values() if native.shown and kind in native.kinds]

    def user_properties(self, known: Known) -> list[str]:
        """The names of the user properties that are set on a dataset or above, by name."""
        return sorted(
            {name for name, one in known.own.items() if ":" in name and one.value is not None}
            | {name for name in known.above if ":" in name}
        )

    def user_cell(self, known: Known, name: str) -> Cell:
        """A user property; all dashes where nobody set it."""
        own = known.own.get(name)
        received = UNSET if own is None or own.received is None else own.received
        if own is not None and own.value is not None:
            return Cell(own.value, own.source, received)
        given = known.above.get(name)
        if given is None:
            return Cell(UNSET, UNSET, received)
        return Cell(given.value, f"inherited from {given.giver}", received)

    def native_cell(self, known: Known, native: Native) -> Cell | None:
        """A native property; None where the dataset has none such."""
        return self.column(native)(known) if known.dataset.kind in native.kinds else None

    def column(self, native: Native) -> Column:
        """How to read one native property of datasets that can have it."""
        if native.name not in self._columns:
            self._columns[native.name] = self._made_column(native)
        return self._columns[native.name]

    def _made_column(self, native: Native) -> Column:
        compute = self._computed(native)
        if compute is not None:
            source = "default" if native.form is Form.COUNT else UNSET
            shown = self._shown(native)

            def computed_cell(known: Known) -> Cell | None:
                value = compute(known)
                return None if value is None else Cell(shown(value) if shown else value, source)

            return computed_cell
        if native.name == "mountpoint":
            return _mountpoint_cell
        stored_cell = self._stored_column(native)
        return self._overlaid_column(stored_cell) if native.name == "readonly" else stored_cell

    def _stored_column(self, native: Native) -> Column:
        name = native.name
        shown = self._shown(native) or as_it_is
        default = None
        if native.default != UNSET:
            default = Cell(shown(native.default), UNSET if native.sourceless else "default")

        def stored_cell(known: Known) -> Cell | None:
            own = known.own.get(name)
            received = UNSET
            if own is not None:
                if own.received is not None:
                    received = shown(own.received)
                if own.value is not None:
                    return Cell(shown(own.value), UNSET if native.sourceless else own.source, received)
            if native.inherits:
                given = known.above.get(name)
                if given is not None:
                    source = UNSET if native.sourceless else f"inherited from {given.giver}"
                    return Cell(shown(given.value), source, received)
            return default if default is None or own is None else default._replace(received=received)

        return stored_cell

    def _overlaid_column(self, stored_cell: Column) -> Column:
        """The property readonly, and the mount option that may differ from it: a filesystem mounted by hand, or
        zfs-fuse, which never mounts read-only by itself."""
        ignored = self._dialect.ignores_readonly_at_mount

        def overlaid_cell(known: Known) -> Cell | None:
            cell = stored_cell(known)
            if cell is None or not known.dataset.mounted:
                return cell
            if known.dataset.mounted == Mounted.READ_ONLY:
                return cell if cell.value == "on" else cell._replace(value="on", source="temporary")
            return cell._replace(value="off", source="temporary") if ignored and cell.value == "on" else cell

        return overlaid_cell

    def _shown(self, native: Native) -> Callable[[str], str] | None:
        """How a kept value is printed; None where it is printed as it is."""
        if self._exact:
            return None
        if native.form is Form.SIZE or native.name in self._dialect.abbreviated_numbers:
            return human_size
        if native.form is Form.LIMIT:
            return human_limit
        if native.form is Form.COUNT:
            return human_count
        if native.form is Form.TIME:
            return human_time
        return None

    def _computed(self, native: Native) -> Callable[[Known], str | None] | None:
        """How to work out a property that follows from the dataset itself; None for all that are stored."""
        by_reader: Mapping[str, Callable[[Known], str | None]] = {
            "origin": lambda known: None if known.dataset.origin is None else self._name_of(known.dataset.origin),
            "userrefs": lambda known: str(self._holds.get(known.dataset.id, 0)),
            "clones": lambda known: ",".join(self._clones_of(known.dataset)),
            "numclones": lambda known: str(len(self._clones_of(known.dataset))),
            "version": self._version,
        }
        return by_reader.get(native.name) or COMPUTED.get(native.name)

    def _version(self, known: Known) -> str:
        own = known.own.get("version")
        return own.value if own is not None and own.value else str(self._dialect.filesystem_version)

    def _name_of(self, number: int) -> str:
        if number not in self._names:
            self._names[number] = datasets.dataset_with_id(self._state, number).name
        return self._names[number]

    def _clones_of(self, snapshot: Dataset) -> list[str]:
        if self._clones is None:
            self._clones = {}
            for origin, name in self._state.rows("SELECT origin, name FROM dataset WHERE origin IS NOT NULL ORDER BY name"):
                self._clones.setdefault(origin, []).append(name)
        return self._clones.get(snapshot.id, [])


def _mountpoint_cell(known: Known) -> Cell:
    own = known.own.get("mountpoint")
    received = UNSET if own is None or own.received is None else own.received
    if own is not None and own.value is not None:
        return Cell(own.value, own.source, received)
    place = mountpoint_of(known.dataset.name, known.above.get("mountpoint"), None)
    return Cell(place.value, place.source, received)


KINDS = frozenset({FILESYSTEM, VOLUME, SNAPSHOT})
