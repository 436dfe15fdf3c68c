"""`reconciler doctor`: what is missing on this machine, and how to get it."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import distribution, entry_points
from pathlib import Path
from typing import NamedTuple

import click

from reconciler.cli.options import state_directory, state_option
from reconciler.controller.installed import GROUP, installed_registry
from reconciler.model.errors import ExitCode, ReconcilerError


class Finding(NamedTuple):
    """One thing looked at. `needed` findings that are not well make the command end with 1."""

    subject: str
    is_well: bool
    said: str
    remedy: str = ""
    needed: bool = False


@click.command("doctor")
@state_option
def command(state: Path | None) -> int:
    """Look at this machine: Python, git, tools, rights, the state directory, the installed providers.

    Ends with 1 when something is missing without which nothing works; the rest only leaves out some hosts.
    """
    findings = [*_program(), *_tools(), *_rights(state_directory(state))]
    for finding in findings:
        sign = "ok     " if finding.is_well else ("MISSING" if finding.needed else "without")
        click.echo(f"{sign} {finding.subject}: {finding.said}")
        if not finding.is_well and finding.remedy:
            click.echo(f"        remedy: {finding.remedy}")
    return ExitCode.ERROR if any(finding.needed and not finding.is_well for finding in findings) else ExitCode.CONVERGED


def _program() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer", needed=True)
    clib = importlib.util.find_spec("_ruamel_yaml") is not None
    yield Finding("YAML parser", clib, "C" if clib else "pure Python, ten times slower", "pip install ruamel.yaml.clib")
    yield from _providers()


def _providers() -> Iterator[Finding]:
    """Loaded providers, and whether the package `providers` that Python finds is the one that was installed with us."""
    remedy = "start from another directory, or rename the folder `providers` that stands in the way"
    found = importlib.util.find_spec("providers")
    places = [Path(place).resolve() for place in (found.submodule_search_locations or ())] if found is not None else []
    root = Path(str(distribution("reconciler").locate_file(""))).resolve()
    source = Path(__file__).resolve().parents[2]
    ours = [place for place in places if place.parent in (root, source)]
    shadowed = found is not None and not ours
    if shadowed:
        yield Finding("package providers", False, f"shadowed by {places[0] if places else found}", remedy, needed=True)
    try:
        registry = installed_registry()
    except ReconcilerError as trouble:
        yield Finding("providers", False, trouble.cause, trouble.remedy, needed=True)
        return
    names = ", ".join(f"{provider.name} ({', '.join(k.name for k in provider.kinds)})" for provider in registry.providers)
    some = bool(entry_points(group=GROUP))
    yield Finding("providers", some, names or "none installed", "pip install reconciler again", needed=True)


def _tools() -> Iterator[Finding]:
    for tool, use, remedy, needed in (
        ("git", "git repositories as source", "apt-get install git, pkg install git, pkgin install git", True),
        ("ssh", "repositories over ssh", "install the OpenSSH client", False),
        ("zfs", "transport local with ZFS", "install OpenZFS, or zfs-fuse for a trial", False),
        ("sudo", "elevate: sudo", "install sudo, or run as root", False),
        ("pfexec", "elevate: pfexec (illumos)", "part of illumos; not needed elsewhere", False),
    ):
        where = shutil.which(tool)
        yield Finding(f"tool {tool}", where is not None, where or f"not on PATH; needed for {use}", remedy, needed)


def _rights(state: Path) -> Iterator[Finding]:
    root = os.geteuid() == 0
    said = "root" if root else "not root: transport local can only look, unless elevate or `zfs allow` gives the rights"
    yield Finding("rights", root, said, "set elevate: sudo or pfexec in the Host, or run as root")
    nearest = next(place for place in (state, *state.parents) if place.exists())
    writable = os.access(nearest, os.W_OK | os.X_OK)
    yield Finding("state directory", writable, str(state), "name another with --state, or make it writable", needed=True)
