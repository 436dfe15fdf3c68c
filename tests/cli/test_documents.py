"""`--output json`: one document on stdout, of the contract's shape, and nothing else there."""

import json
from typing import Any

from reconciler.cli.main import run
from reconciler.emulation.faults import Fault, FaultKind
from tests.cli.hosts import break_host
from tests.cli.shapes import FINDINGS, INVENTORY, PLAN, RESULT, STATUS, misfits
from tests.e2e.ground import Ground, dataset, volume

DELETE = "{onRemoval: delete}"


def document(ground: Ground, command: str, *arguments: str, code: int = 0) -> dict[str, Any]:
    """What a command prints with `--output json`."""
    said = ground.reconciler(command, "--output", "json", *arguments)
    assert said.exit_code == code, said.err
    found: dict[str, Any] = json.loads(said.out)
    return found


def status(ground: Ground, *arguments: str, code: int = 0) -> dict[str, Any]:
    ground.capture.readouterr()
    assert run(["status", "--state", str(ground.state), "--output", "json", *arguments]) == code
    found: dict[str, Any] = json.loads(ground.capture.readouterr().out)
    return found


def lived_in(ground: Ground) -> None:
    """A host on which something is to be created, changed, released, deleted, and refused."""
    ground.write(
        dataset("tank/keep", quota="64MiB", refquota="64MiB"),
        dataset("tank/go", DELETE),
        volume("tank/vol", "64MiB"),
    )
    ground.converges()
    ground.zfs("create", "tank/theirs")
    ground.write(
        dataset("tank/keep", quota="null"), dataset("tank/new"), dataset("tank/new/inner"), dataset("tank/theirs"),
        volume("tank/vol", "32MiB"),
    )  # fmt: skip


def test_a_plan_has_the_shape_and_says_what_is_to_be_done(ground: Ground) -> None:
    lived_in(ground)

    plan = document(ground, "plan", code=3)

    assert misfits(plan, PLAN) == []
    host = plan["hosts"][0]
    actions = {action["key"]: action for action in host["actions"]}
    assert actions.keys() == {f"h/Dataset/tank/{name}" for name in ("keep", "go", "new", "new/inner")}
    assert actions["h/Dataset/tank/keep"]["fields"] == [
        {"name": "properties.quota", "before": 64 << 20, "after": None, "effect": "inPlace"}
    ]
    assert actions["h/Dataset/tank/new"]["effect"] == "inPlace"
    assert actions["h/Dataset/tank/new"]["origin"] == {"path": "hosts/h/objects.yaml", "line": 11, "column": 1}
    assert actions["h/Dataset/tank/new/inner"]["after"] == [actions["h/Dataset/tank/new"]["id"]]
    assert "effect" not in actions["h/Dataset/tank/go"]
    assert "origin" not in actions["h/Dataset/tank/go"]
    assert not actions["h/Dataset/tank/go"]["reversible"]
    assert {item["key"]: item["reason"] for item in host["blocked"]} == {
        "h/Dataset/tank/theirs": "notOurs",
        "h/Volume/tank/vol": "dataAtRisk",
    }
    assert host["released"] == [{"key": "h/Dataset/tank/keep", "field": "properties.refquota", "value": 64 << 20}]
    assert plan["summary"]["blocked"] == 2
    assert (plan["summary"]["create"], plan["summary"]["update"], plan["summary"]["delete"]) == (2, 1, 1)


def test_a_plan_of_a_repository_names_it_and_its_ref(ground: Ground) -> None:
    from tests.source.git_remote import Remote

    remote = Remote(ground.tree)
    commit = remote.commit()
    ground.capture.readouterr()

    code = run(["plan", "--repo", str(ground.tree), "--ref", "main", "--state", str(ground.state), "--output", "json"])

    plan = json.loads(ground.capture.readouterr().out)
    assert code == 0
    assert misfits(plan, PLAN) == []
    assert plan["source"] == {"path": "", "revision": commit, "whole": True, "repository": str(ground.tree), "ref": "main"}


def test_planning_twice_gives_the_same_document_but_for_its_times(ground: Ground) -> None:
    lived_in(ground)

    first, second = document(ground, "plan", code=3), document(ground, "plan", code=3)

    for plan in (first, second):
        del plan["createdAt"], plan["hosts"][0]["observedAt"]
    assert first == second


def test_the_digest_tells_two_plans_apart(ground: Ground) -> None:
    ground.write(dataset("tank/a", quota="64MiB"))
    first = document(ground, "plan")["digest"]
    ground.write(dataset("tank/a", quota="65MiB"))

    assert document(ground, "plan")["digest"] != first


def test_an_unreadable_host_is_in_the_plan_with_cause_and_remedy(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    ground.converges()
    break_host(ground.state, Fault(FaultKind.FAIL, "zfs", times=None, stderr="internal error: out of memory\n"))

    plan = document(ground, "plan", code=7)

    assert misfits(plan, PLAN) == []
    host = plan["hosts"][0]
    assert not host["complete"]
    assert [trouble["provider"] for trouble in host["unreadable"]] == ["zfs"]
    assert "out of memory" in host["unreadable"][0]["cause"]
    assert [(item["key"], item["reason"]) for item in host["blocked"]] == [("h/Dataset/tank/a", "unreadable")]


def test_a_result_has_the_shape_and_one_outcome_for_each_action(ground: Ground) -> None:
    lived_in(ground)
    plan = document(ground, "plan", code=3)
    break_host(ground.state, Fault(FaultKind.FAIL, "zfs", r"create .*tank/new$", times=None, stderr="no\n"))

    result = document(ground, "apply", "--yes", code=5)

    assert misfits(result, RESULT) == []
    host = result["hosts"][0]
    states = {outcome["key"].removeprefix("h/Dataset/tank/"): outcome["state"] for outcome in host["outcomes"]}
    assert states == {"keep": "succeeded", "go": "succeeded", "new": "failed", "new/inner": "skipped"}
    assert [outcome["actionId"] for outcome in host["outcomes"]] == [action["id"] for action in plan["hosts"][0]["actions"]]
    assert {outcome["key"] for outcome in host["outcomes"] if "failure" in outcome} == {
        "h/Dataset/tank/new",
        "h/Dataset/tank/new/inner",
    }
    assert not host["converged"]
    assert len(host["blocked"]) == 2
    assert result["revision"] == plan["source"]["revision"]


def test_apply_in_json_asks_and_shows_on_stderr_only(ground: Ground) -> None:
    ground.write(dataset("tank/a"))

    applied = ground.reconciler("apply", "--yes", "--output", "json")

    assert misfits(json.loads(applied.out), RESULT) == []
    assert "create  Dataset/tank/a" in applied.err


def test_a_status_has_the_shape_after_each_kind_of_pass(ground: Ground) -> None:
    lived_in(ground)
    quiet = status(ground)
    ground.apply()
    refused = status(ground)
    break_host(ground.state, Fault(FaultKind.FAIL, "zfs", times=None))
    ground.apply()
    blind = status(ground)

    for said in (quiet, refused, blind):
        assert misfits(said, STATUS) == []
        kinds = [condition["type"] for condition in said["hosts"][0]["conditions"]]
        assert kinds == ["Ready", "Drifted", "Blocked", "Unreadable", "PendingRestart", "SourceStale"]

    def holding(said: dict[str, Any]) -> dict[str, str]:
        return {condition["type"]: condition["status"] for condition in said["hosts"][0]["conditions"]}

    assert holding(quiet) == {
        "Ready": "True", "Drifted": "False", "Blocked": "False", "Unreadable": "False", "PendingRestart": "False",
        "SourceStale": "False",
    }  # fmt: skip
    assert holding(refused)["Ready"] == "False"
    assert holding(refused)["Blocked"] == "True"
    assert holding(blind)["Unreadable"] == "True"
    assert holding(blind)["Drifted"] == "Unknown"
    assert [entry["key"] for entry in refused["hosts"][0]["resources"]] == ["h/Dataset/tank/theirs", "h/Volume/tank/vol"]


def test_a_status_of_nothing_is_an_empty_document_and_ends_with_1(ground: Ground) -> None:
    assert status(ground, code=1) == {"format": "reconciler.status/v1", "hosts": []}
    assert not ground.state.exists()


def test_a_status_is_narrowed_to_the_named_hosts(ground: Ground) -> None:
    ground.converges()

    assert [host["host"] for host in status(ground, "--host", "h")["hosts"]] == ["h"]
    assert status(ground, "--host", "other", code=1)["hosts"] == []


def test_an_inventory_has_the_shape_and_tells_whose_each_object_is(ground: Ground) -> None:
    ground.write(dataset("tank/a", quota="64MiB"))
    ground.converges()
    ground.zfs("create", "tank/theirs")

    inventory = document(ground, "observe", "--host", "h")

    assert misfits(inventory, INVENTORY) == []
    observed = {item["key"]: item for item in inventory["observed"]}
    assert observed["h/Dataset/tank/a"]["owner"] == "tests"
    assert observed["h/Dataset/tank/a"]["fields"]["properties.quota"] == 64 << 20
    assert observed["h/Dataset/tank/theirs"]["owner"] is None
    assert observed["h/Dataset/rpool/ROOT"]["belongsTo"]
    assert inventory["complete"]
    assert inventory["facts"]["system"] == "SunOS"


def test_an_inventory_of_an_unreadable_host_says_so_and_ends_with_7(ground: Ground) -> None:
    ground.reconciler("plan")
    break_host(ground.state, Fault(FaultKind.GARBAGE, "zfs", times=None))

    inventory = document(ground, "observe", "--host", "h", code=7)

    assert misfits(inventory, INVENTORY) == []
    assert not inventory["complete"]
    assert {item["key"].split("/")[1] for item in inventory["observed"]} == {"PhysicalLink"}, "what dladm tells is told"
    assert [trouble["provider"] for trouble in inventory["unreadable"]] == ["zfs"]


def test_findings_have_the_shape_for_an_invalid_a_warned_and_a_good_tree(ground: Ground) -> None:
    ground.write(dataset("tank/a", nonsense="1"), dataset("tank/a"))
    invalid = document(ground, "validate", code=1)
    ground.write(dataset("tank/a"))
    good = document(ground, "validate")
    (ground.tree / "repository.yaml").unlink()
    warned = document(ground, "validate")

    for said in (invalid, good, warned):
        assert misfits(said, FINDINGS) == []
    assert {finding["severity"] for finding in invalid["findings"]} == {"error"}
    assert good["findings"] == []
    assert [finding["severity"] for finding in warned["findings"]] == ["warning"]


def test_a_shape_sees_what_is_missing_and_what_has_another_type() -> None:
    source = {"path": 1, "revision": "", "whole": 1}
    wrong = {"format": "reconciler.plan/v1", "digest": "sha256:1", "source": source, "hosts": {}}

    found = misfits(wrong, PLAN)

    assert [bad.split(":")[0].split(" ")[0] for bad in found] == [
        ".digest", ".createdAt", ".source.path", ".source.whole", ".hosts", ".summary",
    ]  # fmt: skip
