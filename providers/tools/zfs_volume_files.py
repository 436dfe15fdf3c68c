"""Volumes without zvols: a dataset that holds one sparse file, `volume.raw`.

The dataset says by a user property that it is a volume, from the command on that makes it. It is mounted where only its name
decides, so that whoever uses the file (a virtual machine) knows its path before it is there, and one `find` sees them all.
"""

from collections.abc import Mapping

from providers.tools.zfs_properties import MARK_PREFIX
from providers.tools.zfs_rows import SET_HERE, Rows
from reconciler.model.errors import ReadError
from reconciler.provider.readers import number, rows

SIZE = f"{MARK_PREFIX}volsize"
"""The size in bytes that the file is to have at least; 0 where that is as big as what it was cloned from."""

FILE = "volume.raw"
_FOLDER = "/var/lib/reconciler-volumes"
"""Beside our own state, which nobody else may enter: whoever runs virtual machines must reach the files."""

_LIST = f'cd {_FOLDER} 2>/dev/null || exit 0; find . -name {FILE} -type f -printf "%s\\t%P\\n"; [ $? -le 1 ]'
"""A mount that outlived its daemon makes find end with 1; what lies in it is then not listed, and the others are."""

_ENSURE = f'set -e; umask 077; mountpoint -q "$2" || zfs mount "$1"; mountpoint -q "$2"; truncate -s ">$3" "$2/{FILE}"'


def mountpoint_of(name: str) -> str:
    """Where the dataset of the volume of that name is mounted."""
    return f"{_FOLDER}/{name}"


def path_of(name: str) -> str:
    """The file that holds the data of the volume of that name."""
    return f"{mountpoint_of(name)}/{FILE}"


def volume_at(path: str) -> str:
    """The volume whose file that is; empty for any other file."""
    found = path.removeprefix(f"{_FOLDER}/").removesuffix(f"/{FILE}")
    return found if found and path == path_of(found) else ""


def ensure(name: str, size_bytes: int) -> tuple[str, ...]:
    """Mounts the dataset, where it is not, and sees to it that the file has that size; one that is larger stays so."""
    return ("sh", "-c", _ENSURE, "sh", name, mountpoint_of(name), str(size_bytes))


def list_files() -> tuple[str, ...]:
    """All files of volumes with their sizes."""
    return ("sh", "-c", _LIST)


def read_files(text: str) -> Mapping[str, int]:
    """Sizes in bytes by the names of volumes: `1073741824<TAB>tank/disk0/volume.raw`. ReadError for any other shape."""
    found = {}
    for line, (size, path) in enumerate(rows(text, ("size", "path")), start=1):
        name, slash, file = path.rpartition("/")
        if not (name and slash and file == FILE):
            raise ReadError(line, f"the path of a {FILE}", path)
        found[name] = number(size, line, "size")
    return found


def is_volume(found: Rows) -> bool:
    """Whether a file system is a volume in a file."""
    return found.sources.get(SIZE) in SET_HERE


def size_in(found: Rows) -> int:
    """The size in bytes that a volume in a file says of itself; 0 where somebody wrote something else there."""
    text = found.values[SIZE]
    return int(text) if text.isascii() and text.isdigit() else 0
