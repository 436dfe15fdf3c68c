"""`reconciler observe`: what is on a host, whoever made it."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from reconciler.cli.event_loop import run_async
from reconciler.cli.look import look_at, unmanaged
from reconciler.cli.options import SourceChoice, output_option, source_options, state_directory, state_option
from reconciler.cli.output import print_json
from reconciler.cli.source import chosen_hosts, loaded
from reconciler.controller.installed import installed_registry
from reconciler.model.errors import ExitCode
from reconciler.model.key import Key
from reconciler.model.observed import Inventory, Observed
from reconciler.planning.ownership import Ownership, ownership
from reconciler.planning.render_json import json_value, timestamp, unreadable_document
from reconciler.planning.words import counted, printable
from reconciler.provider.kind import Kind
from reconciler.provider.registry import Registry


@click.command("observe")
@source_options
@click.option("--host", "host", required=True, metavar="NAME", help="The host to look at.")
@click.option("--unmanaged", "only_unmanaged", is_flag=True, help="Only what nobody manages and no manifest names.")
@state_option
@output_option
def command(
    choice: SourceChoice,
    host: str,
    only_unmanaged: bool,
    state: Path | None,
    output: str,
) -> int:
    """Show what is on a host, with every field that its tools can tell, and who owns each object.

    The source is read for the Host manifest, which says how to reach it. With --unmanaged the objects of this and of other
    repositories are left out, and so is what manifests name and what belongs to guests or to the system;
    `reconciler adopt` writes manifests for what remains.

    \b
    Examples:
      reconciler observe desired-state --host hv01
      reconciler observe desired-state --host hv01 --unmanaged
      reconciler observe desired-state --host hv01 --output json
    """
    registry = installed_registry()
    place = state_directory(state)
    with loaded(choice, place, registry) as valid:
        chosen_hosts(valid.desired, (host,))
        inventory = run_async(look_at(registry, place, valid.desired, host)).inventory
        if only_unmanaged:
            inventory = unmanaged(inventory, valid.desired, registry)
    if output == "json":
        print_json(_document(inventory))
    else:
        _print(inventory, registry, valid.desired.resources.get(host, {}))
    return ExitCode.CONVERGED if inventory.is_complete else ExitCode.UNREADABLE


def _document(inventory: Inventory) -> dict[str, Any]:
    """`reconciler.inventory/v1`."""
    facts = inventory.facts
    return {
        "format": "reconciler.inventory/v1",
        "host": inventory.host,
        "observedAt": timestamp(inventory.observed_at),
        "complete": inventory.is_complete,
        "facts": None
        if facts is None
        else {
            "system": facts.system,
            "release": facts.release,
            "version": facts.version,
            "bootId": facts.boot_id,
            "identity": dict(facts.identity),
        },
        "observed": [
            {
                "key": str(Key(inventory.host, *name)),
                "fields": {field: json_value(value) for field, value in sorted(observed.fields.items())},
                "owner": observed.mark.owner if observed.mark is not None else None,
                **({"belongsTo": observed.belongs_to} if observed.belongs_to else {}),
            }
            for name, observed in sorted(inventory.objects.items())
        ],
        "unreadable": [unreadable_document(trouble) for trouble in inventory.unreadable],
        **({"wrongHost": inventory.wrong_host} if inventory.wrong_host else {}),
    }


def _print(inventory: Inventory, registry: Registry, named: Collection[Key]) -> None:
    if inventory.facts is not None:
        click.echo(f"{inventory.host}: {inventory.facts.system} {inventory.facts.release} {inventory.facts.version}")
    for name, observed in sorted(inventory.objects.items()):
        whose = _whose(observed, inventory, registry.kinds[name.kind], Key(inventory.host, *name) in named)
        click.echo(printable(f"  {name}  ({whose}, {counted(len(observed.fields), 'field')})"))
    if inventory.wrong_host:
        click.echo(printable(f"  WRONG HOST: {inventory.wrong_host}"), err=True)
    for trouble in inventory.unreadable:
        click.echo(printable(f"  UNREADABLE provider {trouble.provider}: {trouble.cause}"), err=True)
        click.echo(printable(f"  remedy: {trouble.remedy}"), err=True)


def _whose(observed: Observed, inventory: Inventory, kind: Kind, is_named: bool) -> str:
    if observed.belongs_to:
        return f"belongs to {observed.belongs_to}"
    if kind.observed_only:
        return "only observed"
    if observed.mark is None:
        return "named by a manifest" if is_named else "unmanaged"
    host_id = inventory.facts.host_id if inventory.facts is not None else ""
    is_copy = ownership(observed, observed.mark.owner, host_id) is Ownership.FOREIGN_COPY
    return f"a copy of what {observed.mark.owner} has on another machine" if is_copy else f"owned by {observed.mark.owner}"
