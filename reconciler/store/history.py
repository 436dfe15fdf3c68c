"""What the journal tells: the actions that were begun, what became of each, and with which commands."""

from dataclasses import dataclass

from reconciler.model.key import Key
from reconciler.store.database import Database


@dataclass(frozen=True, slots=True)
class Entry:
    """One action with a durable intent. Times in seconds since the epoch.

    `ended` and `state` are None when nothing is known of its end: it is next, it runs, or we were stopped. `failed_command` is
    the full line of the command at fault.
    """

    key: Key
    verb: str
    revision: str
    started: float
    ended: float | None
    state: str | None
    attempts: int
    commands: tuple[tuple[str, ...], ...]
    failure: str
    failed_command: str
    remedy: str


def history(
    database: Database, *, host: str | None = None, key: Key | None = None, since: float = 0.0, limit: int = 50
) -> tuple[Entry, ...]:
    """The newest entries, oldest first: of one key, of one host, or of all; none that began before `since`."""
    wanted, values = ["started >= ?"], [since]
    place: tuple[object, ...] = ()
    if key is not None:
        wanted.append("host = ? AND kind = ? AND name = ?")
        place = tuple(key)
    elif host is not None:
        wanted.append("host = ?")
        place = (host,)
    query = (
        "SELECT host, kind, name, verb, revision, started, ended, state, attempts, commands, failure, command, remedy "  # noqa: S608 - constants of ours
        f"FROM journal WHERE {' AND '.join(wanted)} ORDER BY id DESC LIMIT ?"
    )
    rows = database.rows(query, (*values, *place, limit))
    return tuple(_entry(database, *cells) for cells in rows)[::-1]


def keys_in_history(database: Database, host: str) -> frozenset[Key]:
    """All keys of a host of which the journal still knows something."""
    rows = database.rows("SELECT DISTINCT kind, name FROM journal WHERE host = ?", (host,))
    return frozenset(Key(host, str(kind), str(name)) for kind, name in rows)


def _entry(
    database: Database,
    host: object,
    kind: object,
    name: object,
    verb: object,
    revision: object,
    started: object,
    ended: object,
    state: object,
    attempts: object,
    commands: object,
    failure: object,
    command: object,
    remedy: object,
) -> Entry:
    return Entry(
        Key(str(host), str(kind), str(name)),
        str(verb),
        str(revision),
        float(str(started)),
        None if ended is None else float(str(ended)),
        None if state is None else str(state),
        int(str(attempts or 0)),
        tuple(tuple(argv) for argv in database.document(commands)),
        str(failure or ""),
        str(command or ""),
        str(remedy or ""),
    )
