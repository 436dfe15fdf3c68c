"""The `fwadm` program: its subcommands and how each of them ends."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from reconciler.emulation.dashdash import BadOption, Given, Table
from reconciler.emulation.firewall import commands
from reconciler.emulation.firewall.errors import FwadmError, Misused
from reconciler.emulation.session import Session, Tool


@dataclass(frozen=True, slots=True)
class _Subcommand:
    run: Callable[[Session, Given], None]
    options: Table
    usage: str
    reads: bool = False
    payload: bool = False


_SUBCOMMANDS: Mapping[str, _Subcommand] = MappingProxyType(
    {
        "add": _Subcommand(commands.add, commands.CHANGING, "add -f <filename> [-jn]", payload=True),
        "update": _Subcommand(commands.update, commands.CHANGING, "update [rule UUID] -f <filename> [-jn]", payload=True),
        "delete": _Subcommand(commands.delete, commands.CHANGING, "delete <rule UUID> [rule UUID...]"),
        "list": _Subcommand(commands.list_rules, commands.LISTING, "list [-j] [-o field,...] [-p [-d delim]]", reads=True),
        "get": _Subcommand(commands.get, commands.LISTING, "get <rule UUID>", reads=True),
        "enable": _Subcommand(commands.enable, commands.CHANGING, "enable <rule UUID>"),
        "disable": _Subcommand(commands.disable, commands.CHANGING, "disable <rule UUID>"),
        "vms": _Subcommand(commands.vms, commands.LISTING, "vms <rule UUID>", reads=True),
        "rules": _Subcommand(commands.rules_of, commands.LISTING, "rules <VM UUID>", reads=True),
        "status": _Subcommand(commands.status, commands.LISTING, "status <VM UUID>", reads=True),
        "start": _Subcommand(commands.start, commands.CHANGING, "start <VM UUID>"),
        "stop": _Subcommand(commands.stop, commands.CHANGING, "stop <VM UUID>"),
        "add-rvm": _Subcommand(commands.add_remote, commands.CHANGING, "add-rvm -f <filename>", payload=True),
        "list-rvms": _Subcommand(commands.list_remote, commands.LISTING, "list-rvms [-j]", reads=True),
        "get-rvm": _Subcommand(commands.get_remote, commands.LISTING, "get-rvm <remote VM UUID>", reads=True),
        "delete-rvm": _Subcommand(commands.delete_remote, commands.CHANGING, "delete-rvm <remote VM UUID>"),
    }
)


def _run(session: Session, arguments: Sequence[str]) -> int:
    if arguments and arguments[0] in {"help", "-h", "--help"}:
        for one in _SUBCOMMANDS.values():
            session.line(f"fwadm {one.usage}")
        return 0
    name = arguments[0] if arguments else ""
    subcommand = _SUBCOMMANDS.get(name)
    if subcommand is None:
        session.complain(f"fwadm: unknown command: '{name}'" if name else "fwadm: no command given")
        return 2
    try:
        given = subcommand.options.read(arguments[1:])
    except BadOption as bad:
        session.complain(f"fwadm {name}: {bad}")
        session.complain(f"Usage: fwadm {subcommand.usage}")
        return 2
    try:
        subcommand.run(session, given)
    except Misused:
        session.complain(f"Usage: fwadm {subcommand.usage}")
        return 2
    except FwadmError as refused:
        _complain(session, refused, as_json="json" in given.flags)
        return 1
    return 0


def _complain(session: Session, refused: FwadmError, *, as_json: bool) -> None:
    if as_json:
        session.complain(json.dumps({"errors": [{"message": one} for one in refused.messages]}, indent=2, ensure_ascii=False))
        return
    for one in refused.messages:
        session.complain(one)


def _given(arguments: Sequence[str]) -> tuple[_Subcommand, Given] | None:
    subcommand = _SUBCOMMANDS.get(arguments[0]) if arguments else None
    if subcommand is None:
        return None
    try:
        return subcommand, subcommand.options.read(arguments[1:])
    except BadOption:
        return None


def _only_reads(arguments: Sequence[str]) -> bool:
    found = _given(arguments)
    return found is None or found[0].reads or ("dryrun" in found[1].flags and arguments[0] not in {"start", "stop"})


def _reads_stdin(arguments: Sequence[str]) -> bool:
    found = _given(arguments)
    return found is not None and found[0].payload and commands.reads_stdin(found[1])


FWADM = Tool(run=_run, only_reads=_only_reads, reads_stdin=_reads_stdin)
