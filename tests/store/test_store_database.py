"""The state file: made when absent, shared by processes, and told about in one sentence when it can't be used."""

import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.model.errors import ExitCode, ReconcilerError
from reconciler.store.database import FILE_NAME, SCHEMA_VERSION, Database


def test_a_state_directory_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    Database.open(tmp_path / "deep" / "state").close()

    assert (tmp_path / "deep" / "state" / FILE_NAME).is_file()
    assert (tmp_path / "deep" / "state").stat().st_mode & 0o077 == 0


def test_looking_never_makes_a_state_directory(tmp_path: Path) -> None:
    assert Database.open_existing(tmp_path / "state") is None
    assert not (tmp_path / "state").exists()


def test_looking_opens_what_is_there(tmp_path: Path) -> None:
    Database.open(tmp_path).close()

    found = Database.open_existing(tmp_path)

    assert found is not None
    found.close()


def a_broken_file(place: Path) -> None:
    place.write_bytes(b"this is no database, and it is longer than a header is" * 100)


def a_damaged_file(place: Path) -> None:
    Database.open(place.parent).close()
    content = bytearray(place.read_bytes())
    content[4096 - 200 : 8192] = b"\xa7" * 4296
    place.write_bytes(content)


def a_file_of_tomorrow(place: Path) -> None:
    Database.open(place.parent).close()
    connection = sqlite3.connect(place)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()


def a_directory(place: Path) -> None:
    place.mkdir()


@pytest.mark.parametrize("make", [a_broken_file, a_file_of_tomorrow, a_directory])
def test_a_file_that_cannot_be_used_is_an_error_with_a_remedy(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / FILE_NAME)

    with pytest.raises(ReconcilerError) as failed:
        Database.open(tmp_path)

    assert failed.value.cause.startswith(f"the state file {tmp_path / FILE_NAME} can't be used: ")
    assert "marks on the hosts keep what is ours" in failed.value.remedy
    assert failed.value.exit_code == ExitCode.ERROR


def test_a_newer_format_names_both_versions(tmp_path: Path) -> None:
    a_file_of_tomorrow(tmp_path / FILE_NAME)

    with pytest.raises(ReconcilerError, match=f"it has format {SCHEMA_VERSION + 1}, this program knows {SCHEMA_VERSION}"):
        Database.open(tmp_path)


def test_a_file_that_cannot_be_used_is_left_as_it_is(tmp_path: Path) -> None:
    a_broken_file(tmp_path / FILE_NAME)
    before = (tmp_path / FILE_NAME).read_bytes()

    with pytest.raises(ReconcilerError):
        Database.open(tmp_path)

    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_a_file_in_the_place_of_the_directory_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")

    with pytest.raises(ReconcilerError, match="can't be used"):
        Database.open(tmp_path / "state")


def test_damage_found_while_reading_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    a_damaged_file(tmp_path / FILE_NAME)

    def read() -> None:
        list(Database.open(tmp_path).rows("SELECT * FROM ledger"))

    with pytest.raises(ReconcilerError, match="can't be used"):
        read()


READING_ONLY = """
import os
import sys
from pathlib import Path
from reconciler.model.errors import ReconcilerError
from reconciler.store.database import Database
from reconciler.store.status import write_status
if os.geteuid() == 0:
    os.setuid(65534)
try:
    write_status(Database.open(Path(sys.argv[1])), "hv01", {})
except ReconcilerError as trouble:
    print(trouble.cause)
"""
"""Rights do not bind root, so root becomes nobody first."""


def test_a_file_that_may_not_be_written_is_an_error_with_a_remedy() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Database.open(folder).close()
        (folder / FILE_NAME).chmod(0o444)
        folder.chmod(0o555)

        done = subprocess.run([sys.executable, "-c", READING_ONLY, name], capture_output=True, text=True, check=False)

        folder.chmod(0o755)
    assert done.stdout == f"the state file {folder / FILE_NAME} can't be used: attempt to write a readonly database\n", (
        done.stderr
    )


def test_a_block_that_raises_leaves_nothing_behind_and_the_next_goes_on(tmp_path: Path) -> None:
    database = Database.open(tmp_path)

    def interrupted() -> None:
        with database.transaction() as connection:
            connection.execute("INSERT INTO status VALUES ('hv01', '{}')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    with database.transaction() as connection:
        connection.execute("INSERT INTO status VALUES ('hv02', '{}')")

    assert [host for (host,) in database.rows("SELECT host FROM status")] == ["hv02"]
    database.close()


WRITING = """
import sys
from pathlib import Path
from reconciler.store.database import Database
print("ready", flush=True)
sys.stdin.readline()
database = Database.open(Path(sys.argv[1]))
for number in range(25):
    with database.transaction() as connection:
        connection.execute("INSERT INTO status VALUES (?, '{}')", (f"{sys.argv[2]}-{number}",))
"""


def test_processes_make_and_write_one_file_at_once(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITING, str(tmp_path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()

    assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
    database = Database.open(tmp_path)
    assert list(database.rows("SELECT count(*) FROM status")) == [(100,)]
    database.close()
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
