"""`reconciler validate`: every error of a tree at once."""

from pathlib import Path

import click

from reconciler.cli.findings import findings_document
from reconciler.cli.options import SourceChoice, output_option, source_options, state_directory, state_option
from reconciler.cli.output import print_json
from reconciler.cli.source import loaded
from reconciler.controller.desired_state import InvalidDesiredError
from reconciler.controller.installed import installed_registry
from reconciler.model.errors import ExitCode


@click.command("validate")
@source_options
@state_option
@output_option
@click.option("--strict", is_flag=True, help="A reference to anything that has no manifest is an error.")
def command(
    choice: SourceChoice,
    state: Path | None,
    output: str,
    strict: bool,
) -> int:
    """Check a desired-state tree and report every error in it, each with its place, cause and remedy.

    No host is contacted.

    \b
    Examples:
      reconciler validate desired-state
      reconciler validate --repo . --ref HEAD --path desired-state --output json
    """
    try:
        with loaded(choice, state_directory(state), installed_registry(), strict=strict) as valid:
            pass
    except InvalidDesiredError as invalid:
        if output == "json":
            print_json(findings_document(invalid.findings))
        else:
            for finding in invalid.findings:
                click.echo(str(finding))
        return ExitCode.ERROR
    if output == "json":
        print_json(findings_document(valid.warnings))
        return ExitCode.CONVERGED
    for finding in valid.warnings:
        click.echo(str(finding))
    hosts, resources = len(valid.desired.hosts), sum(map(len, valid.desired.resources.values()))
    click.echo(f"valid: {hosts} host{'s' * (hosts != 1)}, {resources} resource{'s' * (resources != 1)}")
    return ExitCode.CONVERGED
