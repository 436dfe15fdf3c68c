"""From what the user gave to validated desired state."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from reconciler.cli.options import SourceChoice
from reconciler.controller.desired_state import DesiredReader
from reconciler.desired.layout import TOP
from reconciler.model.desired import Desired, Finding
from reconciler.model.errors import ExitCode, ReconcilerError
from reconciler.model.plan import PlanSource
from reconciler.provider.registry import Registry
from reconciler.source.errors import SourceAway
from reconciler.source.location import FolderLocation, Location, located
from reconciler.source.opening import opened
from reconciler.source.tree import Source


@dataclass(frozen=True, slots=True)
class Loaded:
    """Desired state, the source as a plan names it, and what validation wants to say although it is valid."""

    desired: Desired
    source: PlanSource
    warnings: tuple[Finding, ...]


def location_of(choice: SourceChoice) -> Location:
    """The location; a bare command reads the directory `desired-state` if there is one."""
    directory = choice.directory
    if directory is None and choice.repo is None and choice.ref is None and choice.path is None:
        if not Path("desired-state").is_dir():
            raise click.UsageError("no source was given: name a directory, or a repository with --repo")
        directory = "desired-state"
    return located(directory=directory, repo=choice.repo, ref=choice.ref, path=choice.path)


def _warn(text: str) -> None:
    click.echo(f"warning: {text}", err=True)


@contextmanager
def loaded(
    choice: SourceChoice, state: Path, registry: Registry, *, strict: bool = False, say: Callable[[str], object] = _warn
) -> Iterator[Loaded]:
    """One validated revision. InvalidDesiredError with all findings; ReconcilerError when it can't be read.

    The source stays open inside, so that places in manifests can be looked up. When the remote is away the last good revision
    is used, and `say` is told.
    """
    location = location_of(choice)
    source = opened(location, state, os.environ, only=TOP, accept_rewrite=choice.accept_rewrite)
    try:
        try:
            revision = source.fetch() if isinstance(location, FolderLocation) else _fetched(source)
        except SourceAway as away:
            if (last := source.last_good()) is None:
                raise
            say(f"{away.cause}; using the last good revision {last[:12]}")
            revision = last
        valid = DesiredReader(registry).read(source, revision, strict=strict)
        yield Loaded(valid.desired, plan_source(location, revision), valid.warnings)
    finally:
        source.close()


def _fetched(source: Source) -> str:
    """What `source.fetch()` gives; a signal ends it together with the git that it runs."""
    # Imported here: a folder needs no event loop.
    import asyncio

    from reconciler.cli.event_loop import run_async

    async def fetch() -> str:
        try:
            return await asyncio.to_thread(source.fetch)
        except asyncio.CancelledError:
            source.close()
            raise

    return run_async(fetch())


def plan_source(location: Location, revision: str) -> PlanSource:
    """How a plan names its source."""
    if isinstance(location, FolderLocation):
        return PlanSource(os.path.relpath(location.path), revision)
    return PlanSource(location.path, revision, repository=location.url, ref=location.ref or "")


def narrowed(whole: Loaded, kind: str | None, name: str | None) -> Loaded:
    """Only the objects of that kind or name; then absence says nothing."""
    if kind is None and name is None:
        return whole
    resources = {
        host: {
            key: resource
            for key, resource in of_host.items()
            if (kind is None or key.kind == kind) and (name is None or key.name == name)
        }
        for host, of_host in whole.desired.resources.items()
    }
    if not any(resources.values()):
        what = " ".join(part for part in (kind, name) if part)
        raise ReconcilerError(f"no manifest is {what}", remedy="check --kind and --name against `reconciler render`")
    return Loaded(replace(whole.desired, resources=resources, whole=False), replace(whole.source, whole=False), whole.warnings)


def chosen_hosts(desired: Desired, hosts: tuple[str, ...]) -> tuple[str, ...]:
    """The hosts to work on, in the order of their names; ReconcilerError for one that has no manifest."""
    if unknown := sorted(set(hosts) - desired.hosts.keys()):
        known = ", ".join(sorted(desired.hosts)) or "none"
        raise ReconcilerError(f"there is no host {', '.join(unknown)}", remedy=f"hosts are: {known}", exit_code=ExitCode.USAGE)
    return tuple(sorted(set(hosts) or desired.hosts))
