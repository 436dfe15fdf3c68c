"""The native properties of each dialect: the one table that reading, setting and inheriting look into.

Order, types and value words are those of illumos-cli.md 1.3 and of the two ZFS command lines themselves.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reconciler.emulation.zfs.dialect import DIALECTS, Dialect

FILESYSTEM = "filesystem"
VOLUME = "volume"
SNAPSHOT = "snapshot"

NO_LIMIT = str((1 << 64) - 1)


class Form(enum.Enum):
    """What the value of a property looks like."""

    SIZE = "size"
    """Bytes; printed as a size unless asked for exactly."""
    LIMIT = "limit"
    """Bytes, and 0 is printed as `none`."""
    COUNT = "count"
    """A number that may be `none`."""
    NUMBER = "number"
    CHOICE = "choice"
    TEXT = "text"
    TIME = "time"


class Edit(enum.Enum):
    """When a property may be set."""

    ALWAYS = "always"
    AT_CREATION = "at creation"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Native:
    """One native property of a dialect."""

    name: str
    form: Form
    kinds: frozenset[str]
    edit: Edit = Edit.ALWAYS
    inherits: bool = True
    default: str = "-"
    choices: tuple[str, ...] = ()
    words: str = ""
    """The choices as zfs names them in its complaints."""
    shown: bool = True
    """Whether `all` includes it."""
    sourceless: bool = False
    """Its source reads `-` whatever it was made with."""


_EVERY = frozenset({FILESYSTEM, VOLUME, SNAPSHOT})
_FS = frozenset({FILESYSTEM})
_VOL = frozenset({VOLUME})
_SNAP = frozenset({SNAPSHOT})
_FS_VOL = frozenset({FILESYSTEM, VOLUME})
_FS_SNAP = frozenset({FILESYSTEM, SNAPSHOT})
_ON_OFF = ("on", "off")
_CACHE = ("all", "none", "metadata")


def _read_only(name: str, form: Form, kinds: frozenset[str], *, shown: bool = True) -> Native:
    return Native(name, form, kinds, edit=Edit.NEVER, inherits=False, shown=shown)


def _choice(name: str, kinds: frozenset[str], default: str, choices: tuple[str, ...] = _ON_OFF, words: str = "") -> Native:
    return Native(name, Form.CHOICE, kinds, default=default, choices=choices, words=words or " | ".join(choices))


def _fixed(name: str, default: str, choices: tuple[str, ...]) -> Native:
    return Native(
        name, Form.CHOICE, _FS_SNAP, edit=Edit.AT_CREATION, inherits=False, default=default, choices=choices,
        words=" | ".join(choices), sourceless=True,
    )  # fmt: skip


def _limit(name: str, kinds: frozenset[str]) -> Native:
    return Native(name, Form.LIMIT, kinds, inherits=False, default="0")


def _dedup_choices(checksums: Iterable[str]) -> tuple[str, ...]:
    strong = [name for name in checksums if name in {"sha256", "sha512", "skein"}]
    return ("on", "off", "verify", *strong, *(f"{name},verify" for name in strong))


def _natives(dialect: Dialect) -> Iterable[Native]:
    modern = dialect.name == "illumos"
    yield _read_only("type", Form.TEXT, _EVERY)
    yield _read_only("creation", Form.TIME, _EVERY)
    yield _read_only("used", Form.SIZE, _EVERY)
    yield _read_only("available", Form.SIZE, _FS_VOL)
    yield _read_only("referenced", Form.SIZE, _EVERY)
    yield _read_only("compressratio", Form.TEXT, _EVERY)
    yield _read_only("mounted", Form.TEXT, _FS)
    yield _read_only("origin", Form.TEXT, _FS_VOL)
    yield _limit("quota", _FS)
    yield _limit("reservation", _FS_VOL)
    yield Native("volsize", Form.SIZE, _VOL, inherits=False)
    yield Native("volblocksize", Form.SIZE, _VOL, edit=Edit.AT_CREATION, default="8192")
    yield Native("recordsize", Form.SIZE, _FS, default="131072")
    yield Native("mountpoint", Form.TEXT, _FS)
    yield Native("sharenfs", Form.TEXT, _FS, default="off")
    yield _choice("checksum", _FS_VOL, "on", dialect.checksum, dialect.checksum_words)
    yield _choice("compression", _FS_VOL, "off", dialect.compression, dialect.compression_words)
    yield _choice("atime", _FS, "on")
    yield _choice("devices", _FS_SNAP, "on")
    yield _choice("exec", _FS_SNAP, "on")
    yield _choice("setuid", _FS_SNAP, "on")
    yield _choice("readonly", _FS_VOL, "off")
    yield _choice("zoned", _FS, "off")
    yield _choice("snapdir", _FS, "hidden", ("hidden", "visible"))
    yield _choice("aclmode", _FS, dialect.acl_mode_default, dialect.acl_mode)
    yield _choice("aclinherit", _FS, "restricted", ("discard", "noallow", "restricted", "passthrough", "passthrough-x"))
    yield _read_only("createtxg", Form.NUMBER, _EVERY, shown=modern)
    yield _read_only("name", Form.TEXT, _EVERY, shown=False)
    yield Native(
        "canmount", Form.CHOICE, _FS, inherits=False, default="on", choices=("on", "off", "noauto"),
        words="on | off | noauto",
    )  # fmt: skip
    yield _choice("xattr", _FS_SNAP, "on")
    yield _read_only("numclones", Form.NUMBER, _SNAP, shown=False)
    yield _choice("copies", _FS_VOL, "1", ("1", "2", "3"))
    versions = tuple(str(number) for number in range(1, dialect.filesystem_version + 1))
    yield Native(
        "version", Form.CHOICE, _FS_SNAP, inherits=False, default=str(dialect.filesystem_version),
        choices=(*versions, "current"), words=" | ".join((*versions, "current")), sourceless=True,
    )  # fmt: skip
    yield _fixed("utf8only", "off", _ON_OFF)
    yield _fixed("normalization", "none", ("none", "formC", "formD", "formKC", "formKD"))
    yield _fixed("casesensitivity", "sensitive", ("sensitive", "insensitive", "mixed"))
    yield _choice("vscan", _FS, "off")
    yield _choice("nbmand", _FS_SNAP, "off")
    yield Native("sharesmb", Form.TEXT, _FS, default="off")
    yield _limit("refquota", _FS)
    yield _limit("refreservation", _FS_VOL)
    yield _read_only("guid", Form.NUMBER, _EVERY, shown=modern)
    yield _choice("primarycache", _EVERY, "all", _CACHE)
    yield _choice("secondarycache", _EVERY, "all", _CACHE)
    yield _read_only("usedbysnapshots", Form.SIZE, _FS_VOL)
    yield _read_only("usedbydataset", Form.SIZE, _FS_VOL)
    yield _read_only("usedbychildren", Form.SIZE, _FS_VOL)
    yield _read_only("usedbyrefreservation", Form.SIZE, _FS_VOL)
    yield _read_only("defer_destroy", Form.TEXT, _SNAP)
    yield _read_only("userrefs", Form.NUMBER, _SNAP)
    yield _choice("logbias", _FS_VOL, "latency", ("latency", "throughput"))
    yield _read_only("objsetid", Form.NUMBER, _EVERY, shown=False)
    yield _choice("dedup", _FS_VOL, "off", _dedup_choices(dialect.checksum), dialect.dedup_words)
    yield Native("mlslabel", Form.TEXT, _EVERY, default="none" if modern else "off", sourceless=not modern)
    if modern:
        yield from _later_natives()


def _later_natives() -> Iterable[Native]:
    """What came after the ZFS that zfs-fuse was made from."""
    yield _choice("sync", _FS_VOL, "standard", ("standard", "always", "disabled"))
    yield _choice("dnodesize", _FS, "legacy", ("legacy", "auto", "1k", "2k", "4k", "8k", "16k"))
    yield _read_only("refcompressratio", Form.TEXT, _EVERY)
    yield _read_only("written", Form.SIZE, _EVERY)
    yield _read_only("clones", Form.TEXT, _SNAP)
    yield _read_only("logicalused", Form.SIZE, _FS_VOL)
    yield _read_only("logicalreferenced", Form.SIZE, _EVERY)
    yield Native("filesystem_limit", Form.COUNT, _FS, inherits=False, default=NO_LIMIT)
    yield Native("snapshot_limit", Form.COUNT, _FS_VOL, inherits=False, default=NO_LIMIT)
    yield _read_only("filesystem_count", Form.COUNT, _FS)
    yield _read_only("snapshot_count", Form.COUNT, _FS_VOL)
    yield _choice("redundant_metadata", _FS_VOL, "all", ("all", "most"))
    yield _read_only("receive_resume_token", Form.TEXT, _FS_VOL)
    suites = tuple(f"aes-{bits}-{mode}" for mode in ("ccm", "gcm") for bits in (128, 192, 256))
    yield Native(
        "encryption", Form.CHOICE, _EVERY, edit=Edit.AT_CREATION, default="off", choices=("on", "off", *suites),
        words=" | ".join(("on", "off", *suites)),
    )  # fmt: skip
    yield Native("keylocation", Form.TEXT, _FS_VOL, inherits=False, default="none")
    yield Native(
        "keyformat", Form.CHOICE, _FS_VOL, edit=Edit.AT_CREATION, inherits=False, default="none",
        choices=("none", "raw", "hex", "passphrase"), words="none | raw | hex | passphrase",
    )  # fmt: skip
    yield Native("pbkdf2iters", Form.NUMBER, _FS_VOL, edit=Edit.AT_CREATION, inherits=False, default="0")
    yield _read_only("encryptionroot", Form.TEXT, _EVERY)
    yield _read_only("keystatus", Form.TEXT, _EVERY)
    yield Native("special_small_blocks", Form.SIZE, _FS, default="0")


NATIVES: Mapping[str, Mapping[str, Native]] = MappingProxyType(
    {name: MappingProxyType({native.name: native for native in _natives(dialect)}) for name, dialect in DIALECTS.items()}
)

# Short column names (illumos-cli.md 1.3); zfs takes them wherever it takes a property's name.
_SHORT: Mapping[str, str] = MappingProxyType(
    {
        "avail": "available",
        "refer": "referenced",
        "compress": "compression",
        "ratio": "compressratio",
        "recsize": "recordsize",
        "volblock": "volblocksize",
        "reserv": "reservation",
        "refreserv": "refreservation",
        "rdonly": "readonly",
        "case": "casesensitivity",
        "lrefer": "logicalreferenced",
        "lused": "logicalused",
    }
)

_USER_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.:")


def native_named(dialect: Dialect, name: str) -> Native | None:
    """The native property of that full or short name."""
    return NATIVES[dialect.name].get(_SHORT.get(name, name))


def is_user_property(name: str) -> bool:
    """Whether a name can be a user property's: it has a colon and no character beyond `a-z 0-9 - _ . :`."""
    return ":" in name and _USER_CHARACTERS.issuperset(name)


def belongs_to_data(dialect: Dialect, name: str) -> bool:
    """Whether a value is a part of what is stored, so that a clone has it too: it was fixed when that was made."""
    native = native_named(dialect, name)
    return native is not None and (native.edit is Edit.AT_CREATION or native.name in {"version", "volsize"})
