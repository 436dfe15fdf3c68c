"""A git repository as a source: what a revision holds."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from reconciler.desired.entry import EntryKind, TooLarge
from reconciler.source.errors import SourceError
from reconciler.source.git.objects import ObjectReader
from reconciler.source.git.program import GitProgram, environment
from reconciler.source.git.source import GitSource
from reconciler.source.limits import Limits
from tests.source.git_remote import Opener, Remote, contents

LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize 12345\n" % (b"4d" * 32)


def kinds(source: GitSource, revision: str) -> dict[str, EntryKind]:
    return {entry.path: entry.kind for entry in source.tree(revision).entries}


def test_a_sub_directory_is_the_root(remote: Remote, opened: Opener) -> None:
    remote.commit({"infra/prod/hosts/a.yaml": "a", "infra/README": "x", "infra-2/b.yaml": "b"})
    source = opened(path="infra/prod")

    assert contents(source, source.fetch()) == {"hosts/a.yaml": b"a"}


def test_a_change_in_a_sub_directory_is_found(remote: Remote, opened: Opener) -> None:
    remote.commit({"infra/a.yaml": "1", "b.yaml": "b"})
    source = opened(path="infra")
    source.tree(source.fetch())
    remote.commit({"infra/a.yaml": "2", "b.yaml": "other"})

    assert contents(source, source.fetch()) == {"a.yaml": b"2"}


@pytest.mark.parametrize(
    ("path", "why"),
    [("infra", "infra is not there at"), ("a.yaml", "a.yaml is no directory at"), ("link", "link is no directory at")],
)
def test_a_missing_sub_directory_is_an_error_with_a_remedy(remote: Remote, opened: Opener, path: str, why: str) -> None:
    (remote.path / "link").symlink_to("elsewhere")
    commit = remote.commit({"a.yaml": "a", "elsewhere/b.yaml": "b"})
    source = opened(path=path)
    source.fetch()

    with pytest.raises(SourceError, match=why) as failed:
        source.tree(commit)

    assert "--path" in failed.value.remedy


def test_a_sub_directory_that_goes_away_is_an_error(remote: Remote, opened: Opener) -> None:
    remote.commit({"infra/a.yaml": "a", "b.yaml": "b"})
    source = opened(path="infra")
    source.tree(source.fetch())
    remote.commit({"infra/a.yaml": None})

    with pytest.raises(SourceError, match="infra is not there at"):
        source.tree(source.fetch())


def test_only_the_wanted_names_at_the_top_are_listed(remote: Remote, opened: Opener) -> None:
    remote.commit({"hosts/a.yaml": "a", "hosts-old/a.yaml": "a", "docs/hosts/b": "b", "repository.yaml": "r"})
    source = opened(only=("hosts", "shared", "repository.yaml"))
    first = source.fetch()
    assert list(contents(source, first)) == ["hosts/a.yaml", "repository.yaml"]

    second = remote.commit({"shared/c.yaml": "c", "docs/hosts/b": "changed"})

    source.fetch()
    assert list(contents(source, second)) == ["hosts/a.yaml", "repository.yaml", "shared/c.yaml"]


def test_a_wanted_name_is_no_pattern(remote: Remote, opened: Opener) -> None:
    remote.commit({"hosts/a.yaml": "a", "*/b.yaml": "b"})
    source = opened(only=("*",))
    assert list(contents(source, source.fetch())) == ["*/b.yaml"]

    remote.commit({"hosts/a.yaml": "changed", "*/b.yaml": "changed"})

    assert contents(source, source.fetch()) == {"*/b.yaml": b"changed"}


def test_links_and_submodules_are_reported_as_such(remote: Remote, opened: Opener) -> None:
    (remote.path / "hosts").mkdir()
    (remote.path / "hosts" / "link.yaml").symlink_to("/etc/passwd")
    remote.commit({"hosts/a.yaml": "a"})
    remote.git("update-index", "--add", "--cacheinfo", f"160000,{remote.head},hosts/sub")
    remote.git("commit", "-q", "-m", "submodule")
    source = opened()

    revision = source.fetch()

    assert kinds(source, revision) == {
        "hosts/a.yaml": EntryKind.FILE,
        "hosts/link.yaml": EntryKind.SYMLINK,
        "hosts/sub": EntryKind.SUBMODULE,
    }
    link = next(entry for entry in source.tree(revision).entries if entry.kind is EntryKind.SYMLINK)
    assert list(source.read([link.blob])) == [(link.blob, b"/etc/passwd")]


def test_a_file_that_becomes_a_link_is_one(remote: Remote, opened: Opener) -> None:
    remote.commit({"a.yaml": "a"})
    source = opened()
    source.tree(source.fetch())
    (remote.path / "a.yaml").unlink()
    (remote.path / "a.yaml").symlink_to("b.yaml")
    remote.commit()

    assert kinds(source, source.fetch()) == {"a.yaml": EntryKind.SYMLINK}


def test_a_large_file_pointer_is_just_bytes(remote: Remote, opened: Opener) -> None:
    remote.commit({".gitattributes": "*.iso filter=lfs diff=lfs merge=lfs -text\n", "a.iso": LFS_POINTER})
    source = opened()

    assert contents(source, source.fetch())["a.iso"] == LFS_POINTER


def test_line_ends_are_as_committed(remote: Remote, opened: Opener) -> None:
    remote.git("config", "core.autocrlf", "false")
    remote.commit({"a.yaml": "a\r\nb\n"})
    remote.commit({".gitattributes": "*.yaml ident eol=crlf\n"})
    source = opened()
    raw = remote.git("cat-file", "blob", "HEAD:a.yaml")

    assert contents(source, source.fetch())["a.yaml"] == raw.encode() + b"\n"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (b"new\nline.yaml", "a line break"),
        (b"tab\there.yaml", "what git separates its lists with"),
        (b"latin-\xe9.yaml", "no UTF-8"),
        (b'quote".yaml', "what git quotes"),
        (b"-option.yaml", "looks like an option"),
        (b":(glob)*.yaml", "looks like a pathspec"),
        ("snow-☃.yaml".encode(), "no ASCII"),
    ],
)
def test_a_strange_name_comes_through(remote: Remote, opened: Opener, name: bytes, reason: str) -> None:
    Path(os.fsdecode(os.fsencode(remote.path) + b"/" + name)).write_bytes(b"first")
    remote.commit({"a.yaml": "a"})
    source = opened()
    path = name.decode("utf-8", "surrogateescape")
    assert contents(source, source.fetch()) == {"a.yaml": b"a", path: b"first"}, reason

    Path(os.fsdecode(os.fsencode(remote.path) + b"/" + name)).write_bytes(b"second")
    remote.commit()

    assert contents(source, source.fetch()) == {"a.yaml": b"a", path: b"second"}, reason


def test_a_large_blob_is_reported_and_what_follows_is_read(remote: Remote, opened: Opener) -> None:
    remote.commit({"a.yaml": "a", "b.yaml": "x" * 1_000_001, "c.yaml": "x" * 1_000_000})
    source = opened(limits=Limits(blob_bytes=1_000_000))

    found = contents(source, source.fetch())

    assert found == {"a.yaml": b"a", "b.yaml": TooLarge(1_000_001), "c.yaml": b"x" * 1_000_000}


def test_a_large_blob_does_not_disturb_the_answers_after_it(remote: Remote, environ: dict[str, str]) -> None:
    remote.commit({"a.yaml": "x" * 300_000, "b.yaml": "b"})
    large, small = (remote.git("rev-parse", f"HEAD:{name}") for name in ("a.yaml", "b.yaml"))
    program = GitProgram(environment(environ), command_s=60)
    reader = ObjectReader(program, remote.path / ".git", blob_bytes=100)

    answers = list(reader.contents([large, small, "1" * 40, large, small]))

    reader.close()
    assert [answer for _, answer in answers] == [TooLarge(300_000), b"b", None, TooLarge(300_000), b"b"]


def test_reading_can_stop_in_the_middle(remote: Remote, opened: Opener) -> None:
    remote.commit({f"{number}.yaml": str(number) for number in range(200)})
    source = opened()
    tree = source.tree(source.fetch())

    abandoned = source.read(entry.blob for entry in tree.entries)
    next(abandoned)

    assert contents(source, tree.revision) == {f"{number}.yaml": str(number).encode() for number in range(200)}


def test_a_blob_that_is_not_there_is_an_error(remote: Remote, opened: Opener) -> None:
    source = opened()
    remote.commit({"a.yaml": "a"})
    source.tree(source.fetch())

    with pytest.raises(SourceError, match="holds no blob 11111"):
        list(source.read(["1" * 40]))


@pytest.mark.parametrize("blob", ["HEAD:a.yaml", "x\nHEAD", "--help", ""])
def test_what_is_no_id_is_never_asked_for(remote: Remote, opened: Opener, blob: str) -> None:
    source = opened()
    remote.commit({"a.yaml": "a"})
    source.fetch()

    with pytest.raises(SourceError, match="not the id of a git object"):
        list(source.read([blob]))


@pytest.mark.parametrize("revision", ["HEAD", "--output=x", "main"])
def test_what_is_no_commit_id_is_no_revision(remote: Remote, opened: Opener, revision: str) -> None:
    source = opened()
    remote.commit({"a.yaml": "a"})
    source.fetch()

    with pytest.raises(SourceError, match="is no commit id"):
        source.tree(revision)


def numbered(count: int) -> Iterable[bytes]:
    """A commit of many files, as `git fast-import` reads it."""
    yield b"commit refs/heads/main\ncommitter a <a@example.org> 1700000000 +0000\ndata 4\nmany\n"
    for number in range(count):
        content = b"name: d%d\n" % number
        yield b"M 100644 inline hosts/hv%d/d%d.yaml\ndata %d\n%s\n" % (number % 50, number, len(content), content)


def test_of_ten_thousand_files_only_the_changed_one_is_new(remote: Remote, opened: Opener) -> None:
    remote.git("fast-import", "--quiet", stdin=b"".join(numbered(10_000)))
    remote.git("reset", "-q", "--hard", "main")
    source = opened()
    before = source.tree(source.fetch())
    remote.commit({"hosts/hv7/d7.yaml": "name: changed\n"})

    after = source.tree(source.fetch())

    assert len(before.entries) == 10_000
    kept = {id(entry) for entry in before.entries}
    new = [entry for entry in after.entries if id(entry) not in kept]
    assert [entry.path for entry in new] == ["hosts/hv7/d7.yaml"]
    assert [content for _, content in source.read(entry.blob for entry in new)] == [b"name: changed\n"]


def test_all_of_ten_thousand_files_are_read_in_order(remote: Remote, opened: Opener) -> None:
    remote.git("fast-import", "--quiet", stdin=b"".join(numbered(10_000)))
    source = opened("main")
    tree = source.tree(source.fetch())

    read = [content for _, content in source.read(entry.blob for entry in tree.entries)]

    names = (entry.path.rsplit("/", 1)[1].removesuffix(".yaml") for entry in tree.entries)
    assert read == [f"name: {name}\n".encode() for name in names]


def test_replaced_objects_are_read_as_they_were_committed(remote: Remote, opened: Opener, state: Path) -> None:
    commit = remote.commit({"a.yaml": "a"})
    other = remote.commit({"a.yaml": "b"})
    remote.git("reset", "-q", "--hard", commit)
    source = opened()
    source.fetch()
    opened(other).fetch()
    (mirror,) = (path for path in (state / "git").iterdir() if path.is_dir())

    for repository in (remote.path, mirror):
        remote.git("--git-dir", str(repository / ".git" if repository == remote.path else repository), "replace", commit, other)

    assert contents(source, source.fetch()) == {"a.yaml": b"a"}
