"""The `zfs` program: its subcommands and how each of them ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from reconciler.emulation.session import Session, Tool
from reconciler.emulation.zfs.commands.clone import clone
from reconciler.emulation.zfs.commands.create import create
from reconciler.emulation.zfs.commands.destroy import destroy
from reconciler.emulation.zfs.commands.get import get
from reconciler.emulation.zfs.commands.hold import hold, holds, release
from reconciler.emulation.zfs.commands.list import list_datasets
from reconciler.emulation.zfs.commands.mount import mount, unmount
from reconciler.emulation.zfs.commands.rename import rename
from reconciler.emulation.zfs.commands.set import inherit, set_properties
from reconciler.emulation.zfs.commands.snapshot import promote, rollback, snapshot
from reconciler.emulation.zfs.errors import Misused, Refused

Subcommand = Callable[[Session, Sequence[str]], int]

_SUBCOMMANDS: Mapping[str, Subcommand] = MappingProxyType(
    {
        "create": create,
        "destroy": destroy,
        "snapshot": snapshot,
        "snap": snapshot,
        "rollback": rollback,
        "clone": clone,
        "promote": promote,
        "rename": rename,
        "list": list_datasets,
        "set": set_properties,
        "get": get,
        "inherit": inherit,
        "mount": mount,
        "unmount": unmount,
        "umount": unmount,
        "hold": hold,
        "holds": holds,
        "release": release,
    }
)
_READING = frozenset({"list", "get", "holds"})

_USAGE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "create": (
            "[-p] [-o property=value] ... <filesystem>",
            "[-ps] [-b blocksize] [-o property=value] ... -V <size> <volume>",
        ),
        "destroy": ("[-rRf] <filesystem|volume>", "[-rRd] <snapshot>"),
        "snapshot": ("[-r] [-o property=value] ... <filesystem@snapname|volume@snapname>",),
        "rollback": ("[-rRf] <snapshot>",),
        "clone": ("[-p] [-o property=value] ... <snapshot> <filesystem|volume>",),
        "promote": ("<clone-filesystem>",),
        "rename": (
            "<filesystem|volume|snapshot> <filesystem|volume|snapshot>",
            "-p <filesystem|volume> <filesystem|volume>",
            "-r <snapshot> <snapshot>",
        ),
        "list": ("[-rH][-d max] [-o property[,...]] [-t type[,...]] [-s property] ... [filesystem|volume|snapshot] ...",),
        "set": ("<property=value> <filesystem|volume|snapshot> ...",),
        "get": ('[-rHp] [-d max] [-o "all" | field[,...]] [-s source[,...]] <"all" | property[,...]> [dataset] ...',),
        "inherit": ("[-rS] <property> <filesystem|volume|snapshot> ...",),
        "mount": ("", "[-vO] [-o opts] <-a | filesystem>"),
        "unmount": ("[-f] <-a | filesystem|mountpoint>",),
        "hold": ("[-r] <tag> <snapshot> ...",),
        "holds": ("[-r] <snapshot> ...",),
        "release": ("[-r] <tag> <snapshot> ...",),
    }
)
_FULL_NAMES = {"snap": "snapshot", "umount": "unmount"}


def _run(session: Session, arguments: Sequence[str]) -> int:
    if not arguments:
        session.complain("missing command")
        _print_usage(session, tuple(_USAGE))
        return 2
    name, *rest = arguments
    subcommand = _SUBCOMMANDS.get(name)
    if subcommand is None:
        session.complain(f"unrecognized command '{name}'")
        _print_usage(session, tuple(_USAGE))
        return 2
    try:
        return subcommand(session, rest)
    except Refused as refused:
        session.complain("\n".join(refused.lines))
        return refused.code
    except Misused as misused:
        if str(misused):
            session.complain(str(misused))
        _print_usage(session, (_FULL_NAMES.get(name, name),))
        return 2


def _print_usage(session: Session, names: Sequence[str]) -> None:
    session.complain("usage: zfs command args ..." if len(names) > 1 else "usage:")
    for name in names:
        for form in _USAGE[name]:
            session.complain(f"\t{name} {form}".rstrip())
    session.complain("\nFor the property list, run: zfs set|get")


def _only_reads(arguments: Sequence[str]) -> bool:
    return not arguments or arguments[0] in _READING or arguments[0] not in _SUBCOMMANDS or arguments == ["mount"]


ZFS = Tool(run=_run, only_reads=_only_reads)
