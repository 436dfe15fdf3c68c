"""What a host does not say, says it wrongly or half, is unreadable: exit 7, and nothing is made, changed or destroyed."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reconciler.emulation.faults import Fault, FaultKind
from tests.cli.hosts import break_host, commands_run, everything_on, host_in, mend_host
from tests.e2e.ground import HOST, Ground, dataset

DELETE = "{onRemoval: delete, deleteSnapshots: true}"
DOWN = "internal error: failed to initialize ZFS library\n"


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that hangs on an emulated host is waited for by sleeping until its deadline; that takes no time here."""
    real = asyncio.sleep

    async def at_once(_seconds: float, result: object = None) -> object:
        return await real(0, result)

    monkeypatch.setattr(asyncio, "sleep", at_once)


@contextmanager
def nothing_may_change(ground: Ground) -> Iterator[None]:
    """The host as it is now must be the host as it is afterwards."""
    before = everything_on(ground.state)
    with host_in(ground.state) as host:
        host.clear_transcript()
    yield
    assert everything_on(ground.state) == before
    with host_in(ground.state) as host:
        assert [call.argv for call in host.transcript() if call.changed] == []


def lived_in(ground: Ground) -> None:
    """Something is to be created, changed and destroyed."""
    ground.write(dataset("tank/keep", quota="64MiB"), dataset("tank/go", DELETE))
    ground.converges()
    ground.zfs("snapshot", "tank/go@one")
    ground.write(dataset("tank/keep", quota="96MiB"), dataset("tank/new"))


NO_ZFS = Fault(FaultKind.FAIL, "zfs", times=None, exit_code=127, stderr="zfs: command not found\n")
UNREADABLE = [
    (Fault(FaultKind.FAIL, "zfs", times=None, exit_code=1, stderr=DOWN), "zfs fails"),
    (Fault(FaultKind.FAIL, "zfs", times=None, exit_code=1, stderr="cannot open '/dev/zfs': Permission denied\n"), "no right"),
    (NO_ZFS, "no zfs any more"),
    (Fault(FaultKind.FAIL, "zfs", "^zfs get", times=None, exit_code=0), "it says nothing, and that this is all"),
    (Fault(FaultKind.TRUNCATE, "zfs", times=None), "the output ends in a line"),
    (Fault(FaultKind.GARBAGE, "zfs", times=None), "bytes that are no text"),
    (Fault(FaultKind.HANG, "zfs", times=None), "no answer"),
    (Fault(FaultKind.HANG, "uname", times=None), "not even the first answer"),
    (Fault(FaultKind.GARBAGE, "uname", times=None), "a machine that says nonsense about itself"),
    (Fault(FaultKind.FAIL, times=None, exit_code=255, stderr="connection closed\n"), "nothing answers"),
    (Fault(FaultKind.LOST_REPLY, "zfs", times=None, exit_code=-9), "zfs is killed"),
]


@pytest.mark.parametrize(("fault", "reason"), UNREADABLE, ids=[reason for _, reason in UNREADABLE])
def test_nothing_is_done_on_a_host_that_can_not_be_read(ground: Ground, fault: Fault, reason: str) -> None:
    lived_in(ground)
    with nothing_may_change(ground):
        break_host(ground.state, fault)

        planned, applied = ground.reconciler("plan", "--exit-code"), ground.apply()

        mend_host(ground.state)
    assert (planned.exit_code, applied.exit_code) == (7, 7), planned.out
    assert "UNREADABLE" in planned.out
    assert "remedy:" in planned.out
    assert "unreadable" in applied.out
    assert "create  " not in planned.out
    assert "DESTROY" not in planned.out
    ground.converges()


@pytest.mark.parametrize(("fault", "reason"), [row for row in UNREADABLE if row[0] is not NO_ZFS])
def test_a_host_that_was_never_seen_and_can_not_be_read_gets_nothing(ground: Ground, fault: Fault, reason: str) -> None:
    """Without facts kept from before."""
    ground.write(dataset("tank/new"))
    with nothing_may_change(ground):
        break_host(ground.state, fault)

        applied = ground.apply()

    assert applied.exit_code == 7, reason


def test_a_host_that_never_had_zfs_does_not_have_the_kind(ground: Ground) -> None:
    ground.write(dataset("tank/new"))
    break_host(ground.state, NO_ZFS)

    applied = ground.apply()

    assert applied.exit_code == 3
    assert "unsupported" in applied.err


def test_a_pool_that_can_not_be_read_is_unreadable(ground: Ground) -> None:
    pool = "apiVersion: reconciler/v1\nkind: Pool\nmetadata: {name: tank}\nspec: {expect: {health: ONLINE}}\n"
    ground.write(dataset("tank/new"), pool)
    break_host(ground.state, Fault(FaultKind.FAIL, "zpool", times=None, stderr=DOWN))

    applied = ground.apply()

    assert applied.exit_code == 7
    assert "tank/new" not in ground.names()


def test_a_host_that_can_be_read_again_goes_on_where_it_was(ground: Ground) -> None:
    lived_in(ground)
    break_host(ground.state, Fault(FaultKind.FAIL, "zfs", times=None, stderr=DOWN))
    ground.apply()
    mend_host(ground.state)

    ground.converges()

    assert "tank/go" not in ground.names()
    assert "tank/new" in ground.names()


def test_a_host_that_goes_blind_in_the_middle_is_not_called_converged(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    ground.converges()
    ground.write(dataset("tank/a"), dataset("tank/b"))
    with host_in(ground.state) as host:
        host.clear_transcript()
    ground.reconciler("plan")
    looks = sum(argv[:2] == ("zfs", "get") for argv in commands_run(ground.state))
    break_host(ground.state, Fault(FaultKind.FAIL, "zfs", "^zfs get", skip=looks, times=None, stderr=DOWN))

    applied = ground.apply()

    assert applied.exit_code == 7
    assert "h: not converged: " in applied.out
    assert "tank/b" in ground.names()


def test_a_state_file_of_another_system_is_an_unreadable_host(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    ground.reconciler("plan")
    (ground.tree / "hosts/h/host.yaml").write_text(HOST.format(transport="{type: emulated, system: smartos}"))

    planned = ground.reconciler("plan")

    assert planned.exit_code == 7
    assert "emulated omnios, not smartos" in planned.out


def test_a_host_whose_transport_can_not_be_opened_keeps_no_other_from_its_work(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    other = ground.tree / "hosts/k"
    other.mkdir()
    (other / "host.yaml").write_text(HOST.format(transport=ground.transport).replace("name: h", "name: k"))
    (ground.state / "hosts").mkdir(parents=True)
    (ground.state / "hosts/k.sqlite").write_bytes(b"garbage, and no emulated host" * 200)

    applied = ground.apply()

    assert applied.exit_code == 7
    assert "h: converged (1 action)" in applied.out
    assert "k: not converged: unreadable" in applied.out


def test_a_lost_reply_is_judged_by_looking_and_nothing_is_made_twice(ground: Ground) -> None:
    ground.write(dataset("tank/a", quota="64MiB"))
    break_host(ground.state, Fault(FaultKind.LOST_REPLY, "zfs", "^zfs create"))

    applied = ground.apply()
    again = ground.reconciler("plan", "--exit-code")

    creations = [argv for argv in commands_run(ground.state) if argv[:2] == ("zfs", "create")]
    assert applied.exit_code in {0, 5}
    assert "h: converged" in applied.out
    assert again.exit_code == 0
    assert len(creations) == 1
    assert ground.value("tank/a", "quota")[0] == str(64 << 20)


def test_a_command_that_did_its_work_and_then_hung_is_found_done_in_the_next_pass(ground: Ground) -> None:
    ground.write(dataset("tank/a", quota="64MiB"))
    break_host(ground.state, Fault(FaultKind.HANG_AFTER, "zfs", "^zfs create"))

    ground.apply()

    assert "tank/a" in ground.names()
    assert ground.reconciler("plan", "--exit-code").exit_code == 0


def test_of_two_properties_the_second_is_set_by_the_next_pass(ground: Ground) -> None:
    ground.write(dataset("tank/a", quota="64MiB", recordsize="16K"))
    ground.converges()
    ground.write(dataset("tank/a", quota="96MiB", recordsize="32K"))
    break_host(ground.state, Fault(FaultKind.HALF, "zfs", "^zfs set", stderr="cannot set property: out of space\n", times=None))

    half = ground.apply()
    mend_host(ground.state)
    ground.converges()

    assert half.exit_code == 5
    assert "still pending" in half.out
    assert ground.value("tank/a", "quota")[0] == str(96 << 20)
    assert ground.value("tank/a", "recordsize")[0] == str(32 << 10)


def test_a_dataset_that_was_made_and_not_mounted_is_ours_and_is_finished(ground: Ground) -> None:
    ground.write(dataset("tank/a", quota="64MiB"))
    mount = "cannot mount '/tank/a': directory is not empty\n"
    break_host(ground.state, Fault(FaultKind.HALF, "zfs", "^zfs create", stderr=mount))

    ground.apply()
    ground.converges()

    assert ground.value("tank/a", "mounted")[0] == "yes"


def test_another_machine_than_the_named_one_is_asked_for_its_name_only(ground: Ground) -> None:
    lived_in(ground)
    text = HOST.format(transport=ground.transport) + "  identity: {hostname: other}\n"
    (ground.tree / "hosts/h/host.yaml").write_text(text)
    with nothing_may_change(ground):
        planned, applied = ground.reconciler("plan"), ground.apply()

        asked = set(commands_run(ground.state))

    assert (planned.exit_code, applied.exit_code) == (3, 3)
    assert {argv[0] for argv in asked} == {"uname"}
    assert "wrongHost" in planned.out
    assert "spec.identity" in planned.out


def test_the_named_machine_is_accepted(ground: Ground) -> None:
    text = HOST.format(transport=ground.transport) + "  identity: {hostname: h}\n"
    (ground.tree / "hosts/h/host.yaml").write_text(text)
    ground.write(dataset("tank/a"))

    ground.converges()
