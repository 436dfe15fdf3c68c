"""What goes wrong in a pass is told, ends nothing, and is made good."""

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.hosts.transport import Transport
from reconciler.model.errors import ReconcilerError
from reconciler.model.host import HostManifest
from reconciler.provider.registry import Registry
from reconciler.store.journal import unfinished_keys
from reconciler.store.ledger import ledger_of
from tests.cli.hosts import commands_run
from tests.controller.inside import Inside, Steered, full_disk
from tests.controller.one_host import one_pass, player, ready
from tests.controller.running import dataset

TROUBLE = [
    (ReconcilerError("the state file can't be used", remedy="check the disk"), "the state file can't be used"),
    (RuntimeError("a bug"), "internal error: RuntimeError: a bug"),
]


@pytest.fixture
def played(registry: Registry, tmp_path: Path) -> Callable[..., None]:
    """Plays a story on one host `h` with these manifests."""
    return player(registry, tmp_path / "state")


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
