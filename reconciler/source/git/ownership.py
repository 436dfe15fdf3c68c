"""Whether a local repository of somebody else may be read: as the user has told git, and nobody else."""

import os
from collections.abc import Mapping
from pathlib import Path

from reconciler.source.errors import STATE_REMEDY, disk_errors
from reconciler.source.git.program import NOWHERE, GitProgram
from reconciler.source.location import GitLocation

_CONFIG_S = 10.0


def settings_file(home: Path, location: GitLocation, environ: Mapping[str, str]) -> Path:
    """The configuration that git runs with: none, unless the user trusts this very repository of another owner.

    Git refuses to serve a repository that belongs to somebody else: its configuration could start programs as this user. The
    user's `safe.directory` lifts that; it is all of the user's configuration that we honour. Raises SourceError if the file
    that carries it can't be written.
    """
    place = location.local
    if place is None or _is_ours(place) or not _is_trusted(place, environ):
        return NOWHERE
    settings = home / "trusted.gitconfig"
    aside = settings.with_suffix(".new")
    with disk_errors(home, STATE_REMEDY):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Whether git compares a work tree or its .git depends on its version. Only this one repository is asked with this file.
        aside.write_text("[safe]\n\tdirectory = *\n", encoding="ascii")
        aside.replace(settings)
    return settings


def _is_ours(place: Path) -> bool:
    try:
        owners = {there.stat().st_uid for there in (place, place / ".git") if there.exists()}
    except OSError:
        return True
    return owners <= {os.geteuid()}


def _is_trusted(place: Path, environ: Mapping[str, str]) -> bool:
    """Reads git-config(1) safe.directory, system before user: an empty value forgets those before it, `*` is any."""
    program = GitProgram(environ, command_s=_CONFIG_S)
    trusted = False
    for scope in ("--system", "--global"):
        told = program.run(NOWHERE, "config", scope, "--includes", "--type=path", "-z", "--get-all", "safe.directory")
        for value in told.out.split(b"\0")[:-1]:
            trusted = value != b"" and (trusted or _covers(os.fsdecode(value), place))
    return trusted


def _covers(value: str, place: Path) -> bool:
    same = {str(there) for there in (place, place / ".git", place.resolve(), place.resolve() / ".git")}
    below = value.removesuffix("*") if value.endswith("/*") else None
    return value == "*" or value.rstrip("/") in same or (below is not None and any(one.startswith(below) for one in same))
