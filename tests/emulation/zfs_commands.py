"""Random `zfs` command lines, valid and invalid, that depend on nothing but a seed and what there is."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

_COMPONENTS = ("a", "b", "c", "web-1", "db.x")
_BAD_NAMES = ("{pool}/", "{pool}//a", "/{pool}/a", "{pool}/a+b", "{pool}/a@b@c", "{pool}/a%b", "{pool}/a@", "nopool/a", "")
_SNAPSHOT_NAMES = ("s1", "s2", "s3", "daily-1")
_BAD_SNAPSHOTS = ("{pool}@", "{pool}@a/b", "{pool}@a@b", "{pool}@a+b", "{pool}@x%y", "nopool@s1", "{pool}/zz@s1")
_TAGS = ("keep", "other")
_USER = ("org.example:owner", "dev.reconciler:owner", "a:b")
_SETTINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("compression", ("on", "off", "lzjb", "gzip", "gzip-6", "gzip-9", "zle", "lz4", "LZJB", "foo")),
    ("compress", ("on", "off")),
    ("recordsize", ("512", "4K", "8k", "16KB", "128K", "256K", "1000", "0", "none")),
    ("recsize", ("32K",)),
    ("atime", ("on", "off", "yes")),
    ("checksum", ("on", "off", "sha256", "fletcher4", "md5")),
    ("copies", ("1", "2", "3", "4")),
    ("dedup", ("off", "verify", "sha256,verify", "blake3")),
    ("exec", ("on", "off")),
    ("setuid", ("on", "off")),
    ("devices", ("on", "off", "")),
    ("readonly", ("on", "off")),
    ("snapdir", ("hidden", "visible", "x")),
    ("aclmode", ("discard", "groupmask", "passthrough", "restricted")),
    ("aclinherit", ("discard", "noallow", "restricted", "passthrough", "passthrough-x")),
    ("primarycache", ("all", "none", "metadata", "some")),
    ("secondarycache", ("all", "none", "metadata")),
    ("logbias", ("latency", "throughput")),
    ("nbmand", ("on", "off")),
    ("vscan", ("on", "off")),
    ("xattr", ("on", "off", "sa")),
    ("quota", ("none", "10M", "1G", "1.5G", "5T", "0", "1K", "100K", "abc", "1X", "-1", "1GG", "2gb")),
    ("refquota", ("none", "10M", "1G", "0", "1K", "99999999999999999999")),
    ("reservation", ("none", "0", "1M", "2m", "500G", "1.5.5G")),
    ("refreservation", ("none", "0", "1M", "500G", "x")),
    ("canmount", ("on", "off", "noauto", "maybe")),
    ("version", ("4", "current", "1", "9", "5")),
    ("volsize", ("1G",)),
    ("volblocksize", ("8K",)),
    ("casesensitivity", ("mixed", "sensitive")),
    ("normalization", ("formC", "none")),
    ("utf8only", ("on", "off")),
    ("type", ("filesystem",)),
    ("used", ("1",)),
    ("mounted", ("yes",)),
    ("origin", ("x",)),
    ("creation", ("1",)),
    ("guid", ("1",)),
    ("createtxg", ("1",)),
    ("name", ("x",)),
    ("sync", ("always",)),
    ("bogus", ("1",)),
    ("Upper:case", ("x",)),
    ("spa ce:x", ("x",)),
    (":", ("x",)),
    ("org.example:owner", ("o", "two words", 'q"uote', "tab\tbed", "", "=x=")),
    ("dev.reconciler:owner", ("hv01", "other")),
    ("a:b", ("1", "é", "x" * 1025)),
)
_READABLE = (
    "all", "quota", "compression,atime,quota", "mountpoint,canmount,mounted", "type,origin,userrefs,defer_destroy",
    "org.example:owner,a:b", "compress,recsize,rdonly", "bogus", "quota,bogus", "Upper:case", "version,utf8only,case",
    "volsize,volblocksize", "reservation,refreservation,refquota",
)  # fmt: skip

_DEEPEST = 4

# How often each kind of command comes.
EVERYTHING: Mapping[str, int] = MappingProxyType(
    {
        "create": 20, "set": 16, "inherit": 8, "snapshot": 12, "clone": 8, "rename": 8, "destroy": 10, "hold": 5,
        "release": 5, "promote": 4, "get": 8, "list": 6, "mount": 3, "rollback": 2, "misused": 2,
    }
)  # fmt: skip
# Renaming, promoting and rolling back what is mounted ends differently from one time to the next in zfs-fuse.
WITH_MOUNTS: Mapping[str, int] = MappingProxyType(
    {"create": 20, "set": 16, "inherit": 8, "snapshot": 4, "clone": 4, "destroy": 8, "get": 6, "list": 4, "mount": 14}
)


@dataclass(slots=True)
class CommandLines:
    """A source of command lines for one pool. `existing` gives the datasets and snapshots that there are, `deferred` the
    snapshots whose destruction was put off, `cloned` those that clones were made from.
    """

    randomness: random.Random
    pool: str
    existing: Callable[[], Sequence[str]]
    deferred: Callable[[], Sequence[str]]
    cloned: Callable[[], Sequence[str]]
    mountpoints: Sequence[str] = ("none", "legacy", "relative", "")
    weights: Mapping[str, int] = field(default_factory=lambda: EVERYTHING)
    never_set: frozenset[str] = frozenset()
    mounts_leaves_only: bool = False

    def next(self) -> tuple[str, ...]:
        """The arguments of one `zfs` call."""
        makers: Mapping[str, Callable[[], tuple[str, ...]]] = {
            "create": self._create,
            "set": self._set,
            "inherit": self._inherit,
            "snapshot": self._snapshot,
            "clone": self._clone,
            "rename": self._rename,
            "destroy": self._destroy,
            "hold": self._hold,
            "release": self._release,
            "promote": self._promote,
            "get": self._get,
            "list": self._list,
            "mount": self._mount,
            "rollback": self._rollback,
            "misused": self._misused,
        }
        name = self.randomness.choices(list(self.weights), list(self.weights.values()))[0]
        return makers[name]()

    def _chance(self, share: float) -> bool:
        return self.randomness.random() < share

    def _pick(self, values: Sequence[str]) -> str:
        return self.randomness.choice(values)

    def _filesystems(self) -> list[str]:
        return [name for name in self.existing() if "@" not in name]

    def _snapshots(self) -> list[str]:
        return [name for name in self.existing() if "@" in name]

    def _new_name(self) -> str:
        parents = [name for name in self._filesystems() if name.count("/") < _DEEPEST]
        return f"{self._pick(parents or [self.pool])}/{self._pick(_COMPONENTS)}"

    def _filesystem(self) -> str:
        if self._chance(0.06):
            return self._pick(_BAD_NAMES).format(pool=self.pool)
        if self._chance(0.06):
            return f"{self.pool}/nowhere"
        below = [name for name in self._filesystems() if "/" in name]
        return self._pick(below) if below and self._chance(0.9) else self.pool

    def _snapshot_name(self) -> str:
        there = self._snapshots()
        if there and self._chance(0.85):
            return self._pick(there)
        if self._chance(0.3):
            return self._pick(_BAD_SNAPSHOTS).format(pool=self.pool)
        return f"{self._filesystem()}@{self._pick(_SNAPSHOT_NAMES)}"

    def _any(self) -> str:
        return self._snapshot_name() if self._chance(0.2) else self._filesystem()

    def _setting(self) -> str:
        if self._chance(0.15):
            return f"mountpoint={self._pick(self.mountpoints)}"
        name, values = self.randomness.choice([one for one in _SETTINGS if one[0] not in self.never_set])
        return f"{name}={self._pick(values)}"

    def _options(self) -> list[str]:
        found: list[str] = []
        for _ in range(self.randomness.choice((0, 0, 1, 1, 2))):
            found += ["-o", self._setting()]
        return found

    def _create(self) -> tuple[str, ...]:
        parents = ["-p"] if self._chance(0.2) else []
        name = self._new_name() if self._chance(0.85) else self._filesystem()
        if parents and self._chance(0.6):
            name += f"/{self._pick(_COMPONENTS)}"
        return ("create", *parents, *self._options(), name)

    def _set(self) -> tuple[str, ...]:
        setting = self._setting()
        several = [self._any()] if self._chance(0.15) and not setting.startswith("mountpoint=") else []
        return ("set", setting, self._any(), *several)

    def _inherit(self) -> tuple[str, ...]:
        flags = [flag for flag in ("-r", "-S") if self._chance(0.2)]
        name = self._pick(_USER) if self._chance(0.3) else self.randomness.choice(_SETTINGS)[0]
        target = self._any()
        if self._chance(0.1) and target != self.pool:
            # The pool's own mountpoint decides whether anything is mounted at all.
            name = "mountpoint"
        return ("inherit", *flags, name, target)

    def _snapshot(self) -> tuple[str, ...]:
        flags = ["-r"] if self._chance(0.3) else []
        if self._chance(0.2):
            flags += ["-o", self._setting()]
        if self._chance(0.1):
            return ("snapshot", *flags, self._snapshot_name())
        return ("snapshot", *flags, f"{self._filesystem()}@{self._pick(_SNAPSHOT_NAMES)}")

    def _clone(self) -> tuple[str, ...]:
        parents = ["-p"] if self._chance(0.2) else []
        source = self._snapshot_name()
        if source in self.deferred():
            # zfs-fuse lets a clone take over that its origin is to go, and then loses the clone's snapshots.
            return ("destroy", "-d", source)
        return ("clone", *parents, *self._options(), source, self._new_name())

    def _rename(self) -> tuple[str, ...]:
        if self._chance(0.3):
            source = self._snapshot_name()
            flags = ["-r"] if self._chance(0.4) else []
            return ("rename", *flags, source, f"{source.partition('@')[0]}@{self._pick(_SNAPSHOT_NAMES)}")
        flags = ["-p"] if self._chance(0.2) else []
        return ("rename", *flags, self._filesystem(), self._new_name())

    def _destroy(self) -> tuple[str, ...]:
        flags = [flag for flag, share in (("-r", 0.3), ("-R", 0.1)) if self._chance(share)]
        if self._chance(0.5):
            name = self._snapshot_name()
            snapshot = name.partition("@")[2]
            if "-r" in flags and any(one.endswith(f"@{snapshot}") for one in self.cloned()):
                # The daemon locks itself up for good where one of the snapshots below has a clone elsewhere.
                flags.remove("-r")
            return ("destroy", *flags, *(["-d"] if self._chance(0.3) else []), name)
        name = self._filesystem()
        return ("destroy", *([] if name == self.pool else flags), name)

    def _hold(self) -> tuple[str, ...]:
        return ("hold", *(["-r"] if self._chance(0.3) else []), self._pick(_TAGS), self._snapshot_name())

    def _release(self) -> tuple[str, ...]:
        return ("release", *(["-r"] if self._chance(0.3) else []), self._pick(_TAGS), self._snapshot_name())

    def _promote(self) -> tuple[str, ...]:
        return ("promote", self._any())

    def _rollback(self) -> tuple[str, ...]:
        target = self._snapshot_name()
        if target in self.deferred():
            # A rollback of zfs-fuse makes a clone on the way, and with that clone the snapshot goes.
            return ("get", "-H", "defer_destroy", target)
        return ("rollback", *(["-r"] if self._chance(0.4) else []), target)

    def _get(self) -> tuple[str, ...]:
        flags = [flag for flag in ("-r", "-p") if self._chance(0.4)]
        depth = ["-d", self._pick(("0", "1", "2"))] if self._chance(0.15) else []
        sources = ["-s", self._pick(("local", "local,received", "inherited", "default,none", "nope"))]
        fields = ["-o", self._pick(("name,property,value,source", "value", "all", "name,received", "colour"))]
        wanted = self._pick(_READABLE)
        options = [*flags, *depth]
        if self._chance(0.2):
            options += sources
        if wanted != "all" and self._chance(0.4):
            options += fields
        return ("get", "-H", *options, wanted, *self._several((0, 1, 1, 1, 2)))

    def _several(self, counts: Sequence[int]) -> list[str]:
        return [self._any() for _ in range(self.randomness.choice(counts))]

    def _list(self) -> tuple[str, ...]:
        flags = ["-r"] if self._chance(0.5) else []
        depth = ["-d", self._pick(("0", "1", "2"))] if self._chance(0.15) else []
        types = ["-t", self._pick(("filesystem", "snapshot", "all", "volume", "filesystem,snapshot", "socket"))]
        columns = self._pick(("name", "name,type,mounted", "name,origin,quota", "name,a:b", "name,mountpoint", "name,x"))
        sorting = [self._pick(("-s", "-S")), self._pick(("name", "type", "quota", "a:b"))] if self._chance(0.2) else []
        options = [*flags, *depth]
        if self._chance(0.5):
            options += types
        return ("list", "-H", *options, "-o", columns, *sorting, *self._several((0, 1, 1, 2)))

    def _mount(self) -> tuple[str, ...]:
        there = self._filesystems()
        leaves = [name for name in there if not any(other.startswith(f"{name}/") for other in there)]
        name = self._pick(leaves) if self.mounts_leaves_only else self._any()
        return (self._pick(("mount", "umount", "unmount")), name)

    def _misused(self) -> tuple[str, ...]:
        name = self._filesystem()
        return self.randomness.choice(
            (
                ("create",),
                ("create", "-z", name),
                ("create", "-s", name),
                ("create", "-o", "quota", name),
                ("create", "-o", "quota=1G", "-o", "quota=2G", name),
                ("create", name, name),
                ("create", "-V", "nonsense", name),
                ("set",),
                ("set", "quota=1G"),
                ("set", "quota", name),
                ("set", "=x", name),
                ("set", "quota=1G", "atime=off", name),
                ("get",),
                ("inherit",),
                ("inherit", "quota"),
                ("inherit", "-q", "quota", name),
                ("snapshot",),
                ("snapshot", f"{name}@x1", f"{name}@x2"),
                ("clone",),
                ("clone", f"{name}@s1"),
                ("rename",),
                ("rename", name),
                ("rename", name, name, name),
                ("rename", "-r", name, name),
                ("destroy",),
                ("destroy", name, name),
                ("destroy", "-n", name),
                ("hold", "keep"),
                ("hold", ".dot", f"{name}@s1"),
                ("release",),
                ("promote",),
                ("promote", name, name),
                ("list", "-p"),
                ("frobnicate",),
                ("mount", name, name),
                ("umount",),
            )
        )
