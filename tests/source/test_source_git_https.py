"""Remotes over https."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.source.errors import SourceAway
from tests.source.git_remote import Opener, Remote
from tests.source.https_remote import Served, served

PASSWORD = "correct-horse"


@pytest.fixture
def server(remote: Remote, tmp_path: Path) -> Iterator[Served]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    with served(remote.path.parent, tmp_path, PASSWORD) as serving:
        yield serving


def log_in(environ: dict[str, str], password: str = PASSWORD) -> None:
    netrc = Path(environ["HOME"]) / ".netrc"
    netrc.write_text(f"machine localhost login bot password {password}\n")
    netrc.chmod(0o600)


def test_a_repository_is_fetched_by_https(remote: Remote, server: Served, opened: Opener, environ: dict[str, str]) -> None:
    log_in(environ)
    environ["GIT_SSL_CAINFO"] = str(server.certificate)
    first = remote.commit({"a.yaml": "a"})
    source = opened(repo=f"{server.url}/remote")
    assert source.fetch() == first

    second = remote.commit({"a.yaml": "b"})

    assert source.fetch() == second
    tree = source.tree(second)
    assert [content for _, content in source.read(entry.blob for entry in tree.entries)] == [b"b"]


def test_a_password_may_come_from_a_program(
    remote: Remote, server: Served, opened: Opener, environ: dict[str, str], tmp_path: Path
) -> None:
    ask = tmp_path / "ask"
    ask.write_text(f'#!/bin/sh\ncase "$1" in User*) echo bot;; *) echo {PASSWORD};; esac\n')
    ask.chmod(0o755)
    environ |= {"GIT_SSL_CAINFO": str(server.certificate), "GIT_ASKPASS": str(ask)}
    commit = remote.commit({"a.yaml": "a"})

    assert opened(repo=f"{server.url}/remote").fetch() == commit


def test_without_a_password_nobody_is_asked(remote: Remote, server: Served, opened: Opener, environ: dict[str, str]) -> None:
    environ["GIT_SSL_CAINFO"] = str(server.certificate)
    remote.commit({"a.yaml": "a"})

    with pytest.raises(SourceAway) as refused:
        opened(repo=f"{server.url}/remote").fetch()

    assert "could not read Username" in refused.value.cause
    assert ".netrc" in refused.value.remedy
    assert not refused.value.transient


def test_a_wrong_password_is_said(remote: Remote, server: Served, opened: Opener, environ: dict[str, str]) -> None:
    log_in(environ, "wrong")
    environ["GIT_SSL_CAINFO"] = str(server.certificate)
    remote.commit({"a.yaml": "a"})

    with pytest.raises(SourceAway) as refused:
        opened(repo=f"{server.url}/remote").fetch()

    assert ".netrc" in refused.value.remedy
    assert "wrong" not in str(refused.value)


def test_an_unknown_certificate_is_refused(remote: Remote, server: Served, opened: Opener, environ: dict[str, str]) -> None:
    log_in(environ)
    environ["GIT_SSL_NO_VERIFY"] = "1"
    remote.commit({"a.yaml": "a"})

    with pytest.raises(SourceAway) as refused:
        opened(repo=f"{server.url}/remote").fetch()

    assert "GIT_SSL_CAINFO" in refused.value.remedy
    assert not refused.value.transient


def test_a_server_that_does_not_answer_may_come_back(opened: Opener) -> None:
    with pytest.raises(SourceAway) as failed:
        opened(repo="https://localhost:1/x").fetch()

    assert failed.value.transient
