"""What the remote holds under a ref, and what its complaints mean."""

import re
from dataclasses import dataclass

from reconciler.source.errors import BadLocation, RefGone, SourceAway
from reconciler.source.git.program import NOWHERE, Ended, GitProgram
from reconciler.source.location import GitLocation

_COMMIT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ABBREVIATED = re.compile(r"[0-9a-f]{7,63}")

_ACCESS = "give the user who runs this access: a key that ssh can use without asking, or for https ~/.netrc or GIT_ASKPASS"
_MEANINGS: tuple[tuple[str, str, bool], ...] = (
    ("dubious ownership", "run as its owner, or trust it: `git config --global --add safe.directory PATH`", False),
    ("host key verification failed", "add the host's key to known_hosts", False),
    ("permission denied (", _ACCESS, False),
    ("authentication failed", _ACCESS, False),
    ("could not read username", _ACCESS, False),
    ("could not read password", _ACCESS, False),
    ("returned error: 401", _ACCESS, False),
    ("returned error: 403", _ACCESS, False),
    ("returned error: 404", "check the address", False),
    ("certificate", "check the certificate, or name its authority in GIT_SSL_CAINFO", False),
    ("does not appear to be a git repository", "check the address", False),
    ("not found", "check the address", False),
    ("no such file or directory", "check the address", False),
    ("does not exist", "check the address", False),
    ("protocol disallowed", "write a local path, file://, ssh://, user@host:path or https://", False),
    ("transport '", "write a local path, file://, ssh://, user@host:path or https://", False),
)
"""What stands in a complaint (lower case), what a person can do, and whether asking again soon may help."""


@dataclass(frozen=True, slots=True)
class Tip:
    """What to fetch: a full ref of the remote or a commit id, and the object that it named when we asked."""

    ref: str
    object: str


def is_commit_id(ref: str | None) -> bool:
    return ref is not None and _COMMIT_ID.fullmatch(ref) is not None


def checked_ref(program: GitProgram, ref: str | None) -> None:
    """BadLocation unless git could have a ref of this name."""
    if ref is None or program.run(NOWHERE, "check-ref-format", _candidates(ref)[0]).code == 0:
        return
    raise BadLocation(f"ref {ref}: no name that git allows", remedy="name a branch, a tag, refs/… in full or a full commit id")


def tip(program: GitProgram, location: GitLocation) -> Tip:
    """Where the remote is now; a branch goes before a tag of the same name. Raises SourceAway, or RefGone if there is none."""
    if location.ref is not None and is_commit_id(location.ref):
        return Tip(location.ref, location.ref)
    names = _candidates(location.ref)
    asked = program.run(NOWHERE, "ls-remote", "--quiet", "--", location.url, *names)
    if asked.code != 0:
        raise away(location, asked)
    held = dict(_listed(asked.out))
    for name in names:
        if name in held:
            return Tip(name, held[name])
    raise _gone(location)


def away(location: GitLocation, ended: Ended) -> SourceAway:
    """The remote's complaint as an error; one that we do not know may pass."""
    said = ended.err.lower()
    remedy, transient = next(
        ((remedy, transient) for needle, remedy, transient in _MEANINGS if needle in said),
        ("check the network and the address; the last good revision stays in use", True),
    )
    return SourceAway(f"{location}: {ended}", remedy=remedy, transient=transient)


def _candidates(ref: str | None) -> tuple[str, ...]:
    if ref is None:
        return ("HEAD",)
    return (ref,) if ref.startswith("refs/") else (f"refs/heads/{ref}", f"refs/tags/{ref}")


def _listed(out: bytes) -> list[tuple[str, str]]:
    """Reads lines like `990b0e75… TAB refs/heads/main`; a pattern matches the ends of names, so more may stand there."""
    pairs = (line.split("\t", 1) for line in out.decode("utf-8", "surrogateescape").split("\n") if "\t" in line)
    return [(name, commit) for commit, name in pairs]


def _gone(location: GitLocation) -> RefGone:
    if location.ref is None:
        return RefGone(
            f"{location.url}: has no commit at its HEAD", remedy="push a first commit, or name another branch with --ref"
        )
    if _ABBREVIATED.fullmatch(location.ref):
        return RefGone(f"{location.url}: has no branch or tag {location.ref}", remedy="for a commit, write its full id")
    return RefGone(
        f"{location.url}: has no branch or tag {location.ref} (any more)",
        remedy="push it again, or name another with --ref; the last good revision stays in use",
    )
