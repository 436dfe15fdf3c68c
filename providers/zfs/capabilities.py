"""What a host's ZFS can do, from its answers to the fact probes."""

from dataclasses import dataclass

from providers.tools.zfs_properties import PROPERTIES, Dialect
from reconciler.model.command import Completed, Ending, probe
from reconciler.model.facts import HostFacts
from reconciler.provider.contract import Served, Support

VERSION = probe("zfs.version", "zfs", "version")
POOLS = probe("zfs.pools", "zfs", "list", "-Hp", "-d", "0", "-o", "name")
PROPERTY_LIST = probe("zfs.properties", "zfs", "get")
"""Without arguments `zfs get` exits 2 and lists all native properties on stderr."""

FACT_PROBES = (VERSION, POOLS, PROPERTY_LIST)

TRUNCATE = probe("zfs.truncate", "truncate", "--version")
"""Whether files can be given a size (GNU coreutils), as volumes without zvols need it."""

ZVOL, FILE = "zvol", "file"
"""The backings of volumes."""

_NOT_FOUND = 127
_TABLE_HEAD = ["PROPERTY", "EDIT", "INHERIT", "VALUES"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What differs between one ZFS command line and another (illumos-cli.md 1.1).

    `pools` is None where the tool could not be asked. `is_smartos` tells which dataset names the system keeps for itself;
    `host_id` is the machine's own id in marks.
    `encrypts` says that datasets have encryption roots. `is_linux`: guests and images are datasets with names of ours.
    `keeps_files`: a volume can be a file in a dataset.
    """

    dialect: Dialect
    properties: frozenset[str]
    pools: frozenset[str] | None
    is_smartos: bool
    host_id: str = ""
    encrypts: bool = False
    is_linux: bool = False
    keeps_files: bool = False

    @property
    def has_volumes(self) -> bool:
        """Whether ZFS itself has volumes (zvols)."""
        return self.dialect is not Dialect.ZFS_FUSE

    @property
    def backing(self) -> str:
        """What a volume is made of whose manifest does not say it."""
        return ZVOL if self.has_volumes else FILE

    @property
    def gets_by_type(self) -> bool:
        """`zfs get -t`; without it snapshots are listed too."""
        return self.dialect is not Dialect.ZFS_FUSE

    @property
    def sets_many(self) -> bool:
        """`zfs set` takes several properties."""
        return self.dialect is not Dialect.ZFS_FUSE

    @property
    def is_exact_about_pools(self) -> bool:
        """`zpool list -p` and the column FRAG."""
        return self.dialect is not Dialect.ZFS_FUSE

    @property
    def renames_mounted(self) -> bool:
        """A mounted file system can be renamed; else it is always busy (linux-host.md 1, "Busy")."""
        return self.dialect is not Dialect.ZFS_FUSE

    @property
    def mounts_read_only(self) -> bool:
        """`readonly=on` is kept; a mounted file system of zfs-fuse stays writable and reads `off`, source `temporary`."""
        return self.dialect is not Dialect.ZFS_FUSE


def support(facts: HostFacts) -> Support:
    """Whether the host has a ZFS that answers."""
    answers = [facts.probed[asked.name] for asked in FACT_PROBES if asked.name in facts.probed]
    if len(answers) < len(FACT_PROBES):
        return Support(Served.UNREADABLE, "the host was not asked for its ZFS", "run again")
    version, pools, _ = answers  # in the order of FACT_PROBES
    if all(_is_missing(answer) for answer in answers):
        return Support(Served.NO, "the host has no zfs command", "install ZFS, or correct the PATH of its transport")
    version_known = version.succeeded or _is_usage_error(version, "unrecognized command")
    pools_known = pools.succeeded or _is_usage_error(pools, "invalid option")
    failed = next((answer for answer in answers if answer.ending is not Ending.EXITED), None)
    failed = failed or (None if pools_known else pools) or (None if version_known else version)
    if failed is None:
        return Support(Served.YES)
    said = " / ".join(failed.stderr.strip().splitlines()[:3]) or "no answer"
    return Support(
        Served.UNREADABLE,
        f"`{failed.command}` failed: {said}",
        "make `zfs list` work on the host: start its daemon, or load its kernel module",
    )


def capabilities(facts: HostFacts) -> Capabilities:
    """The capabilities of a host that `support` says YES for."""
    pools = facts.probed[POOLS.name]
    dialect = _dialect(facts.probed[VERSION.name], pools)
    sure = frozenset(name for name, known in PROPERTIES.items() if dialect in known.dialects)
    # zfs-fuse never changes any more, and lists properties that it does not keep: mlslabel prints left-over memory.
    usage = facts.probed[PROPERTY_LIST.name].stderr
    listed = frozenset() if dialect is Dialect.ZFS_FUSE else _listed_properties(usage)
    return Capabilities(
        dialect,
        listed or sure,
        frozenset(name for name in pools.stdout.split("\n") if name and "/" not in name) if pools.succeeded else None,
        facts.version.startswith("joyent_"),
        facts.host_id,
        dialect is not Dialect.ZFS_FUSE and "encryptionroot" in usage.split(),
        facts.system == "Linux",
        facts.system == "Linux" and TRUNCATE.name in facts.probed and facts.probed[TRUNCATE.name].succeeded,
    )


def _dialect(version: Completed, pools: Completed) -> Dialect:
    if version.succeeded:
        return Dialect.OPENZFS
    return Dialect.ILLUMOS if pools.succeeded else Dialect.ZFS_FUSE


def _listed_properties(usage: str) -> frozenset[str]:
    """The settable properties that `zfs get` lists; empty when it shows no table."""
    _, found, table = usage.partition("PROPERTY")
    if not found or table.split("\n", 1)[0].split() != _TABLE_HEAD[1:]:
        return frozenset()
    return frozenset(line.split(None, 1)[0] for line in table.split("\n")[1:] if line.strip()) & PROPERTIES.keys()


def _is_missing(answer: Completed) -> bool:
    return answer.ending is Ending.NOT_FOUND or (answer.ending is Ending.EXITED and answer.exit_code == _NOT_FOUND)


def _is_usage_error(answer: Completed, text: str) -> bool:
    return answer.ending is Ending.EXITED and answer.exit_code == 2 and text in answer.stderr
