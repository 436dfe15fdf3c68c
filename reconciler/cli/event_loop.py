"""Running a coroutine from the command line."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from reconciler.cli.signals import cancelling

Result = TypeVar("Result")

_LONGEST_END_S = 5.0


def run_async(main: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run`, ended by SIGINT and SIGTERM: `click.exceptions.Exit` then."""
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
