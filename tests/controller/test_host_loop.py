"""One host's loop: what a pass does, what ends it, what it survives."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.controller.host_loop import HostLoop
from reconciler.emulation.faults import Fault, FaultKind
from reconciler.hosts.lease import Holder, Lease
from reconciler.hosts.transport import Transport
from reconciler.model.command import Command
from reconciler.model.errors import ReconcilerError
from reconciler.model.host import HostManifest
from reconciler.model.key import Key
from reconciler.planning.guardrail import Taken
from reconciler.provider.registry import Registry
from reconciler.store.journal import unfinished_keys
from reconciler.store.ledger import ledger_of
from reconciler.store.status import status_of
from tests.cli.hosts import break_host, commands_run, everything_on, host_in, mend_host
from tests.controller.inside import Inside, Steered, _Told, full_disk, inside, until
from tests.controller.running import dataset, host, objects

Story = Callable[[Inside], Coroutine[Any, Any, None]]
DOWN = Fault(FaultKind.FAIL, "zfs", times=None, stderr="internal error: failed to initialize ZFS library\n")


@pytest.fixture
def played(registry: Registry, tmp_path: Path) -> Callable[..., None]:
    """Plays a story on one host `h` with these manifests."""

    def play(story: Story, *manifests: str, lines: str = "") -> None:
        async def run() -> None:
            files = {**host(), **objects(*manifests)}
            files["hosts/h/host.yaml"] = str(files["hosts/h/host.yaml"]) + lines
            async with inside(registry, tmp_path / "state", files) as made:
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


def test_a_pass_converges_and_tells_and_keeps_it(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        await one_pass(made.loop())

        assert [said["event"] for said in made.log.events] == ["action ended", "converged"]
        assert made.log.said("converged")[0]["revision"] == "one"
        assert ready(made) == "Converged"
        assert "tank/a\t" in everything_on(made.setting.state)

    played(story, dataset("tank/a"))


def test_a_pass_with_nothing_to_do_is_quiet(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        await one_pass(loop)
        made.log.events.clear()
        await one_pass(loop)

        assert made.log.events == [{"level": "info", "event": "converged", "host": "h", "revision": "one"}]

    played(story, dataset("tank/a"))


def test_failures_count_up_until_a_pass_goes_well(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        break_host(made.setting.state, DOWN)
        counts = []
        for _ in range(3):
            await one_pass(loop)
            counts.append(loop._failures)
        mend_host(made.setting.state)
        await one_pass(loop)

        assert counts == [1, 2, 3]
        assert loop._failures == 0
        assert [said["provider"] for said in made.log.said("unreadable")] == ["zfs"] * 3
        assert ready(made) == "Converged"

    played(story, dataset("tank/a"))


def test_what_needs_a_person_is_not_tried_again_soon(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        with host_in(made.setting.state) as emulated:
            emulated.drift(("zfs", "create", "tank/a"))
        loop = made.loop()
        await one_pass(loop)

        assert loop._failures == 0
        assert made.log.said("blocked")[0]["key"] == "h/Dataset/tank/a"

    played(story, dataset("tank/a"))


def test_drift_is_told_before_it_is_corrected(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        await one_pass(loop)
        with host_in(made.setting.state) as emulated:
            emulated.drift(("zfs", "set", "quota=1M", "tank/a"))
        made.log.events.clear()
        await one_pass(loop)

        assert [said["event"] for said in made.log.events] == ["drift", "action ended", "converged"]

    played(story, dataset("tank/a", "64MiB"))


def test_drift_in_mode_report_is_told_and_left(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        await one_pass(loop)
        with host_in(made.setting.state) as emulated:
            emulated.drift(("zfs", "set", "quota=1M", "tank/a"))
        made.put("two", {**host(), **objects(dataset("tank/a", "64MiB", "{mode: report, onRemoval: delete}"))})
        made.enforce("two")
        await one_pass(loop)
        made.log.events.clear()
        await one_pass(loop)

        assert "tank/a\tquota\t1048576\tlocal" in everything_on(made.setting.state)
        assert made.log.said("action ended") == []
        assert ready(made) == "Converged"

    played(story, dataset("tank/a", "64MiB"))


def test_a_newer_revision_ends_a_pass_at_a_safe_point_and_the_next_one_works_towards_it(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()

        def before(_: str, command: Command) -> None:
            if command.changes and made.current is not None and made.current.source.revision == "one":
                made.put("two", {**host(), **objects(dataset("tank/a"), dataset("tank/c"))})
                made.enforce("two")
                loop.wake(newer=True)

        made.connections.before = before
        running = asyncio.create_task(loop.run())
        await until(lambda: made.log.said("converged"), "the newer revision holds")
        made.shutdown.set()
        loop.wake(newer=False)
        await running

        states = [(said["key"], said["state"]) for said in made.log.said("action ended")]
        assert states == [
            ("h/Dataset/tank/a", "succeeded"),
            ("h/Dataset/tank/b", "cancelled"),
            ("h/Dataset/tank/c", "succeeded"),
        ]
        assert "tank/b" not in everything_on(made.setting.state)

    played(story, dataset("tank/a"), dataset("tank/b"), lines="  limits: {parallel: 1}\n")


def test_a_plan_for_a_revision_that_is_out_of_date_is_never_begun(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()

        def before(_: str, command: Command) -> None:
            if command.argv[0] == "zfs" and made.current is not None and made.current.source.revision == "one":
                made.put("two", {**host(), **objects(dataset("tank/b"))})
                made.enforce("two")

        made.connections.before = before
        running = asyncio.create_task(loop.run())
        await until(lambda: made.log.said("converged"), "the newer revision holds")
        made.shutdown.set()
        loop.wake(newer=False)
        await running

        assert [argv[-1] for argv in commands_run(made.setting.state) if argv[:2] == ("zfs", "create")] == ["tank/b"]

    played(story, dataset("tank/a"))


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


def test_a_retired_loop_ends_and_does_nothing_more(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        made.connections.before = lambda host, command: loop.retire()
        await loop.run()

        assert made.log.said("action ended") == []
        assert "tank/a" not in everything_on(made.setting.state)

    played(story, dataset("tank/a"))


def test_a_loop_that_was_retired_before_it_began_asks_the_host_nothing(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        loop.retire()
        await loop.run()

        assert not (made.setting.state / "hosts").exists()

    played(story, dataset("tank/a"))


def test_being_woken_during_a_pass_makes_another_one(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        woken: list[Command] = []

        def before(_: str, command: Command) -> None:
            if not woken:
                woken.append(command)
                loop.wake(newer=False)

        made.connections.before = before
        running = asyncio.create_task(loop.run())
        await until(lambda: len(made.log.said("converged")) == 2, "a second pass")
        made.shutdown.set()
        loop.wake(newer=False)
        await running

        assert len(made.log.said("converged")) == 2

    played(story, dataset("tank/a"))


def test_a_host_in_mode_ignore_is_asked_nothing(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        await one_pass(made.loop())

        assert made.log.events == []
        assert not (made.setting.state / "hosts").exists()

    played(story, dataset("tank/a"), lines="  mode: ignore\n")


TROUBLE = [
    (ReconcilerError("the state file can't be used", remedy="check the disk"), "the state file can't be used"),
    (RuntimeError("a bug"), "internal error: RuntimeError: a bug"),
]


@pytest.mark.parametrize(("trouble", "cause"), TROUBLE)
def test_a_pass_that_goes_wrong_altogether_is_told_and_the_next_one_comes(
    played: Callable[..., None], monkeypatch: pytest.MonkeyPatch, trouble: Exception, cause: str
) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()

        def keep(*_: object) -> None:
            raise trouble

        with monkeypatch.context() as patched:
            patched.setattr("reconciler.controller.host_loop.keep_status", keep)
            await one_pass(loop)
        assert made.log.said("pass failed")[0]["cause"] == cause
        assert made.log.said("pass failed")[0]["remedy"]
        assert loop._failures == 1
        await one_pass(loop)

        assert loop._failures == 0
        assert ready(made) == "Converged"

    played(story, dataset("tank/a"))


def test_without_room_for_intents_nothing_is_run_and_with_room_again_the_next_pass_does(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        assert made.setting.database is not None
        with full_disk(made.setting.database, "INSERT ON journal"):
            await one_pass(loop)
        ran = [argv for argv in commands_run(made.setting.state) if argv[:2] == ("zfs", "create")]
        told, failures, word = made.log.said("pass failed"), loop._failures, ready(made)
        loop.try_all()
        await one_pass(loop)

        assert ran == []
        assert "database or disk is full" in told[0]["cause"]
        assert "check the disk" in told[0]["remedy"]
        assert (failures, word) == (1, "ActionFailed")
        assert ready(made) == "Converged"
        await made.journal.close()

    played(story, dataset("tank/a"))


def test_a_result_that_could_not_be_recorded_is_told_and_found_again_by_looking(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        loop = made.loop()
        database = made.setting.database
        assert database is not None
        with full_disk(database, "UPDATE ON journal", "INSERT ON ledger"):
            await one_pass(loop)
        told, known = made.log.said("pass failed"), dict(ledger_of(database, "h"))
        made.log.events.clear()
        await one_pass(loop)

        assert "database or disk is full" in told[0]["cause"]
        assert known == {}
        assert [said["event"] for said in made.log.events] == ["converged"]
        assert [key.name for key in ledger_of(database, "h")] == ["tank/a"]
        assert unfinished_keys(database, "h") == frozenset()

    played(story, dataset("tank/a"))


def test_a_transport_that_can_not_be_opened_makes_the_host_unreadable(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        class Closed(Steered):
            async def to(self, manifest: HostManifest) -> Transport:
                raise ReconcilerError(f"{manifest.name} can't be reached", remedy="plug it in")

        made.connections = Closed(made.setting.state)
        await one_pass(made.loop())

        assert made.log.said("unreadable")[0]["cause"] == "h can't be reached"
        assert ready(made) == "Unreadable"

    played(story, dataset("tank/a"))


def test_the_journal_writes_in_a_transaction_that_nobody_else_is_in(played: Callable[..., None]) -> None:
    """It commits in a thread, and on one connection two transactions would meet."""

    async def story(made: Inside) -> None:
        database = made.setting.database
        assert database is not None
        await one_pass(made.loop())
        with made.journal._database.transaction() as connection:
            connection.execute("DELETE FROM ledger")
            assert len(ledger_of(database, "h")) == 1

        assert ledger_of(database, "h") == {}

    played(story, dataset("tank/a"))


def test_the_status_says_that_the_source_is_stale_and_why(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        await one_pass(made.loop(stale="the remote is away"))

        assert made.setting.database is not None
        document = status_of(made.setting.database, "h")
        assert document is not None
        assert document["conditions"][-1] | {"since": ""} == {
            "type": "SourceStale", "status": "True", "reason": "Unavailable", "message": "the remote is away", "since": "",
        }  # fmt: skip

    played(story)


def test_the_applied_revision_moves_only_when_the_host_is_as_it_says(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        def revisions() -> object:
            assert made.setting.database is not None
            document = status_of(made.setting.database, "h")
            assert document is not None
            return document["revision"]

        loop = made.loop()
        await one_pass(loop)
        first = revisions()
        made.put("two", {**host(), **objects(dataset("tank/b"))})
        made.enforce("two")
        break_host(made.setting.state, DOWN)
        await one_pass(loop)
        blind = revisions()
        mend_host(made.setting.state)
        await one_pass(loop)

        assert first == {"fetched": "one", "applied": "one"}
        assert blind == {"fetched": "two", "applied": "one"}
        assert revisions() == {"fetched": "two", "applied": "two"}

    played(story, dataset("tank/a"))


def test_the_status_says_when_the_next_pass_comes(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        await one_pass(made.loop())
        assert made.setting.database is not None
        document = status_of(made.setting.database, "h")
        assert document is not None
        last, upcoming = (datetime.fromisoformat(text) for text in (document["lastPass"]["at"], document["nextAttempt"]))
        assert (upcoming - last).total_seconds() == pytest.approx(made.loop().schedule.next_look_s(0), abs=60.01)

    played(story, dataset("tank/a"))
