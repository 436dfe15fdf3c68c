"""`reconciler render`: the resources of a tree after selection and variables."""

from pathlib import Path

import click

from reconciler.cli.findings import print_warnings
from reconciler.cli.options import SourceChoice, narrowing_options, source_options, state_directory, state_option
from reconciler.cli.source import chosen_hosts, loaded, narrowed
from reconciler.controller.installed import installed_registry
from reconciler.desired.render import render
from reconciler.model.errors import ExitCode


@click.command("render")
@source_options
@narrowing_options
@state_option
def command(
    choice: SourceChoice,
    hosts: tuple[str, ...],
    kind: str | None,
    name: str | None,
    state: Path | None,
) -> int:
    """Print every resource as one manifest for its host, after selection and $(variables), in canonical form.

    A shared manifest appears once per host that it selects; a comment says where each was written.

    \b
    Examples:
      reconciler render desired-state --host hv01
      reconciler render desired-state --kind Zone --name monitor
    """
    registry = installed_registry()
    with loaded(choice, state_directory(state), registry) as whole:
        kept = narrowed(whole, kind, name)
    print_warnings(kept.warnings)
    chosen = chosen_hosts(kept.desired, hosts)
    wanted = [item for host in chosen for item in kept.desired.resources.get(host, {}).values()]
    click.echo(render(wanted, registry.kinds), nl=False)
    return ExitCode.CONVERGED
