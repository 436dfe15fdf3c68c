"""Work on the trash is writing too: it needs the host's lock, and heeds holds."""

import asyncio
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.emulation.faults import Fault, FaultKind
from reconciler.hosts.emulated import EmulatedTransport
from reconciler.hosts.facts import read_facts
from reconciler.hosts.lease import this_process
from reconciler.hosts.own_names import lock_name
from tests.cli.children import Ended, Shell
from tests.cli.hosts import break_host, host_in
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


def in_mode(ground: Ground, mode: str) -> None:
    host = ground.tree / "hosts/h/host.yaml"
    host.write_text(f"{host.read_text()}  mode: {mode}\n")


@pytest.mark.parametrize("verb", ["restore", "purge"])
def test_the_trash_of_a_host_that_is_only_reported_is_left_alone_and_that_is_said(ground: Ground, verb: str) -> None:
    before = ground.names()
    in_mode(ground, "report")

    code, said = trash(ground, verb, "h/Dataset/tank/a")

    assert (code, "nothing is changed on a host in mode report" in said) == (3, True), said
    assert ground.names() == before


@pytest.mark.parametrize("verb", ["restore", "purge"])
def test_the_trash_of_a_host_that_is_ignored_is_neither_seen_nor_touched(ground: Ground, verb: str) -> None:
    before = ground.names()
    in_mode(ground, "ignore")

    code, said = trash(ground, verb, "h/Dataset/tank/a")

    assert (code, "h: not looked at: its mode is ignore" in said) == (1, True), said
    assert ground.names() == before


def entry(ground: Ground) -> str:
    return next(name for name in ground.names() if ".reconciler-trash/" in name)


@pytest.mark.parametrize("key", ["garbage", "VNIC/net0", "Volume/tank/a"])
def test_what_can_not_be_what_its_mark_says_does_not_come_back(ground: Ground, key: str) -> None:
    ground.zfs("set", f"dev.reconciler:key={key}", entry(ground))
    group = next(word for line in listed(ground).splitlines() if (word := line.partition("group ")[2]))
    before = ground.names()

    code, said = trash(ground, "restore", group)

    assert (code, "ambiguous" in said, "internal error" in said) == (3, True, False), said
    assert ground.names() == before


def test_what_a_note_in_the_trash_says_is_shown_escaped(ground: Ground) -> None:
    note = '{"at":"x","group":"g\\u001b[2J\\udcff","ttl":null}'
    ground.zfs("set", f"dev.reconciler:trash={note}", entry(ground))

    assert "group g\\x1b[2J\\udcff" in listed(ground)


def listed(ground: Ground) -> str:
    ground.capture.readouterr()
    assert run(["trash", "list", str(ground.tree), "--state", str(ground.state)]) == 0
    return ground.capture.readouterr().out


def test_what_went_in_no_one_knows_with_what_comes_back_alone(ground: Ground) -> None:
    ground.write(dataset("tank/c"))
    ground.converges()
    for name in ground.names():
        if ".reconciler-trash/" in name:
            ground.zfs("set", "dev.reconciler:trash=garbled", name)
    ground.write(dataset("tank/a"), dataset("tank/b"), dataset("tank/c"))

    assert trash(ground, "restore", "h/Dataset/tank/a")[0] == 0

    assert {"tank/a", "tank/b"} & ground.names() == {"tank/a"}


def two_hosts(ground: Ground) -> None:
    """A second host `i`, on which tank/a lies in the trash too."""
    manifest = (ground.tree / "hosts/h/host.yaml").read_text().replace("name: h", "name: i")
    (ground.tree / "hosts/i").mkdir()
    (ground.tree / "hosts/i/host.yaml").write_text(manifest)
    objects = ground.tree / "hosts/i/objects.yaml"
    for texts in ([dataset("tank/a"), dataset("tank/b")], [dataset("tank/b")]):
        objects.write_text("\n---\n".join(texts))
        assert ground.reconciler("apply", "--yes", "--host", "i").exit_code == 0


def test_what_was_done_on_one_host_is_told_although_another_is_locked(ground: Ground, shell: Shell) -> None:
    ground.write(dataset("tank/b"))
    two_hosts(ground)

    async def while_locked() -> Ended:
        transport = EmulatedTransport.open(ground.state / "hosts/h.sqlite", system="omnios", hostname="h")
        facts, _ = await read_facts(transport, (), {}, lambda _: None)
        lease = await transport.lease(lock_name("tests", facts.host_id, "h"), this_process(Path("/elsewhere")))
        try:
            return await asyncio.to_thread(purge_all, ground, shell)
        finally:
            await lease.release()
            await transport.close()

    done = asyncio.run(while_locked())

    assert (done.exit_code, "h: another writer holds the host: pid" in done.err) == (6, True), done.err
    assert "i: 1 object purged" in done.out


def purge_all(ground: Ground, shell: Shell) -> Ended:
    """Purges what lies in the trash of both hosts, once all of it has expired."""
    for name in ("h", "i"):
        with host_in(ground.state, name) as host:
            for kept in host.drift(("zfs", "list", "-H", "-o", "name")).stdout.decode().split():
                if ".reconciler-trash/" in kept:
                    note = '{"at":"20200101T000000.000Z","group":"0123","ttl":1}'
                    assert host.drift(("zfs", "set", f"dev.reconciler:trash={note}", kept)).exit_code == 0
    return shell.run("trash", "purge", "--expired", "tree", "--yes")


def test_a_key_is_worked_on_although_another_host_can_not_be_reached(ground: Ground) -> None:
    two_hosts(ground)
    break_host(ground.state, Fault(FaultKind.FAIL, "zfs", "get", times=None), name="i")

    assert trash(ground, "restore", "h/Dataset/tank/a")[0] == 0


def test_no_name_at_all_names_nothing(ground: Ground) -> None:
    ground.zfs("set", "dev.reconciler:trash=garbled", entry(ground))
    before = ground.names()

    assert trash(ground, "purge", "")[0] == 1
    assert ground.names() == before
