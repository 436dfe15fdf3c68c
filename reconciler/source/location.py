"""What the user gave, a directory or a repository, as a location."""

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from reconciler.source.errors import BadLocation

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*::")
_SCP_LIKE = re.compile(r"(?:[^@/:\s-][^@/:\s]*@)?(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9_][A-Za-z0-9._-]*):[^:-].*", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEMES = "a local path, file://, ssh://, user@host:path or https://"


@dataclass(frozen=True, slots=True)
class FolderLocation:
    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class GitLocation:
    """A repository (`url` is absolute for a local path), a ref in it (None: its HEAD) and a directory of that ("": all)."""

    url: str
    ref: str | None
    path: str

    @property
    def local(self) -> Path | None:
        """The repository's directory when it lies on this machine."""
        return Path(self.url) if self.url.startswith("/") else None

    def __str__(self) -> str:
        return f"{self.url} {self.ref or 'HEAD'}"


Location = FolderLocation | GitLocation


def located(
    *, directory: str | None = None, repo: str | None = None, ref: str | None = None, path: str | None = None
) -> Location:
    """The location that a positional directory or `--repo`, `--ref` and `--path` name; BadLocation if they name none."""
    if directory is not None and repo is not None:
        raise BadLocation("a directory and --repo were both given", remedy="give one of them")
    if repo is not None:
        return GitLocation(_url(repo), _ref(ref), _sub_directory(path))
    if ref is not None or path is not None:
        raise BadLocation(f"--{'path' if ref is None else 'ref'} was given without --repo", remedy="add --repo URL")
    if not directory:
        raise BadLocation("no source was given", remedy="give a directory, or --repo URL")
    return FolderLocation(Path(os.path.abspath(directory)))  # noqa: PTH100 — Path.resolve would follow links


def _url(text: str) -> str:
    if not text or _CONTROL.search(text):
        raise BadLocation(f"repository {text!r}: empty, or holds a control character", remedy=f"write {_SCHEMES}")
    scheme = _SCHEME.match(text)
    if scheme is not None:
        return _with_scheme(text, scheme[1].lower())
    if _HELPER.match(text):
        raise BadLocation(f"repository {text}: remote helpers are refused", remedy=f"write {_SCHEMES}")
    if ":" in text.split("/", 1)[0]:
        if not _SCP_LIKE.fullmatch(text):
            raise BadLocation(f"repository {text}: not an address that we read", remedy=f"write {_SCHEMES}")
        return text
    return os.path.abspath(text)  # noqa: PTH100 — Path.resolve would follow links


def _with_scheme(text: str, scheme: str) -> str:
    if scheme not in {"file", "ssh", "https"}:
        raise BadLocation(f"repository {text}: the scheme {scheme}:// is refused", remedy=f"write {_SCHEMES}")
    try:
        parts = urlsplit(text)
        host, password, _ = parts.hostname or "", parts.password, parts.port
    except ValueError as error:
        raise BadLocation(f"repository {text}: {error}", remedy=f"write {_SCHEMES}") from error
    if scheme == "file":
        path = unquote(parts.path)
        if host not in {"", "localhost"} or not path.startswith("/") or _CONTROL.search(path):
            raise BadLocation(f"repository {text}: not a path on this machine", remedy="write file:///path/to/repository")
        return os.path.normpath(path)
    if password is not None:
        shown = text.replace(f":{parts.password}@", ":…@", 1)
        raise BadLocation(
            f"repository {shown}: a password in an address is seen by everybody on this machine",
            remedy="put it in ~/.netrc, or let GIT_ASKPASS name a program that prints it",
        )
    if not host or host.startswith("-") or (parts.username or "").startswith("-"):
        raise BadLocation(f"repository {text}: no host that we can ask", remedy=f"write {_SCHEMES}")
    return text


def _ref(text: str | None) -> str | None:
    if text is None or text == "HEAD":
        return None
    if not text or _CONTROL.search(text):
        raise BadLocation(
            f"ref {text!r}: empty, or holds a control character", remedy="name a branch, a tag or a full commit id"
        )
    return text


def _sub_directory(text: str | None) -> str:
    path = PurePosixPath(text or "")
    if path.is_absolute() or ".." in path.parts or "\0" in str(path):
        raise BadLocation(
            f"--path {text}: not below the repository's root", remedy="write a path relative to the root, without .."
        )
    return "" if str(path) == "." else str(path)
