"""The guest that a command line names."""

import re
from collections.abc import Sequence

from reconciler.emulation.guests.failures import Failed, Misused
from reconciler.emulation.guests.rows import Guest, guest_with
from reconciler.emulation.session import Session

# The program itself looks only at where the dashes are.
_UUID_SHAPE = re.compile(r".{8}-.{4}-.{4}-.{4}-.{12}", re.DOTALL)


def uuid_argument(arguments: Sequence[str], subcommand: str) -> tuple[str, list[str]]:
    """The uuid that comes first, and the rest; raises Misused when there is none."""
    if not arguments or not _UUID_SHAPE.fullmatch(arguments[0]):
        raise Misused(f"Invalid or missing UUID for {subcommand}")
    return arguments[0], list(arguments[1:])


def guest_named(session: Session, uuid: str) -> Guest:
    """The guest of that uuid; raises Failed when there is none."""
    found = guest_with(session.state, uuid)
    if found is None:
        raise Failed(f"VM {uuid} not found")
    return found
