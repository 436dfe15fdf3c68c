"""`--ceilings`: what a machine permits, whatever is committed; and sources that lost what they held."""

import json
import shutil
from pathlib import Path

import pytest

from reconciler.cli.main import run
from tests.e2e.ground import REPOSITORY, Ground, Said, dataset

DELETE = "{onRemoval: delete}"


def ceilings(ground: Ground, text: str) -> Path:
    file = ground.root / "ceilings.yaml"
    file.write_text(text)
    return file


def leaving(ground: Ground, count: int) -> None:
    """So many objects of ours that no manifest names any more."""
    kept = dataset("tank/kept")
    ground.write(kept, *(dataset(f"tank/gone{number}", DELETE) for number in range(count)))
    ground.converges()
    ground.write(kept)


@pytest.mark.parametrize("command", ["plan", "apply", "run"])
def test_a_ceiling_blocks_what_the_repository_permits_and_says_whose_it_is(ground: Ground, command: str) -> None:
    leaving(ground, 3)
    file = ceilings(ground, "removals: {perHost: {count: 2}}\n")
    more = {"plan": [], "apply": ["--yes"], "run": ["--once"]}[command]

    said = ground.reconciler(command, "--ceilings", str(file), *more)

    assert said.exit_code == 3, said.err
    assert {f"tank/gone{number}" for number in range(3)} <= ground.names()
    if command != "run":
        assert f"allowed are 2 by the controller's ceilings ({file})" in said.out + said.err
        assert "on the controller (no commit can)" in said.out + said.err
    assert ground.reconciler(command, *more).exit_code == 0


def test_the_environment_names_the_file_too(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    leaving(ground, 3)
    monkeypatch.setenv("RECONCILER_CEILINGS", str(ceilings(ground, "forbidVerbs: [delete]\n")))

    said = ground.reconciler("plan")

    assert said.exit_code == 3
    assert "forbid the verb delete" in said.out


def test_what_ceilings_do_not_state_is_left_to_the_repository(ground: Ground) -> None:
    (ground.tree / "repository.yaml").write_text(
        REPOSITORY + "spec: {guardrails: {removals: {perHost: {count: 50, share: 100%}, total: {count: 50}}}}\n"
    )
    leaving(ground, 12)

    said = ground.reconciler("plan", "--ceilings", str(ceilings(ground, "restarts: {perHost: 1}\n")))

    assert said.exit_code == 0, "a default of a repository is no ceiling"
    assert "12 to DESTROY" in said.out


def test_a_saved_plan_is_applied_under_the_ceilings_of_the_machine(ground: Ground) -> None:
    leaving(ground, 3)
    plan = ground.root / "plan.json"
    plan.write_text(ground.reconciler("plan", "--output", "json").out)
    ground.capture.readouterr()
    file = ceilings(ground, "removals: {perHost: {count: 2}}\n")

    code = run(["apply", str(plan), "--yes", "--state", str(ground.state), "--ceilings", str(file)])

    assert code == 4, "the plan that comes of it here is another one"
    assert "tank/gone0" in ground.names()


@pytest.mark.parametrize(
    ("text", "place", "cause"),
    [
        ("removals:\n  perHost: {count: many}\n", "2:20", "expected a number, got text 'many'"),
        ("removals:\n  perhost: {}\n", "2:3", "there is no field perhost here"),
        ("protect: x\nforbidKinds: [Dataset, Datset]\n", "1:10", "expected a list"),
        ("forbidKinds:\n  - Dataset\n  - Datset\n", "3:5", "there is no kind Datset"),
        ("removals: {\n", "2:1", ""),
        ("- a\n", "1:1", ""),
        ("", "1:1", "expected one document with guardrails, found 0"),
        ("restarts: {}\n---\nrestarts: {}\n", "1:1", "expected one document with guardrails, found 2"),
    ],
)
def test_bad_ceilings_are_told_with_their_place_and_nothing_is_done(ground: Ground, text: str, place: str, cause: str) -> None:
    leaving(ground, 1)
    file = ceilings(ground, text)

    said = ground.reconciler("apply", "--yes", "--ceilings", str(file))

    assert said.exit_code == 1
    assert f"{file}:{place}  " in said.err
    assert cause in said.err
    assert "remedy: " in said.err
    assert "tank/gone0" in ground.names()


def test_ceilings_that_are_not_there_stop_everything(ground: Ground) -> None:
    said = ground.reconciler("apply", "--yes", "--ceilings", str(ground.root / "none.yaml"))

    assert said.exit_code == 1
    assert f"{ground.root}/none.yaml: no such file or directory; without its ceilings nothing is planned" in said.err


def test_an_emptied_source_is_an_error_and_nothing_is_done(ground: Ground) -> None:
    leaving(ground, 1)
    shutil.rmtree(ground.tree / "hosts")
    emptied = ground.reconciler("apply", "--yes")
    (ground.tree / "repository.yaml").unlink()
    nothing_left = ground.reconciler("apply", "--yes")

    assert (emptied.exit_code, nothing_left.exit_code) == (1, 1)
    assert "the tree holds no host" in emptied.err
    assert "tank/gone0" in ground.names()


def test_a_folder_that_is_gone_is_an_error_and_nothing_is_done(ground: Ground) -> None:
    leaving(ground, 1)
    ground.tree.rename(ground.root / "elsewhere")

    for command in ("plan", "apply"):
        said = ground.reconciler(command)
        assert said.exit_code == 1
        assert "remedy: " in said.err
    assert "tank/gone0" in ground.names()


def test_a_host_folder_with_only_its_host_left_prunes_under_guardrails(ground: Ground) -> None:
    ground.write(*(dataset(f"tank/gone{number}", DELETE) for number in range(10)))
    ground.converges()
    ground.write()

    held = ground.apply()
    (ground.tree / "repository.yaml").write_text(REPOSITORY + "spec: {guardrails: {removals: {perHost: {share: 100%}}}}\n")
    permitted = ground.apply()

    assert held.exit_code == 3
    assert "10 of 10 managed objects on this host would go (100%), allowed are 30%" in held.err
    assert permitted.exit_code == 0
    assert not {name for name in ground.names() if "gone" in name}


def test_a_forgotten_host_is_reported_untouched_and_known_again_when_it_comes_back(ground: Ground) -> None:
    ground.write(dataset("tank/a", DELETE))
    ground.converges()
    (ground.tree / "hosts/h").rename(ground.root / "away")
    other = ground.tree / "hosts/other"
    other.mkdir()
    host = (ground.root / "away/host.yaml").read_text()
    (other / "host.yaml").write_text(host.replace("{name: h}", "{name: other}"))

    shown = json.loads(ground.reconciler("plan", "--output", "json").out)
    applied = ground.apply()
    again = json.loads(ground.reconciler("plan", "--output", "json").out)

    assert shown["forgotten"] == ["h"]
    assert applied.exit_code == 0
    assert again["forgotten"] == [], "our rows are gone"
    assert ground.value("tank/a", "dev.reconciler:owner") == ("tests", "local"), "the marks are not"
    (ground.root / "away").rename(ground.tree / "hosts/h")
    back: Said = ground.reconciler("plan", "--exit-code")
    assert back.exit_code == 0, back.out
    ground.write()
    assert "1 to DESTROY" in ground.reconciler("plan").out
