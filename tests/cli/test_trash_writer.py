"""Work on the trash is writing too: it needs the host's lock, and heeds holds."""

import asyncio
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.hosts.emulated import EmulatedTransport
from reconciler.hosts.facts import read_facts
from reconciler.hosts.lease import this_process
from reconciler.hosts.own_names import lock_name
from tests.cli.children import Ended, Shell
from tests.e2e.ground import Ground, dataset


@pytest.fixture
def ground(ground: Ground) -> Ground:
    """A dataset of ours lies in the trash, and its manifest is back."""
    ground.write(dataset("tank/a"), dataset("tank/b"))
    ground.converges()
    ground.write(dataset("tank/b"))
    ground.converges()
    ground.write(dataset("tank/a"), dataset("tank/b"))
    return ground


def trash(ground: Ground, *arguments: str) -> tuple[int, str]:
    ground.capture.readouterr()
    code = run(["trash", *arguments, str(ground.tree), "--state", str(ground.state), "--yes"])
    return code, ground.capture.readouterr().err


def hold(ground: Ground, target: str) -> None:
    assert run(["hold", target, str(ground.tree), "--state", str(ground.state), "--why", "by hand", "--for", "1h"]) == 0


@pytest.mark.parametrize("verb", ["restore", "purge"])
def test_the_trash_is_left_alone_while_another_writes_to_the_host(ground: Ground, shell: Shell, verb: str) -> None:
    before = ground.names()

    async def while_locked() -> Ended:
        transport = EmulatedTransport.open(ground.state / "hosts/h.sqlite", system="omnios", hostname="h")
        facts, _ = await read_facts(transport, (), {}, lambda _: None)
        lease = await transport.lease(lock_name("tests", facts.host_id, "h"), this_process(Path("/elsewhere")))
        try:
            return await asyncio.to_thread(shell.run, "trash", verb, "h/Dataset/tank/a", "tree", "--yes")
        finally:
            await lease.release()
            await transport.close()

    done = asyncio.run(while_locked())

    assert (done.exit_code, "h: another writer holds the host: pid" in done.err) == (6, True), done.err
    assert ground.names() == before


@pytest.mark.parametrize("target", ["h", "h/Dataset/tank/a"])
@pytest.mark.parametrize("verb", ["restore", "purge"])
def test_the_trash_is_left_alone_where_the_host_or_the_key_is_held(ground: Ground, verb: str, target: str) -> None:
    before = ground.names()
    hold(ground, target)

    code, said = trash(ground, verb, "h/Dataset/tank/a")

    assert (code, "held" in said) == (3, True), said
    assert ground.names() == before
