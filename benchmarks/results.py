"""benchmarks/results.md: one section with one table per script; each script renews its own."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PLACE = Path(__file__).resolve().parent / "results.md"
_HEAD = (
    "# Results\n\n`make bench` renews these tables. A bar is the most that a figure may be; **bold** figures are those that "
    "have one.\nWall times of one machine on one day mean little: ratios against a floor measured in turns with us hold, and "
    "CPU time mostly does.\n"
)


@dataclass(frozen=True)
class Figure:
    """One measured figure: value and bar in `unit`; `cpu_ms` where the CPU time says more than the clock."""

    what: str
    value: float
    unit: str
    bar: float | None = None
    cpu_ms: float | None = None

    @property
    def is_missed(self) -> bool:
        return self.bar is not None and self.value > self.bar

    def row(self) -> str:
        shown = _shown(self.value, self.unit)
        value = f"**{shown}**" if self.bar is not None else shown
        bar = _shown(self.bar, self.unit) if self.bar is not None else "-"
        cpu = f"{self.cpu_ms:.0f} ms" if self.cpu_ms is not None else "-"
        return f"| {self.what} | {value} | {bar}{' **missed**' if self.is_missed else ''} | {cpu} |"


def write(title: str, how: str, figures: Sequence[Figure]) -> None:
    """Puts the section in the place of the old one of that title, or at the end."""
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    # Ours and the daemon's share the cores with whatever else runs: above one per core, the clock measures that too.
    machine += f", load average {os.getloadavg()[0]:.1f} at the end"
    table = "\n".join(("| what | figure | bar | CPU |", "|---|---|---|---|", *(figure.row() for figure in figures)))
    section = f"## {title}\n\n{machine}. {how}\n\n{table}\n"
    text = PLACE.read_text() if PLACE.exists() else ""
    sections = {part.split("\n", 1)[0]: f"## {part.rstrip()}\n" for part in text.split("\n## ")[1:]}
    sections[title] = section
    PLACE.write_text("\n".join((_HEAD, *sections.values())))


def _shown(value: float, unit: str) -> str:
    """`unit` is x for a ratio and empty for a count; neither is written."""
    if unit in ("x", ""):
        return f"{value:.2f}" if unit else f"{value:.0f}"
    return f"{value:,.{1 if value < 10 else 0}f} {unit}"
