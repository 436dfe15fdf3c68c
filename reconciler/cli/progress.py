"""Progress of an apply on stderr: a live table on a terminal, one line per action otherwise."""

import contextlib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from reconciler.cli.output import is_terminal
from reconciler.hosts.execute import Progress
from reconciler.model.outcome import Outcome
from reconciler.model.plan import Action
from reconciler.planning.words import printable

BETWEEN_LINES_S = 10.0
"""How often a log hears of a long command; a terminal is told each time."""


class LineProgress:
    """One line per finished action, and now and then how far a long one is."""

    def __init__(self) -> None:
        self._spoke: dict[str, float] = {}

    def started(self, action: Action) -> None:
        """Lines are written when actions end."""

    def told(self, action: Action, line: str) -> None:
        now = time.monotonic()
        if now - self._spoke.get(action.id, -BETWEEN_LINES_S) < BETWEEN_LINES_S:
            return
        self._spoke[action.id] = now
        with contextlib.suppress(OSError):
            click.echo(f"{action.key.host}  {action.verb} {action.key.object}: {printable(line)}", err=True)

    def ended(self, action: Action, outcome: Outcome) -> None:
        # Nobody reading any more is no reason to leave actions half done.
        with contextlib.suppress(OSError):
            for line in _lines(action, outcome):
                click.echo(line, err=True)


class LiveProgress(LineProgress):
    """Finished actions scroll by; what is running stands below with a count."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        super().__init__()
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=total)
        self._running: list[str] = []
        self._told = ""

    def started(self, action: Action) -> None:
        self._running.append(f"{action.verb} {action.key.name}")
        self._show()

    def told(self, action: Action, line: str) -> None:
        self._told = f"{action.key.name}: {printable(line)}"
        self._show()

    def ended(self, action: Action, outcome: Outcome) -> None:
        for line in _lines(action, outcome):
            self._bar.console.print(line, markup=False, highlight=False)
        name = f"{action.verb} {action.key.name}"
        if name in self._running:
            self._running.remove(name)
        if self._told.startswith(f"{action.key.name}: "):
            self._told = ""
        self._bar.advance(self._task)
        self._show()

    def _show(self) -> None:
        more = f" and {len(self._running) - 1} more" if len(self._running) > 1 else ""
        said = f"{self._running[0]}{more}" if self._running else "looking again"
        self._bar.update(self._task, description=f"{said} ({self._told})" if self._told else said)

    @contextmanager
    def shown(self) -> Iterator[None]:
        with self._bar:
            yield


@contextmanager
def progress(total: int) -> Iterator[Progress]:
    """The progress that fits where stderr goes."""
    if not is_terminal(sys.stderr) or total == 0:
        yield LineProgress()
        return
    live = LiveProgress(total)
    with live.shown():
        yield live


def _lines(action: Action, outcome: Outcome) -> list[str]:
    took = f" in {outcome.duration_s:.1f} s" if outcome.duration_s >= 0.1 else ""
    tries = f", {outcome.attempts} attempts" if outcome.attempts > len(action.steps) else ""
    lines = [f"{action.key.host}  {outcome.state}  {action.verb} {action.key.object}{took}{tries}"]
    if outcome.failure is not None:
        lines.append(f"    {outcome.failure.cause}")
        if outcome.command:
            lines.append(f"    command: {outcome.command}")
        lines.append(f"    remedy: {outcome.failure.remedy}")
    return lines
