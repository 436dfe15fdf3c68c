"""What a user may give as a source."""

from pathlib import Path

import pytest

from reconciler.model.errors import ExitCode
from reconciler.source.errors import BadLocation
from reconciler.source.folder import FolderSource
from reconciler.source.git.source import GitSource
from reconciler.source.location import FolderLocation, GitLocation, located
from reconciler.source.opening import opened

ACCEPTED = [
    ("https://git.example.org/infra.git", "https://git.example.org/infra.git", "https"),
    ("https://bot@git.example.org/infra.git", "https://bot@git.example.org/infra.git", "a user name is no secret"),
    ("ssh://git@git.example.org:2222/infra.git", "ssh://git@git.example.org:2222/infra.git", "ssh with a port"),
    ("ssh://git@[2001:db8::1]/infra.git", "ssh://git@[2001:db8::1]/infra.git", "ssh to an address"),
    ("git@git.example.org:infra.git", "git@git.example.org:infra.git", "as scp writes it"),
    ("git.example.org:~/infra", "git.example.org:~/infra", "as scp writes it, without a user"),
    ("/srv/git/infra.git", "/srv/git/infra.git", "a local path"),
    ("/srv/git/../git/infra", "/srv/git/infra", "one mirror for one path"),
    ("file:///srv/git/infra%20x", "/srv/git/infra x", "file:// is the local path"),
    ("file://localhost/srv/git", "/srv/git", "this machine, spelled out"),
    ("/srv/a:b", "/srv/a:b", "a colon behind a slash is part of a path"),
]

REFUSED = [
    ("ext::sh -c 'touch /tmp/x'", "runs a program"),
    ("fd::3", "a remote helper"),
    ("https::https://example.org/x", "a helper by its name"),
    ("http://git.example.org/infra.git", "neither secret nor authentic"),
    ("git://git.example.org/infra.git", "neither secret nor authentic"),
    ("ftp://git.example.org/infra.git", "not served"),
    ("javascript://x", "unknown scheme"),
    ("https://bot:secret@git.example.org/infra.git", "a password would stand in process lists"),
    ("ssh://-oProxyCommand=touch/x", "an option in the place of a host"),
    ("ssh://-l@host/x", "an option in the place of a user"),
    ("-oProxyCommand=touch:x", "an option in the place of an scp host"),
    ("host:-x", "an option in the place of a path"),
    ("https:///infra.git", "no host"),
    ("https://host:port/infra.git", "no port number"),
    ("file://elsewhere/srv/git", "another machine's file"),
    ("https://host/a\nb", "a line break"),
    ("", "nothing"),
]


@pytest.mark.parametrize(("given", "url", "reason"), ACCEPTED)
def test_a_repository_is_read_from(given: str, url: str, reason: str) -> None:
    assert located(repo=given) == GitLocation(url, None, ""), reason


@pytest.mark.parametrize(("given", "reason"), REFUSED)
def test_a_repository_is_refused(given: str, reason: str) -> None:
    with pytest.raises(BadLocation) as refused:
        located(repo=given)

    assert refused.value.exit_code == ExitCode.USAGE, reason
    assert refused.value.remedy


def test_a_refused_password_is_not_repeated() -> None:
    with pytest.raises(BadLocation) as refused:
        located(repo="https://bot:hunter2@git.example.org/infra.git")

    assert "hunter2" not in str(refused.value)


def test_a_relative_repository_is_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert located(repo="infra") == GitLocation(str(tmp_path / "infra"), None, "")
    assert located(repo="-infra") == GitLocation(str(tmp_path / "-infra"), None, "")


@pytest.mark.parametrize(
    ("path", "found", "reason"),
    [
        (None, "", "the root"),
        (".", "", "the root"),
        ("desired-state/", "desired-state", "no slash at the end"),
        ("./a//b", "a/b", "one spelling"),
    ],
)
def test_a_sub_directory_has_one_spelling(path: str | None, found: str, reason: str) -> None:
    location = located(repo="/srv/git", path=path)

    assert isinstance(location, GitLocation)
    assert location.path == found, reason


@pytest.mark.parametrize("path", ["/etc", "..", "a/../../b", "a\0b"])
def test_a_sub_directory_outside_the_repository_is_refused(path: str) -> None:
    with pytest.raises(BadLocation, match="--path"):
        located(repo="/srv/git", path=path)


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        ({}, "no source was given"),
        ({"directory": ""}, "no source was given"),
        ({"directory": "a", "repo": "b"}, "both given"),
        ({"directory": "a", "ref": "main"}, "--ref was given without --repo"),
        ({"path": "a"}, "--path was given without --repo"),
        ({"repo": "/srv/git", "ref": ""}, "ref '': empty"),
        ({"repo": "/srv/git", "ref": "a\nb"}, "control character"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(given: dict[str, str], cause: str) -> None:
    with pytest.raises(BadLocation, match=cause):
        located(**given)


def test_a_directory_is_a_folder(tmp_path: Path) -> None:
    assert located(directory=str(tmp_path / "x" / "..")) == FolderLocation(tmp_path)


def test_a_location_opens_as_its_source(tmp_path: Path) -> None:
    folder = opened(located(directory=str(tmp_path)), tmp_path / "state", {})
    repository = opened(located(repo=str(tmp_path)), tmp_path / "state", {})

    assert isinstance(folder, FolderSource)
    assert isinstance(repository, GitSource)
    assert not (tmp_path / "state").exists()
