"""A repository, its remote and the environment run nothing and redirect nothing."""

import os
import shutil
from pathlib import Path

import pytest

from reconciler.source.errors import BadLocation, SourceAway, SourceError
from reconciler.source.git.program import NOWHERE, GitProgram, environment
from reconciler.source.git.source import GitSource
from reconciler.source.location import GitLocation
from tests.source.git_remote import Opener, Remote

HOOKS = (
    "applypatch-msg",
    "post-checkout",
    "post-index-change",
    "post-merge",
    "post-receive",
    "post-rewrite",
    "pre-auto-gc",
    "pre-commit",
    "pre-receive",
    "proc-receive",
    "reference-transaction",
    "sendemail-validate",
    "update",
)


def read_all(source: GitSource) -> list[bytes]:
    tree = source.tree(source.fetch())
    return [content for _, content in source.read(entry.blob for entry in tree.entries) if isinstance(content, bytes)]


def trap(tmp_path: Path) -> tuple[Path, Path]:
    """A program that leaves a file behind, and that file."""
    sprung, program = tmp_path / "sprung", tmp_path / "trap"
    program.write_text(f"#!/bin/sh\ntouch {sprung}\nexec cat\n")
    program.chmod(0o755)
    return program, sprung


def test_no_hook_of_the_repository_runs(remote: Remote, opened: Opener, tmp_path: Path) -> None:
    remote.commit({"a.yaml": "a"})
    program, sprung = trap(tmp_path)
    for hook in HOOKS:
        shutil.copy(program, remote.path / ".git" / "hooks" / hook)

    assert read_all(opened()) == [b"a"]
    assert not sprung.exists()


def test_no_hook_that_somebody_put_into_the_mirror_runs(remote: Remote, opened: Opener, state: Path, tmp_path: Path) -> None:
    remote.commit({"a.yaml": "a"})
    opened().fetch()
    program, sprung = trap(tmp_path)
    (mirror,) = (path for path in (state / "git").iterdir() if path.is_dir())
    (mirror / "hooks").mkdir()
    for hook in HOOKS:
        shutil.copy(program, mirror / "hooks" / hook)
    remote.commit({"a.yaml": "b"})

    assert read_all(opened()) == [b"b"]
    assert not sprung.exists()


def test_no_filter_runs(remote: Remote, opened: Opener, tmp_path: Path) -> None:
    program, sprung = trap(tmp_path)
    remote.commit({".gitattributes": "* filter=trap diff=trap\n", "a.yaml": "a"})
    for key in ("filter.trap.smudge", "filter.trap.clean", "filter.trap.process", "diff.trap.textconv", "diff.trap.command"):
        remote.git("config", key, str(program))

    assert read_all(opened())[1] == b"a"
    assert not sprung.exists()


def test_a_submodule_is_not_fetched(remote: Remote, opened: Opener, tmp_path: Path, state: Path) -> None:
    library = Remote(tmp_path / "library")
    inside = library.commit({"b.yaml": "b"})
    remote.commit({"a.yaml": "a"})
    remote.git("submodule", "add", "-q", str(library.path), "library")
    remote.commit()
    source = opened()
    source.fetch()

    assert not list(state.rglob("modules"))
    with pytest.raises(SourceError, match="is not held here"):
        source.tree(inside)


def test_configuration_of_the_user_and_the_working_directory_is_not_read(
    remote: Remote, opened: Opener, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = remote.commit({"a.yaml": "a"})
    other = Remote(tmp_path / "other")
    other.commit({"a.yaml": "other"})
    program, sprung = trap(tmp_path)
    rules = f'[url "{other.path}"]\n\tinsteadOf = {remote.path}\n[core]\n\tfsmonitor = {program}\n\thooksPath = {tmp_path}\n'
    (Path(environ["HOME"]) / ".gitconfig").write_text(rules)
    (other.path / ".git" / "config").write_text(rules)
    monkeypatch.chdir(other.path)

    assert opened().fetch() == commit
    assert not sprung.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GIT_DIR", "/nowhere"),
        ("GIT_WORK_TREE", "/nowhere"),
        ("GIT_OBJECT_DIRECTORY", "/nowhere"),
        ("GIT_COMMON_DIR", "/nowhere"),
        ("GIT_INDEX_FILE", "/nowhere"),
        ("GIT_NAMESPACE", "elsewhere"),
        ("GIT_ALTERNATE_OBJECT_DIRECTORIES", "/nowhere"),
        ("GIT_CONFIG_PARAMETERS", "'core.bare=nonsense'"),
        ("GIT_CONFIG_COUNT", "nonsense"),
        ("GIT_CEILING_DIRECTORIES", "/nowhere"),
        ("GIT_TEMPLATE_DIR", "/nowhere"),
        ("GIT_ALLOW_PROTOCOL", "ext"),
        ("GIT_PYTHON_GIT_EXECUTABLE", "/nowhere"),
    ],
)
def test_variables_that_a_calling_hook_has_set_do_not_redirect_git(
    remote: Remote, opened: Opener, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    commit = remote.commit({"a.yaml": "a"})
    monkeypatch.setenv(name, value)
    environ[name] = value
    source = opened()

    assert source.fetch() == commit
    monkeypatch.delenv(name)
    second = remote.commit({"a.yaml": "b"})
    monkeypatch.setenv(name, value)
    assert source.fetch() == second
    assert read_all(source) == [b"b"]


@pytest.mark.parametrize(
    "ref", ["--upload-pack=touch sprung", "-x", "main --exec=touch", "a..b", "main:refs/heads/x", "+main", "*", "a^{}"]
)
def test_a_ref_is_never_an_option_or_a_pattern(remote: Remote, opened: Opener, tmp_path: Path, ref: str) -> None:
    remote.commit({"a.yaml": "a"})

    with pytest.raises(SourceError):
        opened(ref).fetch()

    assert not (tmp_path / "sprung").exists()
    assert not Path("sprung").exists()


def test_a_branch_that_looks_like_an_option_is_only_a_branch(remote: Remote, opened: Opener) -> None:
    commit = remote.commit({"a.yaml": "a"})
    remote.git("update-ref", "refs/heads/--upload-pack=x", commit)
    remote.git("update-ref", "refs/heads/+plus", commit)

    assert opened("--upload-pack=x").fetch() == commit
    assert opened("+plus").fetch() == commit


def test_a_name_that_git_does_not_allow_is_refused_as_usage(remote: Remote, opened: Opener) -> None:
    with pytest.raises(BadLocation, match="no name that git allows"):
        opened("a..b").fetch()


@pytest.mark.parametrize("url", ["ext::touch {sprung}", "http://127.0.0.1:9/x", "git://127.0.0.1:9/x", "fd::7"])
def test_a_protocol_that_slipped_through_is_refused_by_git(
    tmp_path: Path, state: Path, environ: dict[str, str], url: str
) -> None:
    sprung = tmp_path / "sprung"
    source = GitSource(GitLocation(url.format(sprung=sprung), None, ""), state, environ)

    with pytest.raises(SourceAway) as refused:
        source.fetch()

    assert "not allowed" in str(refused.value)
    assert not sprung.exists()


def test_settings_reach_git(environ: dict[str, str]) -> None:
    program = GitProgram(environment(environ | {"GIT_CONFIG_COUNT": "0"}), command_s=10)

    told = program.run(NOWHERE, "config", "--get-all", "core.hooksPath").out
    allowed = program.run(NOWHERE, "config", "--get-all", "protocol.ext.allow").out

    assert (told, allowed) == (b"/dev/null\n", b"never\n")


def test_the_way_to_a_remote_is_the_users(environ: dict[str, str]) -> None:
    env = environment(
        environ | {"GIT_SSH_COMMAND": "ssh -i key", "GIT_ASKPASS": "ask", "GIT_SSL_CAINFO": "ca", "GIT_SSL_NO_VERIFY": "1"}
    )

    assert (env["GIT_SSH_COMMAND"], env["GIT_ASKPASS"], env["GIT_SSL_CAINFO"]) == ("ssh -i key", "ask", "ca")
    assert "GIT_SSL_NO_VERIFY" not in env


def test_a_missing_git_is_said(remote: Remote, opened: Opener, environ: dict[str, str], tmp_path: Path) -> None:
    environ["PATH"] = str(tmp_path)

    with pytest.raises(SourceError, match="git can't be started") as failed:
        opened().fetch()

    assert "install git" in failed.value.remedy


def test_an_old_git_is_refused(remote: Remote, opened: Opener, environ: dict[str, str], tmp_path: Path) -> None:
    remote.commit({"a.yaml": "a"})
    old = tmp_path / "bin" / "git"
    old.parent.mkdir()
    real = shutil.which("git")
    old.write_text(f'#!/bin/sh\ncase "$2" in version) echo "git version 2.25.1";; *) exec {real} "$@";; esac\n')
    old.chmod(0o755)
    environ["PATH"] = f"{old.parent}:{environ['PATH']}"

    with pytest.raises(SourceError, match=r"git version 2\.25\.1 is too old"):
        opened().fetch()


@pytest.fixture
def foreign(remote: Remote) -> Remote:
    """A repository of another owner."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a repository away")
    remote.commit({"a.yaml": "a"})
    for path in (remote.path, *remote.path.rglob("*")):
        os.lchown(path, 12345, 12345)
    return remote


def test_a_repository_of_another_owner_is_explained(foreign: Remote, opened: Opener) -> None:
    with pytest.raises(SourceAway, match="dubious ownership") as refused:
        opened().fetch()

    assert "safe.directory" in refused.value.remedy


@pytest.mark.parametrize("value", ["{path}", "{path}/.git", "{path}/", "{parent}/*", "*"])
def test_a_repository_of_another_owner_is_read_once_the_user_trusts_it(
    foreign: Remote, opened: Opener, environ: dict[str, str], value: str
) -> None:
    trusted = value.format(path=foreign.path, parent=foreign.path.parent)
    (Path(environ["HOME"]) / ".gitconfig").write_text(f"[safe]\n\tdirectory = {trusted}\n")

    assert read_all(opened()) == [b"a"]


@pytest.mark.parametrize("values", [["/elsewhere"], ["{path}", ""], ["{path}x/*"]])
def test_a_repository_that_the_user_does_not_trust_is_not_read(
    foreign: Remote, opened: Opener, environ: dict[str, str], values: list[str]
) -> None:
    lines = "".join(f"\tdirectory = {value.format(path=foreign.path)}\n" for value in values)
    (Path(environ["HOME"]) / ".gitconfig").write_text(f"[safe]\n{lines}")

    with pytest.raises(SourceAway, match="dubious ownership"):
        opened().fetch()
