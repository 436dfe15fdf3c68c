"""Images on Linux: the dataset `POOL/images/NAME` with the one snapshot `@image`, which is held; guests are cloned from it.

In a dataset for virtual machines lies the file `disk.raw`; one for zones is their root. Whoever makes guests finds here what a
name stands for.
"""

import re

from providers.tools import zfs_marks
from providers.tools.zfs_properties import MARK_PREFIX
from providers.tools.zfs_rows import in_reading_order

HOLD = "reconciler"
"""The tag under which our snapshots are held."""

TYPE, OS, ARCH, MAKING = (f"{MARK_PREFIX}image-{name}" for name in ("type", "os", "arch", "making"))
"""What a manifest says of an image, kept on its dataset; the last is there until an image is whole."""

_FOLDER = "/var/lib/reconciler-images"
_DATASET = re.compile(r"(?P<pool>[^/@]+)/images/(?P<name>[^/@]+)")

PROPERTIES = in_reading_order(("guid", "mounted", "used", "userrefs", TYPE, OS, ARCH, MAKING, *zfs_marks.MARKS, "type"))
"""What is asked of each dataset and snapshot."""

_READ = """\
all=$(zfs list -H -d 1 -t filesystem -o name) || exit 1
set -f; IFS='
'
set -- "$1" $(printf '%s\\n' "$all" | sed -n '/^[^/]*\\/images$/p')
properties=$1
shift
[ $# -eq 0 ] || exec zfs get -rHp -o name,property,value,source "$properties" "$@\""""
"""Only what lies in `POOL/images` is read, however many other datasets there are."""

READ = ("sh", "-c", _READ, "read-images", ",".join(PROPERTIES))
LIST_CLONES = ("zfs", "list", "-H", "-t", "filesystem,volume", "-o", f"name,origin,{zfs_marks.KEY}")


def read_one(name: str) -> tuple[str, ...]:
    """One image's dataset with its snapshots."""
    return ("zfs", "get", "-Hp", "-d", "1", "-o", "name,property,value,source", ",".join(PROPERTIES), name)


def parent(pool: str) -> str:
    """The dataset that holds a pool's images."""
    return f"{pool}/images"


def dataset(pool: str, image: str) -> str:
    return f"{pool}/images/{image}"


def snapshot(pool: str, image: str) -> str:
    """What guests are cloned from."""
    return f"{pool}/images/{image}@image"


def parse(name: str) -> tuple[str, str] | None:
    """Pool and image that a dataset is, as `dataset` gives it; None for any other."""
    found = _DATASET.fullmatch(name)
    return (found["pool"], found["name"]) if found else None


def image_of(origin: str) -> str:
    """The image that a clone's origin (`POOL/images/NAME@image`) is of; empty where it is none's."""
    name, _, snapshot_name = origin.partition("@")
    found = parse(name)
    return found[1] if found and snapshot_name == "image" else ""


def folder(pool: str) -> str:
    """Where the dataset that holds a pool's images is mounted, and what is downloaded lies; no image is mounted below it."""
    return f"{_FOLDER}/{pool}/.downloads"


def mountpoint(pool: str, image: str) -> str:
    """Where an image is mounted while it is made; afterwards it is not."""
    return f"{_FOLDER}/{pool}/{image}"


def download_file(pool: str, sha256: str) -> str:
    """The file for what a URL gives; kept until the image is whole."""
    return f"{folder(pool)}/{sha256[:16]}"
