"""Running a coroutine from the command line."""

import asyncio
import contextlib
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from reconciler.cli.signals import cancelling

Result = TypeVar("Result")

_LONGEST_END_S = 5.0


def run_async(main: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run`, ended by SIGINT and SIGTERM, with children awaited by pidfd where that isn't the default yet.

    Raises `click.exceptions.Exit` when a signal ended it. Python 3.11 starts a thread per child otherwise, which costs a third
    of the spawn rate (performance.md, 5).
    """
    if sys.version_info < (3, 12) and hasattr(asyncio, "PidfdChildWatcher"):
        with contextlib.suppress(OSError):
            asyncio.get_event_loop_policy().set_child_watcher(asyncio.PidfdChildWatcher())
    return asyncio.run(_cancelled_by_signals(main))


async def _cancelled_by_signals(main: Coroutine[Any, Any, Result]) -> Result:
    try:
        with cancelling():
            return await main
    except BaseException:
        # What was cancelled with it may still be ending its children.
        if rest := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(rest, timeout=_LONGEST_END_S)
        raise
