"""Bad input ends with a sentence that names the place, the cause and a remedy, never with a traceback."""

import os
from pathlib import Path

import pytest

from reconciler.cli.main import run
from tests.cli.children import Shell
from tests.e2e.ground import Ground, Said, dataset
from tests.source.git_remote import Remote


def said(ground: Ground, *arguments: str) -> Said:
    ground.capture.readouterr()
    code = run([*arguments, "--state", str(ground.state)])
    shown = ground.capture.readouterr()
    return Said(code, shown.out, shown.err)


def is_told_well(told: Said) -> bool:
    """An error with a remedy on stderr, nothing on stdout, no sign of the program's inside."""
    inside = ("Traceback", "internal error", "Errno")
    return told.out == "" and "\n  remedy: " in told.err and not any(sign in told.err for sign in inside)


BROKEN = [
    ("spec:\n  properties:\n    quota: [1\n", "8:12", "never closed", "an open list"),
    ("spec:\n\tproperties: {}\n", "7:1", "tab", "a tab as indentation"),
    ("spec: {}\nspec: {}\n", "7:1", "spec", "a key twice"),
    ("spec: !!python/object:os.system {}\n", "6:7", "tag", "a tag that makes objects"),
    ("spec: *nowhere\n", "6:7", "alias", "an alias"),
    ("spec: \x00\n", "6:7", "character", "a character that YAML has not"),
]


@pytest.mark.parametrize(("text", "place", "cause", "reason"), BROKEN)
@pytest.mark.parametrize("command", ["validate", "plan"])
def test_broken_yaml_names_the_place(ground: Ground, command: str, text: str, place: str, cause: str, reason: str) -> None:
    ground.write("apiVersion: reconciler/v1\nkind: Dataset\nmetadata:\n  name: tank/a\nlifecycle: {}\n" + text)

    told = ground.reconciler(command)

    shown = told.out + told.err
    assert told.exit_code == 1, reason
    assert f"hosts/h/objects.yaml:{place}  " in shown, shown
    assert cause in shown
    assert "\n  remedy: " in shown
    assert "Traceback" not in shown
    assert "internal error" not in shown


INVALID = [
    (dataset("tank/a", nonsense="1"), "8:5", "Dataset tank/a: ", "a property that is not there"),
    (dataset("tank/a", quota="loads"), "8:12", "Dataset tank/a: ", "a value that is no size"),
    (dataset("tank/a", "{onRemoval: maybe}"), "5:24", "Dataset tank/a: ", "a word that is none of a few"),
    (dataset("tank//a"), "4:9", "Dataset tank//a: ", "a name that ZFS does not take"),
    ("apiVersion: reconciler/v1\nkind: Dateset\nmetadata: {name: tank/a}\n", "2:7", "Dateset", "a kind that is not there"),
    ("kind: Dataset\nmetadata: {name: tank/a}\n", "1:1", "apiVersion", "no version"),
    (dataset("tank/a") + "\n---\n" + dataset("tank/a"), "", "Dataset tank/a: ", "a name twice"),
]


@pytest.mark.parametrize(("manifest", "place", "told_of", "reason"), INVALID)
def test_a_bad_manifest_names_file_line_column_kind_and_name(
    ground: Ground, manifest: str, place: str, told_of: str, reason: str
) -> None:
    ground.write(manifest)

    told = ground.reconciler("plan")

    assert told.exit_code == 1, reason
    assert is_told_well(told), told.err
    lines = [line for line in told.err.splitlines() if line.startswith(f"hosts/h/objects.yaml:{place}")]
    assert any(told_of in line for line in lines), told.err


def test_every_error_of_a_tree_is_told_at_once(ground: Ground) -> None:
    ground.write(dataset("tank/a", nonsense="1"), dataset("tank/b", quota="loads"))

    told = ground.reconciler("validate")

    assert told.exit_code == 1
    assert told.out.count("\n  remedy: ") == 2
    assert "tank/a" in told.out
    assert "tank/b" in told.out


def test_a_directory_that_is_not_there(ground: Ground) -> None:
    told = said(ground, "plan", str(ground.root / "nowhere"))

    assert told.exit_code == 1
    assert is_told_well(told)
    assert str(ground.root / "nowhere") in told.err


def test_a_file_as_directory(ground: Ground) -> None:
    told = said(ground, "plan", str(ground.tree / "repository.yaml"))

    assert told.exit_code == 1
    assert is_told_well(told)
    assert "not a directory" in told.err


def test_a_directory_without_any_host(ground: Ground) -> None:
    (ground.root / "empty").mkdir()

    told = said(ground, "plan", str(ground.root / "empty"))

    assert told.exit_code == 1
    assert is_told_well(told)


def test_a_directory_that_is_no_repository(ground: Ground) -> None:
    told = said(ground, "plan", "--repo", str(ground.root))

    assert told.exit_code == 1
    assert is_told_well(told)
    assert "git repository" in told.err


def test_a_ref_that_is_not_there(ground: Ground) -> None:
    Remote(ground.tree).commit()

    told = said(ground, "plan", "--repo", str(ground.tree), "--ref", "nonsense")

    assert told.exit_code == 1
    assert is_told_well(told)
    assert "nonsense" in told.err


def test_a_path_that_is_not_in_the_repository(ground: Ground) -> None:
    Remote(ground.tree).commit()

    told = said(ground, "plan", "--repo", str(ground.tree), "--path", "nowhere")

    assert told.exit_code == 1
    assert is_told_well(told)
    assert "nowhere" in told.err


def test_a_kind_or_name_that_matches_nothing(ground: Ground) -> None:
    ground.write(dataset("tank/a"))

    both = ("--kind", "Volume", "--name", "tank/a")
    for narrowing in (("--kind", "Volume"), ("--kind", "Nonsense"), ("--name", "tank/b"), both):
        for command in ("plan", "apply", "render"):
            told = ground.reconciler(command, *narrowing)

            assert told.exit_code == 1, narrowing
            assert is_told_well(told)
    assert not (ground.state / "hosts").exists()


def test_a_host_that_is_not_there_is_told_with_those_that_are(ground: Ground) -> None:
    told = ground.reconciler("plan", "--host", "other")

    assert told.exit_code == 64
    assert is_told_well(told)
    assert "hosts are: h" in told.err


def test_what_a_host_says_can_forge_no_line_of_the_plan(ground: Ground) -> None:
    ground.write(dataset("tank/a", site__note="x"))
    ground.converges()
    ground.zfs("set", "site:note=fine\n\nnothing to do\x1b[2K", "tank/a")

    planned = ground.reconciler("plan")

    assert "\nnothing to do" not in planned.out
    assert "\x1b" not in planned.out


def test_a_working_directory_that_is_gone(ground: Ground, shell: Shell) -> None:
    gone = ground.root / "gone"
    script = f"import os; os.mkdir({str(gone)!r}); os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})\n"

    class Gone(Shell):
        def arguments(self, *arguments: str) -> list[str]:
            python, flag, main = super().arguments()
            return [python, flag, script + main, *arguments]

    told = Gone(ground.root, ground.state).run("plan", str(ground.tree))

    assert told.exit_code == 1
    assert is_told_well(Said(told.exit_code, told.out, told.err)), told.err


def test_a_tree_in_a_folder_with_odd_bytes_in_its_name_is_planned(ground: Ground, shell: Shell) -> None:
    odd = Path(os.fsdecode(os.fsencode(ground.root) + b"/od\xff d"))
    ground.write(dataset("tank/a"))
    ground.tree.rename(odd)

    planned = shell.run("plan", str(odd))

    assert planned.exit_code == 0, planned.err
    assert "1 to create" in planned.out


@pytest.mark.parametrize(
    ("text", "cause"), [("{", "p.json:1:2: this is no JSON"), ("[]", "p.json holds JSON, but no saved plan")]
)
def test_a_file_that_is_no_saved_plan_is_told_without_the_program_s_words(
    ground: Ground, tmp_path: Path, text: str, cause: str
) -> None:
    (tmp_path / "p.json").write_text(text)

    told = said(ground, "apply", str(tmp_path / "p.json"), "--yes")

    assert told.exit_code == 1
    assert cause in told.err
    assert "Error:" not in told.err


def test_a_misspelt_command_is_told_with_the_one_that_may_be_meant(ground: Ground) -> None:
    close, odd = said(ground, "aply"), said(ground, "xyzzy")

    assert (close.exit_code, odd.exit_code) == (64, 64)
    assert "No such command 'aply'. Did you mean 'apply'?\n" in close.err
    assert odd.err.endswith("No such command 'xyzzy'.\n")


def test_a_key_without_its_host_is_told_whole(ground: Ground) -> None:
    assert "'tank/a' is not a key: write host/Kind/name" in said(ground, "why", "tank/a").err


def test_a_plan_of_a_whole_repository_names_its_commit_and_no_empty_path(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    commit = Remote(ground.tree).commit()

    assert said(ground, "plan", "--repo", str(ground.tree)).out.startswith(f"plan at {commit[:12]}\n")
