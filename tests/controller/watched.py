"""A controller whose hosts' loops only note what is asked of them."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from reconciler.controller.controller import Controller
from reconciler.controller.host_loop import HostLoop
from reconciler.provider.registry import Registry
from tests.controller.inside import Inside, inside
from tests.controller.running import dataset, host, objects

Files = dict[str, str | bytes | None]


@dataclass
class FakeLoop:
    """Notes what a controller asks of a host's loop."""

    host: str
    asked: list[str]
    leave: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self, *, newer: bool) -> None:
        self.asked.append(f"{self.host} {'newer' if newer else 'look'}")

    def try_all(self) -> None:
        self.asked.append(f"{self.host} all")

    def retire(self) -> None:
        self.asked.append(f"{self.host} retire")
        self.leave.set()

    async def run(self) -> None:
        self.asked.append(f"{self.host} begins")
        await self.leave.wait()
        self.asked.append(f"{self.host} ends")


@dataclass
class Watched(Controller):
    """A controller whose loops only note what is asked of them."""

    asked: list[str] = field(default_factory=list)

    def _start_loop(self, host: str) -> None:
        loop = cast("HostLoop", FakeLoop(host, self.asked))
        self._loops[host] = loop
        self._tasks[host] = asyncio.create_task(self._attend(host, loop, self._tasks.get(host)))
        self.asked.append(f"{host} start")

    def news(self) -> list[str]:
        """What was asked since the last time, without the loops' own words."""
        found = [asked for asked in self.asked if not asked.endswith((" begins", " ends"))]
        self.asked.clear()
        return found


TWO: Files = {**host("h"), **host("k"), **objects(dataset("tank/a"), of="h"), **objects(dataset("tank/a"), of="k")}


def in_force(controller: Controller) -> str:
    return controller._current.source.revision if controller._current is not None else ""


def player(registry: Registry, state: Path) -> Callable[..., None]:
    """Plays stories with a watched controller over a source whose tip is `one`."""

    def play(story: Callable[[Inside, Watched], Coroutine[Any, Any, None]], files: Files = TWO, **more: Any) -> None:
        async def run() -> None:
            async with inside(registry, state, files) as made:
                made.source.listed.clear()
                controller = made.controller(Watched, **more)
                assert isinstance(controller, Watched)
                try:
                    await story(made, controller)
                finally:
                    for task in controller._tasks.values():
                        task.cancel()
                    await asyncio.gather(*controller._tasks.values(), return_exceptions=True)

        asyncio.run(run())

    return play
