"""Work in a process of its own that ends itself by SIGKILL at a chosen point."""

import asyncio
import os
import signal
from datetime import UTC, datetime

from providers.zfs import PROVIDER
from reconciler.controller.passes import Setting
from reconciler.model.desired import Desired
from reconciler.provider.registry import Registry
from reconciler.store.database import Database
from tests.crash.dying import Death, DyingConnections, DyingJournal
from tests.crash.work import Work
from tests.passes.ground import Ground


def killed(ground: Ground, desired: Desired, death: Death, work: Work) -> bool:
    """Works in a child process; whether it died at the chosen point (else it ran to its end)."""
    child = os.fork()
    if child == 0:
        code = 1
        death.told = lambda: os.kill(os.getpid(), signal.SIGKILL)
        try:
            asyncio.run(_work(ground, desired, death, work))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    assert os.WEXITSTATUS(status) == 0, "the work failed by itself"
    return False


async def _work(ground: Ground, desired: Desired, death: Death, work: Work) -> None:
    database = Database.open(ground.state)
    setting = Setting(Registry.of([PROVIDER]), ground.state, database, lambda: datetime.now(UTC))
    connections = DyingConnections(ground.state, death=death)
    journal = DyingJournal(database, death)
    await work.run(setting, desired, connections, journal)
    await journal.close()
    await connections.close()
    database.close()
