"""What one ZFS command line can do and another can't: the table behind every difference (illumos-cli.md 1.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

KIB = 1 << 10


@dataclass(frozen=True, slots=True)
class Dialect:
    """One ZFS command line and the ZFS below it."""

    name: str
    options_anywhere: bool
    """Options may follow operands (GNU getopt)."""
    list_parsable: bool
    get_types: bool
    get_takes_paths: bool
    set_many_properties: bool
    snapshot_many: bool
    destroy_dry_run: bool
    """`destroy -n -v -p`, snapshot ranges `a%b` and lists `@a,b`."""
    create_dry_run: bool
    volumes: bool
    automatic_reservation: bool
    """`refreservation=auto` gives a volume what it had when it was made."""
    rename_force: bool
    holds_works: bool
    dependency_graph: bool
    """`destroy -r` goes from the oldest to the youngest, not children before snapshots, and does not see that a pool's
    root may be a clone."""
    release_all_or_none: bool
    """`release -r` refuses when one of the snapshots does not have the tag."""
    modern_snapshot_errors: bool
    """`cannot destroy snapshot d@s: …`, `could not find any snapshots to destroy`, `cannot hold snapshot …`; and
    `zfs snapshot` of what is not there is a usage error."""
    bookmarks_named: bool
    """The rollback refusal speaks of bookmarks too."""
    lingering_unmount: bool
    """An unmounted file system may stay busy for a while."""
    mounts_stack: bool
    """A filesystem may be mounted where another one is."""
    busy_unmount: tuple[str, ...]
    """What is said when a filesystem in use is to be unmounted; `{}` is its mountpoint."""
    ignores_readonly_at_mount: bool
    """A mounted filesystem with readonly=on can be written to, and reads `off`, `temporary`."""
    abbreviated_numbers: frozenset[str]
    """Properties that are no sizes and are printed like sizes all the same."""
    zpool_parsable: bool
    zpool_get_options: bool
    pool_version: str
    filesystem_version: int
    record_size_limit: int
    record_size_range: str
    compression: tuple[str, ...]
    compression_words: str
    checksum: tuple[str, ...]
    checksum_words: str
    dedup_words: str
    acl_mode: tuple[str, ...]
    acl_mode_default: str
    name_bytes: int
    """Longest dataset name, its end mark not counted."""
    depth: int | None
    """Most components that a dataset name may have."""
    value_bytes: int
    empty_filesystem_bytes: int
    empty_volume_bytes: int


ILLUMOS = Dialect(
    name="illumos",
    options_anywhere=False,
    list_parsable=True,
    get_types=True,
    get_takes_paths=True,
    set_many_properties=True,
    snapshot_many=True,
    destroy_dry_run=True,
    create_dry_run=True,
    volumes=True,
    automatic_reservation=True,
    rename_force=True,
    holds_works=True,
    dependency_graph=False,
    release_all_or_none=False,
    modern_snapshot_errors=True,
    bookmarks_named=True,
    lingering_unmount=False,
    mounts_stack=False,
    ignores_readonly_at_mount=False,
    abbreviated_numbers=frozenset(),
    busy_unmount=("cannot unmount '{}': Device busy",),
    zpool_parsable=True,
    zpool_get_options=True,
    pool_version="-",
    filesystem_version=5,
    record_size_limit=1024 * KIB,
    record_size_range="512B to 1024KB",
    compression=("on", "off", "lzjb", "gzip", *(f"gzip-{level}" for level in range(1, 10)), "zle", "lz4"),
    compression_words="on | off | lzjb | gzip | gzip-[1-9] | zle | lz4",
    checksum=("on", "off", "fletcher2", "fletcher4", "sha256", "sha512", "skein", "edonr"),
    checksum_words="on | off | fletcher2 | fletcher4 | sha256 | sha512 | skein | edonr",
    dedup_words="on | off | verify | sha256[,verify], sha512[,verify], skein[,verify], edonr,verify",
    acl_mode=("discard", "groupmask", "passthrough", "restricted"),
    acl_mode_default="discard",
    name_bytes=255,
    depth=50,
    value_bytes=8191,
    empty_filesystem_bytes=24 * KIB,
    empty_volume_bytes=12 * KIB,
)

ZFS_FUSE = Dialect(
    name="zfs-fuse",
    options_anywhere=True,
    list_parsable=False,
    get_types=False,
    get_takes_paths=False,
    set_many_properties=False,
    snapshot_many=False,
    destroy_dry_run=False,
    create_dry_run=False,
    volumes=False,
    automatic_reservation=False,
    rename_force=False,
    holds_works=False,
    dependency_graph=True,
    release_all_or_none=True,
    modern_snapshot_errors=False,
    bookmarks_named=False,
    lingering_unmount=True,
    mounts_stack=True,
    ignores_readonly_at_mount=True,
    abbreviated_numbers=frozenset({"guid", "createtxg", "objsetid", "numclones"}),
    busy_unmount=(
        "umount: {}: target is busy.",
        "cannot unmount '{}': umount failed: umount child process failed",
    ),
    zpool_parsable=False,
    zpool_get_options=False,
    pool_version="23",
    filesystem_version=4,
    record_size_limit=128 * KIB,
    record_size_range="512 to 128k",
    compression=("on", "off", "lzjb", "gzip", *(f"gzip-{level}" for level in range(1, 10)), "zle"),
    compression_words="on | off | lzjb | gzip | gzip-[1-9] | zle",
    checksum=("on", "off", "fletcher2", "fletcher4", "sha256"),
    checksum_words="on | off | fletcher2 | fletcher4 | sha256",
    dedup_words="on | off | verify | sha256[,verify]",
    acl_mode=("discard", "groupmask", "passthrough"),
    acl_mode_default="groupmask",
    name_bytes=255,
    depth=None,
    value_bytes=8191,
    empty_filesystem_bytes=112 * KIB,
    empty_volume_bytes=112 * KIB,
)

DIALECTS: Mapping[str, Dialect] = MappingProxyType({dialect.name: dialect for dialect in (ILLUMOS, ZFS_FUSE)})
