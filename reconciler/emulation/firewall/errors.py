"""How fwadm says that it could not do something."""

from collections.abc import Sequence


class FwadmError(Exception):
    """A command that fails with one sentence or several."""

    def __init__(self, *messages: str) -> None:
        super().__init__("; ".join(messages))
        self.messages: Sequence[str] = messages


class Misused(Exception):
    """A command line that is wrong: the usage is printed and the exit code is 2."""
