"""A plan on its way in a test, as far as the test lets it go."""

import asyncio
from collections.abc import Coroutine

from reconciler.hosts.execute import execute
from reconciler.model.host import Limits
from reconciler.model.outcome import Outcome
from reconciler.model.plan import HostPlan
from tests.hosts.fakes import Held, execution, settled

WIDE = Limits(parallel=100, per_pool=100)


def states(outcomes: tuple[Outcome, ...]) -> dict[str, str]:
    return {outcome.key.name: outcome.state.value for outcome in outcomes}


def run(scene: Coroutine[object, object, None]) -> None:
    asyncio.run(scene)


async def begun(plan: HostPlan, held: Held, **options: object) -> "asyncio.Task[tuple[Outcome, ...]]":
    """The plan on its way, as far as it gets without any command ending."""
    task = asyncio.create_task(execute(plan, execution(held, **options)))  # type: ignore[arg-type]
    await settled()
    return task
