"""The host lock: one process at a time, told to the others, and gone with its holder however that ends."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.hosts.emulated import EmulatedTransport
from reconciler.hosts.emulated_lease import EXPIRY_S, EmulatedLease, lock_text
from reconciler.hosts.lease import (
    Holder,
    LockHeldError,
    held_by_another,
    holder_from,
    holder_text,
    is_dead,
    this_process,
)
from reconciler.hosts.local import LocalTransport
from reconciler.hosts.local_lock import lock_directory
from reconciler.hosts.own_names import lock_name
from reconciler.hosts.transport import Transport
from reconciler.model.errors import ExitCode, ReconcilerError

NAME = "reconciler.tests.0123456789ab.lock"
OURS = this_process(Path("/state"))
Open = Callable[[], Transport]


@pytest.fixture(params=["local", "emulated"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the same host once more, as another process would."""
    monkeypatch.setenv("RECONCILER_RUNTIME_DIR", str(tmp_path))
    if request.param == "local":
        return LocalTransport
    return lambda: EmulatedTransport.open(tmp_path / "h.sqlite", system="omnios", hostname="h")


async def _taken_by_two(opened: Open) -> LockHeldError:
    first, second = opened(), opened()
    lease = await first.lease(NAME, OURS)
    try:
        with pytest.raises(LockHeldError) as held:
            await second.lease(NAME, replace(OURS, since=1.0))
    finally:
        await lease.release()
        await first.close()
        await second.close()
    return held.value


def test_a_host_has_one_writer_and_the_other_hears_who_it_is(opened: Open) -> None:
    held = asyncio.run(_taken_by_two(opened))

    assert held.holder == OURS


def test_a_lock_that_was_released_is_free_at_once(opened: Open) -> None:
    async def twice() -> None:
        transport = opened()
        for _ in range(2):
            await (await transport.lease(NAME, OURS)).release()
        await transport.close()

    asyncio.run(twice())


def test_locks_of_different_owners_do_not_meet(opened: Open) -> None:
    async def both() -> None:
        transport = opened()
        leases = [await transport.lease(lock_name(owner, "id", "h"), OURS) for owner in ("one", "two")]
        for lease in leases:
            await lease.release()
        await transport.close()

    asyncio.run(both())


def test_a_lease_knows_whether_another_wrote_since_a_look(opened: Open) -> None:
    async def scene() -> tuple[bool, bool, bool]:
        transport = opened()
        start = time.monotonic()
        first = await transport.lease(NAME, OURS)
        never_held = first.is_undisturbed_since(start)
        await first.release()
        second = await transport.lease(NAME, OURS)
        held_since = second.is_undisturbed_since(start)
        quiet_since = second.is_undisturbed_since(time.monotonic())
        await second.release()
        await transport.close()
        return never_held, held_since, quiet_since

    assert asyncio.run(scene()) == (True, False, True)


HOLDING = """
import asyncio, sys
from pathlib import Path
from reconciler.hosts.emulated import EmulatedTransport
from reconciler.hosts.lease import this_process
from reconciler.hosts.local import LocalTransport
from reconciler.model.command import Command

async def hold():
    kind, place, name = sys.argv[1:4]
    local = LocalTransport()
    transport = local if kind == "local" else EmulatedTransport.open(Path(place), system="omnios", hostname="h")
    await transport.lease(name, this_process(Path("/elsewhere")))
    asyncio.create_task(local.run(Command(("sleep", "600"))))
    await asyncio.sleep(0.2)
    print("held", flush=True)
    await asyncio.sleep(600)

asyncio.run(hold())
"""


def test_kill_9_frees_the_lock_although_a_child_lives_on(opened: Open, tmp_path: Path) -> None:
    kind = "local" if opened is LocalTransport else "emulated"
    argv = [sys.executable, "-c", HOLDING, kind, str(tmp_path / "h.sqlite"), NAME]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert children

        async def scene() -> bool:
            transport = opened()
            with pytest.raises(LockHeldError) as held:
                await transport.lease(NAME, OURS)
            assert held.value.holder is not None
            assert held.value.holder.pid == process.pid
            looked_at = time.monotonic()
            process.kill()
            # Seen to be dead with all its threads, and left unreaped: a zombie is dead all the same.
            await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            lease = await transport.lease(NAME, OURS)
            undisturbed = lease.is_undisturbed_since(looked_at)
            await lease.release()
            await transport.close()
            return undisturbed

        try:
            assert not asyncio.run(scene())
            assert all(Path(f"/proc/{child}").exists() for child in children)
        finally:
            for child in children:
                os.kill(int(child), signal.SIGKILL)


async def _emulated_lock(tmp_path: Path, holder: Holder, until: float) -> bool:
    """Whether the lock can be taken from that holder."""
    transport = EmulatedTransport.open(tmp_path / "h.sqlite", system="omnios", hostname="h")
    await transport.change_note(NAME, lambda _: lock_text(holder, until))
    try:
        await (await transport.lease(NAME, OURS)).release()
    except LockHeldError:
        return False
    finally:
        await transport.close()
    return True


@pytest.mark.parametrize(
    ("holder", "left_s", "is_broken"),
    [
        (OURS, 20, False),
        (OURS, -1, True),
        (replace(OURS, started="1"), 20, True),
        (replace(OURS, pid=2**22 + 1), 20, True),
        (replace(OURS, boot_id="another", pid=2**22 + 1), 20, False),
        (replace(OURS, pid_namespace="pid:[1]", pid=2**22 + 1), 20, False),
        (replace(OURS, boot_id="another"), -1, True),
        (replace(OURS, boot_id="", started="", pid=2**22 + 1), 20, False),
    ],
    ids=["alive", "expired", "pid-reused", "pid-gone", "other-boot", "other-namespace", "other-boot-expired", "unknowable"],
)
def test_a_lock_with_expiry_is_broken_when_its_holder_is_dead_or_silent(
    tmp_path: Path, holder: Holder, left_s: float, is_broken: bool
) -> None:
    assert asyncio.run(_emulated_lock(tmp_path, holder, time.time() + left_s)) is is_broken


@pytest.mark.parametrize("damage", ["no json", "[]", "3", '{"holder": "", "until": "soon"}'])
def test_a_lock_that_can_not_be_read_is_broken_and_its_holder_counts_as_one_that_wrote(tmp_path: Path, damage: str) -> None:
    async def scene() -> bool:
        transport = EmulatedTransport.open(tmp_path / "h.sqlite", system="omnios", hostname="h")
        await transport.change_note(NAME, lambda _: damage)
        lease = await transport.lease(NAME, OURS)
        undisturbed = lease.is_undisturbed_since(time.monotonic())
        await lease.release()
        await transport.close()
        return undisturbed

    assert not asyncio.run(scene())


def test_a_holder_that_works_puts_the_expiry_off(tmp_path: Path) -> None:
    async def scene() -> bool:
        transport = EmulatedTransport.open(tmp_path / "h.sqlite", system="omnios", hostname="h")
        lease = await transport.lease(NAME, OURS)
        assert isinstance(lease, EmulatedLease)
        await transport.change_note(NAME, lambda _: lock_text(OURS, time.time() + 1))
        lease.renew()
        text = await transport.note(NAME)
        await lease.release()
        await transport.close()
        return float(text.rpartition('"until": ')[2].rstrip("}")) > time.time() + EXPIRY_S / 2

    assert asyncio.run(scene())


def test_a_holder_whose_lock_was_broken_notices_and_leaves_the_new_one_alone(tmp_path: Path) -> None:
    other = replace(OURS, since=1.0)

    async def scene() -> tuple[bool, str, str]:
        transport = EmulatedTransport.open(tmp_path / "h.sqlite", system="omnios", hostname="h")
        lease = await transport.lease(NAME, OURS)
        assert isinstance(lease, EmulatedLease)
        theirs = lock_text(other, time.time() + 20)
        await transport.change_note(NAME, lambda _: theirs)
        lease.renew()
        await lease.release()
        left = await transport.note(NAME)
        await transport.close()
        return lease.lost.is_set(), left, theirs

    lost, left, theirs = asyncio.run(scene())
    assert lost
    assert left == theirs


def test_the_error_names_the_host_the_holder_and_what_to_do() -> None:
    holder = replace(OURS, pid=4711, user="root", command="reconciler run", state="/var/lib/reconciler", since=1_700_000_000.0)

    error = held_by_another("hv01", LockHeldError(holder))

    assert error.exit_code == ExitCode.LOCKED
    assert error.cause.startswith("hv01: another writer holds the host: pid 4711 (`reconciler run` by root, ")
    assert "since 2023-11-14 22:13:20 UTC" in error.cause
    assert "`kill 4711`" in error.remedy


def test_arguments_are_not_told_for_they_may_hold_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/bin/reconciler", "run", "--repo", "https://me:secret@forge/infra.git"])

    assert this_process(Path("/state")).command == "reconciler run"


def test_we_are_alive_to_ourselves() -> None:
    assert not is_dead(OURS, OURS)
    assert holder_from(holder_text(OURS)) == OURS


def test_a_lock_that_can_not_be_made_is_an_error_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECONCILER_RUNTIME_DIR", str(tmp_path / "file" / "below"))

    async def take() -> None:
        await LocalTransport().lease(NAME, OURS)

    with pytest.raises(ReconcilerError, match="can't be made: not a directory") as failed:
        asyncio.run(take())
    assert "RECONCILER_RUNTIME_DIR" in failed.value.remedy


def test_where_locks_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    state = Path("/some/state")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert lock_directory({"XDG_RUNTIME_DIR": "/run/user/0"}, state) == Path("/var/run")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert lock_directory({"XDG_RUNTIME_DIR": "/run/user/1000"}, state) == Path("/run/user/1000")
    assert lock_directory({}, state) == state
    assert lock_directory({"RECONCILER_RUNTIME_DIR": "/own"}, state) == Path("/own")


def test_the_name_tells_owner_machine_and_host_apart() -> None:
    names = {lock_name(*parts) for parts in [("a", "id", "h"), ("b", "id", "h"), ("a", "other", "h"), ("a", "id", "g")]}

    assert len(names) == 4
    assert lock_name("a", "id", "h") == lock_name("a", "id", "h")
