"""Two ways to do the same work, taking turns: what counts is the median of the ratios, for machines are noisy."""

import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from results import Figure


@dataclass(frozen=True)
class Times:
    """Wall and CPU seconds of each round of one way; CPU is that of the processes that it starts."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def take(self, work: Callable[[], object]) -> None:
        before, began = _children_cpu(), time.perf_counter()
        work()
        self.wall.append(time.perf_counter() - began)
        self.cpu.append(_children_cpu() - before)

    def figure(self, what: str, floor: "Times", bar: float | None) -> Figure:
        """How many times as long as the floor it took, and in brackets what both took."""
        ratio = statistics.median(ours / least for ours, least in zip(self.wall, floor.wall, strict=True))
        return Figure(f"{what} ({_ms(floor.wall)} / {_ms(self.wall)})", ratio, "x", bar, statistics.median(self.cpu) * 1000)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _ms(seconds: Sequence[float]) -> str:
    return f"{statistics.median(seconds) * 1000:,.0f} ms"
