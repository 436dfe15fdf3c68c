"""From `zfs get` to observed objects: what to ask for, and what the answers say."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from providers.tools import zfs_volume_files
from providers.tools.zfs_marks import MARKS, mark_in
from providers.tools.zfs_properties import PROPERTIES, On, Property, is_user_property, is_valid_user_property
from providers.tools.zfs_rows import SET_HERE, Rows
from providers.tools.zfs_trash import CONTAINER, TRASH, trashed_in
from providers.zfs.capabilities import FILE, ZVOL, Capabilities
from providers.zfs.kinds import MOUNTED, before_at
from providers.zfs.names import guest_owner, system_owner
from reconciler.model.errors import ReadError
from reconciler.model.key import ObjectName
from reconciler.model.observed import EVERY_FIELD, REMOVAL, Observed, Removal
from reconciler.model.value import Value

KIND_OF: Mapping[str, str] = MappingProxyType({"filesystem": "Dataset", "volume": "Volume"})
_ON: Mapping[str, On] = MappingProxyType({"Dataset": On.FILESYSTEM, "Volume": On.VOLUME})

PREFIX = "properties."
ACTUALLY_MOUNTED = f"{PREFIX}mounted"
"""Read together with MOUNTED: yes or no, whatever there is need for."""

_HARMLESS_BYTES = 1 << 20
"""A file system with no more in it holds no data (design.md, "Data holders")."""

ENCRYPTION_ROOT = "encryptionroot"
_FIGURES = ("available", "referenced", "used")
_NEEDED_FOR: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "origin": ("origin",),
        MOUNTED: ("canmount", "mounted", "mountpoint", "zoned"),
        REMOVAL: (
            "guid",
            "mounted",
            "origin",
            "usedbydataset",
            "usedbysnapshots",
            "zoned",
            "canmount",
            "mountpoint",
            "refreservation",
            "sharenfs",
            "sharesmb",
            "volsize",
        ),
        "size": ("volsize",),
        "blockSize": ("volblocksize",),
        "sparse": ("refreservation", "volsize"),
    }
)
_OWN_FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"Dataset": ("origin", MOUNTED), "Volume": ("backing", "blockSize", "origin", "size", "sparse")}
)
_ITS_OWN = frozenset({"origin", "size", "blockSize"})
"""Fields that every object has for itself: nothing of them is inherited."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else is on the host: names that have something below them, snapshots by dataset, and encryption roots by name."""

    parents: frozenset[str] = frozenset()
    snapshots: Mapping[str, Sequence[tuple[str, bool]]] = field(default_factory=dict)
    """Full name, and whether it is held."""
    encryption_roots: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, int] | None = None
    """Bytes of the files of volumes, by volume; None where nobody looked."""


def expanded(kind: str, fields: Iterable[str], host: Capabilities) -> frozenset[str]:
    """Field names with EVERY_FIELD resolved, without those that the kind, or this ZFS, does not have.

    Whoever states canmount needs to know whether it is mounted, because setting it to on mounts nothing.
    """
    found = set(fields)
    if EVERY_FIELD in found:
        found.update(_OWN_FIELDS[kind])
        found.update(f"{PREFIX}{name}" for name in (*_FIGURES, *host.properties))
    if f"{PREFIX}canmount" in found and kind == "Dataset":
        found.update((MOUNTED, f"{PREFIX}mountpoint", f"{PREFIX}zoned"))
    if kind == "Volume" and host.keeps_files:
        # Its commands depend on it, and where it grows, on whether its space is set aside.
        found.update(("backing", "sparse") if "size" in found else ("backing",))
    return frozenset(name for name in found if _is_readable(kind, name, host))


def _is_readable(kind: str, field_name: str, host: Capabilities) -> bool:
    """Whether the field can be asked for; a single wrong property would spoil the command that reads everything."""
    name = field_name.removeprefix(PREFIX)
    if not field_name.startswith(PREFIX):
        return name == REMOVAL or name in _OWN_FIELDS[kind]
    if name in host.properties:
        return bool(PROPERTIES[name].on & _ON[kind])
    return name in _FIGURES or is_valid_user_property(name)


def needed(fields: Iterable[str], host: Capabilities) -> frozenset[str]:
    """The ZFS properties that these fields, and any object's mark, are read from."""
    found = {"type", TRASH, *MARKS}
    for name in fields:
        if name.startswith(PREFIX):
            found.add(name.removeprefix(PREFIX))
        else:
            found.update(_NEEDED_FOR.get(name, ()))
        if name == REMOVAL and host.encrypts:
            found.add(ENCRYPTION_ROOT)
        if name == "blockSize" and host.keeps_files:
            found.add("recordsize")
    if host.keeps_files:
        found.update(("mounted", zfs_volume_files.SIZE))
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Reading:
    """How to make objects of one kind out of rows: the fields wanted, and the property behind each."""

    kind: str
    host: Capabilities
    own: tuple[str, ...]
    properties: tuple[tuple[str, str, Property | None], ...]
    """Field name, property name, and the native property, None for a user property or a figure."""
    with_removal: bool

    @classmethod
    def of(cls, kind: str, fields: frozenset[str], host: Capabilities) -> "Reading":
        """For fields as `expanded` gives them."""
        names = sorted(name.removeprefix(PREFIX) for name in fields if name.startswith(PREFIX))
        return cls(
            kind,
            host,
            tuple(sorted(name for name in fields if not name.startswith(PREFIX) and name != REMOVAL)),
            tuple((f"{PREFIX}{name}", name, PROPERTIES.get(name)) for name in names),
            REMOVAL in fields,
        )

    def object(self, rows: Rows, around: Surroundings) -> Observed:
        """The object that the rows are about."""
        fields: dict[str, Value] = {}
        stated = []
        values, sources = rows.values, rows.sources
        for field_name, name, known in self.properties:
            if values[name] == "-" and is_file(rows):
                continue  # Only a zvol has it.
            if known is not None:
                fields[field_name] = known.observed(values[name])
            else:
                fields[field_name] = _unlisted(name, values[name], sources[name])
            if sources[name] in SET_HERE and not _is_automatic(name, rows):
                stated.append(field_name)
        for name in self.own:
            if name == "size" and around.files is None and is_file(rows):
                continue
            fields[name] = _own_value(name, rows, around)
            if name in _ITS_OWN and fields[name] is not None:
                stated.append(name)
        if MOUNTED in fields or is_file(rows):
            fields[ACTUALLY_MOUNTED] = values["mounted"]
        origin = values.get("origin", "-")
        # What belongs to a guest or an image bears that one's mark, which is not about the dataset as such.
        guest = guest_owner(rows, self.host)
        return Observed(
            ObjectName(self.kind, rows.name),
            fields,
            frozenset(stated),
            None if guest else mark_in(rows, self.host.host_id),
            values.get("guid", ""),
            (ObjectName(self.kind, before_at(origin)),) if origin != "-" else (),
            _removal(rows, self.kind, around) if self.with_removal else None,
            guest or system_owner(rows.name, self.host),
            trashed_in(values[TRASH]) if sources[TRASH] == "local" else None,
        )


def kind_of(rows: Rows) -> str:
    """The kind of the object that the rows are about."""
    kind = "Volume" if is_file(rows) else KIND_OF.get(rows.values["type"])
    if kind is None:
        raise ReadError(0, f"type of {rows.name} to be filesystem or volume", rows.values["type"])
    return kind


def is_file(rows: Rows) -> bool:
    """Whether the rows are about a volume that is a file in a dataset."""
    return rows.values["type"] == "filesystem" and zfs_volume_files.is_volume(rows)


def surroundings(
    found: Collection[Rows], snapshots: Iterable[tuple[str, bool]], files: Mapping[str, int] | None = None
) -> Surroundings:
    """From the rows of all datasets, full snapshot names with whether each is held, and the files of volumes."""
    by_dataset: dict[str, list[tuple[str, bool]]] = {}
    for name, is_held in snapshots:
        by_dataset.setdefault(before_at(name), []).append((name, is_held))
    roots = {row.name: root for row in found if (root := row.values.get(ENCRYPTION_ROOT, "-")) != "-"}
    return Surroundings(frozenset(row.name.rpartition("/")[0] for row in found), by_dataset, roots, files)


def _is_automatic(name: str, rows: Rows) -> bool:
    """Whether nobody chose the value: ZFS sets a little more than its size aside for a volume that is not sparse, and we set
    its size aside for one in a file."""
    size = _volume_size(rows)
    return name == "refreservation" and size is not None and _bytes(rows.values["refreservation"]) >= size


def _volume_size(rows: Rows) -> int | None:
    """What the size of a volume is to be; None for a file system, and where nobody asked."""
    if is_file(rows):
        return zfs_volume_files.size_in(rows)
    size = rows.values.get("volsize", "-")
    return None if size == "-" else _bytes(size)


def _unlisted(name: str, text: str, source: str) -> Value:
    """The value of a user property, None when it is not there; or a figure."""
    if is_user_property(name):
        return None if source == "-" else text
    return int(text) if text.isascii() and text.isdigit() else text


def _own_value(name: str, rows: Rows, around: Surroundings) -> Value:
    values = rows.values
    match name:
        case "origin":
            return None if values["origin"] == "-" else values["origin"]
        case "mounted":
            return values["mounted"] == "yes" or not _must_be_mounted(values)
        case "size":
            # A file that can't be seen was never made, or nothing is mounted where it is: both are mended alike.
            return (around.files or {}).get(rows.name, 0) if is_file(rows) else _bytes(values["volsize"])
        case "blockSize":
            return _bytes(values["recordsize" if is_file(rows) else "volblocksize"])
        case "sparse":
            return _bytes(values["refreservation"]) < (_volume_size(rows) or 0)
        case _:
            return FILE if is_file(rows) else ZVOL


def _must_be_mounted(values: Mapping[str, str]) -> bool:
    return values["canmount"] == "on" and values["mountpoint"].startswith("/") and values["zoned"] != "on"


def _removal(rows: Rows, kind: str, around: Surroundings) -> Removal:
    own, snapshots = _bytes(rows.values["usedbydataset"]), around.snapshots.get(rows.name, ())
    is_empty = not snapshots and rows.name not in around.parents and own <= _HARMLESS_BYTES
    place = f"{_trash_root(rows.name, around)}/{CONTAINER}"
    return Removal(
        own + _bytes(rows.values["usedbysnapshots"]),
        tuple(name for name, _ in snapshots),
        tuple(_obstacles(rows, snapshots)),
        kind == "Volume" or not is_empty,
        place,
        place in around.parents,
        rows.values["mounted"] == "yes",
        rows.values["mountpoint"].startswith("/"),
        dict(_saved(rows)),
    )


def _trash_root(name: str, around: Surroundings) -> str:
    """The nearest encryption root above, whose keys an object must stay below, else the pool."""
    above = name.rpartition("/")[0]
    return around.encryption_roots.get(above) or name.partition("/")[0]


def _saved(rows: Rows) -> Iterator[tuple[str, str | None]]:
    """What must be changed on the way into the trash, as it is now; None where it was not set on the object itself."""
    harmless = {"canmount": ("noauto", "off"), "sharenfs": ("off",), "sharesmb": ("off",), "refreservation": ("0",)}
    for name, values in harmless.items():
        value = rows.values[name]
        if value in (*values, "-"):
            continue
        if _is_automatic(name, rows) and not is_file(rows) and value != rows.values["volsize"]:
            # More than its size can't be set aside for a volume by number.
            value = "auto"
        yield name, value if rows.sources[name] == "local" else None


def _obstacles(rows: Rows, snapshots: Sequence[tuple[str, bool]]) -> Iterator[str]:
    if "/" not in rows.name:
        yield f"{rows.name} is the root of a pool"
    for name, is_held in snapshots:
        if is_held:
            yield f"snapshot {name} is held (see `zfs holds {name}`)"
    if rows.values["zoned"] == "on":
        mounted = rows.values["mounted"] == "yes"
        yield f"a zone has {rows.name} mounted" if mounted else f"{rows.name} is delegated to a zone (zoned is on)"
    if rows.values["mountpoint"] == "legacy" and rows.values["mounted"] == "yes":
        yield f"{rows.name} is mounted by hand or by a zone (its mountpoint is legacy)"


def _bytes(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ReadError(0, "a size in bytes", text)
    return int(text)
