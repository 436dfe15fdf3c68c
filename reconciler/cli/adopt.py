"""`reconciler adopt`: manifests for what is on a host and nobody manages."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from itertools import count
from pathlib import Path

import click

from reconciler.cli.event_loop import run_async
from reconciler.cli.look import look_at, unmanaged
from reconciler.cli.options import SourceChoice, source_options, state_directory, state_option
from reconciler.cli.source import chosen_hosts, loaded
from reconciler.controller.installed import installed_registry
from reconciler.desired.importing import imported
from reconciler.desired.yaml_text import MAX_BYTES
from reconciler.hosts.observe import Look
from reconciler.model.desired import Desired
from reconciler.model.errors import ExitCode, ReconcilerError
from reconciler.model.key import Key, ObjectName
from reconciler.model.observed import Inventory
from reconciler.planning.words import counted, printable
from reconciler.provider.registry import Registry

_MOST_BYTES = MAX_BYTES // 2
_LONGEST_STEM = 100
_HEAD = """\
# Written by `reconciler adopt {host}` from what is on the host. Nothing was changed there.
#
# 1. Read it. A line that you remove is a property that is not managed; a manifest that you remove leaves its object alone.
#    Think of lifecycle too: an object whose manifest is removed later goes by onRemoval, unless protect says otherwise.
# 2. Commit it below hosts/{host}/. The plan shows `adopt` for each object, commands that write our mark, and no field change.
# 3. After the apply `adopt: ifEqual` has done its work, and the line can go.
"""


@click.command("adopt")
@click.argument("host")
@source_options
@click.option(
    "--write", "target", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Where to write the manifests."
)
@click.option("--kind", metavar="KIND", help="Only objects of this kind.")
@click.option("--name", "pattern", metavar="GLOB", help="Only objects whose name matches, for example 'tank/data*'.")
@state_option
def command(
    host: str,
    choice: SourceChoice,
    target: Path,
    kind: str | None,
    pattern: str | None,
    state: Path | None,
) -> int:
    """Write manifests for what is on HOST and nobody manages, as it is now: datasets, volumes, guests, links, images, rules.

    Each states what was set on the object itself (of a guest its uuid too, so that it is the very one) and has
    `lifecycle: {adopt: ifEqual}`: the next plan writes our marks and changes no field. Left out are objects of this and of
    other repositories, what manifests name already, what belongs to guests or to the system, and the roots of pools. Nothing
    is changed on the host, and no file is overwritten.

    \b
    Examples:
      reconciler adopt hv01 desired-state --write desired-state/hosts/hv01
      reconciler adopt hv01 --repo /srv/infra.git --write ./found --name 'tank/data*'
      reconciler adopt hv01 desired-state --write desired-state/hosts/hv01/guests --kind Zone --name web1
    """
    registry = installed_registry()
    place = state_directory(state)
    with loaded(choice, place, registry) as valid:
        chosen_hosts(valid.desired, (host,))
        look = run_async(look_at(registry, place, valid.desired, host))
        _check_seen(look.inventory)
        found = _found(look, valid.desired, registry, kind, pattern)
    for written, objects in _write(target, host, found.texts):
        click.echo(f"{written}: {counted(objects, 'object')}")
    for line in found.told():
        click.echo(printable(line), err=True)
    return ExitCode.CONVERGED


def _check_seen(inventory: Inventory) -> None:
    """ReconcilerError unless everything on the host was seen."""
    if inventory.wrong_host:
        remedy = "correct spec.identity of the Host, or what its transport points at"
        raise ReconcilerError(inventory.wrong_host, remedy=remedy, exit_code=ExitCode.UNREADABLE)
    for trouble in inventory.unreadable:
        cause = f"{inventory.host} could not be read, nothing was written: provider {trouble.provider}: {trouble.cause}"
        raise ReconcilerError(cause, remedy=trouble.remedy, exit_code=ExitCode.UNREADABLE)


@dataclass(slots=True)
class _Found:
    """Manifests by object in the order of names, and what none was written for."""

    texts: dict[ObjectName, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    impossible: list[str] = field(default_factory=list)

    def told(self) -> Iterator[str]:
        """What was left out and why, for people."""
        if not self.texts:
            yield "nothing to write"
        for why, times in sorted(self.counts.items()):
            yield f"left out: {times} {why}"
        yield from self.impossible


def _found(look: Look, desired: Desired, registry: Registry, kind: str | None, pattern: str | None) -> _Found:
    found = _Found()
    inventory = look.inventory
    free = unmanaged(inventory, desired, registry).objects
    named = desired.resources.get(inventory.host, {})
    known = {(key.kind, one.fields.get(registry.kinds[key.kind].identified_by)) for key, one in named.items()}
    for name, observed in sorted(inventory.objects.items(), key=lambda item: (item[0].name, item[0].kind)):
        rules = registry.kinds[name.kind]
        if rules.observed_only or (kind is not None and name.kind != kind):
            continue
        if pattern is not None and not fnmatchcase(name.name, pattern):
            continue
        key = Key(inventory.host, *name)
        if key in named or (rules.identified_by and (name.kind, observed.identity) in known):
            found.counts["named by manifests"] += 1
        elif observed.belongs_to:
            found.counts["of guests or of the system, or in the trash"] += 1
        elif observed.mark is not None:
            found.counts["with a mark: of this or another repository, or copied from another machine"] += 1
        elif rules.contained_in and rules.container(name.name) is None:
            found.counts["at the top of a pool"] += 1
        elif name in free and (shared := observed.shares_name) is not None:
            found.impossible.append(
                f"left out: {name}, for several have the name {shared.name}: give it one of its own on the host, "
                f"or write a manifest {shared} with uuid: {observed.identity} for one of them"
            )
        elif name in free:
            made = imported(key, observed, registry.kinds, partial(look.backends[name.kind].refusal, name.kind))
            if made.cause:
                found.impossible.append(f"left out: {name}, for no manifest can hold it: {made.cause}")
            else:
                found.texts[name] = made.text
    return found


def _write(target: Path, host: str, texts: Mapping[ObjectName, str]) -> Iterator[tuple[Path, int]]:
    """One file per top-level tree of names, more for a large one; yields each with the number of objects in it."""
    head = _HEAD.format(host=host)
    try:
        target.mkdir(parents=True, exist_ok=True)
        for stem, documents in _grouped(texts):
            yield _write_new(target, stem, "---\n".join((head, *documents))), len(documents)
    except OSError as trouble:
        cause = f"{trouble.filename or target}: {(trouble.strerror or str(trouble)).lower()}"
        raise ReconcilerError(cause, remedy="give --write a directory that this user may write to") from trouble


def _grouped(texts: Mapping[ObjectName, str]) -> Iterator[tuple[str, list[str]]]:
    """Documents by the stem of the file that they go to, no more in one than are read."""
    groups: dict[str, list[str]] = {}
    for name, text in texts.items():
        groups.setdefault(_stem(name), []).append(text)
    for stem, documents in groups.items():
        some: list[str] = []
        size = 0
        for text in documents:
            if some and size + len(text.encode()) > _MOST_BYTES:
                yield stem, some
                some, size = [], 0
            some.append(text)
            size += len(text.encode())
        yield stem, some


def _stem(name: ObjectName) -> str:
    """`tank-data` for `tank/data/web`; characters that trouble a shell become `_`."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", "-".join(name.name.split("/")[:2]))[:_LONGEST_STEM]


def _write_new(target: Path, stem: str, text: str) -> Path:
    """Writes a file that was not there before, whole or not at all: `stem.yaml`, else `stem-2.yaml`, and so on."""
    temporary = target / f".{stem}.{os.getpid()}"
    try:
        with temporary.open("x", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        for number in count(1):
            file = target / (f"{stem}-{number}.yaml" if number > 1 else f"{stem}.yaml")
            with suppress(FileExistsError):
                os.link(temporary, file)
                return file
        raise AssertionError("numbers don't end")
    finally:
        temporary.unlink(missing_ok=True)
