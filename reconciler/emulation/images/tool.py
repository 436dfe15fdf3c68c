"""The `imgadm` program: its subcommands and how each of them ends (smartos-vmadm.md 10)."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from reconciler.emulation.dashdash import BadOption
from reconciler.emulation.images import configuring, deleting, importing, looking
from reconciler.emulation.images.errors import ImgadmError
from reconciler.emulation.session import Session, Tool

Subcommand = Callable[[Session, Sequence[str]], int]

_SUBCOMMANDS: Mapping[str, tuple[Subcommand, str]] = MappingProxyType(
    {
        "sources": (configuring.configure, "list and edit image sources"),
        "avail": (looking.avail, "list available images"),
        "show": (looking.show, "show manifest of an available image"),
        "import": (importing.import_image, "import image from a source"),
        "install": (importing.install, "install an image from local files"),
        "list": (looking.list_images, "list installed images"),
        "get": (looking.get, "get info on an installed image"),
        "update": (importing.update, "update installed images"),
        "delete": (deleting.delete, "remove an installed image"),
        "ancestry": (looking.ancestry, "show ancestry of an installed image"),
        "vacuum": (deleting.vacuum, "delete unused images"),
    }
)
_READING = frozenset({"avail", "show", "list", "get", "ancestry"})
_STRUCTURED = "-E"
_VERSION = "imgadm 3.12.0"


def _run(session: Session, arguments: Sequence[str]) -> int:
    structured, rest = _global_options(arguments)
    if not rest or rest[0] in {"-h", "--help", "help", "?"}:
        _print_help(session)
        return 0 if rest else 1
    if rest[0] == "--version":
        session.line(_VERSION)
        return 0
    name = rest[0]
    try:
        if name not in _SUBCOMMANDS:
            raise _unknown(name)
        return _SUBCOMMANDS[name][0](session, rest[1:])
    except BadOption as bad:
        failed = ImgadmError("UnknownOption" if str(bad).startswith("unknown") else "Usage", str(bad))
    except ImgadmError as refused:
        failed = refused
    shown = f"imgadm {name}" if name in _SUBCOMMANDS else "imgadm"
    if structured:
        session.complain(_record(session, failed, shown))
    else:
        session.complain(f"{shown}: error ({failed.code}): {failed.message}")
    return failed.exit_code


def _global_options(arguments: Sequence[str]) -> tuple[bool, list[str]]:
    rest = list(arguments)
    structured = False
    while rest and rest[0] in {_STRUCTURED, "-v", "--verbose"}:
        structured |= rest.pop(0) == _STRUCTURED
    return structured, rest


def _unknown(name: str) -> ImgadmError:
    if name.startswith("-"):
        return ImgadmError("UnknownOption", f'unknown option: "{name}"')
    return ImgadmError("UnknownCommand", f'unknown command: "{name}"')


def _record(session: Session, failed: ImgadmError, shown: str) -> str:
    """The line of a log in JSON that `-E` asks for."""
    err = {"message": failed.message, "name": f"{failed.code}Error", "code": failed.code, "exitStatus": failed.exit_code}
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(session.now))
    record = {
        "name": "imgadm",
        "hostname": session.state.fact("hostname"),
        "pid": 4242,
        "level": 50,
        "err": err,
        "msg": f"{shown}: error ({failed.code}): {failed.message}",
        "time": f"{at}.000Z",
        "v": 0,
    }
    return json.dumps(record, ensure_ascii=False)


def _print_help(session: Session) -> None:
    session.line("Manage SmartOS virtual machine images.\n\nUsage:\n    imgadm [OPTIONS] COMMAND [ARGS...]\n\nCommands:")
    for name, (_, text) in _SUBCOMMANDS.items():
        session.line(f"    {name:<16}{text}")


def _only_reads(arguments: Sequence[str]) -> bool:
    _, rest = _global_options(arguments)
    if not rest or rest[0] not in _SUBCOMMANDS or rest[0] in _READING:
        return True
    if rest[0] == "vacuum":
        return any(word in {"-n", "--dry-run"} for word in rest)
    try:
        return rest[0] == "sources" and not {"a", "d"} & configuring.OPTIONS.read(rest[1:]).values.keys()
    except BadOption:
        return True


def _reads_stdin(arguments: Sequence[str]) -> bool:
    _, rest = _global_options(arguments)
    return rest[:1] == ["vacuum"] and not {"-f", "--force", "-n", "--dry-run"} & set(rest)


IMGADM = Tool(run=_run, only_reads=_only_reads, reads_stdin=_reads_stdin)
