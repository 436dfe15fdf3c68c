"""The native properties of ZFS as one table (illumos-cli.md 1.3): form, effect, inheritance, and which ZFS has them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, Flag, StrEnum, auto
from types import MappingProxyType

from providers.tools.zfs_values import KIB, MIB, Form, observed, stated
from reconciler.model.errors import InvalidValue
from reconciler.model.value import Scalar, Value


class Dialect(StrEnum):
    """The ZFS command lines that differ (illumos-cli.md 1.1)."""

    ILLUMOS = "illumos"
    OPENZFS = "OpenZFS"
    ZFS_FUSE = "zfs-fuse"


class On(Flag):
    """The types of dataset that have a property."""

    FILESYSTEM = auto()
    VOLUME = auto()


class Clearing(Enum):
    """How a property is brought back to what it is when nobody sets it."""

    INHERIT = auto()
    NONE = auto()
    """By the value none; it can't be inherited."""
    IMPOSSIBLE = auto()


@dataclass(frozen=True, slots=True)
class Property:
    """One settable property.

    `words` are the values that every ZFS takes, `more` those that only some do. `dialects` is where the property is sure to
    exist, should the host not have listed its properties itself.
    """

    name: str
    form: Form
    summary: str
    words: tuple[str, ...] = ()
    more: Mapping[Dialect, tuple[str, ...]] = field(default_factory=dict)
    on: On = On.FILESYSTEM | On.VOLUME
    clearing: Clearing = Clearing.INHERIT
    create_only: bool = False
    dialects: frozenset[Dialect] = frozenset(Dialect)

    @property
    def is_size(self) -> bool:
        return self.form in (Form.SIZE, Form.BLOCK_SIZE, Form.SMALL_BLOCKS, Form.SIZE_OR_NONE)

    def stated(self, value: Scalar) -> Value:
        """A manifest's value in canonical form; InvalidValue when no ZFS takes it."""
        words = frozenset(self.words).union(*self.more.values())
        return stated(self.name, self.form, words, value)

    def observed(self, text: str) -> Value:
        """What `zfs get -p` printed in canonical form."""
        return observed(self.name, self.form, text)

    def is_taken_by(self, dialect: Dialect, value: Value) -> bool:
        """Whether that ZFS takes a canonical value; true for all but a word or a block size that it lacks."""
        if self.form is Form.WORD:
            return value is None or value in self.words or value in self.more.get(dialect, ())
        if self.form in (Form.BLOCK_SIZE, Form.SMALL_BLOCKS):
            return not isinstance(value, int) or value <= LARGEST_BLOCK[dialect]
        return True


LARGEST_BLOCK: Mapping[Dialect, int] = MappingProxyType(
    {Dialect.ZFS_FUSE: 128 * KIB, Dialect.ILLUMOS: MIB, Dialect.OPENZFS: 16 * MIB}
)

_ILLUMOS, _OPENZFS, _FUSE = Dialect.ILLUMOS, Dialect.OPENZFS, Dialect.ZFS_FUSE
_NEWER = frozenset({_ILLUMOS, _OPENZFS})
_LINUX = frozenset({_OPENZFS})
_ON_OFF = ("on", "off")
_GZIP = ("gzip", *(f"gzip-{level}" for level in range(1, 10)))
_ZSTD = (
    "zstd",
    *(f"zstd-{level}" for level in range(1, 20)),
    "zstd-fast",
    *(f"zstd-fast-{level}" for level in (*range(1, 11), *range(20, 101, 10), 500, 1000)),
)
_STRONG = ("sha512", "skein", "edonr")
_FS, _VOL = On.FILESYSTEM, On.VOLUME
_WORD, _OPTIONS = Form.WORD, Form.OPTIONS


def _switch(name: str, summary: str, *, on: On = _FS, dialects: frozenset[Dialect] = frozenset(Dialect)) -> Property:
    return Property(name, _WORD, summary, _ON_OFF, on=on, dialects=dialects)


def _limit(name: str, summary: str, *, on: On = _FS) -> Property:
    return Property(name, Form.SIZE_OR_NONE, summary, on=on, clearing=Clearing.NONE)


def _count(name: str, summary: str, *, on: On) -> Property:
    return Property(name, Form.COUNT_OR_NONE, summary, on=on, clearing=Clearing.NONE, dialects=_NEWER)


def _once(name: str, summary: str, *words: str) -> Property:
    return Property(name, _WORD, summary, words, on=_FS, clearing=Clearing.IMPOSSIBLE, create_only=True)


_TABLE = (
    Property(
        "aclinherit",
        _WORD,
        "how new files inherit ACL entries",
        ("discard", "noallow", "restricted", "passthrough", "passthrough-x", "secure"),
        on=_FS,
    ),
    Property(
        "aclmode",
        _WORD,
        "what chmod does to an ACL",
        ("discard", "groupmask", "passthrough"),
        {_ILLUMOS: ("restricted",), _OPENZFS: ("restricted",)},
        on=_FS,
    ),
    _switch("aclimplicit", "whether a file without ACL shows one made from its mode", dialects=frozenset()),
    Property(
        "acltype",
        _WORD,
        "the kind of ACL",
        ("off", "noacl", "nfsv4", "posix", "posixacl"),
        on=_FS,
        dialects=_LINUX,
    ),
    _switch("atime", "whether reading a file writes its access time"),
    Property("canmount", _WORD, "whether it can be mounted", (*_ON_OFF, "noauto"), on=_FS, clearing=Clearing.IMPOSSIBLE),
    _once("casesensitivity", "how file names are matched", "sensitive", "insensitive", "mixed"),
    Property(
        "checksum",
        _WORD,
        "the checksum of data blocks",
        (*_ON_OFF, "fletcher2", "fletcher4", "sha256"),
        {_ILLUMOS: (*_STRONG, "noparity"), _OPENZFS: (*_STRONG, "noparity", "blake3")},
    ),
    Property(
        "compression",
        _WORD,
        "the compression of new blocks",
        (*_ON_OFF, "lzjb", *_GZIP, "zle"),
        {_ILLUMOS: ("lz4",), _OPENZFS: ("lz4", *_ZSTD)},
    ),
    Property("copies", Form.NUMBER, "copies of each data block", ("1", "2", "3")),
    Property("context", _OPTIONS, "SELinux context", on=_FS, dialects=_LINUX),
    Property("defcontext", _OPTIONS, "SELinux default context", on=_FS, dialects=_LINUX),
    Property("fscontext", _OPTIONS, "SELinux context of the file system", on=_FS, dialects=_LINUX),
    Property("rootcontext", _OPTIONS, "SELinux context of the root", on=_FS, dialects=_LINUX),
    Property(
        "dedup",
        _WORD,
        "deduplication of new blocks",
        (*_ON_OFF, "verify", "sha256", "sha256,verify"),
        {
            _ILLUMOS: ("sha512", "sha512,verify", "skein", "skein,verify", "edonr,verify"),
            _OPENZFS: ("sha512", "sha512,verify", "skein", "skein,verify", "edonr,verify", "blake3", "blake3,verify"),
        },
    ),
    _switch("devices", "whether device files work"),
    Property("direct", _WORD, "direct I/O", ("disabled", "standard", "always"), on=_FS, dialects=frozenset()),
    Property(
        "dnodesize",
        _WORD,
        "the size of dnodes",
        ("legacy", "auto", "1k", "2k", "4k", "8k", "16k"),
        on=_FS,
        dialects=_NEWER,
    ),
    _switch("exec", "whether programs may be run"),
    _count("filesystem_limit", "most file systems and volumes below", on=_FS),
    Property("logbias", _WORD, "what synchronous writes are tuned for", ("latency", "throughput")),
    Property("mlslabel", _OPTIONS, "sensitivity label", dialects=_NEWER),
    Property("mountpoint", Form.MOUNTPOINT, "where it is mounted: a path, none or legacy", on=_FS),
    _switch("nbmand", "non-blocking mandatory locks"),
    _once("normalization", "how file names are normalised", "none", "formC", "formD", "formKC", "formKD"),
    _switch("overlay", "whether it may be mounted over files", dialects=_LINUX),
    Property("prefetch", _WORD, "what is read ahead", ("none", "metadata", "all"), dialects=frozenset()),
    Property("primarycache", _WORD, "what the memory cache holds", ("all", "none", "metadata")),
    _limit("quota", "most space for it and all below"),
    _switch("readonly", "whether it can't be written", on=_FS | _VOL),
    Property("recordsize", Form.BLOCK_SIZE, "the largest block of a file", on=_FS),
    Property(
        "redundant_metadata",
        _WORD,
        "how much metadata is stored twice",
        ("all", "most"),
        {_OPENZFS: ("some", "none")},
        dialects=_NEWER,
    ),
    _limit("refquota", "most space for it alone"),
    _limit("refreservation", "space set aside for it alone", on=_FS | _VOL),
    _switch("relatime", "whether access times are written seldom", dialects=_LINUX),
    _limit("reservation", "space set aside for it and all below", on=_FS | _VOL),
    Property("secondarycache", _WORD, "what the cache devices hold", ("all", "none", "metadata")),
    _switch("setuid", "whether setuid programs work"),
    Property("sharenfs", _OPTIONS, "NFS sharing: on, off or options", on=_FS),
    Property("sharesmb", _OPTIONS, "SMB sharing: on, off or options", on=_FS),
    Property("snapdev", _WORD, "whether snapshots have devices", ("hidden", "visible"), dialects=_LINUX),
    Property("snapdir", _WORD, "whether .zfs is visible", ("hidden", "visible"), {_OPENZFS: ("disabled",)}, on=_FS),
    _count("snapshot_limit", "most snapshots of it and all below", on=_FS | _VOL),
    Property("special_small_blocks", Form.SMALL_BLOCKS, "largest block for the special devices", on=_FS, dialects=_NEWER),
    Property("sync", _WORD, "how synchronous writes are treated", ("standard", "always", "disabled"), dialects=_NEWER),
    _once("utf8only", "whether file names must be UTF-8", *_ON_OFF),
    Property(
        "version",
        Form.NUMBER,
        "the version of the file system; only goes up",
        ("1", "2", "3", "4", "5"),
        on=_FS,
        clearing=Clearing.IMPOSSIBLE,
    ),
    Property(
        "volmode",
        _WORD,
        "what of a volume other programs see",
        ("default", "full", "geom", "dev", "none"),
        on=_VOL,
        dialects=_LINUX,
    ),
    _switch("vscan", "virus scan"),
    Property("xattr", _WORD, "extended attributes", _ON_OFF, {_OPENZFS: ("sa", "dir")}, on=_FS),
    _switch("zoned", "whether a zone manages it"),
)

PROPERTIES: Mapping[str, Property] = MappingProxyType({known.name: known for known in _TABLE})

READ_ONLY = frozenset(
    {
        "available", "clones", "compressratio", "createtxg", "creation", "defer_destroy", "encryptionroot", "filesystem_count",
        "guid", "keystatus", "logicalreferenced", "logicalused", "mounted", "objsetid", "origin", "receive_resume_token",
        "refcompressratio", "referenced", "snapshot_count", "type", "used", "usedbychildren", "usedbydataset",
        "usedbyrefreservation", "usedbysnapshots", "userrefs", "written",
    }
)  # fmt: skip

_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "avail": "available", "compress": "compression", "lrefer": "logicalreferenced", "lused": "logicalused",
        "rdonly": "readonly", "recsize": "recordsize", "refer": "referenced", "refreserv": "refreservation",
        "reserv": "reservation", "volblock": "volblocksize",
    }
)  # fmt: skip

_ELSEWHERE: Mapping[str, str] = MappingProxyType({"volsize": "spec.size", "volblocksize": "spec.blockSize"})
_ENCRYPTION = frozenset({"encryption", "keyformat", "keylocation", "pbkdf2iters"})

MARK_PREFIX = "dev.reconciler:"
USER_NAME_BYTES = 255
_USER_NAME = re.compile(r"[a-z0-9:._][a-z0-9:._-]*")


def is_user_property(name: str) -> bool:
    """Whether ZFS takes the name for a user property: a colon tells."""
    return ":" in name


def is_free_text(name: str) -> bool:
    """Whether a property's value may hold any character at all, TAB and newline included."""
    known = PROPERTIES.get(name)
    return is_user_property(name) or (known is not None and known.form in (Form.MOUNTPOINT, Form.OPTIONS))


def is_valid_user_property(name: str) -> bool:
    """Whether ZFS takes the name for a user property and accepts it."""
    return ":" in name and len(name) <= USER_NAME_BYTES and _USER_NAME.fullmatch(name) is not None


def check_user_property(name: str) -> None:
    """InvalidValue for a user property name that ZFS refuses, or that is reserved for our marks."""
    if name.startswith(MARK_PREFIX):
        raise InvalidValue(f"{name} is reserved for the reconciler's own mark", remedy="choose another prefix")
    if not _USER_NAME.fullmatch(name):
        raise InvalidValue(
            f"{name!r} is not a user property's name", remedy="use lower-case letters, digits and : . _ - only, not - first"
        )
    if len(name) > USER_NAME_BYTES:
        raise InvalidValue(f"the name {name[:40]}… is longer than {USER_NAME_BYTES} characters", remedy="shorten it")


def native_property(name: str, on: On) -> Property:
    """The settable native property of that name; InvalidValue with the way out for any other name."""
    known = PROPERTIES.get(name)
    if known is not None:
        if not known.on & on:
            raise InvalidValue(f"a {_type_name(on)} has no property {name}", remedy="remove the line")
        return known
    if full := _ALIASES.get(name):
        raise InvalidValue(f"{name} is a short form", remedy=f"write {_ELSEWHERE.get(full, full)}")
    if place := _ELSEWHERE.get(name):
        remedy = f"state {place}" if On.VOLUME in on else "remove the line: only a Volume has it"
        raise InvalidValue(f"{name} can't stand in properties", remedy=remedy)
    if name in _ENCRYPTION:
        raise InvalidValue(f"{name} is reserved: encrypted datasets can't be declared yet", remedy="remove the line")
    if name in READ_ONLY:
        raise InvalidValue(f"{name} is read-only", remedy="remove the line")
    if "@" in name:
        raise InvalidValue(f"{name} is not managed: figures of single users are left alone", remedy="remove the line")
    raise InvalidValue(f"{name!r} is not a ZFS property", remedy=_nearest(name))


def _type_name(on: On) -> str:
    return "volume" if on is On.VOLUME else "file system"


def _nearest(name: str) -> str:
    from difflib import get_close_matches  # only a wrong manifest pays for it

    near = get_close_matches(name, PROPERTIES, n=1)
    return f"write {near[0]}" if near else "a property of your own needs a colon in its name, for example org.example:role"
