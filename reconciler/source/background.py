"""Fetching beside the event loop."""

import asyncio
import contextlib
import threading

from reconciler.source.tree import Source


async def fetched(source: Source) -> str:
    """What `source.fetch()` gives or raises, from a daemon thread: no shutdown waits for a hung network.

    A fetch that was cancelled goes on until its own deadline, or until `source.close()`.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def told(revision: str | None, error: BaseException | None) -> None:
        if answer.cancelled():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            assert revision is not None
            answer.set_result(revision)

    def fetch() -> None:
        revision: str | None = None
        failure: BaseException | None = None
        try:
            revision = source.fetch()
        except BaseException as error:  # noqa: BLE001 — handed over whole to whoever awaits
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(told, revision, failure)

    threading.Thread(target=fetch, name="source-fetch", daemon=True).start()
    return await answer
