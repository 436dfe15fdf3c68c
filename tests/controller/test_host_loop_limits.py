"""What a pass takes from a host is limited together with what others take."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.emulation.faults import Fault, FaultKind
from reconciler.hosts.lease import Holder, Lease
from reconciler.model.command import Command
from reconciler.model.key import Key
from reconciler.planning.guardrail import Taken
from reconciler.provider.registry import Registry
from tests.cli.hosts import break_host, everything_on
from tests.controller.inside import Inside, _Told, until
from tests.controller.one_host import one_pass, player
from tests.controller.running import dataset, host, objects


@pytest.fixture
def played(registry: Registry, tmp_path: Path) -> Callable[..., None]:
    """Plays a story on one host `h` with these manifests."""
    return player(registry, tmp_path / "state")


def test_a_plan_is_made_anew_when_other_hosts_took_something_meanwhile(played: Callable[..., None]) -> None:
    """Else two hosts that plan at the same time could take more together than one revision may."""

    async def story(made: Inside) -> None:
        loop = made.loop()
        await one_pass(loop)
        made.put("two", {**host(), **objects(dataset("tank/keep"))})
        made.enforce("two")

        def before(_: str, command: Command) -> None:
            if command.argv[0] == "zfs" and not made.tally.by_host:
                made.tally.add("k", {Key("k", "Dataset", f"tank/{number}"): 0 for number in range(30)})

        made.connections.before = before
        loop.shutdown.clear()
        running = asyncio.create_task(loop.run())
        await until(lambda: made.log.said("blocked"), "the removal is refused")
        made.shutdown.set()
        loop.wake(newer=False)
        await running

        assert "31 removals over all hosts" in made.log.said("blocked")[0]["cause"]
        assert "tank/go" in everything_on(made.setting.state)

    played(story, dataset("tank/keep"), dataset("tank/go"))


HELD = json.dumps(
    {
        "format": "reconciler.holds/v1",
        "holds": [
            {
                "kind": "Dataset",
                "name": "tank/go",
                "who": "somebody",
                "why": "by hand",
                "since": "2026-01-01T00:00:00+00:00",
                "until": "9999-01-01T00:00:00+00:00",
            }
        ],
    }
)


def test_a_plan_made_anew_under_the_lock_takes_no_more_than_the_others_left(
    played: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold that is released right before the lock is had sets free a removal that no one has counted yet."""

    async def story(made: Inside) -> None:
        loop = made.loop()
        await one_pass(loop)
        made.put("two", {**host(), **objects(dataset("tank/keep", "1GiB"))})
        made.enforce("two")
        text, lease = [HELD], _Told.lease

        def there() -> str:
            return everything_on(made.setting.state)

        async def note(told: _Told, name: str) -> str:
            return text[0]

        async def released_and_leased(told: _Told, name: str, holder: Holder) -> Lease:
            if text[0]:
                text[0] = ""
                made.tally.add("k", {Key("k", "Dataset", f"tank/{number}"): 0 for number in range(30)})
            return await lease(told, name, holder)

        monkeypatch.setattr(_Told, "note", note)
        monkeypatch.setattr(_Told, "lease", released_and_leased)
        loop.shutdown.clear()
        running = asyncio.create_task(loop.run())
        await until(lambda: "31 removals" in str(made.log.said("blocked")) or "tank/go" not in there(), "it is decided")
        made.shutdown.set()
        loop.wake(newer=False)
        await running

        assert "tank/go" in there()

    played(story, dataset("tank/keep"), dataset("tank/go"))


def test_what_a_pass_takes_is_counted_for_the_others(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        await one_pass(loop)
        made.put("two", {**host(), **objects(dataset("tank/keep"))})
        made.enforce("two")
        break_host(made.setting.state, Fault(FaultKind.FAIL, "zfs", "^zfs destroy", stderr="cannot destroy: no\n"))
        await one_pass(loop)
        loop.try_all()
        await one_pass(loop)

        assert made.tally.elsewhere("k").count == 1
        assert made.tally.elsewhere("h") == Taken()
        assert "tank/go" not in everything_on(made.setting.state)

    played(story, dataset("tank/keep"), dataset("tank/go"))
