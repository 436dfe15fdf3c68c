"""Two that apply to one host at once, as real processes: one writes, the other says who does, and nothing is made twice."""

import json
import signal
import sqlite3
from pathlib import Path

import pytest

from reconciler.emulation.faults import Fault, FaultKind
from reconciler.emulation.host import EmulatedHost
from tests.cli.children import Child, Shell, eventually
from tests.e2e.ground import HOST, Ground, dataset


@pytest.fixture
def other(ground: Ground) -> Shell:
    """The same host seen from another state directory."""
    state = ground.root / "other"
    (state / "hosts").mkdir(parents=True)
    (ground.state / "hosts").mkdir(parents=True)
    # One emulated machine, reached from both.
    with EmulatedHost.open(ground.state / "hosts/h.sqlite", system="omnios", hostname="h"):
        (state / "hosts/h.sqlite").symlink_to(ground.state / "hosts/h.sqlite")
    return Shell(ground.root, state)


def hangs(ground: Ground, argv: str) -> None:
    """The next command like this never ends."""
    with EmulatedHost.open(ground.state / "hosts/h.sqlite") as host:
        host.inject(Fault(FaultKind.HANG, "zfs", argv))


def is_writing(ground: Ground) -> bool:
    """Whether the command that hangs has been begun."""
    with EmulatedHost.open(ground.state / "hosts/h.sqlite") as host:
        return not host.faults()


def test_the_second_apply_names_the_first_and_ends_with_6(ground: Ground, shell: Shell, other: Shell) -> None:
    ground.write(dataset("tank/a"))
    hangs(ground, "create")
    with shell.started("apply", "tree", "--yes") as first:
        eventually(lambda: is_writing(ground), "the first apply at work")

        second = other.run("apply", "tree", "--yes")

        assert second.exit_code == 6
        assert f"h: another writer holds the host: pid {first.process.pid} (`" in second.err
        assert "remedy: wait until it has ended, or end it" in second.err
        assert "h: not applied, 1 action still pending" in second.out
        assert ground.names() == set()
        first.send(signal.SIGKILL)
    # The holder is dead: its lock is broken at once, not when it expires.
    third = other.run("apply", "tree", "--yes")

    assert third.exit_code == 0, third.err
    assert ground.names() == {"tank/a"}


def test_looking_and_planning_lock_nothing_and_heed_no_lock(ground: Ground, shell: Shell, other: Shell) -> None:
    ground.write(dataset("tank/a"))
    hangs(ground, "create")
    with shell.started("apply", "tree", "--yes"):
        eventually(lambda: is_writing(ground), "the first apply at work")

        assert other.run("plan", "tree", "--exit-code").exit_code == 2
        assert other.run("observe", "tree", "--host", "h").exit_code == 0


def test_an_apply_with_nothing_to_do_heeds_no_lock(ground: Ground, shell: Shell, other: Shell) -> None:
    ground.write(dataset("tank/a"))
    ground.converges()
    ground.write(dataset("tank/a"), dataset("tank/b"))
    hangs(ground, "create")
    with shell.started("apply", "tree", "--yes"):
        eventually(lambda: is_writing(ground), "the first apply at work")
        ground.write(dataset("tank/a"))

        assert other.run("apply", "tree", "--yes").exit_code == 0


def test_json_says_who_was_in_the_way(ground: Ground, shell: Shell, other: Shell) -> None:
    ground.write(dataset("tank/a"))
    hangs(ground, "create")
    with shell.started("apply", "tree", "--yes"):
        eventually(lambda: is_writing(ground), "the first apply at work")

        told = json.loads(other.run("apply", "tree", "--yes", "--output", "json").out)["hosts"][0]

    assert (told["converged"], told["notApplied"]["reason"]) == (False, "locked")
    assert "another writer" in told["notApplied"]["cause"]


def test_a_locked_host_does_not_keep_the_others_from_being_applied(ground: Ground, shell: Shell, other: Shell) -> None:
    (ground.tree / "hosts/g").mkdir()
    (ground.tree / "hosts/g/host.yaml").write_text(
        HOST.format(transport="{type: emulated, system: omnios}").replace("name: h", "name: g")
    )
    (ground.tree / "hosts/g/objects.yaml").write_text(dataset("tank/g"))
    ground.write(dataset("tank/a"))
    hangs(ground, "create")
    with shell.started("apply", "tree", "--yes", "--host", "h"):
        eventually(lambda: is_writing(ground), "the first apply at work")

        done = other.run("apply", "tree", "--yes")

    assert done.exit_code == 6
    assert "g: converged (1 action)" in done.out
    assert "h: not applied" in done.out


def test_two_applies_at_once_make_everything_once(ground: Ground, shell: Shell, other: Shell) -> None:
    names = [f"tank/d{number}" for number in range(30)]
    ground.write(*(dataset(name) for name in names))
    with shell.started("apply", "tree", "--yes") as first, other.started("apply", "tree", "--yes") as second:
        codes = sorted(child.ended().exit_code for child in (first, second))

    assert codes in ([0, 0], [0, 6])
    assert ground.names() == set(names)
    with EmulatedHost.open(ground.state / "hosts/h.sqlite") as host:
        created = [call.argv[-1] for call in host.transcript() if call.argv[:2] == ("zfs", "create")]
    assert sorted(created) == sorted(names)
    assert ground.reconciler("plan", "--exit-code").exit_code == 0


def test_a_reviewed_plan_is_not_run_where_another_has_written_since(ground: Ground, shell: Shell, other: Shell) -> None:
    ground.write(dataset("tank/a"), dataset("tank/b"))
    with shell.at_terminal("apply", "tree") as asked:
        asked.read_until("Run this plan?")
        assert other.run("apply", "tree", "--yes").exit_code == 0
        asked.type("y\n")

        assert asked.ended() == 4
    assert "another writer has changed the host, or a hold there has, and the plan is out of date" in asked.shown


def test_a_reviewed_plan_that_still_holds_is_run_although_another_tried_to_write(
    ground: Ground, shell: Shell, other: Shell
) -> None:
    ground.write(dataset("tank/a"), dataset("tank/b"))
    with shell.at_terminal("apply", "tree") as asked:
        asked.read_until("Run this plan?")
        with EmulatedHost.open(ground.state / "hosts/h.sqlite") as host:
            host.inject(Fault(FaultKind.FAIL, "zfs", "^zfs create", times=None, stderr="cannot create: permission denied\n"))
            assert other.run("apply", "tree", "--yes").exit_code == 5
            host.clear_faults()
        asked.type("y\n")

        assert asked.ended() == 0
    assert ground.names() == {"tank/a", "tank/b"}


def told(child: Child, state: Path, wanted: str) -> bool:
    assert child.is_running
    try:
        with sqlite3.connect(state / "reconciler.sqlite") as connection:
            found = connection.execute("SELECT document FROM status").fetchone()
    except sqlite3.Error:
        return False
    return found is not None and wanted in str(found[0])


def test_a_controller_waits_for_the_other_writer_says_so_once_and_goes_on(ground: Ground, shell: Shell, other: Shell) -> None:
    ground.write(dataset("tank/a"))
    hangs(ground, "create")
    with shell.started("apply", "tree", "--yes") as first:
        eventually(lambda: is_writing(ground), "the first apply at work")
        with other.started("run", "tree", "--interval", "0.5", "--poll", "600") as controller:
            eventually(lambda: told(controller, other.state, '"Locked"'), "a status that says Locked")
            first.send(signal.SIGKILL)
            eventually(lambda: ground.names() == {"tank/a"}, "the dataset, made by the controller")
            eventually(lambda: told(controller, other.state, '"Converged"'), "a status that says Converged")
            controller.send(signal.SIGTERM)
            said = [json.loads(line) for line in controller.ended().err.splitlines()]

    refused = [event for event in said if event["event"] == "not applied"]
    assert len(refused) == 1
    assert f"pid {first.process.pid}" in refused[0]["cause"]
