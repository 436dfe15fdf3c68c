"""A plan saved as JSON is applied later if planning anew gives the very same plan, and not otherwise."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from reconciler.emulation.faults import Fault, FaultKind
from tests.cli.hosts import break_host, everything_on
from tests.e2e.ground import Ground, Said, dataset, volume
from tests.source.git_remote import Remote


def saved(ground: Ground, *arguments: str) -> Path:
    """Plans the tree, or what the arguments name, into a file."""
    ground.capture.readouterr()
    source = [] if "--repo" in arguments else [str(ground.tree)]
    code = run(["plan", *source, *arguments, "--state", str(ground.state), "--output", "json"])
    assert code == 0
    file = ground.root / "plan.json"
    file.write_text(ground.capture.readouterr().out)
    return file


def applied(ground: Ground, file: Path, *arguments: str) -> Said:
    ground.capture.readouterr()
    code = run(["apply", str(file), "--yes", "--state", str(ground.state), *arguments])
    shown = ground.capture.readouterr()
    return Said(code, shown.out, shown.err)


def test_a_saved_plan_of_a_folder_is_applied(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    file = saved(ground)

    done = applied(ground, file)

    assert done.exit_code == 0, done.err
    assert done.out == "h: converged (1 action)\n"
    assert "tank/a" in ground.names()


@pytest.mark.parametrize("ref", [None, "main"])
def test_a_saved_plan_of_a_repository_is_applied_wherever_we_are(
    ground: Ground, ref: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.write(dataset("tank/a"))
    Remote(ground.tree).commit()
    file = saved(ground, "--repo", str(ground.tree), *(("--ref", ref) if ref else ()))
    monkeypatch.chdir("/")

    done = applied(ground, file)

    assert done.exit_code == 0, done.err
    assert "tank/a" in ground.names()


def test_a_saved_plan_of_a_part_of_a_repository_is_applied(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    (ground.root / "repository").mkdir()
    ground.tree.rename(ground.root / "repository" / "infra")
    remote = Remote(ground.root / "repository")
    remote.commit()
    file = saved(ground, "--repo", str(remote.path), "--path", "infra")

    assert applied(ground, file).exit_code == 0
    assert "tank/a" in ground.names()


def test_a_saved_plan_of_a_repository_is_stale_after_the_next_commit(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    remote = Remote(ground.tree)
    remote.commit()
    file = saved(ground, "--repo", str(ground.tree))
    ground.write(dataset("tank/b"))
    remote.commit()

    assert applied(ground, file).exit_code == 4


def test_a_saved_plan_names_a_folder_as_seen_from_where_it_was_made(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.write(dataset("tank/a"))
    monkeypatch.chdir(ground.root)
    file = saved(ground)
    monkeypatch.chdir("/")

    elsewhere = applied(ground, file)
    monkeypatch.chdir(ground.root)
    there = applied(ground, file)

    assert json.loads(file.read_text())["source"]["path"] == "tree"
    assert elsewhere.exit_code == 1
    assert "made from the directory tree, which is not there" in elsewhere.err
    assert "remedy: go to where the plan was made" in elsewhere.err
    assert there.exit_code == 0


def a_manifest(ground: Ground) -> None:
    ground.write(dataset("tank/a"), dataset("tank/b"))


def a_value_behind_our_back(ground: Ground) -> None:
    ground.zfs("set", "quota=32M", "tank/there")


def an_object_behind_our_back(ground: Ground) -> None:
    ground.zfs("create", "tank/a")


def the_ledger(ground: Ground) -> None:
    for file in ground.state.glob("reconciler.sqlite*"):
        file.unlink()
    ground.zfs("inherit", "dev.reconciler:owner", "tank/there")


@pytest.mark.parametrize("moved", [a_manifest, a_value_behind_our_back, an_object_behind_our_back, the_ledger])
def test_a_saved_plan_is_stale_when_anything_moved_and_nothing_is_done(ground: Ground, moved: Any) -> None:
    ground.write(dataset("tank/there", quota="64MiB"))
    ground.converges()
    ground.write(dataset("tank/there", quota="64MiB"), dataset("tank/a"))
    file = saved(ground)
    moved(ground)
    before = everything_on(ground.state)

    refused = applied(ground, file)

    assert refused.exit_code == 4
    assert "the saved plan is stale" in refused.err
    assert refused.out == ""
    assert everything_on(ground.state) == before


def test_a_saved_plan_is_stale_once_it_was_applied(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    file = saved(ground)
    applied(ground, file)

    assert applied(ground, file).exit_code == 4


def test_what_cannot_be_read_any_more_is_unreadable_before_it_is_stale(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    file = saved(ground)
    break_host(ground.state, Fault(FaultKind.FAIL, "zfs", times=None))

    assert applied(ground, file).exit_code == 7


def test_a_saved_plan_for_some_hosts_is_applied_to_those_only(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    other = ground.tree / "hosts/k"
    other.mkdir()
    (other / "host.yaml").write_text((ground.tree / "hosts/h/host.yaml").read_text().replace("name: h", "name: k"))
    (other / "a.yaml").write_text(dataset("tank/a"))
    file = saved(ground, "--host", "h")

    done = applied(ground, file)

    assert done.out == "h: converged (1 action)\n"
    assert not (ground.state / "hosts/k.sqlite").exists()


@pytest.mark.parametrize("narrowing", [("--kind", "Dataset"), ("--name", "tank/a")])
def test_a_narrowed_plan_is_not_applied(ground: Ground, narrowing: tuple[str, str]) -> None:
    ground.write(dataset("tank/a"), volume("tank/v", "64MiB"))
    file = saved(ground, *narrowing)

    refused = applied(ground, file)

    assert refused.exit_code == 1
    assert "narrowed" in refused.err
    assert not ground.names() & {"tank/a", "tank/v"}


@pytest.mark.parametrize(
    "arguments",
    [("--host", "h"), ("--kind", "Dataset"), ("--name", "tank/a"), ("--repo", "/x"), ("--ref", "main"), ("--path", "x")],
)
def test_a_saved_plan_takes_no_other_source_and_no_narrowing(ground: Ground, arguments: tuple[str, str]) -> None:
    ground.write(dataset("tank/a"))
    file = saved(ground)

    refused = applied(ground, file, *arguments)

    assert refused.exit_code == 64
    assert "saved plan" in refused.err
    assert "tank/a" not in ground.names()


GARBAGE = [
    (b"", "nothing"),
    (b"garbage", "no JSON"),
    (b"\xff\xfe\x00", "no text"),
    (b"[]", "no mapping"),
    (b"null", "nothing in JSON"),
    (b"{}", "an empty mapping"),
    (b'{"format": "reconciler.result/v1"}', "another document of ours"),
    (b'{"format": "reconciler.plan/v2", "digest": "x", "source": {}, "hosts": []}', "a later version"),
    (b'{"format": "reconciler.plan/v1"}', "a plan of nothing"),
    (b'{"format": "reconciler.plan/v1", "digest": "x", "source": "tree", "hosts": []}', "a source that is a text"),
    (b'{"format": "reconciler.plan/v1", "digest": "x", "source": {"path": "x"}, "hosts": []}', "a source without whole"),
    (b'{"format": "reconciler.plan/v1", "digest": "x", "source": {"path": 1, "whole": true}, "hosts": []}', "a number as path"),
    (
        b'{"format": "reconciler.plan/v1", "digest": "x", "source": {"path": "x", "whole": true}, "hosts": [1]}',
        "a number as host",
    ),
    (b"[" * 100_000, "more depth than anything has"),
]


@pytest.mark.parametrize(("content", "reason"), GARBAGE, ids=[reason for _, reason in GARBAGE])
def test_a_file_that_is_no_saved_plan_is_refused(ground: Ground, content: bytes, reason: str) -> None:
    file = ground.root / "plan.json"
    file.write_bytes(content)

    refused = applied(ground, file)

    assert refused.exit_code == 1, reason
    assert "plan.json" in refused.err
    assert "\n  remedy: " in refused.err
    assert "internal error" not in refused.err
    assert not ground.state.exists()


def test_a_saved_plan_whose_digest_was_changed_is_stale(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    file = saved(ground)
    plan = json.loads(file.read_text())
    plan["digest"] = "sha256:" + "0" * 64
    file.write_text(json.dumps(plan))

    assert applied(ground, file).exit_code == 4


def test_a_plan_is_the_same_wherever_the_same_tree_lies(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.write(dataset("tank/a"))
    first = json.loads(saved(ground).read_text())
    ground.tree.rename(ground.root / "moved")
    monkeypatch.chdir(ground.root / "moved")
    ground.tree = Path(os.curdir)

    second = json.loads(saved(ground).read_text())

    assert first["digest"] == second["digest"]
    assert first["source"]["path"] != second["source"]["path"]
