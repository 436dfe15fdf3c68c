"""`--host`, `--kind` and `--name`, and what looking may not leave behind."""

from pathlib import Path

import pytest

from reconciler.emulation.faults import Fault, FaultKind
from tests.cli.hosts import break_host
from tests.e2e.ground import Ground, dataset, volume

DELETE = "{onRemoval: delete}"


@pytest.fixture
def two(ground: Ground) -> Ground:
    """A second host `k` with an object of its own."""
    other = ground.tree / "hosts/k"
    other.mkdir()
    (other / "host.yaml").write_text((ground.tree / "hosts/h/host.yaml").read_text().replace("name: h", "name: k"))
    (other / "objects.yaml").write_text(dataset("tank/onk"))
    return ground


def emulated_hosts(state: Path) -> set[str]:
    return {file.stem for file in (state / "hosts").glob("*.sqlite")}


def test_only_the_named_host_is_contacted(two: Ground) -> None:
    two.write(dataset("tank/a"))

    planned, applied = two.reconciler("plan", "--host", "h"), two.reconciler("apply", "--host", "h", "--yes")

    assert "onk" not in planned.out
    assert applied.out == "h: converged (1 action)\n"
    assert emulated_hosts(two.state) == {"h"}


def test_a_broken_host_that_was_left_out_does_not_matter(two: Ground) -> None:
    two.reconciler("plan")
    break_host(two.state, Fault(FaultKind.FAIL, times=None), name="k")

    assert two.reconciler("plan", "--exit-code", "--host", "h").exit_code == 0


def test_a_host_may_be_named_twice_and_two_hosts_once_each(two: Ground) -> None:
    two.write(dataset("tank/a"))

    applied = two.reconciler("apply", "--yes", "--host", "k", "--host", "h", "--host", "k")

    assert applied.exit_code == 0
    assert applied.out == "h: converged (1 action)\nk: converged (1 action)\n"


def test_narrowing_to_hosts_still_removes(two: Ground) -> None:
    two.write(dataset("tank/a", DELETE), dataset("tank/b"))
    two.apply()
    two.write(dataset("tank/b"))

    applied = two.reconciler("apply", "--yes", "--host", "h")

    assert applied.exit_code == 0
    assert "tank/a" not in two.names()


@pytest.mark.parametrize("narrowing", [("--kind", "Dataset"), ("--name", "tank/b")])
def test_narrowing_to_objects_never_removes_nor_forgets(ground: Ground, narrowing: tuple[str, str]) -> None:
    ground.write(dataset("tank/a", DELETE), dataset("tank/b"), volume("tank/v", "64MiB"))
    ground.converges()
    ground.write(dataset("tank/b", quota="64MiB"), volume("tank/v", "96MiB"))

    planned = ground.reconciler("plan", *narrowing)
    narrow = ground.reconciler("apply", "--yes", *narrowing)
    whole = ground.apply()

    assert "narrowed: nothing is removed" in planned.out
    assert narrow.exit_code == 0
    assert narrow.out == "h: converged (1 action)\n"
    assert whole.out == "h: converged (2 actions)\n"
    assert "tank/a" not in ground.names()
    assert ground.value("tank/v", "volsize")[0] == str(96 << 20)


def test_a_narrowed_apply_leaves_the_status_as_it_was(ground: Ground) -> None:
    ground.write(dataset("tank/a"), dataset("tank/b"))

    ground.reconciler("apply", "--yes", "--name", "tank/a")

    assert ground.reconciler("plan", "--exit-code").exit_code != 0
    from tests.cli.test_documents import status

    assert status(ground, code=1)["hosts"] == []


def test_looking_makes_no_state_database(ground: Ground) -> None:
    ground.write(dataset("tank/a"))

    for arguments in (("validate",), ("render",), ("plan",), ("plan", "--output", "json"), ("observe", "--host", "h")):
        assert ground.reconciler(*arguments).exit_code == 0

    assert not list(ground.state.glob("*.sqlite*"))


def test_a_plan_changes_nothing_on_the_host_nor_in_the_database(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    ground.converges()
    ground.write(dataset("tank/a", quota="64MiB"), dataset("tank/b"))
    names, database = ground.names(), (ground.state / "reconciler.sqlite").read_bytes()

    ground.reconciler("plan")

    assert ground.names() == names
    assert (ground.state / "reconciler.sqlite").read_bytes() == database


def test_a_host_in_mode_ignore_is_not_contacted(two: Ground) -> None:
    path = two.tree / "hosts/k/host.yaml"
    path.write_text(path.read_text() + "  mode: ignore\n")
    two.write(dataset("tank/a"))

    applied = two.apply()

    assert applied.out == "h: converged (1 action)\n"
    assert emulated_hosts(two.state) == {"h"}


def test_a_host_whose_manifest_went_away_is_forgotten_and_left_alone(two: Ground) -> None:
    two.write(dataset("tank/a"))
    two.apply()
    for file in (two.tree / "hosts/k").iterdir():
        file.unlink()
    before = two.names()

    planned, applied, again = two.reconciler("plan"), two.apply(), two.reconciler("plan")

    assert "forgotten: it has no Host manifest any more" in planned.out
    assert applied.exit_code == 0
    assert "forgotten" not in again.out
    assert two.names() == before
    from tests.cli.hosts import everything_on

    assert "tank/onk\tdev.reconciler:owner\ttests\tlocal" in everything_on(two.state, "k")


def test_a_forgotten_host_that_comes_back_is_known_by_its_marks(two: Ground) -> None:
    saved = {file: file.read_text() for file in (two.tree / "hosts/k").iterdir()}
    two.write(dataset("tank/a"))
    two.apply()
    for file in saved:
        file.unlink()
    two.apply()
    for file, text in saved.items():
        file.write_text(text)

    assert two.reconciler("plan", "--exit-code").exit_code == 0
    assert two.apply().out == "h: converged\nk: converged\n"
