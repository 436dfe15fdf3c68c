"""Guests, images, links and rules on emulated SmartOS: every command cut off, in the middle too, its answer lost or wrong, with
our memory of it or without. The next passes come to the end that an undisturbed one comes to.

RECONCILER_CRASH_SEED repeats a selection, RECONCILER_CRASH_CASES says how many are taken.
"""

import os
import random
import shutil
from pathlib import Path

import pytest

from tests.crash.dying import Moment
from tests.crash.guest_ground import GuestGround
from tests.crash.guest_recovery import MOST_PARTS, Disturbance, Ready, check, made_ready
from tests.crash.guest_scenarios import SCENARIOS, GuestScenario
from tests.crash.trouble import Trouble

SEED = int(os.environ.get("RECONCILER_CRASH_SEED") or random.SystemRandom().randrange(1 << 32))
CASES = int(os.environ.get("RECONCILER_CRASH_CASES") or 16)
DEATHS = (Moment.BEFORE_COMMAND, Moment.INSIDE_COMMAND, Moment.AFTER_COMMAND)
KEPT, LOST = False, True
"""What becomes of the ledger."""


def named(value: GuestScenario | Moment | Trouble) -> str:
    return value.name.lower().replace(" ", "-").replace("_", "-")


def comes_right(ready: Ready, scratch: Path, disturbance: Disturbance, *memories: bool) -> bool:
    """Whether there was such a disturbance; after it everything comes right, for each fate of the ledger."""
    left, case = scratch / "left", scratch / "case"
    ground = ready.copy(left)
    came = disturbance.happens(ground, ready)
    ground.host.close()
    for forgetful in memories if came else ():
        after = GuestGround(shutil.copytree(left, case))
        if forgetful:
            after.lose_ledger()
        try:
            check(after, ready, forgetful=forgetful)
        except AssertionError as trouble:
            lost = ", the ledger lost" if forgetful else ""
            trouble.add_note(f"RECONCILER_CRASH_SEED={SEED}: {ready.scenario.name}, {disturbance}{lost}")
            raise
        finally:
            after.host.close()
        shutil.rmtree(case)
    shutil.rmtree(left)
    return came


@pytest.mark.matrix
@pytest.mark.parametrize("scenario", SCENARIOS, ids=named)
@pytest.mark.parametrize("moment", [Moment.AFTER_COMMAND, Moment.INSIDE_COMMAND], ids=named)
def test_killed_anywhere_on_smartos_the_next_pass_comes_to_the_same_end(
    tmp_path: Path, scenario: GuestScenario, moment: Moment
) -> None:
    ready = made_ready(scenario, tmp_path)
    happened = 0
    for count in range(1, ready.commands + 1):
        for parts in range(1, MOST_PARTS + 1 if moment is Moment.INSIDE_COMMAND else 2):
            memories = (KEPT, LOST) if moment is Moment.AFTER_COMMAND else ((KEPT, LOST)[(count + parts) % 2],)
            if not comes_right(ready, tmp_path, Disturbance(moment, count, parts), *memories):
                break
            happened += 1
    assert happened >= (ready.commands if moment is Moment.AFTER_COMMAND else 1)


@pytest.mark.matrix
@pytest.mark.parametrize("scenario", SCENARIOS, ids=named)
@pytest.mark.parametrize("trouble", [trouble for trouble in Trouble if trouble is not Trouble.HALF], ids=named)
def test_whatever_a_command_says_the_next_pass_comes_to_the_same_end(
    tmp_path: Path, scenario: GuestScenario, trouble: Trouble
) -> None:
    ready = made_ready(scenario, tmp_path)
    came = [comes_right(ready, tmp_path, Disturbance(trouble, count), KEPT) for count in range(1, ready.commands + 1)]
    assert all(came) or trouble is Trouble.SAYS_NO


@pytest.mark.parametrize("case", range(CASES))
def test_disturbed_somewhere_the_next_pass_comes_to_the_same_end(tmp_path: Path, case: int) -> None:
    chance = random.Random(f"{SEED}/guests/{case}")
    ready = made_ready(chance.choice(SCENARIOS), tmp_path)
    what = chance.choice([*DEATHS, *Trouble])
    disturbance = Disturbance(what, chance.randint(1, ready.commands))
    comes_right(ready, tmp_path, disturbance, chance.random() < 0.3)
