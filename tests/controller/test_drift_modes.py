"""Drift under the controller: enforced, reported or ignored for an object, a field or a host; conditions and their times."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from reconciler.controller.host_loop import HostLoop
from reconciler.emulation.faults import Fault, FaultKind
from reconciler.provider.registry import Registry
from reconciler.store.status import status_of
from tests.cli.hosts import break_host, commands_run, everything_on, host_in, mend_host
from tests.controller.inside import Inside, inside
from tests.controller.running import dataset, host, objects

Story = Callable[[Inside, HostLoop], Coroutine[Any, Any, None]]
Conditions = dict[str, dict[str, Any]]
KEPT = "tank/a\tquota\t67108864\tlocal"
DRIFTED = "tank/a\tquota\t1048576\tlocal"


@pytest.fixture
def played(registry: Registry, tmp_path: Path) -> Callable[..., None]:
    """Plays a story on one host `h` that is as these manifests say, with `lines` in its Host manifest."""

    def play(story: Story, *manifests: str) -> None:
        async def run() -> None:
            async with inside(registry, tmp_path / "state", {**host(), **objects(*manifests)}) as made:
                loop = made.loop()
                await loop._pass()
                await story(made, loop)

        asyncio.run(run())

    return play


def say(made: Inside, *manifests: str, lines: str = "", revision: str = "two") -> None:
    """Puts another revision in force."""
    files = {**host(), **objects(*manifests)}
    files["hosts/h/host.yaml"] = str(files["hosts/h/host.yaml"]) + lines
    made.put(revision, files)
    made.enforce(revision)


def drift(made: Inside, value: str = "quota=1M") -> None:
    with host_in(made.setting.state) as emulated:
        emulated.drift(("zfs", "set", value, "tank/a"))


def conditions(made: Inside) -> Conditions:
    assert made.setting.database is not None
    document = status_of(made.setting.database, "h")
    assert document is not None
    return {condition["type"]: condition for condition in document["conditions"]}


def holds(made: Inside) -> tuple[str, str, str]:
    """Ready, Drifted, Blocked."""
    known = conditions(made)
    return known["Ready"]["status"], known["Drifted"]["status"], known["Blocked"]["status"]


MODES = [
    ("{onRemoval: delete}", "", KEPT, ("True", "False", "False"), 1, "enforce is the default"),
    ("{onRemoval: delete, mode: report}", "", DRIFTED, ("True", "True", "False"), 1, "an object that is only reported"),
    ("{onRemoval: delete, mode: ignore}", "", DRIFTED, ("True", "False", "False"), 0, "an object that is ignored"),
    ("{onRemoval: delete, ignore: [properties.quota]}", "", DRIFTED, ("True", "False", "False"), 0, "a field that is ignored"),
    ("{onRemoval: delete}", "  mode: report\n", DRIFTED, ("True", "True", "False"), 1, "a host that is only reported"),
    (
        "{onRemoval: delete, mode: enforce}",
        "  mode: report\n",
        DRIFTED,
        ("True", "True", "False"),
        1,
        "the host is the ceiling",
    ),
    ("{onRemoval: delete, mode: ignore}", "  mode: report\n", DRIFTED, ("True", "False", "False"), 0, "the lower of the two"),
]


@pytest.mark.parametrize(("lifecycle", "lines", "there", "expected", "told", "reason"), MODES, ids=[row[-1] for row in MODES])
def test_drift_is_treated_as_object_field_and_host_say(
    played: Callable[..., None],
    lifecycle: str,
    lines: str,
    there: str,
    expected: tuple[str, str, str],
    told: int,
    reason: str,
) -> None:
    async def story(made: Inside, loop: HostLoop) -> None:
        say(made, dataset("tank/a", "64MiB", lifecycle), lines=lines)
        await loop._pass()
        drift(made)
        made.log.events.clear()
        await loop._pass()

        assert there in everything_on(made.setting.state), reason
        assert holds(made) == expected, reason
        assert len(made.log.said("drift")) == told, reason
        assert all(said["report_only"] == (there == DRIFTED) for said in made.log.said("drift"))

    played(story, dataset("tank/a", "64MiB"))


def test_a_field_beside_an_ignored_one_is_corrected(played: Callable[..., None]) -> None:
    async def story(made: Inside, loop: HostLoop) -> None:
        lifecycle = "{onRemoval: delete, ignore: [properties.atime]}"
        say(made, dataset("tank/a", "64MiB", lifecycle))
        await loop._pass()
        drift(made)
        drift(made, "atime=off")
        await loop._pass()

        assert KEPT in everything_on(made.setting.state)
        assert "tank/a\tatime\toff\tlocal" in everything_on(made.setting.state)

    played(story, dataset("tank/a", "64MiB"))


def test_a_host_in_mode_ignore_is_left_alone_and_taken_up_again_later(played: Callable[..., None]) -> None:
    async def story(made: Inside, loop: HostLoop) -> None:
        say(made, dataset("tank/a", "64MiB"), lines="  mode: ignore\n")
        drift(made)
        before = len(commands_run(made.setting.state))
        await loop._pass()
        ignored = everything_on(made.setting.state)
        asked = len(commands_run(made.setting.state)) - before
        say(made, dataset("tank/a", "64MiB"), revision="three")
        await loop._pass()

        assert DRIFTED in ignored
        assert asked == 0
        assert KEPT in everything_on(made.setting.state)

    played(story, dataset("tank/a", "64MiB"))


def test_the_time_of_a_condition_is_when_it_began_through_all_that_follows(played: Callable[..., None]) -> None:
    """Reported drift, then a refusal, then blindness, then all well: each keeps its time while it lasts."""

    async def story(made: Inside, loop: HostLoop) -> None:
        async def after() -> Conditions:
            await loop._pass()
            return conditions(made)

        report = "{onRemoval: delete, mode: report}"
        say(made, dataset("tank/a", "64MiB", report))
        fine = await after()
        drift(made)
        drifted, still = await after(), await after()
        say(made, dataset("tank/a", "64MiB", report), dataset("rpool/export"), revision="three")
        refused, refused_still = await after(), await after()
        break_host(made.setting.state, Fault(FaultKind.FAIL, "zfs", times=None, stderr="no\n"))
        blind = await after()
        mend_host(made.setting.state)
        say(made, dataset("tank/a", "64MiB"), revision="four")
        mended = await after()

        assert [c["Drifted"]["status"] for c in (fine, drifted, still, refused, blind, mended)] == [
            "False", "True", "True", "True", "Unknown", "False",
        ]  # fmt: skip
        assert fine["Drifted"]["since"] < drifted["Drifted"]["since"] == still["Drifted"]["since"]
        assert still["Drifted"]["since"] == refused_still["Drifted"]["since"] < blind["Drifted"]["since"]
        assert blind["Drifted"]["since"] < mended["Drifted"]["since"]
        assert [c["Blocked"]["status"] for c in (still, refused, refused_still, mended)] == ["False", "True", "True", "False"]
        assert still["Blocked"]["since"] < refused["Blocked"]["since"] == refused_still["Blocked"]["since"]
        assert [c["Unreadable"]["status"] for c in (refused_still, blind, mended)] == ["False", "True", "False"]
        assert (
            refused["Ready"]["since"] == refused_still["Ready"]["since"] == blind["Ready"]["since"] < mended["Ready"]["since"]
        )
        assert [c["Ready"]["reason"] for c in (still, refused, blind, mended)] == [
            "Converged", "Blocked", "Unreadable", "Converged",
        ]  # fmt: skip

    played(story, dataset("tank/a", "64MiB"))


def test_a_stale_source_keeps_its_time_and_leaves_the_host_ready(played: Callable[..., None]) -> None:
    async def story(made: Inside, loop: HostLoop) -> None:
        fine = conditions(made)
        loop.stale = lambda: "the remote is away"
        await loop._pass()
        first = conditions(made)
        await loop._pass()
        second = conditions(made)
        loop.stale = lambda: ""
        await loop._pass()
        back = conditions(made)

        assert [c["SourceStale"]["status"] for c in (fine, first, second, back)] == ["False", "True", "True", "False"]
        assert fine["SourceStale"]["since"] < first["SourceStale"]["since"] == second["SourceStale"]["since"]
        assert second["SourceStale"]["since"] < back["SourceStale"]["since"]
        assert {c["Ready"]["since"] for c in (fine, first, second, back)} == {fine["Ready"]["since"]}

    played(story, dataset("tank/a", "64MiB"))
