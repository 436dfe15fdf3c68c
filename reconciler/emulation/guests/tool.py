"""The `vmadm` program: its subcommands and how each of them ends (smartos-vmadm.md 1)."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType

from reconciler.emulation.guests.commands.create import create, validate
from reconciler.emulation.guests.commands.looking import events, get, info, list_guests, lookup
from reconciler.emulation.guests.commands.power import kill, reboot, start, stop, sysrq
from reconciler.emulation.guests.commands.removal import delete, reprovision
from reconciler.emulation.guests.commands.snapshots import create_snapshot, delete_snapshot, rollback_snapshot
from reconciler.emulation.guests.commands.update import update
from reconciler.emulation.guests.failures import Failed, Misused
from reconciler.emulation.session import Session, Tool

_USAGE = "Usage: vmadm <command> [options]"


def _refused(name: str) -> Callable[[Session, Sequence[str]], int]:
    def refuse(session: Session, arguments: Sequence[str]) -> int:
        del session, arguments
        raise Failed(f"vmadm {name}: not supported on an emulated host")

    return refuse


_SUBCOMMANDS: Mapping[str, Callable[[Session, Sequence[str]], int]] = MappingProxyType(
    {
        "create": create,
        "validate": validate,
        "get": get,
        "lookup": lookup,
        "list": list_guests,
        "update": update,
        "start": start,
        "stop": stop,
        "reboot": reboot,
        "delete": delete,
        "reprovision": reprovision,
        "create-snapshot": create_snapshot,
        "rollback-snapshot": rollback_snapshot,
        "delete-snapshot": delete_snapshot,
        "kill": kill,
        "sysrq": sysrq,
        "info": info,
        "events": events,
        **{name: _refused(name) for name in ("console", "send", "receive", "install")},
    }
)
_ALIASES = {"boot": "start", "halt": "stop", "destroy": "delete", "json": "get", "recv": "receive"}
_WRITING = frozenset(
    {
        "create", "update", "start", "stop", "reboot", "delete", "reprovision", "create-snapshot", "rollback-snapshot",
        "delete-snapshot",
    }
)  # fmt: skip
_WITH_PAYLOAD = frozenset({"create", "validate", "update", "reprovision"})


def _named(arguments: Sequence[str]) -> str:
    return _ALIASES.get(arguments[0], arguments[0]) if arguments else ""


def _run(session: Session, arguments: Sequence[str]) -> int:
    name = _named(arguments)
    subcommand = _SUBCOMMANDS.get(name)
    try:
        if subcommand is None:
            raise Misused(f"Invalid command: '{name}'" if name else "")
        return subcommand(session, arguments[1:])
    except Failed as failed:
        session.complain(str(failed))
        return 1
    except Misused as misused:
        if str(misused):
            session.complain(str(misused))
        session.complain(_USAGE)
        return 2


def _only_reads(arguments: Sequence[str]) -> bool:
    return _named(arguments) not in _WRITING


def _reads_stdin(arguments: Sequence[str]) -> bool:
    if _named(arguments) not in _WITH_PAYLOAD:
        return False
    rest = list(arguments[1:])
    if _named(arguments) == "update" and len(rest) > 1 and not rest[1].startswith("-"):
        return False
    for word, value in pairwise(rest):
        if word in {"-f", "--file"}:
            return value == "-"
    return True


VMADM = Tool(run=_run, only_reads=_only_reads, reads_stdin=_reads_stdin)
