"""A directory on disk as a source."""

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.desired.entry import EntryKind, TooLarge
from reconciler.source.errors import SourceError
from reconciler.source.folder import FolderSource
from reconciler.source.limits import Limits

HOUR_NS = 3_600_000_000_000


def entries(source: FolderSource) -> dict[str, EntryKind]:
    return {entry.path: entry.kind for entry in source.tree(source.fetch()).entries}


def contents(source: FolderSource) -> dict[str, bytes | TooLarge]:
    tree = source.tree(source.fetch())
    read = dict(source.read(entry.blob for entry in tree.entries))
    return {entry.path: read[entry.blob] for entry in tree.entries}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_folder_gives_its_files_sorted_with_their_bytes(tmp_path: Path) -> None:
    write(tmp_path, {"hosts/b/z.yaml": "z", "hosts/a.yaml": "a", "repository.yaml": "r", "hosts/b/a.yaml": "a"})
    source = FolderSource(tmp_path)

    assert list(contents(source).items()) == [
        ("hosts/a.yaml", b"a"),
        ("hosts/b/a.yaml", b"a"),
        ("hosts/b/z.yaml", b"z"),
        ("repository.yaml", b"r"),
    ]


def test_equal_bytes_at_equal_paths_are_one_revision_wherever_they_lie(tmp_path: Path) -> None:
    write(tmp_path / "one", {"b.yaml": "b", "a/c.yaml": "c"})
    write(tmp_path / "two", {"a/c.yaml": "c", "b.yaml": "b"})

    assert FolderSource(tmp_path / "one").fetch() == FolderSource(tmp_path / "two").fetch()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda folder: (folder / "a.yaml").write_text("A"), "bytes"),
        (lambda folder: (folder / "a.yaml").rename(folder / "c.yaml"), "a name"),
        (lambda folder: (folder / "b.yaml").unlink(), "a file less"),
        (lambda folder: (folder / "c.yaml").write_text(""), "an empty file more"),
        (lambda folder: ((folder / "b.yaml").unlink(), (folder / "b.yaml").symlink_to("b")), "a link in a file's place"),
    ],
)
def test_a_change_is_another_revision(tmp_path: Path, change: Callable[[Path], object], reason: str) -> None:
    write(tmp_path, {"a.yaml": "a", "b.yaml": "b"})
    source = FolderSource(tmp_path)
    before = source.fetch()

    change(tmp_path)

    assert source.fetch() != before, reason
    assert FolderSource(tmp_path).fetch() == source.fetch(), reason


def test_a_revision_is_a_named_digest(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "a"})

    name, digest = FolderSource(tmp_path).fetch().split(":")

    assert (name, len(digest)) == ("sha256", 64)


def test_the_git_directory_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "a", ".git/config": "x"})
    source = FolderSource(tmp_path)
    before = source.fetch()

    write(tmp_path, {".git/HEAD": "y"})

    assert source.fetch() == before
    assert list(entries(source)) == ["a.yaml"]


def test_a_repository_below_is_reported_as_submodule_and_not_entered(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "a", "sub/.git": "gitdir: ../.git/modules/sub", "sub/b.yaml": "b", "clone/.git/HEAD": "x"})

    assert entries(FolderSource(tmp_path)) == {
        "a.yaml": EntryKind.FILE,
        "clone": EntryKind.SUBMODULE,
        "sub": EntryKind.SUBMODULE,
    }


def test_links_are_reported_and_never_followed(tmp_path: Path) -> None:
    write(tmp_path, {"folder/a.yaml": "a", "outside/secret.yaml": "s"})
    (tmp_path / "folder" / "file.yaml").symlink_to("../outside/secret.yaml")
    (tmp_path / "folder" / "directory").symlink_to("../outside")
    (tmp_path / "folder" / "loop").symlink_to(".")
    source = FolderSource(tmp_path / "folder")

    assert entries(source) == {
        "a.yaml": EntryKind.FILE,
        "directory": EntryKind.SYMLINK,
        "file.yaml": EntryKind.SYMLINK,
        "loop": EntryKind.SYMLINK,
    }
    assert contents(source)["file.yaml"] == b"../outside/secret.yaml"


def test_a_pipe_is_refused_and_not_opened(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "a"})
    os.mkfifo(tmp_path / "pipe.yaml")

    with pytest.raises(SourceError, match=r"pipe\.yaml: neither a file"):
        FolderSource(tmp_path).fetch()


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s.yaml"))

        with pytest.raises(SourceError, match=r"s\.yaml: neither a file"):
            FolderSource(tmp_path).fetch()


def test_only_the_wanted_names_at_the_top_are_looked_at(tmp_path: Path) -> None:
    write(tmp_path, {"hosts/a.yaml": "a", "repository.yaml": "r", "node_modules/hosts/x": "x", "README.md": "m"})
    os.mkfifo(tmp_path / "pipe")
    source = FolderSource(tmp_path, only=("hosts", "repository.yaml"))

    assert list(entries(source)) == ["hosts/a.yaml", "repository.yaml"]


def test_names_that_are_no_text_come_through(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    for name in (b"new\nline.yaml", b"latin-\xe9.yaml", "snow-\u2603.yaml".encode()):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(name)

    found = contents(FolderSource(tmp_path))

    assert found == {
        "latin-\udce9.yaml": b"latin-\xe9.yaml",
        "new\nline.yaml": b"new\nline.yaml",
        "snow-\u2603.yaml": "snow-\u2603.yaml".encode(),
    }


def test_an_error_about_such_a_name_can_be_printed(tmp_path: Path) -> None:
    os.mkfifo(os.path.join(os.fsencode(tmp_path), b"bad\n\xe9"))

    with pytest.raises(SourceError) as refused:
        FolderSource(tmp_path).fetch()

    assert "bad\\n\\udce9: neither" in str(refused.value)
    assert str(refused.value).encode("utf-8")


def test_a_large_file_is_reported_with_its_size_and_not_read(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "a"})
    with (tmp_path / "huge.yaml").open("wb") as file:
        file.truncate(1 << 40)
    source = FolderSource(tmp_path, limits=Limits(blob_bytes=1000))

    tree = source.tree(source.fetch())

    assert [(entry.path, entry.size_bytes) for entry in tree.entries] == [("a.yaml", 1), ("huge.yaml", 1 << 40)]
    assert contents(source)["huge.yaml"] == TooLarge(1 << 40)


def test_a_file_at_the_limit_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"fits": "x" * 10, "exceeds": "x" * 11})

    found = contents(FolderSource(tmp_path, limits=Limits(blob_bytes=10)))

    assert found == {"fits": b"x" * 10, "exceeds": TooLarge(11)}


def test_a_folder_that_is_not_there_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere: no such file or directory") as failed:
        FolderSource(tmp_path / "nowhere").fetch()

    assert failed.value.remedy


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, {"file": ""})

    with pytest.raises(SourceError, match="file: not a directory"):
        FolderSource(tmp_path / "file").fetch()


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A directory of somebody without rights, and this process as that somebody."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody who may not read")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            os.seteuid(0)


@pytest.mark.parametrize("name", ["b.yaml", "closed"])
def test_what_may_not_be_read_is_an_error_with_its_path(unprivileged: Path, name: str) -> None:
    os.seteuid(0)
    write(unprivileged, {"a.yaml": "a", "b.yaml": "b", "closed/c.yaml": "c"})
    (unprivileged / name).chmod(0)
    os.seteuid(65534)

    with pytest.raises(SourceError, match=f"{name}: permission denied"):
        FolderSource(unprivileged).fetch()


def test_the_bytes_that_were_hashed_are_the_bytes_that_are_given(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "before"})
    source = FolderSource(tmp_path)
    tree = source.tree(source.fetch())

    write(tmp_path, {"a.yaml": "after!"})

    assert dict(source.read([tree.entries[0].blob])) == {tree.entries[0].blob: b"before"}


def test_a_file_known_from_the_fetch_before_is_read_again_when_asked_for(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "a"})
    source = FolderSource(tmp_path, clock_ns=lambda: (tmp_path / "a.yaml").stat().st_mtime_ns + HOUR_NS)
    source.fetch()

    assert contents(source) == {"a.yaml": b"a"}


def test_a_known_file_that_changed_since_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "a"})
    source = FolderSource(tmp_path, clock_ns=lambda: (tmp_path / "a.yaml").stat().st_mtime_ns + HOUR_NS)
    source.fetch()
    tree = source.tree(source.fetch())

    write(tmp_path, {"a.yaml": "b"})

    with pytest.raises(SourceError, match=r"a\.yaml: changed while it was in use"):
        list(source.read([tree.entries[0].blob]))


def test_a_file_read_too_soon_after_a_change_is_read_again_at_the_next_fetch(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "before"})
    source = FolderSource(tmp_path, clock_ns=lambda: (tmp_path / "a.yaml").stat().st_mtime_ns + 1_000)
    source.fetch()
    tree = source.tree(source.fetch())

    write(tmp_path, {"a.yaml": "after!"})

    assert dict(source.read([tree.entries[0].blob])) == {tree.entries[0].blob: b"before"}


def test_a_file_changed_within_one_tick_of_its_times_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "a"})
    there = tmp_path / "a.yaml"
    source = FolderSource(tmp_path, clock_ns=lambda: there.stat().st_mtime_ns + 1_000)
    before, times = source.fetch(), there.stat()

    there.write_text("b")
    os.utime(there, ns=(times.st_atime_ns, times.st_mtime_ns))

    assert source.fetch() != before


def test_a_pipe_that_took_a_files_place_does_not_hold_the_reader(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "a"})
    source = FolderSource(tmp_path, clock_ns=lambda: (tmp_path / "a.yaml").stat().st_mtime_ns + HOUR_NS)
    source.fetch()
    tree = source.tree(source.fetch())
    (tmp_path / "a.yaml").unlink()
    os.mkfifo(tmp_path / "a.yaml")

    with pytest.raises(SourceError, match="changed while it was in use"):
        list(source.read([tree.entries[0].blob]))


def test_an_earlier_revision_is_not_there_any_more(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "a"})
    source = FolderSource(tmp_path)
    before = source.fetch()
    write(tmp_path, {"a.yaml": "b"})
    after = source.fetch()

    with pytest.raises(SourceError, match="not what lies there any more"):
        source.tree(before)
    assert source.last_good() == after


def test_a_folder_never_read_has_no_last_good_revision(tmp_path: Path) -> None:
    assert FolderSource(tmp_path).last_good() is None


def test_an_unknown_blob_is_an_error(tmp_path: Path) -> None:
    source = FolderSource(tmp_path)
    source.fetch()

    with pytest.raises(SourceError, match="holds no blob"):
        list(source.read(["sha256:00"]))


def test_an_empty_folder_is_an_empty_tree(tmp_path: Path) -> None:
    source = FolderSource(tmp_path)

    assert source.tree(source.fetch()).entries == ()
