"""Holds are kept on the host: whole or not at all, for every process that reaches it, until they expire."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.hosts.emulated import EmulatedTransport
from reconciler.hosts.holds import place_hold, read_holds, release_hold
from reconciler.hosts.local import LocalTransport
from reconciler.hosts.local_notes import change_note, note_directory
from reconciler.hosts.own_names import holds_name
from reconciler.hosts.transport import Transport
from reconciler.model.errors import ReconcilerError
from reconciler.model.hold import Hold
from reconciler.model.key import ObjectName

NAME = holds_name("tests", "id", "h")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOLD = Hold(ObjectName("Dataset", "tank/a"), "ops@desk", "because of “this”", NOW, NOW + timedelta(hours=1))
WHOLE = replace(HOLD, name=None)
Open = Callable[[], Transport]


@pytest.fixture(params=["local", "emulated"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    monkeypatch.setenv("RECONCILER_RUNTIME_DIR", str(tmp_path))
    if request.param == "local":
        return LocalTransport
    return lambda: EmulatedTransport.open(tmp_path / "h.sqlite", system="omnios", hostname="h")


async def place(opened: Open, *holds: Hold) -> None:
    transport = opened()
    for hold in holds:
        await place_hold(transport, NAME, hold)
    await transport.close()


async def read(opened: Open, now: datetime = NOW) -> tuple[Hold, ...]:
    transport = opened()
    try:
        return await read_holds(transport, NAME, now)
    finally:
        await transport.close()


async def release(opened: Open, held: ObjectName | None, now: datetime = NOW) -> Hold | None:
    transport = opened()
    try:
        return await release_hold(transport, NAME, held, now)
    finally:
        await transport.close()


def test_a_host_that_was_never_held_has_no_holds(opened: Open) -> None:
    assert asyncio.run(read(opened)) == ()


def test_another_process_sees_a_hold_as_it_was_placed(opened: Open) -> None:
    asyncio.run(place(opened, HOLD, WHOLE))

    assert asyncio.run(read(opened)) == (WHOLE, HOLD)


def test_a_hold_ends_by_itself(opened: Open) -> None:
    asyncio.run(place(opened, HOLD))

    assert asyncio.run(read(opened, HOLD.until - timedelta(seconds=1))) == (HOLD,)
    assert asyncio.run(read(opened, HOLD.until)) == ()


def test_a_second_hold_on_the_same_replaces_the_first(opened: Open) -> None:
    longer = replace(HOLD, until=NOW + timedelta(days=2), why="it takes longer")

    asyncio.run(place(opened, HOLD, WHOLE, longer))

    assert asyncio.run(read(opened)) == (WHOLE, longer)


def test_a_release_ends_one_hold_and_says_which(opened: Open) -> None:
    asyncio.run(place(opened, HOLD, WHOLE))

    assert asyncio.run(release(opened, HOLD.name)) == HOLD
    assert asyncio.run(read(opened)) == (WHOLE,)
    assert asyncio.run(release(opened, HOLD.name)) is None
    assert asyncio.run(release(opened, None)) == WHOLE
    assert asyncio.run(read(opened)) == ()


def test_many_writers_at_once_lose_no_hold(opened: Open) -> None:
    holds = [replace(HOLD, name=ObjectName("Dataset", f"tank/d{number:02}")) for number in range(24)]
    asyncio.run(read(opened))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda hold: asyncio.run(place(opened, hold)), holds))

    assert asyncio.run(read(opened)) == tuple(holds)


HELD = '{{"format": "reconciler.holds/v1", "holds": [{{"who": "", "why": "{why}", "since": "{since}", "until": "{since}"}}]}}'


@pytest.mark.parametrize(
    "damage",
    [
        "no json",
        "[]",
        "[" * 100_000,
        HELD.format(why="\\ud800", since="2026-01-01T00:00:00+00:00"),
        HELD.format(why="", since="0001-01-01T00:00:00+14:00"),
        '{"format": "reconciler.holds/v2", "holds": []}',
        '{"format": "reconciler.holds/v1", "holds": [{}]}',
        '{"format": "reconciler.holds/v1", "holds": [{"who": "", "why": "", "since": "soon", "until": "later"}]}',
        '{"format": "reconciler.holds/v1", "holds": [{"who": "", "why": "", "since": "2026-01-01", "until": "2026-01-01"}]}',
    ],
)
def test_damaged_holds_are_an_error_and_are_not_written_over(opened: Open, damage: str) -> None:
    async def scene() -> str:
        transport = opened()
        await transport.change_note(NAME, lambda _: damage)
        for work in (read_holds(transport, NAME, NOW), place_hold(transport, NAME, HOLD)):
            with pytest.raises(ReconcilerError, match="the holds on the host can't be read") as failed:
                await work
            assert "place the holds anew" in failed.value.remedy
        left = await transport.note(NAME)
        await transport.close()
        return left

    assert asyncio.run(scene()) == damage


def test_a_note_that_can_not_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    place = tmp_path / "note"
    change_note(place, lambda _: "first")
    (tmp_path / "note.draft").mkdir()

    with pytest.raises(ReconcilerError, match="can't be used"):
        change_note(place, lambda _: "second")

    assert place.read_text() == "first"


def test_where_holds_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert note_directory({"XDG_STATE_HOME": "/x"}) == Path("/var/lib/reconciler")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert note_directory({"XDG_STATE_HOME": "/x"}) == Path("/x/reconciler")
    assert note_directory({"HOME": "/home/me"}) == Path("/home/me/.local/state/reconciler")
    assert note_directory({"RECONCILER_RUNTIME_DIR": "/own", "HOME": "/home/me"}) == Path("/own")
