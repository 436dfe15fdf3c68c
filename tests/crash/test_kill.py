"""kill -9 in the middle of an apply: the next run converges, nothing is lost, nothing is made twice."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.controller.desired_state import DesiredReader
from reconciler.desired.layout import TOP
from reconciler.model.desired import Desired
from reconciler.provider.registry import Registry
from reconciler.source.location import located
from reconciler.source.opening import opened
from tests.crash.killing import Death, Moment, killed_apply
from tests.e2e.ground import Ground, dataset, emulated, real

GOING = "{onRemoval: delete, deleteSnapshots: true}"
REPLACED = "{onRemoval: delete, disruption: replace}"


def before(p: str) -> tuple[str, ...]:
    return (
        dataset(f"{p}/keep", quota="64MiB"),
        dataset(f"{p}/change", quota="64MiB"),
        dataset(f"{p}/old", quota="64MiB"),
        dataset(f"{p}/old/inner"),
        dataset(f"{p}/replace", REPLACED, casesensitivity="sensitive"),
        dataset(f"{p}/go", GOING),
        dataset(f"{p}/go/inner", GOING),
    )


def after(p: str, compression: str) -> tuple[str, ...]:
    """Eight actions: two creations, an update, a rename that carries one along, a replacement and two removals."""
    return (
        dataset(f"{p}/keep", quota="64MiB"),
        dataset(f"{p}/change", quota="96MiB", compression=compression),
        dataset(f"{p}/renamed", moved_from=f"{p}/old", quota="64MiB"),
        dataset(f"{p}/renamed/inner"),
        dataset(f"{p}/replace", REPLACED, casesensitivity="mixed"),
        dataset(f"{p}/made", quota="32MiB"),
        dataset(f"{p}/made/inner"),
    )


KEPT = {"keep": "keep", "change": "change", "old": "renamed", "old/inner": "renamed/inner"}
GOALS = {"keep", "change", "renamed", "renamed/inner", "replace", "made", "made/inner", "theirs"}


def desired_state(registry: Registry, ground: Ground) -> Desired:
    source = opened(located(directory=str(ground.tree)), ground.state, os.environ, only=TOP)
    return DesiredReader(registry).read(source, source.fetch()).desired


def one_after_another(ground: Ground) -> None:
    """One action at a time, so that the n-th command is the same in each run."""
    host = ground.tree / "hosts/h/host.yaml"
    host.write_text(host.read_text() + "  limits: {parallel: 1}\n")


def prepare(ground: Ground, p: str) -> dict[str, str]:
    """The host before, with something unmanaged beside; guids of what must be kept, by their name afterwards."""
    ground.zfs("create", f"{p}/theirs")
    ground.write(*before(p))
    ground.converges()
    ground.zfs("snapshot", f"{p}/go@one")
    guids = {later: ground.value(f"{p}/{name}", "guid")[0] for name, later in KEPT.items()}
    guids["theirs"] = ground.value(f"{p}/theirs", "guid")[0]
    ground.write(*after(p, ground.compression))
    return guids


def check(ground: Ground, p: str, guids: dict[str, str], told: str) -> None:
    """Another apply converges, and everything is what and where it must be."""
    ground.converges()
    found = {name.removeprefix(f"{p}/") for name in ground.names() if name.startswith(f"{p}/")}
    assert found - {name for name in found if name.startswith(("cores", "config", "opt", "var", "usbkey"))} >= GOALS, told
    assert not found & {"old", "old/inner", "go", "go/inner"}, told
    assert {name: ground.value(f"{p}/{name}", "guid")[0] for name in guids} == guids, told
    assert ground.value(f"{p}/replace", "casesensitivity")[0] == "mixed", told
    assert ground.value(f"{p}/theirs", "dev.reconciler:owner") == ("-", "-"), told


def deaths(moment: Moment, attempt: Callable[[Death], bool]) -> Iterator[int]:
    """Tries every passage of a moment until an apply gets through; yields after each death."""
    for count in range(1, 200):
        if not attempt(Death(moment, count)):
            return
        yield count
    raise AssertionError("an apply of eight actions passes fewer than 200 points")


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("system", ["omnios"])
def test_killed_anywhere_on_an_emulated_host_the_next_apply_converges(
    moment: Moment, system: str, registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = "tank"
    ground = emulated(tmp_path, system, pool, capsys)
    one_after_another(ground)
    guids = prepare(ground, pool)
    saved = tmp_path / "saved"
    shutil.copytree(ground.state, saved)
    desired = desired_state(registry, ground)
    died = 0

    def attempt(death: Death) -> bool:
        shutil.rmtree(ground.state)
        shutil.copytree(saved, ground.state)
        return killed_apply(registry, ground.state, desired, death)

    for count in deaths(moment, attempt):
        died = count
        check(ground, pool, guids, f"killed {moment} {count}")

    assert died >= 8


@pytest.mark.real
@pytest.mark.parametrize("moment", list(Moment))
def test_killed_anywhere_on_real_zfs_the_next_apply_converges(
    moment: Moment, registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    pool = request.getfixturevalue("pool").name
    ground = real(tmp_path, pool, capsys)
    one_after_another(ground)
    place = {"now": ""}
    guids: dict[str, str] = {}

    def attempt(death: Death) -> bool:
        # A fresh corner of the pool each time; the ledger of the one before is of no use to it.
        if place["now"]:
            ground.zfs("destroy", "-r", place["now"])
        shutil.rmtree(ground.state, ignore_errors=True)
        place["now"] = f"{pool}/{moment.name.lower()}{death.count}"
        ground.zfs("create", place["now"])
        guids.update(prepare(ground, place["now"]))
        return killed_apply(registry, ground.state, desired_state(registry, ground), death)

    died = 0
    for count in deaths(moment, attempt):
        died = count
        check(ground, place["now"], guids, f"killed {moment} {count}")

    assert died >= 8
