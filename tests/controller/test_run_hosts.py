"""`reconciler run` and its hosts: new ones, ones that go, ones that can't be read, commands that hang, the end."""

import signal
import time

import pytest

from reconciler.emulation.executables import write_executables
from reconciler.emulation.faults import Fault, FaultKind
from tests.cli.children import eventually, processes_naming
from tests.cli.hosts import break_host, everything_on, host_in, mend_host
from tests.controller.running import LONG, Controller, Site, dataset, host, objects

WITHIN_S, GRACE_S = 6.0, 3.0


def hangs(site: Site, name: str = "h") -> bool:
    with host_in(site.state, name) as emulated:
        return any(call.hangs for call in emulated.transcript())


def ended_by(controller: Controller, *signs: signal.Signals) -> tuple[int, float]:
    """The exit code, and how long the end took."""
    began = time.monotonic()
    for number, sign in enumerate(signs):
        if number:
            controller.wait_for("stopping")
        controller.send(sign)
    return controller.ended(WITHIN_S), time.monotonic() - began


def test_a_new_host_is_taken_up(site: Site) -> None:
    with site.running() as controller:
        controller.wait_for("converged", host="h")
        site.remote.commit({**host("k"), **objects(dataset("tank/a"), of="k")})
        controller.wait_for("revision", hosts=2)
        controller.wait_for("converged", host="k", actions=1)


def test_a_host_that_goes_is_forgotten_and_left_alone_and_may_come_back(site: Site) -> None:
    there = {**host("k"), **objects(dataset("tank/a"), of="k")}
    site.remote.commit(there)
    with site.running(interval="0.5") as controller:
        controller.wait_for("converged", host="k")
        before = everything_on(site.state, "k")
        site.remote.commit(dict.fromkeys(there))
        controller.wait_for("revision", hosts=1)
        controller.wait_for("forgotten", host="k")
        with host_in(site.state, "k") as emulated:
            emulated.clear_transcript()
            controller.wait_for("converged", host="h")
            controller.wait_for("converged", host="h")
            assert emulated.transcript() == ()
        assert everything_on(site.state, "k") == before
        assert site.status().keys() == {"h"}
        site.remote.commit(there)
        controller.wait_for("revision", hosts=2)
        back = controller.wait_for("converged", host="k")

    assert "actions" not in back
    assert "tank/a\tdev.reconciler:owner\ttests\tlocal" in everything_on(site.state, "k")


def test_a_host_that_went_while_no_controller_ran_is_forgotten_at_the_start(site: Site) -> None:
    there = {**host("k"), **objects(dataset("tank/a"), of="k")}
    site.remote.commit(there)
    site.shell.run("run", *site.source, "--once")
    before = everything_on(site.state, "k")
    site.remote.commit(dict.fromkeys(there))

    with site.running() as controller:
        controller.wait_for("forgotten", host="k")
        controller.wait_for("converged", host="h")

    assert everything_on(site.state, "k") == before
    assert site.status().keys() == {"h"}


@pytest.mark.parametrize("kind", [FaultKind.FAIL, FaultKind.HANG])
def test_a_host_that_can_not_be_read_delays_no_other(site: Site, kind: FaultKind) -> None:
    site.remote.commit({**host("k"), **objects(dataset("tank/a")), **objects(dataset("tank/a"), of="k")})
    break_host(site.state, Fault(kind, "zfs", times=None), name="k")
    with site.running() as controller:
        controller.wait_for("converged", host="h", actions=1)
        site.remote.commit(objects(dataset("tank/a"), dataset("tank/b")))
        controller.wait_for("converged", host="h", actions=1)
        if kind is FaultKind.FAIL:
            eventually(lambda: site.has("Unreadable", "True", "k"), "the status tells of it")
            mend_host(site.state, "k")
            controller.wait_for("converged", host="k", actions=1)

    assert "tank/b\t" in everything_on(site.state)


def test_a_command_that_hangs_on_one_host_delays_no_other(site: Site) -> None:
    site.remote.commit({**host("k"), **objects(dataset("tank/a"), of="k")})
    break_host(site.state, Fault(FaultKind.HANG, "zfs", "^zfs create", times=None), name="k")
    with site.running() as controller:
        eventually(lambda: hangs(site, "k"), "the command hangs")
        site.remote.commit(objects(dataset("tank/b")))
        controller.wait_for("converged", host="h", actions=1)


@pytest.mark.parametrize(
    ("sign", "code", "where"),
    [(signal.SIGTERM, 143, "zfs create"), (signal.SIGINT, 130, "zfs (get|list)"), (signal.SIGTERM, 143, "uname")],
)
def test_a_second_signal_ends_a_command_that_hangs_at_once(site: Site, sign: signal.Signals, code: int, where: str) -> None:
    site.remote.commit(objects(dataset("tank/a")))
    break_host(site.state, Fault(FaultKind.HANG, argv=f"^{where}", times=None))
    with site.running() as controller:
        eventually(lambda: hangs(site), "the command hangs")
        ended, took = ended_by(controller, sign, sign)

    assert ended == code
    assert took < GRACE_S
    # A look ends at the first signal already, so the second may find only us left.
    assert controller.events[-1]["event"] == "stopped"


def test_one_sigterm_ends_a_command_that_hangs_after_a_grace_and_leaves_no_child(site: Site) -> None:
    tools = site.root / "tools"
    write_executables(tools, system="omnios", state=site.state / "hosts/h.sqlite", hostname="h")
    site.remote.commit({**host("h", "{type: local}"), **objects(dataset("tank/a"), dataset("tank/b"))})
    break_host(site.state, Fault(FaultKind.HANG, "zfs", "^zfs create", times=None))
    site.path = str(tools)
    with site.running() as controller:
        eventually(lambda: hangs(site), "the command hangs")
        assert processes_naming(str(tools))
        ended, _ = ended_by(controller, signal.SIGTERM)

    assert ended == 143
    assert processes_naming(str(tools)) == {}
    mend_host(site.state)
    with site.running() as again:
        done = again.wait_for("converged", host="h")
    assert done["actions"] == 2


def test_it_ends_at_once_while_it_waits_for_a_remote_that_hangs(site: Site) -> None:
    class Far(Site):
        @property
        def source(self) -> tuple[str, ...]:
            return ("--repo", "ssh://forge.example/infra.git")

    folder = site.root / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(f'#!/bin/sh\ntouch "{site.root}/asked"\nwhile :; do sleep 0.1; done\n')
    (folder / "ssh").chmod(0o755)
    far = Far(site.root / "far", path=str(folder))
    with far.running() as controller:
        eventually((site.root / "asked").exists, "git asks the remote")
        ended, took = ended_by(controller, signal.SIGTERM)

    assert ended == 143
    assert took < WITHIN_S
    eventually(lambda: processes_naming(str(folder)) == {}, "ssh ends")


def test_killed_outright_the_next_controller_goes_on(site: Site) -> None:
    site.remote.commit(objects(dataset("tank/a"), dataset("tank/b")))
    break_host(site.state, Fault(FaultKind.HANG_AFTER, "zfs", "^zfs create"))
    with site.running() as controller:
        eventually(lambda: hangs(site), "the command hangs")
        controller.send(signal.SIGKILL)
        assert controller.ended() == -signal.SIGKILL

    with site.running() as again:
        again.wait_for("converged", host="h")

    assert site.has("Ready", "True")


def test_it_goes_on_when_nobody_reads_its_log_any_more(site: Site) -> None:
    from reconciler.store.database import Database
    from reconciler.store.ledger import hosts_in_ledger

    def applied() -> bool:
        database = Database.open_existing(site.state)
        assert database is not None
        try:
            return "k" in hosts_in_ledger(database)
        finally:
            database.close()

    site.remote.commit({"quiet": "1"})
    with site.shell.started("run", *site.source, "--poll", "0.5", "--interval", LONG) as child:
        assert child.process.stderr is not None
        while "converged" not in child.process.stderr.readline():
            pass
        child.process.stderr.close()
        child.process.stderr = None
        site.remote.commit({**host("k"), **objects(dataset("tank/a"), of="k")})
        eventually(applied, "the new host is taken up")
        assert child.is_running
        child.send(signal.SIGTERM)
        assert child.process.wait(WITHIN_S) == 143


def test_only_the_named_hosts_are_kept(site: Site) -> None:
    site.remote.commit({**host("k"), **objects(dataset("tank/a")), **objects(dataset("tank/a"), of="k")})
    with site.running("--host", "k", "--host", "z") as controller:
        controller.wait_for("no such host", host="z")
        controller.wait_for("converged", host="k", actions=1)
        controller.send(signal.SIGTERM)
        controller.ended()

    assert not (site.state / "hosts/h.sqlite").exists()
