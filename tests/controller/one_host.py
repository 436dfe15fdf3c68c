"""The loop of one host `h`, pass by pass."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from reconciler.controller.host_loop import HostLoop
from reconciler.provider.registry import Registry
from reconciler.store.status import status_of
from tests.controller.inside import Inside, inside
from tests.controller.running import host, objects

Story = Callable[[Inside], Coroutine[Any, Any, None]]


def player(registry: Registry, state: Path) -> Callable[..., None]:
    """Plays stories on one host `h` with these manifests."""

    def play(story: Story, *manifests: str, lines: str = "") -> None:
        async def run() -> None:
            files = {**host(), **objects(*manifests)}
            files["hosts/h/host.yaml"] = str(files["hosts/h/host.yaml"]) + lines
            async with inside(registry, state, files) as made:
                await story(made)

        asyncio.run(run())

    return play


async def one_pass(loop: HostLoop) -> None:
    """The loop's next pass, and then its end."""
    loop.shutdown.clear()
    running = asyncio.create_task(loop.run())
    await asyncio.sleep(0)
    loop.shutdown.set()
    loop.wake(newer=False)
    await running


def ready(made: Inside) -> str:
    assert made.setting.database is not None
    document = status_of(made.setting.database, "h")
    return "" if document is None else str(document["conditions"][0]["reason"])
