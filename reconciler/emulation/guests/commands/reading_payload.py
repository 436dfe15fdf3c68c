"""Where a payload comes from: a file, or standard input."""

from collections.abc import Sequence

from reconciler.emulation.guests.failures import Failed, Misused
from reconciler.emulation.guests.payload import parsed
from reconciler.emulation.guests.rows import Json
from reconciler.emulation.session import Session


def payload_from(session: Session, arguments: Sequence[str]) -> Json:
    """The payload that `-f FILE` names, or that stands on standard input; raises Failed and Misused."""
    name = file_named(arguments)
    if name in {None, "-"}:
        return parsed(session.stdin or b"")
    try:
        with session.open_file(str(name)) as file:
            return parsed(file.read())
    except OSError as error:
        raise Failed(f"File: {name} does not exist.") from error


def file_named(arguments: Sequence[str]) -> str | None:
    """What follows `-f`; raises Misused for anything else on the command line."""
    if not arguments:
        return None
    if len(arguments) != 2 or arguments[0] not in {"-f", "--file"}:
        raise Misused(f"Invalid option: {arguments[0]}")
    return arguments[1]
