"""SIGINT and SIGTERM: while actions run the first asks to stop at a safe point; the second, else the first, ends at once."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import NoReturn

import click

from reconciler.model.errors import ExitCode

_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}
STOP_HINT = "running commands may finish; once more to end them"
_LAST = "ending what still runs"


@dataclass
class Stopped:
    """Whether a signal asked us to stop, as the exit code that it ends in; 0 while none has."""

    code: int = ExitCode.CONVERGED


@contextmanager
def cancelling() -> Iterator[None]:
    """A signal cancels the current task, so that what it started is ended with it; then `click.exceptions.Exit` is raised."""
    task = _task()

    def asked(sign: signal.Signals) -> None:
        click.echo(f"{sign.name}: {_LAST}", err=True)
        task.cancel()

    with _stopping(asked):
        yield


def _nothing() -> None:
    """No last words."""


@contextmanager
def stopping(
    stop: Callable[[], object], say: Callable[[str], object], hint: str, last_words: Callable[[], object] = _nothing
) -> Iterator[Stopped]:
    """Calls `stop` at the first signal, after saying so with the hint; at the second acts as `cancelling` does.

    `last_words` are said when one more signal finds only us left, and ends us at once.
    """
    stopped = Stopped()
    task = _task()

    def asked(sign: signal.Signals) -> None:
        if stopped.code:
            say(f"{sign.name}: {_LAST}")
            task.cancel()
            return
        stopped.code = _CODES[sign]
        say(f"{sign.name}: {hint}")
        stop()

    with _stopping(asked, last_words):
        yield stopped


@contextmanager
def answering() -> Iterator[None]:
    """A signal ends a question that waits for its answer, while the event loop sees none."""

    def asked(sign: int, _: FrameType | None) -> NoReturn:
        click.echo(f"\n{signal.Signals(sign).name}: nothing was done", err=True)
        raise click.exceptions.Exit(_CODES[signal.Signals(sign)])

    before = {sign: signal.signal(sign, asked) for sign in _CODES}
    try:
        yield
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)


@contextmanager
def _stopping(asked: Callable[[signal.Signals], object], last_words: Callable[[], object] = _nothing) -> Iterator[None]:
    """Calls `asked` at each signal; a cancellation that comes of it leaves as Exit with the code of the first signal."""
    codes: list[int] = []

    def noted(sign: signal.Signals) -> None:
        codes.append(_CODES[sign])
        asked(sign)

    loop = asyncio.get_running_loop()
    for sign in _CODES:
        loop.add_signal_handler(sign, noted, sign)
    try:
        yield
    except asyncio.CancelledError:
        if codes:
            raise click.exceptions.Exit(codes[0]) from None
        raise
    finally:
        # Nothing may come between the event loop's handlers and ours: it would end us by its own name, and children with us.
        signal.pthread_sigmask(signal.SIG_BLOCK, _CODES)
        for sign in _CODES:
            loop.remove_signal_handler(sign)
            if codes:
                signal.signal(sign, partial(_leave, codes[0], last_words))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _CODES)


def _leave(code: int, last_words: Callable[[], object], _sign: int, _frame: FrameType | None) -> NoReturn:
    """One more signal when all that ran has ended and only we are left: go at once, with the code of the first."""
    try:
        # A stream is not to be written to by a signal that comes while it is written to.
        with contextlib.suppress(RuntimeError):
            last_words()
    finally:
        os._exit(code)


def _task() -> "asyncio.Task[object]":
    task = asyncio.current_task()
    assert task is not None
    return task
