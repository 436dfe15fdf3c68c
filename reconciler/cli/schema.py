"""`reconciler schema`: the JSON Schema of manifests."""

import click

from reconciler.cli.output import print_json
from reconciler.controller.installed import installed_registry
from reconciler.desired.schema import json_schema
from reconciler.model.errors import ExitCode


@click.command("schema")
def command() -> int:
    """Print the JSON Schema of all installed kinds.

    \b
    For an editor with the YAML language server:
      reconciler schema > reconciler.schema.json
      # yaml-language-server: $schema=reconciler.schema.json     (first line of a manifest)
    """
    print_json(json_schema(installed_registry().kinds))
    return ExitCode.CONVERGED
