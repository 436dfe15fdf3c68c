"""`reconciler plan`: the dry run, for people and for CI."""

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


@click.command("plan")
@source_options
@narrowing_options
@state_option
@ceilings_option
@output_option
@click.option("--scripts", is_flag=True, help="Show the text of the scripts too that the plan calls by name.")
@click.option("--exit-code", "tell_pending", is_flag=True, help="End with 2 when changes are pending.")
def command(
    choice: SourceChoice,
    hosts: tuple[str, ...],
    kind: str | None,
    name: str | None,
    state: Path | None,
    ceilings: Path | None,
    output: str,
    scripts: bool,
    tell_pending: bool,
) -> int:
    """Show exactly which commands would run on which host, whom they restart, what they put at risk, and what is refused.

    Nothing is changed anywhere. DIRECTORY holds the desired state; without it and --repo, ./desired-state is read.
    A plan saved with --output json can be applied with `reconciler apply FILE` as long as nothing has moved.

    \b
    Examples:
      reconciler plan desired-state
      reconciler plan --repo /srv/infra.git --ref main --host hv01
      reconciler plan desired-state --exit-code --output json > plan.json
    """
    place = state_directory(state)
    head_start = begin(place, choice.name)
    try:
        # Imported while the probes of a known source run.
        from reconciler.cli.plan_pass import show_plan

        return show_plan(
            choice,
            place,
            hosts,
            kind,
            name,
            head_start,
            ceilings,
            output=output,
            scripts=scripts,
            tell_pending=tell_pending,
        )
    finally:
        head_start.abandon()
