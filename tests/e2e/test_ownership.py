"""Whose an object is, on emulated hosts and on real ZFS: by the marks on the host, whatever became of our own files."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.main import run
from tests.e2e.ground import REPOSITORY, Ground, dataset, real

DELETE = "{onRemoval: delete}"


def planned(ground: Ground) -> dict[str, Any]:
    """The host's part of the plan."""
    said = ground.reconciler("plan", "--output", "json")
    assert said.exit_code in (0, 3), said.err
    found: dict[str, Any] = json.loads(said.out)["hosts"][0]
    return found


def refused(ground: Ground) -> dict[str, tuple[str, str]]:
    """Reason and remedy of each refusal by name."""
    return {
        item["key"].split("/", 2)[2].removeprefix(f"{ground.pool}/"): (item["reason"], item["remedy"])
        for item in planned(ground)["blocked"]
    }


def marks(ground: Ground, name: str) -> dict[str, str]:
    """Our properties that are set on the object itself."""
    listed = ground.zfs("get", "-Hp", "-s", "local", "-o", "property,value", "all", f"{ground.pool}/{name}")
    rows = (line.split("\t") for line in listed.splitlines())
    return {prop.removeprefix("dev.reconciler:"): value for prop, value in rows if prop.startswith("dev.reconciler:")}


def lose_ledger(ground: Ground) -> None:
    for file in ground.state.glob("reconciler.sqlite*"):
        file.unlink()


def test_a_lost_ledger_changes_no_plan(ground: Ground) -> None:
    ground.write(dataset(f"{ground.pool}/a", DELETE, quota="64MiB"), dataset(f"{ground.pool}/a/b", "{protect: all}"))
    ground.converges()
    before = ground.zfs("get", "-Hp", "-r", "-o", "name,property,value,source", "all", f"{ground.pool}/a")
    lose_ledger(ground)

    empty = ground.reconciler("plan", "--exit-code")
    ground.converges()

    assert empty.exit_code == 0, empty.out
    assert ground.zfs("get", "-Hp", "-r", "-o", "name,property,value,source", "all", f"{ground.pool}/a") == before


def test_a_lost_mark_is_blocked_until_adoption_and_never_pruned(ground: Ground) -> None:
    name = f"{ground.pool}/a"
    ground.write(dataset(name, DELETE, quota="64MiB"))
    ground.converges()
    for prop in marks(ground, "a"):
        ground.zfs("inherit", f"dev.reconciler:{prop}", name)

    lost = refused(ground)
    ground.write(dataset(f"{ground.pool}/other"))
    ground.converges()
    still_there = name in ground.names()
    ground.write(dataset(name, "{onRemoval: delete, adopt: ifEqual}", quota="64MiB"), dataset(f"{ground.pool}/other"))
    ground.converges()

    assert lost["a"][0] == "notOurs"
    assert "lifecycle.adopt: ifEqual" in lost["a"][1]
    assert still_there
    assert marks(ground, "a")["owner"] == "tests"


def test_what_differs_is_adopted_once_and_then_kept(ground: Ground) -> None:
    name = f"{ground.pool}/a"
    ground.zfs("create", "-o", "quota=32m", name)
    ground.write(dataset(name, "{adopt: ifEqual}", quota="64MiB"))
    different = refused(ground)
    ground.write(dataset(name, "{adopt: once}", quota="64MiB"))
    ground.converges()
    adopted = ground.value(name, "quota")[0]
    ground.zfs("set", "quota=32m", name)
    shown = planned(ground)["actions"]
    ground.converges()

    assert different["a"][0] == "notOurs"
    assert adopted == ground.value(name, "quota")[0] == str(64 << 20)
    assert [action["verb"] for action in shown] == ["update"], "with our mark there, once means nothing"


def test_two_owners_on_one_host_see_their_own(ground: Ground) -> None:
    other = ground.root / "other"
    shutil.copytree(ground.tree, other)
    (other / "repository.yaml").write_text(REPOSITORY.replace("tests", "others"))
    (other / "hosts/h/objects.yaml").write_text(dataset(f"{ground.pool}/theirs", DELETE))
    ground.write(dataset(f"{ground.pool}/ours", DELETE))
    ground.converges()

    # An emulated host lives in the state directory, so there the two share a ledger too.
    state = ground.state if "emulated" in ground.transport else ground.root / "other-state"
    assert run(["apply", str(other), "--yes", "--state", str(state)]) == 0
    assert (marks(ground, "ours")["owner"], marks(ground, "theirs")["owner"]) == ("tests", "others")
    assert planned(ground)["actions"] == []
    for lifecycle in ("{}", "{adopt: ifEqual}", "{adopt: once}"):
        ground.write(dataset(f"{ground.pool}/ours", DELETE), dataset(f"{ground.pool}/theirs", lifecycle))
        assert refused(ground)["theirs"][0] == "otherOwner"
    ground.write(dataset(f"{ground.pool}/kept"))
    ground.converges()
    assert {"theirs", "kept"} <= {name.removeprefix(f"{ground.pool}/") for name in ground.names()}
    assert f"{ground.pool}/ours" not in ground.names()


def test_a_protection_holds_without_manifest_and_ledger(ground: Ground) -> None:
    keep = dataset(f"{ground.pool}/keep")
    ground.write(keep, dataset(f"{ground.pool}/a", "{onRemoval: delete, protect: removal}"))
    ground.converges()
    ground.write(keep)
    lose_ledger(ground)

    assert refused(ground)["a"][0] == "protected"
    assert ground.apply().exit_code == 3
    assert f"{ground.pool}/a" in ground.names()


def test_an_orphan_loses_every_mark_and_is_nobodys(ground: Ground) -> None:
    keep = dataset(f"{ground.pool}/keep")
    ground.write(keep, dataset(f"{ground.pool}/a", "{onRemoval: orphan, protect: all}", quota="64MiB"))
    ground.converges()
    ground.write(keep)

    shown = planned(ground)["actions"]
    ground.converges()

    assert [action["verb"] for action in shown] == ["forget"]
    assert marks(ground, "a") == {}
    assert ground.value(f"{ground.pool}/a", "quota")[0] == str(64 << 20)
    seen = json.loads(ground.reconciler("observe", "--host", "h", "--unmanaged", "--output", "json").out)
    assert f"h/Dataset/{ground.pool}/a" in {item["key"] for item in seen["observed"]}


def test_a_copy_that_bears_another_machines_mark_is_reported_and_stays(ground: Ground) -> None:
    keep, name = dataset(f"{ground.pool}/keep"), f"{ground.pool}/copy"
    ground.write(keep, dataset(name, DELETE))
    ground.converges()
    ground.zfs("set", "dev.reconciler:host=another", name)

    for manifests in ((keep,), (keep, dataset(name, "{onRemoval: delete, adopt: once}"))):
        ground.write(*manifests)
        assert refused(ground)["copy"][0] == "foreignCopy"
        assert ground.apply().exit_code == 3
        assert name in ground.names()
    ground.write(keep)
    seen = ground.reconciler("observe", "--host", "h", "--unmanaged").out
    assert f"Dataset/{name}  (a copy of what tests has on another machine, " in seen


@pytest.mark.real
def test_a_mark_that_came_with_a_stream_tells_a_copy_from_another_machine(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ground = real(tmp_path, request.getfixturevalue("pool").name, capsys)
    keep, name = dataset(f"{ground.pool}/keep"), f"{ground.pool}/a"
    ground.write(keep, dataset(name, DELETE))
    ground.converges()
    ground.zfs("snapshot", f"{name}@here")
    ground.zfs("set", "dev.reconciler:host=another", name)
    ground.zfs("snapshot", f"{name}@there")
    for snapshot, copy in (("there", "sent"), ("here", "restored")):
        if snapshot == "here":
            ground.zfs("inherit", "dev.reconciler:host", name)
        stream = subprocess.run(["zfs", "send", "-p", f"{name}@{snapshot}"], check=True, capture_output=True, timeout=60)
        subprocess.run(["zfs", "receive", "-u", f"{ground.pool}/{copy}"], input=stream.stdout, check=True, timeout=60)
    assert ground.value(f"{ground.pool}/sent", "dev.reconciler:owner") == ("tests", "received")

    ground.write(keep)
    refusals = refused(ground)

    assert refusals["sent"][0] == "foreignCopy"
    assert "restored" not in refusals, "from this machine: nobody's"
    ground.apply()
    assert {f"{ground.pool}/sent", f"{ground.pool}/restored"} <= ground.names()


def test_what_lost_its_mark_on_the_way_into_the_trash_is_adopted_and_brought_back_in_one_pass(ground: Ground) -> None:
    name = f"{ground.pool}/a"
    ground.write(dataset(name))
    ground.converges()
    ground.zfs("set", 'dev.reconciler:trash={"at":"","group":"","mounted":true,"saved":{"canmount":null},"ttl":null}', name)
    ground.zfs("set", "canmount=noauto", name)
    ground.zfs("inherit", "dev.reconciler:owner", name)
    ground.write(dataset(name, "{adopt: ifEqual}"))

    ground.converges()

    assert ground.value(name, "canmount") == ("on", "default")
