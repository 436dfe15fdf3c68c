"""A state directory that can't be used, and users without rights: one sentence and a remedy."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.store.database import Database
from tests.controller.inside import full_disk
from tests.e2e.ground import Ground, Said, dataset

NOBODY = 65534


def said(ground: Ground, state: Path, *arguments: str) -> Said:
    ground.capture.readouterr()
    code = run([*arguments, "--state", str(state)])
    shown = ground.capture.readouterr()
    return Said(code, shown.out, shown.err)


def is_told_well(told: Said, place: Path) -> bool:
    inside = ("Traceback", "internal error")
    return str(place) in told.err and "remedy: " in told.err and not any(sign in told.err for sign in inside)


def test_a_file_as_state_directory_is_wrong_usage(ground: Ground) -> None:
    file = ground.root / "file"
    file.write_text("")

    for command in ("plan", "apply", "run"):
        assert said(ground, file, command, str(ground.tree)).exit_code == 64
    assert said(ground, file, "status").exit_code == 64


def test_a_state_directory_below_a_file(ground: Ground) -> None:
    file = ground.root / "file"
    file.write_text("")
    ground.write(dataset("tank/a"))

    for arguments in (("plan", str(ground.tree)), ("apply", str(ground.tree), "--yes"), ("run", str(ground.tree), "--once")):
        told = said(ground, file / "below", *arguments)

        assert told.exit_code == 1, arguments
        assert is_told_well(told, file)


GARBAGE = [
    (b"garbage, and no database at all" * 300, "no database"),
    (b"SQLite format 3\x00" + b"\xff" * 5000, "a header and then garbage"),
]


@pytest.mark.parametrize(("content", "reason"), GARBAGE)
def test_a_state_file_that_is_no_database(ground: Ground, content: bytes, reason: str) -> None:
    ground.state.mkdir()
    file = ground.state / "reconciler.sqlite"
    file.write_bytes(content)

    tree = str(ground.tree)
    for arguments in (("plan", tree), ("apply", tree, "--yes"), ("run", tree, "--once"), ("run", tree), ("status",)):
        told = said(ground, ground.state, *arguments)

        assert told.exit_code == 1, (arguments, reason)
        assert is_told_well(told, file), told.err
        assert "the file may be deleted" in told.err
    assert file.read_bytes() == content


def test_a_state_file_of_a_later_version_is_left_alone(ground: Ground) -> None:
    import sqlite3

    ground.converges()
    file = ground.state / "reconciler.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()

    told = said(ground, ground.state, "apply", str(ground.tree), "--yes")

    assert told.exit_code == 1
    assert "format 999" in told.err


def test_a_directory_in_the_place_of_the_state_file(ground: Ground) -> None:
    (ground.state / "reconciler.sqlite").mkdir(parents=True)

    told = said(ground, ground.state, "apply", str(ground.tree), "--yes")

    assert told.exit_code == 1
    assert is_told_well(told, ground.state)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="reconciler-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


AS_NOBODY = f"""
import contextlib, io, json, os, sys
from reconciler.cli.main import run

def ended(arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    return int(code), out.getvalue(), err.getvalue()

# Everything is loaded first: that user may not even read where the program lies.
for arguments in (["apply", "tree", "--yes"], ["run", "tree", "--once"]):
    ended([*arguments, "--state", "warm"])
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
print(json.dumps([ended(arguments) for arguments in json.load(sys.stdin)]))
"""


def as_nobody(folder: Path, *lines: tuple[str, ...]) -> list[Said]:
    """The ends of command lines that a user without any rights gives in a folder, which holds a tree."""
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY], input=json.dumps(lines), cwd=folder, capture_output=True, text=True, check=True
    )
    return [Said(*ended) for ended in json.loads(done.stdout)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_told_what_it_may_not_do(ground: Ground, open_folder: Path) -> None:
    ground.write(dataset("tank/a"))
    shutil.copytree(ground.tree, open_folder / "tree")
    shutil.copytree(ground.tree, open_folder / "theirs")
    (open_folder / "theirs/hosts/h/host.yaml").chmod(0o600)
    ground.converges()
    shutil.copytree(ground.state, open_folder / "readable")
    for name, mode in (("closed", 0o700), ("readable", 0o755), ("mine", 0o777)):
        (open_folder / name).mkdir(exist_ok=True)
        (open_folder / name).chmod(mode)

    refused = {
        ("plan", "tree", "--state", "closed"): "closed",
        ("apply", "tree", "--yes", "--state", "closed"): "closed",
        ("run", "tree", "--state", "closed"): "closed",
        ("status", "--state", "closed"): "closed",
        ("apply", "tree", "--yes", "--state", "closed/below"): "closed/below",
        ("plan", "tree", "--state", "readable"): "readable",
        ("apply", "tree", "--yes", "--state", "readable"): "readable",
        ("run", "tree", "--once", "--state", "readable"): "readable",
        ("plan", "theirs", "--state", "mine"): "theirs/hosts/h/host.yaml",
    }
    allowed = ("apply", "tree", "--yes", "--state", "mine")
    *told, done = as_nobody(open_folder, *refused, allowed)

    for (line, place), said_there in zip(refused.items(), told, strict=True):
        assert said_there.exit_code in {1, 7}, (line, said_there)
        assert is_told_well(said_there, open_folder / place), (line, said_there)
    assert (done.exit_code, done.out) == (0, "h: converged (1 action)\n"), done.err


def test_the_state_directory_is_closed_to_others(ground: Ground) -> None:
    ground.converges()

    assert ground.state.stat().st_mode & 0o077 == 0 or (ground.state / "reconciler.sqlite").stat().st_mode & 0o077 == 0


def test_without_a_home_the_state_must_be_named(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("RECONCILER_STATE", raising=False)
    monkeypatch.setattr(Path, "home", homeless)

    assert run(["plan", str(ground.tree)]) == 64
    assert "--state" in ground.capture.readouterr().err


def test_a_doctor_looks_at_the_state_directory(ground: Ground) -> None:
    told = said(ground, ground.state, "doctor")

    assert told.exit_code == 0
    assert f"ok      state directory: {ground.state}" in told.out


@pytest.mark.parametrize("record", ["UPDATE ON journal", "INSERT ON status"])
def test_what_was_done_is_told_although_the_disk_was_full_before_it_could_be_recorded(ground: Ground, record: str) -> None:
    ground.write(dataset("tank/a"))
    said(ground, ground.state, "apply", str(ground.tree), "--yes")
    ground.write(dataset("tank/a"), dataset("tank/b"))
    database = Database.open(ground.state)
    with full_disk(database, record):
        told = said(ground, ground.state, "apply", str(ground.tree), "--yes", "--output", "json")
    database.close()
    again = said(ground, ground.state, "apply", str(ground.tree), "--yes")

    (done,) = json.loads(told.out)["hosts"][0]["outcomes"]
    assert (done["key"].endswith("Dataset/tank/b"), done["state"]) == (True, "succeeded")
    assert told.exit_code == 1
    assert "database or disk is full" in told.err
    assert is_told_well(told, ground.state)
    assert again.exit_code == 0


def test_a_single_pass_too_tells_what_was_done_although_it_could_not_be_recorded(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    said(ground, ground.state, "apply", str(ground.tree), "--yes")
    ground.write(dataset("tank/a"), dataset("tank/b"))
    database = Database.open(ground.state)
    with full_disk(database, "INSERT ON status"):
        told = said(ground, ground.state, "run", str(ground.tree), "--once")
    database.close()

    assert (told.exit_code, "database or disk is full" in told.err) == (1, True), told.err
    assert '"event": "converged"' in told.err, told.err


@pytest.mark.parametrize("statement", ["UPDATE journal SET commands = 'x'", "UPDATE status SET document = '{'"])
def test_a_state_file_that_holds_what_we_never_wrote(ground: Ground, statement: str) -> None:
    ground.write(dataset("tank/a"))
    said(ground, ground.state, "apply", str(ground.tree), "--yes")
    database = Database.open(ground.state)
    with database.transaction() as connection:
        connection.execute(statement)
    database.close()

    told = said(ground, ground.state, "why", "h/Dataset/tank/a")

    assert told.exit_code == 1
    assert is_told_well(told, ground.state)
