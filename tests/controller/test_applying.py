"""Applying to several hosts at once: limits over all of them, trouble on one, an end in the middle, what is kept."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from reconciler.controller.applying import apply_hosts, forget_host, taken
from reconciler.controller.log import LogProgress
from reconciler.controller.passes import HostResult, Planned, every, plan_hosts
from reconciler.emulation.faults import Fault, FaultKind
from reconciler.hosts.lease import Holder, Lease
from reconciler.model.change import Verb
from reconciler.model.command import Command
from reconciler.model.errors import ReconcilerError
from reconciler.provider.registry import Registry
from reconciler.store.journal import unfinished_keys
from reconciler.store.ledger import hosts_in_ledger
from reconciler.store.status import statuses
from tests.cli.hosts import break_host, commands_run, everything_on, host_in
from tests.controller.inside import Inside, _Told, inside
from tests.controller.running import REPOSITORY, dataset, host, objects

HOSTS = ("h", "k")
FEW = REPOSITORY + "spec: {guardrails: {removals: {perHost: {count: 5, share: 100%}, total: {count: 5}}}}\n"
Files = dict[str, str | bytes | None]


def tree(*manifests: str) -> Files:
    """Both hosts with the same objects."""
    return {
        "repository.yaml": FEW,
        **{p: t for name in HOSTS for p, t in {**host(name), **objects(*manifests, of=name)}.items()},
    }


@pytest.fixture
def played(registry: Registry, tmp_path: Path) -> Callable[..., None]:
    def play(story: Callable[[Inside], Coroutine[Any, Any, None]], files: Files) -> None:
        async def run() -> None:
            async with inside(registry, tmp_path / "state", files) as made:
                await story(made)

        asyncio.run(run())

    return play


async def planned(made: Inside) -> Planned:
    assert made.current is not None
    desired = made.current.desired
    return await plan_hosts(made.setting, desired, made.current.source, made.connections, sorted(desired.hosts))


async def applied(made: Inside, stop: asyncio.Event | None = None) -> list[HostResult]:
    assert made.current is not None
    plan = await planned(made)
    stop = stop or asyncio.Event()
    progress = LogProgress(made.log)  # type: ignore[arg-type]
    return await apply_hosts(made.setting, plan, made.current.desired, made.connections, made.journal, progress, stop)


def test_all_hosts_are_applied_to_and_their_status_is_kept(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        results = await applied(made)

        assert [(result.host, len(result.outcomes)) for result in results] == [("h", 1), ("k", 1)]
        assert all(result.is_converged for result in results)
        assert made.setting.database is not None
        assert [entry["host"] for entry in statuses(made.setting.database)] == ["h", "k"]

    played(story, tree(dataset("tank/a")))


def test_removals_that_the_limit_over_all_hosts_holds_back_stay_blocked_in_the_last_look(played: Callable[..., None]) -> None:
    """Each host is looked at alone after its other actions; alone it would be within the limit."""

    async def story(made: Inside) -> None:
        await applied(made)
        made.put("two", tree(dataset("tank/keep"), dataset("tank/new")))
        made.enforce("two")

        results = await applied(made)

        for result in results:
            assert [outcome.key.name for outcome in result.outcomes] == ["tank/new"]
            assert {str(item.reason) for item in result.final.blocked} == {"guardrail"}
            assert len(result.final.blocked) == 3
            assert result.final.runnable == ()
            assert "tank/go1" in everything_on(made.setting.state, result.host)

    played(story, tree(dataset("tank/keep"), *(dataset(f"tank/go{number}") for number in range(3))))


def test_holds_released_right_before_the_locks_let_no_more_go_than_the_limit_over_all_hosts(
    played: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = [f"tank/go{number}" for number in range(3)]
    times = {"since": "2026-01-01T00:00:00+00:00", "until": "9999-01-01T00:00:00+00:00"}
    holds = [{"kind": "Dataset", "name": name, "who": "somebody", "why": "by hand", **times} for name in gone]
    text, lease = [json.dumps({"format": "reconciler.holds/v1", "holds": holds})], _Told.lease

    async def note(told: _Told, name: str) -> str:
        return text[0]

    async def released_and_leased(told: _Told, name: str, holder: Holder) -> Lease:
        text[0] = ""
        return await lease(told, name, holder)

    async def story(made: Inside) -> None:
        await applied(made)
        made.put("two", tree(dataset("tank/keep"), dataset("tank/new")))
        made.enforce("two")
        monkeypatch.setattr(_Told, "note", note)
        monkeypatch.setattr(_Told, "lease", released_and_leased)

        results = await applied(made)

        left = [name for result in results for name in gone if name in everything_on(made.setting.state, result.host)]
        assert left == gone
        assert sorted(result.is_converged for result in results) == [False, True]

    played(story, tree(dataset("tank/keep"), *(dataset(name) for name in gone)))


def test_what_a_plan_takes_is_counted_by_key(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        await applied(made)
        made.put("two", tree(dataset("tank/keep"), dataset("tank/new")))
        made.enforce("two")

        plan = (await planned(made)).plan

        assert [{key.name for key in taken(one)} for one in plan.hosts] == [{"tank/go1", "tank/go2"}] * 2
        assert {action.verb for action in plan.hosts[0].actions} == {Verb.CREATE, Verb.DELETE}

    played(story, tree(dataset("tank/keep"), dataset("tank/go1"), dataset("tank/go2")))


def test_trouble_with_our_own_files_on_one_host_lets_the_others_end_and_is_raised(
    played: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(made: Inside) -> None:
        def forget(_: object, name: str) -> None:
            raise ReconcilerError(f"no room to forget {name}", remedy="make room")

        monkeypatch.setattr("reconciler.controller.passes.forget_facts", forget)
        break_host(made.setting.state, Fault(FaultKind.FAIL, "zfs", "^zfs create", stderr="no\n"), name="h")
        with pytest.raises(ReconcilerError, match="no room to forget h"):
            await applied(made)

        assert "tank/b" in everything_on(made.setting.state, "k")

    played(story, tree(dataset("tank/a"), dataset("tank/a/a"), dataset("tank/b")))


def test_a_stop_before_the_first_action_does_nothing_and_keeps_that(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        stop = asyncio.Event()
        stop.set()
        results = await applied(made, stop)

        assert [[str(outcome.state) for outcome in result.outcomes] for result in results] == [["cancelled"]] * 2
        assert not [argv for argv in commands_run(made.setting.state) if argv[:2] == ("zfs", "create")]

    played(story, tree(dataset("tank/a")))


def test_a_cancellation_waits_until_every_host_has_let_go(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        for name in HOSTS:
            break_host(made.setting.state, Fault(FaultKind.HANG, "zfs", "^zfs create", times=None), name=name)
        running: set[str] = set()
        both_hang = asyncio.Event()

        def before(name: str, command: Command) -> None:
            if command.changes:
                running.add(name)
                if running == set(HOSTS):
                    both_hang.set()

        made.connections.before = before
        task = asyncio.create_task(applied(made))
        await both_hang.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert asyncio.all_tasks() == {asyncio.current_task()}
        await made.journal.flushed()
        assert made.setting.database is not None
        assert {key.name for key in unfinished_keys(made.setting.database, "h")} == {"tank/a"}

    played(story, tree(dataset("tank/a")))


def test_a_forgotten_host_leaves_nothing_in_our_files_and_stays_as_it_is(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        database = made.setting.database
        assert database is not None
        await applied(made)
        before = everything_on(made.setting.state, "k")
        forget_host(database, made.journal, "k")
        await made.journal.flushed()

        assert hosts_in_ledger(database) == {"h"}
        assert [entry["host"] for entry in statuses(database)] == ["h"]
        assert list(database.rows("SELECT host FROM facts")) == [("h",)]
        assert everything_on(made.setting.state, "k") == before

    played(story, tree(dataset("tank/a")))


def test_every_waits_for_all_and_raises_the_first_trouble() -> None:
    ended = []

    async def after(turns: int, trouble: str = "") -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        ended.append(turns)
        if trouble:
            raise ReconcilerError(trouble)
        return turns

    assert asyncio.run(every([after(3), after(1)])) == [3, 1]
    with pytest.raises(ReconcilerError, match="second"):
        asyncio.run(every([after(5), after(2, "second"), after(4, "third")]))
    assert ended == [1, 3, 2, 4, 5]


def test_both_hosts_are_looked_at_side_by_side(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        order: list[str] = []
        made.connections.before = lambda name, command: order.append(name)
        await planned(made)

        assert order[:2] == ["h", "k"]

    played(story, tree())


def test_a_look_at_a_host_leaves_no_trace_there(played: Callable[..., None]) -> None:
    async def story(made: Inside) -> None:
        with host_in(made.setting.state) as emulated:
            emulated.clear_transcript()
            await planned(made)
            assert not any(call.changed for call in emulated.transcript())

    played(story, tree(dataset("tank/a")))
