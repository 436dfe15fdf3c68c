"""`reconciler apply`: plan, show, ask, run, and look again."""

from pathlib import Path

import click

from reconciler.cli.options import (
    SourceChoice,
    ceilings_option,
    narrowing_options,
    output_option,
    source_options,
    state_directory,
    state_option,
)
from reconciler.hosts.head_start import begin


@click.command("apply")
@source_options
@narrowing_options
@state_option
@ceilings_option
@output_option
@click.option("--yes", "-y", is_flag=True, help="Don't ask before running the plan.")
def command(
    choice: SourceChoice,
    hosts: tuple[str, ...],
    kind: str | None,
    name: str | None,
    state: Path | None,
    ceilings: Path | None,
    output: str,
    yes: bool,
) -> int:
    """Make hosts as the source says: show the plan, ask, run it, and look again.

    DIRECTORY holds the desired state, or is a file with a saved plan (`reconciler plan --output json`): that is run only if
    planning anew gives the very same plan. Interrupted at any time, another apply looks again and goes on.

    \b
    Examples:
      reconciler apply desired-state
      reconciler apply --repo /srv/infra.git --ref main --yes
      reconciler apply plan.json --yes
    """
    place = state_directory(state)
    head_start = begin(place, choice.name)
    try:
        # Imported while the probes of a known source run.
        from reconciler.cli.apply_pass import apply_source

        return apply_source(choice, place, hosts, kind, name, head_start, ceilings, output=output, yes=yes)
    finally:
        head_start.abandon()
