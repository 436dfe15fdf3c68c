"""Where images of Linux hosts come from: shell scripts that look at a source, download it, and fill a dataset with it.

A source is a tree of files, a tarball, or a disk image. What it is, the host finds out; what could lead out of it (a backing
file, a file beside it) is refused. Each script can be run again after it was cut short.
"""

from dataclasses import dataclass

from providers.tools.failures import Said, said
from reconciler.model.command import RetryClass

DISK = "disk.raw"
"""The file of an image for virtual machines."""

DEADLINE_S = 4 * 3600.0
"""Images have gigabytes."""

FORMATS = ("raw", "qcow2", "vmdk", "vpc", "vhdx", "vdi")
"""What qemu-img calls the disk images that are taken."""

_FAIL = """\
fail() { echo "$*" >&2; exit 1; }
need() { command -v "$1" >/dev/null || fail "the host has no $1"; }
"""

_SHA256 = """\
check_sum() { # FILE SHA256
    need sha256sum
    sum=$(sha256sum <"$1") || fail "$1 can't be read"
    [ "${sum%% *}" = "$2" ] || fail "the sha256 of $1 is ${sum%% *}, not $2"
}
"""

_INSPECT = f"""\
inspect() {{ # FILE; sets format
    need qemu-img
    described=$(qemu-img info --output=json -- "$1") || fail "$1 can't be read as a disk image"
    format=$(printf '%s\\n' "$described" | sed -n 's/^    "format": "\\(.*\\)",\\{{0,1\\}}$/\\1/p')
    case $described in
        *'"backing-filename":'*) fail "$1 is only the difference to another disk image (it has a backing file)" ;;
        *'"data-file":'*) fail "$1 has its data in another file" ;;
        *'"encrypted": true'*) fail "$1 is encrypted" ;;
    esac
    case $format in
        raw) case $(od -An -tx1 -N6 -- "$1" | tr -d ' \\n') in
                1f8b*|fd377a585a00|28b52ffd*|425a68*) fail "$1 is compressed, and no disk as it is" ;;
            esac
            [ "$(dd if="$1" bs=1 skip=257 count=5 2>/dev/null)" != ustar ] || fail "$1 is a tarball, and no disk"
            # The header of a disk of fixed size stands at its end only.
            [ "$(tail -c 512 -- "$1" | head -c 8 | tr -d '\\0')" != conectix ] || format=vpc ;;
        vmdk) case $described in
                *'"create-type": "monolithicSparse"'*|*'"create-type": "streamOptimized"'*) ;;
                *) fail "$1 has its data in other files" ;;
            esac ;;
        {"|".join(name for name in FORMATS if name not in ("raw", "vmdk"))}) ;;
        *) fail "$1 is a disk image of the format ${{format:-unknown}}, which is not taken" ;;
    esac
    said=$(qemu-img check -q -f "$format" -- "$1" 2>&1) && found=0 || found=$?
    # 3 is space that nobody uses, 63 that there is no check for the format.
    case $found in 0|3|63) ;; *) fail "$1 is damaged: $said" ;; esac
}}
"""

_CHECK = (
    _FAIL
    + _SHA256
    + _INSPECT
    + """\
source=$1 type=$2 sum=$3
[ -e "$source" ] || fail "there is no $source"
if [ -d "$source" ]; then
    [ "$type" = zone ] || fail "$source is a folder, and no disk image"
    [ -z "$sum" ] || fail "$source is a folder: no sha256 can be told of it"
    [ -n "$(ls -A -- "$source")" ] || fail "$source is empty"
    exit 0
fi
[ -z "$sum" ] || check_sum "$source" "$sum"
if [ "$type" = vm ]; then inspect "$source"; else
    need tar
    # Its first entry tells a tarball.
    tar -tf "$source" 2>/dev/null | head -n 1 | grep -q . || fail "$source is no tarball"
fi
"""
)

_CHECK_SNAPSHOT = (
    _FAIL
    + """\
snapshot=$1
type=$(zfs get -H -o value type "$snapshot" 2>/dev/null) || fail "there is no $snapshot"
[ "$type" = snapshot ] || fail "$snapshot is no snapshot"
type=$(zfs get -H -o value type "${snapshot%%@*}") || exit 1
[ "$type" = filesystem ] || fail "$snapshot is one of a zvol, and no file system"
"""
)

_DOWNLOAD = (
    _FAIL
    + _SHA256
    + """\
url=$1 sum=$2 file=$3
need curl
umask 077
mkdir -p "${file%/*}"
whole() { [ -e "$1" ] && got=$(sha256sum <"$1") && [ "${got%% *}" = "$sum" ]; }
! whole "$file" || exit 0
part=$file.part
limits='--connect-timeout 20 --speed-limit 1 --speed-time 60'
get() { curl -fsSL --proto =http,https $limits -C - -D "$part.head" -o "$part" -- "$url"; }
for try in 1 2 3 4 5; do
    resumed=; [ ! -s "$part" ] || resumed=yes
    code=0; get || code=$?
    # Whatever curl says: a file that is right is whole.
    if whole "$part"; then mv -f "$part" "$file" && rm -f "$part.head"; exit; fi
    case $code in
        0) # All of it came, and it is something else; what it was resumed from may have been of another time.
            check=$(check_sum "$part" "$sum" 2>&1) || true
            rm -f "$part" "$part.head"
            [ -n "$resumed" ] || fail "$url: $check" ;;
        33|36) rm -f "$part" ;; # The server can't go on where we were.
        22) # Refused; what we have may be longer than what there is now.
            [ -n "$resumed" ] || fail "$url can't be downloaded (curl ended with $code)"
            rm -f "$part" ;;
        18|28|52|55|56|92) sleep 1 ;;
        *) fail "$url can't be downloaded (curl ended with $code)" ;;
    esac
done
fail "$url can't be downloaded (curl ended with $code)"
"""
)

_DOWNLOADED = """\
have=$(stat -c %s -- "$1.part" 2>/dev/null) || exit 0
all=$(tr -d '\\r' <"$1.part.head" 2>/dev/null | awk '
    /^HTTP\\// { size = "" }
    tolower($1) == "content-length:" && size == "" { size = $2 }
    tolower($1) == "content-range:" { size = $3; sub(".*/", "", size) }
    END { print size }')
mib() { echo $((($1 + 524288) / 1048576)); }
case $all in
    '' | *[!0-9]*) echo "$(mib "$have") MiB downloaded" ;;
    *) echo "$(mib "$have") of $(mib "$all") MiB downloaded" ;;
esac
"""
"""After a redirection the last answer counts; one that goes on where we were tells the whole in its range."""

_FILL = (
    _FAIL
    + _INSPECT
    + f"""\
source=$1 type=$2 place=$3
need mountpoint
mountpoint -q "$place" || fail "$place is not mounted"
find "$place" -xdev -mindepth 1 -delete
if [ "$type" = vm ]; then
    inspect "$source"
    umask 077
    qemu-img convert -q -f "$format" -O raw -- "$source" "$place/{DISK}" || fail "$source can't be converted"
    sync "$place/{DISK}"
elif [ -d "$source" ]; then
    cp -ax -- "$source/." "$place/" || fail "$source can't be copied"
else
    # Only some file systems keep what is beside the bytes of a file.
    more=; ! zfs version >/dev/null 2>&1 || more="--acls --xattrs --xattrs-include=*"
    set -f
    tar -xpf "$source" -C "$place" --numeric-owner $more || fail "$source can't be unpacked"
fi
"""
)

_FILL_FROM_CLONE = (
    _FAIL
    + f"""\
type=$1 place=$2
mountpoint -q "$place" || fail "$place is not mounted"
if [ "$type" = vm ]; then
    # A Volume in a file is a disk, too.
    [ -e "$place/{DISK}" ] || [ ! -e "$place/volume.raw" ] || mv "$place/volume.raw" "$place/{DISK}"
    [ -f "$place/{DISK}" ] || fail "the dataset holds no {DISK}"
else
    [ -n "$(ls -A "$place")" ] || fail "the dataset is empty"
fi
"""
)

_MOUNT = """\
[ "$(zfs get -H -o value mounted "$1")" = yes ] || zfs mount "$1" || exit
# Nobody else's may lie there: it would be emptied.
[ "$(zfs get -H -o value mountpoint "$1")" = "$2" ] || { echo "$1 is not mounted at $2" >&2; exit 1; }"""

Argv = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Where an image comes from: exactly one of the first three. `sha256` is empty where nobody says it."""

    path: str = ""
    url: str = ""
    snapshot: str = ""
    sha256: str = ""


def check_path(path: str, type_: str, sha256: str) -> Argv:
    """Whether there is something at a path that an image of the type `zone` or `vm` can be made of; `sha256` may be empty."""
    return ("sh", "-c", _CHECK, "check-source", path, type_, sha256)


def check_snapshot(snapshot: str) -> Argv:
    """Whether there is a snapshot of a file system."""
    return ("sh", "-c", _CHECK_SNAPSHOT, "check-snapshot", snapshot)


def download(url: str, sha256: str, file: str) -> Argv:
    """Puts what a URL gives into a file, after what is there of it from an earlier try; a file that is right stays."""
    return ("sh", "-c", _DOWNLOAD, "download-image", url, sha256, file)


def downloaded(file: str) -> Argv:
    """How much of a download has come, in one line for people; nothing where none has."""
    return ("sh", "-c", _DOWNLOADED, "download-progress", file)


def mount(name: str, mountpoint: str) -> Argv:
    """Mounts a dataset that may be mounted already."""
    return ("sh", "-c", _MOUNT, "mount-image", name, mountpoint)


def fill(path: str, type_: str, mountpoint: str) -> Argv:
    """Empties a mounted dataset and fills it with what is at a path."""
    return ("sh", "-c", _FILL, "fill-image", path, type_, mountpoint)


def adapt_clone(type_: str, mountpoint: str) -> Argv:
    """Makes the content of a mounted clone that of an image."""
    return ("sh", "-c", _FILL_FROM_CLONE, "adapt-clone", type_, mountpoint)


_LATER, _NEVER = RetryClass.LATER, RetryClass.NEVER

TABLE: tuple[Said, ...] = (
    said(
        "the source is not what its sha256 says",
        "correct sha256, or see that the source gives the right file; nothing was made",
        _NEVER,
        "the sha256 of",
    ),
    said(
        "a tool is missing", "install it: curl, tar, coreutils, util-linux, qemu-utils (qemu-img)", _NEVER, "the host has no "
    ),
    said("the source is not there", "correct the source, or put it there", _LATER, "there is no "),
    said(
        "it could not be downloaded; what came is kept",
        "check the URL and the network; the next pass goes on from there",
        _LATER,
        "can't be downloaded",
    ),
    said(
        "the disk image needs another file",
        "make one that stands alone: qemu-img convert -O qcow2 OLD NEW",
        _NEVER,
        "backing file",
        "its data in",
    ),
    said(
        "the source is nothing that such an image can be made of",
        "for type zone give a folder, a tarball or a snapshot of a file system; for type vm a disk image, not compressed: "
        f"{', '.join(FORMATS)}",
        _NEVER,
        "is a folder",
        "is empty",
        "is no tarball",
        "is a tarball",
        "is compressed",
        "is encrypted",
        "which is not taken",
        "as a disk image",
        "is no snapshot",
        "is one of a zvol",
        "the dataset holds no",
    ),
    said("the source is damaged", "get it anew", _NEVER, "is damaged"),
)
"""What these scripts say when they fail; what ZFS says in them is in its own table."""
