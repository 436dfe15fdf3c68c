"""The `zpool` program: list, get and status."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from reconciler.emulation.session import Session, Tool, always_reads
from reconciler.emulation.zfs.dialect import DIALECTS, Dialect
from reconciler.emulation.zfs.errors import Misused
from reconciler.emulation.zfs.options import options
from reconciler.emulation.zfs.pools import Pool, pool_named, pools
from reconciler.emulation.zfs.table import aligned
from reconciler.emulation.zpool.properties import cells, feature_names, full_name, names

_NUMBERS = frozenset({"size", "allocated", "free", "capacity", "fragmentation", "expandsize", "checkpoint", "guid"})
_TITLES = {
    "allocated": "ALLOC",
    "capacity": "CAP",
    "dedupratio": "DEDUP",
    "fragmentation": "FRAG",
    "expandsize": "EXPANDSZ",
    "checkpoint": "CKPOINT",
}
_FIELDS = ("name", "property", "value", "source")


def _list(session: Session, arguments: Sequence[str]) -> int:
    dialect = DIALECTS[session.system.zfs_dialect]
    given = options(arguments, "Ho:T:v" + ("p" if dialect.zpool_parsable else ""), anywhere=dialect.options_anywhere)
    columns = _named(dialect, given.last("o") or _default_columns(dialect))
    chosen, failed = _chosen(session, given.operands)
    rows = []
    for pool in chosen:
        known = cells(session.state, dialect, pool, exact=given.has("p"))
        rows.append([known[column].value for column in columns])
    if given.has("H"):
        session.out.extend("\t".join(row) + "\n" for row in rows)
    elif rows:
        titles = [_TITLES.get(column, column.upper()) for column in columns]
        session.out.extend(aligned([titles, *rows], right=[column in _NUMBERS for column in columns]))
    elif not failed:
        session.line("no pools available")
    return int(failed)


def _default_columns(dialect: Dialect) -> str:
    if dialect.zpool_get_options:
        return "name,size,allocated,free,checkpoint,expandsize,fragmentation,capacity,dedupratio,health,altroot"
    return "name,size,allocated,free,capacity,dedupratio,health,altroot"


def _named(dialect: Dialect, text: str) -> tuple[str, ...]:
    found = []
    for name in text.split(","):
        full = full_name(dialect, name)
        if full is None:
            raise Misused(f"bad property list: invalid property '{name}'")
        found.append(full)
    return tuple(found)


def _chosen(session: Session, wanted: Sequence[str]) -> tuple[list[Pool], bool]:
    """The pools of those names, all when none is named; complains of each that is not there."""
    if not wanted:
        return pools(session.state), False
    found: dict[str, Pool] = {}
    failed = False
    for name in wanted:
        pool = pool_named(session.state, name)
        if pool is None:
            session.complain(f"cannot open '{name}': no such pool")
            failed = True
        else:
            found[name] = pool
    return list(found.values()), failed


def _get(session: Session, arguments: Sequence[str]) -> int:
    dialect = DIALECTS[session.system.zfs_dialect]
    if dialect.zpool_get_options:
        given = options(arguments, "Hpo:", anywhere=dialect.options_anywhere)
        operands: Sequence[str] = given.operands
        exact, bare, fields = given.has("p"), given.has("H"), tuple((given.last("o") or ",".join(_FIELDS)).split(","))
    else:
        operands, exact, bare, fields = arguments, False, False, _FIELDS
    for field in fields:
        if field not in _FIELDS:
            raise Misused(f"invalid column name '{field}'")
    if not operands:
        raise Misused("missing property argument" if dialect.zpool_get_options else "")
    if operands[0] == "all":
        wanted: tuple[str, ...] = (*names(dialect), *feature_names(dialect))
    else:
        wanted = _named(dialect, operands[0])
    if not dialect.zpool_get_options and len(operands) < 2:
        raise Misused
    chosen, failed = _chosen(session, operands[1:])
    rows = []
    for pool in chosen:
        known = cells(session.state, dialect, pool, exact=exact)
        for name in wanted:
            cell = known.get(name)
            if cell is None:
                continue
            row = {"name": pool.name, "property": name, "value": cell.value, "source": cell.source}
            rows.append([row[field] for field in fields])
    if bare:
        session.out.extend("\t".join(row) + "\n" for row in rows)
    elif rows:
        session.out.extend(aligned([[field.upper() for field in fields], *rows]))
    return int(failed)


def _status(session: Session, arguments: Sequence[str]) -> int:
    dialect = DIALECTS[session.system.zfs_dialect]
    given = options(arguments, "xvT:D", anywhere=dialect.options_anywhere)
    chosen, failed = _chosen(session, given.operands)
    only_sick = given.has("x")
    sick = [pool for pool in chosen if pool.health != "ONLINE"]
    if only_sick and not sick and not failed:
        if not chosen:
            session.line("no pools available")
        elif given.operands:
            session.out.extend(f"pool '{pool.name}' is healthy\n" for pool in chosen)
        else:
            session.line("all pools are healthy")
    elif not chosen and not failed:
        session.line("no pools available")
    for place, pool in enumerate(sick if only_sick else chosen):
        if place:
            session.line("")
        _print_status(session, pool, scan_word="scan" if dialect.zpool_get_options else "scrub")
    return int(failed)


_HEALTH_TEXT: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "DEGRADED": (
            "One or more devices could not be used; the others still hold all data.",
            "Replace the device with 'zpool replace'.",
        ),
        "FAULTED": ("The pool's data can't be read.", "Restore the pool from a backup."),
        "SUSPENDED": (
            "One or more devices failed, and input and output wait for them.",
            "Make the devices available again, then run 'zpool clear'.",
        ),
    }
)


def _print_status(session: Session, pool: Pool, *, scan_word: str) -> None:
    session.line(f"  pool: {pool.name}")
    session.line(f" state: {pool.health}")
    for title, text in zip(("status", "action"), _HEALTH_TEXT.get(pool.health, ()), strict=False):
        session.line(f"{title}: {text}")
    session.line(f"{scan_word.rjust(6)}: none requested")
    session.line("config:")
    session.line("")
    width = max(len(pool.name), len("  c1t0d0"), len("NAME"))
    session.line(f"\t{'NAME'.ljust(width)}  STATE     READ WRITE CKSUM")
    for name in (pool.name, "  c1t0d0"):
        session.line(f"\t{name.ljust(width)}  {pool.health:<8}     0     0     0")
    session.line("")
    session.line("errors: No known data errors")


_SUBCOMMANDS: Mapping[str, tuple[Callable[[Session, Sequence[str]], int], str]] = MappingProxyType(
    {
        "list": (_list, "[-H] [-o property[,...]] [pool] ..."),
        "get": (_get, '<"all" | property[,...]> <pool> ...'),
        "status": (_status, "[-vx] [-T d|u] [pool] ..."),
    }
)


def _run(session: Session, arguments: Sequence[str]) -> int:
    name = arguments[0] if arguments else ""
    if name not in _SUBCOMMANDS:
        session.complain(f"unrecognized command '{name}'" if arguments else "missing command")
        session.complain("usage: zpool command args ...")
        for known, (_, form) in _SUBCOMMANDS.items():
            session.complain(f"\t{known} {form}")
        return 2
    subcommand, form = _SUBCOMMANDS[name]
    try:
        return subcommand(session, arguments[1:])
    except Misused as misused:
        if str(misused):
            session.complain(str(misused))
        session.complain(f"usage:\n\t{name} {form}")
        return 2


ZPOOL = Tool(run=_run, only_reads=always_reads)
