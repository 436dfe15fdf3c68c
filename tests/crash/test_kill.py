"""kill -9 of a real process in the middle of an apply: a selection of the matrix, another one each time.

RECONCILER_CRASH_SEED repeats a selection, RECONCILER_CRASH_CASES says how many are taken.
"""

import os
import random
from pathlib import Path

import pytest

from reconciler.model.plan import HostPlan
from tests.crash.dying import Death, Moment
from tests.crash.killing import killed
from tests.crash.real_ground import RealGround
from tests.crash.recovery import planned, prepared, recovers, stays_whole
from tests.crash.scenarios import SCENARIOS
from tests.passes.ground import Ground
from tests.zfs_fuse import RealPool

SEED = int(os.environ.get("RECONCILER_CRASH_SEED") or random.SystemRandom().randrange(1 << 32))
CASES = int(os.environ.get("RECONCILER_CRASH_CASES") or 20)


def points(plan: HostPlan, moment: Moment) -> int:
    """How often an apply of the plan passes the moment, at least."""
    if moment in (Moment.BEFORE_COMMIT, Moment.AFTER_COMMIT):
        # What waits for nobody shares a commit; what waits for another has its intent in a later one; the results come last.
        return longest_chain(plan) + 1
    return sum(step.command.changes for action in plan.actions for step in action.steps)


def longest_chain(plan: HostPlan) -> int:
    """The most actions of which each waits for the one before."""
    lengths: dict[str, int] = {}
    for action in plan.actions:
        lengths[action.id] = 1 + max((lengths[earlier] for earlier in action.after), default=0)
    return max(lengths.values())


def dies_and_recovers(ground: Ground, chance: random.Random) -> None:
    """One case: a scenario, a moment, its count, and whether the ledger is lost too."""
    scenario, moment, forgetful = chance.choice(SCENARIOS), chance.choice(list(Moment)), chance.random() < 0.3
    wanted, outlook = prepared(ground, scenario)
    count = chance.randint(1, points(planned(ground, wanted, scenario), moment))
    try:
        died = killed(ground, ground.desired(wanted), Death(moment, count), scenario.work)
        if forgetful:
            ground.lose_ledger()
        if forgetful and scenario.without_ledger:
            stays_whole(ground, scenario, wanted, outlook)
        else:
            recovers(ground, scenario, wanted, outlook)
        assert died
    except AssertionError as trouble:
        lost = ", the ledger lost" if forgetful else ""
        trouble.add_note(f"RECONCILER_CRASH_SEED={SEED}: {scenario.name}, killed {moment}, number {count}{lost}")
        raise


@pytest.mark.parametrize("case", range(CASES))
def test_killed_anywhere_on_an_emulated_host_the_next_apply_converges(tmp_path: Path, case: int) -> None:
    chance = random.Random(f"{SEED}/emulated/{case}")
    ground = Ground(tmp_path, chance.choice(["omnios", "smartos", "linux-zfs-fuse"]))

    dies_and_recovers(ground, chance)

    ground.host.close()


@pytest.mark.real
@pytest.mark.parametrize("case", range(CASES))
def test_killed_anywhere_on_real_zfs_the_next_apply_converges(tmp_path: Path, pool: RealPool, case: int) -> None:
    dies_and_recovers(RealGround(tmp_path, real=pool), random.Random(f"{SEED}/real/{case}"))
