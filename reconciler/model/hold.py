"""A hold: somebody keeps our hands off one object, or a whole host, for a while."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from reconciler.model.key import Key, ObjectName


@dataclass(frozen=True, slots=True)
class Hold:
    """`name` is None where the whole host is held. `who` is `user@machine`; both times are aware."""

    name: ObjectName | None
    who: str
    why: str
    since: datetime
    until: datetime

    def target(self, host: str) -> str:
        """What is held, as the command line names it: `host` or `host/Kind/name`."""
        return host if self.name is None else str(Key(host, *self.name))

    def covers(self, name: ObjectName) -> bool:
        return self.name is None or self.name == name


def active(holds: Iterable[Hold], now: datetime) -> tuple[Hold, ...]:
    """Those that have not expired, the host's first, then by name."""
    return tuple(sorted((hold for hold in holds if now < hold.until), key=lambda hold: hold.name or ObjectName("", "")))
