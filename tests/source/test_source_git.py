"""A git repository as a source: where it lies, and which commit a ref names."""

import os
import subprocess
from pathlib import Path

import pytest

from reconciler.source.errors import RefGone, SourceError
from tests.source.git_remote import IDENTITY, Opener, Remote, contents


def test_the_newest_commit_is_fetched_and_read(remote: Remote, opened: Opener) -> None:
    commit = remote.commit({"hosts/b.yaml": "b", "hosts/a/a.yaml": "a", "repository.yaml": ""})
    source = opened()

    revision = source.fetch()

    assert revision == commit
    assert list(contents(source, revision).items()) == [
        ("hosts/a/a.yaml", b"a"),
        ("hosts/b.yaml", b"b"),
        ("repository.yaml", b""),
    ]


def test_a_commit_made_later_is_fetched_and_both_can_be_read(remote: Remote, opened: Opener) -> None:
    first = remote.commit({"a.yaml": "1", "b.yaml": "b", "c.yaml": "c"})
    source = opened()
    source.fetch()
    source.tree(first)
    second = remote.commit({"a.yaml": "2", "b.yaml": None, "d.yaml": "d"})

    assert source.fetch() == second
    assert contents(source, second) == {"a.yaml": b"2", "c.yaml": b"c", "d.yaml": b"d"}
    assert contents(source, first) == {"a.yaml": b"1", "b.yaml": b"b", "c.yaml": b"c"}


def test_a_fetch_without_news_gives_the_same_revision(remote: Remote, opened: Opener) -> None:
    commit = remote.commit({"a.yaml": "a"})
    source = opened()

    assert [source.fetch(), source.fetch()] == [commit, commit]


def test_nothing_is_checked_out(remote: Remote, opened: Opener, state: Path) -> None:
    remote.commit({"hosts/a.yaml": "very particular bytes"})
    source = opened()
    contents(source, source.fetch())

    found = [path.name for path in state.rglob("*") if path.suffix == ".yaml" or path.name in {"hosts", "index"}]

    assert found == []


@pytest.mark.parametrize("suffix", ["", "/", "/.git"])
def test_a_local_repository_is_read_by_path(remote: Remote, opened: Opener, suffix: str) -> None:
    commit = remote.commit({"a.yaml": "a"})

    assert opened(repo=f"{remote.path}{suffix}").fetch() == commit


def test_a_local_repository_is_read_by_file_url(remote: Remote, opened: Opener) -> None:
    commit = remote.commit({"a.yaml": "a"})

    assert opened(repo=remote.path.as_uri()).fetch() == commit


def test_a_bare_repository_is_read(remote: Remote, opened: Opener, tmp_path: Path) -> None:
    commit = remote.commit({"a.yaml": "a"})
    remote.git("clone", "-q", "--bare", ".", str(tmp_path / "bare"))

    assert opened(repo=str(tmp_path / "bare")).fetch() == commit


def test_a_linked_work_tree_has_its_own_head(remote: Remote, opened: Opener, tmp_path: Path) -> None:
    remote.commit({"a.yaml": "a"})
    remote.git("worktree", "add", "-q", "-b", "feature", str(tmp_path / "linked"))
    remote.commit({"a.yaml": "newer"})

    assert opened(repo=str(tmp_path / "linked")).fetch() == remote.git("rev-parse", "feature")


def test_a_repository_with_long_ids_is_read(tmp_path: Path, opened: Opener) -> None:
    remote = Remote(tmp_path / "remote", "--object-format=sha256")
    first = remote.commit({"a.yaml": "1"})
    source = opened()

    assert source.fetch() == first
    assert len(first) == 64
    assert contents(source, first) == {"a.yaml": b"1"}
    assert source.fetch() == first
    assert opened().last_good() == first


def test_a_branch_is_followed(remote: Remote, opened: Opener) -> None:
    remote.commit({"a.yaml": "a"})
    remote.git("checkout", "-q", "-b", "release/2026")
    commit = remote.commit({"a.yaml": "b"})
    remote.git("checkout", "-q", "main")

    assert opened("release/2026").fetch() == commit
    assert opened("refs/heads/release/2026").fetch() == commit


def test_only_the_wanted_ref_is_fetched(remote: Remote, opened: Opener, state: Path) -> None:
    remote.commit({"a.yaml": "a"})
    remote.git("tag", "v1")
    remote.git("checkout", "-q", "-b", "other")
    other = remote.commit({"a.yaml": "b"})
    remote.git("tag", "other-tag")
    source = opened("main")
    source.fetch()

    with pytest.raises(SourceError, match="is not held here"):
        source.tree(other)
    (mirror,) = (path for path in (state / "git").iterdir() if path.is_dir())
    assert [path.name for path in (mirror / "refs").iterdir() if any(path.iterdir())] == ["reconciler"]


@pytest.mark.parametrize("options", [(), ("-a", "-m", "annotated")])
def test_a_tag_leads_to_its_commit(remote: Remote, opened: Opener, options: tuple[str, ...]) -> None:
    commit = remote.commit({"a.yaml": "a"})
    remote.git("tag", *options, "v1")
    remote.commit({"a.yaml": "b"})
    source = opened("v1")

    assert [source.fetch(), source.fetch()] == [commit, commit]
    assert contents(source, commit) == {"a.yaml": b"a"}


def test_a_branch_goes_before_a_tag_of_its_name(remote: Remote, opened: Opener) -> None:
    remote.commit({"a.yaml": "a"})
    remote.git("tag", "main")
    commit = remote.commit({"a.yaml": "b"})

    assert opened("main").fetch() == commit


def test_a_commit_id_stays_where_it_is(remote: Remote, opened: Opener) -> None:
    commit = remote.commit({"a.yaml": "a"})
    remote.commit({"a.yaml": "b"})
    source = opened(commit)

    assert source.fetch() == commit
    assert contents(source, commit) == {"a.yaml": b"a"}


def test_a_commit_id_that_is_held_needs_no_remote(remote: Remote, opened: Opener) -> None:
    commit = remote.commit({"a.yaml": "a"})
    opened(commit).fetch()
    remote.path.rename(remote.path.with_name("away"))

    assert opened(commit).fetch() == commit


def test_a_commit_id_that_is_not_there_is_said(remote: Remote, opened: Opener) -> None:
    remote.commit({"a.yaml": "a"})

    with pytest.raises(RefGone, match="has no commit 1111111111"):
        opened("1" * 40).fetch()


def test_a_shortened_commit_id_is_explained(remote: Remote, opened: Opener) -> None:
    commit = remote.commit({"a.yaml": "a"})

    with pytest.raises(RefGone) as gone:
        opened(commit[:10]).fetch()

    assert "write its full id" in gone.value.remedy


def test_a_tag_of_a_file_is_no_revision(remote: Remote, opened: Opener) -> None:
    remote.commit({"a.yaml": "a"})
    remote.git("tag", "blob", "HEAD:a.yaml")

    with pytest.raises(SourceError, match="names no commit"):
        opened("blob").fetch()


def test_a_detached_head_is_followed(remote: Remote, opened: Opener) -> None:
    commit = remote.commit({"a.yaml": "a"})
    remote.commit({"a.yaml": "b"})
    remote.git("checkout", "-q", "--detach", commit)

    assert opened().fetch() == commit


def test_a_shallow_repository_is_read(remote: Remote, opened: Opener, tmp_path: Path) -> None:
    remote.commit({"a.yaml": "a"})
    commit = remote.commit({"a.yaml": "b"})
    subprocess.run(
        ["git", "clone", "-q", "--depth=1", remote.path.as_uri(), str(tmp_path / "shallow")],
        check=True,
        env=os.environ | IDENTITY,
    )
    source = opened(repo=str(tmp_path / "shallow"))

    assert source.fetch() == commit
    assert contents(source, commit) == {"a.yaml": b"b"}
