"""The ZFS daemon is killed in the middle of an apply: told as what it is, and made good when the daemon is back.

Scenario, moment and command are drawn as in test_kill.py; RECONCILER_CRASH_SEED repeats them.
"""

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.controller.passes import Connections, HostResult, Setting
from reconciler.hosts.transport import Transport
from reconciler.model.command import Command, Completed
from reconciler.model.host import HostManifest
from reconciler.model.outcome import OutcomeState
from reconciler.model.plan import Reason
from reconciler.model.resource import Resource
from reconciler.store.journal import Journal
from tests.crash.dying import MOMENTS_LATER_S, Death, Moment
from tests.crash.real_ground import RealGround
from tests.crash.recovery import prepared, recovers
from tests.crash.scenarios import SCENARIOS
from tests.crash.test_kill import SEED, points
from tests.crash.work import APPLY, whole_pass
from tests.hosts.passing import Passing
from tests.zfs_fuse import RealPool, ZfsFuse

CASES = 6
MOMENTS = (Moment.BEFORE_COMMAND, Moment.INSIDE_COMMAND, Moment.AFTER_COMMAND)


@dataclass
class _KillingTransport(Passing):
    """A transport on whose way somebody kills the daemon."""

    daemon: ZfsFuse
    death: Death

    async def run(self, command: Command) -> Completed:
        if not command.changes:
            return await self.transport.run(command)
        if self.death.comes_at(Moment.BEFORE_COMMAND):
            self.daemon.kill()
        if self.death.comes_at(Moment.INSIDE_COMMAND):
            asyncio.get_running_loop().call_later(MOMENTS_LATER_S, self.daemon.kill)
        answer = await self.transport.run(command)
        if self.death.comes_at(Moment.AFTER_COMMAND):
            self.daemon.kill()
        return answer


@dataclass
class _KillingConnections(Connections):
    daemon: ZfsFuse | None = None
    death: Death | None = None

    async def to(self, manifest: HostManifest) -> Transport:
        assert self.daemon is not None
        assert self.death is not None
        return _KillingTransport(await super().to(manifest), self.daemon, self.death)


def applied_without_daemon(ground: RealGround, wanted: list[Resource], death: Death) -> HostResult:
    """One pass, on the way of which the daemon is killed."""
    desired = ground.desired(wanted)

    async def scene(setting: Setting, _connections: Connections, journal: Journal) -> HostResult:
        connections = _KillingConnections(ground.state, daemon=ground.made.daemon, death=death)
        try:
            result = await whole_pass(setting, desired, connections, journal)
            # A command that ended before the daemon was killed in the middle of it.
            await asyncio.sleep(2 * MOMENTS_LATER_S)
            return result
        finally:
            await connections.close()

    return ground.with_state(scene)


def clear_unmarked(ground: RealGround, wanted: list[Resource]) -> None:
    """What an operator does about a dataset that was being made when the daemon died.

    ZFS makes a dataset in one transaction and gives it the properties of the same command in a later one. Between the two it
    bears no mark: nobody can tell it from one made by hand, so it is refused as notOurs, empty as it is.
    """
    for item in ground.planned(*wanted).blocked:
        if item.reason is Reason.NOT_OURS:
            assert ground.data(item.key.name) in ({}, None)
            ground.zfs("destroy", item.key.name)


@pytest.mark.real
@pytest.mark.parametrize("case", range(CASES))
def test_with_the_daemon_killed_nothing_is_lost_and_the_next_apply_converges(tmp_path: Path, pool: RealPool, case: int) -> None:
    chance = random.Random(f"{SEED}/daemon/{case}")
    ground = RealGround(tmp_path, real=pool)
    scenario, moment = chance.choice([one for one in SCENARIOS if one.work is APPLY]), chance.choice(MOMENTS)
    wanted, outlook = prepared(ground, scenario)
    count = chance.randint(1, points(ground.planned(*wanted), moment))
    try:
        result = applied_without_daemon(ground, wanted, Death(moment, count))
        pool.daemon.restart()

        unfinished = [one for one in result.outcomes if one.state in (OutcomeState.FAILED, OutcomeState.UNKNOWN)]
        assert all(one.failure is not None and one.command.startswith("zfs ") for one in unfinished)
        assert not result.is_converged
        assert [item.provider for item in result.final.unreadable]
        clear_unmarked(ground, wanted)
        recovers(ground, scenario, wanted, outlook)
    except AssertionError as trouble:
        trouble.add_note(f"RECONCILER_CRASH_SEED={SEED}: {scenario.name}, daemon killed {moment}, number {count}")
        raise
