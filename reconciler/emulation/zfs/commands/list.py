"""`zfs list`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reconciler.emulation.session import Session
from reconciler.emulation.zfs.commands.get import properties_named
from reconciler.emulation.zfs.computed import Known
from reconciler.emulation.zfs.dialect import DIALECTS
from reconciler.emulation.zfs.errors import Misused
from reconciler.emulation.zfs.options import options
from reconciler.emulation.zfs.properties import FILESYSTEM, SNAPSHOT, VOLUME, Form, Native, is_user_property, native_named
from reconciler.emulation.zfs.reading import UNSET, Reader
from reconciler.emulation.zfs.selecting import integer, kinds_option, reach_option, selected
from reconciler.emulation.zfs.table import aligned

_DEFAULT_COLUMNS = "name,used,available,referenced,mountpoint"
_TITLES = {
    "available": "AVAIL",
    "referenced": "REFER",
    "compression": "COMPRESS",
    "compressratio": "RATIO",
    "recordsize": "RECSIZE",
    "volblocksize": "VOLBLOCK",
    "reservation": "RESERV",
    "refreservation": "REFRESERV",
    "readonly": "RDONLY",
    "casesensitivity": "CASE",
    "logicalreferenced": "LREFER",
    "logicalused": "LUSED",
    "usedbysnapshots": "USEDSNAP",
    "usedbydataset": "USEDDS",
    "usedbychildren": "USEDCHILD",
    "usedbyrefreservation": "USEDREFRESERV",
    "refcompressratio": "REFRATIO",
    "redundant_metadata": "REDUND_MD",
}
_NUMBERS = frozenset({Form.SIZE, Form.LIMIT, Form.COUNT, Form.NUMBER})


def list_datasets(session: Session, arguments: Sequence[str]) -> int:
    """`zfs list [-rH] [-d N] [-t types] [-o columns] [-s|-S property] [NAME…]`."""
    dialect = DIALECTS[session.system.zfs_dialect]
    letters = "d:o:rt:Hs:S:" + ("p" if dialect.list_parsable else "")
    given = options(arguments, letters, anywhere=dialect.options_anywhere)
    kinds = frozenset({FILESYSTEM, VOLUME})
    sorting: list[tuple[bool, Native | str]] = []
    # What is wrong with an option is said in the order of the options.
    for letter, text in given.given:
        if letter == "d":
            integer(text)
        elif letter == "t":
            kinds = kinds_option(text)
        elif letter in "sS":
            sorting.append((letter == "S", _sort_property(session, text)))
    columns = properties_named(session, _DEFAULT_COLUMNS if (wanted := given.last("o")) is None else wanted)
    # A snapshot that is named itself is listed although those of its dataset are not.
    chosen, failed = selected(
        session,
        given.operands,
        kinds=kinds,
        named_kinds=kinds if given.has("t") else kinds | {SNAPSHOT},
        reach=reach_option(given),
        paths=True,
    )
    reader = Reader(session.state, dialect, chosen, exact=given.has("p"))
    known = _sorted(Reader(session.state, dialect, chosen, exact=True), list(reader.known()), sorting)
    rows = [[_shown(reader, one, column) for column in columns] for one in known]
    if given.has("H"):
        session.out.extend("\t".join(row) + "\n" for row in rows)
    elif rows:
        titles = [_title(column) for column in columns]
        right = [isinstance(column, Native) and column.form in _NUMBERS for column in columns]
        session.out.extend(aligned([titles, *rows], right=right))
    elif not failed:
        session.line("no datasets available")
    return int(failed)


def _sort_property(session: Session, text: str) -> Native | str:
    native = native_named(DIALECTS[session.system.zfs_dialect], text)
    if native is None and not is_user_property(text):
        raise Misused(f"invalid property '{text}'")
    return native or text


def _sorted(reader: Reader, known: list[Known], sorting: Sequence[tuple[bool, Native | str]]) -> list[Known]:
    for reverse, wanted in reversed(sorting):
        known = sorted(known, key=_sort_key(reader, wanted), reverse=reverse)
    return known


def _sort_key(reader: Reader, wanted: Native | str) -> Callable[[Known], tuple[int, int, str]]:
    is_number = isinstance(wanted, Native) and wanted.form in _NUMBERS | {Form.TIME}

    def key(known: Known) -> tuple[int, int, str]:
        text = _shown(reader, known, wanted)
        if text == UNSET:
            return (1, 0, "")
        return (0, int(text), "") if is_number else (0, 0, text)

    return key


def _shown(reader: Reader, known: Known, column: Native | str) -> str:
    if isinstance(column, str):
        return reader.user_cell(known, column).value
    cell = reader.native_cell(known, column)
    return UNSET if cell is None else cell.value


def _title(column: Native | str) -> str:
    if isinstance(column, str):
        return column.upper()
    return _TITLES.get(column.name, column.name.upper())
