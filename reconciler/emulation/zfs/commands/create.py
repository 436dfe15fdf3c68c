"""`zfs create`: new filesystems and volumes, their parents where asked for, and their first mount."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.emulation.session import Interrupted, Session
from reconciler.emulation.zfs import datasets, making, mounts, setting, space, values
from reconciler.emulation.zfs.checking import Rejected, Setting, Target, checked
from reconciler.emulation.zfs.datasets import Dataset
from reconciler.emulation.zfs.dialect import DIALECTS
from reconciler.emulation.zfs.errors import Misused, Refused
from reconciler.emulation.zfs.names import name_fault, parent_of, pool_of
from reconciler.emulation.zfs.options import Options, assignment, options
from reconciler.emulation.zfs.pools import pool_named
from reconciler.emulation.zfs.properties import FILESYSTEM, VOLUME
from reconciler.emulation.zfs.sizes import BadSize, size_from, volume_reservation

OUT_OF_SPACE = "out of space"
# How names are compared can be chosen since this version of the filesystem.
_NAMES_MATTER_SINCE = 3
_FIXED_NAMES = frozenset({"utf8only", "normalization", "casesensitivity"})
DEEPEST = "maximum name nesting depth exceeded"


def create(session: Session, arguments: Sequence[str]) -> int:
    """`zfs create [-p] [-o p=v]… NAME` and `zfs create [-ps] [-b SIZE] [-o p=v]… -V SIZE NAME`."""
    dialect = DIALECTS[session.system.zfs_dialect]
    letters = "po:V:sb:" + ("nvP" if dialect.create_dry_run else "")
    given = options(arguments, letters, anywhere=dialect.options_anywhere, missing="missing size argument")
    wanted = property_options(given)
    volume_size = given.last("V")
    if volume_size is not None:
        _add_volume_options(session, given, wanted, volume_size)
    elif given.has("s") or given.has("b"):
        raise Misused("'-s' and '-b' can only be used when creating a volume")
    if not given.operands:
        raise Misused(f"missing {'filesystem' if volume_size is None else 'volume'} argument")
    if len(given.operands) > 1:
        raise Misused("too many arguments")
    name = given.operands[0]
    kind = FILESYSTEM if volume_size is None else VOLUME
    if given.has("p"):
        refuse_name(session, name, kind, modifying=False)
        if datasets.dataset_named(session.state, name) is not None:
            return 0
    if given.has("n"):
        _dry_run(session, given, name, kind, wanted)
        return 0
    if given.has("p"):
        create_parents(session, name)
    _create_one(session, name, kind, wanted)
    return 0


def property_options(given: Options) -> dict[str, str]:
    """What the repeated -o say; raises Refused for one without `=` and for one that is said twice."""
    wanted: dict[str, str] = {}
    for text in given.all_of("o"):
        pair = assignment(text)
        if pair is None:
            raise Refused("missing '=' for -o option")
        if pair[0] in wanted:
            raise Refused(f"property '{pair[0]}' specified multiple times")
        wanted[pair[0]] = pair[1]
    return wanted


def _add_volume_options(session: Session, given: Options, wanted: dict[str, str], size_text: str) -> None:
    if not DIALECTS[session.system.zfs_dialect].volumes:
        try:
            size_from(size_text)
        except BadSize as error:
            raise Refused(f"bad volume size '{size_text}': {error}") from error
        # SIGABRT: the client gives up on an ioctl that the daemon does not know.
        raise Refused("internal error: Function not implemented", code=-6)
    try:
        size = size_from(size_text)
    except BadSize as error:
        raise Refused(f"bad volume size '{size_text}': {error}") from error
    block_text = given.last("b")
    block = setting.BLOCK_SIZE_DEFAULT
    if block_text is not None:
        try:
            block = size_from(block_text)
        except BadSize as error:
            raise Refused(f"bad volume block size '{block_text}': {error}") from error
        wanted["volblocksize"] = str(block)
    elif "volblocksize" in wanted:
        try:
            block = size_from(wanted["volblocksize"])
        except BadSize:
            block = setting.BLOCK_SIZE_DEFAULT
    wanted["volsize"] = str(size)
    if not given.has("s") and "refreservation" not in wanted and block:
        wanted["refreservation"] = str(volume_reservation(size, block))


def create_parents(session: Session, name: str) -> None:
    """Makes the ancestors that are missing, without properties."""
    parent = parent_of(name)
    if pool_named(session.state, pool_of(name)) is None:
        raise Refused(f"cannot create '{name}': no such pool '{pool_of(name)}'")
    if "/" in parent and datasets.dataset_named(session.state, parent) is None:
        create_parents(session, parent)
        _create_one(session, parent, FILESYSTEM, {})


def _create_one(session: Session, name: str, kind: str, wanted: dict[str, str]) -> None:
    parent, settings = _prepared(session, name, kind, wanted)
    dialect = DIALECTS[session.system.zfs_dialect]
    session.begin_part()
    made = making.insert(session.state, dialect, name, kind, parent, datasets.next_txg(session.state), int(session.now))
    if kind == FILESYSTEM:
        _take_after(session, parent, made)
    give_first_values(session, made, settings)
    if values.own_value(session.state, made, "normalization") not in {None, "none"}:
        values.set_local(session.state, made, "utf8only", "on")
    first_mount(session, made)


def _take_after(session: Session, parent: Dataset, made: Dataset) -> None:
    """Gives a new filesystem the parent's ways with names, which are fixed when it is made."""
    for name in _FIXED_NAMES:
        value = values.own_value(session.state, parent, name)
        if value is not None:
            values.set_local(session.state, made, name, value)


def _prepared(session: Session, name: str, kind: str, wanted: dict[str, str]) -> tuple[Dataset, list[Setting]]:
    """The parent and the checked settings of a dataset to be made; raises Refused for all that forbids it."""
    dialect = DIALECTS[session.system.zfs_dialect]
    refusal = f"cannot create '{name}': "
    parent = parent_for(session, name, kind)
    if datasets.dataset_named(session.state, name) is not None:
        raise Refused(refusal + "dataset already exists")
    target = Target(kind, creating=True, zoned=mounts.is_zoned(session.state, parent))
    settings = checked_settings(session, target, refusal, wanted)
    _check_consistency(session, refusal, kind, settings)
    needed = dialect.empty_volume_bytes if kind == VOLUME else dialect.empty_filesystem_bytes
    check_space(session, refusal, parent, settings, used=needed, referenced=needed)
    return parent, settings


def refuse_name(session: Session, name: str, kind: str, *, modifying: bool = True) -> None:
    """Raises Refused for a name that no dataset of that kind can have."""
    fault = name_fault(DIALECTS[session.system.zfs_dialect], name, kind, modifying=modifying)
    if fault is not None:
        raise Refused(f"cannot create '{name}': {fault}")


def parent_for(session: Session, name: str, kind: str) -> Dataset:
    """The parent that a new dataset of that name will lie in; raises Refused when it can't."""
    dialect = DIALECTS[session.system.zfs_dialect]
    refusal = f"cannot create '{name}': "
    refuse_name(session, name, kind)
    if dialect.depth is not None and name.count("/") + 1 > dialect.depth:
        raise Refused(refusal + DEEPEST)
    parent_name = parent_of(name)
    if not parent_name:
        raise Refused(refusal + "missing dataset name")
    parent = datasets.dataset_named(session.state, parent_name)
    if parent is None and pool_named(session.state, pool_of(name)) is None:
        raise Refused(refusal + f"no such pool '{pool_of(name)}'")
    if parent is None:
        raise Refused(refusal + "parent does not exist")
    if parent.kind != FILESYSTEM:
        raise Refused(refusal + "parent is not a filesystem")
    return parent


def checked_settings(session: Session, target: Target, refusal: str, wanted: dict[str, str]) -> list[Setting]:
    """All wanted settings, checked one after the other; raises Refused with the first complaint."""
    dialect = DIALECTS[session.system.zfs_dialect]
    try:
        return [checked(dialect, target, name, text) for name, text in wanted.items()]
    except Rejected as rejected:
        raise Refused(refusal + str(rejected)) from rejected


def _check_consistency(session: Session, refusal: str, kind: str, settings: list[Setting]) -> None:
    given = {one.name: one.value for one in settings}
    if int(given.get("version", "3")) < _NAMES_MATTER_SINCE and given.keys() & _FIXED_NAMES:
        raise Refused(refusal + "pool must be upgraded to set this property or value")
    if given.get("normalization", "none") != "none":
        if given.get("utf8only") == "off":
            raise Refused(refusal + "'utf8only' must be set 'on' if normalization chosen")
        if "utf8only" not in given:
            settings.append(checked(DIALECTS[session.system.zfs_dialect], Target(kind, creating=True), "utf8only", "on"))
    if given.get("encryption", "off") != "off" and given.get("keyformat", "none") == "none":
        raise Refused(refusal + "Keyformat required for new encryption root.")
    if kind == VOLUME:
        size, block = int(given["volsize"]), int(given.get("volblocksize", setting.BLOCK_SIZE_DEFAULT))
        if size == 0:
            raise Refused(refusal + "volume size cannot be zero")
        if size % block:
            raise Refused(refusal + "volume size must be a multiple of volume block size")


def check_space(
    session: Session, refusal: str, parent: Dataset, settings: list[Setting], *, used: int, referenced: int
) -> None:
    """Refuses what does not fit into the parent, or a new dataset's own limits below what it will use and refer to."""
    sizes = {one.name: int(one.value) for one in settings if one.name in _SIZED}
    reserved = max(sizes.get("reservation", 0), sizes.get("refreservation", 0))
    too_tight = any(
        0 < sizes.get(limit, 0) < max(reserved, needed) for limit, needed in (("quota", used), ("refquota", referenced))
    )
    # An exhausted quota above does not keep an empty dataset out, only a full pool does.
    chain = [*reversed(datasets.ancestors(session.state, parent)), parent]
    pool_is_full = space.pool_limit(session.state, chain[0]) <= 0
    if (used and pool_is_full) or reserved > space.room_within(session.state, parent) or too_tight:
        raise Refused(refusal + OUT_OF_SPACE)


_SIZED = frozenset({"quota", "refquota", "reservation", "refreservation"})


def give_first_values(session: Session, made: Dataset, settings: Sequence[Setting]) -> None:
    """Stores what a new dataset was made with."""
    for one in settings:
        setting.store(session.state, made, one)


def first_mount(session: Session, made: Dataset) -> None:
    """Mounts a new filesystem that mounts by itself; raises Refused when that fails, and the filesystem stays."""
    if not mounts.mounts_by_itself(session.state, made):
        return
    try:
        session.begin_part()
    except Interrupted:
        place = mounts.mountpoint(session.state, made).value
        session.complain(f"cannot mount '{place}': failed to create mountpoint")
        session.complain("filesystem successfully created, but not mounted")
        raise
    try:
        mounts.mount(session, datasets.dataset_with_id(session.state, made.id))
    except Refused as refused:
        raise Refused(*refused.lines, "filesystem successfully created, but not mounted") from refused


def _dry_run(session: Session, given: Options, name: str, kind: str, wanted: dict[str, str]) -> None:
    """`create -n`: says what would be made, after the checks that need no change."""
    _prepared(session, name, kind, wanted)
    if given.has("P"):
        session.line(f"create\t{name}")
        for property_name, value in wanted.items():
            session.line(f"property\t{property_name}\t{value}")
    elif given.has("v"):
        session.line(f"would create {name}")
        for property_name, value in wanted.items():
            session.line(f"\t{property_name}={value}")
