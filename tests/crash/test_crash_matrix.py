"""Every scenario, every point at which it can die, with our memory of it and without: the next apply makes it good."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.model.resource import Resource
from tests.crash.dying import Death, Moment, dies
from tests.crash.recovery import prepared, recovers, stays_whole
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.passes.ground import POOLS, Ground

MORE_THAN_ANY_PLAN_PASSES = 200


def dead_grounds(
    saved: Path, scratch: Path, system: str, scenario: Scenario, wanted: list[Resource], moment: Moment
) -> Iterator[tuple[int, Path]]:
    """A state directory as each death at that moment leaves it."""
    for count in range(1, MORE_THAN_ANY_PLAN_PASSES):
        left = scratch / f"{moment.name}{count}"
        shutil.copytree(saved, left / "state")
        dying = Ground(left, system)
        died = dies(dying, dying.desired(wanted), Death(moment, count), scenario.work)
        dying.host.close()
        if not died:
            return
        yield count, left
        shutil.rmtree(left)
    raise AssertionError("the plan passes more points than any plan here")


@pytest.mark.matrix
@pytest.mark.parametrize("system", list(POOLS))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace(" ", "-"))
@pytest.mark.parametrize("moment", list(Moment), ids=lambda moment: moment.name.lower().replace("_", "-"))
def test_killed_anywhere_the_next_apply_makes_it_good(tmp_path: Path, system: str, scenario: Scenario, moment: Moment) -> None:
    ground = Ground(tmp_path / "saved", system)
    wanted, outlook = prepared(ground, scenario)
    ground.host.close()
    points = 0

    for count, left in dead_grounds(ground.state, tmp_path, system, scenario, wanted, moment):
        points = count
        for forgetful in (False, True):
            case = tmp_path / "case"
            shutil.copytree(left, case)
            after = Ground(case, system)
            if forgetful:
                after.lose_ledger()
            try:
                if forgetful and scenario.without_ledger:
                    stays_whole(after, scenario, wanted, outlook)
                else:
                    recovers(after, scenario, wanted, outlook)
            except AssertionError as trouble:
                trouble.add_note(f"killed {moment}, number {count}{', the ledger lost' if forgetful else ''}")
                raise
            finally:
                after.host.close()
                shutil.rmtree(case)

    # Actions that begin together share a commit; each has a command of its own.
    commits = moment in (Moment.BEFORE_COMMIT, Moment.AFTER_COMMIT)
    assert points >= (2 if commits else len(scenario.verbs))
