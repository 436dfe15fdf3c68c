"""What may follow the last accepted commit, and what stays usable when nothing may."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.model.errors import ExitCode
from reconciler.source.errors import HistoryRewritten, RefGone, SourceAway, SourceError
from reconciler.source.git.accepted import is_consent
from tests.source.git_remote import IDENTITY, Opener, Remote


def mirror(state: Path) -> Path:
    (found,) = (path for path in (state / "git").iterdir() if path.is_dir())
    return found


def record(state: Path) -> Path:
    (found,) = (state / "git").glob("*.accepted")
    return found


def test_a_rewritten_history_is_refused_until_it_is_accepted(remote: Remote, opened: Opener) -> None:
    old = remote.commit({"a.yaml": "a"})
    opened().fetch()
    new = remote.rewrite({"a.yaml": "b"})

    for _ in range(2):
        with pytest.raises(HistoryRewritten) as refused:
            opened().fetch()
        assert (refused.value.old, refused.value.new) == (old, new)
    assert opened(accept_rewrite=new).fetch() == new
    assert opened().fetch() == new


def test_the_refusal_says_how_to_accept(remote: Remote, opened: Opener) -> None:
    old = remote.commit({"a.yaml": "a"})
    opened().fetch()
    new = remote.rewrite({"a.yaml": "b"})

    with pytest.raises(HistoryRewritten) as refused:
        opened().fetch()

    assert f"{new} does not descend from {old}" in refused.value.cause
    assert f"--accept-rewrite {new[:12]}" in refused.value.remedy
    assert refused.value.exit_code == ExitCode.ERROR


def test_the_last_good_revision_is_read_while_a_rewrite_waits(remote: Remote, opened: Opener, state: Path) -> None:
    old = remote.commit({"a.yaml": "a"})
    opened().fetch()
    remote.rewrite({"a.yaml": "b"})
    source = opened()
    with pytest.raises(HistoryRewritten):
        source.fetch()

    subprocess.run(["git", "-C", str(mirror(state)), "gc", "-q", "--prune=now"], check=True)

    assert source.last_good() == old
    tree = source.tree(old)
    assert [content for _, content in source.read(entry.blob for entry in tree.entries)] == [b"a"]


def test_going_back_to_an_older_commit_is_a_rewrite(remote: Remote, opened: Opener) -> None:
    older = remote.commit({"a.yaml": "1"})
    remote.commit({"a.yaml": "2"})
    opened().fetch()
    remote.git("reset", "-q", "--hard", older)

    with pytest.raises(HistoryRewritten):
        opened().fetch()
    assert opened(accept_rewrite=older[:7]).fetch() == older


def test_an_amended_commit_is_a_rewrite(remote: Remote, opened: Opener) -> None:
    remote.commit({"a.yaml": "1"})
    remote.commit({"a.yaml": "2"})
    source = opened()
    source.fetch()
    remote.git("commit", "-q", "--amend", "-m", "amended")

    with pytest.raises(HistoryRewritten):
        source.fetch()


def test_a_merge_follows_both_of_its_parents(remote: Remote, opened: Opener) -> None:
    remote.commit({"a.yaml": "1"})
    remote.git("checkout", "-q", "-b", "side")
    remote.commit({"b.yaml": "1"})
    remote.git("checkout", "-q", "main")
    remote.commit({"c.yaml": "1"})
    source = opened("main")
    source.fetch()
    remote.git("merge", "-q", "--no-ff", "-m", "merge", "side")

    assert source.fetch() == remote.head


def test_the_rewritten_history_pushed_back_is_taken(remote: Remote, opened: Opener) -> None:
    old = remote.commit({"a.yaml": "a"})
    source = opened()
    source.fetch()
    remote.git("branch", "kept")
    remote.rewrite({"a.yaml": "b"})
    with pytest.raises(HistoryRewritten):
        source.fetch()

    remote.git("reset", "-q", "--hard", "kept")

    assert source.fetch() == old


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (lambda old, new: new[:6], "too short"),
        (lambda old, new: "", "nothing"),
        (lambda old, new: old, "the commit that was accepted before"),
        (lambda old, new: new[:-1] + ("0" if new[-1] != "0" else "1"), "nearly"),
        (lambda old, new: "main", "a name, which may move"),
        (lambda old, new: "f" * 40, "another commit"),
    ],
)
def test_only_the_new_commits_own_id_accepts_it(
    remote: Remote, opened: Opener, given: Callable[[str, str], str], reason: str
) -> None:
    old = remote.commit({"a.yaml": "a"})
    opened().fetch()
    new = remote.rewrite({"a.yaml": "b"})

    with pytest.raises(HistoryRewritten):
        opened(accept_rewrite=given(old, new)).fetch()
    assert opened().last_good() == old, reason


@pytest.mark.parametrize("spelled", [str.lower, str.upper])
def test_the_new_commit_may_be_shortened_and_in_either_case(
    remote: Remote, opened: Opener, spelled: Callable[[str], str]
) -> None:
    remote.commit({"a.yaml": "a"})
    opened().fetch()
    new = remote.rewrite({"a.yaml": "b"})

    assert opened(accept_rewrite=spelled(new[:7])).fetch() == new


@pytest.mark.parametrize(
    ("given", "consent", "reason"),
    [
        ("abcdef01", True, "the new commit's first digits"),
        ("abcdef0", False, "could be either"),
        ("abcdef02", False, "the old commit"),
        (None, False, "nobody said anything"),
    ],
)
def test_digits_that_both_commits_begin_with_are_no_consent(given: str | None, consent: bool, reason: str) -> None:
    assert is_consent(given, old="abcdef02" + "0" * 32, new="abcdef01" + "0" * 32) is consent, reason


def test_accepting_one_rewrite_accepts_no_later_one(remote: Remote, opened: Opener) -> None:
    remote.commit({"a.yaml": "a"})
    opened().fetch()
    first = remote.rewrite({"a.yaml": "b"})
    source = opened(accept_rewrite=first)
    source.fetch()
    second = remote.rewrite({"a.yaml": "c"})

    with pytest.raises(HistoryRewritten) as refused:
        source.fetch()

    assert (refused.value.old, refused.value.new) == (first, second)


def test_refs_are_accepted_apart(remote: Remote, opened: Opener) -> None:
    remote.commit({"a.yaml": "a"})
    remote.git("branch", "feature")
    opened("main").fetch()
    opened("feature").fetch()
    new = remote.rewrite({"a.yaml": "b"})

    with pytest.raises(HistoryRewritten):
        opened("main").fetch()
    assert opened("feature").fetch() != new


def test_a_rewrite_is_noticed_although_the_mirror_was_lost(remote: Remote, opened: Opener, state: Path) -> None:
    remote.commit({"a.yaml": "a"})
    opened().fetch()
    shutil.rmtree(mirror(state))
    remote.rewrite({"a.yaml": "b"})

    with pytest.raises(HistoryRewritten):
        opened().fetch()


def test_a_lost_mirror_is_made_anew(remote: Remote, opened: Opener, state: Path) -> None:
    remote.commit({"a.yaml": "a"})
    opened().fetch()
    shutil.rmtree(mirror(state))
    new = remote.commit({"a.yaml": "b"})
    source = opened()

    assert source.last_good() is None
    assert source.fetch() == new


def test_what_was_accepted_is_in_a_file_beside_the_mirror(remote: Remote, opened: Opener, state: Path) -> None:
    commit = remote.commit({"a.yaml": "a"})
    opened("main").fetch()

    assert json.loads(record(state).read_text()) == {"format": "reconciler.accepted/v1", "refs": {"main": commit}}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": "reconciler.accepted/v2", "refs": {}}', '{"format": "reconciler.accepted/v1"}']
)
def test_a_record_that_can_not_be_read_is_an_error_and_no_consent(
    remote: Remote, opened: Opener, state: Path, text: str
) -> None:
    remote.commit({"a.yaml": "a"})
    opened().fetch()
    record(state).write_text(text)
    remote.rewrite({"a.yaml": "b"})

    with pytest.raises(SourceError, match="the record of accepted commits can't be read") as failed:
        opened().fetch()

    assert "delete it" in failed.value.remedy


def test_a_deleted_branch_is_said_and_the_last_good_revision_stays(remote: Remote, opened: Opener) -> None:
    remote.commit({"a.yaml": "a"})
    remote.git("branch", "feature")
    source = opened("feature")
    commit = source.fetch()
    remote.git("branch", "-D", "feature")

    with pytest.raises(RefGone, match="has no branch or tag feature"):
        source.fetch()

    assert opened("feature").last_good() == commit
    assert [entry.path for entry in opened("feature").tree(commit).entries] == ["a.yaml"]


def test_a_branch_that_never_was_is_said(remote: Remote, opened: Opener) -> None:
    remote.commit({"a.yaml": "a"})
    source = opened("feature")

    with pytest.raises(RefGone, match="has no branch or tag feature"):
        source.fetch()
    assert source.last_good() is None


def test_a_branch_whose_name_ends_alike_is_another(remote: Remote, opened: Opener) -> None:
    remote.commit({"a.yaml": "a"})
    remote.git("update-ref", "refs/heads/refs/heads/feature", "HEAD")

    with pytest.raises(RefGone):
        opened("feature").fetch()


def test_an_empty_repository_is_said(remote: Remote, opened: Opener) -> None:
    with pytest.raises(RefGone, match="has no commit at its HEAD") as gone:
        opened().fetch()

    assert "push a first commit" in gone.value.remedy


def test_an_unborn_branch_is_said(remote: Remote, opened: Opener) -> None:
    remote.commit({"a.yaml": "a"})
    remote.git("symbolic-ref", "HEAD", "refs/heads/unborn")

    with pytest.raises(RefGone, match="has no commit at its HEAD"):
        opened().fetch()


def test_a_remote_that_is_away_comes_back(remote: Remote, opened: Opener) -> None:
    first = remote.commit({"a.yaml": "a"})
    source = opened()
    source.fetch()
    away = remote.path.with_name("away")
    remote.path.rename(away)

    with pytest.raises(SourceAway) as failed:
        source.fetch()
    assert failed.value.remedy
    assert source.last_good() == first
    assert [entry.path for entry in source.tree(first).entries] == ["a.yaml"]

    away.rename(remote.path)
    second = remote.commit({"a.yaml": "b"})
    assert source.fetch() == second


def test_an_error_shows_the_command_that_failed(opened: Opener, tmp_path: Path) -> None:
    with pytest.raises(SourceAway) as failed:
        opened(repo=str(tmp_path / "no such")).fetch()

    assert f"ls-remote --quiet -- '{tmp_path}/no such' HEAD`: exit 128: " in failed.value.cause
    assert "does not appear to be a git repository" in failed.value.cause


def test_a_shallow_remote_that_forgot_the_accepted_commit_is_explained(remote: Remote, opened: Opener, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    clone = ["git", "clone", "-q", "--depth=1", remote.path.as_uri(), str(shallow)]
    remote.commit({"a.yaml": "1"})
    subprocess.run(clone, check=True, env=os.environ | IDENTITY)
    opened(repo=str(shallow)).fetch()
    remote.commit({"a.yaml": "2"})
    remote.commit({"a.yaml": "3"})
    shutil.rmtree(shallow)
    subprocess.run(clone, check=True, env=os.environ | IDENTITY)

    with pytest.raises(HistoryRewritten, match="the remote is a shallow clone"):
        opened(repo=str(shallow)).fetch()


def test_a_shallow_remote_that_is_deepened_is_followed(remote: Remote, opened: Opener, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    remote.commit({"a.yaml": "1"})
    subprocess.run(
        ["git", "clone", "-q", "--depth=1", remote.path.as_uri(), str(shallow)], check=True, env=os.environ | IDENTITY
    )
    source = opened(repo=str(shallow))
    source.fetch()
    new = remote.commit({"a.yaml": "2"})
    subprocess.run(["git", "-C", str(shallow), "pull", "-q", "--ff-only"], check=True, env=os.environ | IDENTITY)

    assert source.fetch() == new
