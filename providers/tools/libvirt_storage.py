"""The datasets of virtual machines on Linux: where each disk lies, and what ZFS says of all of them.

A machine has a dataset `POOL/vms/NAME`, which holds its seed and its log, and in it one for each disk that was made for it,
with the file `disk.raw`. Where they are mounted follows from their names, so that a definition can say it beforehand.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from providers.tools import zfs_marks
from providers.tools.zfs_rows import Rows, in_reading_order, read_rows
from reconciler.model.command import Command
from reconciler.model.key import ObjectName
from reconciler.provider.readers import rows

FILE = "disk.raw"
DETACHED = ".reconciler-detached"
"""The dataset of a pool that keeps disks aside that were taken from a machine."""

_FOLDER = "/var/lib/libvirt/images"
"""Where libvirt and what confines its guests look for disks."""

_PROPERTIES = ("mountpoint", "mounted", "origin", "quota", "usedbydataset", "usedbysnapshots", "userrefs")

_READ = """\
all=$(zfs list -H -d 1 -t filesystem -o name) || exit 1
set -f; IFS='
'
set -- "$1" $(printf '%s\\n' "$all" | sed -n '/^[^/]*\\/vms$/p')
properties=$1
shift
[ $# -eq 0 ] || exec zfs get -rHp -o name,property,value,source "$properties" "$@\""""
"""Only what lies in `POOL/vms` is read, however many other datasets there are."""


def container(pool: str) -> str:
    """What holds the machines' own datasets."""
    return f"{pool}/vms"


def home(pool: str, machine: str) -> str:
    return f"{container(pool)}/{machine}"


def dataset(pool: str, machine: str, disk: str) -> str:
    return f"{pool}/vms/{machine}/{disk}"


def folder(machine: str, disk: str = "") -> str:
    """Where the dataset of the machine, or of one of its disks, is mounted."""
    return f"{_FOLDER}/{machine}/{disk}" if disk else f"{_FOLDER}/{machine}"


def file(machine: str, disk: str) -> str:
    return f"{folder(machine, disk)}/{FILE}"


def image_of(origin: str) -> str:
    """The image that a clone's origin (`POOL/images/NAME@image`) is of; the dataset where it is none's."""
    name = origin.partition("@")[0]
    pool, _, image = name.partition("/images/")
    return image if image and "/" not in pool + image else name


def seed(machine: str) -> str:
    return f"{folder(machine)}/seed.iso"


def log(machine: str) -> str:
    return f"{folder(machine)}/console.log"


def read_command(properties: Iterable[str]) -> Command:
    return Command(("sh", "-c", _READ, "read-datasets", ",".join(asked(properties))), changes=False, deadline_s=60.0)


LIST_ORIGINS = ("zfs", "list", "-H", "-t", "filesystem,volume", "-o", "name,origin")


def asked(properties: Iterable[str]) -> tuple[str, ...]:
    """What is asked of each dataset, in reading order, these further native properties included."""
    return in_reading_order((*_PROPERTIES, *properties, *zfs_marks.MARKS))


@dataclass(frozen=True)
class Storage:
    """By name: the datasets in `POOL/vms`, the snapshots of each with whether it is held, and the clones made of each."""

    datasets: Mapping[str, Rows] = field(default_factory=dict)
    snapshots: Mapping[str, tuple[tuple[str, bool], ...]] = field(default_factory=dict)
    clones: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, owner: str, names: Collection[str]) -> tuple[str, ...]:
        """The datasets in the places of a machine of one of these names that were marked here as the machine's, its own before
        those of its disks. A copy that came with a stream says the same of itself, and is not the machine's."""
        keys = {str(ObjectName("VirtualMachine", name)) for name in names}
        return tuple(
            one
            for one, read in sorted(self.datasets.items())
            if one.split("/")[2:3] and one.split("/")[2] in names and _marked_here(read) in {(owner, key) for key in keys}
        )


def _marked_here(read: Rows) -> tuple[str, str] | None:
    marks = (zfs_marks.OWNER, zfs_marks.KEY)
    if any(read.sources[prop] != "local" for prop in marks):
        return None
    return read.values[zfs_marks.OWNER], read.values[zfs_marks.KEY]


def read_storage(text: str, properties: Iterable[str], origins: str = "") -> Storage:
    """ReadError for anything but what `read_command` with these properties prints, and `LIST_ORIGINS`."""
    datasets, snapshots, clones = dict[str, Rows](), dict[str, list[tuple[str, bool]]](), dict[str, list[str]]()
    for read in read_rows(text, asked(properties)):
        name, at, _ = read.name.partition("@")
        if at:
            snapshots.setdefault(name, []).append((read.name, read.values["userrefs"] not in ("0", "-")))
        else:
            datasets[name] = read
    for name, origin in rows(origins, ("name", "origin")):
        if origin != "-":
            clones.setdefault(origin.partition("@")[0], []).append(name)
    return Storage(
        datasets,
        {name: tuple(found) for name, found in snapshots.items()},
        {name: tuple(found) for name, found in clones.items()},
    )
