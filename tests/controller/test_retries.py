"""Objects that fail on a host: they wait by themselves, nobody waits with them, and the status says until when."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.controller.host_loop import HostLoop
from reconciler.controller.schedule import FIRST_RETRY_S, Schedule
from reconciler.emulation.faults import Fault, FaultKind
from reconciler.model.command import Command
from reconciler.provider.registry import Registry
from reconciler.store.status import status_of
from tests.cli.hosts import break_host, everything_on, host_in, mend_host
from tests.controller.inside import NOW, Inside, inside, until
from tests.controller.running import EMULATED, HOST, dataset, host, objects

Story = Callable[[Inside], Coroutine[Any, Any, None]]
INTERVAL_S = 60.0
UNKNOWN_TEXT = "cannot do it: the moon is in the wrong phase\n"
FORBIDDEN = "cannot create 'tank/bad': permission denied\n"


@dataclass
class Seconds:
    """The clock of a loop, moved by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def played(registry: Registry, tmp_path: Path) -> Callable[..., None]:
    """Plays a story on one host `h` with these manifests."""

    def play(story: Story, *manifests: str) -> None:
        async def run() -> None:
            async with inside(registry, tmp_path / "state", {**host(), **objects(*manifests)}) as made:
                made.setting = type(made.setting)(made.setting.registry, made.setting.state, made.setting.database, lambda: NOW)
                await story(made)

        asyncio.run(run())

    return play


def loop_of(made: Inside, seconds: Seconds) -> HostLoop:
    loop = made.loop(clock=seconds)
    loop.schedule = Schedule(INTERVAL_S, lambda: 0.5)
    loop._backoff.schedule = loop.schedule
    return loop


async def one_pass(made: Inside, loop: HostLoop) -> list[tuple[str, str]]:
    """A pass, and how the actions ended in it."""
    made.log.events.clear()
    loop._stop_pass.clear()
    await loop._pass()
    return [(said["key"].removeprefix("h/Dataset/tank/"), said["state"]) for said in made.log.said("action ended")]


def failing(stderr: str = UNKNOWN_TEXT, name: str = "tank/bad") -> Fault:
    return Fault(FaultKind.FAIL, "zfs", f"^zfs create.* {name}$", times=None, stderr=stderr)


def status(made: Inside) -> dict[str, Any]:
    assert made.setting.database is not None
    found = status_of(made.setting.database, "h")
    assert found is not None
    return found


def ready(made: Inside) -> dict[str, Any]:
    found: dict[str, Any] = status(made)["conditions"][0]
    return found


def resource(made: Inside, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry for entry in status(made)["resources"] if entry["key"] == f"h/Dataset/{name}")
    return found


def test_a_bad_object_waits_and_a_good_one_that_comes_meanwhile_does_not(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        seconds = Seconds()
        loop = loop_of(made, seconds)
        break_host(made.setting.state, failing())
        first = await one_pass(made, loop)
        paused = loop._pause_s
        made.put("two", {**host(), **objects(dataset("tank/bad"), dataset("tank/bad/child"), dataset("tank/new"))})
        made.enforce("two")
        second = await one_pass(made, loop)

        assert first == [("bad", "failed"), ("bad/child", "skipped")]
        assert paused == FIRST_RETRY_S
        assert second == [("new", "succeeded")]
        assert loop._pause_s == FIRST_RETRY_S
        assert loop._failures == 0

    played(story, dataset("tank/bad"), dataset("tank/bad/child"))


def test_the_status_tells_of_the_next_attempt_of_the_object_of_what_depends_on_it_and_of_the_host(
    played: Callable[..., None],
) -> None:
    async def story(made: Inside) -> None:
        seconds = Seconds()
        loop = loop_of(made, seconds)
        break_host(made.setting.state, failing())
        await one_pass(made, loop)
        at_once = (ready(made)["reason"], status(made)["nextAttempt"])
        seconds.now += 1
        await one_pass(made, loop)
        bad, child = resource(made, "tank/bad"), resource(made, "tank/bad/child")

        assert at_once == ("ActionFailed", "2026-01-02T03:04:07.000Z")
        assert {entry["nextAttempt"] for entry in (bad, child, status(made))} == {"2026-01-02T03:04:06.000Z"}
        assert {said["conditions"][0]["reason"] for said in (bad, child)} == {"BackingOff"}
        assert bad["conditions"][0]["message"].startswith("next attempt at 2026-01-02T03:04:06.000Z: failed once: ")
        assert "waits for h/Dataset/tank/bad, which failed once: " in child["conditions"][0]["message"]
        assert "the moon is in the wrong phase" in child["conditions"][0]["message"]
        assert ready(made)["status"] == "False"
        assert ready(made)["reason"] == "BackingOff"
        assert "h/Dataset/tank/bad, and 1 other: next attempt at" in ready(made)["message"]
        assert status(made)["revision"]["applied"] == ""

    played(story, dataset("tank/bad"), dataset("tank/bad/child"))


def test_when_it_is_due_it_is_tried_again_with_what_depends_on_it_and_the_status_is_clean(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        seconds = Seconds()
        loop = loop_of(made, seconds)
        break_host(made.setting.state, failing())
        await one_pass(made, loop)
        mend_host(made.setting.state)
        seconds.now += FIRST_RETRY_S
        ended = await one_pass(made, loop)

        assert ended == [("bad", "succeeded"), ("bad/child", "succeeded")]
        assert ready(made)["reason"] == "Converged"
        assert status(made)["nextAttempt"] == "2026-01-02T03:05:05.000Z"
        assert status(made)["resources"] == []
        assert loop._pause_s == INTERVAL_S

    played(story, dataset("tank/bad"), dataset("tank/bad/child"))


def test_what_needs_a_person_waits_for_a_signal_or_a_commit_and_the_host_for_its_interval(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        seconds = Seconds()
        loop = loop_of(made, seconds)
        break_host(made.setting.state, failing(FORBIDDEN))
        await one_pass(made, loop)
        paused = loop._pause_s
        seconds.now += 1e6
        waiting = await one_pass(made, loop)
        said = resource(made, "tank/bad")
        loop.try_all()
        asked = await one_pass(made, loop)
        made.put("two", {**host(), **objects(dataset("tank/bad", "64MiB"))})
        made.enforce("two")
        changed = await one_pass(made, loop)

        assert paused == INTERVAL_S
        assert waiting == []
        assert "nextAttempt" not in said
        assert said["conditions"][0]["message"].endswith(
            "; tried again after another commit, when another action is planned, or on SIGHUP"
        )
        assert asked == changed == [("bad", "failed")]

    played(story, dataset("tank/bad"))


def test_another_host_manifest_ends_all_waits(played: Callable[..., None]) -> None:
    """It may give the rights whose lack was the failure."""

    async def story(made: Inside) -> None:
        seconds = Seconds()
        loop = loop_of(made, seconds)
        break_host(made.setting.state, failing(FORBIDDEN))
        await one_pass(made, loop)
        elevated = HOST.format(name="h", transport=EMULATED) + "  elevate: pfexec\n"
        made.put("two", {"hosts/h/host.yaml": elevated, **objects(dataset("tank/bad"))})
        made.enforce("two")

        assert await one_pass(made, loop) == [("bad", "failed")]

    played(story, dataset("tank/bad"))


def test_drift_of_another_object_is_corrected_while_a_bad_one_waits(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        seconds = Seconds()
        loop = loop_of(made, seconds)
        break_host(made.setting.state, failing())
        await one_pass(made, loop)
        with host_in(made.setting.state) as emulated:
            emulated.drift(("zfs", "set", "quota=1M", "tank/good"))
        ended = await one_pass(made, loop)

        assert ended == [("good", "succeeded")]
        assert "tank/good\tquota\t67108864\tlocal" in everything_on(made.setting.state)

    played(story, dataset("tank/bad"), dataset("tank/good", "64MiB"))


def test_a_host_that_can_not_be_read_backs_off_as_a_whole_and_forgets_no_failure(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        seconds = Seconds()
        loop = loop_of(made, seconds)
        break_host(made.setting.state, failing())
        for _ in range(4):
            await one_pass(made, loop)
            seconds.now += 60
        break_host(made.setting.state, Fault(FaultKind.FAIL, "zfs", times=None, stderr="no\n"))
        await one_pass(made, loop)
        blind = (loop._failures, loop._pause_s, status(made)["nextAttempt"], ready(made)["reason"])
        mend_host(made.setting.state)
        break_host(made.setting.state, failing())
        await one_pass(made, loop)

        assert blind == (1, FIRST_RETRY_S, "2026-01-02T03:04:07.000Z", "Unreadable")
        assert loop._failures == 0
        assert loop._pause_s == FIRST_RETRY_S * 2**4

    played(story, dataset("tank/bad"))


def test_a_running_loop_wakes_for_the_next_attempt_and_not_only_at_its_interval(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        loop.schedule = loop._backoff.schedule = Schedule(1e9, lambda: 0.0)
        real = loop.clock
        # The loop's own clock says that the pause is over as soon as the pass is.
        break_host(made.setting.state, Fault(FaultKind.FAIL, "zfs", "^zfs create", stderr=UNKNOWN_TEXT))
        jumps = iter(range(0, 10**6, 2))
        loop.clock = lambda: real() + next(jumps)
        running = asyncio.create_task(loop.run())
        await until(lambda: made.log.said("converged"), "the second attempt")
        made.shutdown.set()
        loop.wake(newer=False)
        await running

        assert [said["state"] for said in made.log.said("action ended")] == ["failed", "succeeded"]

    played(story, dataset("tank/a"))


def test_a_look_that_hangs_is_given_up_for_a_newer_revision(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        break_host(made.setting.state, Fault(FaultKind.HANG, "zfs", "^zfs (get|list)"))
        hangs = asyncio.Event()

        def before(_: str, command: Command) -> None:
            if command.argv[0] == "zfs":
                hangs.set()

        made.connections.before = before
        running = asyncio.create_task(loop.run())
        await hangs.wait()
        made.put("two", {**host(), **objects(dataset("tank/b"))})
        made.enforce("two")
        loop.wake(newer=True)
        await until(lambda: made.log.said("converged"), "the newer revision holds")
        made.shutdown.set()
        loop.wake(newer=False)
        await running

        assert [said["key"] for said in made.log.said("action ended")] == ["h/Dataset/tank/b"]

    played(story, dataset("tank/a"))


def test_retiring_a_host_whose_look_hangs_ends_its_loop(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        break_host(made.setting.state, Fault(FaultKind.HANG, argv="^uname", times=None))
        hangs = asyncio.Event()
        made.connections.before = lambda host, command: hangs.set()
        running = asyncio.create_task(loop.run())
        await hangs.wait()
        loop.retire()
        async with asyncio.timeout(20):
            await running

        assert len(asyncio.all_tasks()) == 1

    played(story, dataset("tank/a"))
