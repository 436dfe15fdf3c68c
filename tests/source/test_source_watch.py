"""Hints that a source on this machine changed."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.source.location import Location, located
from reconciler.source.watch import changes, watched
from tests.source.git_remote import Remote

PROMPTLY_S = 20.0
QUIET_S = 0.5


class Hints:
    """Counts the hints that come."""

    def __init__(self, location: Location) -> None:
        self.count = 0
        self._counting = asyncio.create_task(self._listen(location))

    async def _listen(self, location: Location) -> None:
        async for _ in changes(location):
            self.count += 1

    async def come_after(self, change: Callable[[], object]) -> bool:
        """Whether one comes. A watch gives no sign that it has begun, so the change is made again until one does."""
        before = self.count
        deadline = asyncio.get_running_loop().time() + PROMPTLY_S
        while self.count == before and asyncio.get_running_loop().time() < deadline:
            change()
            await asyncio.sleep(QUIET_S)
        return self.count > before

    async def end(self) -> None:
        self._counting.cancel()
        await asyncio.gather(self._counting, return_exceptions=True)


def is_noticed(location: Location, *changed: Callable[[], object]) -> bool:
    """Whether each of these changes, one after another, is followed by a hint."""

    async def run() -> bool:
        hints = Hints(location)
        came = [await hints.come_after(change) for change in changed]
        await hints.end()
        return all(came)

    return asyncio.run(run())


def commit_in(remote: Remote) -> Callable[[], object]:
    return lambda: remote.commit({"a.yaml": "a"})


def test_a_commit_is_noticed(remote: Remote) -> None:
    remote.commit()

    assert is_noticed(located(repo=str(remote.path)), commit_in(remote))


def test_a_commit_in_a_bare_repository_is_noticed(remote: Remote, tmp_path: Path) -> None:
    remote.commit()
    remote.git("clone", "-q", "--bare", ".", str(tmp_path / "bare"))

    def push() -> None:
        remote.commit()
        remote.git("push", "-q", str(tmp_path / "bare"), "main")

    assert is_noticed(located(repo=str(tmp_path / "bare")), push)


def test_a_commit_in_a_linked_work_tree_is_noticed(remote: Remote, tmp_path: Path) -> None:
    remote.commit()
    remote.git("worktree", "add", "-q", "-b", "feature", str(tmp_path / "linked"))

    assert is_noticed(
        located(repo=str(tmp_path / "linked")),
        lambda: remote.git("-C", str(tmp_path / "linked"), "commit", "-q", "--allow-empty", "-m", "x"),
    )


def test_another_head_is_noticed(remote: Remote) -> None:
    remote.commit()
    remote.git("branch", "feature")
    heads = iter(["feature", "main"] * 100)

    assert is_noticed(located(repo=str(remote.path)), lambda: remote.git("symbolic-ref", "HEAD", f"refs/heads/{next(heads)}"))


def test_a_branch_in_a_new_directory_is_noticed_when_it_moves_on(remote: Remote) -> None:
    remote.commit()

    names: list[str] = []

    def make() -> None:
        names.append(f"refs/heads/new-{len(names)}/branch")
        remote.git("update-ref", names[-1], "main")

    def move() -> None:
        commit = remote.git("commit-tree", "-m", "x", "-p", names[-1], "main^{tree}")
        remote.git("update-ref", names[-1], commit)

    assert is_noticed(located(repo=str(remote.path)), make, move)


def test_packed_refs_are_noticed(remote: Remote) -> None:
    remote.commit()

    def pack() -> None:
        remote.git("tag", "-f", "x")
        remote.git("pack-refs", "--all")

    assert is_noticed(located(repo=str(remote.path)), pack)


def test_a_changed_file_in_a_folder_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "hosts").mkdir()

    assert is_noticed(located(directory=str(tmp_path)), lambda: (tmp_path / "hosts" / "a.yaml").write_text("a"))


def filter_of(location: Location) -> Callable[[str], bool]:
    now = watched(location)
    assert now is not None
    return lambda path: now.filter(None, path)


@pytest.mark.parametrize(
    ("path", "counts", "reason"),
    [
        ("HEAD", True, "another branch"),
        ("packed-refs", True, "refs are packed"),
        ("refs/heads/main", True, "a commit"),
        ("refs/heads/main.lock", False, "not yet"),
        ("HEAD.lock", False, "not yet"),
        ("index", False, "the work tree's business"),
        ("COMMIT_EDITMSG", False, "the work tree's business"),
        ("FETCH_HEAD", False, "no ref of the repository"),
    ],
)
def test_only_what_moves_a_ref_counts(remote: Remote, path: str, counts: bool, reason: str) -> None:
    assert filter_of(located(repo=str(remote.path)))(f"{remote.path}/.git/{path}") is counts, reason


@pytest.mark.parametrize(("path", "counts"), [("hosts/a.yaml", True), (".git/index", False), ("sub/.git/HEAD", False)])
def test_in_a_folder_all_but_git_counts(tmp_path: Path, path: str, counts: bool) -> None:
    assert filter_of(located(directory=str(tmp_path)))(f"{tmp_path}/{path}") is counts


def test_objects_are_not_watched(remote: Remote) -> None:
    remote.commit()
    now = watched(located(repo=str(remote.path)))

    assert now is not None
    assert not now.recursive
    assert [path for path in now.directories if "objects" in path.parts] == []


def test_a_new_form_of_ref_store_is_watched(remote: Remote) -> None:
    (remote.path / ".git" / "reftable").mkdir()
    now = watched(located(repo=str(remote.path)))

    assert now is not None
    assert remote.path / ".git" / "reftable" in now.directories
    assert now.filter(None, f"{remote.path}/.git/reftable/tables.list")


@pytest.mark.parametrize("repo", ["https://host.invalid/x", "git@host.invalid:x", "/nowhere"])
def test_what_is_not_on_this_machine_is_not_watched(repo: str) -> None:
    assert watched(located(repo=repo)) is None
    assert hints_until_the_end(located(repo=repo)) == []


def test_a_folder_that_is_not_there_is_not_watched(tmp_path: Path) -> None:
    assert hints_until_the_end(located(directory=str(tmp_path / "nowhere"))) == []


def test_without_a_backend_there_are_no_hints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)

    assert hints_until_the_end(located(directory=str(tmp_path))) == []


def hints_until_the_end(location: Location) -> list[None]:
    async def run() -> list[None]:
        return [hint async for hint in changes(location)]

    return asyncio.run(run())
