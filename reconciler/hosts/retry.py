"""When a transient failure is tried again: soon, with growing pauses and jitter, and not for long."""

from collections.abc import Awaitable, Callable

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, stop_after_delay, wait_exponential, wait_random

LONGEST_S = 6.0
MOST_ATTEMPTS = 40
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
"""zfs-fuse lets go of an unmounted dataset within 0.22 s (linux-host.md, "Busy"); a zone or a client may take seconds."""


class TransientError(Exception):
    """One attempt failed in a way that the next may not."""


async def retried(attempt: Callable[[], Awaitable[None]], sleep: Callable[[float], Awaitable[None]]) -> None:
    """Repeats `attempt` while it raises TransientError; the last one is raised again when patience ends."""
    policy = AsyncRetrying(
        retry=retry_if_exception_type(TransientError),
        wait=wait_exponential(multiplier=FIRST_PAUSE_S, max=LONGEST_PAUSE_S, exp_base=1.5) + wait_random(0, FIRST_PAUSE_S),
        stop=stop_after_delay(LONGEST_S) | stop_after_attempt(MOST_ATTEMPTS),
        sleep=sleep,
        reraise=True,
    )
    async for once in policy:
        with once:
            await attempt()
