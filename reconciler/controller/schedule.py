"""When to look again: an interval with jitter, and after trouble a pause that grows."""

from collections.abc import Callable
from dataclasses import dataclass

FIRST_RETRY_S = 2.0
JITTER = 0.1
_MOST_DOUBLINGS = 32


@dataclass(frozen=True, slots=True)
class Schedule:
    """`interval_s` between looks when all is well; `random` gives numbers from 0 to 1."""

    interval_s: float
    random: Callable[[], float]

    def next_look_s(self, failures: int) -> float:
        """Seconds until the next look after that many passes in a row that should be tried again soon."""
        pause = min(self.interval_s, FIRST_RETRY_S * 2.0 ** min(failures - 1, _MOST_DOUBLINGS)) if failures else self.interval_s
        return pause * (1 - JITTER + 2 * JITTER * self.random())
