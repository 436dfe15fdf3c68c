"""A mirror that was killed half-way, spoiled, or has no room: found, told, and made anew where it can be."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.source.errors import SourceAway, SourceError
from reconciler.source.git.source import GitSource
from tests.source.git_remote import Opener, Remote
from tests.source.ssh_stub import URL, honest, hung, stalling_on_fetch, wait_for

FETCHING = """
import os, sys
from pathlib import Path
from reconciler.source.location import located
from reconciler.source.opening import opened
opened(located(repo=sys.argv[1]), Path(sys.argv[2]), os.environ).fetch()
"""


def mirror(state: Path) -> Path:
    (found,) = (path for path in (state / "git").iterdir() if path.is_dir())
    return found


def read_all(source: GitSource) -> list[object]:
    tree = source.tree(source.fetch())
    return [content for _, content in source.read(entry.blob for entry in tree.entries)]


def noise(number: int) -> bytes:
    """Bytes that do not compress, so that half a fetch is half of them."""
    return b"".join(hash((number, at)).to_bytes(8, "big", signed=True) for at in range(20_000))


def killed_while_fetching(remote: Remote, state: Path, environ: dict[str, str], tmp_path: Path) -> None:
    """Kills a reconciler, not its git, when 100 kB of a larger fetch have come."""
    pids = tmp_path / "pids"
    stub = stalling_on_fetch(tmp_path / "ssh", pids, 100_000)
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", FETCHING, f"{URL}{remote.path}", str(state)],
        env=environ | {"GIT_SSH_COMMAND": stub, "PYTHONPATH": str(root)},
    )
    try:
        wait_for(lambda: hung(pids), "half of the fetch")
    finally:
        process.kill()
        process.wait()
        for pid in hung(pids):
            os.killpg(os.getpgid(pid), signal.SIGKILL)


def test_a_clone_killed_half_way_leaves_nothing_in_the_way(
    remote: Remote, opened: Opener, state: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    remote.commit({"a.yaml": noise(1)})
    killed_while_fetching(remote, state, environ, tmp_path)
    assert not list((state / "git").glob("*.accepted"))
    assert [path.name for path in (state / "git").iterdir() if ".new-" in path.name] != []
    environ["GIT_SSH_COMMAND"] = honest(tmp_path / "honest")

    source = opened(repo=f"{URL}{remote.path}")

    assert source.last_good() is None
    assert read_all(source) == [noise(1)]
    assert [path.name for path in (state / "git").iterdir() if ".new-" in path.name or ".old-" in path.name] == []


def test_a_fetch_killed_half_way_leaves_the_last_good_revision(
    remote: Remote, opened: Opener, state: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    environ["GIT_SSH_COMMAND"] = honest(tmp_path / "honest")
    first = remote.commit({"a.yaml": "a"})
    opened(repo=f"{URL}{remote.path}").fetch()
    remote.commit({"a.yaml": noise(2)})
    killed_while_fetching(remote, state, environ, tmp_path)

    source = opened(repo=f"{URL}{remote.path}")

    assert source.last_good() == first
    assert [content for _, content in source.read(e.blob for e in source.tree(first).entries)] == [b"a"]
    assert read_all(source) == [noise(2)]


def test_lock_files_of_a_killed_git_do_not_stay_in_the_way(remote: Remote, opened: Opener, state: Path) -> None:
    remote.commit({"a.yaml": "a"})
    opened().fetch()
    for file in (*(mirror(state) / "refs" / "reconciler").iterdir(), mirror(state) / "packed-refs", mirror(state) / "HEAD"):
        file.with_name(f"{file.name}.lock").touch()
    new = remote.commit({"a.yaml": "b"})

    assert opened().fetch() == new


def test_a_commit_that_came_without_its_files_is_fetched_again(remote: Remote, opened: Opener, state: Path) -> None:
    remote.commit({"a.yaml": "a"})
    opened().fetch()
    commit = remote.commit({"a.yaml": "b"})
    half = mirror(state) / "objects" / commit[:2]
    half.mkdir(exist_ok=True)
    shutil.copy(remote.path / ".git" / "objects" / commit[:2] / commit[2:], half)
    before = mirror(state).stat().st_ino

    assert read_all(opened()) == [b"b"]
    assert mirror(state).stat().st_ino == before


def without_head(mirror: Path) -> None:
    (mirror / "HEAD").unlink()


def without_objects(mirror: Path) -> None:
    shutil.rmtree(mirror / "objects")


def emptied(mirror: Path) -> None:
    shutil.rmtree(mirror)
    mirror.mkdir()


def spoiled(mirror: Path) -> None:
    for path in (mirror / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(b"spoiled")


def truncated(mirror: Path) -> None:
    for path in (mirror / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            os.truncate(path, 0)


def spoiled_ref(mirror: Path) -> None:
    for path in (mirror / "refs" / "reconciler").iterdir():
        path.write_text("")


DAMAGES = [without_head, without_objects, emptied, spoiled, truncated, spoiled_ref]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_mirror_is_made_anew_at_the_next_fetch(
    remote: Remote, opened: Opener, state: Path, damage: Callable[[Path], None]
) -> None:
    remote.commit({"a.yaml": "a", "b.yaml": "b"})
    opened().fetch()
    damage(mirror(state))
    remote.commit({"a.yaml": "new"})

    assert read_all(opened()) == [b"new", b"b"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_mirror_is_made_anew_although_nothing_changed(
    remote: Remote, opened: Opener, state: Path, damage: Callable[[Path], None]
) -> None:
    remote.commit({"a.yaml": "a", "b.yaml": "b"})
    opened().fetch()
    damage(mirror(state))

    assert read_all(opened()) == [b"a", b"b"]


@pytest.mark.parametrize("damage", [spoiled, truncated, without_objects])
def test_damage_found_while_reading_is_repaired(
    remote: Remote, opened: Opener, state: Path, damage: Callable[[Path], None]
) -> None:
    remote.commit({f"{number:03}.yaml": f"{number}" for number in range(150)})
    source = opened()
    tree = source.tree(source.fetch())
    damage(mirror(state))

    found = [content for _, content in source.read(entry.blob for entry in tree.entries)]

    assert found == [f"{number}".encode() for number in range(150)]


def test_one_lost_blob_is_fetched_again(remote: Remote, opened: Opener, state: Path) -> None:
    remote.commit({"a.yaml": "a", "b.yaml": "b"})
    source = opened()
    tree = source.tree(source.fetch())
    blob = tree.entries[1].blob
    (mirror(state) / "objects" / blob[:2] / blob[2:]).unlink()

    assert dict(source.read([blob])) == {blob: b"b"}


def test_a_repair_keeps_what_is_sound_of_other_refs(remote: Remote, opened: Opener, state: Path) -> None:
    other = remote.commit({"a.yaml": "a"})
    remote.git("branch", "other")
    remote.commit({"a.yaml": "b"})
    opened("other").fetch()
    source = opened("main")
    tree = source.tree(source.fetch())
    remote.git("branch", "-D", "other")
    remote.rewrite({"a.yaml": "b"})
    blob = tree.entries[0].blob
    (mirror(state) / "objects" / blob[:2] / blob[2:]).unlink()

    assert dict(source.read([blob])) == {blob: b"b"}
    assert opened("other").last_good() == other
    assert [entry.path for entry in opened("other").tree(other).entries] == ["a.yaml"]


def test_damage_that_can_not_be_repaired_now_is_said(remote: Remote, opened: Opener, state: Path) -> None:
    remote.commit({"a.yaml": "a"})
    source = opened()
    tree = source.tree(source.fetch())
    spoiled(mirror(state))
    remote.path.rename(remote.path.with_name("away"))

    with pytest.raises(SourceAway):
        list(source.read([tree.entries[0].blob]))


def test_a_blob_that_the_remote_lost_too_is_said(remote: Remote, opened: Opener, state: Path) -> None:
    remote.commit({"a.yaml": "a"})
    source = opened()
    tree = source.tree(source.fetch())
    remote.rewrite({"a.yaml": "b"})
    spoiled(mirror(state))

    with pytest.raises(SourceError, match="can't be read, nor fetched again"):
        list(source.read([tree.entries[0].blob]))


def test_a_damaged_remote_does_not_cost_the_mirror(remote: Remote, opened: Opener, state: Path) -> None:
    first = remote.commit({"a.yaml": "a"})
    opened().fetch()
    remote.commit({"a.yaml": "b"})
    blob = remote.git("rev-parse", "HEAD:a.yaml")
    (remote.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    before = mirror(state).stat().st_ino
    source = opened()

    with pytest.raises(SourceAway):
        source.fetch()

    assert source.last_good() == first
    assert mirror(state).stat().st_ino == before


def test_a_state_directory_that_is_a_file_is_said(remote: Remote, opened: Opener, state: Path) -> None:
    remote.commit({"a.yaml": "a"})
    state.write_text("")

    with pytest.raises(SourceError, match="not a directory") as failed:
        opened().fetch()

    assert "state directory" in failed.value.remedy


@pytest.fixture
def small_disk(state: Path) -> Iterator[Path]:
    """The state directory on a file system of 400 kB."""
    state.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(state)], capture_output=True, check=False)
    if mounted.returncode != 0:
        if os.environ.get("RECONCILER_REQUIRE_REAL"):
            pytest.fail("no file system can be mounted here: run as root")
        pytest.skip("no file system can be mounted here")
    yield state
    subprocess.run(["umount", str(state)], check=True)


def test_a_full_disk_is_said_and_the_last_good_revision_stays(remote: Remote, opened: Opener, small_disk: Path) -> None:
    first = remote.commit({"a.yaml": "a"})
    opened().fetch()
    remote.commit({"a.yaml": noise(1) * 10})
    source = opened()

    with pytest.raises(SourceError, match="no space left") as failed:
        source.fetch()

    assert "free some space" in failed.value.remedy
    assert not isinstance(failed.value, SourceAway)
    assert source.last_good() == first
    remote.commit({"a.yaml": "small again"})
    remote.git("reset", "-q", "--soft", first)
    remote.commit({"a.yaml": "small again"})
    assert read_all(source) == [b"small again"]
    source.close()
