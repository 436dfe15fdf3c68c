"""How long commands take: said in the answer, waited for by the transport and by programs."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from reconciler.emulation import EmulatedHost, EmulationError, executables
from reconciler.hosts import emulated
from reconciler.hosts.emulated import EmulatedTransport
from reconciler.model.command import Command, Ending


def test_a_host_answers_at_once_unless_told_otherwise(smartos: EmulatedHost) -> None:
    assert smartos.run(["zfs", "list"]).seconds == 0


def test_the_longer_name_counts_and_options_are_no_subcommand(smartos: EmulatedHost) -> None:
    smartos.set_latency({"zfs": 1.5, "zfs create": 60, "kstat": 0.1})

    assert smartos.run(["/usr/sbin/zfs", "list"]).seconds == 1.5
    assert smartos.run(["zfs", "-E", "create", "nonsense"]).seconds == 60
    assert smartos.run(["zpool", "list"]).seconds == 0


def test_latency_is_kept_by_the_host(tmp_path: Path) -> None:
    with EmulatedHost.open(tmp_path / "host.db", system="smartos", latency={"zfs": 2}):
        pass
    with EmulatedHost.open(tmp_path / "host.db") as again:
        assert again.run(["zfs", "list"]).seconds == 2
        again.set_latency({})
        assert again.run(["zfs", "list"]).seconds == 0


@pytest.mark.parametrize("table", [{"zfs": -1.0}, {"zfs": float("nan")}, {"zfs list -r": 1.0}, {"": 1.0}])
def test_a_latency_that_can_not_be_is_refused(smartos: EmulatedHost, table: dict[str, float]) -> None:
    with pytest.raises(EmulationError, match="latency of"):
        smartos.set_latency(table)


@pytest.mark.parametrize(("deadline", "ending", "waited"), [(30.0, Ending.EXITED, 5.0), (2.0, Ending.DEADLINE, 2.0)])
def test_the_transport_waits_without_blocking_and_no_longer_than_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deadline: float, ending: Ending, waited: float
) -> None:
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        # What was done is there for others before the answer is.
        assert host.storage.exists("zones/a")

    monkeypatch.setattr(emulated.asyncio, "sleep", sleep)
    with EmulatedHost.open(tmp_path / "host.db", system="smartos", latency={"zfs create": 5}) as host:
        completed = asyncio.run(EmulatedTransport(host).run(Command(("zfs", "create", "zones/a"), deadline_s=deadline)))

    assert (completed.ending, completed.duration_s) == (ending, waited)
    assert naps == [waited]


def test_a_program_waits_after_its_work_is_there_for_others(tmp_path: Path) -> None:
    made = executables.write_executables(
        tmp_path / "bin", system="smartos", state=tmp_path / "host.db", latency={"zfs create": 3600}
    )
    zfs = next(one for one in made if one.name == "zfs")
    slow = subprocess.Popen([zfs, "create", "zones/a"], stdout=subprocess.PIPE, env=os.environ)
    try:
        with EmulatedHost.open(tmp_path / "host.db") as host:
            while not host.storage.exists("zones/a"):
                assert slow.poll() is None
        assert slow.poll() is None
    finally:
        slow.kill()
        slow.communicate()
